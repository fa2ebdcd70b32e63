//! The manifests of Kourier, a networking layer of Knative, read from its published Go module.
//!
//! Its controller is among the [tools](crate::tools), and what it programs is [Envoy](crate::envoy).

use std::path::PathBuf;

use crate::{
    definitions::{self, Source, Wanted},
    tools::{LAYERS, ToolError},
};

/// Their names begin with numbers, in the order in which they are to be applied.
const MANIFESTS: [Source; 1] = [Source {
    module: "knative.dev/net-kourier",
    folder: "config",
    files: &[],
}];

/// The YAML files that install Kourier where Knative Serving is, in the order in which they are to be
/// applied: the gateway, which asks the controller what to do, comes last. The controller's image is
/// named `ko://knative.dev/net-kourier/cmd/kourier`. Downloads them once.
///
/// # Errors
/// As [`crate::tools::ensure`].
pub async fn manifests() -> Result<Vec<PathBuf>, ToolError> {
    definitions::ensure(&LAYERS, Wanted::Others, &MANIFESTS, "Kourier").await
}
