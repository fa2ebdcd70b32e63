//! Eighty Knative Ingresses on one pair of load balancers: who comes, changes or goes moves no rule of
//! a neighbour. What is written as it was already is counted apart.

use std::collections::BTreeSet;

use alicloud_emulator::alb::Effect;
use e2e::world::{Expect, World, WorldOptions};
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use serde_json::Value;

use super::{
    alb_places::{
        a_restart_keeps_places, listeners_are_numbered_apart, nothing_is_held_without_an_alb,
        places_go_before_anything_is_refused,
    },
    alb_stage::{
        CLASS, alb_configs, endpoints, kingress, says, service, services, target, vswitches,
        weights, with_vswitches,
    },
    mass_changes::LONG,
    namespace,
};

pub(super) const NEIGHBOURS: usize = 80;
/// End of hosts that nobody has.
const NOBODY: &str = ".placeholder.invalid";

pub(super) async fn ready(world: &World, name: &str) {
    let ready = says("Ready", "True", "");
    let target = target("many", name);
    world.wait_for(&target, &ready, LONG * 2).await.unwrap();
}

/// What calls did to rules since the last reset, but for writing them as they were already: what was
/// done to whose, by the first part of their hosts. Rules that only keep a place are nobody's.
pub(super) async fn done(world: &World) -> BTreeSet<(&'static str, String)> {
    let calls = world.cloud.calls().await.unwrap();
    let mut done = BTreeSet::new();
    for write in calls.into_iter().flat_map(|call| call.rules) {
        let what = match write.effect {
            Effect::Created => "created",
            Effect::Changed => "changed",
            Effect::Deleted => "deleted",
            Effect::Identical => continue,
        };
        let of_somebody = write.hosts.iter().filter(|host| !host.ends_with(NOBODY));
        for host in of_somebody {
            done.insert((what, host.split('.').next().unwrap().to_owned()));
        }
        if write.hosts.iter().all(|host| host.ends_with(NOBODY)) {
            done.insert((what, "nobody".to_owned()));
        }
    }
    done
}

pub(super) fn only<const N: usize>(
    expected: [(&'static str, &str); N],
) -> BTreeSet<(&'static str, String)> {
    let expected = expected.into_iter();
    expected
        .map(|(what, whose)| (what, whose.to_owned()))
        .collect()
}

/// A Knative Ingress with so many paths, each of which takes a rule on each load balancer.
pub(super) fn with_rules(name: &str, number: usize) -> Value {
    let mut ingress = kingress("many", name, 100);
    for rule in ingress["spec"]["rules"].as_array_mut().unwrap() {
        let paths = rule["http"]["paths"].as_array_mut().unwrap();
        for more in 1..number {
            let mut another = paths[0].clone();
            another["path"] = format!("/more-{more}").into();
            paths.push(another);
        }
    }
    ingress
}

/// Applies a Knative Ingress with its Services, and waits until it is served.
pub(super) async fn apply(world: &World, ingress: &Value) {
    world.cloud.reset_calls().await.unwrap();
    let name = ingress["metadata"]["name"].as_str().unwrap();
    let manifests = format!("{}\n---\n{ingress}", services("many", name));
    world.apply(&manifests).await.unwrap();
    ready(world, name).await;
}

pub(super) async fn delete(world: &World, name: &str) {
    world.cloud.reset_calls().await.unwrap();
    let target = target("many", name);
    world.delete(&target).await.unwrap();
    world
        .wait_for(&target, &Expect::gone(), LONG)
        .await
        .unwrap();
    let look = async || {
        let state = world
            .cloud
            .state()
            .await
            .map_err(|error| error.to_string())?;
        let rules = state["alb"]["rules"].to_string();
        match rules.contains(&format!("{name}.many")) {
            true => Err("there are some".to_owned()),
            false => Ok(()),
        }
    };
    let waited = world.wait_until("the rules of the one that went", "gone", LONG * 2, look);
    waited.await.unwrap();
}

/// The ALB Ingress controller does nothing for anybody while an Ingress leads to a Service without Endpoints.
/// So who has none waits, others go on, and what was served stays.
async fn who_has_no_endpoints_stops_nobody(world: &World) {
    let apply_all = async |manifests: &[String]| {
        world.apply(&manifests.join("\n---\n")).await.unwrap();
    };
    let bare = |share| kingress("many", "z-bare", share).to_string();
    let waits = async || {
        let waiting = says("NetworkConfigured", "Unknown", "ServiceNotFound");
        let bare = target("many", "z-bare");
        world.wait_for(&bare, &waiting, LONG).await.unwrap();
    };
    let revisions = ["z-bare-00001", "z-bare-00002"];
    apply_all(&revisions.map(|revision| service("many", revision))).await;
    apply_all(&[bare(100)]).await;
    waits().await;
    apply(world, &kingress("many", "n-41", 30)).await;
    apply_all(&[endpoints("many", revisions[0])]).await;
    ready(world, "z-bare").await;

    apply_all(&[bare(30)]).await;
    waits().await;
    let ingresses = Api::<Ingress>::namespaced(world.client(), "many");
    let before = ingresses.get("z-bare").await.unwrap();
    assert_eq!(weights(&before), [100], "the last good rules stay");
    apply_all(&[endpoints("many", revisions[1])]).await;
    ready(world, "z-bare").await;
    delete(world, "z-bare").await;
}

#[tokio::test]
async fn who_comes_changes_or_goes_moves_no_rule_of_a_neighbour() {
    let world = World::start(WorldOptions {
        knative: false,
        ..WorldOptions::default()
    });
    let mut world = world.await.unwrap();
    alb_configs(&world).await;
    let class = with_vswitches(CLASS, &vswitches(&world).await);
    world.apply(&class).await.unwrap();
    namespace(&world, "many").await;
    let names: Vec<String> = (0..NEIGHBOURS)
        .map(|number| format!("n-{number:02}"))
        .collect();
    let manifests = |names: &[String]| -> String {
        let manifests = names.iter().flat_map(|name| {
            [
                services("many", name),
                kingress("many", name, 100).to_string(),
            ]
        });
        manifests.collect::<Vec<String>>().join("\n---\n")
    };
    world.apply(&manifests(&names)).await.unwrap();
    for name in &names {
        ready(&world, name).await;
    }
    let state = world.cloud.state().await.unwrap();
    let rules = state["alb"]["rules"]
        .as_object()
        .map_or(0, serde_json::Map::len);
    assert_eq!(rules, 2 * NEIGHBOURS, "one on each load balancer");

    // One whose name sorts before all others.
    apply(&world, &kingress("many", "a-first", 100)).await;
    assert_eq!(done(&world).await, only([("created", "a-first")]));
    let same = world.cloud.calls().await.unwrap();
    let same = same.iter().flat_map(|call| &call.rules);
    let same = same.filter(|write| write.effect == Effect::Identical);
    assert!(
        same.count() > 0,
        "rules with headers are written at every pass"
    );

    who_has_no_endpoints_stops_nobody(&world).await;

    // One in the middle, with as many rules as before, then with more, for which it moves.
    apply(&world, &kingress("many", "n-40", 30)).await;
    assert_eq!(done(&world).await, only([("changed", "n-40")]));
    apply(&world, &with_rules("n-40", 2)).await;
    let moved = only([("created", "n-40"), ("changed", "n-40")]);
    assert_eq!(done(&world).await, moved);

    // The next one takes the place that was left, and one with more rules does not fit there.
    apply(&world, &kingress("many", "b-next", 100)).await;
    assert_eq!(done(&world).await, only([("changed", "b-next")]));
    apply(&world, &with_rules("c-large", 2)).await;
    assert_eq!(done(&world).await, only([("created", "c-large")]));

    // Fewer rules are filled up; one that goes leaves its place, unless it is the last.
    apply(&world, &kingress("many", "n-40", 100)).await;
    assert_eq!(done(&world).await, only([("changed", "n-40")]));
    delete(&world, "n-20").await;
    assert_eq!(done(&world).await, only([("changed", "n-20")]));
    delete(&world, "c-large").await;
    let went = done(&world).await;
    let own = only([("deleted", "c-large"), ("deleted", "nobody")]);
    assert!(went.is_subset(&own), "{went:?}");

    listeners_are_numbered_apart(&world).await;
    a_restart_keeps_places(&mut world).await;
    places_go_before_anything_is_refused(&world).await;
    nothing_is_held_without_an_alb(&mut world).await;
    world.stop().await.unwrap();
}
