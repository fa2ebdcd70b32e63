//! What somebody takes away in the cluster comes back, without waiting for a drift check.

use e2e::world::{Expect, Target, World};
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::{
    PATIENCE,
    exposed::{
        Caller, api_key, consumer, exposed_without_limits, gone, helloworld, intranet_service, now,
        ready, secret,
    },
};

const ADDRESS_TYPE: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type";

#[tokio::test]
async fn what_is_taken_away_in_the_cluster_comes_back() {
    let world = exposed_without_limits().await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
    deleted_secret(&world).await;
    caller.get_until("/", 200).await;
    changed_annotation(&world).await;
    changed_ports(&world).await;
    caller.get_until("/", 200).await;
    deleted_service(&world).await;
    caller.get_until("/", 200).await;
}

/// The same key comes back: the cloud still has it, and callers use it.
async fn deleted_secret(world: &World) {
    let before = api_key(world, "default", "knative-caller").await;
    let target = secret("default", "knative-caller");
    let uid = now(world, &target).await.metadata.uid;
    world.delete(&target).await.unwrap();
    let another = another(uid);
    world.wait_for(&target, &another, PATIENCE).await.unwrap();
    ready(world, &consumer("default", "knative")).await;
    assert_eq!(api_key(world, "default", "knative-caller").await, before);
}

/// Another object of the same name.
fn another(uid: Option<String>) -> Expect {
    Expect::that("a new one", move |object| {
        if object.metadata.uid == uid {
            Err("it is the old one".to_owned())
        } else {
            Ok(())
        }
    })
}

/// On a Service that the operator made, what it wrote is its own.
async fn changed_annotation(world: &World) {
    let patch = json!({"metadata": {"annotations": {ADDRESS_TYPE: null, "note": "mine"}}});
    world.patch(&intranet_service(), &patch).await.unwrap();
    let back = Expect::that("with its address type", |service| {
        let annotations = service.metadata.annotations.clone().unwrap_or_default();
        match (annotations.get(ADDRESS_TYPE), annotations.get("note")) {
            (Some(type_), Some(_)) if type_ == "intranet" => Ok(()),
            _ => Err(format!("{annotations:?}")),
        }
    });
    world
        .wait_for(&intranet_service(), &back, PATIENCE)
        .await
        .unwrap();
}

/// Ports follow the Service that it was made from.
async fn changed_ports(world: &World) {
    let existing = Target::of::<Service>(Some("istio-system"), "istio-ingressgateway");
    let ports = now(world, &existing).await.data["spec"]["ports"].clone();
    let mut more: Vec<Value> = ports.as_array().unwrap().clone();
    more.push(json!({"name": "extra", "port": 8081, "targetPort": 80, "protocol": "TCP"}));
    for (ports, has_extra) in [(json!(more), true), (ports, false)] {
        let patch = json!({"spec": {"ports": ports}});
        world.patch(&existing, &patch).await.unwrap();
        let expected = format!("extra port: {has_extra}");
        let follows = Expect::that(expected, move |service| {
            let ports = service.data["spec"]["ports"].as_array().unwrap();
            let has = ports.iter().any(|port| port["name"] == "extra");
            (has == has_extra)
                .then_some(())
                .ok_or_else(|| format!("{ports:?}"))
        });
        world
            .wait_for(&intranet_service(), &follows, PATIENCE)
            .await
            .unwrap();
    }
}

/// A new Service gets a new load balancer, and the API gateway is led there.
async fn deleted_service(world: &World) {
    let balancer =
        async || now(world, &helloworld()).await.data["status"]["loadBalancer"]["id"].clone();
    let before = balancer().await;
    let uid = now(world, &intranet_service()).await.metadata.uid;
    world.delete(&intranet_service()).await.unwrap();
    let new = another(uid);
    world
        .wait_for(&intranet_service(), &new, PATIENCE)
        .await
        .unwrap();
    let moved = async || match balancer().await {
        Value::Null => Err("there is none yet".to_owned()),
        id if id == before => Err(format!("it is still {id}")),
        _ => Ok(()),
    };
    let waited = world.wait_until("the load balancer", "another one", PATIENCE, moved);
    waited.await.unwrap();
    ready(world, &helloworld()).await;
}

/// The namespace goes with all that is in it, in whatever order the API server deletes.
#[tokio::test]
async fn a_deleted_namespace_takes_everything_along() {
    let world = exposed_without_limits().await;
    super::namespace(&world, "team").await;
    super::helloworld(&world, "team", "hello", "").await;
    let cloud = world.cloud_objects().await.unwrap();
    let yaml = "{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayConsumer, metadata: {name: caller, namespace: team}, \
          spec: {credentials: [{name: first, type: Generated, kinds: [APIKey], secretRef: {name: caller}}]}}
---
{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayBinding, metadata: {name: hello, namespace: team}, \
  spec: {serviceRef: {kind: KnativeService, name: hello}, apiGateway: {auth: {consumer: {apiKey: {in: [Header]}, signature: {}, allow: [{name: caller}]}}}}}
";
    world.apply(yaml).await.unwrap();
    ready(&world, &super::exposed::binding("team", "hello")).await;
    let namespace = Target::of::<k8s_openapi::api::core::v1::Namespace>(None, "team");
    world.delete(&namespace).await.unwrap();
    gone(&world, &namespace).await;
    super::exposed::cloud_is(&world, &cloud).await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
}
