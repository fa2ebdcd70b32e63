//! When credentials in the cloud were last compared. Reading them costs a call for each consumer
//! and account, so it is done when something moved, and now and then all the same. And which
//! credentials were not found there when they were looked for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::core::consumer::claims::AppKey;
use crate::core::consumer::credentials::{Gap, Slot};

/// A comparison is good for this many drift intervals.
const INTERVALS: u32 = 6;

/// It holds versions of Secrets, never what is in them.
#[derive(Debug, Default)]
pub(super) struct Audits {
    compared: Mutex<Compared>,
    missed: Mutex<Missed>,
}

/// By UID of the consumer and app: what the comparison was made for, and when.
type Compared = HashMap<(String, AppKey), (String, Instant)>;
/// By UID of the consumer and credential: when it was not found for the first time.
type Missed = HashMap<(String, Slot), Instant>;

impl Audits {
    /// Whether credentials are to be compared again. `of` is all that they depend on.
    pub(super) fn due(&self, uid: &str, app: &AppKey, of: &str, interval: Duration) -> bool {
        let audits = self.lock();
        let last = audits.get(&(uid.to_owned(), app.clone()));
        last.is_none_or(|(known, at)| known != of || at.elapsed() >= interval * INTERVALS)
    }

    /// They agree.
    pub(super) fn done(&self, uid: &str, app: &AppKey, of: &str) {
        let entry = (of.to_owned(), Instant::now());
        self.lock().insert((uid.to_owned(), app.clone()), entry);
    }

    /// A comparison no longer counts.
    pub(super) fn forget(&self, uid: &str, app: &AppKey) {
        self.lock().remove(&(uid.to_owned(), app.clone()));
    }

    /// A consumer is gone.
    pub(super) fn forget_all(&self, uid: &str) {
        self.lock().retain(|(of, _), _| of != uid);
        self.missed().retain(|(of, _), _| of != uid);
    }

    /// A credential that is to be in the cloud was not found there.
    pub(super) fn miss(&self, uid: &str, slot: &Slot) {
        let place = (uid.to_owned(), slot.clone());
        self.missed().entry(place).or_insert_with(Instant::now);
    }

    /// Whether a credential was not found either when it was looked for at least so long ago.
    pub(super) fn was_missed(&self, uid: &str, slot: &Slot, ago: Duration) -> bool {
        let missed = self.missed();
        let at = missed.get(&(uid.to_owned(), slot.clone()));
        at.is_some_and(|at| at.elapsed() >= ago)
    }

    /// Only what a Secret still lacks is missed.
    pub(super) fn keep_missed(&self, uid: &str, gaps: &[Gap]) {
        let lacks = |slot: &Slot| gaps.iter().any(|gap| gap.slot == *slot);
        self.missed()
            .retain(|(of, slot), _| of != uid || lacks(slot));
    }

    fn lock(&self) -> MutexGuard<'_, Compared> {
        self.compared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missed(&self) -> MutexGuard<'_, Missed> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::consumer::claims::Location;
    use crds::v1alpha1::CredentialKind;

    #[test]
    fn a_comparison_counts_until_something_moves_or_it_is_old() {
        let audits = Audits::default();
        let app = AppKey {
            location: Location {
                account: "1".into(),
                region: "r".into(),
            },
            name: "acme".into(),
        };
        let long = Duration::from_secs(600);
        assert!(audits.due("u", &app, "a", long));
        audits.done("u", &app, "a");
        assert!(!audits.due("u", &app, "a", long));
        assert!(audits.due("u", &app, "b", long));
        assert!(audits.due("other", &app, "a", long));
        assert!(audits.due("u", &app, "a", Duration::ZERO));
        audits.forget("u", &app);
        assert!(audits.due("u", &app, "a", long));
        audits.done("u", &app, "a");
        audits.forget_all("u");
        assert!(audits.due("u", &app, "a", long));
    }

    #[test]
    fn a_credential_is_missed_for_a_while_and_until_its_secret_has_it() {
        let audits = Audits::default();
        let slot = Slot {
            credential: "first".into(),
            kind: CredentialKind::APIKey,
        };
        let missed = |ago| audits.was_missed("u", &slot, ago);
        assert!(!missed(Duration::ZERO));
        audits.miss("u", &slot);
        assert!(missed(Duration::ZERO));
        assert!(!missed(Duration::from_secs(600)));
        let gap = Gap {
            slot: slot.clone(),
            secret: "s".into(),
            key_id: None,
            key_secret: None,
        };
        audits.keep_missed("u", &[gap]);
        audits.keep_missed("other", &[]);
        assert!(missed(Duration::ZERO));
        audits.keep_missed("u", &[]);
        assert!(!missed(Duration::ZERO));
    }
}
