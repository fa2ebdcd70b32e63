//! Why an AlbConfig was not brought in line.

use crate::ccm::SyncError;

/// What went wrong, and how the controller goes on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// An Ingress cannot be made rules of. Nothing of the whole AlbConfig is applied; the event is on
    /// this Ingress and the AlbConfig only.
    #[error("{message}")]
    Ingress {
        /// `namespace/name`
        key: String,
        /// The words of the event.
        message: String,
    },
    /// The AlbConfig itself is of no use. The event is on all of its Ingresses.
    #[error("{0}")]
    Model(String),
    /// A nil pointer, which the controller recovers from in silence: no event, no retry.
    #[error("runtime error: invalid memory address or nil pointer dereference ({0})")]
    Panic(String),
    /// The cloud refused. The event is on all Ingresses.
    #[error("{0}")]
    Apply(String),
    /// An error that no event tells of.
    #[error("{0}")]
    Silent(String),
    /// The API server refused; logged only.
    #[error("{0}")]
    Kubernetes(#[from] kube::Error),
}

impl Failure {
    /// What events tell of it: of a refusal of the cloud only the message, without code and id.
    pub(super) fn told(&self) -> String {
        let text = self.to_string();
        match text.rfind("Message:") {
            Some(place) => text.get(place..).unwrap_or_default().to_owned(),
            None => text,
        }
    }
}

/// What reading annotations may come to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// An error, in the words of the controller.
    #[error("{0}")]
    Error(String),
    /// A nil pointer.
    #[error("nil pointer: {0}")]
    Panic(&'static str),
}

impl Unreadable {
    pub(super) fn of(self, key: &str) -> Failure {
        match self {
            Self::Error(message) => Failure::Ingress {
                key: key.to_owned(),
                message,
            },
            Self::Panic(what) => Failure::Panic(format!("{key}: {what}")),
        }
    }
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Cloud { code, message } => {
                Self::Apply(format!("ErrorCode: {code} Message: {message}"))
            }
            SyncError::Kubernetes(error) => Self::Kubernetes(error),
            other => Self::Apply(other.to_string()),
        }
    }
}
