use super::*;
use proptest::prelude::*;

fn name(text: &str) -> Name {
    ("default".to_owned(), text.to_owned())
}

fn plain(rules: usize) -> Extent {
    Extent {
        rules,
        secured: false,
    }
}

fn tls(rules: usize) -> Extent {
    Extent {
        rules,
        secured: true,
    }
}

/// Takes a place, and writes what it comes to, as a pass does.
fn enter(
    seats: &mut Seats,
    who: &str,
    all: &[String],
    need: Extent,
    most: usize,
) -> Result<Seat, Full> {
    let name = name(who);
    let before = seats.there.get(&name).map(|taken| taken.holding.clone());
    let foreseen = seats.would_take(&name, all, need, most);
    let seat = seats.take(&name, all, need, most);
    assert_eq!(foreseen, seat);
    assert!(seats.there.adds_up());
    let seat = seat?;
    for order in &seat.reclaimed {
        seats.released(&seat.instance, *order);
    }
    if let Some((order, before)) = before.and_then(|had| Some((had.order?, had)))
        && (order, &before.instance) != (seat.order, &seat.instance)
    {
        write(seats, seats.keeping(&before.instance, order));
    }
    seats.wrote(&name, &seat);
    seats.released(&seat.instance, seat.order);
    Ok(seat)
}

fn leave(seats: &mut Seats, who: &str) {
    let name = name(who);
    let Some(Holding {
        instance,
        order: Some(order),
        ..
    }) = seats.there.get(&name).map(|taken| taken.holding.clone())
    else {
        return;
    };
    let chore = seats.leaves(&name, &instance, order);
    write(seats, chore);
}

fn write(seats: &mut Seats, chore: Option<Chore>) {
    match chore {
        Some(Chore::Write {
            instance,
            order,
            extent,
            ..
        }) => seats.holds("system", &instance, order, extent),
        Some(Chore::Drop {
            instance, order, ..
        }) => seats.released(&instance, order),
        None => {}
    }
}

fn tidy(seats: &mut Seats, all: &[String]) {
    for chore in seats.chores(&all.iter().cloned().collect()) {
        write(seats, Some(chore));
    }
}

/// The first number of each Ingress on the listeners of ports 80 and 443, as the ALB Ingress controller
/// gives them.
fn numbers(seats: &Seats, instance: &str) -> BTreeMap<Name, [Option<usize>; 2]> {
    let mut places: Vec<(u16, Option<Name>, Extent)> = Vec::new();
    for (name, taken) in seats.there.all() {
        if taken.holding.instance == instance {
            let order = taken.holding.order.unwrap();
            places.push((order, Some(name.clone()), taken.holding.extent));
        }
    }
    for ((other, order), kept) in &seats.kept {
        if let Some(extent) = kept.written().filter(|_| other == instance) {
            assert!(
                places.iter().all(|(taken, ..)| taken != order),
                "{order} is taken twice"
            );
            places.push((*order, None, extent));
        }
    }
    places.sort_by_key(|(order, ..)| *order);
    let mut next = [1, 1];
    let mut found = BTreeMap::new();
    for (_, name, extent) in places {
        if let Some(name) = name {
            found.insert(name, [Some(next[0]), extent.secured.then_some(next[1])]);
        }
        next[0] += extent.rules;
        next[1] += if extent.secured { extent.rules } else { 0 };
    }
    found
}

fn at(instance: &str, order: u16) -> impl Fn(Result<Seat, Full>) -> usize {
    let instance = instance.to_owned();
    move |seat| {
        let seat = seat.unwrap();
        assert_eq!((&seat.instance, seat.order), (&instance, order));
        assert!(!seat.shifts && seat.reclaimed.is_empty(), "{seat:?}");
        seat.extent.rules
    }
}

#[test]
fn who_comes_later_is_behind_and_who_is_there_stays() {
    let mut seats = Seats::default();
    let two = instances("x", 2);
    let mut take = |who: &str, rules| enter(&mut seats, who, &two, plain(rules), 10);
    assert_eq!(at("x", 11)(take("z", 3)), 3);
    assert_eq!(at("x", 12)(take("a", 3)), 3);
    assert_eq!(at("x", 11)(take("z", 2)), 3, "filled up");
    assert_eq!(at("x", 11)(take("z", 3)), 3);
    assert_eq!(at("x-2", 11)(take("b", 5)), 5);
    assert_eq!(at("x", 13)(take("c", 3)), 3);
    assert_eq!(at("x", 13)(take("c", 1)), 1, "nobody is behind it");
    let full = take("z", 7).unwrap_err().to_string();
    assert!(full.contains("room for 6 of its 7"), "{full}");
    let full = take("d", 7).unwrap_err().to_string();
    assert!(full.contains("none of 2 load balancers"), "{full}");
}

#[test]
fn who_becomes_the_last_need_not_fill_its_place_any_more() {
    let mut seats = Seats::default();
    let one = instances("x", 1);
    enter(&mut seats, "a", &one, plain(2), 50).unwrap();
    enter(&mut seats, "b", &one, plain(1), 50).unwrap();
    assert_eq!(at("x", 11)(enter(&mut seats, "a", &one, plain(1), 50)), 2);
    assert_eq!(seats.overfilled(), []);
    leave(&mut seats, "b");
    assert_eq!(seats.overfilled(), [name("a")]);
    assert_eq!(at("x", 11)(enter(&mut seats, "a", &one, plain(1), 50)), 1);
    assert_eq!(seats.overfilled(), []);
}

#[test]
fn who_goes_or_outgrows_its_place_leaves_a_placeholder_that_the_next_takes() {
    let mut seats = Seats::default();
    let one = instances("x", 1);
    for (who, rules) in [("a", 2), ("b", 1), ("c", 1)] {
        enter(&mut seats, who, &one, plain(rules), 50).unwrap();
    }
    assert_eq!(at("x", 14)(enter(&mut seats, "a", &one, plain(3), 50)), 3);
    leave(&mut seats, "b");
    assert_eq!(seats.placeholder("x", 11).as_deref(), Some("system"));
    assert_eq!(seats.placeholder("x", 12).as_deref(), Some("system"));
    assert_eq!(
        at("x", 12)(enter(&mut seats, "small", &one, plain(1), 50)),
        1,
        "it fits best"
    );
    assert_eq!(
        at("x", 11)(enter(&mut seats, "less", &one, plain(1), 50)),
        2
    );
    assert_eq!(
        at("x", 15)(enter(&mut seats, "more", &one, plain(1), 50)),
        1
    );
    for who in ["more", "a", "c", "small"] {
        leave(&mut seats, who);
    }
    tidy(&mut seats, &one);
    assert!(seats.kept.is_empty(), "nobody is behind: {:?}", seats.kept);
}

#[test]
fn each_listener_is_numbered_by_itself() {
    let mut seats = Seats::default();
    let one = instances("x", 1);
    enter(&mut seats, "a", &one, tls(1), 50).unwrap();
    enter(&mut seats, "b", &one, plain(1), 50).unwrap();
    // No other one is on 443, so it may leave that, and come back.
    assert_eq!(at("x", 11)(enter(&mut seats, "a", &one, plain(1), 50)), 1);
    assert_eq!(at("x", 11)(enter(&mut seats, "a", &one, tls(1), 50)), 1);
    enter(&mut seats, "c", &one, tls(1), 50).unwrap();
    assert_eq!(at("x", 14)(enter(&mut seats, "a", &one, plain(1), 50)), 1);
    assert_eq!(seats.kept[&("x".to_owned(), 11)].written(), Some(tls(1)));
    leave(&mut seats, "c");
    tidy(&mut seats, &one);
    let left = seats.kept[&("x".to_owned(), 11)].written();
    assert_eq!(left, Some(plain(1)), "nobody needs it on 443 any more");
}

#[test]
fn placeholders_and_filling_go_before_another_load_balancer_is_made() {
    let mut seats = Seats::default();
    let two = instances("x", 2);
    for who in ["a", "b", "c", "d"] {
        enter(&mut seats, who, &two, plain(2), 9).unwrap();
    }
    leave(&mut seats, "a");
    leave(&mut seats, "b");
    enter(&mut seats, "c", &two, plain(1), 9).unwrap();
    let big = enter(&mut seats, "big", &two, plain(3), 9).unwrap();
    assert_eq!(
        (big.instance.as_str(), big.order, big.shifts),
        ("x", 15, true)
    );
    assert_eq!(big.reclaimed, [12], "one is enough");
    let next = enter(&mut seats, "next", &two, plain(2), 9).unwrap();
    assert_eq!((next.order, next.shifts), (11, false));
    let last = enter(&mut seats, "last", &two, plain(1), 9).unwrap();
    assert_eq!((last.instance.as_str(), last.shifts), ("x", true));
    assert!(seats.were_squeezed() && !seats.were_squeezed());
    assert_eq!(
        enter(&mut seats, "c", &two, plain(1), 9).unwrap().extent,
        plain(1)
    );
    let other = enter(&mut seats, "other", &two, plain(1), 9).unwrap();
    assert_eq!(other.instance, "x-2");
}

#[test]
fn a_place_that_became_free_is_given_again_only_when_none_is_left_behind() {
    let mut seats = Seats::default();
    let one = instances("x", 1);
    let holding = |order| Holding {
        instance: "x".to_owned(),
        order: Some(order),
        extent: plain(1),
        idle: 0,
    };
    seats.seen(name("early"), holding(11));
    seats.seen(name("last"), holding(LAST));
    let new = seats.take(&name("new"), &one, plain(1), 50).unwrap();
    assert_eq!((new.order, new.shifts), (999, true));
    seats.gone(&name("last"));
    let newer = seats.take(&name("newer"), &one, plain(1), 50).unwrap();
    assert_eq!((newer.order, newer.shifts), (1000, false));
}

#[test]
fn what_somebody_writes_over_a_place_does_not_move_it() {
    let mut seats = Seats::default();
    let one = instances("x", 1);
    let holding = |instance: &str, order| Holding {
        instance: instance.to_owned(),
        order: Some(order),
        extent: plain(2),
        idle: 0,
    };
    seats.found(name("ours"), holding("x", 11));
    seats.found(name("ours"), holding("y", 999));
    let seat = seats.take(&name("ours"), &one, plain(2), 50).unwrap();
    assert_eq!((seat.instance.as_str(), seat.order), ("x", 11));
}

#[test]
fn a_crash_between_two_writes_leaves_what_the_next_pass_ends() {
    let mut seats = Seats::default();
    let one = instances("x", 1);
    for who in ["a", "b"] {
        enter(&mut seats, who, &one, plain(1), 50).unwrap();
    }
    // The placeholder was written, and the Ingress was not moved.
    seats.holds("system", "x", 11, plain(1));
    assert_eq!(seats.chores(&one.iter().cloned().collect()), []);
    let mut grown = seats.clone();
    assert_eq!(at("x", 13)(enter(&mut grown, "a", &one, plain(2), 50)), 2);
    assert!(grown.placeholder("x", 11).is_some());
    assert_eq!(at("x", 11)(enter(&mut seats, "a", &one, plain(1), 50)), 1);
    assert_eq!(seats.placeholder("x", 11), None, "who stays removes it");
}

#[test]
fn an_ingress_that_was_to_move_and_goes_keeps_the_place_that_it_has() {
    let mut seats = Seats::default();
    let one = instances("x", 1);
    for who in ["a", "b"] {
        enter(&mut seats, who, &one, plain(1), 50).unwrap();
    }
    assert_eq!(
        seats.take(&name("a"), &one, plain(2), 50).unwrap().order,
        13
    );
    let chore = seats.leaves(&name("a"), "x", 11);
    assert!(
        matches!(chore, Some(Chore::Write { order: 11, .. })),
        "{chore:?}"
    );
    assert_eq!(seats.there.all().count(), 1);
}

#[test]
fn placeholders_of_classes_that_are_gone_go_the_hindmost_first() {
    let mut seats = Seats::default();
    let one = instances("x", 1);
    for who in ["a", "b", "c"] {
        enter(&mut seats, who, &one, plain(1), 50).unwrap();
    }
    leave(&mut seats, "a");
    leave(&mut seats, "b");
    let chores = seats.chores(&BTreeSet::new()).into_iter();
    let orders = chores.map(|chore| match chore {
        Chore::Drop { order, .. } => order,
        Chore::Write { .. } => panic!("{chore:?}"),
    });
    assert_eq!(orders.collect::<Vec<u16>>(), [12, 11]);
}

/// The limit says how many rules there may be on one load balancer, and so how many Ingresses.
#[test]
fn to_find_a_place_takes_a_look_at_those_on_one_load_balancer() {
    let mut seats = Seats::default();
    let looked_at = |seats: &mut Seats, fleet: &str| {
        for at in 0..100 {
            let all = instances(fleet, 1);
            enter(seats, &format!("{fleet}-{at}"), &all, plain(1), 100).unwrap();
        }
        leave(seats, &format!("{fleet}-50"));
        there::LOOKED_AT.set(0);
        enter(
            seats,
            &format!("{fleet}-new"),
            &instances(fleet, 1),
            plain(1),
            100,
        )
        .unwrap();
        enter(
            seats,
            &format!("{fleet}-10"),
            &instances(fleet, 1),
            plain(1),
            100,
        )
        .unwrap();
        there::LOOKED_AT.get()
    };
    let alone = looked_at(&mut seats, "first");
    for other in 0..20 {
        looked_at(&mut seats, &format!("other-{other}"));
    }
    assert!(alone > 0);
    assert_eq!(looked_at(&mut seats, "last"), alone);
}

#[test]
fn no_look_is_taken_at_those_on_load_balancers_that_are_full() {
    let looked_at = |full: usize| {
        let mut seats = Seats::default();
        let all = instances("x", full + 1);
        for at in 0..20 * full + 10 {
            enter(&mut seats, &at.to_string(), &all, plain(1), 20).unwrap();
        }
        there::LOOKED_AT.set(0);
        let seat = enter(&mut seats, "new", &all, plain(1), 20).unwrap();
        assert_eq!(Some(&seat.instance), all.last());
        there::LOOKED_AT.get()
    };
    assert!(looked_at(0) > 0);
    assert_eq!(looked_at(10), looked_at(0));
}

#[test]
fn names_follow_the_article() {
    assert_eq!(
        ingress_class("knative-internet"),
        "knative-alb-ingress-internet"
    );
    assert_eq!(
        ingress_class("knative-intranet-2"),
        "knative-alb-ingress-intranet-2"
    );
    assert_eq!(ingress_class("mine"), "knative-alb-ingress-mine");
    assert_eq!(instances("a", 3), ["a", "a-2", "a-3"]);
}

#[derive(Clone, Debug)]
enum Deed {
    Take(u8, Extent),
    Leave(u8),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let extent = (1usize..6, any::<bool>()).prop_map(|(rules, secured)| Extent { rules, secured });
    let deed = prop_oneof![
        3 => (0u8..30, extent).prop_map(|(who, need)| Deed::Take(who, need)),
        1 => (0u8..30).prop_map(Deed::Leave),
    ];
    prop::collection::vec(deed, 1..120)
}

proptest! {
    /// Whoever comes, changes or goes: the rules of nobody else get other numbers, unless the limit
    /// leaves no other way, which is said.
    #[test]
    fn nobody_moves_because_of_others(deeds in deeds(), most in 20usize..90) {
        let mut seats = Seats::default();
        let all = instances("x", 2);
        for deed in deeds {
            let before: Vec<_> = all.iter().map(|instance| numbers(&seats, instance)).collect();
            let (who, shifts) = match deed {
                Deed::Take(who, need) => {
                    let who = who.to_string();
                    let seat = enter(&mut seats, &who, &all, need, most);
                    if let Ok(seat) = &seat {
                        prop_assert!(seat.extent.rules >= need.rules);
                        prop_assert_eq!(seat.extent.secured, need.secured);
                    }
                    (who, seat.is_ok_and(|seat| seat.shifts))
                }
                Deed::Leave(who) => {
                    leave(&mut seats, &who.to_string());
                    (who.to_string(), false)
                }
            };
            let squeezed = seats.were_squeezed();
            prop_assert!(shifts || !squeezed);
            tidy(&mut seats, &all);
            for (instance, before) in all.iter().zip(before) {
                let now = numbers(&seats, instance);
                for (other, number) in before.iter().filter(|(other, _)| !shifts && other.1 != who) {
                    prop_assert_eq!(now.get(other), Some(number), "{:?}", other);
                }
                let used = seats.used(instance, &name(""));
                prop_assert!(used <= most, "{} of {}", used, most);
            }
        }
        for who in 0..30 {
            leave(&mut seats, &who.to_string());
        }
        tidy(&mut seats, &all);
        prop_assert!(seats.kept.is_empty());
    }

    /// What a process knows it knows from the cluster, so the next one goes on in the same way.
    #[test]
    fn a_restart_changes_nothing(deeds in deeds()) {
        let mut seats = Seats::default();
        let all = instances("x", 1);
        let mut needs: BTreeMap<String, Extent> = BTreeMap::new();
        for deed in deeds {
            match deed {
                Deed::Take(who, need) => {
                    enter(&mut seats, &who.to_string(), &all, need, 1000).unwrap();
                    needs.insert(who.to_string(), need);
                }
                Deed::Leave(who) => {
                    leave(&mut seats, &who.to_string());
                    needs.remove(&who.to_string());
                }
            }
        }
        tidy(&mut seats, &all);
        let mut next = Seats::default();
        for ((instance, order), kept) in &seats.kept {
            next.holds("system", instance, *order, kept.written().unwrap());
        }
        for (name, taken) in seats.there.all() {
            next.found(name.clone(), taken.holding.clone());
        }
        prop_assert_eq!(next.chores(&all.iter().cloned().collect()), []);
        let before = numbers(&seats, "x");
        for (who, need) in needs {
            let extent = seats.there.get(&name(&who)).unwrap().holding.extent;
            let seat = enter(&mut next, &who, &all, need, 1000).unwrap();
            let behind = seats.behind("x", seat.order).any;
            prop_assert_eq!(seat.extent, if behind { extent } else { need });
        }
        prop_assert_eq!(numbers(&next, "x"), before);
    }
}
