//! A stand-in for the cloud controller manager (CCM) of Alibaba Cloud: classic and network load
//! balancers.
//!
//! It watches Services, EndpointSlices and Nodes and does what CCM v2.14.0 does: the same writes to
//! the Service in the same order, the same calls of the load balancer products, its silences and its
//! permanent failures included. It reaches the load balancers through the emulator's HTTP interface
//! like any other client.
//!
//! `tests/ccm_recorded.rs` holds it against recordings of the real one; `docs/stand-ins.md` tells how these
//! are made and what differs.

mod annotations;
mod apply;
mod attributes;
mod backends;
mod certificates;
mod cleanup;
mod cloud;
mod controller;
mod create;
mod ensure;
mod error;
mod events;
mod groups;
mod hash;
mod interfaces;
mod listeners;
mod local;
mod model;
mod needs;
mod nlb;
mod queue;
mod reuse;
mod service;

use std::time::Duration;

pub(crate) use cloud::{Args, Cloud, items, text};
pub use controller::run;
pub(crate) use error::SyncError;
pub(crate) use events::Events;
pub use interfaces::describe_network_interfaces;
pub(crate) use interfaces::eni_id;
pub(crate) use queue::{Key, Queue};

/// What kind of backend servers Services get that do not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendMode {
    /// The addresses of the pods, as with the Terway network plug-in.
    #[default]
    Eni,
    /// The node ports of the nodes.
    Ecs,
}

/// Settings of the stand-in.
#[derive(Clone)]
pub struct Options {
    /// The cluster it watches.
    pub client: kube::Client,
    /// What it writes into tags and descriptions as the id of the cluster; CCM's own default is
    /// `clusterid`.
    pub cluster_id: String,
    /// Which of the emulator's keys it signs with; the first one given without it. A key of its own
    /// tells its calls from those of others in the call log and in fault rules.
    pub access_key_id: Option<String>,
    /// Backend servers of Services without the annotation `service.beta.kubernetes.io/backend-type`.
    pub backends: BackendMode,
    /// The wait after the first failure of a Service; it doubles up to [`Options::retry_max`].
    pub retry_min: Duration,
    /// The longest wait.
    pub retry_max: Duration,
    /// What is a second to the stand-in of the ALB Ingress controller, which is played too where the
    /// cluster has the kind AlbConfig; not at all if absent.
    pub alb_second: Option<Duration>,
}

impl Options {
    /// The settings of a managed cluster with Terway; retries after 5 s doubling to 300 s.
    pub fn new(client: kube::Client) -> Self {
        Self {
            client,
            cluster_id: "clusterid".to_owned(),
            access_key_id: None,
            backends: BackendMode::default(),
            retry_min: Duration::from_secs(5),
            retry_max: Duration::from_secs(300),
            alb_second: Some(Duration::from_secs(1)),
        }
    }
}

/// How the stand-in reaches the load balancers: its cloud configuration.
#[derive(Clone)]
pub struct CloudConfig {
    /// `http://127.0.0.1:…`
    pub url: String,
    /// The region.
    pub region: String,
    /// Its key.
    pub access_key_id: String,
    /// Its secret.
    pub access_key_secret: String,
    /// The VPC of the cluster.
    pub vpc_id: String,
    /// VSwitches it may put intranet load balancers in; the first one with room is taken.
    pub vswitch_ids: Vec<String>,
}
