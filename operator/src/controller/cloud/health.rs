//! Whether an account answers. One that does not must not hold up the objects of others, which
//! share the workers with its own.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cloud_adapter::error::ErrorClass;

/// Attempts in a row without an answer after which no more are made for a while.
const TOLERATED: u32 = 3;
/// The first pause; it doubles.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// Attempts in a row that failed, and until when no more are made.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    pause: Option<Instant>,
}

impl Health {
    /// An attempt ended.
    pub(super) fn note(&self, outcome: Result<(), ErrorClass>, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = state.pause?;
        match until
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
        {
            Some(left) => Some(left),
            None => {
                state.pause = now.checked_add(FIRST);
                None
            }
        }
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
            health.note(Err(ErrorClass::Unavailable), start);
        }
        assert_eq!(health.pause(start), None);
        health.note(Err(ErrorClass::Unavailable), start);
        assert!(health.pause(start).is_some());
        let later = start + FIRST;
        assert_eq!(health.pause(later), None, "a probe");
        assert!(health.pause(later).is_some(), "and only one");
        health.note(Ok(()), later);
        assert_eq!(health.pause(later), None);
    }

    #[test]
    fn a_refusal_is_an_answer() {
        let health = Health::default();
        let now = Instant::now();
        for _ in 0..10 {
            health.note(Err(ErrorClass::Throttled), now);
        }
        assert_eq!(health.pause(now), None);
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let health = Health::default();
        let now = Instant::now();
        for _ in 0..50 {
            health.note(Err(ErrorClass::Unavailable), now);
        }
        assert_eq!(health.pause(now), Some(LONGEST));
    }
}
