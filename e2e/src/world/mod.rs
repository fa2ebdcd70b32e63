//! A whole world for tests and the playground: control plane, cloud, Knative, gateway, operator.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use e2e::world::{Expect, Target, World, WorldOptions};
//! use std::time::Duration;
//!
//! let world = World::start(WorldOptions::default()).await?;
//! world.apply("...").await?;
//! let binding = Target::of::<crds::GatewayBinding>(Some("default"), "helloworld");
//! world.wait_for(&binding, &Expect::condition("Ready", "True"), Duration::from_secs(20)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Every world has a control plane, an emulated cloud and a gateway address of its own, so that
//! worlds share nothing and may run side by side. All of it ends when the world is dropped, or its
//! process is killed.

mod address;
mod alb_controller;
mod audit;
mod cloud;
mod console;
mod error;
mod expect;
mod objects;
mod operator;
mod options;
mod secrecy;
mod snapshot;
mod start;
mod target;
mod wait;

use std::path::Path;

pub(crate) use address::candidates;
pub use address::start_gateway;
pub use alb_controller::AlbController;
pub use audit::Asked;
pub use cloud::{Answer, Ccm, Cloud, CloudOptions};
pub use error::WorldError;
pub use expect::Expect;
pub use operator::{Operator, OperatorOptions};
pub use options::{Keys, WorldOptions};
pub use target::Target;
pub use wait::WaitError;

use control_plane::ControlPlane;
use kube::Client;
use local_node::serving::Serving;

use crate::{gateway::Gateway, knative::KnativeStandIn};
use secrecy::Secrecy;

/// See the module. The parts are public: a test may stop, restart or replace any of them.
///
/// The order of the fields is the order in which they end.
#[derive(Debug)]
pub struct World {
    /// Looks through all the others, so it ends before them.
    secrecy: Secrecy,
    /// The operator, if it runs.
    pub operator: Option<Operator>,
    /// What makes Knative's objects, if it runs.
    pub knative: Option<KnativeStandIn>,
    /// Knative Serving itself, and the node that runs its Pods, if it runs.
    pub serving: Option<Serving>,
    /// What routes by Host, if it runs.
    pub gateway: Option<Gateway>,
    /// The real ALB Ingress controller, if it runs in place of its stand-in.
    pub alb_controller: Option<AlbController>,
    /// The emulated cloud.
    pub cloud: Cloud,
    /// etcd, the API server and the controllers.
    pub control_plane: ControlPlane,
    options: WorldOptions,
    folder: Folder,
}

/// Where logs go.
#[derive(Debug)]
enum Folder {
    Temporary(tempfile::TempDir),
    Kept(std::path::PathBuf),
}

impl World {
    /// A client with all rights.
    pub fn client(&self) -> Client {
        self.control_plane.client()
    }

    /// What it was started with.
    pub fn options(&self) -> &WorldOptions {
        &self.options
    }

    /// Where logs go.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Remembers all secrets that there are now. A world that ends looks for those it knows: all
    /// that the cloud ever had, and of Secrets those that are still there or were remembered.
    /// Returns how many it knows.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn remember_secrets(&self) -> Result<usize, WorldError> {
        self.secrecy.gather(self.client()).await
    }

    /// Looks for every secret in all that the world printed, logged or shows, as is done once more
    /// when it ends.
    ///
    /// # Errors
    /// With the places that show one.
    pub async fn assert_no_secret_shown(&self) -> Result<(), WorldError> {
        self.secrecy.look(self.client()).await
    }
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}
