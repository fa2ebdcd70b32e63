//! A cap on the number of distinct values of a label.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What stands for all values beyond the cap.
const OTHER: &str = "other";

/// Admits the first few distinct values it sees; any further one becomes `other`.
#[derive(Debug)]
pub(super) struct Bounded {
    limit: usize,
    seen: Mutex<BTreeSet<String>>,
}

impl Bounded {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            seen: Mutex::default(),
        }
    }

    pub(super) fn admit<'a>(&self, value: &'a str) -> &'a str {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(value) {
            return value;
        }
        if seen.len() >= self.limit {
            return OTHER;
        }
        seen.insert(value.to_owned());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_stay_and_new_ones_are_lumped_together() {
        let bounded = Bounded::new(2);
        assert_eq!(bounded.admit("ok"), "ok");
        assert_eq!(bounded.admit("throttled"), "throttled");
        assert_eq!(bounded.admit("surprise"), "other");
        assert_eq!(bounded.admit("ok"), "ok");
    }
}
