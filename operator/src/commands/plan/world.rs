//! What the steps planned so far make of a world in which nothing is there but the Services in the
//! files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloud_adapter::gateway::model::{
    Api, ApiId, Backend, Group, GroupId, Inventory, Marker, Policy, PolicyId,
};
use kube::ResourceExt;

use super::given;
use super::manifests::{Manifests, Name};
use crate::controller::service;
use crate::core::desire::backend_of;
use crate::core::desired::ServiceShape;
use crate::core::foresee::LATER;
use crate::core::key::ObjectKey;
use crate::core::observed::{Lookup, ServiceState};
use crate::core::plan::{Operation, Step};
use crate::core::validate::Validated;

/// What is there.
#[derive(Debug, Default)]
pub(super) struct World {
    /// The gateways' Services.
    pub(super) services: BTreeMap<Name, ServiceState>,
    /// Those of them that no file shows.
    pub(super) assumed: BTreeSet<Name>,
    /// What a gateway's Service is to be made from, by the name of the gateway's Service.
    pub(super) sources: BTreeMap<Name, Source>,
    inventories: BTreeMap<Account, Inventory>,
}

/// A Service that another one is made from.
#[derive(Debug)]
pub(super) struct Source {
    /// Namespace and name, for messages.
    pub(super) name: String,
    pub(super) shape: ServiceShape,
    /// Whether it is in the files, and so its shape is known.
    pub(super) known: bool,
}

/// A cloud account and region. Classes that do not name their account are taken to have the same.
pub(super) type Account = (Option<String>, String);

impl World {
    /// The world before the first step, as far as these bindings are concerned.
    pub(super) fn before<'a>(
        manifests: &Manifests,
        bindings: impl Iterator<Item = &'a Validated> + Clone,
    ) -> Self {
        let mut ports: BTreeMap<Name, BTreeSet<u16>> = BTreeMap::new();
        for binding in bindings.clone() {
            if let Some(gateway) = &binding.gateway {
                let (port, _) = backend_of(binding, gateway);
                let ports = ports.entry(given::place(gateway)).or_default();
                ports.insert(port);
            }
        }
        let mut world = Self::default();
        for gateway in bindings.filter_map(|binding| binding.gateway.as_ref()) {
            let place = given::place(gateway);
            let class = gateway.class_settings.load_balancer_class();
            let needed = || given::unknown_shape(ports.get(&place).into_iter().flatten().copied());
            if let Some(service) = manifests.services.get(&place) {
                let annotations = service.annotations().clone();
                let state = state(service::shape(service), annotations);
                world.services.insert(place.clone(), state);
            } else if gateway.service.create_from.is_none() {
                let mut shape = needed();
                shape.load_balancer_class = class.map(str::to_owned);
                let state = state(shape, BTreeMap::new());
                world.services.insert(place.clone(), state);
                world.assumed.insert(place.clone());
            }
            if let Some(wish) = &gateway.service.create_from {
                let name = (place.0.clone(), wish.name.clone());
                let found = manifests.services.get(&name);
                let source = Source {
                    name: format!("{}/{}", name.0, name.1),
                    shape: found
                        .map_or_else(needed, service::shape)
                        .copied(wish, class),
                    known: found.is_some(),
                };
                world.sources.insert(place, source);
            }
        }
        world
    }

    /// A gateway's Service as it will be, once its load balancer is there as well.
    pub(super) fn service(&self, place: &Name) -> Option<ServiceState> {
        let coming = || {
            let source = self.sources.get(place)?;
            Some(state(source.shape.clone(), BTreeMap::new()))
        };
        self.services.get(place).cloned().or_else(coming)
    }

    /// The API gateway's objects of an account.
    pub(super) fn inventory(&mut self, account: &Account) -> &mut Inventory {
        self.inventories.entry(account.clone()).or_default()
    }

    /// Does a step, as far as later plans can see it: what belongs to one binding alone, no other
    /// plan looks at.
    pub(super) fn apply(&mut self, account: &Account, step: &Step, marker: Marker) {
        match (&step.key, &step.operation) {
            (
                ObjectKey::Service { namespace, name },
                Operation::CreateService { shape, annotations },
            ) => {
                let state = ServiceState {
                    created_by_us: true,
                    our_annotations: annotations.keys().cloned().collect(),
                    ..state(shape.clone(), annotations.clone())
                };
                let place = (namespace.clone(), name.clone());
                self.services.insert(place, state);
            }
            (
                ObjectKey::Service { namespace, name },
                Operation::ApplyService {
                    shape, annotations, ..
                },
            ) => {
                let place = (namespace.clone(), name.clone());
                if let Some(state) = self.services.get_mut(&place) {
                    state.annotations.extend(annotations.clone());
                    state.our_annotations = annotations.keys().cloned().collect();
                    if let Some(shape) = shape {
                        state.shape = shape.clone();
                    }
                }
            }
            _ => apply(self.inventory(account), step, marker),
        }
    }
}

/// A Service whose load balancer is there, so that what follows can be planned.
fn state(shape: ServiceShape, annotations: BTreeMap<String, String>) -> ServiceState {
    let class = shape.load_balancer_class.clone();
    ServiceState {
        type_: "LoadBalancer".to_owned(),
        annotations,
        shape,
        load_balancer_id: Some(LATER.to_owned()),
        address: Some(LATER.to_owned()),
        class,
        ..ServiceState::default()
    }
}

fn apply(inventory: &mut Inventory, step: &Step, marker: Marker) {
    let marker = Some(marker);
    // The key is an id as good as any: it is unique, and nobody sees it.
    let id = step.key.to_string();
    match (&step.key, &step.operation) {
        (_, Operation::CreateGroup(spec) | Operation::UpdateGroup(spec)) => {
            let group = Group {
                id: GroupId(id.clone()),
                spec: spec.clone(),
                sub_domain: LATER.to_owned(),
                marker,
            };
            inventory.groups.insert(GroupId(id), group);
        }
        (_, Operation::CreateBackend(spec) | Operation::UpdateBackend(spec)) => {
            let backend = Backend {
                spec: spec.clone(),
                id,
                marker,
            };
            inventory.backends.insert(spec.name.clone(), backend);
        }
        (_, Operation::CreatePolicy(spec) | Operation::UpdatePolicy(spec)) => {
            let policy = Policy {
                id: PolicyId(id.clone()),
                spec: spec.clone(),
                marker,
            };
            inventory.policies.insert(PolicyId(id), policy);
        }
        (ObjectKey::Api(key), Operation::CreateApi(spec) | Operation::UpdateApi(spec)) => {
            let Some(group) = inventory.group(&key.group).map(|group| group.id.clone()) else {
                return;
            };
            let api = Api {
                id: ApiId(id),
                group,
                name: spec.name.clone(),
                method: spec.method,
                path: spec.path.clone(),
                modified: String::new(),
                spec: Some(Arc::new(spec.clone())),
                deployments: BTreeMap::new(),
                marker,
            };
            inventory.apis.insert(api);
        }
        _ => {}
    }
}
