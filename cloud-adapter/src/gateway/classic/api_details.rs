//! Definitions that were read before: a list entry that did not move needs no further call.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::api_answer::ApiAnswer;
use crate::Clock;
use crate::gateway::model::{ApiId, Environment};

/// The cloud writes times in seconds: an edit in the second of our own read would not show, so a
/// definition counts as settled only this long after its last change.
const SETTLE: SignedDuration = SignedDuration::from_secs(2);

/// A definition, and which one it is.
#[derive(Clone, Debug)]
struct Known {
    /// `ModifiedTime` of the draft, `EffectiveVersion` of what runs.
    stamp: String,
    read: Timestamp,
    answer: Arc<ApiAnswer>,
}

#[derive(Debug, Default)]
struct Entry {
    draft: Option<Known>,
    deployed: BTreeMap<Environment, Known>,
    /// Moves with each [`Details::forget`].
    generation: u64,
}

/// Definitions by API.
pub(super) struct Details {
    clock: Clock,
    audit: SignedDuration,
    entries: Mutex<HashMap<ApiId, Entry>>,
}

impl std::fmt::Debug for Details {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Details")
            .field("entries", &self.lock().len())
            .finish_non_exhaustive()
    }
}

/// A draft (none) or what runs in an environment.
pub(super) type Place = Option<Environment>;

impl Details {
    pub(super) fn new(clock: Clock, audit: Duration) -> Self {
        Self {
            clock,
            audit: SignedDuration::try_from(audit).unwrap_or(SignedDuration::MAX),
            entries: Mutex::default(),
        }
    }

    /// What is known of `stamp`, unless it has to be read again; and the generation to hand to
    /// [`Details::keep`] after that.
    pub(super) fn get(&self, id: &ApiId, place: Place, stamp: &str) -> Result<Arc<ApiAnswer>, u64> {
        let entries = self.lock();
        let Some(entry) = entries.get(id) else {
            return Err(0);
        };
        let known = match place {
            None => entry.draft.as_ref(),
            Some(environment) => entry.deployed.get(&environment),
        };
        match known.filter(|known| known.stamp == stamp && self.fresh(id, place, known)) {
            Some(known) => Ok(known.answer.clone()),
            None => Err(entry.generation),
        }
    }

    /// What to hand to [`Details::keep`] after reading an API.
    pub(super) fn generation(&self, id: &ApiId) -> u64 {
        self.lock().get(id).map_or(0, |entry| entry.generation)
    }

    fn fresh(&self, id: &ApiId, place: Place, known: &Known) -> bool {
        let settled = match place {
            // A version is a new one for each deployment.
            Some(_) => true,
            None => known
                .stamp
                .parse::<Timestamp>()
                .is_ok_and(|modified| known.read.duration_since(modified) >= SETTLE),
        };
        let age = (self.clock)().duration_since(known.read);
        settled && age < self.audit_of(id)
    }

    /// Between half and all of the audit period, by id: a fleet is not read again all at once.
    fn audit_of(&self, id: &ApiId) -> SignedDuration {
        let spread = id
            .as_str()
            .bytes()
            .fold(0u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte))
            % 128;
        self.audit / 2 + self.audit / 256 * i32::try_from(spread).unwrap_or_default()
    }

    /// Remembers what was read, unless the API was changed meanwhile.
    pub(super) fn keep(
        &self,
        id: &ApiId,
        place: Place,
        stamp: &str,
        generation: u64,
        answer: &Arc<ApiAnswer>,
    ) {
        let read = (self.clock)();
        let mut entries = self.lock();
        let entry = entries.entry(id.clone()).or_default();
        if entry.generation != generation {
            return;
        }
        let known = Known {
            stamp: stamp.to_owned(),
            read,
            answer: answer.clone(),
        };
        match place {
            None => entry.draft = Some(known),
            Some(environment) => {
                entry.deployed.insert(environment, known);
            }
        }
    }

    /// After a write of ours.
    pub(super) fn forget(&self, id: &ApiId) {
        let mut entries = self.lock();
        let entry = entries.entry(id.clone()).or_default();
        entry.draft = None;
        entry.deployed.clear();
        entry.generation += 1;
    }

    /// Drops what is no longer listed.
    pub(super) fn retain(&self, listed: &HashSet<&ApiId>) {
        self.lock().retain(|id, _| listed.contains(id));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApiId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn an_entry_is_used_until_something_moves() {
        let seconds = Arc::new(AtomicI64::new(100));
        let time = seconds.clone();
        let clock: Clock =
            Arc::new(move || Timestamp::from_second(time.load(Ordering::SeqCst)).unwrap());
        let details = Details::new(clock, Duration::from_secs(1000));
        let id = ApiId::from("a1");
        let answer = Arc::new(ApiAnswer::default());
        let stamp = Timestamp::from_second(99).unwrap().to_string();

        let generation = details.get(&id, None, &stamp).unwrap_err();
        details.keep(&id, None, &stamp, generation, &answer);
        assert!(
            details.get(&id, None, &stamp).is_err(),
            "read within the second of the change"
        );
        seconds.store(102, Ordering::SeqCst);
        details.keep(&id, None, &stamp, generation, &answer);
        assert!(details.get(&id, None, &stamp).is_ok());
        assert!(details.get(&id, None, "another").is_err());
        assert!(details.get(&id, Some(Environment::Test), "v1").is_err());
        details.keep(&id, Some(Environment::Test), "v1", generation, &answer);
        assert!(details.get(&id, Some(Environment::Test), "v1").is_ok());

        details.forget(&id);
        assert!(details.get(&id, None, &stamp).is_err());
        details.keep(&id, None, &stamp, generation, &answer);
        assert!(
            details.get(&id, None, &stamp).is_err(),
            "read before the write"
        );

        let generation = details.get(&id, None, &stamp).unwrap_err();
        details.keep(&id, None, &stamp, generation, &answer);
        assert!(details.get(&id, None, &stamp).is_ok());
        seconds.store(1200, Ordering::SeqCst);
        assert!(details.get(&id, None, &stamp).is_err(), "due for an audit");
    }
}
