//! Places that are kept by placeholders, so that nobody behind them moves.

use std::collections::BTreeSet;

use super::there::Sums;
use super::{Extent, Holding, Name, Seats};

/// A place that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// What was there.
    extent: Extent,
    /// The placeholder in the cluster: its namespace, and what it has.
    written: Option<(String, Extent)>,
    /// Whether it has to go, since its rules are needed.
    is_reclaimed: bool,
}

/// What is given up on a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// Places whose placeholders go, the hindmost first.
    pub reclaimed: Vec<u16>,
    /// Whether what fills the places of others goes as well.
    pub squeezed: bool,
}

/// What is to be done about a place that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chore {
    /// A placeholder is to be there.
    Write {
        /// The namespace it is in, if it is there.
        namespace: Option<String>,
        /// Name of the IngressClass.
        instance: String,
        /// The place.
        order: u16,
        /// What it is to have.
        extent: Extent,
    },
    /// The placeholder there is not needed any more.
    Drop {
        /// The namespace it is in.
        namespace: String,
        /// Name of the IngressClass.
        instance: String,
        /// The place.
        order: u16,
    },
}

impl Chore {
    /// Name of the IngressClass.
    pub fn instance(&self) -> &str {
        let (Self::Write { instance, .. } | Self::Drop { instance, .. }) = self;
        instance
    }
}

#[cfg(test)]
impl Kept {
    pub(super) fn written(&self) -> Option<Extent> {
        self.written.as_ref().map(|(_, extent)| *extent)
    }
}

impl Seats {
    /// A placeholder is there.
    pub fn holds(&mut self, namespace: &str, instance: &str, order: u16, extent: Extent) {
        let key = (instance.to_owned(), order);
        let kept = self.kept.entry(key).or_insert_with(|| Kept {
            extent,
            ..Kept::default()
        });
        kept.written = Some((namespace.to_owned(), extent));
    }

    /// A placeholder is gone.
    pub fn released(&mut self, instance: &str, order: u16) {
        let key = (instance.to_owned(), order);
        // One that is only about to be written is another one.
        if self
            .kept
            .get(&key)
            .is_some_and(|kept| kept.written.is_some())
        {
            self.kept.remove(&key);
        }
    }

    /// The namespace of the placeholder at a place, if there is one.
    pub fn placeholder(&self, instance: &str, order: u16) -> Option<String> {
        let kept = self.kept.get(&(instance.to_owned(), order))?;
        let (namespace, _) = kept.written.as_ref()?;
        Some(namespace.clone())
    }

    /// An Ingress leaves for good. What it has at its place.
    pub fn leaves(&mut self, name: &Name, instance: &str, order: u16) -> Option<Chore> {
        let at = self.there.get(name);
        if at.is_some_and(|taken| !taken.is_at(instance, order)) {
            // It was to move, and its new place was never written.
            self.there.remove(name);
        }
        self.gone(name);
        self.keeping(instance, order)
    }

    /// What has to be at a place before the Ingress there goes elsewhere; none: nothing.
    pub fn keeping(&self, instance: &str, order: u16) -> Option<Chore> {
        let kept = self.kept.get(&(instance.to_owned(), order))?;
        let behind = self.behind(instance, order);
        let is_wanted = behind.any && !kept.is_reclaimed && !self.is_held(instance, order);
        is_wanted.then(|| self.write(instance, order, kept))
    }

    fn write(&self, instance: &str, order: u16, kept: &Kept) -> Chore {
        let secured = kept.extent.secured && self.behind(instance, order).secured;
        let written = kept.written.as_ref();
        Chore::Write {
            namespace: written.map(|(namespace, _)| namespace.clone()),
            instance: instance.to_owned(),
            order,
            extent: Extent {
                rules: kept.extent.rules,
                secured,
            },
        }
    }

    /// Somebody leaves a place: it is kept if somebody is behind it.
    pub(super) fn keep(&mut self, instance: &str, order: u16, extent: Extent) {
        if self.behind(instance, order).any && extent.rules > 0 {
            let key = (instance.to_owned(), order);
            let kept = self.kept.entry(key).or_default();
            kept.extent = extent;
            kept.is_reclaimed = false;
        }
    }

    fn is_held(&self, instance: &str, order: u16) -> bool {
        let mut there = self.there.on(instance);
        there.any(|(_, taken)| taken.is_at(instance, order))
    }

    pub(super) fn kept_on(
        &self,
        instance: &str,
    ) -> impl DoubleEndedIterator<Item = (&(String, u16), &Kept)> {
        let all = (instance.to_owned(), 0)..=(instance.to_owned(), u16::MAX);
        self.kept.range(all)
    }

    /// Places that anybody may take.
    pub(super) fn vacant(&self, instance: &str) -> impl DoubleEndedIterator<Item = (u16, Extent)> {
        let kept = self.kept_on(instance);
        let kept = kept.filter(|(_, kept)| !kept.is_reclaimed);
        let kept = kept.map(|((_, order), kept)| (*order, kept.extent));
        kept.filter(|(order, _)| !self.is_held(instance, *order))
    }

    /// How an Ingress may have so many rules: by giving up as few placeholders as that takes, the hindmost
    /// first, and then what fills the places of others. None: even that is not enough.
    pub(super) fn room(
        &self,
        instance: &str,
        name: &Name,
        wanted: usize,
        most: usize,
    ) -> Option<Room> {
        let mut used = self.used(instance, name);
        let mut room = Room::default();
        for (order, kept) in self.vacant(instance).rev() {
            if wanted + used <= most {
                break;
            }
            used -= kept.counted();
            room.reclaimed.push(order);
        }
        if wanted + used > most {
            let filling = self.others(instance, name).map(Holding::filling);
            let filling: usize = filling.map(Extent::counted).sum();
            if filling == 0 || wanted + used > most + filling {
                return None;
            }
            room.squeezed = true;
        }
        Some(room)
    }

    /// Whether an Ingress that is to have so many rules finds room if all is given up that can be.
    pub(super) fn may_have_room(
        &self,
        instance: &str,
        name: &Name,
        wanted: usize,
        most: usize,
    ) -> bool {
        let own = self.there.get(name);
        let own = own.filter(|own| own.holding.instance == instance);
        let own = own.map_or(0, |own| Sums::of(own).needed);
        self.there.sums(instance).needed - own + wanted <= most
    }

    /// Gives up what makes room.
    pub(super) fn make(&mut self, room: &Room, instance: &str, name: &Name) {
        if room.squeezed {
            self.squeeze(instance, name);
        }
        for order in &room.reclaimed {
            if let Some(kept) = self.kept.get_mut(&(instance.to_owned(), *order)) {
                kept.is_reclaimed = true;
            }
        }
    }

    fn squeeze(&mut self, instance: &str, name: &Name) {
        self.squeezed = true;
        self.there.change_on(instance, |other, taken| {
            let holding = &mut taken.holding;
            if other != name {
                holding.extent.rules -= holding.filling().rules;
                holding.idle = 0;
            }
        });
    }

    /// Somebody takes a place. A placeholder that is there is to be removed by who takes it.
    pub(super) fn fill(&mut self, instance: &str, order: u16) {
        let key = (instance.to_owned(), order);
        if self
            .kept
            .get(&key)
            .is_some_and(|kept| kept.written.is_none())
        {
            self.kept.remove(&key);
        }
    }

    /// Whether Ingresses have to be written without what fills their places, since that was asked last.
    pub fn were_squeezed(&mut self) -> bool {
        std::mem::take(&mut self.squeezed)
    }

    /// Ingresses of ours that fill their places though nobody is behind them any more.
    pub fn overfilled(&self) -> Vec<Name> {
        let filled = self.there.filled().filter(|(_, taken)| {
            let Holding {
                instance, order, ..
            } = &taken.holding;
            !self.behind(instance, order.unwrap_or_default()).any
        });
        filled.map(|(name, _)| name.clone()).collect()
    }

    /// What is to be done about the places that are kept, the hindmost first, so that what goes moves
    /// nothing. `served` are the IngressClasses that are still ours.
    pub fn chores(&mut self, served: &BTreeSet<String>) -> Vec<Chore> {
        let is_needed = |seats: &Self, (instance, order): &(String, u16), kept: &Kept| {
            !kept.is_reclaimed && served.contains(instance) && seats.behind(instance, *order).any
        };
        let places = self.kept.iter().rev();
        let vacant = places.filter(|((instance, order), _)| !self.is_held(instance, *order));
        let chores = vacant.filter_map(|(place, kept)| {
            let (instance, order) = place;
            if !is_needed(self, place, kept) {
                let (namespace, _) = kept.written.clone()?;
                return Some(Chore::Drop {
                    namespace,
                    instance: instance.clone(),
                    order: *order,
                });
            }
            let chore = self.write(instance, *order, kept);
            let is_there = match (&chore, &kept.written) {
                (Chore::Write { extent, .. }, Some((_, written))) => extent == written,
                _ => false,
            };
            (!is_there).then_some(chore)
        });
        let chores = chores.collect();
        let unwritten: Vec<(String, u16)> = self
            .kept
            .iter()
            .filter(|(place, kept)| kept.written.is_none() && !is_needed(self, place, kept))
            .map(|(place, _)| place.clone())
            .collect();
        for place in unwritten {
            self.kept.remove(&place);
        }
        chores
    }

    /// Whether a placeholder that was just written is still wanted: somebody may have taken the place
    /// meanwhile.
    pub fn is_vacant(&self, instance: &str, order: u16) -> bool {
        !self.is_held(instance, order)
    }
}
