//! Which load balancer an Ingress is on, and its place there.
//!
//! The ALB Ingress controller numbers the rules of all Ingresses of an AlbConfig through, in their
//! `order`, on each listener by itself. So the rules of an Ingress keep their numbers for as long as
//! those before it have as many rules as they had. Therefore an Ingress gets a place and keeps it; one
//! with fewer rules than its place has room for is filled up; one that goes or outgrows its place leaves
//! a placeholder there; and who comes takes the place of a placeholder, or one behind all others.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

mod kept;
mod there;

pub use kept::Chore;
use kept::{Kept, Room};
use there::There;

/// The first place that is given. The controller's default for Ingresses without one is 10.
const FIRST: u16 = 11;
/// The place of Ingresses that name none.
const DEFAULT: u16 = 10;
/// The last place that there is.
const LAST: u16 = 1000;

/// An Ingress, by namespace and name. Load balancers are told apart by the name of their
/// IngressClass, which is what an Ingress has of them.
pub type Name = (String, String);

/// How many rules there are, and on which listeners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Rules on the listener of port 80.
    pub rules: usize,
    /// Whether they are on that of port 443 too.
    pub secured: bool,
}

impl Extent {
    /// Rules on all listeners, which is what ALB's quota is about.
    pub fn counted(self) -> usize {
        self.rules * (1 + usize::from(self.secured))
    }
}

/// Where an Ingress is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Name of its IngressClass.
    pub instance: String,
    /// Its place.
    pub order: u16,
    /// What it has to have there. What it does not need of that is filled with rules that match
    /// nothing.
    pub extent: Extent,
    /// Places whose placeholders have to go for it, the hindmost first.
    pub reclaimed: Vec<u16>,
    /// Whether the rules of others get other numbers by it, since there is no room to avoid that.
    pub shifts: bool,
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

/// What an Ingress has, as it is written there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Name of its IngressClass.
    pub instance: String,
    /// Its place, if it names one.
    pub order: Option<u16>,
    /// Its rules.
    pub extent: Extent,
    /// How many of these only fill its place.
    pub idle: usize,
}

impl Holding {
    /// What of it only fills its place.
    fn filling(&self) -> Extent {
        Extent {
            rules: self.idle.min(self.extent.rules),
            ..self.extent
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Taken {
    holding: Holding,
    is_ours: bool,
}

impl Taken {
    fn is_at(&self, instance: &str, order: u16) -> bool {
        self.holding.instance == instance && self.holding.order == Some(order)
    }
}

/// Who is behind a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Behind {
    any: bool,
    secured: bool,
}

/// All Ingresses on our load balancers with their places, and the places that are kept.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub struct Seats {
    there: There,
    kept: BTreeMap<(String, u16), Kept>,
    squeezed: bool,
}

impl Seats {
    /// An Ingress that we made is there. Its place is the one it was given: what somebody wrote over
    /// that is put back.
    pub fn found(&mut self, name: Name, holding: Holding) {
        let is_ours = true;
        if self.there.get(&name).is_none() {
            self.there.put(name, Taken { holding, is_ours });
        }
    }

    /// Somebody else's Ingress is there, on the same load balancer.
    pub fn seen(&mut self, name: Name, holding: Holding) {
        let is_ours = false;
        self.there.put(name, Taken { holding, is_ours });
    }

    /// An Ingress is gone, or going. The place of one of ours is kept if somebody is behind it.
    pub fn gone(&mut self, name: &Name) {
        let Some(taken) = self.there.remove(name).filter(|taken| taken.is_ours) else {
            return;
        };
        if let Some(order) = taken.holding.order {
            self.keep(&taken.holding.instance, order, taken.holding.extent);
        }
    }

    /// An Ingress is written as [`Seats::take`] said.
    pub fn wrote(&mut self, name: &Name, seat: &Seat) {
        self.there.change(name, |taken| {
            if taken.is_at(&seat.instance, seat.order) {
                taken.holding.extent = seat.extent;
            }
        });
    }

    /// The place of an Ingress that needs so much: the one it has, if it fits there; else that of a
    /// placeholder in which it fits, or one behind all others, on the first load balancer with room.
    pub fn take(
        &mut self,
        name: &Name,
        instances: &[String],
        need: Extent,
        most: usize,
    ) -> Result<Seat, Full> {
        let (seat, room) = self.find(name, instances, need, most)?;
        self.make(&room, &seat.instance, name);
        let mut extent = seat.extent;
        match self.place_of(name) {
            // Until it is written, those who come reckon with what is there.
            Some((order, had)) if had.instance == seat.instance && order == seat.order => {
                extent.rules = extent.rules.max(had.extent.rules);
                extent.secured |= had.extent.secured;
            }
            Some((order, had)) => {
                let (instance, left) = (had.instance.clone(), had.extent);
                self.keep(&instance, order, left);
            }
            None => {}
        }
        let holding = Holding {
            instance: seat.instance.clone(),
            order: Some(seat.order),
            extent,
            idle: seat.extent.rules.saturating_sub(need.rules),
        };
        let is_ours = true;
        self.there.put(name.clone(), Taken { holding, is_ours });
        self.fill(&seat.instance, seat.order);
        Ok(seat)
    }

    /// The place that [`Seats::take`] would take now.
    pub fn would_take(
        &self,
        name: &Name,
        instances: &[String],
        need: Extent,
        most: usize,
    ) -> Result<Seat, Full> {
        let (seat, _) = self.find(name, instances, need, most)?;
        Ok(seat)
    }

    fn find(
        &self,
        name: &Name,
        instances: &[String],
        need: Extent,
        most: usize,
    ) -> Result<(Seat, Room), Full> {
        match self.place_of(name) {
            Some((order, had)) if instances.contains(&had.instance) => {
                self.stay_or_move(name, order, had, need, most)
            }
            _ => self.enter(name, instances, need, most),
        }
    }

    fn place_of(&self, name: &Name) -> Option<(u16, &Holding)> {
        let had = &self.there.get(name)?.holding;
        Some((had.order?, had))
    }

    fn stay_or_move(
        &self,
        name: &Name,
        order: u16,
        had: &Holding,
        need: Extent,
        most: usize,
    ) -> Result<(Seat, Room), Full> {
        let behind = self.behind(&had.instance, order);
        let rules_fit = need.rules <= had.extent.rules || !behind.any;
        let listeners_fit = need.secured == had.extent.secured || !behind.secured;
        let fits = rules_fit && listeners_fit;
        if !fits && let Some(seat) = self.free(&had.instance, name, need, most, had.extent) {
            return Ok((seat, Room::default()));
        }
        let filled = fits && behind.any;
        let extent = Extent {
            rules: if filled {
                had.extent.rules.max(need.rules)
            } else {
                need.rules
            },
            secured: need.secured,
        };
        let room = self.room(&had.instance, name, extent.counted(), most);
        let (room, extent) = match room {
            Some(room) => (room, extent),
            // What fills its own place has to go too.
            None => {
                let room = self.room(&had.instance, name, need.counted(), most);
                let full = || Full::Here {
                    instance: had.instance.clone(),
                    room: most.saturating_sub(self.used(&had.instance, name)),
                    wanted: need.counted(),
                };
                (room.ok_or_else(full)?, need)
            }
        };
        let is_cut = filled && extent.rules < had.extent.rules;
        let makes_room = room.squeezed || !room.reclaimed.is_empty();
        let seat = Seat {
            instance: had.instance.clone(),
            order,
            extent,
            reclaimed: room.reclaimed.clone(),
            shifts: !fits || is_cut || self.squeezed || makes_room,
        };
        Ok((seat, room))
    }

    fn enter(
        &self,
        name: &Name,
        instances: &[String],
        need: Extent,
        most: usize,
    ) -> Result<(Seat, Room), Full> {
        // No look at those on load balancers that are full.
        let with_room = instances
            .iter()
            .filter(|instance| self.may_have_room(instance, name, need.counted(), most));
        for instance in with_room {
            if let Some(seat) = self.free(instance, name, need, most, Extent::default()) {
                return Ok((seat, Room::default()));
            }
            // Placeholders go before another load balancer is made.
            if let Some(order) = self.next_order(instance)
                && let Some(room) = self.room(instance, name, need.counted(), most)
            {
                let seat = Seat {
                    instance: instance.clone(),
                    order,
                    extent: need,
                    reclaimed: room.reclaimed.clone(),
                    shifts: true,
                };
                return Ok((seat, room));
            }
        }
        Err(Full::Everywhere {
            instances: instances.len(),
            wanted: need.counted(),
        })
    }

    /// A place on a load balancer that moves nobody: that of the placeholder that it fits best, else
    /// one behind all others. `left` is what stays behind at the place that it leaves.
    fn free(
        &self,
        instance: &str,
        name: &Name,
        need: Extent,
        most: usize,
        left: Extent,
    ) -> Option<Seat> {
        let used = self.used(instance, name) + left.counted();
        let seat = |order, extent, shifts| Seat {
            instance: instance.to_owned(),
            order,
            extent,
            reclaimed: Vec::new(),
            shifts,
        };
        let fitting = self.vacant(instance).filter_map(|(order, kept)| {
            let same = need.secured == kept.secured;
            let fits = need.rules <= kept.rules;
            let extent = Extent {
                rules: kept.rules,
                secured: need.secured,
            };
            let has_room = used + extent.counted() <= most + kept.counted();
            let taken = fits && has_room && (same || !self.behind(instance, order).secured);
            taken.then_some((order, extent))
        });
        let best = fitting.min_by_key(|(order, extent)| (extent.rules, *order));
        if let Some((order, extent)) = best {
            return Some(seat(order, extent, false));
        }
        let order = self.next_order(instance)?;
        let shifts = self.behind(instance, order).any;
        (used + need.counted() <= most).then(|| seat(order, need, shifts))
    }

    /// Rules on a load balancer that are those of others, or kept.
    fn used(&self, instance: &str, name: &Name) -> usize {
        let others = self.others(instance, name);
        let used: usize = others.map(|holding| holding.extent.counted()).sum();
        let kept = self.vacant(instance);
        let kept: usize = kept.map(|(_, extent)| extent.counted()).sum();
        used + kept
    }

    fn others(&self, instance: &str, name: &Name) -> impl Iterator<Item = &Holding> {
        let others = self.there.on(instance);
        let others = others.filter(move |(other, _)| *other != name);
        others.map(|(_, taken)| &taken.holding)
    }

    fn behind(&self, instance: &str, order: u16) -> Behind {
        let all = self.there.on(instance).map(|(_, taken)| &taken.holding);
        let mut behind = all.filter(|holding| holding.order.unwrap_or(DEFAULT) > order);
        let any = behind.clone().next().is_some();
        let secured = behind.any(|holding| holding.extent.secured);
        Behind { any, secured }
    }

    /// Behind all others; once the last place is taken, the hindmost that became free.
    fn next_order(&self, instance: &str) -> Option<u16> {
        let there = self.there.on(instance);
        let there = there.filter_map(|(_, taken)| taken.holding.order);
        let kept = self.kept_on(instance).map(|(place, _)| place);
        let taken: BTreeSet<u16> = there.chain(kept.map(|(_, order)| *order)).collect();
        let behind = taken.last().map_or(FIRST, |last| last + 1).max(FIRST);
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
mod tests;
