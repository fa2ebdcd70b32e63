//! The error of an API call, with the constructors the product handlers share.

use std::time::Duration;

use serde_json::Value;

/// The outcome of a call: a JSON object without `RequestId` (the framework adds it), or a refusal.
pub type Answer = Result<Value, ApiError>;

/// A refusal as the cloud words it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The `Code` of the error body; clients key on it.
    pub code: String,
    /// The `Message` of the error body.
    pub message: String,
    /// How long the caller should wait; becomes the header `x-acs-retry-after` in milliseconds.
    pub retry_after: Option<Duration>,
    /// `AccessDeniedDetail` of the error body: which permission is missing, and whose.
    pub access_denied: Option<Value>,
}

impl ApiError {
    /// Any error.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            retry_after: None,
            access_denied: None,
        }
    }

    /// HTTP 400.
    pub fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// HTTP 403.
    pub fn forbidden(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(403, code, message)
    }

    /// HTTP 404. CloudAPI answers most "not found" with 400 instead: use [`Self::bad_request`] there.
    pub fn not_found(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(404, code, message)
    }

    /// `Throttling.User`, optionally with the time to wait.
    pub fn throttled(retry_after: Option<Duration>) -> Self {
        Self {
            retry_after,
            ..Self::new(
                400,
                "Throttling.User",
                "Request was denied due to user flow control.",
            )
        }
    }

    /// Something the emulator itself got wrong.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalError", message)
    }
}
