//! Why a Service could not be brought in line.

/// An error as CCM words it in events.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    /// A value that cannot be read; nothing is called.
    #[error("build lb local model error: {0}")]
    Model(String),
    /// Anything the stand-in itself refuses.
    #[error("apply model error: {0}")]
    Apply(String),
    /// A refusal of the cloud. CCM drops code and request id.
    #[error("Message: {message}")]
    Cloud {
        /// The code, for CCM's own decisions.
        code: String,
        /// The message.
        message: String,
    },
    /// The cloud could not be reached or answered nonsense.
    #[error("{0}")]
    Transport(String),
    /// The API server refused.
    #[error("{0}")]
    Kubernetes(#[from] kube::Error),
}
