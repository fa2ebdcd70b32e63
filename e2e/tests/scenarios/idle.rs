//! When nothing changes, nothing is written: neither to the cluster nor to the cloud.

use std::{collections::BTreeMap, time::Duration};

use e2e::{
    harness::{Replica, ReplicaOptions},
    world::{OperatorOptions, World, WorldOptions},
};
use k8s_openapi::api::events::v1::Event;
use kube::{Api, ResourceExt as _, api::ListParams};

use super::{
    PATIENCE,
    exposed::{Caller, consumer, example, exposed_with, helloworld, mutations, ready},
};

/// How often everything is compared with the cloud.
const DRIFT_INTERVAL: &str = "1s";
/// Calls that a drift check makes once each.
const CHECK: &str = "DescribeApiGroups";
/// Many drift checks: as many as there are in an hour and a half by default.
const MANY: usize = 8;
/// Who leads.
const LEASE: [&str; 6] = [
    "get",
    "lease",
    "gatewaybinding-operator",
    "-n",
    "gatewaybinding-system",
    "-o=jsonpath={.spec.holderIdentity}",
];

fn options() -> WorldOptions {
    let operator = OperatorOptions {
        args: vec!["--drift-interval".to_owned(), DRIFT_INTERVAL.to_owned()],
        ..OperatorOptions::default()
    };
    WorldOptions {
        operator: Some(operator),
        ..WorldOptions::default()
    }
}

/// Waits until the operator has compared everything with the cloud this many more times.
async fn checks(world: &World, number: usize) {
    world.cloud.reset_calls().await.unwrap();
    let operator = world.options().operator_keys.id.clone();
    let look = async || {
        let calls = world.cloud.calls().await.map_err(|e| e.to_string())?;
        let made = calls
            .iter()
            .filter(|call| call.access_key_id == operator && call.action == CHECK)
            .count();
        if made >= number {
            Ok(())
        } else {
            Err(format!("{made} of {number} calls of {CHECK}"))
        }
    };
    let patience = Duration::from_secs(60);
    let waited = world.wait_until("the drift check", "done some times", patience, look);
    waited.await.unwrap();
}

/// The objects whose versions differ.
fn moved(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names = before.keys().chain(after.keys());
    let mut moved: Vec<String> = names
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect();
    moved.sort();
    moved.dedup();
    moved
}

/// Over some drift checks, nothing moves.
async fn stays_still(world: &World, before: &BTreeMap<String, String>, when: &str) {
    checks(world, 4).await;
    let after = world.objects().await.unwrap();
    assert_eq!(moved(before, &after), Vec::<String>::new(), "{when}");
    assert_eq!(mutations(world).await, Vec::<String>::new(), "{when}");
}

#[tokio::test]
async fn idle_means_idle_also_after_a_restart_and_a_kill() {
    let mut world = exposed_with(options()).await;
    ready(&world, &consumer("default", "knative")).await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
    // What came with the last writes has settled once a check went by.
    checks(&world, 2).await;
    let before = world.objects().await.unwrap();

    stays_still(&world, &before, "at rest").await;

    let options = world.options().operator.clone().unwrap();
    let operator = world.operator.take().unwrap();
    let ended = operator.terminate(PATIENCE).await.unwrap();
    assert!(
        ended.success(),
        "after SIGTERM the operator ended with {ended}"
    );
    world.start_operator(&options).await.unwrap();
    stays_still(&world, &before, "after a restart").await;

    let operator = world.operator.take().unwrap();
    operator.kill().await.unwrap();
    world.start_operator(&options).await.unwrap();
    stays_still(&world, &before, "after kill -9").await;
}

/// Another replica, under another identity, takes over from one that was told to end, and finds
/// nothing to do: over many drift checks nothing moves but the Lease.
#[tokio::test]
async fn idle_means_idle_also_under_another_leader() {
    let mut options = options();
    let often = options.operator.take().unwrap().args;
    let world = World::start(options).await.unwrap();
    let replica = async |identity: &str| {
        let options = ReplicaOptions {
            identity: identity.to_owned(),
            keys: world.options().operator_keys.clone(),
            args: often.clone(),
        };
        Replica::start(&world, &options).await.unwrap()
    };
    let first = replica("replica-1").await;
    world.apply(&example()).await.unwrap();
    ready(&world, &helloworld()).await;
    ready(&world, &consumer("default", "knative")).await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
    let _second = replica("replica-2").await;
    checks(&world, 2).await;
    let before = world.objects().await.unwrap();
    let told = events(&world).await;
    stays_still(&world, &before, "with a follower").await;

    let ended = first.terminate(PATIENCE).await.unwrap();
    assert!(ended.success(), "the first ended with {ended}");
    checks(&world, MANY).await;
    stays_still(&world, &before, "under another leader").await;
    assert_eq!(events(&world).await, told, "nor is anything told");
    let lease = world.kubectl(&LEASE).await.unwrap();
    assert_eq!(lease, "replica-2");
}

/// Every Event, with how often it was told.
async fn events(world: &World) -> BTreeMap<String, String> {
    let events: Api<Event> = Api::all(world.client());
    let events = events.list(&ListParams::default()).await.unwrap();
    let version = |event: Event| {
        (
            event.name_any(),
            event.resource_version().unwrap_or_default(),
        )
    };
    events.into_iter().map(version).collect()
}
