//! The pace of writes: that of the ALB Ingress controller.
//!
//! One pass of the controller over an AlbConfig takes seconds, and reads what all its Ingresses are
//! when it begins. A change of an Ingress that comes before the last one was dealt with would only make
//! one more pass necessary, and what it replaces would never be served. So it is kept back until the
//! controller has dealt with the last one, and only the newest is written. A first change is never kept
//! back, and none for longer than [`LONGEST`]: what keeps the controller from going on may be the very
//! thing that the change puts right.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::seats::Name;

/// The longest that a change is kept back. Most passes of the controller take 2 to 7 seconds.
pub const LONGEST: Duration = Duration::from_secs(8);

/// When Ingresses were written. Nothing is known of those that another process wrote.
#[derive(Debug, Default)]
pub struct Pace(HashMap<Name, Instant>);

impl Pace {
    /// An Ingress was written.
    pub fn wrote(&mut self, name: Name, now: Instant) {
        self.0.insert(name, now);
    }

    /// An Ingress is gone.
    pub fn gone(&mut self, name: &Name) {
        self.0.remove(name);
    }

    /// How much longer a change of an Ingress is kept back; none: it is written now. `outstanding` says
    /// whether the controller still has to deal with the last one.
    pub fn hold(&self, name: &Name, outstanding: bool, now: Instant) -> Option<Duration> {
        let written = self.0.get(name).filter(|_| outstanding)?;
        let left = LONGEST.checked_sub(now.saturating_duration_since(*written))?;
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Name {
        ("gray".to_owned(), name.to_owned())
    }

    /// Writes of one Ingress whose content changes at each of these milliseconds, with a controller
    /// whose pass begins with a write and takes so long.
    fn writes(changes: &[u64], pass: u64) -> Vec<u64> {
        let start = Instant::now();
        let at = |millisecond: u64| start + Duration::from_millis(millisecond);
        let (mut pace, mut written) = (Pace::default(), Vec::new());
        let (mut wanted, mut dealt_with) = (false, 0);
        for now in 0..60_000 {
            wanted |= changes.contains(&now);
            let outstanding = now < dealt_with;
            if wanted && pace.hold(&name("hello"), outstanding, at(now)).is_none() {
                pace.wrote(name("hello"), at(now));
                written.push(now);
                wanted = false;
                dealt_with = now + pass;
            }
        }
        written
    }

    #[test]
    fn a_burst_is_written_once_at_its_beginning_and_once_as_it_ended() {
        let burst: Vec<u64> = (0..20).map(|change| 100 * change).collect();
        assert_eq!(writes(&burst, 3000), [0, 3000]);
    }

    #[test]
    fn changes_that_the_controller_keeps_up_with_are_written_at_once() {
        assert_eq!(writes(&[0, 3000, 9000], 2500), [0, 3000, 9000]);
    }

    #[test]
    fn a_controller_that_stands_still_holds_nothing_up_for_long() {
        let longest = u64::try_from(LONGEST.as_millis()).unwrap();
        assert_eq!(writes(&[0, 10, 20], 1_000_000), [0, longest]);
    }

    #[test]
    fn ingresses_do_not_wait_for_each_other_nor_for_what_another_process_wrote() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.wrote(name("hello"), now);
        assert_eq!(pace.hold(&name("hello"), true, now), Some(LONGEST));
        assert_eq!(pace.hold(&name("other"), true, now), None);
        pace.gone(&name("hello"));
        assert_eq!(pace.hold(&name("hello"), true, now), None);
    }
}
