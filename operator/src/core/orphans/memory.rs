//! What several sweeps have found: one alone proves nothing.
//!
//! An orphan counts once it was found in several complete sweeps in a row, and is forgotten once it
//! is missing from several: an empty list is no proof either way. One that has an owner again is
//! forgotten at once.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{ClassOrphans, OrphanCause, OrphanStatus};

use super::going::Need;
use super::{Id, Judged, Kind, Orphan};

/// Sweeps in a row in which a thing is missing before it is believed to be gone.
const GONE: u32 = ClassOrphans::DEFAULT_SWEEPS;

/// The orphans of a class, over its sweeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    sightings: BTreeMap<Id, Sighting>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sighting {
    name: String,
    owner: String,
    cause: OrphanCause,
    confirmed: bool,
    needed_by: Option<String>,
    /// Sweeps in a row that found it.
    seen: u32,
    /// Those of them in which nothing depended on it.
    free: u32,
    /// Sweeps in a row in which it was missing.
    missing: u32,
}

/// What one look at cluster and cloud found.
pub struct Look<'a> {
    /// The orphans.
    pub found: &'a [Orphan],
    /// What depends on those that are collected if nothing does.
    pub needs: &'a BTreeMap<Id, Need>,
    /// Whether a thing is there, whoever's it is.
    pub is_there: &'a dyn Fn(&Id) -> bool,
    /// What is known of how a thing lost its owner.
    pub fate: &'a dyn Fn(&Orphan) -> Option<OrphanCause>,
    /// Sweeps in a row after which an orphan counts.
    pub sweeps: u32,
    /// Whether the look is one: complete, and long enough after the last one.
    pub is_sweep: bool,
}

impl Memory {
    /// What a status remembers from before this process: what people were told stays told, but
    /// nothing is collected by it.
    pub fn recall(shown: &[OrphanStatus]) -> Self {
        let known = shown.iter().filter_map(|shown| {
            let id = Id {
                kind: Kind::parse(&shown.kind)?,
                id: shown.id.clone(),
            };
            let sighting = Sighting {
                name: shown.name.clone(),
                owner: shown.owner.clone(),
                cause: shown.cause,
                confirmed: shown.confirmed,
                needed_by: shown.needed_by.clone(),
                ..Sighting::default()
            };
            Some((id, sighting))
        });
        Self {
            sightings: known.collect(),
        }
    }

    /// Takes a look into account. Returns the orphans that count from now on and did not before.
    pub fn look(&mut self, look: &Look<'_>) -> Vec<Id> {
        let mut news = Vec::new();
        for orphan in look.found {
            let sighting = self.sightings.entry(orphan.id.clone()).or_default();
            sighting.see(orphan, look);
            if !sighting.confirmed && sighting.seen >= look.sweeps {
                sighting.confirmed = true;
                news.push(orphan.id.clone());
            }
        }
        let found: BTreeSet<&Id> = look.found.iter().map(|orphan| &orphan.id).collect();
        self.sightings.retain(|id, sighting| {
            found.contains(id) || (!(look.is_there)(id) && sighting.miss(look.is_sweep))
        });
        news
    }

    /// Those of the orphans that lost their owner without cleaning up.
    pub fn lost<'a>(
        &self,
        found: &'a [Orphan],
        fate: &dyn Fn(&Orphan) -> Option<OrphanCause>,
    ) -> Vec<&'a Orphan> {
        let cause = |orphan: &Orphan| {
            let known = self.sightings.get(&orphan.id).map(|known| known.cause);
            fate(orphan).or(known).unwrap_or_default()
        };
        let lost = found.iter();
        lost.filter(|orphan| cause(orphan) == OrphanCause::OwnerLost)
            .collect()
    }

    /// Everything, in the order of removal.
    pub fn judged(&self) -> Vec<Judged> {
        let judged = self.sightings.iter().map(|(id, sighting)| Judged {
            id: id.clone(),
            name: sighting.name.clone(),
            owner: sighting.owner.clone(),
            cause: sighting.cause,
            confirmed: sighting.confirmed,
            needed_by: sighting.needed_by.clone(),
        });
        judged.collect()
    }

    /// What may be collected, as far as the sweeps of this process say.
    pub fn ripe(&self, sweeps: u32) -> BTreeSet<Id> {
        let ripe = self.sightings.iter().filter(|(id, sighting)| {
            id.kind != Kind::Secret
                && sighting.cause == OrphanCause::OwnerLost
                && sighting.seen >= sweeps
                && sighting.free >= sweeps
        });
        ripe.map(|(id, _)| id.clone()).collect()
    }

    /// A thing was collected.
    pub fn forget(&mut self, id: &Id) {
        self.sightings.remove(id);
    }
}

impl Sighting {
    fn see(&mut self, orphan: &Orphan, look: &Look<'_>) {
        self.name.clone_from(&orphan.name);
        self.owner.clone_from(&orphan.owner);
        if let Some(cause) = (look.fate)(orphan) {
            self.cause = cause;
        }
        self.missing = 0;
        let counts = u32::from(look.is_sweep);
        self.seen = self.seen.saturating_add(counts);
        match look.needs.get(&orphan.id) {
            None => {
                self.needed_by = None;
                self.free = self.free.saturating_add(counts);
            }
            Some(need) => {
                self.free = 0;
                if let Need::By(by) = need {
                    self.needed_by = Some(by.clone());
                }
            }
        }
    }

    /// It is not there. Returns whether it is remembered all the same.
    fn miss(&mut self, is_sweep: bool) -> bool {
        self.seen = 0;
        self.free = 0;
        self.missing = self.missing.saturating_add(u32::from(is_sweep));
        self.missing < GONE
    }
}

/// As a status shows them, and how many more there are.
pub fn status(judged: &[Judged]) -> (Vec<OrphanStatus>, Option<i32>) {
    let shown = judged.iter().take(OrphanStatus::MAX).map(|judged| {
        let text = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        OrphanStatus {
            kind: judged.id.kind.as_str().to_owned(),
            id: judged.id.id.clone(),
            name: text(&judged.name, 512),
            owner: text(&judged.owner, 256),
            cause: judged.cause,
            confirmed: judged.confirmed,
            needed_by: judged.needed_by.as_deref().map(|by| text(by, 512)),
        }
    });
    let omitted = judged.len().saturating_sub(OrphanStatus::MAX);
    let omitted = i32::try_from(omitted).unwrap_or(i32::MAX);
    (shown.collect(), (omitted > 0).then_some(omitted))
}
