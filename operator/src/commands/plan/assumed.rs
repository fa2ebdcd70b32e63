//! Things that the manifests adopt: files do not show them, so they are taken to be there and to be
//! as the manifests say.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloud_adapter::gateway::model::{
    Api, ApiId, Backend, BackendName, BackendSpec, Deployment, Group, GroupId, GroupSpec,
    Inventory, Policy, PolicyId, PolicyRules, PolicySpec, Throttling, Window,
};

use crate::core::desired::{Desired, Item};
use crate::core::foresee::LATER;
use crate::core::key::{ObjectKey, id_of};
use crate::core::observed::Lookup;

/// Puts what is adopted into an inventory that does not have it, and tells what was put there.
pub(super) fn assume(items: &[Item], inventory: &mut Inventory) -> Vec<String> {
    let mut assumptions = Vec::new();
    for item in items {
        if let Some(what) = assume_one(item, items, inventory) {
            assumptions.push(format!(
                "{what} was made in the console, and is taken to exist and to be as the manifests say. With --kubeconfig it is compared."
            ));
        }
    }
    assumptions
}

fn assume_one(item: &Item, items: &[Item], inventory: &mut Inventory) -> Option<String> {
    let id = item.key.adopted_id()?.to_owned();
    match (&item.key, &item.desired) {
        (ObjectKey::Group { name }, Desired::AdoptedGroup(wish)) => {
            if inventory.group(name).is_some() {
                return None;
            }
            let spec = GroupSpec {
                name: LATER.to_owned(),
                description: wish.description.clone().unwrap_or_default(),
                instance: wish.instance.clone(),
                test_domain: wish.test_domain.unwrap_or_default(),
                pass_host: false,
            };
            let group = Group {
                id: GroupId(id.clone()),
                spec,
                sub_domain: LATER.to_owned(),
                marker: None,
            };
            inventory.groups.insert(group.id.clone(), group);
            Some(format!("API group {id}"))
        }
        (ObjectKey::Backend { name }, Desired::Backend(desired)) => {
            let place = desired.load_balancer.clone()?;
            if inventory.backend(name).is_some() {
                return None;
            }
            let spec = BackendSpec {
                name: BackendName(name.clone()),
                vpc_id: place.vpc_id,
                load_balancer_id: place.id,
                port: desired.port,
                host_override: None,
            };
            let backend = Backend {
                spec,
                id: id.clone(),
                marker: None,
            };
            inventory
                .backends
                .insert(backend.spec.name.clone(), backend);
            Some(format!("VPC authorization {id}"))
        }
        (ObjectKey::Policy { name }, Desired::AdoptedPolicy(wish)) => {
            if inventory.policy(name).is_some() {
                return None;
            }
            let some = Throttling {
                window: Window::Second,
                api: 1,
                account: None,
                consumer: None,
                consumers: BTreeMap::new(),
            };
            let policy = Policy {
                id: PolicyId(id.clone()),
                spec: PolicySpec {
                    name: LATER.to_owned(),
                    description: String::new(),
                    rules: PolicyRules::Throttling(wish.limits.clone().unwrap_or(some)),
                },
                marker: None,
            };
            inventory.policies.insert(policy.id.clone(), policy);
            Some(format!("plugin {id}"))
        }
        (ObjectKey::Api(key), Desired::AdoptedApi(wish)) => {
            if inventory.api(&key.group, &key.name).is_some() {
                return None;
            }
            let group = inventory.group(&key.group)?.id.clone();
            let mut spec = wish.spec.clone();
            if id_of(spec.backend.name.as_str()).is_some() {
                let backend = inventory.backend(spec.backend.name.as_str())?;
                spec.backend.name.clone_from(&backend.spec.name);
            }
            let runs = |item: &Item| match &item.key {
                ObjectKey::Deployment { api, environment } if api == key => Some(*environment),
                _ => None,
            };
            let running = Deployment {
                version: LATER.to_owned(),
                spec: Some(Arc::new(spec.clone())),
            };
            let environments = items.iter().filter_map(runs);
            let api = Api {
                id: ApiId(id.clone()),
                group,
                name: LATER.to_owned(),
                method: spec.method,
                path: spec.path.clone(),
                modified: LATER.to_owned(),
                spec: Some(Arc::new(spec)),
                deployments: environments
                    .map(|environment| (environment, running.clone()))
                    .collect(),
                marker: None,
            };
            inventory.apis.insert(api);
            Some(format!("API {id}"))
        }
        _ => None,
    }
}
