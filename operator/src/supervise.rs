//! Supervision of the process's long-running tasks.
//!
//! Every task has a name and a stage. None of them may end before it is asked to: if one does, or
//! panics, the others are told to stop and the process exits non-zero, so that Kubernetes restarts
//! the whole instead of leaving it half alive.
//!
//! Shutdown goes stage by stage: the controllers finish what they are doing while the lease is
//! still held and renewed, then queued events are written, and only then is the lease released.

use std::any::Any;
use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::chain::chain;

/// When a task is told to stop, relative to the others. Stages stop in the order given here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Controllers: all that reads desired state and writes to the cluster or the cloud.
    Work,
    /// What still has to be said about that work: the queue of events.
    Report,
    /// What the others stand on: the lease and the health endpoint.
    Serve,
}

impl Stage {
    const ORDER: [Stage; 3] = [Stage::Work, Stage::Report, Stage::Serve];
}

/// Why supervision ended with a failure. Each variant names the tasks at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuperviseError {
    /// A task returned, with or without an error, though nobody had asked it to stop.
    #[error("task `{task}` ended before shutdown: {reason}")]
    Ended {
        /// Name the task was spawned under.
        task: String,
        /// Its error, or that it had none.
        reason: String,
    },
    /// A task panicked, at any time.
    #[error("task `{task}` panicked: {reason}")]
    Panicked {
        /// Name the task was spawned under.
        task: String,
        /// The panic message.
        reason: String,
    },
    /// A task had an error while it was shutting down.
    #[error("task `{task}` failed during shutdown: {reason}")]
    FailedShutdown {
        /// Name the task was spawned under.
        task: String,
        /// Its error.
        reason: String,
    },
    /// Tasks that had to be aborted, since they did not finish within the grace period.
    #[error("still running after the shutdown grace period of {grace:?}: {}", tasks.join(", "))]
    Overdue {
        /// Names of the tasks, sorted.
        tasks: Vec<String>,
        /// The grace period that was exceeded.
        grace: Duration,
    },
}

/// What every stage gets to finish in, also when earlier ones have used up the grace period.
const LEAST_GRACE: Duration = Duration::from_secs(1);

type Ended = Result<(), String>;

#[derive(Debug)]
struct Named {
    name: String,
    stage: Stage,
    abort: AbortHandle,
}

/// Owns all long-running tasks of the process.
#[derive(Debug)]
pub struct Supervisor {
    tasks: JoinSet<Ended>,
    names: HashMap<Id, Named>,
    tokens: [CancellationToken; 3],
    grace: Duration,
    failure: Option<SuperviseError>,
}

impl Supervisor {
    /// A supervisor without tasks; after a request to stop they have `grace`, together, to finish.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self {
            tasks: JoinSet::new(),
            names: HashMap::new(),
            tokens: Default::default(),
            grace,
            failure: None,
        }
    }

    /// The token that is cancelled when the tasks of `stage` are to finish.
    #[must_use]
    pub fn token(&self, stage: Stage) -> CancellationToken {
        let [work, report, serve] = &self.tokens;
        match stage {
            Stage::Work => work.clone(),
            Stage::Report => report.clone(),
            Stage::Serve => serve.clone(),
        }
    }

    /// Starts a task that must run until the token of its stage is cancelled.
    pub fn spawn<F, E>(&mut self, stage: Stage, name: impl Into<String>, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error> + Send + 'static,
    {
        let abort = self
            .tasks
            .spawn(async move { task.await.map_err(|error| chain(error.into().as_ref())) });
        let name = name.into();
        tracing::debug!(task = name, "started");
        self.names.insert(abort.id(), Named { name, stage, abort });
    }

    /// Runs until `stop` resolves (it says why, e.g. with the name of a signal) or a task ends by
    /// itself, then shuts the stages down in order.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong. All failures are logged with the task's name.
    pub async fn run(
        mut self,
        stop: impl Future<Output = &'static str>,
    ) -> Result<(), SuperviseError> {
        tokio::select! {
            reason = stop => tracing::info!(reason, grace = ?self.grace, "shutting down"),
            Some(joined) = self.tasks.join_next_with_id() => self.ended(joined),
        }
        let deadline = Instant::now() + self.grace;
        for stage in Stage::ORDER {
            self.token(stage).cancel();
            // A stage that used up the time of all must not cost the lease its release.
            let least = Instant::now() + LEAST_GRACE;
            self.drain(stage, deadline.max(least)).await;
        }
        self.failure.map_or(Ok(()), Err)
    }

    /// Waits until no task of `stage` is left; at the deadline the remaining ones are aborted.
    async fn drain(&mut self, stage: Stage, deadline: Instant) {
        while self.names.values().any(|task| task.stage == stage) {
            tokio::select! {
                biased;
                Some(joined) = self.tasks.join_next_with_id() => self.ended(joined),
                () = tokio::time::sleep_until(deadline) => {
                    self.abort(stage);
                    return;
                }
            }
        }
    }

    fn abort(&mut self, stage: Stage) {
        let overdue = self.names.extract_if(|_, task| task.stage == stage);
        let mut tasks: Vec<_> = overdue
            .map(|(_, task)| {
                task.abort.abort();
                task.name
            })
            .collect();
        tasks.sort();
        let grace = self.grace;
        self.fail(SuperviseError::Overdue { tasks, grace });
    }

    fn ended(&mut self, joined: Result<(Id, Ended), JoinError>) {
        let (id, result) = match joined {
            Ok((id, ended)) => (id, Ok(ended)),
            Err(error) => (error.id(), Err(error)),
        };
        // Aborted tasks were reported when their time was up.
        let Some(Named {
            name: task, stage, ..
        }) = self.names.remove(&id)
        else {
            return;
        };
        let asked = self.token(stage).is_cancelled();
        match result {
            Ok(Ok(())) if asked => tracing::debug!(task, "stopped"),
            Ok(Ok(())) => self.fail(SuperviseError::Ended {
                task,
                reason: "it returned without an error".into(),
            }),
            Ok(Err(reason)) if asked => self.fail(SuperviseError::FailedShutdown { task, reason }),
            Ok(Err(reason)) => self.fail(SuperviseError::Ended { task, reason }),
            Err(error) => self.fail(SuperviseError::Panicked {
                task,
                reason: panic_message(error),
            }),
        }
    }

    fn fail(&mut self, failure: SuperviseError) {
        tracing::error!("{failure}");
        self.failure.get_or_insert(failure);
    }
}

fn panic_message(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => payload_text(payload.as_ref()),
        Err(error) => error.to_string(),
    }
}

/// What a panic said.
pub(crate) fn payload_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}

/// Resolves with the signal's name on SIGTERM or SIGINT.
///
/// # Errors
///
/// If the handlers cannot be installed. They are installed at once, not on the first poll, so that
/// a signal during start-up is not lost.
pub fn termination_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Task = anyhow::Result<()>;

    fn supervisor() -> Supervisor {
        Supervisor::new(Duration::from_secs(5))
    }

    /// A task that runs until it is asked to stop.
    fn obedient(supervisor: &mut Supervisor, stage: Stage, name: &str) {
        let token = supervisor.token(stage);
        supervisor.spawn(stage, name, async move {
            token.cancelled().await;
            Task::Ok(())
        });
    }

    #[tokio::test]
    async fn a_request_to_stop_ends_all_without_a_failure() {
        let mut supervisor = supervisor();
        obedient(&mut supervisor, Stage::Work, "controller");
        obedient(&mut supervisor, Stage::Serve, "lease");
        assert_eq!(supervisor.run(async { "SIGTERM" }).await, Ok(()));
    }

    #[tokio::test]
    async fn stages_stop_one_after_the_other() {
        let mut supervisor = supervisor();
        let (order, mut stopped) = tokio::sync::mpsc::unbounded_channel();
        for stage in [Stage::Serve, Stage::Work, Stage::Report] {
            let (token, order) = (supervisor.token(stage), order.clone());
            let later: Vec<_> = Stage::ORDER
                .into_iter()
                .filter(|other| *other > stage)
                .map(|other| supervisor.token(other))
                .collect();
            supervisor.spawn(stage, format!("{stage:?}"), async move {
                token.cancelled().await;
                let early = later.iter().any(CancellationToken::is_cancelled);
                order.send((stage, early))
            });
        }
        assert_eq!(supervisor.run(async { "SIGINT" }).await, Ok(()));
        drop(order);
        let mut seen = Vec::new();
        while let Some(entry) = stopped.recv().await {
            seen.push(entry);
        }
        assert_eq!(seen, Stage::ORDER.map(|stage| (stage, false)));
    }

    #[tokio::test]
    async fn a_task_that_ends_by_itself_stops_the_others_and_is_named() {
        for (result, reason) in [
            (Ok(()), "it returned without an error"),
            (Err(anyhow::anyhow!("watch closed")), "watch closed"),
        ] {
            let mut supervisor = supervisor();
            obedient(&mut supervisor, Stage::Work, "controller");
            supervisor.spawn(Stage::Serve, "lease", async move { result });
            let failure = supervisor.run(std::future::pending()).await;
            let (task, reason) = ("lease".into(), reason.into());
            assert_eq!(failure, Err(SuperviseError::Ended { task, reason }));
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_with_the_task_and_the_message() {
        let mut supervisor = supervisor();
        obedient(&mut supervisor, Stage::Serve, "health");
        supervisor.spawn(Stage::Work, "controller", async {
            assert_eq!(1, 2, "impossible state");
            Task::Ok(())
        });
        let Err(SuperviseError::Panicked { task, reason }) =
            supervisor.run(std::future::pending()).await
        else {
            panic!("the panic was not reported");
        };
        assert_eq!(task, "controller");
        assert!(reason.contains("impossible state"), "{reason}");
    }

    // The grace period of one stage is at least a second, so this test takes that long.
    #[tokio::test]
    async fn a_task_that_does_not_stop_is_aborted_and_later_stages_still_get_their_turn() {
        let mut supervisor = Supervisor::new(Duration::from_millis(50));
        supervisor.spawn(Stage::Work, "stuck", std::future::pending::<Task>());
        let (released, was_released) = tokio::sync::oneshot::channel();
        let token = supervisor.token(Stage::Serve);
        supervisor.spawn(Stage::Serve, "lease", async move {
            token.cancelled().await;
            released
                .send(())
                .map_err(|()| anyhow::anyhow!("nobody listens"))
        });
        let failure = supervisor.run(async { "SIGTERM" }).await;
        let (tasks, grace) = (vec!["stuck".into()], Duration::from_millis(50));
        assert_eq!(failure, Err(SuperviseError::Overdue { tasks, grace }));
        assert_eq!(was_released.await, Ok(()), "the lease was not released");
    }

    #[tokio::test]
    async fn an_error_during_shutdown_is_reported() {
        let mut supervisor = supervisor();
        let token = supervisor.token(Stage::Report);
        supervisor.spawn(Stage::Report, "events", async move {
            token.cancelled().await;
            Task::Err(anyhow::anyhow!("queue lost"))
        });
        let failure = supervisor.run(async { "SIGTERM" }).await;
        let (task, reason) = ("events".into(), "queue lost".into());
        assert_eq!(
            failure,
            Err(SuperviseError::FailedShutdown { task, reason })
        );
    }
}
