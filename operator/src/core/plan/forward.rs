//! Creations and changes.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::{
    Api, ApiSpec, BackendSpec, ConsumerId, Environment, GrantKey, GroupSpec, Inventory, Marker,
    PolicySpec,
};
use crds::v1alpha1::Reason;
use jiff::Timestamp;

use super::{Operation, Plan, Step, World, odd};
use crate::core::desired::{BackendDesired, Desired, Item, ServiceDesired};
use crate::core::diff;
use crate::core::key::{ApiKey, ConsumerKey, ObjectKey};
use crate::core::ledger::Ledger;
use crate::core::names;
use crate::core::observed::{Lookup, ServiceState, is_ours};
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
    let mut forward = Forward { known, world, plan };
    for item in items {
        forward.item(item);
    }
}

struct Forward<'a, 'w> {
    known: &'a Known<'a>,
    world: &'a World<'w>,
    plan: &'a mut Plan,
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
            (_, Desired::Group(spec)) => self.group(key, spec, inventory),
            (_, Desired::Backend(desired)) => self.backend(key, desired, inventory),
            (ObjectKey::Api(api), Desired::Api(spec)) => self.api(key, api, spec, inventory),
            (ObjectKey::Deployment { api, environment }, Desired::Deployment(spec)) => {
                self.deployment(key, api, *environment, spec, inventory);
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

    fn step(&mut self, key: &ObjectKey, operation: Operation, changes: Vec<diff::FieldChange>) {
        self.plan.steps.push(Step {
            key: key.clone(),
            operation,
            changes,
        });
    }

    fn id(&mut self, key: &ObjectKey, id: &str) {
        self.plan.ids.insert(key.clone(), id.to_owned());
    }

    /// The name an API has now.
    fn present(&self, api: &ApiKey) -> ApiKey {
        self.known.renamed.get(api).unwrap_or(api).clone()
    }

    fn note_ids(&mut self, key: &ObjectKey, inventory: &Inventory) {
        let id = match key {
            ObjectKey::Api(api) => {
                let present = self.present(api);
                let found = inventory.api(&present.group, &present.name);
                found.map(|found| found.id.as_str())
            }
            ObjectKey::Group { name } => inventory.group(name).map(|found| found.id.as_str()),
            ObjectKey::Backend { name } => inventory.backend(name).map(|found| found.id.as_str()),
            ObjectKey::Policy { name } => inventory.policy(name).map(|found| found.id.as_str()),
            _ => None,
        };
        if let Some(id) = id {
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
        let present = odd::api_of(&item.key).map(|api| self.present(api));
        odd::unreadable(&item.key, present.as_ref(), ends, inventory)
    }

    /// Whether an object under a name of ours is ours; if not, that is a problem.
    fn owned(&mut self, what: &str, marker: Option<&Marker>, remedy: &str) -> bool {
        if is_ours(marker, self.world.cluster) {
            return true;
        }
        let whose = marker.map_or_else(
            || "and carries no mark of this operator".to_owned(),
            |marker| format!("and belongs to cluster \"{}\"", marker.cluster),
        );
        self.not_owned(what, &whose, remedy);
        false
    }

    /// The same for what the bindings of a class share: it must be this class's.
    fn shared_owned(&mut self, what: &str, marker: Option<&Marker>, remedy: &str) -> bool {
        if self.world.shared_is_ours(marker) {
            return true;
        }
        match marker.filter(|marker| marker.cluster == self.world.cluster) {
            Some(marker) => {
                self.not_owned(what, &format!("and belongs to {}", marker.owner), remedy);
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
        for ours in &state.our_annotations {
            if !annotations.contains_key(ours) {
                let kept = state.annotations.get(ours).cloned();
                if let Some(value) = slb::restored(ours, None, state).or(kept) {
                    annotations.insert(ours.clone(), value);
                }
            }
        }
        let seen: BTreeMap<&String, &String> = annotations
            .keys()
            .filter_map(|key| state.annotations.get_key_value(key))
            .collect();
        let wanted: BTreeMap<&String, &String> = annotations.iter().collect();
        let mut changes = diff::fields(&seen, &wanted);
        let shape = desired.create.clone().filter(|_| state.created_by_us);
        if let Some(shape) = &shape {
            changes.extend(diff::fields(&state.shape, shape));
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
        if !self.shared_owned(
            &what,
            group.marker.as_ref(),
            "Choose another name for the group in the class, or delete the group in the console.",
        ) {
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
                self.shared_owned(&what, other.marker.as_ref(), "The product allows one for each load balancer and port: remove it in the console once nothing uses it.");
                return;
            }
            self.step(key, Operation::CreateBackend(spec), Vec::new());
            return;
        };
        let what = format!("VPC authorization \"{}\"", desired.name);
        if !self.shared_owned(
            &what,
            backend.marker.as_ref(),
            "Remove it in the console once nothing uses it.",
        ) {
            return;
        }
        self.id(key, &backend.id);
        let changes = diff::fields(&backend.spec, &spec);
        if !changes.is_empty() {
            self.step(key, Operation::UpdateBackend(spec), changes);
        }
    }

    fn api(&mut self, key: &ObjectKey, api: &ApiKey, spec: &ApiSpec, inventory: &Inventory) {
        let present = self.present(api);
        let Some(found) = inventory.api(&present.group, &present.name) else {
            if let Some(other) = inventory.api_at(&api.group, spec.method, &spec.path) {
                self.path_taken(api, other);
                return;
            }
            let group = ObjectKey::Group {
                name: api.group.clone(),
            };
            let backend = ObjectKey::Backend {
                name: spec.backend.name.0.clone(),
            };
            if self.coming(&group) && self.coming(&backend) {
                self.step(key, Operation::CreateApi(spec.clone()), Vec::new());
            }
            return;
        };
        let what = format!("API \"{}\" in group \"{}\"", found.name, api.group);
        if !self.owned(
            &what,
            found.marker.as_ref(),
            "Rename or delete it in the console.",
        ) {
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
            None if self.trusted(key, &Desired::Api(spec.clone()), &found.modified) => {}
            None => {
                self.plan.unread.insert(found.id.clone());
            }
        }
    }

    /// The path and method that an API wants are those of another one.
    fn path_taken(&mut self, api: &ApiKey, other: &Api) {
        let what = format!(
            "API \"{}\" with the same path and method in group \"{}\"",
            other.name, api.group
        );
        let ours = other
            .marker
            .as_ref()
            .filter(|marker| marker.cluster == self.world.cluster);
        match ours {
            None => {
                let remedy = "Use another path, or delete that API in the console.";
                self.owned(&what, other.marker.as_ref(), remedy);
            }
            // One of our own makes room within this plan or is gone after it.
            Some(marker) if marker.owner == self.world.owner => {}
            Some(marker) => self.plan.problems.push(Problem::waiting(
                Reason::PathConflict,
                format!("{what} belongs to {}. It may be on its way out; if not, use another path, or delete that API in the console.", marker.owner),
            )),
        }
    }

    /// Whether an object that was not read is as wanted all the same: the same was wanted when it
    /// was last compared, and the cloud's mark of its version has not moved since.
    fn trusted(&self, key: &ObjectKey, desired: &Desired, version: &str) -> bool {
        let entry = self.known.ledger.entries.get(key);
        entry.is_some_and(|entry| {
            entry
                .version
                .as_deref()
                .is_some_and(|known| known == version)
                && entry.applied.as_deref() == Some(&desired.digest())
        })
    }

    /// Whether an object of ours is there or an earlier step makes it.
    fn coming(&self, key: &ObjectKey) -> bool {
        self.plan.ids.contains_key(key) || self.plan.steps.iter().any(|step| step.key == *key)
    }

    fn api_coming(&self, api: &ApiKey) -> bool {
        self.coming(&ObjectKey::Api(api.clone()))
    }

    fn deployment(
        &mut self,
        key: &ObjectKey,
        api: &ApiKey,
        environment: Environment,
        spec: &ApiSpec,
        inventory: &Inventory,
    ) {
        if !self.api_coming(api) {
            return;
        }
        let note = format!("{} {}", spec.description, names::digest(spec));
        let note: String = note.chars().take(200).collect();
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
            None if self.trusted(key, &Desired::Deployment(spec.clone()), &deployment.version) => {}
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
        if !self.shared_owned(
            &what,
            policy.marker.as_ref(),
            "Rename or delete it in the console.",
        ) {
            return;
        }
        self.id(key, policy.id.as_str());
        let mut changes = diff::fields(&policy.spec, spec);
        changes.extend(self.renaming(key, &spec.name));
        if !changes.is_empty() {
            self.step(key, Operation::UpdatePolicy(spec.clone()), changes);
        }
    }

    fn attachment(
        &mut self,
        key: &ObjectKey,
        api: &ApiKey,
        environment: Environment,
        policy: &str,
        inventory: &Inventory,
    ) {
        if !self.api_coming(api) {
            return;
        }
        let present = self.present(api);
        let acting = inventory
            .api(&present.group, &present.name)
            .filter(|found| found.deployments.contains_key(&environment))
            .and_then(|found| inventory.throttling_of(&found.id, environment));
        if acting.is_none_or(|acting| acting.spec.name != policy) {
            let policy = policy.to_owned();
            self.step(key, Operation::Attach { policy }, Vec::new());
        }
    }

    fn grant(
        &mut self,
        key: &ObjectKey,
        (api, environment, _): (&ApiKey, Environment, &ConsumerKey),
        consumer: &ConsumerId,
        until: Option<Timestamp>,
        inventory: &Inventory,
    ) {
        if !self.api_coming(api) {
            return;
        }
        let present = self.present(api);
        self.id(key, consumer.as_str());
        let consumer = consumer.clone();
        let held = inventory
            .api(&present.group, &present.name)
            .and_then(|found| {
                inventory.grants.get(&GrantKey {
                    api: found.id.clone(),
                    environment,
                    consumer: consumer.clone(),
                })
            });
        match held {
            None => self.step(key, Operation::Grant { consumer, until }, Vec::new()),
            Some(grant) if grant.until != until => {
                let changes = diff::fields(
                    &serde_json::json!({ "until": grant.until }),
                    &serde_json::json!({ "until": until }),
                );
                self.step(key, Operation::Regrant { consumer, until }, changes);
            }
            Some(_) => {}
        }
    }
}
