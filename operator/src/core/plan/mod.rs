//! The steps from what is there to what is wanted. The same plan is executed, printed before
//! anything is applied, published by `mode: Plan`, and counted in events and metrics.

mod access;
mod adopt;
mod fields;
mod forward;
mod hold;
mod identity;
pub(crate) mod odd;
mod ownership;
mod remove;
mod room;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{ApiId, Inventory, Marker};

use super::desired::{Desired, Item};
use super::key::{ApiKey, ObjectKey, by_id};
use super::ledger::Ledger;
use super::observed::{Lookup, ServiceState, is_ours};
use super::problem::Problem;

pub use fields::fields;
pub use step::{Action, Operation, Step};

/// What a plan is made against.
pub struct World<'a> {
    /// Cluster id that our ownership markers carry.
    pub cluster: &'a str,
    /// Owner in the markers of this binding's unshared objects.
    pub owner: &'a str,
    /// Owner in the markers of what the class's bindings share; none: the class is gone, so any.
    pub class_owner: Option<&'a str>,
    /// The API gateway's objects; none: it could not be read, so nothing is planned there.
    pub inventory: Option<&'a Inventory>,
    /// The Services that items and ledger name, as far as they exist.
    pub services: &'a BTreeMap<(String, String), ServiceState>,
    /// Whether another binding uses a shared object.
    pub in_use: &'a dyn Fn(&ObjectKey) -> bool,
    /// Whether the owner in a marker is a binding that exists and is not on its way out.
    pub is_live: &'a dyn Fn(&str) -> bool,
}

impl World<'_> {
    /// Whether a marker on a shared object says that it is this class's.
    fn shared_is_ours(&self, marker: Option<&Marker>) -> bool {
        is_ours(marker, self.cluster)
            && marker
                .is_some_and(|marker| self.class_owner.is_none_or(|owner| marker.owner == owner))
    }
}

/// The way to what is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order of execution.
    pub steps: Vec<Step>,
    /// What cannot be done, and why.
    pub problems: Vec<Problem>,
    /// Ids of objects that are there, for the steps that need them.
    pub ids: BTreeMap<ObjectKey, String>,
    /// What is claimed: all that is wanted.
    pub claims: BTreeSet<ObjectKey>,
    /// APIs of ours that have to be read before it can be told whether they are as wanted.
    pub unread: BTreeSet<ApiId>,
    /// APIs of ours that were written and whose new versions are not known yet.
    pub unstamped: BTreeSet<ApiId>,
    /// Claims that end without a step: the object is gone, or others use it, or it is not ours.
    pub released: BTreeSet<ObjectKey>,
    /// What others made and this binding uses, with its name in the cloud.
    pub adopted: BTreeMap<ObjectKey, String>,
    /// Parts of adopted APIs that were there before they were claimed.
    pub found: BTreeSet<ObjectKey>,
    /// What is not as wanted although there is no step for it.
    pub withheld: BTreeSet<ObjectKey>,
    /// Something cannot be adopted, or the group is somebody else's. Until that is mended nothing is
    /// removed but permissions: what is in place is better than nothing.
    pub refused: bool,
}

impl Plan {
    /// Nothing is done, and nothing given up.
    pub fn standing(ledger: &Ledger) -> Self {
        Self {
            claims: ledger.entries.keys().cloned().collect(),
            ..Self::default()
        }
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether a step concerns something that other bindings may use.
    pub fn touches_shared(&self) -> bool {
        self.steps.iter().any(|step| step.key.is_shared())
    }
}

/// Plans. Revocations come first, since taking access away waits for nothing; then creations and
/// changes in the order of the keys, throttling before permissions; removals last, in reverse.
pub fn plan(items: &[Item], ledger: &Ledger, world: &World<'_>) -> Plan {
    let named = world
        .inventory
        .and_then(|inventory| identity::restore(inventory, ledger, world.cluster));
    let Some(named) = named else {
        return plan_named(items, ledger, world, &BTreeMap::new());
    };
    let world = World {
        inventory: Some(&named.inventory),
        ..*world
    };
    plan_named(items, ledger, &world, &named.seen)
}

/// The same, where every object has the name the ledger knows it by; `seen` are other names that
/// groups and policies have in truth.
fn plan_named(
    items: &[Item],
    ledger: &Ledger,
    world: &World<'_>,
    seen: &BTreeMap<ObjectKey, String>,
) -> Plan {
    let mut plan = Plan {
        claims: items.iter().map(|item| item.key.clone()).collect(),
        ..Plan::default()
    };
    let mut claimed: BTreeSet<ObjectKey> = ledger.entries.keys().cloned().collect();
    let adopted =
        |group: &ObjectKey| plan.claims.contains(group) || ledger.entries.contains_key(group);
    claimed.extend(marked(world, &adopted));
    let renamed = renamed(items, &claimed, world);
    let known = forward::Known {
        ledger,
        renamed: &renamed,
        seen,
    };
    forward::plan(items, &known, world, &mut plan);
    adopt::note_found(items, ledger, world, &mut plan);
    let wanted = &plan.claims;
    let obsolete: BTreeSet<ObjectKey> = claimed
        .into_iter()
        .filter(|key| !wanted.contains(&after_rename(key, &renamed)))
        .collect();
    let moved = ledger
        .entries
        .keys()
        .filter(|key| after_rename(key, &renamed) != **key)
        .cloned();
    plan.released.extend(moved);
    let context = remove::Context {
        obsolete: &obsolete,
        renamed: &renamed,
        world,
    };
    remove::plan(&context, ledger, &mut plan);
    if let Some(inventory) = world.inventory {
        room::make(&mut plan, inventory);
    }
    plan
}

/// Objects whose marker says that they belong to this binding, whether or not the ledger (which a
/// restore may have lost) names them. Those in a group that is adopted have its id in their keys.
fn marked(world: &World<'_>, adopted: &dyn Fn(&ObjectKey) -> bool) -> BTreeSet<ObjectKey> {
    let Some(inventory) = world.inventory else {
        return BTreeSet::new();
    };
    let mut keys = BTreeSet::new();
    for api in inventory.apis.of_owner(world.owner) {
        let ours = is_ours(api.marker.as_ref(), world.cluster);
        if let (true, Some(group)) = (ours, inventory.groups.get(&api.group)) {
            let name = by_id(group.id.as_str());
            let is_adopted = adopted(&ObjectKey::Group { name: name.clone() });
            let api_key = ApiKey {
                group: if is_adopted {
                    name
                } else {
                    group.spec.name.clone()
                },
                name: api.name.clone(),
            };
            for environment in api.deployments.keys().copied() {
                let api = api_key.clone();
                keys.insert(ObjectKey::Deployment { api, environment });
            }
            keys.insert(ObjectKey::Api(api_key));
        }
    }
    keys
}

/// APIs of ours that only change their name: another route of the binding took their path and
/// method over. Path and method are unique in a group, so the old API cannot make room first
/// without a gap; it is renamed instead. From the wanted key to the present one.
fn renamed(
    items: &[Item],
    claimed: &BTreeSet<ObjectKey>,
    world: &World<'_>,
) -> BTreeMap<ApiKey, ApiKey> {
    let Some(inventory) = world.inventory else {
        return BTreeMap::new();
    };
    let mut renamed = BTreeMap::new();
    for item in items {
        let (ObjectKey::Api(wanted), Desired::Api(spec)) = (&item.key, &item.desired) else {
            continue; // One that is adopted has its id for a key.
        };
        if inventory.api(&wanted.group, &wanted.name).is_some() {
            continue;
        }
        let Some(present) = inventory.api_at(&wanted.group, spec.method, &spec.path) else {
            continue;
        };
        let present_key = ApiKey {
            group: wanted.group.clone(),
            name: present.name.clone(),
        };
        let key = ObjectKey::Api(present_key.clone());
        let still_wanted = items.iter().any(|item| item.key == key);
        if claimed.contains(&key)
            && !still_wanted
            && is_ours(present.marker.as_ref(), world.cluster)
        {
            renamed.insert(wanted.clone(), present_key);
        }
    }
    renamed
}

/// A key as it will be once its API has its new name.
fn after_rename(key: &ObjectKey, renamed: &BTreeMap<ApiKey, ApiKey>) -> ObjectKey {
    let new = |api: &ApiKey| {
        renamed
            .iter()
            .find(|(_, present)| *present == api)
            .map_or_else(|| api.clone(), |(wanted, _)| wanted.clone())
    };
    match key.clone() {
        ObjectKey::Api(api) => ObjectKey::Api(new(&api)),
        ObjectKey::Deployment { api, environment } => ObjectKey::Deployment {
            api: new(&api),
            environment,
        },
        ObjectKey::Attachment { api, environment } => ObjectKey::Attachment {
            api: new(&api),
            environment,
        },
        ObjectKey::Grant {
            api,
            environment,
            consumer,
        } => ObjectKey::Grant {
            api: new(&api),
            environment,
            consumer,
        },
        shared => shared,
    }
}
