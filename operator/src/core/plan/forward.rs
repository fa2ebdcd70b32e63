//! Creations and changes.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{
    ApiSpec, BackendSpec, Environment, GroupSpec, Inventory, PolicySpec,
};
use crds::keys;
use crds::v1alpha1::Reason;

use super::ownership::{Remedy, group_title};
use super::{Operation, Plan, Step, World, odd};
use crate::core::desired::{BackendDesired, Desired, Item, ServiceDesired};
use crate::core::diff;
use crate::core::key::{ApiKey, ObjectKey, id_of};
use crate::core::ledger::Ledger;
use crate::core::names;
use crate::core::observed::{Lookup, ServiceState};
use crate::core::problem::Problem;
use crate::core::slb;

/// What is known beside what is there.
pub(super) struct Known<'a> {
    /// What was claimed and applied before.
    pub(super) ledger: &'a Ledger,
    /// APIs that change their name in this plan, from the wanted key to the present one.
    pub(super) renamed: &'a BTreeMap<ApiKey, ApiKey>,
    /// Groups and policies that somebody renamed, and what they are called now.
    pub(super) seen: &'a BTreeMap<ObjectKey, String>,
}

pub(super) fn plan(items: &[Item], known: &Known<'_>, world: &World<'_>, plan: &mut Plan) {
    let mut forward = Forward {
        known,
        world,
        plan,
        unlimited: BTreeSet::new(),
    };
    for item in items {
        forward.item(item);
    }
}

pub(super) struct Forward<'a, 'w> {
    pub(super) known: &'a Known<'a>,
    pub(super) world: &'a World<'w>,
    pub(super) plan: &'a mut Plan,
    /// Where the wanted limits cannot be put into effect: nobody is let in there.
    pub(super) unlimited: BTreeSet<(ApiKey, Environment)>,
}

impl Forward<'_, '_> {
    fn item(&mut self, item: &Item) {
        let key = &item.key;
        if let (ObjectKey::Service { namespace, name }, Desired::Service(desired)) =
            (key, &item.desired)
        {
            let place = (namespace.clone(), name.clone());
            let world = self.world;
            self.service(key, desired, world.services.get(&place));
            return;
        }
        let Some(inventory) = self.world.inventory else {
            return;
        };
        if let Some(problem) = self.unreadable(item, inventory) {
            self.note_ids(key, inventory);
            if !self.plan.problems.contains(&problem) {
                self.plan.problems.push(problem);
            }
            return;
        }
        match (key, &item.desired) {
            (_, Desired::Undecided | Desired::Service(_)) => self.note_ids(key, inventory),
            (_, Desired::Refused) => self.plan.refused = true,
            (_, Desired::AdoptedGroup(wish)) => self.adopted_group(key, wish, inventory),
            (_, Desired::AdoptedPolicy(wish)) => self.adopted_policy(key, wish, inventory),
            (ObjectKey::Api(api), Desired::AdoptedApi(wish)) => {
                self.adopted_api(api, wish, item, inventory);
            }
            (ObjectKey::Deployment { api, environment }, Desired::AdoptedDeployment(wish)) => {
                self.adopted_deployment(api, *environment, wish, item, inventory);
            }
            (ObjectKey::Backend { name }, Desired::Backend(desired)) if id_of(name).is_some() => {
                self.adopted_backend(key, desired, inventory);
            }
            (_, Desired::Group(spec)) => self.group(key, spec, inventory),
            (_, Desired::Backend(desired)) => self.backend(key, desired, inventory),
            (ObjectKey::Api(api), Desired::Api(spec)) => {
                match self.behind_backend(spec, inventory) {
                    Some(spec) => self.api(item, api, &spec, inventory),
                    None => self.note_ids(key, inventory),
                }
            }
            (ObjectKey::Deployment { api, environment }, Desired::Deployment(spec)) => {
                if let Some(spec) = self.behind_backend(spec, inventory) {
                    self.deployment(item, api, *environment, &spec, inventory);
                }
            }
            (_, Desired::Policy(spec)) => self.policy(key, spec, inventory),
            (ObjectKey::Attachment { api, environment }, Desired::Attachment { policy }) => {
                self.attachment(key, api, *environment, policy, inventory);
            }
            (
                ObjectKey::Grant {
                    api,
                    environment,
                    consumer: who,
                },
                Desired::Grant { consumer, until },
            ) => self.grant(key, (api, *environment, who), consumer, *until, inventory),
            // A key and what is wanted under it are made together, so no other pair comes here.
            _ => {}
        }
    }

    pub(super) fn step(
        &mut self,
        key: &ObjectKey,
        operation: Operation,
        changes: Vec<diff::FieldChange>,
    ) {
        self.plan.steps.push(Step {
            key: key.clone(),
            operation,
            changes,
        });
    }

    pub(super) fn id(&mut self, key: &ObjectKey, id: &str) {
        self.plan.ids.insert(key.clone(), id.to_owned());
    }

    /// The name an API has now.
    pub(super) fn present(&self, api: &ApiKey) -> ApiKey {
        self.known.renamed.get(api).unwrap_or(api).clone()
    }

    fn note_ids(&mut self, key: &ObjectKey, inventory: &Inventory) {
        let found = match key {
            ObjectKey::Api(api) => {
                let present = self.present(api);
                let found = inventory.api(&present.group, &present.name);
                found.map(|found| (found.id.as_str(), &found.marker))
            }
            ObjectKey::Group { name } => {
                let found = inventory.group(name);
                found.map(|found| (found.id.as_str(), &found.marker))
            }
            ObjectKey::Backend { name } => {
                let found = inventory.backend(name);
                found.map(|found| (found.id.as_str(), &found.marker))
            }
            ObjectKey::Policy { name } => {
                let found = inventory.policy(name);
                found.map(|found| (found.id.as_str(), &found.marker))
            }
            _ => None,
        };
        let Some((id, marker)) = found else { return };
        // What is adopted counts once it was checked and while it is nobody's.
        let checked = self.known.ledger.entries.contains_key(key);
        if key.adopted_id().is_none() || (checked && marker.is_none()) {
            self.id(key, id);
        }
    }

    /// What of the cloud's answers keeps anything from being planned about an item.
    fn unreadable(&self, item: &Item, inventory: &Inventory) -> Option<Problem> {
        let ends = match &item.desired {
            Desired::Attachment { policy } => odd::Ends {
                policy: Some(policy),
                ..odd::Ends::default()
            },
            Desired::Grant { consumer, .. } => odd::Ends {
                consumer: Some(consumer),
                ..odd::Ends::default()
            },
            _ => odd::Ends::default(),
        };
        let present = item.key.api().map(|api| self.present(api));
        odd::unreadable(&item.key, present.as_ref(), ends, inventory)
    }

    fn service(&mut self, key: &ObjectKey, desired: &ServiceDesired, state: Option<&ServiceState>) {
        let annotations = desired.annotations.clone();
        let Some(state) = state else {
            if let Some(shape) = desired.create.clone() {
                self.step(
                    key,
                    Operation::CreateService { shape, annotations },
                    Vec::new(),
                );
            }
            return;
        };
        let mut annotations = annotations;
        annotations.retain(|key, value| !slb::is_said(key, value, state));
        let entry = self.known.ledger.entries.get(key);
        for ours in &state.our_annotations {
            if !annotations.contains_key(ours) {
                let before = entry.and_then(|entry| entry.previous.get(ours));
                annotations.extend(slb::left(ours, before, state));
            }
        }
        let seen: BTreeMap<&String, &String> = annotations
            .keys()
            .chain(&state.our_annotations)
            .filter_map(|key| state.annotations.get_key_value(key))
            .collect();
        let wanted: BTreeMap<&String, &String> = annotations.iter().collect();
        let mut changes = diff::fields(&seen, &wanted);
        let shape = desired.create.clone().filter(|_| state.created_by_us);
        if let Some(shape) = &shape {
            changes.extend(diff::fields(&state.shape, shape));
        }
        if changes.is_empty() && !desired.drift.is_empty() {
            changes.clone_from(&desired.drift);
            annotations.insert(keys::RESYNC.to_owned(), resync(state, &changes));
        }
        if !changes.is_empty() {
            let takeover = desired.takeover || state.created_by_us;
            let operation = Operation::ApplyService {
                shape,
                annotations,
                takeover,
            };
            self.step(key, operation, changes);
        }
    }

    /// The change back to its name of what somebody renamed.
    fn renaming(&self, key: &ObjectKey, name: &str) -> Option<diff::FieldChange> {
        let seen = self.known.seen.get(key)?;
        Some(diff::FieldChange {
            path: "name".to_owned(),
            from: Some(seen.as_str().into()),
            to: Some(name.into()),
        })
    }

    fn group(&mut self, key: &ObjectKey, spec: &GroupSpec, inventory: &Inventory) {
        let Some(group) = inventory.group(&spec.name) else {
            self.step(key, Operation::CreateGroup(spec.clone()), Vec::new());
            return;
        };
        let what = format!("API group \"{}\"", spec.name);
        let remedy = Remedy {
            advice: "Choose another name for the group in the class, or delete the group in the console.",
            adopt: "in the class, at the group, ",
            id: group.id.as_str(),
        };
        if !self.shared_owned(&what, group.marker.as_ref(), &remedy) {
            self.plan.refused = true;
            return;
        }
        self.id(key, group.id.as_str());
        let mut reachable = spec.clone();
        if group.spec.instance != spec.instance && spec.instance.is_some() {
            self.plan.problems.push(Problem::blocked(
                Reason::Immutable,
                format!(
                    "{what} is on instance \"{}\" and the class wants \"{}\"; a group cannot move by itself. Use another group name for the other instance.",
                    group.spec.instance.as_deref().unwrap_or("shared"),
                    spec.instance.as_deref().unwrap_or_default()
                ),
            ));
        }
        reachable.instance.clone_from(&group.spec.instance);
        let mut changes = diff::fields(&group.spec, &reachable);
        changes.extend(self.renaming(key, &spec.name));
        if !changes.is_empty() {
            self.step(key, Operation::UpdateGroup(reachable), changes);
        }
    }

    fn backend(&mut self, key: &ObjectKey, desired: &BackendDesired, inventory: &Inventory) {
        let Some(place) = &desired.load_balancer else {
            return;
        };
        let spec = BackendSpec {
            name: desired.name.clone(),
            vpc_id: place.vpc_id.clone(),
            load_balancer_id: place.id.clone(),
            port: desired.port,
            host_override: None,
        };
        let Some(backend) = inventory.backend(desired.name.as_str()) else {
            let same_place = inventory.backends.values().find(|other| {
                other.spec.vpc_id == spec.vpc_id
                    && other.spec.load_balancer_id == spec.load_balancer_id
                    && other.spec.port == spec.port
            });
            if let Some(other) = same_place {
                let what = format!(
                    "VPC authorization \"{}\" for port {} of {}",
                    other.spec.name, spec.port, spec.load_balancer_id
                );
                let remedy = Remedy {
                    advice: "The product allows one for each load balancer and port: remove it in the console once nothing uses it.",
                    adopt: "in the class, in backends of the API gateway, ",
                    id: &other.id,
                };
                self.shared_owned(&what, other.marker.as_ref(), &remedy);
                return;
            }
            self.step(key, Operation::CreateBackend(spec), Vec::new());
            return;
        };
        let what = format!("VPC authorization \"{}\"", desired.name);
        let remedy = Remedy {
            advice: "Remove it in the console once nothing uses it.",
            adopt: "in the class, in backends of the API gateway, ",
            id: &backend.id,
        };
        if !self.shared_owned(&what, backend.marker.as_ref(), &remedy) {
            return;
        }
        self.id(key, &backend.id);
        let changes = diff::fields(&backend.spec, &spec);
        if !changes.is_empty() {
            self.step(key, Operation::UpdateBackend(spec), changes);
        }
    }

    /// The same definition behind its backend, as the cloud names it; none: the class adopts it and
    /// it cannot be used.
    pub(super) fn behind_backend(&self, spec: &ApiSpec, inventory: &Inventory) -> Option<ApiSpec> {
        let mut spec = spec.clone();
        let name = spec.backend.name.0.clone();
        if id_of(&name).is_some() {
            let backend = inventory.backend(&name)?;
            let is_used = self.coming(&ObjectKey::Backend { name });
            spec.backend.name.clone_from(&backend.spec.name);
            return is_used.then_some(spec);
        }
        Some(spec)
    }

    fn api(&mut self, item: &Item, api: &ApiKey, spec: &ApiSpec, inventory: &Inventory) {
        let key = &item.key;
        let present = self.present(api);
        let Some(found) = inventory.api(&present.group, &present.name) else {
            if let Some(other) = inventory.api_at(&api.group, spec.method, &spec.path)
                && self.path_taken(api, other)
            {
                return;
            }
            let group = ObjectKey::Group {
                name: api.group.clone(),
            };
            let Desired::Api(wanted) = &item.desired else {
                return;
            };
            let backend = ObjectKey::Backend {
                name: wanted.backend.name.0.clone(),
            };
            if self.coming(&group) && self.coming(&backend) {
                self.step(key, Operation::CreateApi(spec.clone()), Vec::new());
            }
            return;
        };
        let group = group_title(&api.group, inventory);
        let what = format!("API \"{}\" in {group}", found.name);
        let remedy = Remedy {
            advice: "Rename or delete it in the console.",
            adopt: "in the binding, at the route, ",
            id: found.id.as_str(),
        };
        if !self.owned(&what, found.marker.as_ref(), &remedy) {
            return;
        }
        self.id(key, found.id.as_str());
        if found.modified.is_empty() {
            self.plan.unstamped.insert(found.id.clone());
        }
        match &found.spec {
            Some(seen) => {
                let changes = diff::fields(&**seen, spec);
                if !changes.is_empty() {
                    self.step(key, Operation::UpdateApi(spec.clone()), changes);
                }
            }
            None if self.trusted(item, &found.modified) => {}
            None => {
                self.plan.unread.insert(found.id.clone());
            }
        }
    }

    /// Whether an object that was not read is as wanted all the same: the same was wanted when it
    /// was last compared, and the cloud's mark of its version has not moved since.
    pub(super) fn trusted(&self, item: &Item, version: &str) -> bool {
        let entry = self.known.ledger.entries.get(&item.key);
        entry.is_some_and(|entry| {
            entry
                .version
                .as_deref()
                .is_some_and(|known| known == version)
                && entry.applied.as_deref() == Some(&item.desired.digest())
        })
    }

    /// Whether an object of ours is there or an earlier step makes it.
    pub(super) fn coming(&self, key: &ObjectKey) -> bool {
        self.plan.ids.contains_key(key) || self.plan.steps.iter().any(|step| step.key == *key)
    }

    pub(super) fn api_coming(&self, api: &ApiKey) -> bool {
        self.coming(&ObjectKey::Api(api.clone()))
    }

    fn deployment(
        &mut self,
        item: &Item,
        api: &ApiKey,
        environment: Environment,
        spec: &ApiSpec,
        inventory: &Inventory,
    ) {
        if !self.api_coming(api) {
            return;
        }
        let key = &item.key;
        let note = note(spec);
        let present = self.present(api);
        let found = inventory.api(&present.group, &present.name);
        let running = found.and_then(|found| Some((found, found.deployments.get(&environment)?)));
        let Some((found, deployment)) = running else {
            self.step(key, Operation::Deploy { note }, Vec::new());
            return;
        };
        if deployment.version.is_empty() {
            self.plan.unstamped.insert(found.id.clone());
        }
        match &deployment.spec {
            Some(seen) => {
                // The deployed definition does not carry name and description of its own.
                let comparable = ApiSpec {
                    name: spec.name.clone(),
                    description: spec.description.clone(),
                    ..ApiSpec::clone(seen)
                };
                let changes = diff::fields(&comparable, spec);
                if !changes.is_empty() {
                    self.step(key, Operation::Redeploy { note }, changes);
                }
            }
            None if self.trusted(item, &deployment.version) => {}
            None => {
                self.plan.unread.insert(found.id.clone());
            }
        }
    }

    fn policy(&mut self, key: &ObjectKey, spec: &PolicySpec, inventory: &Inventory) {
        let Some(policy) = inventory.policy(&spec.name) else {
            self.step(key, Operation::CreatePolicy(spec.clone()), Vec::new());
            return;
        };
        let what = format!("plugin \"{}\"", spec.name);
        let remedy = Remedy {
            advice: "Rename or delete it in the console.",
            adopt: "in the binding, at throttling, ",
            id: policy.id.as_str(),
        };
        if !self.shared_owned(&what, policy.marker.as_ref(), &remedy) {
            return;
        }
        self.id(key, policy.id.as_str());
        let mut changes = diff::fields(&policy.spec, spec);
        changes.extend(self.renaming(key, &spec.name));
        if !changes.is_empty() {
            self.step(key, Operation::UpdatePolicy(spec.clone()), changes);
        }
    }
}

/// A value that the Service has not said yet: with it the cloud controller manager compares everything
/// again.
fn resync(state: &ServiceState, drift: &[diff::FieldChange]) -> String {
    let before = state.annotations.get(keys::RESYNC);
    let digest = names::digest(&format!("{before:?} {drift:?}"));
    digest.chars().rev().take(12).collect()
}

/// What is noted with a publication.
pub(super) fn note(spec: &ApiSpec) -> String {
    let note = format!("{} {}", spec.description, names::digest(spec));
    note.chars().take(200).collect()
}
