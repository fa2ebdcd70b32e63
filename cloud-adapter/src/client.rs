//! Calls: budget, credentials, gate, one attempt after another within a deadline, records.

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
use crate::operations::Operation;
use crate::retry::{expired, wait};
use crate::transport::{self, Attempt, failure};

pub use crate::retry::Patience;
use crate::{Clock, system_clock};

/// Code of the error for an answer that is JSON but not what the operation is known to answer.
pub(crate) const UNEXPECTED_SHAPE: &str = "UnexpectedShape";
/// Code of a call that was not made because the cloud had asked for none.
pub(crate) const PAUSED: &str = "CallsPaused";

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
    /// As [`Client::call`]; an answer of another shape has code `UnexpectedShape`.
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
                UNEXPECTED_SHAPE,
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
        if let Some(left) = config.budget.paused(operation)
            && left > config.patience.longest_wait
        {
            return (Err(not_yet(operation, left)), None);
        }
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
        if let Err(error) = &result
            && error.class == ErrorClass::Throttled
            && let Some(wait) = error.retry_after
        {
            config.budget.pause(operation, wait);
        }
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

/// The cloud asked somebody else for a longer wait than a call may take.
fn not_yet(operation: Operation, left: Duration) -> CloudError {
    let message = "the cloud has asked for no call of this operation for a while";
    let mut error = failure(
        operation,
        ErrorClass::Throttled,
        PAUSED,
        message,
        Effect::None,
    );
    error.retry_after = Some(left);
    error
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
