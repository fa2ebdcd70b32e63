//! Eighty Knative Ingresses on one pair of load balancers: who comes or changes moves no rule of a
//! neighbour. What is written as it was already is counted apart.

use std::collections::BTreeSet;

use alicloud_emulator::alb::Effect;
use e2e::world::{World, WorldOptions};
use serde_json::Value;

use super::{
    alb_stage::{CLASS, alb_configs, kingress, says, services, target, vswitches, with_vswitches},
    mass_changes::LONG,
    namespace,
};

const NEIGHBOURS: usize = 80;

async fn ready(world: &World, name: &str) {
    let ready = says("Ready", "True", "");
    let target = target("many", name);
    world.wait_for(&target, &ready, LONG * 2).await.unwrap();
}

/// The hosts of rules that calls since the last reset had this effect on.
async fn hosts(world: &World, effect: Effect) -> BTreeSet<String> {
    let calls = world.cloud.calls().await.unwrap();
    let writes = calls.into_iter().flat_map(|call| call.rules);
    let writes = writes.filter(|write| write.effect == effect);
    writes.flat_map(|write| write.hosts).collect()
}

fn all_of(name: &str) -> BTreeSet<String> {
    let hosts = ["", ".svc", ".svc.cluster.local", ".example.com"];
    let hosts = hosts.iter();
    hosts.map(|end| format!("{name}.many{end}")).collect()
}

#[tokio::test]
async fn who_comes_or_changes_moves_no_rule_of_a_neighbour() {
    let world = World::start(WorldOptions {
        knative: false,
        ..WorldOptions::default()
    });
    let world = world.await.unwrap();
    alb_configs(&world).await;
    let class = with_vswitches(CLASS, &vswitches(&world).await);
    world.apply(&class).await.unwrap();
    namespace(&world, "many").await;
    let names: Vec<String> = (0..NEIGHBOURS)
        .map(|number| format!("n-{number:02}"))
        .collect();
    let manifests = |names: &[String], share: i64| -> String {
        let manifests = names.iter().flat_map(|name| {
            [
                services("many", name),
                kingress("many", name, share).to_string(),
            ]
        });
        manifests.collect::<Vec<String>>().join("\n---\n")
    };
    world.apply(&manifests(&names, 100)).await.unwrap();
    for name in &names {
        ready(&world, name).await;
    }
    let state = world.cloud.state().await.unwrap();
    let rules = state["alb"]["rules"]
        .as_object()
        .map_or(0, serde_json::Map::len);
    assert_eq!(rules, 2 * NEIGHBOURS, "one on each load balancer");

    // One whose name sorts before all others.
    world.cloud.reset_calls().await.unwrap();
    let first = ["a-first".to_owned()];
    world.apply(&manifests(&first, 100)).await.unwrap();
    ready(&world, "a-first").await;
    assert_eq!(hosts(&world, Effect::Created).await, all_of("a-first"));
    assert_eq!(hosts(&world, Effect::Changed).await, BTreeSet::new());
    let same = hosts(&world, Effect::Identical).await;
    assert!(
        !same.is_empty(),
        "rules with headers are written at every pass"
    );

    // One in the middle.
    world.cloud.reset_calls().await.unwrap();
    let changed: Value = kingress("many", "n-40", 30);
    world.apply(&changed.to_string()).await.unwrap();
    ready(&world, "n-40").await;
    assert_eq!(hosts(&world, Effect::Changed).await, all_of("n-40"));
    for effect in [Effect::Created, Effect::Deleted] {
        assert_eq!(hosts(&world, effect).await, BTreeSet::new());
    }
    world.stop().await.unwrap();
}
