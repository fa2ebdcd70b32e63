//! A real Kubernetes control plane for tests and the playground.
//!
//! etcd, kube-apiserver, kube-controller-manager, kubectl, helm and promql are built once from their
//! published Go modules into a cache (see [`tools`]), or taken from `KUBEBUILDER_ASSETS`, and run
//! as plain processes on loopback, several control planes at once if wanted:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let control_plane = control_plane::ControlPlane::builder().start().await?;
//! let crds = control_plane::knative::crds().await?;
//! control_plane::install_crds(control_plane.client(), &crds).await?;
//! println!("export KUBECONFIG={}", control_plane.kubeconfig().path().display());
//! control_plane.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! There is no scheduler and no node: Pods stay `Pending`.

mod apply;
mod cache;
mod components;
pub mod conformance;
mod control_plane;
mod definitions;
pub mod envoy;
mod files;
mod go;
pub mod guardian;
pub mod knative;
pub mod kourier;
mod kubeconfig;
pub mod layers;
pub mod loopback;
pub mod monitoring;
mod pki;
mod readiness;
pub mod tools;
mod workdir;

pub use apply::{ApplyError, FIELD_MANAGER, apply_yaml, apply_yaml_as, install_crds};
pub use control_plane::{ControlPlane, ControlPlaneBuilder, ControlPlaneError};
pub use go::GoError;
pub use kubeconfig::{KubeconfigError, KubeconfigFile};
pub use tools::{Tool, ToolError};
