//! Objects that somebody renamed. Everything else looks them up by the name they were given, so
//! they get it back here, and the difference is kept for the plan to mend.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::{ApiId, GroupId, Inventory, PolicyId};

use crate::core::key::ObjectKey;
use crate::core::ledger::Ledger;
use crate::core::observed::{Lookup, is_ours};

/// An inventory in which objects that the ledger knows by their id have the names it knows them by.
#[derive(Debug)]
pub(super) struct Named {
    /// The inventory.
    pub(super) inventory: Inventory,
    /// What groups and policies are called instead.
    pub(super) seen: BTreeMap<ObjectKey, String>,
}

/// None if nothing was renamed. Only objects with our marker are recognised by their id: a ledger
/// can be edited.
pub(super) fn restore(inventory: &Inventory, ledger: &Ledger, cluster: &str) -> Option<Named> {
    let mut named = Named {
        inventory: inventory.clone(),
        seen: BTreeMap::new(),
    };
    let mut renamed = false;
    for (key, entry) in &ledger.entries {
        if let Some(id) = &entry.id {
            renamed |= named.restore(key, id, cluster);
        }
    }
    renamed.then_some(named)
}

impl Named {
    fn restore(&mut self, key: &ObjectKey, id: &str, cluster: &str) -> bool {
        let inventory = &mut self.inventory;
        match key {
            ObjectKey::Group { name } if inventory.group(name).is_none() => {
                let id = GroupId::from(id);
                let Some(group) = inventory.groups.get_mut(&id) else {
                    return false;
                };
                if !is_ours(group.marker.as_ref(), cluster) {
                    return false;
                }
                let seen = std::mem::replace(&mut group.spec.name, name.clone());
                self.seen.insert(key.clone(), seen);
                true
            }
            ObjectKey::Policy { name } if inventory.policy(name).is_none() => {
                let id = PolicyId::from(id);
                let Some(policy) = inventory.policies.get_mut(&id) else {
                    return false;
                };
                if !is_ours(policy.marker.as_ref(), cluster) {
                    return false;
                }
                let seen = std::mem::replace(&mut policy.spec.name, name.clone());
                self.seen.insert(key.clone(), seen);
                true
            }
            ObjectKey::Api(api) if inventory.api(&api.group, &api.name).is_none() => {
                let id = ApiId::from(id);
                let found = inventory.apis.get(&id);
                // The definition keeps the name that was seen, and so differs from what is wanted.
                found.is_some_and(|found| is_ours(found.marker.as_ref(), cluster))
                    && inventory
                        .apis
                        .amend(&id, |found| found.name.clone_from(&api.name))
            }
            _ => false,
        }
    }
}
