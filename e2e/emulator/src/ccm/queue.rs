//! Services due for a pass: at once after a change, later after a failure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

/// Namespace and name.
pub(crate) type Key = (String, String);

/// The keys due and how often each failed in a row.
pub(crate) struct Queue {
    due: HashMap<Key, Instant>,
    failures: HashMap<Key, u32>,
    running: HashSet<Key>,
    retry_min: Duration,
    retry_max: Duration,
}

impl Queue {
    pub(crate) fn new(retry_min: Duration, retry_max: Duration) -> Self {
        Self {
            due: HashMap::new(),
            failures: HashMap::new(),
            running: HashSet::new(),
            retry_min,
            retry_max: retry_max.max(retry_min),
        }
    }

    /// Something changed: due at a time, whatever longer wait was on.
    pub(crate) fn add(&mut self, key: Key, at: Instant) {
        let due = self.due.entry(key).or_insert(at);
        *due = at.min(*due);
    }

    /// When the next key that is not under way is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due
            .iter()
            .filter(|(key, _)| !self.running.contains(*key))
            .map(|(_, at)| *at)
            .min()
    }

    /// Takes a key that is due; it counts as under way until [`Queue::done`].
    pub(crate) fn take(&mut self, now: Instant) -> Option<Key> {
        let ready = self
            .due
            .iter()
            .filter(|(key, at)| **at <= now && !self.running.contains(*key));
        let key = ready
            .min_by_key(|(_, at)| **at)
            .map(|(key, _)| key.clone())?;
        self.due.remove(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    /// Ends a pass. After a failure the key comes again, later each time.
    pub(crate) fn done(&mut self, key: Key, succeeded: bool, now: Instant) {
        self.running.remove(&key);
        if succeeded {
            self.failures.remove(&key);
            return;
        }
        let failures = self.failures.entry(key.clone()).or_default();
        let factor = 2_u32.saturating_pow((*failures).min(16));
        *failures += 1;
        let wait = self.retry_min.saturating_mul(factor).min(self.retry_max);
        self.due.entry(key).or_insert(now + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        ("ns".to_owned(), "svc".to_owned())
    }

    #[test]
    fn failures_wait_longer_each_time_and_a_change_does_not_wait() {
        let mut queue = Queue::new(Duration::from_secs(5), Duration::from_secs(12));
        let mut now = Instant::now();
        queue.add(key(), now);
        for wait in [5, 10, 12] {
            assert_eq!(queue.take(now), Some(key()));
            assert_eq!(queue.take(now), None, "one pass at a time");
            queue.done(key(), false, now);
            assert_eq!(queue.next_due(), Some(now + Duration::from_secs(wait)));
            assert_eq!(queue.take(now), None, "not yet");
            now += Duration::from_secs(wait);
        }
        queue.add(key(), now);
        assert_eq!(queue.take(now), Some(key()));
        queue.done(key(), true, now);
        assert_eq!(queue.next_due(), None);
    }
}
