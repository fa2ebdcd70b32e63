//! The handle by which the rest of the process knows whether it may write.

use tokio::sync::watch;
use tokio::time::Instant;

/// Returned where something was about to be written without holding the lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("this instance does not hold the lease, so it writes nothing")]
pub struct NotLeader;

/// Until when we may write, by the local clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tenure {
    Following,
    Until(Instant),
    Always,
}

impl Tenure {
    fn holds(self, now: Instant) -> bool {
        match self {
            Tenure::Following => false,
            Tenure::Until(end) => now < end,
            Tenure::Always => true,
        }
    }
}

/// Whether this process leads. Cheap to clone and to ask.
///
/// Leadership ends by itself when the lease was not renewed in time, also while the task that
/// renews it is stuck: every question compares the local clock with the end of the tenure.
#[derive(Clone, Debug)]
pub struct Leadership {
    tenure: watch::Receiver<Tenure>,
}

impl Leadership {
    pub(super) fn new(tenure: watch::Receiver<Tenure>) -> Self {
        Self { tenure }
    }

    /// A handle that always leads: for commands that run once, and for tests.
    #[must_use]
    pub fn always() -> Self {
        // The sender may go: the last value stays.
        Self::new(watch::channel(Tenure::Always).1)
    }

    /// A handle that never leads: nothing is ever written.
    #[must_use]
    pub fn never() -> Self {
        Self::new(watch::channel(Tenure::Following).1)
    }

    /// Whether this process holds the lease at this moment.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.tenure.borrow().holds(Instant::now())
    }

    /// To be asked right before each write to the cluster or the cloud.
    ///
    /// # Errors
    ///
    /// [`NotLeader`] if the write must not happen.
    pub fn ensure_leading(&self) -> Result<(), NotLeader> {
        if self.is_leader() {
            Ok(())
        } else {
            Err(NotLeader)
        }
    }

    /// Waits until this process holds the lease. Never resolves if the elector has ended.
    pub async fn until_leader(&self) {
        let mut tenure = self.tenure.clone();
        let held = tenure.wait_for(|tenure| tenure.holds(Instant::now()));
        if held.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until this process no longer holds the lease; at once if it does not hold it now.
    pub async fn lost(&self) {
        let mut tenure = self.tenure.clone();
        loop {
            let current = *tenure.borrow_and_update();
            let end = match current {
                Tenure::Following => return,
                Tenure::Always => return std::future::pending().await,
                Tenure::Until(end) => end,
            };
            tokio::select! {
                () = tokio::time::sleep_until(end) => {
                    if !self.is_leader() {
                        return;
                    }
                }
                changed = tenure.changed() => {
                    if changed.is_err() {
                        return tokio::time::sleep_until(end).await;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(5);

    async fn soon(what: &str, future: impl Future<Output = ()>) {
        if tokio::time::timeout(PATIENCE, future).await.is_err() {
            panic!("{what} did not happen within {PATIENCE:?}");
        }
    }

    #[tokio::test]
    async fn the_handle_follows_the_tenure() {
        let (set, tenure) = watch::channel(Tenure::Following);
        let leadership = Leadership::new(tenure);
        assert_eq!(leadership.ensure_leading(), Err(NotLeader));
        soon("lost", leadership.lost()).await;

        let waiting = leadership.clone();
        let gained = tokio::spawn(async move { waiting.until_leader().await });
        set.send_replace(Tenure::Until(Instant::now() + PATIENCE * 10));
        soon("leadership", async { gained.await.unwrap() }).await;
        assert_eq!(leadership.ensure_leading(), Ok(()));

        let waiting = leadership.clone();
        let lost = tokio::spawn(async move { waiting.lost().await });
        set.send_replace(Tenure::Following);
        soon("loss", async { lost.await.unwrap() }).await;
        assert!(!leadership.is_leader());
    }

    #[tokio::test]
    async fn a_tenure_that_nobody_renews_ends_by_itself() {
        let end = Instant::now() + Duration::from_millis(30);
        let (set, tenure) = watch::channel(Tenure::Until(end));
        let leadership = Leadership::new(tenure);
        assert!(leadership.is_leader());
        soon("loss", leadership.lost()).await;
        assert!(!leadership.is_leader() && Instant::now() >= end);
        // Also when the elector is gone.
        set.send_replace(Tenure::Until(Instant::now() + Duration::from_millis(30)));
        drop(set);
        soon("loss", leadership.lost()).await;
        assert_eq!(leadership.ensure_leading(), Err(NotLeader));
    }

    #[tokio::test]
    async fn fixed_handles_stay_as_they_are() {
        assert!(Leadership::always().is_leader());
        soon("leadership", Leadership::always().until_leader()).await;
        assert!(!Leadership::never().is_leader());
        soon("loss", Leadership::never().lost()).await;
    }
}
