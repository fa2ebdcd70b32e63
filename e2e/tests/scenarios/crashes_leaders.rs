//! Several replicas: one writes, and another goes on where it ended.

use std::time::{Duration, Instant};

use e2e::{
    harness::{Meter, Replica, ReplicaOptions, Scenario},
    world::{Expect, Keys, Target, World, WorldOptions},
};
use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};
use serde_json::json;

/// With the default durations of the lease, from the end of a leader to its successor's work.
const AFTER_SIGKILL: Duration = Duration::from_secs(20);
const AFTER_SIGTERM: Duration = Duration::from_secs(3);
/// For what is not the question here.
const PATIENCE: Duration = Duration::from_secs(60);
/// A lease that is over five times as fast as by default.
const FAST: [&str; 3] = [
    "--lease-duration=3s",
    "--lease-renew-deadline=2s",
    "--lease-renew-interval=400ms",
];

fn binding() -> Target {
    Target::of::<crds::GatewayBinding>(Some("default"), "helloworld")
}

fn options(identity: &str, keys: &Keys, args: &[&str]) -> ReplicaOptions {
    ReplicaOptions {
        identity: identity.to_owned(),
        keys: keys.clone(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
    }
}

async fn mutations(world: &World, keys: &Keys) -> usize {
    Meter::of(&world.cloud.calls().await.unwrap(), &keys.id).sends
}

/// Changes that were asked for, refused ones included.
async fn attempts(world: &World, keys: &Keys) -> usize {
    let meter = Meter::of(&world.cloud.calls().await.unwrap(), &keys.id);
    meter.sends + meter.refused
}

/// A world in which the first of two replicas leads and has exposed the example.
struct Stage {
    world: World,
    first: Replica,
    second: Replica,
    first_keys: Keys,
    second_keys: Keys,
}

impl Stage {
    async fn start(args: &[&str]) -> Self {
        let world = World::start(WorldOptions::default().without_operator())
            .await
            .unwrap();
        let first_keys = world.options().operator_keys.clone();
        let second_keys = world.options().console_keys.clone();
        let scenario = Scenario::named("api-gateway-intranet-slb").unwrap();
        let first = Replica::start(&world, &options("replica-1", &first_keys, args))
            .await
            .unwrap();
        world.apply(&scenario.yaml()).await.unwrap();
        ready(&world, PATIENCE).await;
        let second = Replica::start(&world, &options("replica-2", &second_keys, args))
            .await
            .unwrap();
        // It waits for the lease, with all its watches up.
        let watching = async || {
            let log = second.log_tail(200);
            if log.contains("starting") {
                Ok(())
            } else {
                Err(log)
            }
        };
        let waited = world.wait_until("the second replica", "started", PATIENCE, watching);
        waited.await.unwrap();
        assert_eq!(mutations(&world, &second_keys).await, 0, "it only follows");
        Self {
            world,
            first,
            second,
            first_keys,
            second_keys,
        }
    }
}

/// Events of the operators.
async fn events(world: &World) -> usize {
    let events: Api<Event> = Api::all(world.client());
    let events = events.list(&ListParams::default()).await.unwrap();
    let ours = |event: &&Event| {
        let by = event.reporting_controller.as_deref().unwrap_or_default();
        by.starts_with("gatewaybinding")
    };
    events.iter().filter(ours).count()
}

async fn ready(world: &World, patience: Duration) {
    let ready = Expect::condition("Ready", "True");
    let waited = world.wait_for(&binding(), &ready, patience).await;
    waited.unwrap_or_else(|error| panic!("{error}"));
}

/// An edit that costs calls in the cloud.
async fn edit(world: &World, prefix: &str) {
    let routes = json!([{"name": "all", "path": {"prefix": prefix, "replaceWith": "/"}}]);
    let patch = json!({"spec": {"apiGateway": {"routes": routes}}});
    world.patch(&binding(), &patch).await.unwrap();
}

#[tokio::test]
async fn when_the_leader_is_killed_another_goes_on_within_twenty_seconds() {
    let stage = Stage::start(&[]).await;
    let killed = Instant::now();
    stage.first.kill().await.unwrap();
    edit(&stage.world, "/killed").await;
    ready(&stage.world, AFTER_SIGKILL.saturating_sub(killed.elapsed())).await;
    assert!(mutations(&stage.world, &stage.second_keys).await > 0);
}

#[tokio::test]
async fn when_the_leader_is_told_to_end_another_goes_on_within_three_seconds() {
    let stage = Stage::start(&[]).await;
    let told = Instant::now();
    let ended = stage.first.terminate(PATIENCE).await.unwrap();
    assert!(ended.success(), "{ended}");
    edit(&stage.world, "/terminated").await;
    ready(&stage.world, AFTER_SIGTERM.saturating_sub(told.elapsed())).await;
    assert!(mutations(&stage.world, &stage.second_keys).await > 0);
}

#[tokio::test]
async fn a_leader_that_slept_through_its_lease_writes_nothing_when_it_wakes() {
    let mut stage = Stage::start(&FAST).await;
    let world = &stage.world;
    // It falls asleep in the middle of a change, with the next attempt of a call before it.
    let throttled = json!({"rules": [{
        "accessKeyId": stage.first_keys.id, "mutatingOnly": true,
        "effect": {"type": "throttle", "retryAfterMs": 1500},
    }]});
    world.cloud.faults(&throttled).await.unwrap();
    edit(world, "/asleep").await;
    let refused = async || {
        let calls = world.cloud.calls().await.map_err(|e| e.to_string())?;
        let meter = Meter::of(&calls, &stage.first_keys.id);
        if meter.refused > 0 {
            Ok(())
        } else {
            Err(meter.to_string())
        }
    };
    let waited = world.wait_until("a change", "throttled", PATIENCE, refused);
    waited.await.unwrap_or_else(|error| panic!("{error}"));
    stage.first.pause().await.unwrap();
    world.cloud.faults(&json!({"rules": []})).await.unwrap();
    ready(world, PATIENCE).await;
    let before = attempts(world, &stage.first_keys).await;
    assert!(
        mutations(world, &stage.second_keys).await > 0,
        "no takeover"
    );

    // The second one cannot help it: whatever is done now, the first one does.
    stage.second.pause().await.unwrap();
    edit(world, "/awake").await;
    let objects = world.objects().await.unwrap();
    let told = events(world).await;
    stage.first.resume().await.unwrap();
    let first = &mut stage.first;
    let ended = async || match first.try_wait() {
        Ok(Some(status)) => Ok(status),
        Ok(None) => Err("it runs".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let waited = world.wait_until("the former leader", "ended", PATIENCE, ended);
    let status = waited.await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!status.success(), "it lost its lease: {status}");
    assert_eq!(attempts(world, &stage.first_keys).await, before);
    // Nor did it write a status, a finalizer, a Service or an Event: nothing but the user's edit is
    // new in the cluster, whose other writer stands still.
    let now = world.objects().await.unwrap();
    let moved = now
        .iter()
        .filter(|(name, version)| objects.get(*name) != Some(*version));
    assert_eq!(moved.collect::<Vec<_>>(), Vec::<(&String, &String)>::new());
    assert_eq!(events(world).await, told);

    stage.second.resume().await.unwrap();
    let replacement = options("replica-3", &stage.second_keys, &FAST);
    let _third = Replica::start(world, &replacement).await.unwrap();
    ready(world, PATIENCE).await;
    assert_eq!(attempts(world, &stage.first_keys).await, before);
}
