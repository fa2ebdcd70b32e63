//! The CustomResourceDefinitions of the Prometheus operator, read from its published Go module.

use std::path::PathBuf;

use crate::{
    definitions::{self, Source, Wanted},
    tools::{MONITORING, ToolError},
};

const SOURCES: [Source; 1] = [Source {
    module: "github.com/prometheus-operator/prometheus-operator",
    folder: "example/prometheus-operator-crd",
    files: &[
        "monitoring.coreos.com_prometheusrules.yaml",
        "monitoring.coreos.com_servicemonitors.yaml",
    ],
}];

/// The YAML files of the definitions of `PrometheusRule` and `ServiceMonitor`. Downloads them once.
///
/// # Errors
/// As [`crate::tools::ensure`].
pub async fn crds() -> Result<Vec<PathBuf>, ToolError> {
    definitions::ensure(
        &MONITORING,
        Wanted::Definitions,
        &SOURCES,
        "the Prometheus operator",
    )
    .await
}
