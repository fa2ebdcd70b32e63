//! The rolling audit: what is trusted because its version has not moved is read all the same once
//! in a while, a few objects at a time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::Rng;

/// Drift intervals in which everything is read once.
const INTERVALS: u32 = 36;

/// When each binding is due, by UID.
#[derive(Debug, Default)]
pub struct Audits(Mutex<HashMap<String, Instant>>);

impl Audits {
    /// Whether a binding is due now; if so, it is due again after the whole period. The first time
    /// is drawn, so that a fleet is not read at once after a start.
    pub fn due(&self, uid: &str, drift_interval: Duration, now: Instant) -> bool {
        let period = drift_interval.saturating_mul(INTERVALS);
        let mut audits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match audits.get_mut(uid) {
            Some(at) if *at <= now => {
                *at = now.checked_add(period).unwrap_or(now);
                true
            }
            Some(_) => false,
            None => {
                let first = period.mul_f64(rand::rng().random_range(0.0..1.0));
                let at = now.checked_add(first).unwrap_or(now);
                audits.insert(uid.to_owned(), at);
                false
            }
        }
    }

    /// Forgets a binding that is gone.
    pub fn forget(&self, uid: &str) {
        let mut audits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        audits.remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_due_once_in_a_period_and_not_at_the_start() {
        let audits = Audits::default();
        let interval = Duration::from_secs(600);
        let start = Instant::now();
        assert!(!audits.due("u", interval, start));
        let end = start + interval * INTERVALS;
        assert!(audits.due("u", interval, end));
        assert!(!audits.due("u", interval, end));
        assert!(audits.due("u", interval, end + interval * INTERVALS));
    }
}
