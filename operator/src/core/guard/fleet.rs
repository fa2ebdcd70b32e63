//! What is at stake in one class, and what may go.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use crds::v1alpha1::{ConfirmedChange, HeldChange, MassChangeStatus};

use super::limits::{Limits, PATIENCE, SETTLE, WINDOW};
use super::{Stake, Thing, Things};
use crate::core::names;

/// Whether something may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may.
    Go,
    /// That is known after so long: more may be on its way out.
    Later(Duration),
    /// These may not, before a person has confirmed it or the cause is undone.
    Held(BTreeSet<Thing>),
}

/// What is held, and the digests of all a confirmation of it lets go.
struct Held {
    shown: HeldChange,
    digests: BTreeSet<String>,
}

/// All that the bindings and consumers of one class have at stake.
#[derive(Debug, Default)]
pub struct Fleet {
    limits: Limits,
    confirmed: HashSet<String>,
    members: HashMap<String, Stake>,
    /// What members keep as far as the cluster tells, and asked to remove all the same.
    yields: HashMap<String, BTreeSet<Thing>>,
    things: BTreeMap<Thing, Users>,
    /// How many of them are claimed.
    claimed: usize,
    /// What is claimed and wanted by nobody.
    doomed: BTreeMap<Thing, Doomed>,
    /// What of it is not confirmed.
    pending: BTreeSet<Thing>,
    /// What went unconfirmed, and when.
    gone: BTreeMap<Thing, Instant>,
    /// When something was doomed last.
    grown: Option<Instant>,
    /// Counts changes of what is doomed.
    revision: u64,
}

#[derive(Debug, Default)]
struct Users {
    claims: usize,
    keeps: usize,
    /// How many of those who keep it asked to remove it.
    yields: usize,
    id: String,
}

#[derive(Debug)]
struct Doomed {
    digest: String,
    since: Instant,
}

impl Fleet {
    /// What the class says of limits, and the digests of what was confirmed.
    pub fn rule(&mut self, limits: Limits, confirmed: impl IntoIterator<Item = String>) {
        self.limits = limits;
        self.confirmed = confirmed.into_iter().collect();
        let doomed = self.doomed.iter();
        let pending = doomed.filter(|(_, doomed)| !self.confirmed.contains(&doomed.digest));
        self.pending = pending.map(|(thing, _)| thing.clone()).collect();
    }

    /// Notes what a member has at stake now. Returns whether what the class is to say may differ.
    pub fn put(&mut self, member: &str, stake: Stake, now: Instant) -> bool {
        if self.members.get(member) == Some(&stake) {
            return false;
        }
        // What its last pass asked for may no longer be so.
        self.give_up(member, BTreeSet::new());
        let asked = self.set(&unforeseen(member), Stake::default(), now);
        self.set(member, stake, now) || asked
    }

    fn set(&mut self, member: &str, stake: Stake, now: Instant) -> bool {
        if self.members.get(member).unwrap_or(&Stake::default()) == &stake {
            return false;
        }
        let (spoke, revision) = (self.speaks(now), self.revision);
        let old = self.members.remove(member).unwrap_or_default();
        let stake = self.share(stake);
        self.count(&stake);
        self.discount(&old);
        let parts = [&old, &stake].into_iter();
        let touched: BTreeSet<&Thing> = parts
            .flat_map(|stake| stake.claimed.keys().chain(&stake.kept))
            .collect();
        for thing in touched {
            self.judge(thing, now);
        }
        if stake != Stake::default() {
            self.members.insert(member.to_owned(), stake);
        }
        self.revision != revision && (spoke || self.speaks(now))
    }

    /// The same, but with names that others have as well in memory once.
    fn share(&self, stake: Stake) -> Stake {
        let known = |thing: Thing| match self.things.get_key_value(&thing) {
            Some((known, _)) => known.clone(),
            None => thing,
        };
        let claimed: Things = stake
            .claimed
            .into_iter()
            .map(|(thing, id)| (known(thing), id))
            .collect();
        // What is kept is claimed as a rule.
        let own = |thing: Thing| match claimed.get_key_value(&thing) {
            Some((own, _)) => own.clone(),
            None => known(thing),
        };
        let kept = stake.kept.into_iter().map(own).collect();
        Stake { claimed, kept }
    }

    fn count(&mut self, stake: &Stake) {
        for (thing, id) in &stake.claimed {
            let users = self.things.entry(thing.clone()).or_default();
            self.claimed += usize::from(users.claims == 0);
            users.claims += 1;
            if !id.is_empty() {
                users.id.clone_from(id);
            }
        }
        for thing in &stake.kept {
            self.things.entry(thing.clone()).or_default().keeps += 1;
        }
    }

    fn discount(&mut self, stake: &Stake) {
        for thing in stake.claimed.keys() {
            if let Some(users) = self.things.get_mut(thing) {
                users.claims = users.claims.saturating_sub(1);
                self.claimed = self.claimed.saturating_sub(usize::from(users.claims == 0));
            }
        }
        for thing in &stake.kept {
            if let Some(users) = self.things.get_mut(thing) {
                users.keeps = users.keeps.saturating_sub(1);
            }
        }
    }

    /// A member is gone.
    pub fn remove(&mut self, member: &str, now: Instant) -> bool {
        self.put(member, Stake::default(), now)
    }

    /// Whether a member's pass may remove these things; and whether what the class is to say may
    /// differ. Things that the cluster alone did not doom are doomed by being asked for.
    pub fn ask(&mut self, member: &str, things: &Things, now: Instant) -> (Answer, bool) {
        let name = unforeseen(member);
        let asked_before = self.members.get(&name).map(|stake| &stake.claimed);
        let is_new = |thing: &Thing| {
            !self.doomed.contains_key(thing)
                || asked_before.is_some_and(|asked| asked.contains_key(thing))
        };
        let asked = things.iter().filter(|(thing, _)| is_new(thing));
        let claimed: Things = asked
            .map(|(thing, id)| (thing.clone(), id.clone()))
            .collect();
        let own = self.members.get(member).map(|stake| &stake.kept);
        let yields = own
            .into_iter()
            .flatten()
            .filter(|t| claimed.contains_key(*t));
        self.give_up(member, yields.cloned().collect());
        let kept = BTreeSet::new();
        let news = self.set(&name, Stake { claimed, kept }, now);
        (self.answer(things, now), news)
    }

    /// What a member keeps and would remove all the same. To be followed by a change of what it asks for.
    fn give_up(&mut self, member: &str, yields: BTreeSet<Thing>) {
        for thing in self.yields.remove(member).iter().flatten() {
            if let Some(users) = self.things.get_mut(thing) {
                users.yields = users.yields.saturating_sub(1);
            }
        }
        for thing in &yields {
            if let Some(users) = self.things.get_mut(thing) {
                users.yields += 1;
            }
        }
        if !yields.is_empty() {
            self.yields.insert(member.to_owned(), yields);
        }
    }

    /// What of these things a pass could not remove unasked, whether it is doomed yet or not. Nothing is
    /// noted.
    pub fn foresee(&self, things: &Things, now: Instant) -> BTreeSet<Thing> {
        let digest = |thing: &Thing, id: &str| match self.doomed.get(thing) {
            Some(doomed) => doomed.digest.clone(),
            None => thing.digest(id),
        };
        let unasked = things
            .iter()
            .filter(|(thing, id)| !self.confirmed.contains(&digest(thing, id)));
        let unasked: BTreeSet<Thing> = unasked.map(|(thing, _)| thing.clone()).collect();
        let going = self.pending.union(&unasked).count() + self.recent(now).count();
        if self.limits.exceeded(going, self.total(now)) {
            unasked
        } else {
            BTreeSet::new()
        }
    }

    fn answer(&mut self, things: &Things, now: Instant) -> Answer {
        let held = things.keys().filter(|thing| self.pending.contains(*thing));
        let held: BTreeSet<Thing> = held.cloned().collect();
        if held.is_empty() || !self.limits.exceeded(self.total(now), self.total(now)) {
            return Answer::Go;
        }
        if self.exceeded(now) {
            return Answer::Held(held);
        }
        let left = |since: Instant, time: Duration| {
            time.saturating_sub(now.saturating_duration_since(since))
        };
        let settles = self.grown.map_or(Duration::ZERO, |at| left(at, SETTLE));
        let waited = held.iter().filter_map(|thing| self.doomed.get(thing));
        let waits = waited.map(|doomed| left(doomed.since, PATIENCE)).max();
        match settles.min(waits.unwrap_or_default()) {
            Duration::ZERO => Answer::Go,
            left => Answer::Later(left),
        }
    }

    /// Something went. What nobody confirmed counts for a while.
    pub fn went(&mut self, thing: &Thing, now: Instant) {
        self.gone
            .retain(|_, at| now.saturating_duration_since(*at) < WINDOW);
        if self.pending.contains(thing) {
            self.gone.insert(thing.clone(), now);
        }
    }

    /// What the status of the class is to say, and in how long it may be less. `confirms` is the token
    /// in its spec, `before` what its status says was confirmed.
    pub fn status(
        &self,
        confirms: Option<&str>,
        before: Option<&ConfirmedChange>,
        now: Instant,
    ) -> (Option<MassChangeStatus>, Option<Duration>) {
        let mut confirmed = before.cloned().unwrap_or_default();
        let doomed: HashSet<&String> = self.doomed.values().map(|d| &d.digest).collect();
        confirmed.digests.retain(|digest| doomed.contains(digest));
        let mut held = self.held(now);
        if let Some(now_confirmed) =
            held.take_if(|held| Some(held.shown.token.as_str()) == confirms)
        {
            confirmed.token = now_confirmed.shown.token;
            let mut digests = now_confirmed.digests;
            digests.extend(confirmed.digests);
            confirmed.digests = digests.into_iter().collect();
            confirmed.digests.truncate(ConfirmedChange::MAX_OBJECTS);
        }
        let less_in = self.recent(now).map(|(_, left)| left).min();
        let less_in = less_in.filter(|_| held.is_some());
        let status = MassChangeStatus {
            held: held.map(|held| held.shown),
            confirmed: (!confirmed.digests.is_empty()).then_some(confirmed),
        };
        (
            Some(status).filter(|s| *s != MassChangeStatus::default()),
            less_in,
        )
    }

    /// What is held, given what is confirmed.
    fn held(&self, now: Instant) -> Option<Held> {
        if self.pending.is_empty() || !self.exceeded(now) {
            return None;
        }
        let pending = self.doomed.iter();
        let pending = pending.filter(|(thing, _)| self.pending.contains(*thing));
        let digests: BTreeSet<String> = pending
            .take(ConfirmedChange::MAX_OBJECTS)
            .map(|(_, doomed)| doomed.digest.clone())
            .collect();
        let all: Vec<&str> = digests.iter().map(String::as_str).collect();
        let named = self.pending.iter().take(HeldChange::MAX_EXAMPLES);
        Some(Held {
            shown: HeldChange {
                token: names::digest_of(&all),
                objects: number(self.pending.len()),
                total: number(self.total(now)),
                gone_before: number(self.recent(now).count()),
                examples: named.map(ToString::to_string).collect(),
            },
            digests,
        })
    }

    /// Whether the class has something to say of the guard.
    fn speaks(&self, now: Instant) -> bool {
        !self.confirmed.is_empty() || (!self.pending.is_empty() && self.exceeded(now))
    }

    fn exceeded(&self, now: Instant) -> bool {
        let going = self.pending.len() + self.recent(now).count();
        self.limits.exceeded(going, self.total(now))
    }

    /// What went a short while ago and is not there any more, with the time it counts on.
    fn recent(&self, now: Instant) -> impl Iterator<Item = (&Thing, Duration)> {
        self.gone.iter().filter_map(move |(thing, at)| {
            let left = WINDOW.checked_sub(now.saturating_duration_since(*at))?;
            let counts = !left.is_zero() && !self.pending.contains(thing);
            counts.then_some((thing, left))
        })
    }

    /// All that is claimed, and what was until a short while ago.
    fn total(&self, now: Instant) -> usize {
        let is_claimed = |thing: &Thing| self.things.get(thing).is_some_and(|u| u.claims > 0);
        let recent = self.recent(now).filter(|(thing, _)| !is_claimed(thing));
        self.claimed + recent.count()
    }

    /// Whether a thing is doomed, and since when, after its users have changed.
    fn judge(&mut self, thing: &Thing, now: Instant) {
        let Some(users) = self.things.get(thing) else {
            return;
        };
        if users.claims == 0 || users.keeps > users.yields {
            if users.claims == 0 && users.keeps == 0 {
                self.things.remove(thing);
            }
            self.pending.remove(thing);
            self.revision += u64::from(self.doomed.remove(thing).is_some());
            return;
        }
        let digest = thing.digest(&users.id);
        if self.confirmed.contains(&digest) {
            self.pending.remove(thing);
        } else {
            self.pending.insert(thing.clone());
        }
        let before = self.doomed.get(thing);
        let since = before.map_or(now, |before| before.since);
        if before.is_none() {
            self.grown = Some(now);
        }
        self.revision += u64::from(before.is_none_or(|before| before.digest != digest));
        let doomed = Doomed { digest, since };
        self.doomed.insert(thing.clone(), doomed);
    }
}

/// The name under which things count that a member asked for and the cluster did not doom.
fn unforeseen(member: &str) -> String {
    format!("asked by {member}")
}

fn number(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
