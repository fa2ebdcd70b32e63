//! The guard against mass changes, as passes and watches use it. `core/guard` decides.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crds::v1alpha1::{GatewayBindingClass, GatewayConsumer, MassChangeStatus};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::queue::Asker;
use crate::core::consumer::claims::Location;
use crate::core::guard::{Answer, Fleet, Limits, Stake, Thing, Things};

/// What the classes have at stake. Clones share it.
#[derive(Clone)]
pub struct Guard {
    state: Arc<Mutex<State>>,
    classes: Asker<GatewayBindingClass>,
}

#[derive(Default)]
struct State {
    fleets: HashMap<String, Fleet>,
    /// The class under which a binding counts.
    homes: HashMap<String, String>,
    /// Where a class leads.
    places: HashMap<String, Location>,
    /// What bindings and consumers that wait were last told by their class.
    told: HashMap<String, Told>,
}

/// Whether a class holds something, and what was confirmed last.
type Told = (bool, Option<String>);

impl Guard {
    /// Nothing is known yet. `classes` is asked for a pass over a class that has something new to say.
    pub fn new(classes: Asker<GatewayBindingClass>) -> Self {
        Self {
            state: Arc::default(),
            classes,
        }
    }

    /// A class was seen. Returns whether who waits for it may go on, and whether it leads elsewhere
    /// than before.
    pub fn class(&self, class: &GatewayBindingClass) -> Seen {
        let name = class.name_any();
        let status = class.status.as_ref();
        let change = status.and_then(|status| status.mass_change.as_ref());
        let confirmed = change.and_then(|change| change.confirmed.as_ref());
        let told = (
            change.is_some_and(|change| change.held.is_some()),
            confirmed.map(|confirmed| confirmed.token.clone()),
        );
        let digests = confirmed.iter().flat_map(|confirmed| &confirmed.digests);
        let mut state = self.lock();
        let fleet = state.fleets.entry(name.clone()).or_default();
        fleet.rule(Limits::of(&class.spec), digests.cloned());
        let place = place(class);
        let moved = state.places.get(&name) != place.as_ref();
        match place {
            Some(place) => state.places.insert(name.clone(), place),
            None => state.places.remove(&name),
        };
        let released = state.told.insert(name, told.clone()) != Some(told);
        Seen { released, moved }
    }

    /// A class is gone.
    pub fn class_gone(&self, name: &str) {
        let mut state = self.lock();
        state.fleets.remove(name);
        state.places.remove(name);
        state.told.remove(name);
        state.homes.retain(|_, home| home != name);
    }

    /// What a binding has at stake, in which class.
    pub fn binding(&self, uid: &str, class: Option<&str>, stake: Stake) {
        let mut state = self.lock();
        let home = state.homes.get(uid).cloned();
        if home.as_deref() != class {
            self.leave(&mut state, uid);
        }
        if let Some(class) = class {
            state.homes.insert(uid.to_owned(), class.to_owned());
            self.put(&mut state, class, uid, stake);
        }
    }

    /// What a consumer has at stake, in the classes that lead to where it is.
    pub fn consumer(&self, consumer: &GatewayConsumer) {
        let Some(uid) = consumer.uid() else { return };
        let mut state = self.lock();
        let places: Vec<(String, Location)> = state
            .places
            .iter()
            .map(|(class, place)| (class.clone(), place.clone()))
            .collect();
        for (class, place) in places {
            let stake = Stake::of_consumer(consumer, &place);
            self.put(&mut state, &class, &uid, stake);
        }
    }

    /// A binding or consumer is gone.
    pub fn gone(&self, uid: &str) {
        self.leave(&mut self.lock(), uid);
    }

    /// Whether a binding's pass may remove these things.
    pub fn ask(&self, class: &str, uid: &str, things: &Things) -> Answer {
        let mut state = self.lock();
        let fleet = state.fleets.entry(class.to_owned()).or_default();
        let (answer, news) = fleet.ask(uid, things, Instant::now());
        if news {
            self.tell(class);
        }
        answer
    }

    /// What of these things a pass could not remove unasked.
    pub fn foresee(&self, class: &str, things: &Things) -> BTreeSet<Thing> {
        let state = self.lock();
        let fleet = state.fleets.get(class);
        fleet.map_or_else(BTreeSet::new, |fleet| fleet.foresee(things, Instant::now()))
    }

    /// Whether a consumer's pass may remove these things from an account: all classes that lead there
    /// are asked. With the class that says no.
    pub fn ask_at(&self, place: &Location, uid: &str, things: &Things) -> (Answer, String) {
        let mut worst = (Answer::Go, String::new());
        for class in self.classes_at(place) {
            match self.ask(&class, uid, things) {
                Answer::Go => {}
                Answer::Later(left) => {
                    if worst.0 == Answer::Go {
                        worst = (Answer::Later(left), class);
                    }
                }
                held @ Answer::Held(_) => worst = (held, class),
            }
        }
        worst
    }

    /// A member's pass removes nothing.
    pub fn withdraw(&self, uid: &str) {
        for (class, fleet) in &mut self.lock().fleets {
            if fleet.ask(uid, &Things::new(), Instant::now()).1 {
                self.tell(class);
            }
        }
    }

    /// Something of a class went.
    pub fn went(&self, class: &str, thing: &Thing) {
        if let Some(fleet) = self.lock().fleets.get_mut(class) {
            fleet.went(thing, Instant::now());
        }
    }

    /// Something went from an account.
    pub fn went_at(&self, place: &Location, thing: &Thing) {
        for class in self.classes_at(place) {
            self.went(&class, thing);
        }
    }

    /// What the status of a class is to say, and in how long that may be less.
    pub fn status(
        &self,
        class: &GatewayBindingClass,
    ) -> (Option<MassChangeStatus>, Option<Duration>) {
        let state = self.lock();
        let Some(fleet) = state.fleets.get(&class.name_any()) else {
            return (None, None);
        };
        let guard = class.spec.mass_change_guard.as_ref();
        let confirms = guard.and_then(|guard| guard.confirmed.as_deref());
        let status = class.status.as_ref();
        let before = status.and_then(|status| status.mass_change.as_ref());
        let before = before.and_then(|change| change.confirmed.as_ref());
        fleet.status(confirms, before, Instant::now())
    }

    fn classes_at(&self, place: &Location) -> BTreeSet<String> {
        let state = self.lock();
        let there = state.places.iter().filter(|(_, other)| *other == place);
        there.map(|(class, _)| class.clone()).collect()
    }

    fn put(&self, state: &mut State, class: &str, uid: &str, stake: Stake) {
        let fleet = state.fleets.entry(class.to_owned()).or_default();
        if fleet.put(uid, stake, Instant::now()) {
            self.tell(class);
        }
    }

    fn leave(&self, state: &mut State, uid: &str) {
        state.homes.remove(uid);
        for (class, fleet) in &mut state.fleets {
            if fleet.remove(uid, Instant::now()) {
                self.tell(class);
            }
        }
    }

    fn tell(&self, class: &str) {
        self.classes.edited(ObjectRef::new(class));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it comes to that a class was seen.
pub struct Seen {
    /// Whether who waits for its guard may go on.
    pub released: bool,
    /// Whether it leads elsewhere than before.
    pub moved: bool,
}

fn place(class: &GatewayBindingClass) -> Option<Location> {
    Some(Location {
        account: class.status.as_ref()?.account.clone()?,
        region: class.spec.cloud.as_ref()?.region_id.clone(),
    })
}
