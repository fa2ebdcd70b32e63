//! Holds removals of a plan back, with what hangs together with them.

use std::collections::BTreeSet;

use super::{Action, Operation, Plan, Step};
use crate::core::key::ObjectKey;
use crate::core::ledger::Ledger;

impl Plan {
    /// Takes the removal of these objects out of the plan, and what replaces them: were that made,
    /// undoing the cause would be a mass change of its own. Access is taken away all the same from
    /// what stays. Returns what was taken out.
    pub fn hold(&mut self, is_held: impl Fn(&ObjectKey) -> bool, ledger: &Ledger) -> Vec<Step> {
        let going = self
            .steps
            .iter()
            .filter(|step| step.operation.action() == Action::Delete && is_held(&step.key));
        let going: BTreeSet<ObjectKey> = going.map(|step| step.key.clone()).collect();
        if going.is_empty() {
            return Vec::new();
        }
        let mut holding = Holding {
            // Drafts that make room on their way out.
            moves: self.steps.iter().any(|step| {
                matches!(step.operation, Operation::UpdateApi(_)) && going.contains(&step.key)
            }),
            going,
            coming: BTreeSet::new(),
            drafts: BTreeSet::new(),
        };
        let (held, rest) = std::mem::take(&mut self.steps)
            .into_iter()
            .partition(|step| holding.holds(step));
        self.steps = rest;
        // Nothing is claimed before it may be made, and what is shared stays claimed while something
        // is held, since the last who claims it takes it along.
        let coming = &holding.coming;
        self.claims
            .retain(|key| !coming.contains(key) || ledger.entries.contains_key(key));
        self.released.retain(|key| !key.is_shared());
        held
    }
}

struct Holding {
    /// What was to be removed.
    going: BTreeSet<ObjectKey>,
    /// What was to be made, and is held.
    coming: BTreeSet<ObjectKey>,
    /// APIs whose change is held, so that there is nothing to publish.
    drafts: BTreeSet<ObjectKey>,
    moves: bool,
}

impl Holding {
    /// Whether a step is held. They come in the order in which they depend on each other.
    fn holds(&mut self, step: &Step) -> bool {
        let holds = match step.operation.action() {
            Action::Delete => self.going.contains(&step.key) || self.goes_along(&step.key),
            Action::Create => is_thing(&step.key) || self.needs_held(step),
            Action::Update => self.needs_held(step),
        };
        match step.operation.action() {
            Action::Create if holds => self.coming.insert(step.key.clone()),
            Action::Update if holds => self.drafts.insert(step.key.clone()),
            _ => false,
        };
        holds
    }

    /// Whether it is removed because its API, or what runs of it, is.
    fn goes_along(&self, key: &ObjectKey) -> bool {
        let (ObjectKey::Attachment { api, environment }
        | ObjectKey::Grant {
            api, environment, ..
        }) = key
        else {
            return false;
        };
        let (api, environment) = (api.clone(), *environment);
        self.going.contains(&ObjectKey::Api(api.clone()))
            || self
                .going
                .contains(&ObjectKey::Deployment { api, environment })
    }

    /// Whether it builds on something that is held.
    fn needs_held(&self, step: &Step) -> bool {
        let held = |key: ObjectKey| self.coming.contains(&key);
        let group = step.key.api().map(|api| ObjectKey::Group {
            name: api.group.clone(),
        });
        let named = match &step.operation {
            Operation::CreateApi(spec) | Operation::UpdateApi(spec) => {
                let name = spec.backend.name.as_str().to_owned();
                self.moves || held(ObjectKey::Backend { name })
            }
            Operation::Attach { policy } => {
                let name = policy.clone();
                held(ObjectKey::Policy { name })
            }
            _ => false,
        };
        let base = match &step.key {
            ObjectKey::Deployment { api, .. } => {
                let api = ObjectKey::Api(api.clone());
                self.drafts.contains(&api) || held(api)
            }
            ObjectKey::Attachment { api, environment }
            | ObjectKey::Grant {
                api, environment, ..
            } => {
                let (api, environment) = (api.clone(), *environment);
                held(ObjectKey::Deployment { api, environment })
            }
            _ => false,
        };
        named || base || group.is_some_and(held)
    }
}

/// Whether it is more than a connection between things that are there.
fn is_thing(key: &ObjectKey) -> bool {
    !matches!(key, ObjectKey::Attachment { .. } | ObjectKey::Grant { .. })
}
