//! The Ingresses by their load balancers, so that to find a place on one takes no look at those of all
//! others.

use std::collections::BTreeMap;

use super::{Name, Taken};

/// All Ingresses.
#[derive(Clone, Debug, Default)]
pub(super) struct There {
    /// By the load balancer that their holding names.
    on: BTreeMap<String, Load>,
    at: BTreeMap<Name, String>,
}

/// What is on a load balancer.
#[derive(Clone, Debug, Default)]
struct Load {
    all: BTreeMap<Name, Taken>,
    /// Of all of them together.
    sums: Sums,
}

/// What is known of Ingresses without a look at each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Rules that are needed, on all listeners: without those that only fill places.
    pub needed: usize,
    /// Ingresses of ours of which some rules only fill their place.
    pub filled: usize,
}

impl Sums {
    pub(super) fn of(taken: &Taken) -> Self {
        let holding = &taken.holding;
        let all = holding.extent.counted();
        Self {
            needed: all - holding.filling().counted(),
            filled: usize::from(taken.is_ours && holding.idle > 0),
        }
    }

    fn add(&mut self, taken: &Taken) {
        let own = Self::of(taken);
        self.needed += own.needed;
        self.filled += own.filled;
    }

    fn subtract(&mut self, taken: &Taken) {
        let own = Self::of(taken);
        self.needed -= own.needed;
        self.filled -= own.filled;
    }
}

impl There {
    pub(super) fn get(&self, name: &Name) -> Option<&Taken> {
        self.on.get(self.at.get(name)?)?.all.get(name)
    }

    /// Changes what one has at its place; it stays on its load balancer.
    pub(super) fn change(&mut self, name: &Name, change: impl FnOnce(&mut Taken)) {
        let load = self.at.get(name).and_then(|at| self.on.get_mut(at));
        if let Some(load) = load
            && let Some(taken) = load.all.get_mut(name)
        {
            load.sums.subtract(taken);
            change(taken);
            load.sums.add(taken);
        }
    }

    /// The same for all on a load balancer.
    pub(super) fn change_on(&mut self, instance: &str, mut change: impl FnMut(&Name, &mut Taken)) {
        let Some(load) = self.on.get_mut(instance) else {
            return;
        };
        load.sums = Sums::default();
        for (name, taken) in &mut load.all {
            change(name, taken);
            load.sums.add(taken);
        }
    }

    /// In place of what was there under the name.
    pub(super) fn put(&mut self, name: Name, taken: Taken) {
        self.remove(&name);
        let instance = taken.holding.instance.clone();
        self.at.insert(name.clone(), instance.clone());
        let load = self.on.entry(instance).or_default();
        load.sums.add(&taken);
        load.all.insert(name, taken);
    }

    pub(super) fn remove(&mut self, name: &Name) -> Option<Taken> {
        let instance = self.at.remove(name)?;
        let load = self.on.get_mut(&instance)?;
        let taken = load.all.remove(name);
        if let Some(taken) = &taken {
            load.sums.subtract(taken);
        }
        if load.all.is_empty() {
            self.on.remove(&instance);
        }
        taken
    }

    /// Those of which some rules only fill their place.
    pub(super) fn filled(&self) -> impl Iterator<Item = (&Name, &Taken)> {
        let loads = self.on.values().filter(|load| load.sums.filled > 0);
        let all = loads.flat_map(|load| &load.all);
        all.filter(|(_, taken)| Sums::of(taken).filled > 0)
    }

    /// What is on a load balancer, all together.
    pub(super) fn sums(&self, instance: &str) -> Sums {
        self.on
            .get(instance)
            .map_or_else(Sums::default, |load| load.sums)
    }

    /// Those on a load balancer.
    pub(super) fn on(&self, instance: &str) -> impl Iterator<Item = (&Name, &Taken)> + Clone {
        let on = self.on.get(instance).into_iter();
        let on = on.flat_map(|load| &load.all);
        #[cfg(test)]
        let on = on.inspect(|_| LOOKED_AT.set(LOOKED_AT.get() + 1));
        on
    }
}

#[cfg(test)]
impl There {
    pub(super) fn all(&self) -> impl Iterator<Item = (&Name, &Taken)> {
        self.on.values().flat_map(|load| &load.all)
    }

    /// Whether what is known of all together is what each of them says.
    pub(super) fn adds_up(&self) -> bool {
        self.on.values().all(|load| {
            let mut sums = Sums::default();
            load.all.values().for_each(|taken| sums.add(taken));
            sums == load.sums
        })
    }
}

#[cfg(test)]
thread_local! {
    /// How many Ingresses were looked at in this thread.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
