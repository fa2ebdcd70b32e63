//! The CustomResourceDefinitions of Knative Serving, read from its published Go modules.
//!
//! Nothing of Knative runs here: with its definitions installed, tests create Knative objects as
//! Knative would.

use std::path::PathBuf;

use crate::{
    definitions::{self, Source},
    tools::{KNATIVE, ToolError},
};

/// Serving links to the definitions of networking, but a published module carries no symbolic links,
/// so they come from their own.
const SOURCES: [Source; 2] = [
    Source {
        module: "knative.dev/serving",
        folder: "config/core/300-resources",
        files: &[],
    },
    Source {
        module: "knative.dev/networking",
        folder: "config",
        files: &[],
    },
];

/// The version of Knative Serving whose definitions [`crds`] gives, such as `v0.50.0`.
#[must_use]
pub fn version() -> &'static str {
    KNATIVE.version()
}

/// The YAML files of the definitions of `serving.knative.dev`, `autoscaling.internal.knative.dev`
/// and `networking.internal.knative.dev`, one definition each, sorted by name. Downloads them once.
///
/// # Errors
/// As [`crate::tools::ensure`].
pub async fn crds() -> Result<Vec<PathBuf>, ToolError> {
    definitions::ensure(&KNATIVE, &SOURCES, "Knative Serving").await
}
