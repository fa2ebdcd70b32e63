//! Places that are kept on load balancers among many neighbours: on the HTTPS listener too, over a restart
//! of the operator, until there is no room, and until no class has an ALB.

use std::collections::BTreeMap;

use e2e::{
    knative::types::KIngress,
    world::{Expect, Target, World},
};
use k8s_openapi::api::{events::v1::Event, networking::v1::Ingress};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::{
    alb_layer::passes,
    alb_neighbours::{NEIGHBOURS, apply, delete, done, only, ready, with_rules},
    alb_stage::{kingress, says, services, target},
    mass_changes::LONG,
};

const ORDER: &str = "alb.ingress.kubernetes.io/order";
const PORTS: &str = "alb.ingress.kubernetes.io/listen-ports";
const PLACEHOLDER: &str = "gatewaybinding.dev/alb-placeholder";
const HELD: &str = "gatewaybinding.dev/alb-places";
/// The IngressClass of the public load balancer.
const PUBLIC: &str = "knative-alb-ingress-internet";

/// A Knative Ingress whose public name has a certificate.
fn secured(name: &str) -> Value {
    let mut ingress = kingress("many", name, 100);
    let host = format!("{name}.many.example.com");
    ingress["spec"]["tls"] =
        json!([{"hosts": [host], "secretName": "secured", "secretNamespace": "many"}]);
    ingress
}

/// The Ingresses of the public load balancer.
async fn public(world: &World) -> Vec<Ingress> {
    let all = Api::<Ingress>::all(world.client());
    let all = all.list(&Default::default()).await.unwrap().items;
    let here = all.into_iter().filter(|ingress| {
        let spec = ingress.spec.as_ref().unwrap();
        spec.ingress_class_name.as_deref() == Some(PUBLIC)
    });
    here.collect()
}

/// The places of the public load balancer that are kept for nobody: whether on both listeners.
async fn placeholders(world: &World) -> BTreeMap<u16, bool> {
    let public = public(world).await.into_iter();
    let kept = public.filter(|ingress| ingress.labels().contains_key(PLACEHOLDER));
    kept.map(|ingress| {
        let annotations = ingress.annotations();
        (
            annotations[ORDER].parse().unwrap(),
            annotations.contains_key(PORTS),
        )
    })
    .collect()
}

async fn wait(world: &World, target: &Target, expected: Expect) {
    world.wait_for(target, &expected, LONG).await.unwrap();
}

/// One that gives up its certificate, or goes, moves nobody on either listener.
pub(super) async fn listeners_are_numbered_apart(world: &World) {
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: secured, namespace: many}, type: kubernetes.io/tls, \
        stringData: {tls.crt: crt-of-many-7f3a, tls.key: key-of-many-7f3a}}";
    world.apply(secret).await.unwrap();
    // As long as nobody is there, one may begin in the midst of the other listener.
    apply(world, &secured("s-1")).await;
    let both = only([("created", "s-1"), ("changed", "s-1")]);
    assert_eq!(done(world).await, both);
    for name in ["s-2", "s-3"] {
        apply(world, &secured(name)).await;
        assert_eq!(done(world).await, only([("created", name)]));
    }
    apply(world, &kingress("many", "s-2", 100)).await;
    let moved = only([("created", "s-2"), ("changed", "s-2")]);
    assert_eq!(done(world).await, moved);
    delete(world, "s-1").await;
    assert_eq!(done(world).await, only([("changed", "s-1")]));
    let kept: Vec<bool> = placeholders(world).await.into_values().collect();
    assert_eq!(kept, [true, true], "on both listeners");
}

/// What says where Ingresses are, and who is held.
async fn places(world: &World) -> BTreeMap<String, Value> {
    let ingresses = public(world).await.into_iter().map(|ingress| {
        let place = json!([ingress.uid(), ingress.annotations()[ORDER], ingress.spec]);
        (ingress.name_any(), place)
    });
    let held = Api::<KIngress>::namespaced(world.client(), "many");
    let held = held.list(&Default::default()).await.unwrap().items;
    let held = held.into_iter().map(|ingress| {
        let name = format!("Knative Ingress {}", ingress.name_any());
        (name, json!(ingress.resource_version()))
    });
    ingresses.chain(held).collect()
}

/// The operator that comes finds the places on the Ingresses, and writes none.
pub(super) async fn a_restart_keeps_places(world: &mut World) {
    let before = places(world).await;
    let options = world.options().operator.clone().unwrap();
    world.operator.take().unwrap().kill().await.unwrap();
    world.start_operator(&options).await.unwrap();
    passes(world, u64::try_from(NEIGHBOURS).unwrap()).await;
    let url = format!("{}/metrics", world.operator.as_ref().unwrap().health_url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let metrics = http.get(&url).send().await.unwrap().text().await.unwrap();
    let written: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("gatewaybinding_plan_steps_total{"))
        .collect();
    assert_eq!(written, Vec::<&str>::new());
    assert_eq!(places(world).await, before);
}

/// Changes the ALB of the class, and waits until the operator has seen that.
async fn limit(world: &World, rules: usize) {
    let target = Target::of::<crds::GatewayBindingClass>(None, "alb");
    let class = target.api(world.client()).get("alb").await.unwrap();
    let mut gateways = class.data["spec"]["gateways"].clone();
    gateways[0]["alb"]["maxRules"] = json!(rules);
    gateways[0]["alb"]["maxInstances"] = json!(1);
    let patch = json!({"spec": {"gateways": gateways}});
    world.patch(&target, &patch).await.unwrap();
    let generation = class.metadata.generation;
    let seen = Expect::that("seen by the operator", move |class| {
        let seen = class.data["status"]["observedGeneration"].as_i64();
        (seen > generation)
            .then_some(())
            .ok_or(format!("{seen:?} of {generation:?}"))
    });
    wait(world, &target, seen).await;
}

/// Where there is no room, kept places are given up first, and it is said.
pub(super) async fn places_go_before_anything_is_refused(world: &World) {
    let used = public(world).await.into_iter().map(|ingress| {
        let rules = ingress.spec.as_ref().unwrap().rules.as_ref().unwrap().len();
        let listeners = 1 + usize::from(ingress.annotations().contains_key(PORTS));
        rules * listeners
    });
    limit(world, used.sum()).await;
    let before = placeholders(world).await;
    apply(world, &with_rules("late", 2)).await;
    let created = ("created", "late".to_owned());
    assert!(done(world).await.contains(&created));
    let left: Vec<u16> = placeholders(world).await.into_keys().collect();
    let first = before.keys().take(1).copied();
    assert_eq!(left, first.collect::<Vec<u16>>(), "as few as are needed");
    let told = async || {
        let events = Api::<Event>::namespaced(world.client(), "many");
        let events = events.list(&Default::default()).await;
        let events = events.map_err(|error| error.to_string())?.items;
        let told = events.iter().find(|event| {
            let about = event
                .regarding
                .as_ref()
                .and_then(|about| about.name.as_deref());
            event.reason.as_deref() == Some("PlacesReclaimed") && about == Some("late")
        });
        told.map(drop).ok_or_else(|| "nothing is told".to_owned())
    };
    let waited = world.wait_until("the Events", "telling it", LONG, told);
    waited.await.unwrap();

    // What would not do for it stays.
    let large = format!(
        "{}\n---\n{}",
        services("many", "large"),
        with_rules("large", 5)
    );
    world.apply(&large).await.unwrap();
    let refused = says("Ready", "False", "RulesExhausted");
    wait(world, &target("many", "large"), refused).await;
    let now: Vec<u16> = placeholders(world).await.into_keys().collect();
    assert_eq!(now, left);
    ready(world, "late").await;
}

/// The class loses its ALB while no operator runs: the next one lets go of what is held.
pub(super) async fn nothing_is_held_without_an_alb(world: &mut World) {
    let options = world.options().operator.clone().unwrap();
    world.operator.take().unwrap().kill().await.unwrap();
    let slb = json!({"service": {"namespace": "many", "name": "gateway"}});
    let patch = json!({"spec": {"gateways": [{"name": "alb", "slb": slb}]}});
    let class = Target::of::<crds::GatewayBindingClass>(None, "alb");
    world.patch(&class, &patch).await.unwrap();
    world.start_operator(&options).await.unwrap();
    let look = async || {
        let ingresses = Api::<KIngress>::all(world.client());
        let ingresses = ingresses.list(&Default::default()).await;
        let ingresses = ingresses.map_err(|error| error.to_string())?.items;
        let held = ingresses.iter().filter(|ingress| {
            let mut held = ingress.finalizers().iter();
            held.any(|held| held == HELD)
        });
        match (held.count(), placeholders(world).await.len()) {
            (0, 0) => Ok(()),
            left => Err(format!("Knative Ingresses and placeholders: {left:?}")),
        }
    };
    let waited = world.wait_until("the Knative Ingresses", "let go", LONG, look);
    waited.await.unwrap();
    let one = target("many", "n-00");
    world.delete(&one).await.unwrap();
    wait(world, &one, Expect::gone()).await;
}
