//! What is doomed, what may go, and what a confirmation covers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crds::v1alpha1::{ConfirmedChange, GatewayBindingClassSpec, HeldChange};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Answer, Fleet, Limits, Stake, Thing, Things};
use crate::core::ledger::{Ledger, Place};
use crate::core::tests::scenario;

const SECOND: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(600);

fn limits(guard: Value) -> Limits {
    let spec = json!({"massChangeGuard": guard});
    Limits::of(&serde_json::from_value::<GatewayBindingClassSpec>(spec).unwrap())
}

fn thing(number: usize) -> Thing {
    Thing::named(format!("classic/API/g/{number:04}"))
}

fn things(numbers: impl IntoIterator<Item = usize>) -> Things {
    let id = |number| (thing(number), format!("id-{number}"));
    numbers.into_iter().map(id).collect()
}

/// Members with one thing each, all of them wanted.
fn fleet(members: usize, now: Instant) -> Fleet {
    let mut fleet = Fleet::default();
    for number in 0..members {
        fleet.put(&number.to_string(), wanted(number), now);
    }
    fleet
}

fn wanted(number: usize) -> Stake {
    Stake {
        claimed: things([number]),
        kept: BTreeSet::from([thing(number)]),
    }
}

fn doomed(number: usize) -> Stake {
    Stake {
        claimed: things([number]),
        kept: BTreeSet::new(),
    }
}

fn doom(fleet: &mut Fleet, numbers: impl IntoIterator<Item = usize>, now: Instant) {
    for number in numbers {
        fleet.put(&number.to_string(), doomed(number), now);
    }
}

fn ask(fleet: &mut Fleet, number: usize, now: Instant) -> Answer {
    fleet.ask(&number.to_string(), &things([number]), now).0
}

fn held(number: usize) -> Answer {
    Answer::Held(BTreeSet::from([thing(number)]))
}

fn shown(fleet: &Fleet, now: Instant) -> Option<HeldChange> {
    fleet.status(None, None, now).0?.held
}

/// Confirms what is held, as the class's pass and its watch do.
fn confirm(fleet: &mut Fleet, limits: Limits, now: Instant) -> ConfirmedChange {
    let token = shown(fleet, now).unwrap().token;
    let (status, _) = fleet.status(Some(&token), None, now);
    let status = status.unwrap();
    assert_eq!(status.held, None);
    let confirmed = status.confirmed.unwrap();
    fleet.rule(limits, confirmed.digests.clone());
    confirmed
}

#[test]
fn limits_say_how_much_is_too_much() {
    let default = Limits::default();
    let few = limits(json!({"maxObjects": 3}));
    let none = limits(json!({"maxObjects": 0, "maxPercent": 100}));
    let off = limits(json!({"state": "Disabled", "maxObjects": 0}));
    for (limits, going, total, exceeded) in [
        (default, 0, 0, false),
        (default, 10, 10, false),
        (default, 11, 11, true),
        (default, 11, 36, true),
        (default, 11, 37, false),
        (default, 50, 1000, false),
        (default, 51, 1000, true),
        (few, 3, 3, false),
        (few, 4, 1000, true),
        (none, 0, 5, false),
        (none, 1, 5, true),
        (off, 1000, 1000, false),
    ] {
        let found = limits.exceeded(going, total);
        assert_eq!(found, exceeded, "{limits:?}: {going} of {total}");
    }
}

#[test]
fn a_small_fleet_goes_at_once() {
    let now = Instant::now();
    let mut fleet = fleet(10, now);
    doom(&mut fleet, 0..10, now);
    for number in 0..10 {
        assert_eq!(ask(&mut fleet, number, now), Answer::Go);
    }
    assert_eq!(fleet.status(None, None, now), (None, None));
}

#[test]
fn a_mass_change_is_held_whole_until_its_cause_is_undone() {
    let now = Instant::now();
    let mut fleet = fleet(1000, now);
    doom(&mut fleet, 0..51, now);
    let later = now + 60 * SECOND;
    for number in [0, 30, 50] {
        assert_eq!(ask(&mut fleet, number, later), held(number));
    }
    let said = shown(&fleet, later).unwrap();
    assert_eq!((said.objects, said.total, said.gone_before), (51, 1000, 0));
    assert_eq!(said.examples.len(), HeldChange::MAX_EXAMPLES);
    fleet.put("50", wanted(50), later);
    assert_eq!(shown(&fleet, later), None);
    assert_eq!(ask(&mut fleet, 0, later), Answer::Go);
}

#[test]
fn nothing_goes_before_it_is_quiet_where_there_is_enough_for_a_mass_change() {
    let now = Instant::now();
    let mut fleet = fleet(1000, now);
    doom(&mut fleet, [0], now);
    assert_eq!(ask(&mut fleet, 0, now), Answer::Later(3 * SECOND));
    doom(&mut fleet, [1], now + 2 * SECOND);
    let then = now + 3 * SECOND;
    assert_eq!(ask(&mut fleet, 0, then), Answer::Later(2 * SECOND));
    assert_eq!(ask(&mut fleet, 0, then + 2 * SECOND), Answer::Go);
    // A stream that never ends holds nothing up for longer than half a minute.
    for number in 2..32 {
        doom(
            &mut fleet,
            [number],
            now + SECOND * u32::try_from(number).unwrap(),
        );
    }
    let then = now + 31 * SECOND;
    assert_eq!(ask(&mut fleet, 0, then), Answer::Go);
    assert_eq!(ask(&mut fleet, 31, then), Answer::Later(3 * SECOND));
}

#[test]
fn what_goes_bit_by_bit_adds_up_for_a_while() {
    let now = Instant::now();
    let mut fleet = fleet(1000, now);
    doom(&mut fleet, 0..50, now);
    let then = now + 5 * SECOND;
    for number in 0..50 {
        assert_eq!(ask(&mut fleet, number, then), Answer::Go);
        fleet.went(&thing(number), then);
        fleet.remove(&number.to_string(), then);
    }
    doom(&mut fleet, [50], then);
    assert_eq!(ask(&mut fleet, 50, then + 5 * SECOND), held(50));
    let (status, less_in) = fleet.status(None, None, then + 5 * SECOND);
    let said = status.unwrap().held.unwrap();
    assert_eq!((said.objects, said.total, said.gone_before), (1, 1000, 50));
    assert_eq!(less_in, Some(WINDOW - 5 * SECOND));
    assert_eq!(ask(&mut fleet, 50, then + WINDOW), Answer::Go);
    assert_eq!(shown(&fleet, then + WINDOW), None);
}

#[test]
fn a_confirmation_lets_exactly_that_go() {
    let now = Instant::now();
    let rule = limits(json!({"maxObjects": 3}));
    let mut fleet = fleet(20, now);
    fleet.rule(rule, []);
    doom(&mut fleet, 0..5, now);
    let confirmed = confirm(&mut fleet, rule, now);
    assert_eq!(confirmed.digests.len(), 5);
    for number in 0..5 {
        assert_eq!(ask(&mut fleet, number, now), Answer::Go);
    }
    // What was confirmed does not count against what goes afterwards.
    fleet.went(&thing(0), now);
    fleet.remove("0", now);
    doom(&mut fleet, 5..8, now);
    let then = now + 5 * SECOND;
    assert_eq!(ask(&mut fleet, 5, then), Answer::Go);
    doom(&mut fleet, [8], then);
    assert_eq!(ask(&mut fleet, 5, then), held(5));
    assert_eq!(ask(&mut fleet, 1, then), Answer::Go);
    // The token of the first five means nothing for the others, and the first ones stay confirmed.
    let (status, _) = fleet.status(Some(&confirmed.token), Some(&confirmed), then);
    let status = status.unwrap();
    assert_eq!(status.held.unwrap().objects, 4);
    assert_eq!(status.confirmed.unwrap().digests.len(), 4);
    // What is undone is not confirmed for another time.
    fleet.put("1", wanted(1), then);
    let (status, _) = fleet.status(None, Some(&confirmed), then);
    assert_eq!(status.unwrap().confirmed.unwrap().digests.len(), 3);
}

#[test]
fn what_is_made_anew_asks_for_a_confirmation_of_its_own() {
    let now = Instant::now();
    let rule = limits(json!({"maxObjects": 0}));
    let mut fleet = fleet(1, now);
    fleet.rule(rule, []);
    doom(&mut fleet, [0], now);
    let confirmed = confirm(&mut fleet, rule, now);
    let again = Things::from([(thing(0), "another".to_owned())]);
    let again = Stake {
        claimed: again,
        kept: BTreeSet::new(),
    };
    fleet.put("0", again, now);
    assert_eq!(ask(&mut fleet, 0, now), held(0));
    let said = shown(&fleet, now).unwrap();
    assert_ne!(said.token, confirmed.token);
}

#[test]
fn what_others_want_is_not_doomed() {
    let now = Instant::now();
    let mut fleet = fleet(0, now);
    fleet.rule(limits(json!({"maxObjects": 0})), []);
    fleet.put("a", doomed(0), now);
    fleet.put("b", wanted(0), now);
    assert_eq!(shown(&fleet, now), None);
    fleet.remove("b", now);
    assert_eq!(shown(&fleet, now).unwrap().objects, 1);
}

#[test]
fn what_only_a_pass_knows_of_counts_while_it_asks() {
    let now = Instant::now();
    let mut fleet = fleet(10, now);
    fleet.rule(limits(json!({"maxObjects": 1})), []);
    let asked = things([100, 101]);
    let (answer, news) = fleet.ask("7", &asked, now);
    assert_eq!(answer, Answer::Held(asked.keys().cloned().collect()));
    assert!(news, "the class is to say so");
    assert_eq!(shown(&fleet, now).unwrap().objects, 2);
    let (answer, news) = fleet.ask("7", &asked, now);
    assert_eq!(answer, Answer::Held(asked.keys().cloned().collect()));
    assert!(!news, "nothing is new");
    assert_eq!(fleet.ask("7", &Things::new(), now), (Answer::Go, true));
    assert_eq!(shown(&fleet, now), None);
}

#[test]
fn what_a_member_wants_and_its_pass_would_remove_all_the_same_counts_while_it_asks() {
    let now = Instant::now();
    let mut fleet = fleet(4, now);
    fleet.rule(limits(json!({"maxObjects": 1})), []);
    let (one, other) = (things([1]), things([2]));
    assert!(matches!(fleet.ask("1", &one, now).0, Answer::Later(_)));
    assert_eq!(
        fleet.ask("2", &other, now).0,
        Answer::Held(other.keys().cloned().collect())
    );
    assert_eq!(shown(&fleet, now).unwrap().objects, 2);
    // One that others want as well stays.
    fleet.put("3", wanted(2), now);
    assert_eq!(shown(&fleet, now), None);
    fleet.put("3", wanted(3), now);
    assert_eq!(shown(&fleet, now).unwrap().objects, 2);
    assert_eq!(fleet.ask("2", &Things::new(), now).0, Answer::Go);
    fleet.put("1", doomed(1), now);
    fleet.put("1", wanted(1), now);
    assert_eq!(shown(&fleet, now), None);
    assert!(fleet.ask("1", &Things::new(), now).0 == Answer::Go);
}

#[test]
fn what_would_be_held_is_told_before_anything_is_doomed() {
    let now = Instant::now();
    let mut fleet = fleet(10, now);
    fleet.rule(limits(json!({"maxObjects": 2})), []);
    assert_eq!(fleet.foresee(&things(0..2), now), BTreeSet::new());
    let three = things(0..3);
    let all: BTreeSet<Thing> = three.keys().cloned().collect();
    assert_eq!(fleet.foresee(&three, now), all);
    assert_eq!(shown(&fleet, now), None, "to foresee is not to ask");
    // What others are to lose counts.
    fleet.put("7", doomed(7), now);
    assert_eq!(fleet.foresee(&things(0..2), now).len(), 2);
    // What is confirmed is not held.
    let digests = three.iter().map(|(thing, id)| thing.digest(id));
    fleet.rule(limits(json!({"maxObjects": 2})), digests);
    assert_eq!(fleet.foresee(&three, now), BTreeSet::new());
}

/// A binding with a ledger of all that it wants.
fn binding(more: Value) -> (crds::v1alpha1::GatewayBinding, Ledger) {
    let mut binding = scenario::binding("default", "helloworld", scenario::spec());
    let validated = scenario::validated(&binding).unwrap();
    let mut ledger = Ledger::default();
    for key in super::stake::wanted(&validated) {
        ledger.claim(&key, &Place::default());
    }
    let mut value = serde_json::to_value(&binding).unwrap();
    merge(&mut value, more);
    binding = serde_json::from_value(value).unwrap();
    (binding, ledger)
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

#[test]
fn only_what_an_operator_would_remove_is_doomed() {
    let deleting = |more: Value| {
        let mut deleting = json!({"metadata": {"deletionTimestamp": "2026-11-21T00:00:00Z"}});
        merge(&mut deleting, more);
        deleting
    };
    let detach = json!({"metadata": {"annotations": {"gatewaybinding.dev/detach": "true"}}});
    for (what, more, doomed) in [
        ("as it was", json!({}), 0),
        ("deleted", deleting(json!({})), 5),
        (
            "retained",
            deleting(json!({"spec": {"deletionPolicy": "Retain"}})),
            0,
        ),
        ("detached", deleting(detach), 0),
        (
            "suspended",
            deleting(json!({"spec": {"mode": "Suspend"}})),
            0,
        ),
        (
            "only planned",
            deleting(json!({"spec": {"mode": "Plan"}})),
            0,
        ),
        ("invalid", json!({"spec": {"gateway": "none"}}), 0),
        // The Service stays.
        ("not exposed", json!({"spec": {"apiGateway": null}}), 4),
        (
            "other limits",
            json!({"spec": {"apiGateway": {"throttling": null}}}),
            1,
        ),
        // The API stays, but not where it was called.
        (
            "elsewhere",
            json!({"spec": {"apiGateway": {"environments": [{"name": "Test"}]}}}),
            1,
        ),
    ] {
        let (binding, ledger) = binding(more);
        let validated = scenario::validated(&binding);
        let stake = Stake::of_binding(&binding, &ledger, validated.as_ref());
        assert_eq!(stake.claimed.len(), 5, "{what}");
        let lost = stake
            .claimed
            .keys()
            .filter(|thing| !stake.kept.contains(*thing));
        assert_eq!(lost.count(), doomed, "{what}: {stake:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However members come, change and go, what is held is what a look at all of them finds.
    #[test]
    fn nothing_is_lost_on_the_way(
        changes in prop::collection::vec((0..4_usize, prop::collection::btree_set(0..6_usize, 0..4), prop::collection::btree_set(0..6_usize, 0..4)), 0..24)
    ) {
        let now = Instant::now();
        let mut fleet = Fleet::default();
        fleet.rule(limits(json!({"maxObjects": 0})), []);
        let mut members: BTreeMap<usize, Stake> = BTreeMap::new();
        for (member, claimed, kept) in changes {
            let stake = Stake {
                claimed: things(claimed),
                kept: kept.into_iter().map(thing).collect(),
            };
            fleet.put(&member.to_string(), stake.clone(), now);
            members.insert(member, stake);
            let kept: BTreeSet<&Thing> = members.values().flat_map(|stake| &stake.kept).collect();
            let claimed: BTreeSet<&Thing> = members.values().flat_map(|stake| stake.claimed.keys()).collect();
            let doomed: Vec<String> = claimed.difference(&kept).map(ToString::to_string).collect();
            match shown(&fleet, now) {
                None => prop_assert!(doomed.is_empty()),
                Some(said) => {
                    prop_assert_eq!(&said.examples, &doomed);
                    prop_assert_eq!(usize::try_from(said.total).unwrap(), claimed.len());
                }
            }
        }
    }
}
