//! A model of cluster and cloud that executes plans as strictly as the real ones: it refuses what
//! they refuse, so a plan in a wrong order fails here.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloud_adapter::gateway::model::*;

use super::scenario::{CLASS_OWNER, CLUSTER};
use crate::core::key::{ApiKey, ObjectKey};
use crate::core::ledger::{Ledger, Place};
use crate::core::observed::{Lookup, ServiceState};
use crate::core::plan::{Operation, Plan, Step};

type Ids = BTreeMap<ObjectKey, String>;

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub services: BTreeMap<(String, String), ServiceState>,
    pub inventory: Inventory,
    made: u32,
}

impl Model {
    /// Executes a plan whole and returns the ledger afterwards.
    pub(super) fn execute(&mut self, plan: &Plan, ledger: &Ledger, owner: &str) -> Ledger {
        let mut ledger = ledger.clone();
        for key in &plan.claims {
            ledger.claim(key, &Place::default());
        }
        ledger.foresee(plan);
        for (key, id) in &plan.ids {
            if let Some(entry) = ledger.entries.get_mut(key) {
                entry.id = Some(id.clone());
            }
        }
        for step in &plan.steps {
            self.step(step, &plan.ids, owner);
            ledger.done(step);
            if !plan.claims.contains(&step.key) {
                ledger.entries.remove(&step.key);
            }
        }
        for key in &plan.released {
            ledger.entries.remove(key);
        }
        ledger
    }

    fn marker(owner: &str) -> Option<Marker> {
        Some(Marker {
            cluster: CLUSTER.into(),
            owner: owner.into(),
        })
    }

    fn next(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}-{}", self.made)
    }

    /// By id where it was known, as the cloud does: a plan may rename it.
    fn found(&self, key: &ApiKey, ids: &Ids) -> Api {
        if let Some(id) = ids.get(&ObjectKey::Api(key.clone())) {
            let id = ApiId::from(id.as_str());
            return self.inventory.apis.get(&id).expect("the API").clone();
        }
        let group = self
            .inventory
            .group(&key.group)
            .expect("the API's group")
            .id
            .clone();
        let mut apis = self.inventory.apis.values();
        let found = apis.find(|api| api.group == group && api.name == key.name);
        found.unwrap_or_else(|| panic!("no API {key:?}")).clone()
    }

    fn step(&mut self, step: &Step, ids: &Ids, owner: &str) {
        match (&step.key, &step.operation) {
            (ObjectKey::Service { namespace, name }, operation) => {
                self.service((namespace.clone(), name.clone()), operation);
            }
            (_, Operation::CreateGroup(spec)) => {
                assert!(
                    self.inventory.group(&spec.name).is_none(),
                    "two groups of one name"
                );
                let id = GroupId(self.next("group"));
                let group = Group {
                    id: id.clone(),
                    sub_domain: format!("{id}.example.com"),
                    spec: spec.clone(),
                    marker: Self::marker(CLASS_OWNER),
                };
                self.inventory.groups.insert(id, group);
            }
            (ObjectKey::Group { name }, Operation::UpdateGroup(spec)) => {
                let seen = self.inventory.group(name);
                let id = seen.unwrap().id.clone();
                self.inventory.groups.get_mut(&id).unwrap().spec = spec.clone();
            }
            (ObjectKey::Group { name }, Operation::DeleteGroup) => {
                let group = self.inventory.group(name).unwrap();
                assert!(group.marker.is_some(), "others made the group");
                let id = group.id.clone();
                assert!(
                    self.inventory.apis.values().all(|api| api.group != id),
                    "the group has APIs"
                );
                self.inventory.groups.remove(&id);
            }
            (_, Operation::CreateBackend(spec) | Operation::UpdateBackend(spec)) => {
                let backend = Backend {
                    spec: spec.clone(),
                    id: self.next("backend"),
                    marker: Self::marker(CLASS_OWNER),
                };
                self.inventory.backends.insert(spec.name.clone(), backend);
            }
            (_, Operation::DeleteBackend(spec)) => {
                assert!(self.inventory.backends[&spec.name].marker.is_some());
                self.inventory.backends.remove(&spec.name);
            }
            (ObjectKey::Policy { .. }, operation) => self.policy(operation, &step.key),
            (ObjectKey::Api(api), operation) => self.api(api, ids, operation, owner),
            (ObjectKey::Deployment { api, environment }, operation) => {
                self.deployment((api, ids), *environment, operation);
            }
            (ObjectKey::Attachment { api, environment }, operation) => {
                self.attachment((api, ids), *environment, operation);
            }
            (
                ObjectKey::Grant {
                    api, environment, ..
                },
                operation,
            ) => {
                self.grant((api, ids), *environment, operation);
            }
            (key, operation) => panic!("{operation:?} on {key}"),
        }
    }

    fn service(&mut self, place: (String, String), operation: &Operation) {
        match operation {
            Operation::CreateService { shape, annotations } => {
                let state = ServiceState {
                    uid: "0af1".into(),
                    type_: "LoadBalancer".into(),
                    created_by_us: true,
                    annotations: annotations.clone(),
                    our_annotations: annotations.keys().cloned().collect(),
                    shape: shape.clone(),
                    load_balancer_id: Some("lb-1".into()),
                    address: Some("192.168.0.23".into()),
                    ..ServiceState::default()
                };
                assert!(
                    self.services.insert(place, state).is_none(),
                    "the Service exists"
                );
            }
            Operation::ApplyService { annotations, .. }
            | Operation::ReleaseService { annotations } => {
                let state = self.services.get_mut(&place).expect("the Service");
                state.annotations.extend(annotations.clone());
                state.our_annotations = annotations.keys().cloned().collect();
            }
            Operation::DeleteService { uid } => {
                let state = self.services.remove(&place).expect("the Service");
                assert_eq!(state.uid, *uid);
                assert!(state.created_by_us);
            }
            other => panic!("{other:?} on a Service"),
        }
    }

    fn policy(&mut self, operation: &Operation, key: &ObjectKey) {
        let ObjectKey::Policy { name } = key else {
            return;
        };
        let present = self.inventory.policy(name).map(|policy| policy.id.clone());
        match operation {
            Operation::CreatePolicy(spec) => {
                assert_eq!(present, None, "two policies of one name");
                let id = PolicyId(self.next("policy"));
                let policy = Policy {
                    id: id.clone(),
                    spec: spec.clone(),
                    marker: Self::marker(CLASS_OWNER),
                };
                self.inventory.policies.insert(id, policy);
            }
            Operation::UpdatePolicy(spec) => {
                self.inventory
                    .policies
                    .get_mut(&present.unwrap())
                    .unwrap()
                    .spec = spec.clone();
            }
            Operation::DeletePolicy => {
                let id = present.expect("the policy");
                assert!(self.inventory.policies[&id].marker.is_some());
                let attached = self.inventory.attachments.iter().any(|a| a.policy == id);
                assert!(!attached, "the policy is attached");
                self.inventory.policies.remove(&id);
            }
            other => panic!("{other:?} on a policy"),
        }
    }

    fn api(&mut self, key: &ApiKey, ids: &Ids, operation: &Operation, owner: &str) {
        match operation {
            Operation::CreateApi(spec) => {
                let group = self
                    .inventory
                    .group(&key.group)
                    .expect("the group")
                    .id
                    .clone();
                assert!(
                    self.inventory.backends.contains_key(&spec.backend.name),
                    "the backend"
                );
                assert!(
                    self.inventory
                        .api_at(&key.group, spec.method, &spec.path)
                        .is_none()
                );
                let id = ApiId(self.next("api"));
                let api = Api {
                    id,
                    group,
                    name: spec.name.clone(),
                    method: spec.method,
                    path: spec.path.clone(),
                    modified: "1".into(),
                    spec: Some(Arc::new(spec.clone())),
                    deployments: BTreeMap::new(),
                    marker: Self::marker(owner),
                };
                self.inventory.apis.insert(api);
            }
            Operation::UpdateApi(spec) | Operation::AmendApi(spec) => {
                let amended = matches!(operation, Operation::AmendApi(_));
                let mut api = self.found(key, ids);
                assert_eq!(api.marker.is_none(), amended, "whose API it is");
                let id = api.id.clone();
                let holder = self.inventory.api_at(&key.group, spec.method, &spec.path);
                assert!(
                    holder.is_none_or(|holder| holder.id == id),
                    "the path is taken"
                );
                let namesake = self.inventory.api(&key.group, &spec.name);
                assert!(
                    namesake.is_none_or(|namesake| namesake.id == id),
                    "the name is taken"
                );
                api.name.clone_from(&spec.name);
                api.method = spec.method;
                api.path = spec.path.clone();
                api.spec = Some(Arc::new(spec.clone()));
                self.inventory.apis.insert(api);
            }
            Operation::DeleteApi => {
                let api = self.found(key, ids);
                assert!(api.deployments.is_empty(), "the API is deployed");
                assert!(api.marker.is_some(), "others made the API");
                let id = api.id;
                self.inventory.apis.remove(&id);
                let kept = self
                    .inventory
                    .grants
                    .iter()
                    .filter(|(key, _)| key.api != id);
                self.inventory.grants = kept
                    .map(|(key, grant)| (key.clone(), grant.clone()))
                    .collect();
            }
            other => panic!("{other:?} on an API"),
        }
    }

    fn deployment(
        &mut self,
        (key, ids): (&ApiKey, &Ids),
        environment: Environment,
        operation: &Operation,
    ) {
        let version = self.next("v");
        let mut api = self.found(key, ids);
        match operation {
            Operation::Deploy { .. } | Operation::Redeploy { .. } => {
                let spec = api.spec.clone();
                api.deployments
                    .insert(environment, Deployment { version, spec });
            }
            Operation::Undeploy => {
                assert!(
                    api.deployments.remove(&environment).is_some(),
                    "it is not deployed"
                );
                self.detach_all(&api.id, environment);
            }
            other => panic!("{other:?} on a deployment"),
        }
        self.inventory.apis.insert(api);
    }

    fn attachment(
        &mut self,
        (key, ids): (&ApiKey, &Ids),
        environment: Environment,
        operation: &Operation,
    ) {
        let api = self.found(key, ids);
        assert!(
            api.deployments.contains_key(&environment),
            "the API is not deployed"
        );
        let api = api.id;
        match operation {
            Operation::Attach { policy } => {
                let policy = self
                    .inventory
                    .policy(policy)
                    .expect("the policy")
                    .id
                    .clone();
                self.detach_all(&api, environment);
                self.inventory.attachments.insert(Attachment {
                    policy,
                    api,
                    environment,
                });
            }
            Operation::Detach { policy } => {
                let policy = policy.clone();
                let attachment = Attachment {
                    policy,
                    api,
                    environment,
                };
                let removed = self.inventory.attachments.remove(&attachment);
                assert!(removed.is_some(), "it is not attached");
            }
            other => panic!("{other:?} on an attachment"),
        }
    }

    fn detach_all(&mut self, api: &ApiId, environment: Environment) {
        let attachments = self.inventory.attachments.iter();
        let kept = attachments.filter(|a| !(a.api == *api && a.environment == environment));
        self.inventory.attachments = kept.cloned().collect();
    }

    fn grant(
        &mut self,
        (key, ids): (&ApiKey, &Ids),
        environment: Environment,
        operation: &Operation,
    ) {
        let api = self.found(key, ids);
        let deployed = api.deployments.contains_key(&environment);
        let api = api.id;
        match operation {
            Operation::Grant { consumer, until } | Operation::Regrant { consumer, until } => {
                assert!(deployed, "the API is not deployed");
                let key = GrantKey {
                    api,
                    environment,
                    consumer: consumer.clone(),
                };
                let grant = Grant {
                    key: key.clone(),
                    until: *until,
                    revocable: true,
                };
                self.inventory.grants.insert(key, grant);
            }
            Operation::Revoke { consumer } => {
                let key = GrantKey {
                    api,
                    environment,
                    consumer: consumer.clone(),
                };
                assert!(
                    self.inventory.grants.remove(&key).is_some(),
                    "there is no such grant"
                );
            }
            other => panic!("{other:?} on a grant"),
        }
    }
}
