//! Definitions that were read before: a list entry that did not move needs no further call.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::Clock;
use crate::gateway::model::{ApiId, ApiSpec, Environment};

/// The cloud writes times in seconds: an edit in the second of our own read would not show, so a
/// definition counts as settled only this long after its last change.
const SETTLE: SignedDuration = SignedDuration::from_secs(2);

/// A definition, and which one it is. Not the whole answer of the cloud, which is several times as
/// large.
#[derive(Clone, Debug)]
struct Known {
    /// `ModifiedTime` of the draft, `EffectiveVersion` of what runs.
    stamp: String,
    read: Timestamp,
    spec: Arc<ApiSpec>,
}

#[derive(Debug, Default)]
struct Entry {
    draft: Option<Known>,
    /// What runs, as it was read together with the draft: what that says is part of it.
    deployed: BTreeMap<Environment, Known>,
    /// Whether the API had a mark of ours: what runs is told differently then.
    ours: bool,
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

impl Details {
    pub(super) fn new(clock: Clock, audit: Duration) -> Self {
        Self {
            clock,
            audit: SignedDuration::try_from(audit).unwrap_or(SignedDuration::MAX),
            entries: Mutex::default(),
        }
    }

    /// The draft of this `ModifiedTime`, unless it has to be read again.
    pub(super) fn draft(&self, id: &ApiId, modified: &str) -> Option<Arc<ApiSpec>> {
        let entries = self.lock();
        let known = entries.get(id)?.draft.as_ref()?;
        // A time is written in seconds.
        let settled = |modified: Timestamp| known.read.duration_since(modified) >= SETTLE;
        let settled = known.stamp.parse().is_ok_and(settled);
        (settled && known.stamp == modified && self.is_recent(id, known))
            .then(|| known.spec.clone())
    }

    /// What runs in this version, unless it has to be read again.
    pub(super) fn deployed(
        &self,
        id: &ApiId,
        environment: Environment,
        version: &str,
        ours: bool,
    ) -> Option<Arc<ApiSpec>> {
        let entries = self.lock();
        let entry = entries.get(id).filter(|entry| entry.ours == ours)?;
        // A version is a new one for each deployment.
        let known = entry.deployed.get(&environment)?;
        (known.stamp == version && self.is_recent(id, known)).then(|| known.spec.clone())
    }

    /// What to hand to `keep_draft` and `keep_deployed` after reading an API.
    pub(super) fn generation(&self, id: &ApiId) -> u64 {
        self.lock().get(id).map_or(0, |entry| entry.generation)
    }

    fn is_recent(&self, id: &ApiId, known: &Known) -> bool {
        (self.clock)().duration_since(known.read) < self.audit_of(id)
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

    /// Remembers a draft that was read, unless the API was changed meanwhile.
    pub(super) fn keep_draft(
        &self,
        id: &ApiId,
        modified: &str,
        ours: bool,
        generation: u64,
        spec: &Arc<ApiSpec>,
    ) {
        self.keep(id, generation, modified, spec, |entry, known| {
            entry.deployed.clear();
            entry.ours = ours;
            entry.draft = Some(known);
        });
    }

    /// Remembers what runs, read after the draft.
    pub(super) fn keep_deployed(
        &self,
        id: &ApiId,
        environment: Environment,
        version: &str,
        generation: u64,
        spec: &Arc<ApiSpec>,
    ) {
        self.keep(id, generation, version, spec, |entry, known| {
            entry.deployed.insert(environment, known);
        });
    }

    fn keep(
        &self,
        id: &ApiId,
        generation: u64,
        stamp: &str,
        spec: &Arc<ApiSpec>,
        put: impl FnOnce(&mut Entry, Known),
    ) {
        let known = Known {
            stamp: stamp.to_owned(),
            read: (self.clock)(),
            spec: spec.clone(),
        };
        let mut entries = self.lock();
        let entry = entries.entry(id.clone()).or_default();
        if entry.generation == generation {
            put(entry, known);
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

    use super::super::api_answer::ApiAnswer;
    use super::super::api_parse;
    use super::*;

    #[test]
    fn an_entry_is_used_until_something_moves() {
        let seconds = Arc::new(AtomicI64::new(100));
        let time = seconds.clone();
        let clock: Clock =
            Arc::new(move || Timestamp::from_second(time.load(Ordering::SeqCst)).unwrap());
        let details = Details::new(clock, Duration::from_secs(1000));
        let id = ApiId::from("a1");
        let spec = Arc::new(api_parse::draft(&ApiAnswer::default()));
        let stamp = Timestamp::from_second(99).unwrap().to_string();
        let keep = |generation| details.keep_draft(&id, &stamp, true, generation, &spec);
        let known = || details.draft(&id, &stamp).is_some();

        keep(details.generation(&id));
        assert!(!known(), "read within the second of the change");
        seconds.store(102, Ordering::SeqCst);
        keep(details.generation(&id));
        assert!(known());
        assert!(details.draft(&id, "another").is_none());

        let test = Environment::Test;
        let runs = |version, ours| details.deployed(&id, test, version, ours).is_some();
        assert!(!runs("v1", true));
        details.keep_deployed(&id, test, "v1", details.generation(&id), &spec);
        assert!(runs("v1", true));
        assert!(!runs("v1", false), "its mark is gone");
        assert!(!runs("v2", true));
        keep(details.generation(&id));
        assert!(!runs("v1", true), "read with another draft");

        let before = details.generation(&id);
        details.forget(&id);
        assert!(!known());
        keep(before);
        assert!(!known(), "read before the write");
        keep(details.generation(&id));
        assert!(known());
        seconds.store(1200, Ordering::SeqCst);
        assert!(!known(), "due for an audit");
    }
}
