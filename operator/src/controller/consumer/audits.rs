//! When credentials in the cloud were last compared. Reading them costs a call for each consumer
//! and account, so it is done when something moved, and now and then all the same.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::core::consumer::claims::AppKey;

/// A comparison is good for this many drift intervals.
const INTERVALS: u32 = 6;

/// By UID of the consumer and app: what the comparison was made for, and when. It holds versions
/// of Secrets, never what is in them.
#[derive(Debug, Default)]
pub(super) struct Audits(Mutex<HashMap<(String, AppKey), (String, Instant)>>);

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
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, AppKey), (String, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::consumer::claims::Location;

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
}
