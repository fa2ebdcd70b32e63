//! The definitions and manifests of Knative Serving, read from its published Go modules.
//!
//! With the definitions alone, tests create Knative objects as Knative would. Its programs are among
//! the [tools](crate::tools).

use std::path::PathBuf;

use crate::{
    definitions::{self, Source, Wanted},
    tools::{KNATIVE, ToolError},
};

const SERVING: &str = "knative.dev/serving";
const NETWORKING: &str = "knative.dev/networking";

/// Serving links to the definitions of others, but a published module carries no symbolic links, so
/// they come from their own.
const DEFINITIONS: [Source; 3] = [
    whole(SERVING, "config/core/300-resources"),
    whole(NETWORKING, "config"),
    Source {
        module: "knative.dev/caching",
        folder: "config",
        files: &["image.yaml"],
    },
];

/// In an order in which each can be applied once those before it are.
const MANIFESTS: [Source; 6] = [
    Source {
        module: SERVING,
        folder: "config/core",
        files: &["100-namespace.yaml", "200-serviceaccount.yaml"],
    },
    whole(SERVING, "config/core/200-roles"),
    whole(SERVING, "config/core/configmaps"),
    Source {
        module: NETWORKING,
        folder: "config",
        files: &["config-network.yaml"],
    },
    Source {
        module: SERVING,
        folder: "config/core/deployments",
        files: &[
            "activator.yaml",
            "autoscaler.yaml",
            "controller.yaml",
            "webhook.yaml",
        ],
    },
    whole(SERVING, "config/core/webhooks"),
];

const fn whole(module: &'static str, folder: &'static str) -> Source {
    Source {
        module,
        folder,
        files: &[],
    }
}

/// The version of Knative Serving, such as `v0.50.0`.
#[must_use]
pub fn version() -> &'static str {
    KNATIVE.version()
}

/// The YAML files of the definitions of `serving.knative.dev`, `autoscaling.internal.knative.dev`,
/// `networking.internal.knative.dev` and `caching.internal.knative.dev`, one definition each.
/// Downloads them once.
///
/// # Errors
/// As [`crate::tools::ensure`].
pub async fn crds() -> Result<Vec<PathBuf>, ToolError> {
    definitions::ensure(
        &KNATIVE,
        Wanted::Definitions,
        &DEFINITIONS,
        "Knative Serving",
    )
    .await
}

/// The YAML files that install Knative Serving where its definitions are, in the order in which they
/// are to be applied. Its images are named `ko://knative.dev/serving/cmd/…`. Downloads them once.
///
/// # Errors
/// As [`crate::tools::ensure`].
pub async fn manifests() -> Result<Vec<PathBuf>, ToolError> {
    definitions::ensure(&KNATIVE, Wanted::Others, &MANIFESTS, "Knative Serving").await
}
