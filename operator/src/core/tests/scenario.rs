//! Manifests of the first scenario and a way from them to a plan.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::ConsumerId;
use crds::v1alpha1::{GatewayBinding, GatewayBindingClass};
use k8s_openapi::api::core::v1::ServicePort;
use serde_json::{Value, json};

use super::model::Model;
use crate::core::balancer::LoadBalancer;
use crate::core::desire::{Wanted, desire};
use crate::core::desired::ServiceShape;
use crate::core::foresee;
use crate::core::key::ConsumerKey;
use crate::core::ledger::Ledger;
use crate::core::observed::LoadBalancerState;
use crate::core::peers::{self, Peer};
use crate::core::plan::{Plan, World, plan};
use crate::core::problem::Problem;
use crate::core::references::{ConsumerState, References, Target};
use crate::core::settings::{Scene, Settings};
use crate::core::validate::{Validated, owner, validate};

pub(super) const CLUSTER: &str = "c1f0";
pub(super) const CLASS_OWNER: &str = "GatewayBindingClass/production";

pub(super) fn class() -> GatewayBindingClass {
    serde_json::from_value(json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
        "metadata": {"name": "production"},
        "spec": {
            "cloud": {
                "accountId": "1234567890123456", "regionId": "cn-beijing", "clusterId": CLUSTER,
                "credentials": {"type": "Environment"},
            },
            "defaults": {"gateway": "intranet", "apiGateway": {"gateway": "main", "group": "knative"}},
            "gateways": [{
                "name": "intranet",
                "slb": {
                    "service": {
                        "namespace": "istio-system", "name": "istio-ingressgateway-intranet",
                        "createFrom": {"name": "istio-ingressgateway"},
                    },
                    "settings": {"addressType": "Intranet"},
                    "bindingsMaySet": ["name"],
                },
            }],
            "apiGateways": [{
                "name": "main", "type": "Classic",
                "groups": [{"name": "knative", "testDomain": "Enabled"}],
            }],
        },
    }))
    .unwrap()
}

pub(in crate::core) fn spec() -> Value {
    json!({
        "serviceRef": {"kind": "KnativeService", "name": "helloworld"},
        "gateway": "intranet",
        "apiGateway": {
            "protocols": ["HTTP", "HTTPS"],
            "routes": [{"name": "all", "path": {"prefix": "/"}}],
            "auth": {"consumer": {
                "apiKey": {"in": ["Header", "Query"]}, "signature": {},
                "allow": [{"name": "knative", "until": "2027-01-01T00:00:00Z"}],
            }},
            "throttling": {"limits": [
                {"name": "total", "scope": "API", "requests": 1000, "per": "Minute"},
                {"name": "each", "scope": "Consumer", "requests": 60, "per": "Minute"},
            ]},
        },
    })
}

pub(in crate::core) fn binding(namespace: &str, name: &str, spec: Value) -> GatewayBinding {
    serde_json::from_value(json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2026-11-20T00:00:00Z"},
        "spec": spec,
    }))
    .unwrap()
}

pub(in crate::core) fn validated(binding: &GatewayBinding) -> Result<Validated, Problem> {
    validated_in(&class(), binding)
}

pub(super) fn validated_in(
    class: &GatewayBindingClass,
    binding: &GatewayBinding,
) -> Result<Validated, Problem> {
    validate(binding, class, &BTreeMap::new())
}

pub(super) fn shape() -> ServiceShape {
    let port = |name: &str, port| ServicePort {
        name: Some(name.into()),
        port,
        ..ServicePort::default()
    };
    ServiceShape {
        selector: BTreeMap::from([("istio".to_owned(), "ingressgateway".to_owned())]),
        ports: vec![port("http2", 80), port("https", 443)],
        ..ServiceShape::default()
    }
}

/// What the binding refers to once everything is there.
pub(super) fn references(binding: &Validated, model: &Model) -> References {
    let consumers = binding
        .exposure
        .iter()
        .flat_map(|exposure| &exposure.allow)
        .map(|allowed| {
            (
                allowed.consumer.clone(),
                ConsumerState::Ready(consumer_id(&allowed.consumer)),
            )
        })
        .collect();
    let place = (
        "istio-system".to_owned(),
        "istio-ingressgateway-intranet".to_owned(),
    );
    let service = model.services.get(&place).cloned();
    let load_balancer = service
        .as_ref()
        .and_then(|service| service.load_balancer_id.clone())
        .map(|id| {
            LoadBalancer::Classic(LoadBalancerState {
                id,
                vpc_id: "vpc-1".into(),
                address_type: "intranet".into(),
                status: "active".into(),
                ..LoadBalancerState::default()
            })
        });
    References {
        now: "2026-11-21T00:00:00Z".parse().unwrap(),
        target: Target::Host(format!("{}.default.example.com", binding.target.name)),
        service,
        source: Some(shape()),
        load_balancer,
        existing: None,
        consumers,
    }
}

pub(super) fn consumer_id(key: &ConsumerKey) -> ConsumerId {
    ConsumerId(format!("app-{}-{}", key.namespace, key.name))
}

/// One pass over one binding among `all`; `ledger` is what it claimed so far.
pub(super) fn pass(
    subject: &GatewayBinding,
    all: &[&GatewayBinding],
    ledger: &Ledger,
    model: &Model,
) -> (Wanted, Plan) {
    pass_in(&class(), subject, all, ledger, model)
}

/// The same in another class.
pub(super) fn pass_in(
    class: &GatewayBindingClass,
    subject: &GatewayBinding,
    all: &[&GatewayBinding],
    ledger: &Ledger,
    model: &Model,
) -> (Wanted, Plan) {
    pass_in_with(class, subject, all, ledger, model, &|_, references, _| {
        references
    })
}

/// The whole plan of one binding among `all`, with what waits for something that it brings about.
pub(super) fn foreseen(
    subject: &GatewayBinding,
    all: &[&GatewayBinding],
    ledger: &Ledger,
    model: &Model,
) -> Plan {
    let foresee = |meant: &Validated, references: References, settings: &Settings| {
        foresee::references(meant, &references, settings)
    };
    let mut plan = pass_with(subject, all, ledger, model, &foresee).1;
    if let Some(inventory) = foresee::vacated(&model.inventory, &plan) {
        let mut model = model.clone();
        model.inventory = inventory;
        let next = pass_with(subject, all, ledger, &model, &foresee).1;
        foresee::add_waiting(&mut plan, next);
    }
    plan
}

/// A pass with other references than what is there.
pub(super) fn pass_with(
    subject: &GatewayBinding,
    all: &[&GatewayBinding],
    ledger: &Ledger,
    model: &Model,
    change: &dyn Fn(&Validated, References, &Settings) -> References,
) -> (Wanted, Plan) {
    pass_in_with(&class(), subject, all, ledger, model, change)
}

fn pass_in_with(
    class: &GatewayBindingClass,
    subject: &GatewayBinding,
    all: &[&GatewayBinding],
    ledger: &Ledger,
    model: &Model,
    change: &dyn Fn(&Validated, References, &Settings) -> References,
) -> (Wanted, Plan) {
    let meant = validated_in(class, subject).unwrap();
    let peers: Vec<Peer> = all
        .iter()
        .map(|binding| peers::peer(binding, validated_in(class, binding).as_ref()))
        .collect();
    let references = references(&meant, model);
    let outcome = peers::shares(&meant, &peers, Scene::of(&references));
    let settings = &outcome.shares.settings;
    let references = change(&meant, references, settings);
    let wanted = desire(&meant, &references, &outcome.shares);
    let others: Vec<&Peer> = peers
        .iter()
        .filter(|peer| peer.binding != meant.binding)
        .collect();
    let world = World {
        cluster: CLUSTER,
        owner: &owner(&meant.binding),
        class_owner: Some(CLASS_OWNER),
        inventory: Some(&model.inventory),
        services: &model.services,
        in_use: &|key| others.iter().any(|peer| peer.shared.contains(key)),
        is_live: &|_| false,
    };
    let plan = plan(&wanted.items, ledger, &world);
    (wanted, plan)
}
