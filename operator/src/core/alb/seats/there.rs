//! The Ingresses by their load balancers, so that to find a place on one takes no look at those of all
//! others.

use std::collections::BTreeMap;

use super::{Name, Taken};

/// All Ingresses.
#[derive(Clone, Debug, Default)]
pub(super) struct There {
    /// By the load balancer that their holding names.
    on: BTreeMap<String, BTreeMap<Name, Taken>>,
    at: BTreeMap<Name, String>,
}

impl There {
    pub(super) fn get(&self, name: &Name) -> Option<&Taken> {
        self.on.get(self.at.get(name)?)?.get(name)
    }

    /// To change what it has at its place; it stays on its load balancer.
    pub(super) fn get_mut(&mut self, name: &Name) -> Option<&mut Taken> {
        self.on.get_mut(self.at.get(name)?)?.get_mut(name)
    }

    /// In place of what was there under the name.
    pub(super) fn put(&mut self, name: Name, taken: Taken) {
        self.remove(&name);
        let instance = taken.holding.instance.clone();
        self.at.insert(name.clone(), instance.clone());
        self.on.entry(instance).or_default().insert(name, taken);
    }

    pub(super) fn remove(&mut self, name: &Name) -> Option<Taken> {
        let instance = self.at.remove(name)?;
        let on = self.on.get_mut(&instance)?;
        let taken = on.remove(name);
        if on.is_empty() {
            self.on.remove(&instance);
        }
        taken
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Name, &Taken)> {
        self.on.values().flatten()
    }

    /// Those on a load balancer.
    pub(super) fn on(&self, instance: &str) -> impl Iterator<Item = (&Name, &Taken)> + Clone {
        let on = self.on.get(instance).into_iter().flatten();
        #[cfg(test)]
        let on = on.inspect(|_| LOOKED_AT.set(LOOKED_AT.get() + 1));
        on
    }

    /// The same, see [`There::get_mut`].
    pub(super) fn on_mut(&mut self, instance: &str) -> impl Iterator<Item = (&Name, &mut Taken)> {
        self.on.get_mut(instance).into_iter().flatten()
    }
}

#[cfg(test)]
thread_local! {
    /// How many Ingresses were looked at in this thread.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
