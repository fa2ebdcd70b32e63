//! Whose something is that has a name, a path or a place that is wanted, and what to do about it.

use cloud_adapter::gateway::model::{Api, Inventory, Marker};
use crds::v1alpha1::Reason;

use super::forward::Forward;
use crate::core::key::{ApiKey, ObjectKey, by_id, id_of};
use crate::core::observed::{Lookup, is_ours};
use crate::core::problem::Problem;

/// The ways out for something that is not ours.
pub(super) struct Remedy<'a> {
    /// What to do if it is not wanted.
    pub(super) advice: &'a str,
    /// Where to adopt it.
    pub(super) adopt: &'a str,
    /// Its id.
    pub(super) id: &'a str,
}

impl Forward<'_, '_> {
    /// Whether an object under a name of ours is ours; if not, that is a problem. One that nobody
    /// marked may be adopted.
    pub(super) fn owned(
        &mut self,
        what: &str,
        marker: Option<&Marker>,
        remedy: &Remedy<'_>,
    ) -> bool {
        if is_ours(marker, self.world.cluster) {
            return true;
        }
        match marker {
            None => {
                let remedy = format!(
                    "{} Or adopt it: {}existing: {{id: {}}}.",
                    remedy.advice, remedy.adopt, remedy.id
                );
                self.not_owned(what, "and carries no mark of this operator", &remedy);
            }
            Some(marker) => {
                let whose = format!("and belongs to cluster \"{}\"", marker.cluster);
                self.not_owned(what, &whose, remedy.advice);
            }
        }
        false
    }

    /// The same for what the bindings of a class share: it must be this class's.
    pub(super) fn shared_owned(
        &mut self,
        what: &str,
        marker: Option<&Marker>,
        remedy: &Remedy<'_>,
    ) -> bool {
        if self.world.shared_is_ours(marker) {
            return true;
        }
        match marker.filter(|marker| marker.cluster == self.world.cluster) {
            Some(marker) => {
                let whose = format!("and belongs to {}", marker.owner);
                self.not_owned(what, &whose, remedy.advice);
                false
            }
            None => self.owned(what, marker, remedy),
        }
    }

    fn not_owned(&mut self, what: &str, whose: &str, remedy: &str) {
        self.plan.problems.push(Problem::blocked(
            Reason::NotOwned,
            format!("{what} exists already {whose}, so it is left alone. {remedy}"),
        ));
    }

    /// Whether the path and method that an API wants are not to be had: those of another one that
    /// does not make room within this plan.
    pub(super) fn path_taken(&mut self, api: &ApiKey, other: &Api) -> bool {
        let inventory = self.world.inventory;
        let group =
            inventory.map_or_else(String::new, |inventory| group_title(&api.group, inventory));
        let what = format!(
            "API \"{}\" with the same path and method in {group}",
            other.name
        );
        let adopted = ObjectKey::Api(ApiKey {
            group: api.group.clone(),
            name: by_id(other.id.as_str()),
        });
        let ours = other
            .marker
            .as_ref()
            .filter(|marker| marker.cluster == self.world.cluster);
        match ours {
            // Another route of this binding has it, and wants another path for it.
            None if self.plan.claims.contains(&adopted) => false,
            None => {
                let remedy = Remedy {
                    advice: "Use another path, or delete that API in the console.",
                    adopt: "in the binding, at the route, ",
                    id: other.id.as_str(),
                };
                self.owned(&what, other.marker.as_ref(), &remedy);
                true
            }
            // One of our own makes room within this plan or is gone after it.
            Some(marker) if marker.owner == self.world.owner => id_of(&api.name).is_none(),
            Some(marker) => {
                self.plan.problems.push(Problem::waiting(
                    Reason::PathConflict,
                    format!("{what} belongs to {}. It may be on its way out; if not, use another path, or delete that API in the console.", marker.owner),
                ));
                true
            }
        }
    }
}

/// A group, in messages.
pub(super) fn group_title(name: &str, inventory: &Inventory) -> String {
    let seen = inventory.group(name).map(|group| group.spec.name.as_str());
    format!("group \"{}\"", seen.unwrap_or(name))
}
