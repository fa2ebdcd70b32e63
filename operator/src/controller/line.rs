//! Who is next: the bookkeeping of a queue, without its work.
//!
//! Every key stands in line once at the most, and is worked on once at a time. Edits, which
//! somebody waits for, go before checks, which nobody does, and find a place kept free of checks.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Changes that come within this time are one pass.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// Why an object is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Its time has come. Nobody waits for it.
    Check,
    /// It, or something that it depends on, has changed.
    Edit,
}

/// A line of keys.
#[derive(Debug)]
pub struct Line<K> {
    /// Keys that may be worked on at once.
    places: usize,
    /// Keys whose turn it is, edits first.
    edits: VecDeque<K>,
    checks: VecDeque<K>,
    /// Where each key in line stands.
    standing: HashMap<K, Standing>,
    /// Keys whose time is to come, by it; the number tells equal times apart.
    later: BTreeMap<(Instant, u64), K>,
    number: u64,
    /// Keys that are worked on, and why; and in which lane they were asked for meanwhile.
    running: HashMap<K, (Lane, Option<Lane>)>,
}

#[derive(Clone, Copy, Debug)]
enum Standing {
    Later { at: (Instant, u64), lane: Lane },
    Ready(Lane),
}

impl<K: Clone + Eq + Hash> Line<K> {
    /// An empty line, of which so many may be worked on at once; none is taken for one.
    pub fn new(places: usize) -> Self {
        Self {
            places: places.max(1),
            edits: VecDeque::new(),
            checks: VecDeque::new(),
            standing: HashMap::new(),
            later: BTreeMap::new(),
            number: 0,
            running: HashMap::new(),
        }
    }

    /// A key is to be looked at soon. One that is being worked on is looked at once more.
    pub fn ask(&mut self, key: K, lane: Lane, now: Instant) {
        if let Some((_, again)) = self.running.get_mut(&key) {
            *again = (*again).max(Some(lane));
            return;
        }
        self.stand(key, lane, now.checked_add(DEBOUNCE).unwrap_or(now));
    }

    /// The work on a key has ended; it is to be looked at again then, if at all. What was asked for
    /// meanwhile comes first.
    pub fn ended(&mut self, key: &K, again: Option<(Instant, Lane)>, now: Instant) {
        let asked = self.running.remove(key).and_then(|(_, asked)| asked);
        if let Some(lane) = asked {
            self.ask(key.clone(), lane, now);
        }
        if let Some((at, lane)) = again {
            self.stand(key.clone(), lane, at);
        }
    }

    /// The next key to be worked on, and why, if one may be.
    pub fn next(&mut self, now: Instant) -> Option<(K, Lane)> {
        self.advance(now);
        if self.running.len() >= self.places {
            return None;
        }
        let (key, lane) = if let Some(key) = self.edits.pop_front() {
            (key, Lane::Edit)
        } else if self.checking() < self.places_for_checks() {
            (self.checks.pop_front()?, Lane::Check)
        } else {
            return None;
        };
        self.standing.remove(&key);
        self.running.insert(key.clone(), (lane, None));
        Some((key, lane))
    }

    /// When [`Line::next`] has to be asked again although nothing happens.
    pub fn due(&self) -> Option<Instant> {
        let ((at, _), _) = self.later.first_key_value()?;
        Some(*at)
    }

    /// How many keys wait although their time has come.
    pub fn waiting(&self) -> usize {
        self.edits.len() + self.checks.len()
    }

    /// All places but a quarter, so that an edit finds one however slow the checks are.
    fn places_for_checks(&self) -> usize {
        let kept = self.places.div_ceil(4);
        self.places.saturating_sub(kept).max(1)
    }

    fn checking(&self) -> usize {
        let running = self.running.values();
        running.filter(|(lane, _)| *lane == Lane::Check).count()
    }

    /// Whoever stands in line already moves forward, and never back.
    fn stand(&mut self, key: K, lane: Lane, at: Instant) {
        match self.standing.get(&key).copied() {
            None => self.wait(key, lane, at),
            Some(Standing::Ready(before)) => {
                if before < lane {
                    self.checks.retain(|other| *other != key);
                    self.turn(key, lane);
                }
            }
            Some(Standing::Later {
                at: before,
                lane: other,
            }) => {
                self.later.remove(&before);
                self.wait(key, lane.max(other), before.0.min(at));
            }
        }
    }

    fn wait(&mut self, key: K, lane: Lane, at: Instant) {
        self.number += 1;
        let at = (at, self.number);
        self.standing
            .insert(key.clone(), Standing::Later { at, lane });
        self.later.insert(at, key);
    }

    fn turn(&mut self, key: K, lane: Lane) {
        self.standing.insert(key.clone(), Standing::Ready(lane));
        match lane {
            Lane::Edit => self.edits.push_back(key),
            Lane::Check => self.checks.push_back(key),
        }
    }

    /// Those whose time has come take their turn.
    fn advance(&mut self, now: Instant) {
        while let Some(entry) = self.later.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let key = entry.remove();
            if let Some(Standing::Later { lane, .. }) = self.standing.get(&key).copied() {
                self.turn(key, lane);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// All that are next at once, with their lanes.
    fn taken(line: &mut Line<u32>, now: Instant) -> Vec<(u32, Lane)> {
        std::iter::from_fn(|| line.next(now)).collect()
    }

    #[test]
    fn what_is_asked_for_several_times_within_a_moment_is_one_turn() {
        let mut line = Line::new(8);
        let now = Instant::now();
        line.ask(1, Lane::Check, now);
        line.ask(1, Lane::Edit, now + DEBOUNCE / 2);
        assert_eq!(line.next(now), None);
        assert_eq!(line.due(), Some(now + DEBOUNCE));
        assert_eq!(taken(&mut line, now + DEBOUNCE), [(1, Lane::Edit)]);
        assert_eq!(line.due(), None);
    }

    #[test]
    fn nobody_is_worked_on_twice_at_once_and_nothing_asked_for_is_lost() {
        let mut line = Line::new(8);
        let now = Instant::now();
        line.ask(1, Lane::Edit, now);
        let then = now + SECOND;
        assert_eq!(line.next(then), Some((1, Lane::Edit)));
        line.ask(1, Lane::Check, then);
        line.ask(1, Lane::Edit, then);
        assert_eq!(line.next(then + SECOND), None);
        let far = then + SECOND * 600;
        line.ended(&1, Some((far, Lane::Check)), then);
        assert_eq!(line.next(then + SECOND), Some((1, Lane::Edit)));
        line.ended(&1, None, then + SECOND);
        assert_eq!(line.next(far + SECOND), None, "its check is done with");
    }

    #[test]
    fn an_edit_overtakes_all_checks() {
        let mut line = Line::new(1);
        let now = Instant::now();
        for check in 1..100 {
            line.ask(check, Lane::Check, now);
        }
        let then = now + SECOND;
        assert_eq!(line.next(then), Some((1, Lane::Check)));
        assert_eq!(line.waiting(), 98);
        line.ask(200, Lane::Edit, then);
        // One that waits for its check already, too.
        line.ask(50, Lane::Edit, then);
        let then = then + SECOND;
        for expected in [(50, Lane::Edit), (200, Lane::Edit), (2, Lane::Check)] {
            assert_eq!(line.next(then), None, "there is one place");
            let running = *line.running.keys().next().unwrap();
            line.ended(&running, None, then);
            assert_eq!(line.next(then), Some(expected));
        }
    }

    #[test]
    fn checks_leave_a_place_for_an_edit() {
        let mut line = Line::new(8);
        let now = Instant::now();
        for check in 0..20 {
            line.ask(check, Lane::Check, now);
        }
        assert_eq!(taken(&mut line, now + SECOND).len(), 6);
        for edit in 100..120 {
            line.ask(edit, Lane::Edit, now);
        }
        assert_eq!(
            taken(&mut line, now + SECOND),
            [(100, Lane::Edit), (101, Lane::Edit)]
        );
        assert_eq!(line.waiting(), 32);
    }

    #[test]
    fn the_earlier_of_two_times_counts() {
        let mut line = Line::new(8);
        let now = Instant::now();
        line.ask(1, Lane::Edit, now);
        assert_eq!(line.next(now + SECOND), Some((1, Lane::Edit)));
        line.ended(&1, Some((now + SECOND * 600, Lane::Check)), now + SECOND);
        assert_eq!(line.due(), Some(now + SECOND * 600));
        line.ask(1, Lane::Check, now + SECOND * 2);
        assert_eq!(line.due(), Some(now + SECOND * 2 + DEBOUNCE));
        assert_eq!(line.next(now + SECOND * 3), Some((1, Lane::Check)));
        assert_eq!(line.due(), None, "it stands in line once");
    }
}
