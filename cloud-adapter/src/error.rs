//! Errors of the cloud, classed by what a caller can do about them.

use std::time::Duration;

use thiserror::Error;

/// What a caller can do about an error. Derived from the cloud's error code, never from the HTTP
/// status alone: the API gateway answers most "not found" with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The object does not exist. Success for a delete.
    NotFound,
    /// A name, a path or a key is taken. Somebody created it, perhaps an earlier attempt of ours:
    /// list again before anything else.
    AlreadyExists,
    /// The same request is still in progress or an object is locked: wait, look, then try again.
    Busy,
    /// Something still refers to the object: remove that first.
    InUse,
    /// A quota is used up. Needs a person or a deletion elsewhere.
    Quota,
    /// The request itself is wrong. Sending it again cannot help.
    Invalid,
    /// The credentials are valid but lack a permission.
    Forbidden,
    /// The credentials are missing, unknown, expired or malformed.
    Credentials,
    /// The account cannot use the product: not activated, in debt, or suspended.
    Account,
    /// Too many requests. Wait at least `retry_after`.
    Throttled,
    /// The cloud failed (5xx) or could not be reached.
    Unavailable,
    /// A code that the table does not know.
    Unknown,
}

impl ErrorClass {
    /// Whether the same request may succeed later without anybody changing anything.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Busy | Self::InUse | Self::Throttled | Self::Unavailable | Self::Unknown
        )
    }

    /// Stable lower-case word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Busy => "busy",
            Self::InUse => "in_use",
            Self::Quota => "quota",
            Self::Invalid => "invalid",
            Self::Forbidden => "forbidden",
            Self::Credentials => "credentials",
            Self::Account => "account",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether a failed call may have had its effect all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The cloud refused the call, or it never left: nothing changed.
    None,
    /// No answer, or an answer that says nothing (5xx, a broken connection): look before repeating.
    Unknown,
}

/// A failed call. The text holds no secret and no request parameter.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{operation}: {code}: {message}")]
pub struct CloudError {
    /// What a caller can do about it.
    pub class: ErrorClass,
    /// Product and action, for example `CloudAPI CreateApi`.
    pub operation: String,
    /// The cloud's own code, for example `NotFoundApi`; `Transport` or `Timeout` where none came.
    pub code: String,
    /// The cloud's own message.
    pub message: String,
    /// The cloud's request id. For logs only: it changes with every call and so never belongs in
    /// a status.
    pub request_id: Option<String>,
    /// How long the cloud asks to wait.
    pub retry_after: Option<Duration>,
    /// Whether the call may have had its effect.
    pub effect: Effect,
}
