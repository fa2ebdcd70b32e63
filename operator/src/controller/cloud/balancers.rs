//! What load balancers of either kind are, as far as anybody asked: read one by one when the cloud controller manager
//! says that it changed one, and all together, in a few calls, when what is known has grown old.

mod read;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cloud_adapter::client::Client;
use cloud_adapter::error::CloudError;

use crate::core::balancer::LoadBalancer;

pub(super) use read::Kind;

/// From this number on, a page of all there are is cheaper than asking by id.
const MANY: usize = 10;
/// One that nobody asked about for so many checks is forgotten.
const CHECKS: u32 = 4;
/// What is known of one that does not serve is soon old: nothing tells when the cloud is done with it.
const UNDONE: Duration = Duration::from_secs(5);

/// What is known of the load balancers of one kind of an account and region.
#[derive(Debug)]
pub(super) struct Balancers {
    kind: Kind,
    known: Mutex<HashMap<String, Known>>,
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Known {
    state: LoadBalancer,
    read: Instant,
    asked: Instant,
    version: String,
}

impl Known {
    fn is_fresh(&self, version: &str, max_age: Duration) -> bool {
        let max_age = match self.state.is_usable() {
            true => max_age,
            false => max_age.min(UNDONE),
        };
        self.version == version && self.read.elapsed() < max_age
    }
}

impl Balancers {
    /// Nothing is known yet.
    pub(super) fn of(kind: Kind) -> Self {
        Self {
            kind,
            known: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// One of them; none if there is none. Read again when what is known is older than `max_age`, or
    /// when `version` (what the cloud controller manager says of its own work) has moved.
    pub(super) async fn get(
        &self,
        client: &Client,
        id: &str,
        version: &str,
        max_age: Duration,
    ) -> Result<Option<LoadBalancer>, CloudError> {
        if let Some(state) = self.fresh(id, version, max_age) {
            return Ok(Some(state));
        }
        // Read once for all who ask meanwhile.
        let _reading = self.reading.lock().await;
        if let Some(state) = self.fresh(id, version, max_age) {
            return Ok(Some(state));
        }
        let only_old = self
            .lock()
            .get(id)
            .is_some_and(|known| known.version == version);
        if only_old {
            self.read_all(client, max_age).await?;
            if let Some(state) = self.fresh(id, version, Duration::MAX) {
                return Ok(Some(state));
            }
        }
        let Some(state) = self.kind.one(client, id).await? else {
            self.lock().remove(id);
            return Ok(None);
        };
        let now = Instant::now();
        let known = Known {
            state: state.clone(),
            read: now,
            asked: now,
            version: version.to_owned(),
        };
        self.lock().insert(id.to_owned(), known);
        Ok(Some(state))
    }

    fn fresh(&self, id: &str, version: &str, max_age: Duration) -> Option<LoadBalancer> {
        let mut known = self.lock();
        let known = known.get_mut(id)?;
        known.asked = Instant::now();
        known
            .is_fresh(version, max_age)
            .then(|| known.state.clone())
    }

    /// Reads all that somebody asked about lately. One that a list does not have is forgotten, and
    /// looked for by its id before it counts as gone.
    async fn read_all(&self, client: &Client, max_age: Duration) -> Result<(), CloudError> {
        let forgotten = max_age.saturating_mul(CHECKS).max(Duration::from_secs(60));
        let ids: Vec<String> = {
            let mut known = self.lock();
            known.retain(|_, known| known.asked.elapsed() < forgotten);
            known.keys().cloned().collect()
        };
        let begun = Instant::now();
        let wanted = (ids.len() <= MANY).then_some(ids.as_slice());
        let found = self.kind.list(client, wanted).await?;
        let mut found: HashMap<String, LoadBalancer> = found
            .into_iter()
            .map(|found| (found.id().to_owned(), found))
            .collect();
        let mut known = self.lock();
        for id in ids {
            let Some(found) = found.remove(&id) else {
                known.remove(&id);
                continue;
            };
            if let Some(known) = known.get_mut(&id) {
                known.state = found;
                known.read = begun;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::nlb::NlbState;

    #[test]
    fn one_that_does_not_serve_yet_is_soon_looked_at_again() {
        let read_before = |seconds: u64, status: &str| {
            let read = Instant::now() - Duration::from_secs(seconds);
            let state = NlbState {
                status: status.into(),
                ..NlbState::default()
            };
            Known {
                state: state.into(),
                read,
                asked: read,
                version: "1".into(),
            }
        };
        let interval = Duration::from_secs(600);
        let fresh = |known: Known, version: &str| known.is_fresh(version, interval);
        assert!(fresh(read_before(60, "Active"), "1"));
        assert!(!fresh(read_before(60, "Active"), "2"));
        assert!(!fresh(read_before(660, "Active"), "1"));
        assert!(fresh(read_before(1, "Configuring"), "1"));
        assert!(!fresh(read_before(60, "Configuring"), "1"));
    }
}
