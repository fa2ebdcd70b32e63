//! Why a Knative Ingress is not turned into rules, or not served.

use crds::v1alpha1::Reason;

/// Why a Knative Ingress is not turned into rules. What was served before stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// From the closed set.
    pub reason: Reason,
    /// What is wrong, where, and what to do. Nothing volatile.
    pub message: String,
}

impl Refusal {
    /// For a reason.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// It makes no sense.
    pub fn invalid(message: String) -> Self {
        Self::new(Reason::InvalidSpec, message)
    }

    /// ALB cannot do it.
    pub fn unsupported(message: String) -> Self {
        Self::new(Reason::Unsupported, message)
    }
}
