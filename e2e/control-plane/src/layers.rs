//! What other networking layers of Knative need that are run beside ours in benchmarks.

use std::path::PathBuf;

use crate::{
    definitions::{self, Source, Wanted},
    tools::{LAYERS, ToolError},
};

const SOURCES: [Source; 1] = [Source {
    module: "knative.dev/net-gateway-api",
    folder: "third_party/gateway-api",
    files: &[],
}];

/// The YAML files of the definitions of the Gateway API, several in a file. Downloads them once.
///
/// # Errors
/// As [`crate::tools::ensure`].
pub async fn gateway_api_crds() -> Result<Vec<PathBuf>, ToolError> {
    definitions::ensure(&LAYERS, Wanted::Definitions, &SOURCES, "the Gateway API").await
}
