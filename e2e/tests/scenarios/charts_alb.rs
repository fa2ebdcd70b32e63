//! The rights that `rbac.alb` of the chart grants are enough for the layer on ALB, and none is too much.

use std::collections::BTreeSet;

use e2e::{
    chart,
    world::{Expect, Target, World, WorldOptions},
};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use serde_json::json;

use super::{
    alb_stage::{
        KOURIER, alb_configs, children_are, companion, kingress, kourier_serves, may_be_idle, says,
        services, target, vswitches, with_vswitches,
    },
    charts_installed::Installed,
    charts_rights::right,
    mass_changes::LONG,
    namespace,
};

/// A manifest of `examples/alb-gray-release` with vswitches that there are.
fn example(file: &str, vswitches: &[String]) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/alb-gray-release");
    let text = std::fs::read_to_string(format!("{folder}/{file}.yaml")).unwrap();
    with_vswitches(&text, vswitches)
}

/// A split that needs the hop, with Kourier played by hand, and its end.
async fn split_through_a_hop(world: &World) {
    namespace(world, "kourier-system").await;
    world.apply(KOURIER).await.unwrap();
    world.apply(&may_be_idle("gray", "duo")).await.unwrap();
    world.apply(&services("gray", "duo")).await.unwrap();
    let duo = target("gray", "duo");
    let half = kingress("gray", "duo", 50).to_string();
    world.apply(&half).await.unwrap();
    let companion = companion(world, "gray", "duo").await;
    kourier_serves(world, "gray", &companion).await;
    let ready = says("Ready", "True", "");
    world.wait_for(&duo, &ready, LONG).await.unwrap();
    let whole = kingress("gray", "duo", 100).to_string();
    world.apply(&whole).await.unwrap();
    let companion = target("gray", &companion);
    let gone = Expect::gone();
    world.wait_for(&companion, &gone, LONG).await.unwrap();
}

#[tokio::test]
async fn with_the_rights_of_rbac_alb_the_layer_does_all_it_has_to_and_uses_each() {
    let options = WorldOptions {
        audited: true,
        ..WorldOptions::default()
    };
    let mut installed = Installed::prepare(options).await;
    installed.install(&json!({"rbac": {"alb": true}})).await;
    installed.start().await;
    let world = &installed.world;
    namespace(world, "gray").await;
    world.apply(&services("gray", "solo")).await.unwrap();
    alb_configs(world).await;
    for file in ["class", "knative-service", "binding"] {
        let manifest = example(file, &vswitches(world).await);
        world.apply(&manifest).await.unwrap();
    }
    let solo = target("gray", "solo");
    let ingress = kingress("gray", "solo", 100).to_string();
    world.apply(&ingress).await.unwrap();
    let hello = Target::of::<crds::GatewayBinding>(Some("default"), "helloworld-go");
    let ready = Expect::condition("Ready", "True");
    world.wait_for(&hello, &ready, LONG).await.unwrap();
    let ready = says("Ready", "True", "");
    world.wait_for(&solo, &ready, LONG).await.unwrap();

    split_through_a_hop(world).await;

    let finalizer =
        json!({"metadata": {"finalizers": ["ingresses.networking.internal.knative.dev"]}});
    world.patch(&solo, &finalizer).await.unwrap();
    for gone in [&solo, &hello] {
        world.delete(gone).await.unwrap();
        world.wait_for(gone, &Expect::gone(), LONG).await.unwrap();
    }
    let none = |found: &(Option<_>, Option<_>)| found.0.is_none() && found.1.is_none();
    children_are(world, "default", "left to the other layer", none).await;
    installed.stop().await;

    let world = &installed.world;
    let asked = world.asked().unwrap();
    let refused = asked.iter().filter(|asked| !asked.allowed).map(right);
    assert_eq!(
        refused.collect::<BTreeSet<_>>(),
        BTreeSet::new(),
        "rights that are missing"
    );
    let role = format!("{}-alb", chart::OPERATOR);
    let found = Api::<ClusterRole>::all(world.client())
        .get(&role)
        .await
        .unwrap();
    let name = format!("ClusterRole \"{role}\"");
    let used = asked.iter().map(right).filter(|right| right.role == name);
    let used: BTreeSet<(String, String)> = used.map(|right| (right.resource, right.verb)).collect();
    let rules = found.rules.unwrap().into_iter();
    let granted: BTreeSet<(String, String)> = rules
        .flat_map(|rule| {
            let resources = rule.resources.unwrap();
            let pairs = resources.into_iter().flat_map(move |resource| {
                let verbs = rule.verbs.clone().into_iter();
                verbs.map(move |verb| (resource.clone(), verb))
            });
            pairs.collect::<Vec<_>>()
        })
        // To apply what is not there takes both, and is told as a patch.
        .filter(|(_, verb)| verb != "create")
        .collect();
    assert_eq!(granted, used, "granted and used");
    installed.world.stop().await.unwrap();
}
