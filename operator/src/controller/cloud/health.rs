//! Whether an account answers. One that does not must not hold up the objects of others, which
//! share the workers with its own.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cloud_adapter::error::ErrorClass;
use cloud_adapter::operations::Product;

/// Attempts in a row without an answer after which no more are made for a while.
const TOLERATED: u32 = 3;
/// The first pause; it doubles.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// The products without which nothing can be done for an object.
const NEEDED: [Product; 2] = [Product::Sts, Product::CloudApi];

/// By product: attempts in a row that failed, and until when no more are made. One product that
/// answers says nothing about another.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<HashMap<Product, State>>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    pause: Option<Instant>,
}

impl Health {
    /// An attempt ended.
    pub(super) fn note(&self, product: Product, outcome: Result<(), ErrorClass>, now: Instant) {
        let mut states = self.lock();
        let state = states.entry(product).or_default();
        if outcome != Err(ErrorClass::Unavailable) {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= TOLERATED {
            let doublings = (state.failures - TOLERATED).min(5);
            state.pause = now.checked_add((FIRST * 2u32.pow(doublings)).min(LONGEST));
        }
    }

    /// How long no attempt is to be made; none: go ahead. Of several who ask when the pause is
    /// over one goes ahead, and the others wait for how it fares.
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        let mut states = self.lock();
        let left = |state: &State| state.pause?.checked_duration_since(now);
        let paused = NEEDED
            .iter()
            .filter_map(|product| left(states.get(product)?))
            .filter(|left| !left.is_zero())
            .max();
        if paused.is_none() {
            for product in NEEDED {
                let state = states.get_mut(&product);
                if let Some(state) = state.filter(|state| state.pause.is_some()) {
                    state.pause = now.checked_add(FIRST);
                }
            }
        }
        paused
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Product, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_some_failures_in_a_row_there_is_a_pause_with_one_probe_after_it() {
        let health = Health::default();
        let start = Instant::now();
        for _ in 0..2 {
            health.note(Product::CloudApi, Err(ErrorClass::Unavailable), start);
        }
        assert_eq!(health.pause(start), None);
        health.note(Product::CloudApi, Err(ErrorClass::Unavailable), start);
        assert!(health.pause(start).is_some());
        let later = start + FIRST;
        assert_eq!(health.pause(later), None, "a probe");
        assert!(health.pause(later).is_some(), "and only one");
        health.note(Product::CloudApi, Ok(()), later);
        assert_eq!(health.pause(later), None);
    }

    #[test]
    fn a_refusal_is_an_answer() {
        let health = Health::default();
        let now = Instant::now();
        for _ in 0..10 {
            health.note(Product::CloudApi, Err(ErrorClass::Throttled), now);
        }
        assert_eq!(health.pause(now), None);
    }

    #[test]
    fn one_product_that_answers_says_nothing_about_another() {
        let health = Health::default();
        let now = Instant::now();
        for _ in 0..3 {
            health.note(Product::CloudApi, Err(ErrorClass::Unavailable), now);
            health.note(Product::Sts, Ok(()), now);
        }
        assert!(health.pause(now).is_some());
        health.note(Product::CloudApi, Ok(()), now);
        for _ in 0..3 {
            health.note(Product::Slb, Err(ErrorClass::Unavailable), now);
        }
        assert_eq!(health.pause(now), None, "all else can still be done");
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let health = Health::default();
        let now = Instant::now();
        for _ in 0..50 {
            health.note(Product::CloudApi, Err(ErrorClass::Unavailable), now);
        }
        assert_eq!(health.pause(now), Some(LONGEST));
    }
}
