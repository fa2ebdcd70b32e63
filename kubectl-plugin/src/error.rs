//! What can go wrong, told so that a person knows what to do.

use std::io;
use std::path::PathBuf;

use kube::config::{InferConfigError, KubeconfigError};

use crate::reference::Kind;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PluginError {
    #[error("{0}")]
    Usage(String),

    #[error(
        "no cluster: {why}. Name a kubeconfig with --kubeconfig or KUBECONFIG, and a context with --context"
    )]
    Kubeconfig { why: Box<KubeconfigError> },

    #[error("no cluster: {why}. Name a kubeconfig with --kubeconfig or KUBECONFIG")]
    NoCluster { why: Box<InferConfigError> },

    #[error("{what} does not exist; {hint}")]
    NotFound { what: String, hint: String },

    #[error(
        "this cluster does not know the kind {kind}: install the operator's CustomResourceDefinitions, or look at another cluster with --context"
    )]
    NoDefinition { kind: Kind },

    #[error("you may not {what}: {message}. Ask for a role that may")]
    Forbidden { what: String, message: String },

    #[error("the API server refuses to {what}: {message}")]
    Refused { what: String, message: String },

    #[error("cannot {what}")]
    Api {
        what: String,
        source: Box<kube::Error>,
    },

    #[error("a {kind} of this cluster is not understood; is it of another version than this plugin ({version})?", version = env!("CARGO_PKG_VERSION"))]
    NotUnderstood {
        kind: Kind,
        source: serde_json::Error,
    },

    #[error("cannot print as asked")]
    Json(#[from] serde_json::Error),

    #[error("cannot print as asked")]
    Yaml(#[from] serde_saphyr::ser::Error),

    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },

    #[error(transparent)]
    Io(#[from] io::Error),
}

impl PluginError {
    /// What came of a call that was to do `what`, for instance `read GatewayBinding shop/cart`.
    pub(crate) fn of(what: impl Into<String>, error: kube::Error) -> Self {
        let what = what.into();
        match error {
            kube::Error::Api(status) if status.code == 403 => Self::Forbidden {
                what,
                message: status.message.clone(),
            },
            kube::Error::Api(status) if (400..500).contains(&status.code) => Self::Refused {
                what,
                message: status.message.clone(),
            },
            error => Self::Api {
                what,
                source: Box::new(error),
            },
        }
    }
}
