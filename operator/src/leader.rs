//! Leader election over a `coordination.k8s.io/v1` Lease: all replicas watch, one writes.
//!
//! Every write is a compare-and-swap on the Lease's `resourceVersion`, so of two candidates that
//! see the same free or expired lease one succeeds and the other reads again. A leader stops
//! writing a renew deadline after it *sent* its last successful renewal; others take over only a
//! lease duration after they *saw* the record change, which is later and longer. The difference
//! of the two is the time that a request in flight has to be answered.
//!
//! An instance that was restarted under the same identity takes its own lease back at once, since
//! its predecessor cannot be alive; should the identity have been given to two processes after
//! all, the older one sees a term that is not its own at its next renewal and stops.
//!
//! While leading, the API server gets one update a renew interval and no reads. All of it happens on a
//! thread of its own, so that it waits for nobody.

mod decide;
mod handle;
mod lease;
mod thread;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, PostParams};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::chain::chain;

use self::decide::{Action, Claim, Memory, Usurper, decide, observe};
use self::handle::Tenure;
pub use self::handle::{Leadership, NotLeader};
pub use self::lease::{LeaseConfig, LeaseConfigError};
pub use self::thread::{LeaseStartError, spawn};

/// Why this process leads no longer. It must exit, so that nothing it still does can write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Another process holds the lease.
    #[error("lease {lease} was taken over by `{holder}`")]
    TakenOver {
        /// Namespace and name of the Lease.
        lease: String,
        /// Identity of the new holder.
        holder: String,
    },
    /// A second process runs with the identity of this one.
    #[error(
        "lease {lease} was taken over by another process with this process's identity \
         `{identity}`; give each replica its own, with --identity or POD_NAME"
    )]
    Namesake {
        /// Namespace and name of the Lease.
        lease: String,
        /// The shared identity.
        identity: String,
    },
    /// No renewal succeeded in time.
    #[error("lease {lease} could not be renewed for {deadline:?}; the last error was: {cause}")]
    NotRenewed {
        /// Namespace and name of the Lease.
        lease: String,
        /// The renew deadline that passed.
        deadline: Duration,
        /// What the last attempt failed with.
        cause: String,
    },
    /// A defect ended what renews it.
    #[error("the thread that renews lease {lease} panicked; this is a defect")]
    Panicked {
        /// Namespace and name of the Lease.
        lease: String,
    },
}

/// One failed call; what follows from it depends on whether we lead.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error(transparent)]
    Kube(#[from] kube::Error),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

impl CallError {
    /// The object is not what we thought: somebody else wrote, created or deleted it.
    fn is_stale(&self) -> bool {
        matches!(self, CallError::Kube(kube::Error::Api(status))
            if status.is_conflict() || status.is_already_exists() || status.is_not_found())
    }
}

/// The task that acquires, renews and releases the lease.
#[derive(Debug)]
pub struct Elector {
    api: Api<Lease>,
    config: LeaseConfig,
    tenure: watch::Sender<Tenure>,
    tenure_end: Option<Instant>,
    memory: Memory,
    /// The Lease as last answered by the API server; `None` if it has to be read (again).
    current: Option<Lease>,
    last_error: String,
}

/// An elector for the configured Lease, and the handle that tells whether it leads. Nothing is
/// read or written before [`Elector::run`].
///
/// # Errors
///
/// If the durations of `config` do not fit together.
pub fn elector(
    client: kube::Client,
    config: LeaseConfig,
) -> Result<(Elector, Leadership), LeaseConfigError> {
    config.validate()?;
    let (tenure, handle) = watch::channel(Tenure::Following);
    let elector = Elector {
        api: Api::namespaced(client, &config.namespace),
        config,
        tenure,
        tenure_end: None,
        memory: Memory::default(),
        current: None,
        last_error: String::new(),
    };
    Ok((elector, Leadership::new(handle)))
}

impl Elector {
    /// Competes for the lease and keeps it until `shutdown`, then releases it.
    ///
    /// # Errors
    ///
    /// [`LeaseError`] as soon as a lease that was held is lost. There is no second term: the
    /// process has to end.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), LeaseError> {
        loop {
            let started = Instant::now();
            let pause = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                pause = self.step() => pause?,
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep_until(started + pause) => {}
            }
        }
        self.release().await;
        Ok(())
    }

    /// One look and at most one write. Returns how long after its start the next one is due.
    async fn step(&mut self) -> Result<Duration, LeaseError> {
        let interval = self.config.renew_interval;
        match self.look_and_act().await {
            Ok(pause) => {
                self.last_error.clear();
                pause.map(|pause| pause.min(interval))
            }
            Err(error) if error.is_stale() => {
                self.current = None;
                if !self.memory.leading {
                    self.memory.term = None;
                }
                self.check_deadline(&error)?;
                Ok(interval / 10)
            }
            Err(error) => {
                self.check_deadline(&error)?;
                self.complain(&error);
                Ok(interval)
            }
        }
    }

    async fn look_and_act(&mut self) -> Result<Result<Duration, LeaseError>, CallError> {
        if self.current.is_none() || !self.memory.leading {
            let read = self.api.get_opt(&self.config.name);
            let read = limited(self.call_timeout(), read).await?;
            self.saw(read);
        }
        let now = Instant::now();
        let config = &self.config;
        match decide(&config.identity, config.duration, now, &self.memory) {
            Action::Create | Action::Renew => self.write().await.map(Ok),
            Action::Acquire(claim) => {
                self.log_claim(claim);
                self.write().await.map(Ok)
            }
            Action::Wait(left) => Ok(Ok(left)),
            Action::StepDown(usurper) => Ok(Err(self.step_down(usurper))),
        }
    }

    /// Writes ourselves into the lease: a create, or a replace that fails if anybody was faster.
    async fn write(&mut self) -> Result<Duration, CallError> {
        let now = lease::now();
        let term = *self.memory.term.get_or_insert(now);
        let held = lease::held(self.current.clone(), &self.config, term, now);
        let sent = Instant::now();
        let timeout = self.call_timeout();
        let parameters = PostParams::default();
        let written = match self.current {
            Some(_) => {
                let replace = self.api.replace(&self.config.name, &parameters, &held);
                limited(timeout, replace).await?
            }
            None => limited(timeout, self.api.create(&parameters, &held)).await?,
        };
        self.saw(Some(written));
        let end = sent + self.config.renew_deadline;
        self.tenure_end = Some(end);
        self.tenure.send_replace(Tenure::Until(end));
        if !self.memory.leading {
            self.memory.leading = true;
            tracing::info!(
                lease = self.config.lease(),
                identity = self.config.identity,
                "leading"
            );
        }
        Ok(self.config.renew_interval)
    }

    fn saw(&mut self, current: Option<Lease>) {
        let record = current.as_ref().map(lease::record);
        observe(record.as_ref(), Instant::now(), &mut self.memory);
        self.current = current;
    }

    /// No call may outlast the tenure, nor use up the time for a second attempt.
    fn call_timeout(&self) -> Duration {
        let half = self.config.renew_deadline / 2;
        self.tenure_end.map_or(half, |end| {
            half.min(end.saturating_duration_since(Instant::now()))
        })
    }

    fn check_deadline(&mut self, cause: &CallError) -> Result<(), LeaseError> {
        if self.tenure_end.is_none_or(|end| Instant::now() < end) {
            return Ok(());
        }
        self.tenure.send_replace(Tenure::Following);
        Err(LeaseError::NotRenewed {
            lease: self.config.lease(),
            deadline: self.config.renew_deadline,
            cause: chain(cause),
        })
    }

    fn step_down(&mut self, usurper: Usurper) -> LeaseError {
        self.tenure.send_replace(Tenure::Following);
        let lease = self.config.lease();
        match usurper {
            Usurper::Other(holder) => LeaseError::TakenOver { lease, holder },
            Usurper::Namesake => LeaseError::Namesake {
                lease,
                identity: self.config.identity.clone(),
            },
        }
    }

    /// Gives the lease up, so that a successor need not wait for it to expire. A failure costs
    /// only that wait.
    async fn release(mut self) {
        self.tenure.send_replace(Tenure::Following);
        if self.memory.term.is_none() {
            return; // Never even tried to take it.
        }
        let timeout = self.config.renew_deadline / 2;
        let lease = self.config.lease();
        match limited(timeout, self.write_release()).await {
            Ok(()) => tracing::info!(lease, "released"),
            Err(error) => {
                tracing::warn!(lease, error = chain(&error), "not released; it will expire")
            }
        }
    }

    async fn write_release(&mut self) -> Result<(), kube::Error> {
        loop {
            // Read again: a renewal may have been cut short by the shutdown and still arrived.
            let current = self.api.get_opt(&self.config.name).await?;
            self.saw(current);
            let (Some(current), Some((record, _))) = (&self.current, &self.memory.seen) else {
                return Ok(());
            };
            let ours = record.holder.as_deref() == Some(&self.config.identity)
                && record.acquired == self.memory.term;
            if !ours {
                return Ok(());
            }
            let released = lease::released(current.clone(), lease::now());
            let parameters = PostParams::default();
            match self
                .api
                .replace(&self.config.name, &parameters, &released)
                .await
            {
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                result => return result.map(drop),
            }
        }
    }

    fn log_claim(&self, claim: Claim) {
        let holder = self
            .memory
            .seen
            .as_ref()
            .and_then(|(record, _)| record.holder.as_deref());
        let lease = self.config.lease();
        match claim {
            Claim::Released => tracing::info!(lease, "lease is free"),
            Claim::OwnBefore => tracing::info!(lease, "taking back own lease after a restart"),
            Claim::Expired => tracing::info!(lease, holder, "lease has expired"),
        }
    }

    /// Says each kind of failure once, not once per attempt.
    fn complain(&mut self, error: &CallError) {
        let error = chain(error);
        if error != self.last_error {
            tracing::warn!(
                lease = self.config.lease(),
                error,
                "lease not reached, trying again"
            );
            self.last_error = error;
        }
    }
}

/// Kube's client retries for minutes; the lease has no such time.
async fn limited<T>(
    timeout: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(timeout, call).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(CallError::Timeout(timeout)),
    }
}
