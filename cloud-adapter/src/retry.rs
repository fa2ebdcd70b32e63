//! When a call is tried again.
//!
//! A read is tried again after trouble that passes. A change is tried again only where the cloud
//! said that it did nothing (throttled), where nothing was sent (no connection), or, for one that
//! sets a value, where something is locked for the moment. A create whose answer is missing is
//! never repeated: the caller looks first.

use std::time::Duration;

use crate::error::{CloudError, Effect, ErrorClass};
use crate::operations::{Access, Operation};

/// How calls are repeated and how long they may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Attempts of one call, the first included.
    pub attempts: u32,
    /// Wait before the second attempt; doubled for each further one, with jitter.
    pub first_wait: Duration,
    /// Wait where an object is locked (`ConcurrencyLockTimeout`).
    pub locked_wait: Duration,
    /// The longest wait between two attempts. A longer one that the cloud asks for is the
    /// caller's to wait.
    pub longest_wait: Duration,
    /// Time for one attempt.
    pub attempt: Duration,
    /// Time for a call in all.
    pub deadline: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_wait: Duration::from_millis(300),
            locked_wait: Duration::from_secs(3),
            longest_wait: Duration::from_secs(8),
            attempt: Duration::from_secs(15),
            deadline: Duration::from_secs(40),
        }
    }
}

/// Temporary credentials that ended early: renew them and try again, once.
pub(crate) fn expired(error: &CloudError) -> bool {
    error.class == ErrorClass::Credentials
        && (error.code.starts_with("InvalidSecurityToken")
            || error.code == "InvalidAccessKeyId.NotFound")
}

/// How long to wait before another attempt; none: there is none.
pub(crate) fn wait(
    operation: Operation,
    error: &CloudError,
    attempt: u32,
    patience: &Patience,
) -> Option<Duration> {
    if attempt >= patience.attempts || !repeatable(operation, error) {
        return None;
    }
    let doubled = patience.first_wait * 2u32.saturating_pow(attempt - 1);
    let base = match error.class {
        ErrorClass::Busy => patience.locked_wait,
        _ => doubled.min(patience.longest_wait),
    };
    let jittered = base.mul_f64(rand::random_range(0.75..1.25));
    let asked = error.retry_after.unwrap_or_default();
    (asked <= patience.longest_wait).then(|| asked.max(jittered))
}

fn repeatable(operation: Operation, error: &CloudError) -> bool {
    let nothing_done = error.effect == Effect::None;
    match (operation.access(), error.class) {
        (_, ErrorClass::Throttled) => error.code != "BudgetUsedUp",
        (Access::Read, ErrorClass::Unavailable) => error.code != "InvalidEndpoint",
        // No connection: nothing was sent.
        (_, ErrorClass::Unavailable) => nothing_done && error.code == "Transport",
        (Access::Upsert, ErrorClass::Busy) => nothing_done,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::{CREATE_API, DEPLOY_API, DESCRIBE_API};
    use crate::transport::failure;

    fn error(operation: Operation, class: ErrorClass, code: &str, effect: Effect) -> CloudError {
        failure(operation, class, code, "", effect)
    }

    #[test]
    fn what_may_be_repeated() {
        use Effect::{None, Unknown};
        use ErrorClass::*;
        for (class, code, effect, read, upsert, create) in [
            (Throttled, "Throttling.User", None, true, true, true),
            (Throttled, "BudgetUsedUp", None, false, false, false),
            (Unavailable, "Transport", None, true, true, true),
            (Unavailable, "Transport", Unknown, true, false, false),
            (Unavailable, "Timeout", Unknown, true, false, false),
            (
                Unavailable,
                "ServiceUnavailable",
                Unknown,
                true,
                false,
                false,
            ),
            (Busy, "ConcurrencyLockTimeout", None, false, true, false),
            (Busy, "RepeatedCommit", Unknown, false, false, false),
            (NotFound, "NotFoundApi", None, false, false, false),
            (InUse, "DependencyViolationApi", None, false, false, false),
            (ErrorClass::Unknown, "Odd", Unknown, false, false, false),
            (
                Credentials,
                "SignatureDoesNotMatch",
                None,
                false,
                false,
                false,
            ),
        ] {
            for (operation, expected) in [
                (DESCRIBE_API, read),
                (DEPLOY_API, upsert),
                (CREATE_API, create),
            ] {
                let error = error(operation, class, code, effect);
                assert_eq!(
                    repeatable(operation, &error),
                    expected,
                    "{operation} {code} {effect:?}"
                );
            }
        }
    }

    #[test]
    fn waits_at_least_as_long_as_asked_and_leaves_long_waits_to_the_caller() {
        let patience = Patience::default();
        let mut error = error(
            DESCRIBE_API,
            ErrorClass::Throttled,
            "Throttling",
            Effect::None,
        );
        error.retry_after = Some(Duration::from_secs(5));
        assert!(wait(DESCRIBE_API, &error, 1, &patience).unwrap() >= Duration::from_secs(5));
        error.retry_after = Some(Duration::from_secs(60));
        assert_eq!(wait(DESCRIBE_API, &error, 1, &patience), None);
        assert_eq!(
            wait(DESCRIBE_API, &error, patience.attempts, &patience),
            None
        );
    }
}
