//! What a binding refers to, as far as files can tell; the rest is taken for granted.

use std::collections::BTreeMap;

use crds::v1alpha1::{ConsumerNamespacesFrom, GatewayConsumer, NamespacedName, ServiceKind};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ServicePort;

use super::manifests::{Manifests, Name};
use super::world::World;
use crate::core::class;
use crate::core::desired::ServiceShape;
use crate::core::foresee::{self, LATER};
use crate::core::key::ConsumerKey;
use crate::core::observed::ExistingLoadBalancer;
use crate::core::references::{ConsumerState, References, Target};
use crate::core::settings::Settings;
use crate::core::validate::{Gateway, Validated};

/// Labels of a namespace. The one with its name is there on every namespace.
pub(in crate::commands) fn namespace_labels(
    manifests: &Manifests,
    namespace: &str,
) -> BTreeMap<String, String> {
    let mut labels = manifests
        .namespaces
        .get(namespace)
        .cloned()
        .unwrap_or_default();
    labels.insert(
        "kubernetes.io/metadata.name".to_owned(),
        namespace.to_owned(),
    );
    labels
}

/// What a valid binding refers to, and what of it is taken for granted.
pub(super) fn references(
    binding: &Validated,
    settings: &Settings,
    manifests: &Manifests,
    world: &World,
    now: Timestamp,
) -> (References, Vec<String>) {
    let mut assumptions = Vec::new();
    let target = target(binding, manifests, &mut assumptions);
    let mut references = References {
        now,
        target,
        service: None,
        source: None,
        load_balancer: None,
        existing: None,
        consumers: consumers(binding, manifests, &mut assumptions),
    };
    if let Some(gateway) = &binding.gateway {
        let place = place(gateway);
        references.service = world.service(&place);
        references.source = world.sources.get(&place).map(|source| source.shape.clone());
        let load_balancer = foresee::load_balancer(gateway, settings);
        if settings.existing().is_some() {
            assumptions.push(format!(
                "load balancer {} of gateway \"{}\" is taken to exist and to be free to be used.",
                load_balancer.id(),
                gateway.name
            ));
            references.existing = Some(ExistingLoadBalancer {
                id: load_balancer.id().to_owned(),
                state: Some(load_balancer.clone()),
                ..ExistingLoadBalancer::default()
            });
        }
        references.load_balancer = Some(load_balancer);
        if world.assumed.contains(&place) {
            assumptions.push(format!(
                "Service {}/{} of gateway \"{}\" is not in the files and is taken to exist, without annotations.",
                place.0, place.1, gateway.name
            ));
        }
        if let Some(source) = world.sources.get(&place).filter(|source| !source.known) {
            assumptions.push(format!(
                "Service {}, which the one of gateway \"{}\" is made from, is not in the files and is taken to exist.",
                source.name, gateway.name
            ));
        }
    }
    (references, assumptions)
}

/// Namespace and name of a gateway's Service.
pub(super) fn place(gateway: &Gateway) -> Name {
    (
        gateway.service.namespace.clone(),
        gateway.service.name.clone(),
    )
}

fn target(binding: &Validated, manifests: &Manifests, assumptions: &mut Vec<String>) -> Target {
    let name = (
        binding.binding.namespace.clone(),
        binding.target.name.clone(),
    );
    let missing = |kind: &str| {
        format!(
            "{kind} {}/{} is not in the files and is taken to exist.",
            name.0, name.1
        )
    };
    match binding.target.kind {
        ServiceKind::Service => Target::Service,
        ServiceKind::KnativeService => {
            let found = manifests.knative.get(&name);
            if found.is_none() {
                assumptions.push(missing("Knative Service"));
            }
            let host = found.cloned().flatten();
            Target::Host(host.unwrap_or_else(|| LATER.to_owned()))
        }
    }
}

fn consumers(
    binding: &Validated,
    manifests: &Manifests,
    assumptions: &mut Vec<String>,
) -> BTreeMap<ConsumerKey, ConsumerState> {
    let mut states = BTreeMap::new();
    for allowed in binding.exposure.iter().flat_map(|exposure| &exposure.allow) {
        let key = &allowed.consumer;
        let ready = ConsumerState::Ready(foresee::consumer(key));
        let state = match manifests.consumers.get(key) {
            None => {
                assumptions.push(format!(
                    "GatewayConsumer {key} is not in the files and is taken to exist and to let namespace \"{}\" use it.",
                    binding.binding.namespace
                ));
                ready
            }
            Some(consumer) if consents(consumer, key, &binding.binding, manifests) => ready,
            Some(_) => ConsumerState::NotAllowed,
        };
        states.insert(key.clone(), state);
    }
    states
}

/// Whether a consumer lets a binding's namespace use it.
fn consents(
    consumer: &GatewayConsumer,
    key: &ConsumerKey,
    binding: &NamespacedName,
    manifests: &Manifests,
) -> bool {
    let selector = || {
        let allowed = consumer.spec.allowed_namespaces.as_ref();
        allowed.and_then(|allowed| allowed.selector.as_ref())
    };
    binding.namespace == key.namespace
        || match consumer.spec.namespaces_from() {
            ConsumerNamespacesFrom::Same => false,
            ConsumerNamespacesFrom::All => true,
            ConsumerNamespacesFrom::Selector => {
                let labels = namespace_labels(manifests, &binding.namespace);
                class::matches(selector(), &labels)
            }
        }
}

/// A shape that is not known but for the ports that bindings need.
pub(super) fn unknown_shape(ports: impl IntoIterator<Item = u16>) -> ServiceShape {
    ServiceShape {
        selector: BTreeMap::new(),
        ports: ports
            .into_iter()
            .map(|port| ServicePort {
                port: i32::from(port),
                ..ServicePort::default()
            })
            .collect(),
        ..ServiceShape::default()
    }
}
