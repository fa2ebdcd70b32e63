//! What somebody changes at a listener in the console, while its settings say something else.

use alicloud_emulator::api::Product;
use e2e::world::World;
use serde_json::json;

use super::exposed::{binding, ready};
use super::slb_settings::{Balancer, LONG, service, told};
use super::slb_settings_rows::Row;

/// The value that has the cloud controller manager compare everything again, if there was need for one.
async fn resync(world: &World) -> Option<String> {
    let annotations = service(world, "front").await.metadata.annotations;
    annotations?.remove("gatewaybinding.dev/resync")
}

/// Has the operator look at everything anew.
async fn look_again(world: &World, time: u32) {
    let annotations = json!({"gatewaybinding.dev/reconcile-at": time.to_string()});
    let patch = json!({"metadata": {"annotations": annotations}});
    world
        .patch(&binding("default", "two"), &patch)
        .await
        .unwrap();
}

/// Single settings that somebody changes at a listener are put back through the cloud controller manager.
/// What the cloud does not keep is told, and left until something moves.
pub(super) async fn put_back(world: &World, balancer: &Balancer, rows: &[Row]) {
    assert_eq!(resync(world).await, None, "nothing had drifted");
    change_check(world, balancer, "9").await;
    look_again(world, 1).await;
    balancer.shows(world, "front", rows, 0).await;
    ready(world, &binding("default", "two")).await;
    assert_ne!(resync(world).await, None, "it was asked to compare");

    change_check(world, balancer, "8").await;
    let action = "SetLoadBalancerTCPListenerAttribute";
    let effect = json!({"type": "answeredButNotApplied"});
    let plan = json!({"rules": [{"action": action, "effect": effect}]});
    world.cloud.faults(&plan).await.unwrap();
    look_again(world, 2).await;
    let message = told(world, "two", "NonConvergent").await;
    let of = format!("of listener 81/tcp of load balancer {}", balancer.id);
    for word in [
        &format!("slb.healthCheck.interval (HealthCheckInterval) {of}"),
        "wanted \"5\", seen \"8\"",
        &format!("slb.scheduler (Scheduler) {of}"),
        "wanted \"rr\", seen \"wlc\"",
    ] {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
    let last = resync(world).await;
    for time in [3, 4] {
        checked(world, time).await;
    }
    assert_eq!(resync(world).await, last, "it was given up");
    told(world, "two", "NonConvergent").await;

    world.cloud.faults(&json!({"rules": []})).await.unwrap();
    change_check(world, balancer, "7").await;
    look_again(world, 5).await;
    balancer.shows(world, "front", rows, 0).await;
    ready(world, &binding("default", "two")).await;
}

/// As a person in the console does.
async fn change_check(world: &World, balancer: &Balancer, interval: &str) {
    let params = [
        ("RegionId", "cn-beijing"),
        ("LoadBalancerId", &balancer.id),
        ("ListenerPort", "81"),
        ("HealthCheckInterval", interval),
        ("Scheduler", "wlc"),
    ];
    let keys = &world.options().console_keys;
    let action = "SetLoadBalancerTCPListenerAttribute";
    let called = world.cloud.call(keys, Product::Slb, action, &params);
    called.await.unwrap();
}

/// Has the operator look at everything anew, and waits until it does.
async fn checked(world: &World, time: u32) {
    world.cloud.reset_calls().await.unwrap();
    look_again(world, time).await;
    let operator = &world.options().operator_keys.id;
    let look = async || {
        let calls = world.cloud.calls().await.map_err(|e| e.to_string())?;
        let read = calls.iter().any(|call| {
            call.access_key_id == *operator && call.action == "DescribeLoadBalancerListeners"
        });
        read.then_some(()).ok_or_else(|| "no look yet".to_owned())
    };
    let waited = world.wait_until("the operator", "looking again", LONG, look);
    waited.await.unwrap();
}
