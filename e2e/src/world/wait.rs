//! Waiting with a deadline, and telling everything at the deadline.

use std::{fmt, time::Duration};

use kube::api::DynamicObject;
use tokio::time::{Instant, sleep};

use super::{Answer, Expect, Target, World, WorldError};

const POLL: Duration = Duration::from_millis(50);
/// How many lines of the operator's log and calls of the cloud an error shows.
const SHOWN: usize = 25;

/// What was still missing at the deadline, with what may explain it.
#[derive(thiserror::Error)]
#[error(
    "{subject} is not {expected} after {:.1} s: {missing}\n\
     --- last seen ---\n{last}\n--- last lines of the operator ---\n{log}\n--- last calls of the cloud ---\n{calls}",
    after.as_secs_f32()
)]
pub struct WaitError {
    /// What was waited for.
    pub subject: String,
    /// What it should have been.
    pub expected: String,
    /// How long it was waited for.
    pub after: Duration,
    /// What was missing.
    pub missing: String,
    last: String,
    log: String,
    calls: String,
}

/// As for people, since `unwrap` shows it to them.
impl fmt::Debug for WaitError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl World {
    /// Waits until the object is as expected, and returns it; the default value if it was expected
    /// to be gone.
    ///
    /// # Errors
    /// [`WaitError`] at the deadline, with the object's status, the operator's log and the calls.
    pub async fn wait_for(
        &self,
        target: &Target,
        expect: &Expect,
        patience: Duration,
    ) -> Result<DynamicObject, WaitError> {
        let api = target.api(self.client());
        let look = async || match api.get_opt(target.name()).await {
            Ok(object) => match expect.check(object.as_ref()) {
                Ok(()) => Ok(object.unwrap_or_else(nothing)),
                Err(missing) => Err((missing, object.as_ref().map_or_else(String::new, shown))),
            },
            Err(error) => Err((error.to_string(), String::new())),
        };
        self.repeat(&target.to_string(), &expect.to_string(), patience, look)
            .await
    }

    /// Repeats a request until its answer is as expected, and returns that.
    ///
    /// # Errors
    /// [`WaitError`] at the deadline, with the last answer.
    pub async fn wait_for_answer<F>(
        &self,
        expected: &str,
        patience: Duration,
        mut request: impl FnMut() -> F,
        check: impl Fn(&Answer) -> bool,
    ) -> Result<Answer, WaitError>
    where
        F: Future<Output = Result<Answer, WorldError>>,
    {
        let look = async || match request().await {
            Ok(answer) if check(&answer) => Ok(answer),
            Ok(answer) => Err(format!("{answer:?}")),
            Err(error) => Err(error.to_string()),
        };
        self.wait_until("the answer", expected, patience, look)
            .await
    }

    /// Repeats a look until it finds what is expected, and returns that. A look that does not says
    /// what is missing.
    ///
    /// # Errors
    /// [`WaitError`] at the deadline, with what the last look missed.
    pub async fn wait_until<T>(
        &self,
        subject: &str,
        expected: &str,
        patience: Duration,
        mut look: impl AsyncFnMut() -> Result<T, String>,
    ) -> Result<T, WaitError> {
        let look = async || look().await.map_err(|missing| (missing, String::new()));
        self.repeat(subject, expected, patience, look).await
    }

    /// As [`World::wait_until`]; a look that fails also says what it saw.
    async fn repeat<T>(
        &self,
        subject: &str,
        expected: &str,
        patience: Duration,
        mut look: impl AsyncFnMut() -> Result<T, (String, String)>,
    ) -> Result<T, WaitError> {
        let deadline = Instant::now() + patience;
        loop {
            let (missing, last) = match look().await {
                Ok(found) => return Ok(found),
                Err(missed) => missed,
            };
            if Instant::now() >= deadline {
                let (subject, expected) = (subject.to_owned(), expected.to_owned());
                return Err(self
                    .wait_error(subject, expected, patience, missing, last)
                    .await);
            }
            sleep(POLL).await;
        }
    }

    async fn wait_error(
        &self,
        subject: String,
        expected: String,
        after: Duration,
        missing: String,
        last: String,
    ) -> WaitError {
        let log = match &self.operator {
            Some(operator) => operator.log_tail(SHOWN),
            None => "(it does not run)".to_owned(),
        };
        let calls = match self.cloud.calls().await {
            Ok(calls) => {
                let first = calls.len().saturating_sub(SHOWN);
                let lines = calls.iter().skip(first).map(|call| {
                    format!(
                        "{} {} {} {:?}",
                        call.access_key_id, call.action, call.outcome, call.ids
                    )
                });
                lines.collect::<Vec<_>>().join("\n")
            }
            Err(error) => error.to_string(),
        };
        WaitError {
            subject,
            expected,
            after,
            missing,
            last,
            log,
            calls,
        }
    }
}

fn nothing() -> DynamicObject {
    DynamicObject {
        types: None,
        metadata: kube::api::ObjectMeta::default(),
        data: serde_json::Value::Null,
    }
}

/// An object without what no reader of a failure needs.
fn shown(object: &DynamicObject) -> String {
    let mut object = object.clone();
    object.metadata.managed_fields = None;
    serde_json::to_string_pretty(&object).unwrap_or_else(|error| error.to_string())
}
