//! Removals: what was claimed and is no longer wanted.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{Api, ConsumerId, GrantKey, GroupId, Inventory};

use super::{Operation, Plan, Step, World, after_rename, odd};
use crate::core::key::{ApiKey, ObjectKey, by_id};
use crate::core::ledger::Ledger;
use crate::core::observed::{Lookup, ServiceState, is_ours};
use crate::core::slb;

/// What removals are judged by.
pub(super) struct Context<'a, 'w> {
    /// What was claimed and is no longer wanted.
    pub(super) obsolete: &'a BTreeSet<ObjectKey>,
    /// APIs that change their name in this plan, from the wanted key to the present one.
    pub(super) renamed: &'a BTreeMap<ApiKey, ApiKey>,
    /// What is there.
    pub(super) world: &'a World<'w>,
}

pub(super) fn plan(context: &Context<'_, '_>, ledger: &Ledger, plan: &mut Plan) {
    let Context {
        obsolete, world, ..
    } = *context;
    let mut removals = Vec::new();
    let mut revocations = Vec::new();
    for key in obsolete.iter().rev() {
        if plan.refused && !leaves_nonetheless(key, plan) {
            plan.claims.insert(key.clone());
            continue;
        }
        if key.is_shared() && (world.in_use)(key) {
            plan.released.insert(key.clone());
            continue;
        }
        match removal(key, ledger, context, plan) {
            Removal::Unknown => {
                plan.claims.insert(key.clone());
            }
            Removal::Nothing => {
                plan.released.insert(key.clone());
            }
            Removal::Do(operation) => {
                let step = Step {
                    key: key.clone(),
                    operation: *operation,
                    changes: Vec::new(),
                };
                if matches!(key, ObjectKey::Grant { .. }) {
                    revocations.push(step);
                } else {
                    removals.push(step);
                }
            }
        }
    }
    revocations.append(&mut plan.steps);
    plan.steps = revocations;
    plan.steps.append(&mut removals);
}

/// Whether something goes although what is wanted in its place cannot be had: only a permission that
/// is no longer wanted for an API that still is.
fn leaves_nonetheless(key: &ObjectKey, plan: &Plan) -> bool {
    match key {
        ObjectKey::Service { .. } => true,
        ObjectKey::Grant { api, .. } => plan.claims.contains(&ObjectKey::Api(api.clone())),
        _ => false,
    }
}

enum Removal {
    /// The world could not be read: the claim stays.
    Unknown,
    /// It is gone, or it is not ours: the claim ends.
    Nothing,
    /// To be done.
    Do(Box<Operation>),
}

fn removal(
    key: &ObjectKey,
    ledger: &Ledger,
    context: &Context<'_, '_>,
    plan: &mut Plan,
) -> Removal {
    let Context {
        obsolete, world, ..
    } = *context;
    if let ObjectKey::Service { namespace, name } = key {
        return service(
            key,
            &(namespace.clone(), name.clone()),
            ledger,
            context,
            plan,
        );
    }
    let Some(inventory) = world.inventory else {
        return Removal::Unknown;
    };
    if stays(key, ledger, plan) {
        return Removal::Nothing;
    }
    let consumer = ledger.entries.get(key).and_then(|entry| entry.id.clone());
    let consumer = consumer.map(ConsumerId);
    let ends = odd::Ends {
        consumer: consumer.as_ref(),
        ..odd::Ends::default()
    };
    if let Some(problem) = odd::unreadable(key, key.api(), ends, inventory) {
        if !plan.problems.contains(&problem) {
            plan.problems.push(problem);
        }
        return Removal::Unknown;
    }
    let found = match key {
        ObjectKey::Service { .. } => None,
        ObjectKey::Group { name } => inventory
            .group(name)
            .filter(|group| world.shared_is_ours(group.marker.as_ref()))
            .filter(|group| empties(&group.id, obsolete, inventory))
            .map(|group| (group.id.0.clone(), Operation::DeleteGroup)),
        ObjectKey::Backend { name } => inventory
            .backend(name)
            .filter(|backend| world.shared_is_ours(backend.marker.as_ref()))
            .filter(|backend| !serves_others(backend.spec.name.as_str(), context, inventory, plan))
            .map(|backend| {
                (
                    backend.id.clone(),
                    Operation::DeleteBackend(backend.spec.clone()),
                )
            }),
        ObjectKey::Policy { name } => inventory
            .policy(name)
            .filter(|policy| world.shared_is_ours(policy.marker.as_ref()))
            .filter(|policy| !acts_on_others(policy.id.as_str(), context, inventory, plan))
            .map(|policy| (policy.id.0.clone(), Operation::DeletePolicy)),
        ObjectKey::Api(api) => own_api(api, inventory, world).map(|id| (id, Operation::DeleteApi)),
        ObjectKey::Deployment { api, environment } => known_api(api, ledger, inventory, world)
            .filter(|_| deployed(api, *environment, inventory))
            .map(|id| (id, Operation::Undeploy)),
        ObjectKey::Attachment { api, environment } => {
            detach(api, *environment, ledger, context, inventory)
        }
        ObjectKey::Grant { .. } => revoke(key, ledger, inventory, world),
    };
    let Some((id, operation)) = found else {
        return Removal::Nothing;
    };
    match key {
        ObjectKey::Deployment { api, .. }
        | ObjectKey::Attachment { api, .. }
        | ObjectKey::Grant { api, .. } => plan.ids.insert(ObjectKey::Api(api.clone()), id),
        _ => plan.ids.insert(key.clone(), id),
    };
    if let Some(api) = key.api()
        && let Some(group) = inventory.group(&api.group)
    {
        let name = api.group.clone();
        plan.ids
            .insert(ObjectKey::Group { name }, group.id.0.clone());
    }
    Removal::Do(Box::new(operation))
}

/// Whether something was there before it was claimed, and so stays when the claim ends. A permission
/// that the binding takes back while it keeps the API goes all the same.
fn stays(key: &ObjectKey, ledger: &Ledger, plan: &Plan) -> bool {
    let adopted = ledger.entries.get(key).is_some_and(|entry| entry.adopted);
    let taken_back = matches!(key, ObjectKey::Grant { api, .. }
        if plan.claims.contains(&ObjectKey::Api(api.clone())));
    key.adopted_id().is_some() || (adopted && !taken_back)
}

fn service(
    key: &ObjectKey,
    place: &(String, String),
    ledger: &Ledger,
    context: &Context<'_, '_>,
    plan: &mut Plan,
) -> Removal {
    let Some(state) = context.world.services.get(place) else {
        return Removal::Nothing;
    };
    if state.created_by_us {
        return if state.deleting {
            Removal::Unknown
        } else if carries_others(state, context, plan) {
            Removal::Nothing
        } else {
            Removal::Do(Box::new(Operation::DeleteService {
                uid: state.uid.clone(),
            }))
        };
    }
    let previous = ledger.entries.get(key).map(|entry| &entry.previous);
    let mut annotations = BTreeMap::new();
    for ours in &state.our_annotations {
        let before = previous.and_then(|previous| previous.get(ours));
        annotations.extend(slb::left(ours, before, state));
    }
    let settled = state
        .our_annotations
        .iter()
        .all(|key| annotations.contains_key(key))
        && annotations
            .iter()
            .all(|(key, value)| state.annotations.get(key) == Some(value));
    if settled {
        Removal::Nothing
    } else {
        Removal::Do(Box::new(Operation::ReleaseService { annotations }))
    }
}

/// Whether APIs that bindings left in place (`deletionPolicy: Retain`) are reached through a
/// Service's load balancer.
fn carries_others(state: &ServiceState, context: &Context<'_, '_>, plan: &mut Plan) -> bool {
    let (Some(inventory), Some(id)) = (context.world.inventory, &state.load_balancer_id) else {
        return false;
    };
    let backends = inventory.backends.values();
    let here: Vec<&str> = backends
        .filter(|backend| backend.spec.load_balancer_id == *id)
        .map(|backend| backend.spec.name.as_str())
        .collect();
    here.into_iter()
        .any(|name| serves_others(name, context, inventory, plan))
}

/// Whether a group holds nothing but APIs that this plan removes. One that holds more, an API made
/// in the console for example, is left.
fn empties(id: &GroupId, obsolete: &BTreeSet<ObjectKey>, inventory: &Inventory) -> bool {
    inventory
        .apis
        .of_group(id)
        .all(|api| goes(api, obsolete, inventory))
}

/// Whether this plan removes an API. One that is adopted is never removed.
fn goes(api: &Api, obsolete: &BTreeSet<ObjectKey>, inventory: &Inventory) -> bool {
    let keys = keys_of(api, inventory).into_iter().flatten();
    let mut keys = keys.map(ObjectKey::Api);
    keys.any(|key| !key.is_on_adopted() && obsolete.contains(&key))
}

/// The keys that an API can have: it and its group may be adopted. None if its group is not known.
fn keys_of(api: &Api, inventory: &Inventory) -> Option<impl Iterator<Item = ApiKey> + use<>> {
    let group = inventory.groups.get(&api.group)?;
    let groups = [group.spec.name.clone(), by_id(group.id.as_str())];
    let names = [api.name.clone(), by_id(api.id.as_str())];
    let keys = groups.into_iter().flat_map(move |group| {
        let names = names.clone().into_iter();
        names.map(move |name| ApiKey {
            group: group.clone(),
            name,
        })
    });
    Some(keys)
}

/// Whether an API that stays for now, of a binding that is on its way out as well, sends requests
/// to a backend. The last one to go takes the backend along.
fn serves_others(
    name: &str,
    context: &Context<'_, '_>,
    inventory: &Inventory,
    plan: &mut Plan,
) -> bool {
    let world = context.world;
    let staying = inventory.apis.values().filter(|api| {
        let marker = api.marker.as_ref();
        // What a live binding uses is known without its APIs.
        let stray = marker.is_some_and(|marker| {
            marker.cluster == world.cluster && !(world.is_live)(&marker.owner)
        });
        // One that others made goes on as it is, and is read where it was adopted.
        let left = marker.is_none() && api.spec.is_some();
        left || stray && !goes(api, context.obsolete, inventory)
    });
    let mut serves = false;
    for api in staying {
        match &api.spec {
            Some(spec) => serves |= spec.backend.name.as_str() == name,
            None => {
                plan.unread.insert(api.id.clone());
                serves = true;
            }
        }
    }
    serves
}

/// Whether a policy still acts on an API once this plan is done.
fn acts_on_others(id: &str, context: &Context<'_, '_>, inventory: &Inventory, plan: &Plan) -> bool {
    let acts_on = inventory
        .attachments
        .iter()
        .filter(|attachment| attachment.policy.as_str() == id)
        .filter_map(|attachment| Some((attachment, inventory.apis.get(&attachment.api)?)));
    acts_on.into_iter().any(|(attachment, api)| {
        let Some(keys) = keys_of(api, inventory) else {
            return true;
        };
        let mut keys = keys.map(|api| ObjectKey::Attachment {
            api,
            environment: attachment.environment,
        });
        !keys.any(|key| {
            let after = after_rename(&key, context.renamed);
            let replaced = plan.steps.iter().any(|step| step.key == after);
            let known = if key.is_on_adopted() {
                api.marker.is_none()
            } else {
                is_ours(api.marker.as_ref(), context.world.cluster)
            };
            replaced || (known && context.obsolete.contains(&key))
        })
    })
}

fn own_api(api: &ApiKey, inventory: &Inventory, world: &World<'_>) -> Option<String> {
    inventory
        .api(&api.group, &api.name)
        .filter(|found| is_ours(found.marker.as_ref(), world.cluster))
        .map(|found| found.id.0.clone())
}

/// An API of ours, or one of others that the ledger knows as adopted.
fn known_api(
    api: &ApiKey,
    ledger: &Ledger,
    inventory: &Inventory,
    world: &World<'_>,
) -> Option<String> {
    let key = ObjectKey::Api(api.clone());
    if key.adopted_id().is_none() {
        return own_api(api, inventory, world);
    }
    let found = inventory.api(&api.group, &api.name)?;
    let adopted = ledger.entries.get(&key).is_some_and(|entry| entry.adopted);
    (adopted && found.marker.is_none()).then(|| found.id.0.clone())
}

fn deployed(
    api: &ApiKey,
    environment: cloud_adapter::gateway::model::Environment,
    inventory: &Inventory,
) -> bool {
    inventory
        .api(&api.group, &api.name)
        .is_some_and(|found| found.deployments.contains_key(&environment))
}

/// Detaching is left out where the deployment goes as well: undeploying detaches. What others have
/// attached stays.
fn detach(
    api: &ApiKey,
    environment: cloud_adapter::gateway::model::Environment,
    ledger: &Ledger,
    context: &Context<'_, '_>,
    inventory: &Inventory,
) -> Option<(String, Operation)> {
    let deployment = ObjectKey::Deployment {
        api: api.clone(),
        environment,
    };
    let kept = ledger
        .entries
        .get(&deployment)
        .is_some_and(|entry| entry.adopted);
    if context.obsolete.contains(&deployment) && !kept {
        return None;
    }
    let id = known_api(api, ledger, inventory, context.world)?;
    let policy = inventory.throttling_of(&id.as_str().into(), environment)?;
    let adopted = ObjectKey::Policy {
        name: by_id(policy.id.as_str()),
    };
    let known = is_ours(policy.marker.as_ref(), context.world.cluster)
        || ledger.entries.contains_key(&adopted);
    let policy = policy.id.clone();
    known.then_some((id, Operation::Detach { policy }))
}

fn revoke(
    key: &ObjectKey,
    ledger: &Ledger,
    inventory: &Inventory,
    world: &World<'_>,
) -> Option<(String, Operation)> {
    let ObjectKey::Grant {
        api, environment, ..
    } = key
    else {
        return None;
    };
    let id = known_api(api, ledger, inventory, world)?;
    let consumer = ConsumerId(ledger.entries.get(key)?.id.clone()?);
    let held = inventory.grants.get(&GrantKey {
        api: id.as_str().into(),
        environment: *environment,
        consumer: consumer.clone(),
    })?;
    held.revocable
        .then_some((id, Operation::Revoke { consumer }))
}
