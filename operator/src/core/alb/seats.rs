//! Which load balancer an Ingress is on, and its place there.
//!
//! The ALB Ingress controller numbers the rules of all Ingresses of an AlbConfig through, in their
//! `order`. So an Ingress gets a place behind all others and keeps it: nobody who comes later moves
//! a rule of those who were there before.

use std::collections::BTreeMap;

use thiserror::Error;

/// The first place that is given. The controller's default for Ingresses without one is 10.
const FIRST: u16 = 11;
/// The last place that there is.
const LAST: u16 = 1000;

/// An Ingress, by namespace and name. Load balancers are told apart by the name of their
/// IngressClass, which is what an Ingress has of them.
pub type Name = (String, String);

/// Where an Ingress is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Name of its IngressClass.
    pub instance: String,
    /// Its place.
    pub order: u16,
}

/// There is no room.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Full {
    /// On the load balancer that the Ingress is on.
    #[error(
        "the load balancer of IngressClass \"{instance}\" has room for {room} of its {wanted} forwarding rules"
    )]
    Here {
        /// Name of its IngressClass.
        instance: String,
        /// How many it may have.
        room: usize,
        /// How many it needs.
        wanted: usize,
    },
    /// On any.
    #[error("none of {instances} load balancers has room for {wanted} forwarding rules")]
    Everywhere {
        /// How many there may be.
        instances: usize,
        /// How many rules.
        wanted: usize,
    },
}

#[derive(Clone, Debug, Default)]
struct Taken {
    instance: String,
    order: Option<u16>,
    rules: usize,
}

/// All Ingresses on our load balancers, with their places.
#[derive(Clone, Debug, Default)]
pub struct Seats(BTreeMap<Name, Taken>);

impl Seats {
    /// An Ingress that we made is there. Its place is the one it was given: what somebody wrote over
    /// that is put back.
    pub fn found(&mut self, name: Name, instance: &str, order: Option<u16>, rules: usize) {
        if !self.0.contains_key(&name) {
            self.seen(name, instance, order, rules);
        }
    }

    /// Somebody else's Ingress is there, on the same load balancer.
    pub fn seen(&mut self, name: Name, instance: &str, order: Option<u16>, rules: usize) {
        let taken = Taken {
            instance: instance.to_owned(),
            order,
            rules,
        };
        self.0.insert(name, taken);
    }

    /// An Ingress is gone.
    pub fn gone(&mut self, name: &Name) {
        self.0.remove(name);
    }

    /// The place of an Ingress with so many rules: the one it has, else one behind all others on the
    /// first load balancer with room.
    pub fn take(
        &mut self,
        name: &Name,
        instances: &[String],
        rules: usize,
        most: usize,
    ) -> Result<Seat, Full> {
        let has = self.0.get(name).cloned();
        let has = has.filter(|taken| instances.contains(&taken.instance));
        let seat = match has {
            Some(Taken {
                instance,
                order: Some(order),
                ..
            }) => {
                let room = self.room(&instance, name, most);
                if rules > room {
                    return Err(Full::Here {
                        instance,
                        room,
                        wanted: rules,
                    });
                }
                Seat { instance, order }
            }
            _ => self
                .free(name, instances, rules, most)
                .ok_or(Full::Everywhere {
                    instances: instances.len(),
                    wanted: rules,
                })?,
        };
        self.seen(name.clone(), &seat.instance, Some(seat.order), rules);
        Ok(seat)
    }

    fn free(&self, name: &Name, instances: &[String], rules: usize, most: usize) -> Option<Seat> {
        let fits = |instance: &&String| rules <= self.room(instance, name, most);
        let mut fitting = instances.iter().filter(fits);
        fitting.find_map(|instance| {
            let order = self.next_order(instance)?;
            Some(Seat {
                instance: instance.clone(),
                order,
            })
        })
    }

    /// Rules that an Ingress may have on a load balancer, beside those of all others.
    fn room(&self, instance: &str, name: &Name, most: usize) -> usize {
        let others = self.0.iter().filter(|(other, _)| *other != name);
        let used: usize = others
            .filter(|(_, taken)| taken.instance == instance)
            .map(|(_, taken)| taken.rules)
            .sum();
        most.saturating_sub(used)
    }

    /// Behind all others; once the last place is taken, the hindmost that became free.
    fn next_order(&self, instance: &str) -> Option<u16> {
        let taken = self.0.values().filter(|taken| taken.instance == instance);
        let taken: Vec<u16> = taken.filter_map(|taken| taken.order).collect();
        let behind = taken.iter().max().map_or(FIRST, |last| last + 1).max(FIRST);
        if behind <= LAST {
            return Some(behind);
        }
        (FIRST..=LAST).rev().find(|order| !taken.contains(order))
    }
}

/// The names of a gateway's AlbConfigs, the first of them as given.
pub fn instances(first: &str, most: usize) -> Vec<String> {
    let name = |number: usize| match number {
        1 => first.to_owned(),
        number => format!("{first}-{number}"),
    };
    (1..=most.max(1)).map(name).collect()
}

/// The IngressClass of an AlbConfig.
pub fn ingress_class(instance: &str) -> String {
    let name = instance.strip_prefix("knative-").unwrap_or(instance);
    format!("knative-alb-ingress-{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        ("default".to_owned(), text.to_owned())
    }

    #[test]
    fn who_comes_later_is_behind_and_who_is_there_stays() {
        let mut seats = Seats::default();
        let two = instances("knative-internet", 2);
        let mut take = |who: &str, rules| seats.take(&name(who), &two, rules, 10);
        let seat = |instance: &str, order| {
            Ok(Seat {
                instance: instance.to_owned(),
                order,
            })
        };
        assert_eq!(take("z", 3), seat("knative-internet", 11));
        assert_eq!(take("a", 3), seat("knative-internet", 12));
        assert_eq!(take("z", 4), seat("knative-internet", 11));
        assert_eq!(take("b", 4), seat("knative-internet-2", 11));
        assert_eq!(take("c", 3), seat("knative-internet", 13));
        let full = take("z", 5).unwrap_err().to_string();
        assert!(full.contains("room for 4 of its 5"), "{full}");
        let full = take("d", 7).unwrap_err().to_string();
        assert!(full.contains("none of 2 load balancers"), "{full}");
    }

    #[test]
    fn a_place_that_became_free_is_given_again_only_when_none_is_left_behind() {
        let mut seats = Seats::default();
        let one = instances("x", 1);
        seats.seen(name("early"), "x", Some(11), 1);
        seats.seen(name("last"), "x", Some(LAST), 1);
        assert_eq!(
            seats.take(&name("new"), &one, 1, 50).map(|seat| seat.order),
            Ok(999)
        );
        seats.gone(&name("last"));
        assert_eq!(
            seats
                .take(&name("newer"), &one, 1, 50)
                .map(|seat| seat.order),
            Ok(1000)
        );
    }

    #[test]
    fn what_somebody_writes_over_a_place_does_not_move_it() {
        let mut seats = Seats::default();
        let one = instances("x", 1);
        seats.found(name("ours"), "x", Some(11), 2);
        seats.found(name("ours"), "y", Some(999), 2);
        let seat = seats.take(&name("ours"), &one, 2, 50).unwrap();
        assert_eq!((seat.instance.as_str(), seat.order), ("x", 11));
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
        Take(u8, usize),
        Leave(u8),
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let deed = prop_oneof![
            3 => (0u8..40, 1usize..6).prop_map(|(who, rules)| Deed::Take(who, rules)),
            1 => (0u8..40).prop_map(Deed::Leave),
        ];
        prop::collection::vec(deed, 1..120)
    }

    proptest! {
        #[test]
        fn nobody_moves_because_of_others(deeds in deeds()) {
            let mut seats = Seats::default();
            let all = instances("x", 3);
            let mut known: BTreeMap<Name, (Seat, usize)> = BTreeMap::new();
            for deed in deeds {
                match deed {
                    Deed::Take(who, rules) => {
                        let who = name(&who.to_string());
                        let behind = known.values().map(|(seat, _)| seat.clone()).collect::<Vec<_>>();
                        if let Ok(seat) = seats.take(&who, &all, rules, 30) {
                            match known.insert(who, (seat.clone(), rules)) {
                                Some((before, _)) => prop_assert_eq!(before, seat),
                                None => for other in behind.iter().filter(|other| other.instance == seat.instance) {
                                    prop_assert!(other.order < seat.order);
                                },
                            }
                        }
                    }
                    Deed::Leave(who) => {
                        let who = name(&who.to_string());
                        seats.gone(&who);
                        known.remove(&who);
                    }
                }
                for instance in &all {
                    let here = known.values().filter(|(seat, _)| seat.instance == *instance);
                    prop_assert!(here.map(|(_, rules)| rules).sum::<usize>() <= 30);
                }
            }
        }
    }
}
