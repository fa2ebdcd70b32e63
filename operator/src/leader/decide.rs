//! What to do about the lease: a pure function of the record on the API server, the local clock
//! and what this process remembers.
//!
//! Wall clocks are written into the record for people to read and are never compared. How long a
//! peer has been idle is measured on the local clock, from when its record was last seen to
//! change, so that skewed clocks cannot make two leaders.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// The parts of a `coordination.k8s.io/v1` Lease that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Who holds the lease; `None` if it was released.
    pub(super) holder: Option<String>,
    /// When the present holder's term began, by the holder's clock.
    pub(super) acquired: Option<Timestamp>,
    /// When the holder last renewed it, by the holder's clock.
    pub(super) renewed: Option<Timestamp>,
    /// How long the holder may be silent before others may take over; `None` if not stated.
    pub(super) duration: Option<Duration>,
    /// How often the lease has changed hands.
    pub(super) transitions: i32,
}

/// What this process remembers between two looks at the lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// The record as last seen, and when it was first seen like that.
    pub(super) seen: Option<(Record, Instant)>,
    /// Beginning of our own term, from the moment we first try to write it. It tells our record
    /// from that of another process which uses the same identity.
    pub(super) term: Option<Timestamp>,
    /// Whether a write of ours that began the term is known to have succeeded.
    pub(super) leading: bool,
}

/// What the elector has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// There is no lease: create it.
    Create,
    /// Write ourselves into the record, with one more transition if it changes hands.
    Acquire(Claim),
    /// Keep it, by moving the renew time.
    Renew,
    /// Somebody else holds it: look again after the poll interval, or sooner if this is shorter.
    Wait(Duration),
    /// We lead no longer: stop writing.
    StepDown(Usurper),
}

/// What entitles us to take the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody holds it.
    Released,
    /// It carries our identity, from before a restart.
    OwnBefore,
    /// Its holder has been silent for longer than it promised.
    Expired,
}

/// Who leads instead of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Usurper {
    /// A holder with another identity.
    Other(String),
    /// Another process that was given our identity.
    Namesake,
}

/// Notes what was read: a record that differs from the last one starts the idle clock again.
pub(super) fn observe(record: Option<&Record>, now: Instant, memory: &mut Memory) {
    match (record, &memory.seen) {
        (Some(record), Some((seen, _))) if seen == record => {}
        (Some(record), _) => memory.seen = Some((record.clone(), now)),
        (None, _) => memory.seen = None,
    }
}

/// Decides on the record last given to [`observe`]. `default_duration` stands in where the
/// record does not say how long its holder may be silent.
#[must_use]
pub(super) fn decide(
    identity: &str,
    default_duration: Duration,
    now: Instant,
    memory: &Memory,
) -> Action {
    let Some((record, since)) = &memory.seen else {
        return Action::Create;
    };
    let Some(holder) = record.holder.as_deref().filter(|holder| !holder.is_empty()) else {
        return Action::Acquire(Claim::Released);
    };
    let ours = memory.term.is_some() && record.acquired == memory.term;
    match (holder == identity, memory.leading) {
        (true, _) if ours => Action::Renew,
        (true, true) => Action::StepDown(Usurper::Namesake),
        (true, false) => Action::Acquire(Claim::OwnBefore),
        (false, true) => Action::StepDown(Usurper::Other(holder.to_owned())),
        (false, false) => {
            let duration = record.duration.unwrap_or(default_duration);
            match duration.checked_sub(now.saturating_duration_since(*since)) {
                Some(left) if !left.is_zero() => Action::Wait(left),
                _ => Action::Acquire(Claim::Expired),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(15);

    fn record(holder: &str, acquired: i64, renewed: i64) -> Record {
        Record {
            holder: Some(holder.into()),
            acquired: Some(Timestamp::from_second(acquired).unwrap()),
            renewed: Some(Timestamp::from_second(renewed).unwrap()),
            duration: Some(DURATION),
            transitions: 3,
        }
    }

    /// Remembers a term that began at 100, and `record` as seen `idle` seconds before `now`.
    fn memory(record: Option<Record>, idle: u64, leading: bool, now: Instant) -> Memory {
        Memory {
            seen: record.map(|record| (record, now - Duration::from_secs(idle))),
            term: leading.then(|| Timestamp::from_second(100).unwrap()),
            leading,
        }
    }

    #[test]
    fn each_situation_has_its_action() {
        let base = Instant::now() + Duration::from_secs(1_000);
        let released = Record {
            holder: None,
            ..record("b", 50, 60)
        };
        let emptied = Record {
            holder: Some(String::new()),
            ..record("b", 50, 60)
        };
        let unstated = Record {
            duration: None,
            ..record("b", 50, 60)
        };
        let long = Record {
            duration: Some(DURATION * 4),
            ..record("b", 50, 60)
        };
        let other = || Action::StepDown(Usurper::Other("b".into()));
        let wait = |seconds| Action::Wait(Duration::from_secs(seconds));
        let table = [
            ("no lease", None, 0, false, Action::Create),
            ("lease deleted while leading", None, 0, true, Action::Create),
            (
                "released",
                Some(released.clone()),
                0,
                false,
                Action::Acquire(Claim::Released),
            ),
            (
                "emptied",
                Some(emptied),
                0,
                false,
                Action::Acquire(Claim::Released),
            ),
            (
                "released while leading",
                Some(released),
                0,
                true,
                Action::Acquire(Claim::Released),
            ),
            (
                "own, after a restart",
                Some(record("a", 50, 60)),
                0,
                false,
                Action::Acquire(Claim::OwnBefore),
            ),
            (
                "own term",
                Some(record("a", 100, 160)),
                900,
                true,
                Action::Renew,
            ),
            (
                "namesake took over",
                Some(record("a", 150, 160)),
                0,
                true,
                Action::StepDown(Usurper::Namesake),
            ),
            (
                "other, fresh",
                Some(record("b", 50, 60)),
                0,
                false,
                wait(15),
            ),
            (
                "other, almost idle",
                Some(record("b", 50, 60)),
                14,
                false,
                wait(1),
            ),
            (
                "other, idle",
                Some(record("b", 50, 60)),
                15,
                false,
                Action::Acquire(Claim::Expired),
            ),
            (
                "other, long idle",
                Some(record("b", 50, 60)),
                999,
                false,
                Action::Acquire(Claim::Expired),
            ),
            (
                "other, duration unstated",
                Some(unstated.clone()),
                10,
                false,
                wait(5),
            ),
            (
                "other, unstated and idle",
                Some(unstated),
                15,
                false,
                Action::Acquire(Claim::Expired),
            ),
            (
                "other, promised less often",
                Some(long),
                20,
                false,
                wait(40),
            ),
            (
                "other took over",
                Some(record("b", 150, 160)),
                0,
                true,
                other(),
            ),
            (
                "other took over, idle since",
                Some(record("b", 150, 160)),
                999,
                true,
                other(),
            ),
        ];
        for (case, record, idle, leading, expected) in table {
            let memory = memory(record, idle, leading, base);
            assert_eq!(decide("a", DURATION, base, &memory), expected, "{case}");
        }
    }

    #[test]
    fn a_first_write_without_an_answer_is_recognised_when_it_turns_out_to_have_happened() {
        let now = Instant::now();
        let mut memory = memory(Some(record("a", 100, 100)), 0, true, now);
        memory.leading = false;
        assert_eq!(decide("a", DURATION, now, &memory), Action::Renew);
    }

    #[test]
    fn idleness_counts_from_when_the_record_was_seen_to_change_whatever_its_times_say() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut memory = Memory::default();
        // A peer whose clock is years behind renews until second 10 and then dies.
        for (second, renewed) in [(0, 1), (5, 2), (10, 3), (15, 3), (20, 3), (24, 3)] {
            observe(Some(&record("b", 1, renewed)), at(second), &mut memory);
            let action = decide("a", DURATION, at(second), &memory);
            assert!(
                matches!(action, Action::Wait(_)),
                "second {second}: {action:?}"
            );
        }
        observe(Some(&record("b", 1, 3)), at(25), &mut memory);
        let action = decide("a", DURATION, at(25), &memory);
        assert_eq!(action, Action::Acquire(Claim::Expired));
    }

    #[test]
    fn a_lease_that_vanishes_and_returns_starts_the_idle_clock_again() {
        let start = Instant::now();
        let mut memory = Memory::default();
        observe(Some(&record("b", 1, 1)), start, &mut memory);
        observe(None, start + DURATION, &mut memory);
        assert_eq!(
            decide("a", DURATION, start + DURATION, &memory),
            Action::Create
        );
        observe(Some(&record("b", 1, 1)), start + DURATION, &mut memory);
        let action = decide("a", DURATION, start + DURATION, &memory);
        assert_eq!(action, Action::Wait(DURATION));
    }
}
