//! The guard against mass changes. A wrong value in a chart, a namespace deleted by mistake, an edit
//! of a class: each turns into many passes, none of which does anything odd by itself. So what goes is
//! judged over all bindings and consumers of a class together.
//!
//! What is *doomed* follows from what the cluster says alone: somebody claims it, and nobody wants it
//! any more. It is known before the first pass, after a restart as well, and no longer doomed once the
//! cause is undone. `docs/adr/0018-mass-change-guard.md` says what is not covered.

mod fleet;
mod limits;
mod stake;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::core::key::ObjectKey;
use crate::core::names;
use crate::core::plan::{Action, Plan};
use crate::core::problem::Problem;

pub use fleet::{Answer, Fleet};
pub use limits::Limits;
pub use stake::Stake;

/// Something that counts, as ledgers spell its key. Deployments count as their API, since it is out
/// of reach without them; attachments and permissions do not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thing(Arc<str>);

impl Thing {
    /// What counts when an object of a binding goes.
    pub fn of(key: &ObjectKey) -> Option<Self> {
        // What is adopted is let go of, not deleted.
        if key.is_on_adopted() {
            return None;
        }
        match key {
            ObjectKey::Service { .. }
            | ObjectKey::Group { .. }
            | ObjectKey::Backend { .. }
            | ObjectKey::Policy { .. }
            | ObjectKey::Api(_) => Some(Self::named(key)),
            ObjectKey::Deployment { api, .. } => Some(Self::named(ObjectKey::Api(api.clone()))),
            ObjectKey::Attachment { .. } | ObjectKey::Grant { .. } => None,
        }
    }

    /// Something that a ledger spells like this.
    pub fn named(key: impl fmt::Display) -> Self {
        Self(key.to_string().into())
    }

    /// Stands for exactly this object: one of the same name that is made later has another id.
    fn digest(&self, id: &str) -> String {
        names::digest_of(&[&self.0, id])
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Things, and what the cloud calls them where that is known.
pub type Things = BTreeMap<Thing, String>;

/// What counts among what a plan removes.
pub fn going(plan: &Plan) -> Things {
    let mut things = Things::new();
    for step in &plan.steps {
        if step.operation.action() != Action::Delete {
            continue;
        }
        if let Some(thing) = Thing::of(&step.key) {
            let key = match &step.key {
                ObjectKey::Deployment { api, .. } => &ObjectKey::Api(api.clone()),
                key => key,
            };
            let id = plan.ids.get(key).cloned();
            things.insert(thing, id.unwrap_or_default());
        }
    }
    things
}

/// These things, as a problem of whoever is kept from removing them.
pub fn problem<'a>(things: impl IntoIterator<Item = &'a Thing>, class: &str) -> Problem {
    let names: Vec<String> = things.into_iter().map(ToString::to_string).collect();
    Problem::mass_change(&names, class)
}

#[cfg(test)]
mod tests;
