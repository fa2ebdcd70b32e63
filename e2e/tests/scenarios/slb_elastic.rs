//! A load balancer with an address of the VPC that was asked for, and an elastic one that somebody
//! bound to it.

use alicloud_emulator::api::Product::Vpc;
use e2e::world::{Expect, World};
use serde_json::{Value, json};

use super::by_hand::{call, text};
use super::exposed::{binding, class, gone, ready};
use super::slb_settings::{LONG, manifest, told};

/// An address of the vswitch in the second zone.
const ADDRESS: &str = "10.0.1.99";

/// Waits until the binding publishes an address.
async fn publishes(world: &World, address: &str) {
    let wanted = address.to_owned();
    let expected = Expect::that("with its address", move |binding| {
        let shown = &binding.data["status"]["address"];
        (*shown == wanted)
            .then_some(())
            .ok_or_else(|| shown.to_string())
    });
    let target = binding("default", "elastic");
    world.wait_for(&target, &expected, LONG).await.unwrap();
}

async fn vpc(world: &World, action: &str, params: &[(&str, &str)]) -> Value {
    let region = ("RegionId", world.options().region.as_str());
    let params: Vec<_> = params.iter().copied().chain([region]).collect();
    call(world, Vpc, action, &params).await
}

/// The vswitches, by zone.
async fn vswitches(world: &World) -> Vec<String> {
    let state = world.cloud.state().await.unwrap();
    let all = state["vpc"]["vswitches"].as_object().unwrap().values();
    let mut all: Vec<&Value> = all.collect();
    all.sort_by_key(|one| one["zoneId"].as_str());
    all.iter().map(|one| text(one, "id")).collect()
}

pub(super) async fn the_elastic_address_is_published(world: &World) {
    let service = json!({
        "namespace": "istio-system", "name": "elastic",
        "createFrom": {"name": "istio-ingressgateway", "ports": [80]},
    });
    let offer = json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
        "metadata": {"name": "elastic"},
        "spec": {
            "cloud": {"regionId": "cn-beijing", "clusterId": "c1f0", "credentials": {"type": "Environment"}},
            "gateways": [{"name": "elastic", "slb": {
                "service": service, "settings": {"addressType": "Intranet"}, "bindingsMaySet": ["*"],
            }}],
        },
    });
    world.apply(&offer.to_string()).await.unwrap();
    let vswitches = vswitches(world).await;
    let own = json!({"vswitchId": vswitches[1], "address": ADDRESS});
    let apply = async |slb: &Value| {
        let manifest = manifest("elastic", "elastic", slb);
        world.apply(&manifest).await.unwrap();
    };
    apply(&own).await;
    let target = binding("default", "elastic");
    let exposed = ready(world, &target).await;
    assert_eq!(exposed.data["status"]["address"], ADDRESS);
    let id = text(&exposed.data["status"]["loadBalancer"], "id");
    let state = world.cloud.state().await.unwrap();
    let balancer = &state["slb"]["loadBalancers"][&id]["value"];
    assert_eq!(balancer["vswitchId"], vswitches[1]);
    for (field, value) in [
        ("vswitchId", vswitches[0].as_str()),
        ("address", "10.0.1.100"),
    ] {
        let mut other = own.clone();
        other[field] = json!(value);
        apply(&other).await;
        let message = told(world, "elastic", "Immutable").await;
        assert!(message.contains(&format!("slb.{field}")), "{message}");
        apply(&own).await;
        ready(world, &target).await;
    }

    // It is bound by its id at the console: the cloud controller manager binds none.
    let eip = vpc(world, "AllocateEipAddress", &[]).await;
    let allocation = text(&eip, "AllocationId");
    let bound = [("AllocationId", allocation.as_str()), ("InstanceId", &id)];
    vpc(world, "AssociateEipAddress", &bound).await;
    let mut elastic = own.clone();
    elastic["publishedAddress"] = json!("EIP");
    apply(&elastic).await;
    publishes(world, &text(&eip, "EipAddress")).await;
    ready(world, &target).await;
    elastic["publishedAddress"] = json!("Own");
    apply(&elastic).await;
    publishes(world, ADDRESS).await;
    apply(&own).await;
    ready(world, &target).await;

    vpc(world, "UnassociateEipAddress", &bound).await;
    world.delete(&target).await.unwrap();
    gone(world, &target).await;
    world.delete(&class("elastic")).await.unwrap();
    gone(world, &class("elastic")).await;
}
