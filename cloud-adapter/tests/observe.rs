//! Reads of load balancers and networks against the emulator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use alicloud_emulator::api::Product;
use cloud_adapter::{slb, sts, vpc};
use common::{call, client, emulator, intranet_balancer};

#[tokio::test]
async fn load_balancers() {
    let emulator = emulator().await;
    let client = client(&emulator.url());
    let (vpc_id, id) = intranet_balancer(&emulator).await;
    let tag = [
        ("ResourceType", "instance"),
        ("ResourceId.1", id.as_str()),
        ("Tag.1.Key", "ack.aliyun.com"),
        ("Tag.1.Value", "c1f0"),
    ];
    call(&emulator, Product::Slb, "TagResources", &tag).await;
    let listener = [
        ("LoadBalancerId", id.as_str()),
        ("ListenerPort", "80"),
        ("BackendServerPort", "30080"),
        ("Bandwidth", "-1"),
    ];
    call(
        &emulator,
        Product::Slb,
        "CreateLoadBalancerTCPListener",
        &listener,
    )
    .await;

    let found = slb::load_balancer(&client, &id).await.unwrap().unwrap();
    assert_eq!(
        (found.id.as_str(), found.vpc_id.as_str()),
        (id.as_str(), vpc_id.as_str())
    );
    assert_eq!(
        (found.address_type.as_str(), found.status.as_str()),
        ("intranet", "active")
    );
    assert!(
        found.vswitch_id.starts_with("vsw-") && !found.address.is_empty(),
        "{found:?}"
    );
    assert_eq!(found.tag("ack.aliyun.com"), Some("c1f0"));
    assert_eq!(slb::load_balancer(&client, "lb-none").await.unwrap(), None);

    let ids: Vec<String> = (0..11)
        .map(|i| format!("lb-{i}"))
        .chain([id.clone()])
        .collect();
    let several = slb::load_balancers(&client, &ids).await.unwrap();
    assert_eq!(several.iter().map(|lb| &lb.id).collect::<Vec<_>>(), [&id]);
    let tagged = slb::load_balancers_with_tags(&client, &[("ack.aliyun.com", "c1f0")])
        .await
        .unwrap();
    assert_eq!(tagged.len(), 1);
    let others = slb::load_balancers_with_tags(&client, &[("ack.aliyun.com", "else")])
        .await
        .unwrap();
    assert!(others.is_empty());

    let listeners = slb::listeners(&client, std::slice::from_ref(&id))
        .await
        .unwrap();
    let [listener] = listeners.as_slice() else {
        panic!("one listener was made: {listeners:?}")
    };
    assert_eq!((listener.port, listener.protocol.as_str()), (80, "tcp"));
    assert_eq!(listener.load_balancer_id, id);
}

#[tokio::test]
async fn networks_and_identity() {
    let emulator = emulator().await;
    let client = client(&emulator.url());
    let vpcs = vpc::vpcs(&client, &[]).await.unwrap();
    let [network] = vpcs.as_slice() else {
        panic!("a fresh emulator has one VPC: {vpcs:?}")
    };
    assert_eq!(
        vpc::vpcs(&client, std::slice::from_ref(&network.id))
            .await
            .unwrap(),
        vpcs
    );
    let vswitches = vpc::vswitches(&client, &network.id).await.unwrap();
    assert_eq!(vswitches.len(), 3);
    let zones = vpc::zones(&client).await.unwrap();
    for vswitch in vswitches {
        assert!(
            zones.iter().any(|zone| zone.id == vswitch.zone_id),
            "{vswitch:?}"
        );
        let found = vpc::vswitch(&client, &vswitch.id).await.unwrap();
        assert_eq!(found, Some(vswitch));
    }
    let found = vpc::vswitch(&client, "vsw-2zenobody").await.unwrap();
    assert_eq!(found, None);
    let identity = sts::caller_identity(&client).await.unwrap();
    assert_eq!(identity.account_id, "1234567890123456");
    for call in emulator.calls() {
        assert!(call.unknown_parameters.is_empty(), "{call:?}");
    }
}
