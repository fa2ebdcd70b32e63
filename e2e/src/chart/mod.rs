//! The charts: rendered and installed by helm, and their operator run as a process.
//!
//! There is no kubelet, so nothing starts the pods of a Deployment. [`Container`] does what it would
//! do with the one container: the arguments and variables of the Deployment, and a token of its
//! ServiceAccount.

mod container;
mod helm;

use std::path::PathBuf;

pub use container::Container;
pub use helm::{Helm, HelmError};

/// The chart with the CustomResourceDefinitions.
pub const CRDS: &str = "gatewaybinding-crds";
/// The chart with everything else.
pub const OPERATOR: &str = "gatewaybinding-operator";
/// Where both are released.
pub const NAMESPACE: &str = "gatewaybinding-system";

/// The folder of a chart of this repository.
pub fn folder(chart: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../charts")
        .join(chart)
}
