//! What stands in a binding's way, in words for a person and a class for the machine.

use crds::v1alpha1::{ConditionType, Reason};

/// What happens next about a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A dependency is not there yet. Its arrival is watched; no noise, no backoff.
    Wait,
    /// Try again with backoff.
    Retry,
    /// A person asked for nothing to be written.
    Held,
    /// Nothing will change until the spec or the world does: `Stalled`.
    Terminal,
}

/// One thing that keeps a binding from being what its spec says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The condition that is `False` because of it.
    pub condition: ConditionType,
    /// What happens next.
    pub severity: Severity,
    /// From the closed set.
    pub reason: Reason,
    /// What is wrong, where, and what to do. Nothing volatile, nothing secret.
    pub message: String,
}

impl Problem {
    /// The spec is invalid or not allowed by its class.
    pub fn rejected(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(ConditionType::Accepted, Severity::Terminal, reason, message)
    }

    /// Something that the spec names is missing or not ready; it may come.
    pub fn unresolved(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(ConditionType::ResolvedRefs, Severity::Wait, reason, message)
    }

    /// Something else must happen first, and will be seen when it does.
    pub fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(ConditionType::Programmed, Severity::Wait, reason, message)
    }

    /// A person has to act before the cluster or the cloud can be what the spec says.
    pub fn blocked(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(
            ConditionType::Programmed,
            Severity::Terminal,
            reason,
            message,
        )
    }

    /// Trying again may help.
    pub fn retry(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(ConditionType::Programmed, Severity::Retry, reason, message)
    }

    /// Somebody else changed these objects, and they are to be left. `driftPolicy` is `Report`.
    pub fn drifted(objects: &[String]) -> Self {
        let message = format!(
            "changed by somebody else since it was last applied: {}. driftPolicy is Report, so it is left. Undo the change, or set driftPolicy: Enforce.",
            objects.join("; ")
        );
        Self::blocked(Reason::DriftDetected, message).waiting_for_a_person()
    }

    /// These fields do not keep what is written to them.
    pub fn unkept(fields: &[String]) -> Self {
        let message = format!(
            "written several times, and not kept: {}. Find out why it is set back, or change the spec. It is tried again once either side changes.",
            fields.join("; ")
        );
        Self::blocked(Reason::NonConvergent, message)
    }

    /// These objects are part of more than the class lets go in one go.
    pub fn mass_change(objects: &[String], class: &str) -> Self {
        let message = format!(
            "not deleted, since more than GatewayBindingClass \"{class}\" lets go in one go would be: {}. Undo what asks for it, or confirm it there: status.massChange says what it is.",
            objects.join(", ")
        );
        Self::blocked(Reason::MassChangeHeld, message).waiting_for_a_person()
    }

    /// A pass over the object has found something new to do again and again.
    pub fn unsettled() -> Self {
        Self::retry(
            Reason::Unsettled,
            "after many rounds there is still something to do each time cluster and cloud are looked at. Somebody may change them at the same time: the Events of the binding say what was written. It goes on by itself.",
        )
    }

    /// A pass over the object broke off at a defect of the operator.
    pub fn defect() -> Self {
        Self::retry(
            Reason::InternalError,
            "the operator met a defect of its own while it worked on this object. Its log says where: please report it. Other objects are not affected, and this one is tried again by itself.",
        )
    }

    /// The same, but told by `Accepted`: without it nothing of the spec can be judged.
    #[must_use]
    pub fn about_acceptance(mut self) -> Self {
        self.condition = ConditionType::Accepted;
        self
    }

    /// The same, but without `Stalled`: a person asked for it to be so.
    #[must_use]
    pub fn waiting_for_a_person(mut self) -> Self {
        self.severity = Severity::Held;
        self
    }

    /// Whether cluster or cloud failed, so that it says nothing about the object.
    pub fn is_outage(&self) -> bool {
        self.severity == Severity::Retry
            && matches!(
                self.reason,
                Reason::CloudUnreachable | Reason::CloudThrottled | Reason::InternalError
            )
    }

    fn new(
        condition: ConditionType,
        severity: Severity,
        reason: Reason,
        message: impl Into<String>,
    ) -> Self {
        Self {
            condition,
            severity,
            reason,
            message: message.into(),
        }
    }
}
