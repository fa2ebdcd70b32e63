//! What the traffic path remembers between requests without persisting it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::cloudapi::DailyCount;

/// Counters, nonces and turns of the traffic path.
#[derive(Debug, Default)]
pub struct Runtime(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// Calls in the current window, by limit.
    windows: HashMap<String, Window>,
    /// Nonces and when they were used, in seconds.
    nonces: HashMap<String, i64>,
    /// Calls of a public test domain today, by group.
    days: HashMap<String, DailyCount>,
    /// Whose turn it is, by server group.
    turns: HashMap<String, usize>,
    /// How far each of several is ahead of its share, by what chooses among them.
    shares: HashMap<String, Vec<Share>>,
}

/// One of several that take turns by weight.
#[derive(Debug, Clone)]
struct Share {
    name: String,
    weight: u32,
    credit: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    start: i64,
    count: i64,
}

/// A limit on calls in windows of fixed length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limit {
    /// What is counted.
    pub(super) key: String,
    /// Length of the window in seconds.
    pub(super) seconds: i64,
    /// Calls that are let through.
    pub(super) most: i64,
    /// The word for it in a refusal.
    pub(super) what: &'static str,
}

/// How long a nonce is remembered, in seconds.
const NONCE_MEMORY: i64 = 15 * 60;

impl Runtime {
    /// Counts one call against all limits, or none of them if one is used up: that one is returned.
    pub(super) fn take<'a>(&self, limits: &'a [Limit], now: Timestamp) -> Result<(), &'a Limit> {
        let mut memory = self.memory();
        let second = now.as_second();
        let window = |memory: &Memory, limit: &Limit| {
            let start = second - second.rem_euclid(limit.seconds.max(1));
            memory
                .windows
                .get(&limit.key)
                .filter(|window| window.start == start)
                .copied()
                .unwrap_or(Window { start, count: 0 })
        };
        if let Some(full) = limits
            .iter()
            .find(|limit| window(&memory, limit).count >= limit.most)
        {
            return Err(full);
        }
        for limit in limits {
            let mut current = window(&memory, limit);
            current.count += 1;
            memory.windows.insert(limit.key.clone(), current);
        }
        Ok(())
    }

    /// Remembers a nonce; false if it was used a short while ago.
    pub(super) fn first_use(&self, nonce: &str, now: Timestamp) -> bool {
        let mut memory = self.memory();
        let second = now.as_second();
        memory
            .nonces
            .retain(|_, used| second - *used <= NONCE_MEMORY);
        memory.nonces.insert(nonce.to_owned(), second).is_none()
    }

    /// Counts a call of the public test domain of a group; how many there were today.
    pub(super) fn test_domain_call(&self, group_id: &str, now: Timestamp) -> u32 {
        self.memory()
            .days
            .entry(group_id.to_owned())
            .or_default()
            .add(now)
    }

    /// A number that grows by one with each call for the same server group.
    pub(super) fn turn(&self, server_group_id: &str) -> usize {
        let mut memory = self.memory();
        let turn = memory.turns.entry(server_group_id.to_owned()).or_default();
        let current = *turn;
        *turn = current.wrapping_add(1);
        current
    }

    /// Whose turn it is among several of different weight, by their place; `None` if none has any.
    /// Each gets its exact share of as many turns in a row as the weights add up to.
    pub(super) fn weighted_turn(&self, key: &str, shares: &[(&str, u32)]) -> Option<usize> {
        let total: i64 = shares.iter().map(|(_, weight)| i64::from(*weight)).sum();
        if total == 0 {
            return None;
        }
        let mut memory = self.memory();
        let known = memory.shares.entry(key.to_owned()).or_default();
        let same = known.len() == shares.len()
            && known
                .iter()
                .zip(shares)
                .all(|(share, (name, weight))| share.name == *name && share.weight == *weight);
        if !same {
            *known = shares
                .iter()
                .map(|(name, weight)| Share {
                    name: (*name).to_owned(),
                    weight: *weight,
                    credit: 0,
                })
                .collect();
        }
        for share in known.iter_mut() {
            share.credit += i64::from(share.weight);
        }
        // Of equal credits the first one wins.
        let (place, chosen) = known
            .iter_mut()
            .enumerate()
            .max_by_key(|(place, share)| (share.credit, std::cmp::Reverse(*place)))?;
        chosen.credit -= total;
        Some(place)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_fixed_and_a_refusal_counts_nowhere() {
        let runtime = Runtime::default();
        let limit = |key: &str, most| Limit {
            key: key.to_owned(),
            seconds: 60,
            most,
            what: "API",
        };
        let both = [limit("api", 2), limit("app", 1)];
        let now: Timestamp = "2026-11-20T00:00:30Z".parse().unwrap();
        assert!(runtime.take(&both, now).is_ok());
        assert_eq!(runtime.take(&both, now).unwrap_err().key, "app");
        assert!(runtime.take(&both[..1], now).is_ok());
        assert_eq!(runtime.take(&both[..1], now).unwrap_err().key, "api");
        let next: Timestamp = "2026-11-20T00:01:00Z".parse().unwrap();
        assert!(runtime.take(&both, next).is_ok());
    }

    #[test]
    fn turns_follow_the_weights_exactly_and_start_anew_when_those_change() {
        let runtime = Runtime::default();
        let count = |shares: &[(&str, u32)], turns: usize| {
            let mut counts = vec![0; shares.len()];
            for _ in 0..turns {
                counts[runtime.weighted_turn("rule", shares).unwrap()] += 1;
            }
            counts
        };
        assert_eq!(count(&[("a", 90), ("b", 10), ("c", 0)], 200), [180, 20, 0]);
        assert_eq!(count(&[("a", 50), ("b", 50)], 11), [6, 5]);
        assert_eq!(count(&[("a", 0), ("b", 1)], 3), [0, 3]);
        assert_eq!(runtime.weighted_turn("rule", &[("a", 0)]), None);
    }

    #[test]
    fn nonces_are_forgotten_after_a_while() {
        let runtime = Runtime::default();
        let now: Timestamp = "2026-11-20T00:00:00Z".parse().unwrap();
        assert!(runtime.first_use("n", now));
        assert!(!runtime.first_use("n", now));
        assert!(runtime.first_use("n", now + jiff::SignedDuration::from_mins(16)));
    }
}
