//! Changes of what others made and the spec adopts. It is found by its id, must be what the spec
//! takes it for, and must be nobody's. Nothing of it is removed, nor what the spec does not speak of.

use cloud_adapter::gateway::model::{
    Api, ApiId, Environment, GrantKey, Inventory, Marker, PolicyId, PolicyRules,
};
use crds::v1alpha1::{LedgerEntry, Reason};

use super::forward::{Forward, note};
use super::ownership::group_title;
use super::{Operation, Plan, World};
use crate::core::adoption::{ApiWish, GroupWish, PolicyWish, lost};
use crate::core::desired::{BackendDesired, Desired, Item};
use crate::core::diff;
use crate::core::key::{ApiKey, ObjectKey};
use crate::core::ledger::{Ledger, is_owed};
use crate::core::observed::{Lookup, is_ours};
use crate::core::problem::Problem;

impl Forward<'_, '_> {
    fn refuse(&mut self, message: String) {
        self.plan.refused = true;
        let problem = Problem::blocked(Reason::NotAdoptable, message);
        self.plan.problems.push(problem);
    }

    /// Whether nobody has marked what is to be adopted.
    fn is_free(&mut self, path: &str, what: &str, marker: Option<&Marker>) -> bool {
        let Some(marker) = marker else { return true };
        self.refuse(if marker.cluster == self.world.cluster {
            format!(
                "{path}: {what} was made by this operator for {}, and is not adopted. Remove the field, or correct the id.",
                marker.owner
            )
        } else {
            format!(
                "{path}: {what} belongs to cluster \"{}\". Correct the id.",
                marker.cluster
            )
        });
        false
    }

    fn is_adopted(&mut self, key: &ObjectKey, id: &str, name: &str) {
        self.id(key, id);
        self.plan.adopted.insert(key.clone(), name.to_owned());
    }

    pub(super) fn adopted_group(
        &mut self,
        key: &ObjectKey,
        wish: &GroupWish,
        inventory: &Inventory,
    ) {
        let path = format!("existing of group \"{}\" in the class", wish.instead);
        let id = key.adopted_id().unwrap_or_default();
        let ObjectKey::Group { name } = key else {
            return;
        };
        let Some(group) = inventory.group(name) else {
            self.refuse(format!(
                "{path}: there is no API group {id} in the account and region. Correct the id."
            ));
            return;
        };
        let what = format!("API group \"{}\" ({id})", group.spec.name);
        if !self.is_free(&path, &what, group.marker.as_ref()) {
            return;
        }
        if let Some(own) = inventory.group(&wish.instead)
            && self.world.shared_is_ours(own.marker.as_ref())
        {
            self.refuse(format!(
                "{path}: the operator has made a group of this name itself ({}), and its APIs would move to another public name. Remove existing, or adopt {id} under another name in the class and move bindings there.",
                own.id
            ));
            return;
        }
        self.is_adopted(key, group.id.as_str(), &group.spec.name);
        if wish.needs_host && group.spec.pass_host {
            self.plan.problems.push(Problem::blocked(
                Reason::ForeignField,
                format!(
                    "{what} hands the caller's Host to back ends, before the one that a Knative Service needs. It is left: take Host out of the headers that the group passes on in the console, or use another group."
                ),
            ));
        }
        if wish.instance.is_some() && wish.instance != group.spec.instance {
            self.plan.problems.push(Problem::blocked(
                Reason::Immutable,
                format!(
                    "{what} is on instance \"{}\" and the class wants \"{}\"; a group cannot move by itself. Name the instance that it is on, or adopt another group.",
                    group.spec.instance.as_deref().unwrap_or("shared"),
                    wish.instance.as_deref().unwrap_or_default()
                ),
            ));
        }
        let spec = wish.applied_to(&group.spec);
        let changes = diff::fields(&group.spec, &spec);
        if !changes.is_empty() {
            self.step(key, Operation::UpdateGroup(spec), changes);
        }
    }

    /// It is used as it is: another place, or a Host of its own, is a reason not to.
    pub(super) fn adopted_backend(
        &mut self,
        key: &ObjectKey,
        desired: &BackendDesired,
        inventory: &Inventory,
    ) {
        let path = "backends of the API gateway in the class";
        let id = key.adopted_id().unwrap_or_default();
        let Some(backend) = inventory.backend(desired.name.as_str()) else {
            self.refuse(format!(
                "{path}: there is no VPC authorization {id} in the account and region. Correct the id."
            ));
            return;
        };
        let what = format!("VPC authorization \"{}\" ({id})", backend.spec.name);
        if !self.is_free(path, &what, backend.marker.as_ref()) {
            return;
        }
        let Some(place) = &desired.load_balancer else {
            return;
        };
        let spec = &backend.spec;
        let is_there = spec.load_balancer_id == place.id
            && spec.vpc_id == place.vpc_id
            && spec.port == desired.port;
        if !is_there {
            self.refuse(format!(
                "{path}: {what} leads to port {} of {}, and the gateway is port {} of {}. It is not moved, since others may use it: point it there in the console, or remove the entry.",
                spec.port, spec.load_balancer_id, desired.port, place.id
            ));
            return;
        }
        if let Some(host) = &spec.host_override {
            self.plan.refused = true;
            self.plan.problems.push(Problem::blocked(
                Reason::ForeignField,
                format!(
                    "{what} sends every request with Host \"{host}\", before the one that a Knative Service needs. It is left: remove its host name in the console, or do not adopt it."
                ),
            ));
            return;
        }
        self.is_adopted(key, &backend.id, spec.name.as_str());
    }

    pub(super) fn adopted_policy(
        &mut self,
        key: &ObjectKey,
        wish: &PolicyWish,
        inventory: &Inventory,
    ) {
        let path = "spec.apiGateway.throttling.existing";
        let id = key.adopted_id().unwrap_or_default();
        let Some(policy) = inventory.policies.get(&PolicyId::from(id)) else {
            self.refuse(format!(
                "{path}: there is no plugin {id} in the account and region. Correct the id."
            ));
            return;
        };
        let what = format!("plugin \"{}\" ({id})", policy.spec.name);
        if let PolicyRules::Other { kind, .. } = &policy.spec.rules
            && !policy.spec.rules.limits_requests()
        {
            self.refuse(format!(
                "{path}: {what} is of type {kind}, not one that limits requests. Correct the id."
            ));
            return;
        }
        if !self.is_free(path, &what, policy.marker.as_ref()) {
            return;
        }
        let Some(spec) = wish.applied_to(&policy.spec) else {
            self.plan.refused = true;
            self.plan.problems.push(Problem::blocked(
                Reason::ForeignField,
                format!(
                    "{what} says more than spec.apiGateway.throttling.limits can, and that would be lost. Leave the limits out to use it as it is, or change it in the console."
                ),
            ));
            return;
        };
        self.is_adopted(key, policy.id.as_str(), &policy.spec.name);
        let changes = diff::fields(&policy.spec, &spec);
        if !changes.is_empty() {
            self.step(key, Operation::UpdatePolicy(spec), changes);
        }
    }

    pub(super) fn adopted_api(
        &mut self,
        api: &ApiKey,
        wish: &ApiWish,
        item: &Item,
        inventory: &Inventory,
    ) {
        let key = &item.key;
        let Some(found) = self.adoptable_api(key, api, wish, inventory) else {
            return;
        };
        let Some(wanted) = self.behind_backend(&wish.spec, inventory) else {
            self.note_adopted(key, found);
            return;
        };
        let backend = ObjectKey::Backend {
            name: wish.spec.backend.name.0.clone(),
        };
        self.note_adopted(key, found);
        if found.modified.is_empty() {
            self.plan.unstamped.insert(found.id.clone());
        }
        let Some(seen) = &found.spec else {
            if !self.trusted(item, &found.modified) {
                self.plan.unread.insert(found.id.clone());
            }
            return;
        };
        let wish = ApiWish {
            spec: wanted,
            ..wish.clone()
        };
        let spec = wish.applied_to(seen);
        let changes = diff::fields(seen.as_ref(), &spec);
        if changes.is_empty() {
            return;
        }
        let what = format!("API \"{}\" ({})", found.name, found.id);
        let lost = lost(seen);
        if !lost.is_empty() {
            self.plan.withheld.insert(key.clone());
            self.plan.problems.push(Problem::blocked(
                Reason::Unsupported,
                format!(
                    "{what} has to change, and has settings that would be lost with it: {}. Remove them in the console, or adopt another API.",
                    lost.join(", ")
                ),
            ));
            return;
        }
        let moves = (spec.method, &spec.path) != (found.method, &found.path);
        let taken = inventory
            .api_at(&api.group, spec.method, &spec.path)
            .filter(|other| moves && other.id != found.id);
        let in_the_way = taken.is_some_and(|other| self.path_taken(api, other));
        if in_the_way || !self.coming(&backend) {
            self.plan.withheld.insert(key.clone());
            return;
        }
        self.step(key, Operation::AmendApi(spec), changes);
    }

    fn note_adopted(&mut self, key: &ObjectKey, found: &Api) {
        self.is_adopted(key, found.id.as_str(), &found.name);
    }

    /// The API of a route that adopts it, if it may be adopted.
    fn adoptable_api<'i>(
        &mut self,
        key: &ObjectKey,
        api: &ApiKey,
        wish: &ApiWish,
        inventory: &'i Inventory,
    ) -> Option<&'i Api> {
        let path = format!("spec.apiGateway.routes[{}].existing", wish.route);
        let id = key.adopted_id().unwrap_or_default();
        let group = ObjectKey::Group {
            name: api.group.clone(),
        };
        // What is wrong with the group has been told.
        if !self.plan.ids.contains_key(&group) {
            return None;
        }
        let title = group_title(&api.group, inventory);
        let Some(found) = inventory.api(&api.group, &api.name) else {
            let elsewhere = inventory.apis.get(&ApiId::from(id));
            let elsewhere = elsewhere.and_then(|found| inventory.groups.get(&found.group));
            let place = match elsewhere {
                Some(other) => format!("API {id} is in group \"{}\", not in", other.spec.name),
                None => format!("there is no API {id} in"),
            };
            self.refuse(format!("{path}: {place} {title}. Correct the id."));
            return None;
        };
        let what = format!("API \"{}\" ({id})", found.name);
        if !self.is_free(&path, &what, found.marker.as_ref()) {
            return None;
        }
        let own = inventory.api(&api.group, &wish.spec.name);
        if let Some(own) = own.filter(|own| is_ours(own.marker.as_ref(), self.world.cluster)) {
            self.refuse(format!(
                "{path}: the route has an API of its own already ({}). Remove existing to keep it, or give the route another name to have {id} in its place.",
                own.id
            ));
            return None;
        }
        Some(found)
    }

    pub(super) fn adopted_deployment(
        &mut self,
        api: &ApiKey,
        environment: Environment,
        wish: &ApiWish,
        item: &Item,
        inventory: &Inventory,
    ) {
        let key = &item.key;
        let draft = ObjectKey::Api(api.clone());
        let Some(found) = inventory.api(&api.group, &api.name) else {
            return;
        };
        if !self.plan.ids.contains_key(&draft) {
            return;
        }
        let Some(spec) = self.behind_backend(&wish.spec, inventory) else {
            return;
        };
        let note = note(&wish.spec);
        let Some(deployment) = found.deployments.get(&environment) else {
            if self.plan.withheld.contains(&draft) {
                self.plan.withheld.insert(key.clone());
            } else {
                self.step(key, Operation::Deploy { note }, Vec::new());
            }
            return;
        };
        if deployment.version.is_empty() {
            self.plan.unstamped.insert(found.id.clone());
        }
        let amended = self.plan.steps.iter().any(|step| step.key == draft);
        let entry = self.known.ledger.entries.get(key);
        let due = amended || entry.is_some_and(is_owed);
        let wish = ApiWish {
            spec,
            ..wish.clone()
        };
        let changes = match &deployment.spec {
            Some(seen) => diff::fields(seen.as_ref(), &wish.applied_to(seen)),
            None if due || self.trusted(item, &deployment.version) => Vec::new(),
            None => {
                self.plan.unread.insert(found.id.clone());
                return;
            }
        };
        if self.plan.withheld.contains(&draft) {
            self.plan.withheld.insert(key.clone());
        } else if due || !changes.is_empty() {
            self.step(key, Operation::Redeploy { note }, changes);
        }
    }
}

/// Notes which parts of adopted APIs were there before, and takes back claims to what may not be
/// adopted or is not known yet.
pub(super) fn note_found(items: &[Item], ledger: &Ledger, world: &World<'_>, plan: &mut Plan) {
    for item in items {
        let key = &item.key;
        let entry = ledger.entries.get(key);
        let usable = match key.api() {
            Some(api) => plan.ids.contains_key(&ObjectKey::Api(api.clone())),
            None => plan.ids.contains_key(key),
        };
        if key.is_on_adopted() && !usable && entry.is_none() {
            plan.claims.remove(key);
        }
        if let Some(inventory) = world.inventory
            && usable
            && is_new(key, entry)
            && was_there(item, world, inventory)
        {
            plan.found.insert(key.clone());
        }
    }
}

/// Whether something is looked at for the first time. A permission is claimed before it is known
/// whose it is.
fn is_new(key: &ObjectKey, entry: Option<&LedgerEntry>) -> bool {
    match (key, entry) {
        (_, None) => true,
        (ObjectKey::Grant { .. }, Some(entry)) => entry.id.is_none() && entry.applied.is_none(),
        (_, Some(_)) => false,
    }
}

fn was_there(item: &Item, world: &World<'_>, inventory: &Inventory) -> bool {
    let found = |api: &ApiKey| {
        let adopted = item.key.is_on_adopted();
        inventory.api(&api.group, &api.name).filter(|_| adopted)
    };
    match (&item.key, &item.desired) {
        (ObjectKey::Deployment { api, environment }, _) => {
            found(api).is_some_and(|api| api.deployments.contains_key(environment))
        }
        // Only what others made on both ends can be theirs.
        (ObjectKey::Attachment { api, environment }, Desired::Attachment { policy }) => found(api)
            .is_some_and(|api| {
                let acting = inventory.throttling_of(&api.id, *environment);
                let wanted = inventory.policy(policy);
                acting.is_some_and(|acting| {
                    wanted.is_some_and(|wanted| wanted.id == acting.id)
                        && !is_ours(acting.marker.as_ref(), world.cluster)
                })
            }),
        (
            ObjectKey::Grant {
                api, environment, ..
            },
            Desired::Grant { consumer, .. },
        ) => found(api).is_some_and(|api| {
            let key = GrantKey {
                api: api.id.clone(),
                environment: *environment,
                consumer: consumer.clone(),
            };
            let ours = inventory
                .consumers
                .get(consumer)
                .is_some_and(|consumer| is_ours(consumer.marker.as_ref(), world.cluster));
            inventory.grants.contains_key(&key) && !ours
        }),
        _ => false,
    }
}
