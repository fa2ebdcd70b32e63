//! Fields that do not keep what is written to them. Writing one again and again helps nobody: after
//! a few tries it is left as it is and told.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::core::names;
use crate::core::plan::{Action, Step};

/// The same change of the same object is made so often.
const MOST: u32 = 3;

/// Changes that were made, by object.
#[derive(Debug, Default)]
pub struct Tries(Mutex<HashMap<Place, Try>>);

/// UID of who changes, and the key of what. A resync is counted for its Service, whoever writes it.
type Place = (String, String);

/// Different changes of one object that are counted at a time.
const DIFFERENT: usize = 8;

#[derive(Debug)]
struct Try {
    /// How often each change (fields, what they were and what was written) was made. Two that take
    /// turns would otherwise go on for ever.
    changes: BTreeMap<String, u32>,
    /// The last resync, which several bindings that share a Service write at the same time.
    resync: Option<String>,
    at: Instant,
}

impl Tries {
    /// Whether a change of an object was made so often that it is not made again.
    pub fn exhausted(&self, uid: &str, key: &str, change: &str) -> bool {
        let tries = self.lock();
        let made = tries.get(&(uid.to_owned(), key.to_owned()));
        made.and_then(|made| made.changes.get(change))
            .is_some_and(|count| *count >= MOST)
    }

    /// A change was made.
    pub fn made(&self, uid: &str, key: &str, change: String, at: Instant) {
        let mut tries = self.lock();
        let key = (uid.to_owned(), key.to_owned());
        let made = tries.entry(key).or_insert_with(|| Try {
            changes: BTreeMap::new(),
            resync: None,
            at,
        });
        made.at = at;
        if made.changes.len() >= DIFFERENT && !made.changes.contains_key(&change) {
            made.changes.clear();
        }
        let count = made.changes.entry(change).or_default();
        *count = count.saturating_add(1);
    }

    /// Whether a step of a plan was taken so often that it is not taken again.
    pub fn step_exhausted(&self, uid: &str, step: &Step) -> bool {
        self.exhausted(uid, &step.key.to_string(), &change(step))
    }

    /// A step of a plan was taken.
    pub fn step_made(&self, uid: &str, step: &Step, now: Instant) {
        if step.operation.action() != Action::Update {
            return;
        }
        let key = step.key.to_string();
        let resync = step.operation.resync();
        if resync.is_some() && resync == self.last_resync(uid, &key).as_deref() {
            return;
        }
        self.made(uid, &key, change(step), now);
        if let Some(made) = self.lock().get_mut(&(uid.to_owned(), key)) {
            made.resync = resync.map(str::to_owned);
        }
    }

    fn last_resync(&self, uid: &str, key: &str) -> Option<String> {
        let tries = self.lock();
        tries.get(&(uid.to_owned(), key.to_owned()))?.resync.clone()
    }

    /// Nothing is to be changed about these objects of `uid`. What was written longer ago than
    /// `fresh` has kept its value since, as far as lists tell.
    pub fn kept<K: ToString>(
        &self,
        uid: &str,
        keys: impl Iterator<Item = K>,
        fresh: Duration,
        now: Instant,
    ) {
        let mut tries = self.lock();
        if tries.is_empty() {
            return;
        }
        for key in keys {
            let key = (uid.to_owned(), key.to_string());
            let old = |made: &Try| now.saturating_duration_since(made.at) >= fresh;
            if tries.get(&key).is_some_and(old) {
                tries.remove(&key);
            }
        }
    }

    /// Forgets a binding that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().retain(|(of, _), _| of != uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Place, Try>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn change(step: &Step) -> String {
    names::digest(&step.changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::diff::FieldChange;
    use crate::core::key::ObjectKey;
    use crate::core::plan::Operation;
    use cloud_adapter::gateway::model::GroupSpec;
    use serde_json::json;

    fn step(seen: &str) -> Step {
        Step {
            key: ObjectKey::Group { name: "g".into() },
            operation: Operation::UpdateGroup(GroupSpec {
                name: "g".into(),
                description: "d".into(),
                instance: None,
                test_domain: false,
                pass_host: false,
            }),
            changes: vec![FieldChange {
                path: "description".into(),
                from: Some(json!(seen)),
                to: Some(json!("d")),
            }],
        }
    }

    #[test]
    fn each_change_is_made_three_times_also_if_two_take_turns() {
        let tries = Tries::default();
        let now = Instant::now();
        for _ in 0..MOST {
            assert!(!tries.step_exhausted("u", &step("x")));
            tries.step_made("u", &step("x"), now);
        }
        assert!(tries.step_exhausted("u", &step("x")));
        assert!(!tries.step_exhausted("other", &step("x")));
        assert!(
            !tries.step_exhausted("u", &step("y")),
            "somebody changed it since"
        );
        for _ in 0..MOST {
            assert!(!tries.step_exhausted("u", &step("y")));
            tries.step_made("u", &step("y"), now);
            assert!(tries.step_exhausted("u", &step("x")));
        }
        assert!(tries.step_exhausted("u", &step("y")));
    }

    #[test]
    fn a_resync_that_several_bindings_write_counts_once() {
        let resync = |value: &str| Step {
            key: ObjectKey::Service {
                namespace: "n".into(),
                name: "s".into(),
            },
            operation: Operation::ApplyService {
                shape: None,
                annotations: [(crds::keys::RESYNC.to_owned(), value.to_owned())].into(),
                takeover: false,
            },
            changes: step("x").changes,
        };
        let tries = Tries::default();
        for value in ["1", "2", "3"] {
            assert!(!tries.step_exhausted("service", &resync(value)));
            for _ in 0..10 {
                tries.step_made("service", &resync(value), Instant::now());
            }
        }
        assert!(tries.step_exhausted("service", &resync("4")));
    }

    #[test]
    fn of_many_different_changes_not_all_are_remembered() {
        let tries = Tries::default();
        for number in 0..100 {
            tries.step_made("u", &step(&number.to_string()), Instant::now());
        }
        let tries = tries.lock();
        let most = tries.values().map(|made| made.changes.len()).max();
        assert!(most.is_some_and(|most| most <= DIFFERENT), "{most:?}");
    }

    #[test]
    fn what_keeps_its_value_is_forgotten() {
        let tries = Tries::default();
        let now = Instant::now();
        for _ in 0..MOST {
            tries.step_made("u", &step("x"), now);
        }
        let fresh = Duration::from_secs(600);
        let keys = [step("x").key];
        tries.kept("u", keys.iter(), fresh, now);
        assert!(
            tries.step_exhausted("u", &step("x")),
            "a list may not show it yet"
        );
        tries.kept("u", keys.iter(), fresh, now + fresh);
        assert!(!tries.step_exhausted("u", &step("x")));
    }
}
