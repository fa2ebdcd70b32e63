//! Calls: credentials, budget, deadline, signing, error classes, and when to try again.
//!
//! A read is tried again after trouble that passes. A change is tried again only where the cloud
//! said that it did nothing (throttled), where nothing was sent (no connection), or, for one that
//! sets a value, where something is locked for the moment. A create whose answer is missing is
//! never repeated: the caller looks first.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::budget::{Budget, Share};
use crate::call::RpcCall;
use crate::credentials::CredentialsProvider;
use crate::endpoints::Endpoints;
use crate::error::{CloudError, Effect, ErrorClass};
use crate::observe::{CallRecord, Observer};
use crate::operations::{Access, Operation};
use crate::transport::{self, Attempt, failure};
use crate::{Clock, system_clock};

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

/// What a [`Client`] is made of.
#[derive(Clone)]
pub struct ClientConfig {
    /// The region, for example `cn-beijing`.
    pub region: String,
    /// Where the products answer.
    pub endpoints: Endpoints,
    /// Who calls.
    pub credentials: Arc<CredentialsProvider>,
    /// How much may be called.
    pub budget: Budget,
    /// Hooks.
    pub observer: Observer,
    /// Deadlines and repetition.
    pub patience: Patience,
    /// The time that requests are signed with.
    pub clock: Clock,
}

impl ClientConfig {
    /// With public endpoints, no hooks and the usual patience.
    pub fn new(
        region: impl Into<String>,
        credentials: Arc<CredentialsProvider>,
        budget: Budget,
    ) -> Self {
        Self {
            region: region.into(),
            endpoints: Endpoints::public(),
            credentials,
            budget,
            observer: Observer::default(),
            patience: Patience::default(),
            clock: system_clock(),
        }
    }
}

/// Makes calls in one region as one identity. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    share: Share,
}

struct Inner {
    config: ClientConfig,
    http: reqwest::Client,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("region", &self.inner.config.region)
            .field("endpoints", &self.inner.config.endpoints)
            .field("credentials", &self.inner.config.credentials)
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Makes no call yet.
    ///
    /// # Errors
    /// Class `Unavailable` if the machine cannot set up HTTPS (no root certificates, for example).
    pub fn new(config: ClientConfig) -> Result<Self, CloudError> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!(
                "gatewaybinding-operator/",
                env!("CARGO_PKG_VERSION")
            ))
            .build()
            .map_err(|error| CloudError {
                class: ErrorClass::Unavailable,
                operation: "HTTP client".to_owned(),
                code: "Transport".to_owned(),
                message: error.to_string(),
                request_id: None,
                retry_after: None,
                effect: Effect::None,
            })?;
        Ok(Self {
            inner: Arc::new(Inner { config, http }),
            share: Share::Foreground,
        })
    }

    /// The same client, spending the background's share of the budget.
    #[must_use]
    pub fn background(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            share: Share::Background,
        }
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.inner.config.region
    }

    /// The budget that calls spend.
    pub fn budget(&self) -> &Budget {
        &self.inner.config.budget
    }

    /// The clock that requests are signed with.
    pub fn clock(&self) -> &Clock {
        &self.inner.config.clock
    }

    /// Calls and reads the answer as `T`.
    ///
    /// # Errors
    /// As [`Client::call`]; an answer of another shape has code `UnreadableAnswer`.
    pub async fn call_as<T: DeserializeOwned>(&self, call: RpcCall) -> Result<T, CloudError> {
        let operation = call.operation;
        let value = without_nulls(self.call(call).await?);
        serde_json::from_value(value).map_err(|error| {
            let effect = if operation.mutating() {
                Effect::Unknown
            } else {
                Effect::None
            };
            let message = format!("the answer has an unexpected shape: {error}");
            failure(
                operation,
                ErrorClass::Unavailable,
                "UnreadableAnswer",
                message,
                effect,
            )
        })
    }

    /// Calls.
    ///
    /// # Errors
    /// Any [`ErrorClass`]; `effect` says whether the call may have had its effect all the same.
    pub async fn call(&self, call: RpcCall) -> Result<Value, CloudError> {
        let patience = self.inner.config.patience;
        let deadline = Instant::now() + call.deadline.unwrap_or(patience.deadline);
        let mut renewed = false;
        let mut attempt = 1;
        loop {
            let (error, key) = match self.attempt(&call, attempt, deadline).await {
                (Ok(value), _) => return Ok(value),
                (Err(error), key) => (error, key),
            };
            let wait = if !renewed && expired(&error) && self.reject(key.as_deref()) {
                renewed = true;
                Duration::ZERO
            } else {
                match wait(call.operation, &error, attempt, &patience) {
                    Some(wait) => wait,
                    None => return Err(error),
                }
            };
            if Instant::now() + wait >= deadline {
                return Err(error);
            }
            tracing::debug!(operation = %call.operation, code = error.code, ?wait, "trying again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    fn reject(&self, key: Option<&str>) -> bool {
        key.is_some_and(|key| self.inner.config.credentials.reject(key))
    }

    /// One attempt, and the id of the key that signed it.
    async fn attempt(
        &self,
        call: &RpcCall,
        number: u32,
        deadline: Instant,
    ) -> (Result<Value, CloudError>, Option<String>) {
        let config = &self.inner.config;
        let operation = call.operation;
        let waiting = Instant::now();
        let take = config.budget.take(operation, self.share);
        let Ok(budget_left) = tokio::time::timeout_at(deadline, take).await else {
            let message = format!(
                "no call was free within the deadline: the budget is {} calls a second",
                config.budget.per_second()
            );
            let error = failure(
                operation,
                ErrorClass::Throttled,
                "BudgetUsedUp",
                message,
                Effect::None,
            );
            return (Err(error), None);
        };
        let waited = waiting.elapsed();
        let credentials = match tokio::time::timeout_at(deadline, config.credentials.get()).await {
            Ok(Ok(credentials)) => credentials,
            Ok(Err(error)) => return (Err(error), None),
            Err(_) => {
                let message = "the credentials source did not answer within the deadline";
                let error = failure(
                    operation,
                    ErrorClass::Credentials,
                    "Timeout",
                    message,
                    Effect::None,
                );
                return (Err(error), None);
            }
        };
        if let Err(error) = config.observer.ask(operation) {
            return (Err(error), None);
        }
        let started = Instant::now();
        let url = config.endpoints.url(operation.product(), &config.region);
        let Attempt { result, request_id } = transport::attempt(
            &self.inner.http,
            &url,
            call,
            &credentials,
            (config.clock)(),
            config
                .patience
                .attempt
                .min(deadline.saturating_duration_since(started)),
        )
        .await;
        config.observer.tell(&CallRecord {
            operation,
            attempt: number,
            outcome: result.as_ref().map(|_| ()).map_err(|error| error.class),
            duration: started.elapsed(),
            waited,
            budget_left,
            request_id,
        });
        (result, Some(credentials.access_key_id))
    }
}

/// Answers say "nothing" by `null` as well as by leaving a member out.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// Temporary credentials that ended early: renew them and try again, once.
fn expired(error: &CloudError) -> bool {
    error.class == ErrorClass::Credentials
        && (error.code.starts_with("InvalidSecurityToken")
            || error.code == "InvalidAccessKeyId.NotFound")
}

/// How long to wait before another attempt; none: there is none.
fn wait(
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
