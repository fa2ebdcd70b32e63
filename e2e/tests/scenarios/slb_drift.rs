//! What somebody changes at a listener in the console, while its settings say something else.

use alicloud_emulator::api::Product;
use e2e::world::World;
use serde_json::json;

use super::exposed::{binding, ready};
use super::slb_settings::{Balancer, service};
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
pub(super) async fn put_back(world: &World, balancer: &Balancer, rows: &[Row]) {
    assert_eq!(resync(world).await, None, "nothing had drifted");
    change_check(world, balancer, "9").await;
    look_again(world, 1).await;
    balancer.shows(world, "front", rows, 0).await;
    ready(world, &binding("default", "two")).await;
    assert!(resync(world).await.is_some());
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
