//! Network load balancers: what annotations by hand come to, and that a binding on a gateway with one is
//! told that it is not served, and writes nothing.

use std::time::Duration;

use e2e::world::{Expect, Target, World, WorldOptions};
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::exposed::{binding, condition, gone, now};
use super::{helloworld, world};

/// For what takes the operator and the cloud controller manager several rounds.
const LONG: Duration = Duration::from_secs(120);
const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";

/// `zone:vswitch` of two vswitches of the cluster's VPC.
async fn zones(world: &World) -> String {
    let state = world.cloud.state().await.unwrap();
    let vswitches = state["vpc"]["vswitches"].as_object().unwrap().values();
    let zones: Vec<String> = vswitches
        .take(2)
        .map(|vswitch| {
            let text = |name: &str| vswitch[name].as_str().unwrap().to_owned();
            format!("{}:{}", text("zoneId"), text("id"))
        })
        .collect();
    zones.join(",")
}

fn front() -> Target {
    Target::of::<Service>(Some("istio-system"), "network")
}

/// A gateway's Service of the class, annotated by hand.
fn service(annotations: &Value) -> String {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "network", "namespace": "istio-system", "annotations": annotations},
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": "alibabacloud.com/nlb",
            "selector": {"app": "istio-ingressgateway", "istio": "ingressgateway"},
            "ports": [{"name": "http", "port": 80, "targetPort": 80}],
        },
    })
    .to_string()
}

/// The one network load balancer of the cloud with its listeners, once they are as asked.
async fn balancer(world: &World, what: &str, is: impl Fn(&Value, &[Value]) -> bool) -> Value {
    let look = async || {
        let state = world
            .cloud
            .state()
            .await
            .map_err(|error| error.to_string())?;
        let values = |name: &str| -> Vec<Value> {
            let all = state["nlb"][name].as_object().into_iter().flatten();
            all.map(|(_, one)| one["value"].clone()).collect()
        };
        let (balancers, listeners) = (values("loadBalancers"), values("listeners"));
        match balancers.as_slice() {
            [one] if is(one, &listeners) => Ok(one.clone()),
            _ => Err(format!("{balancers:?} with {listeners:?}")),
        }
    };
    let waited = world.wait_until("the network load balancer", what, LONG, look);
    waited.await.unwrap()
}

#[tokio::test]
async fn annotations_by_hand_make_change_and_delete_a_network_load_balancer() {
    let world = world().await;
    let key = |name: &str| format!("{PREFIX}{name}");
    // Without zones nothing is made, and a warning says why.
    world.apply(&service(&json!({}))).await.unwrap();
    let told = Expect::that("a finalizer", |service| {
        let finalizers = service.metadata.finalizers.clone().unwrap_or_default();
        let has = finalizers.contains(&"service.k8s.alibaba/nlb".to_owned());
        has.then_some(()).ok_or_else(|| format!("{finalizers:?}"))
    });
    world.wait_for(&front(), &told, LONG).await.unwrap();
    let state = world.cloud.state().await.unwrap();
    assert_eq!(state["nlb"]["loadBalancers"], json!({}));

    let annotate = async |annotations: Value| {
        let patch = json!({"metadata": {"annotations": annotations}});
        world.patch(&front(), &patch).await.unwrap();
    };
    annotate(json!({
        key("zone-maps"): zones(&world).await,
        key("address-type"): "internet",
        key("idle-timeout"): "60",
    }))
    .await;
    let made = balancer(&world, "with a listener", |balancer, listeners| {
        balancer["addressType"] == "Internet"
            && listeners.len() == 1
            && listeners[0]["protocol"] == "TCP"
            && listeners[0]["more"]["IdleTimeout"] == 60
    })
    .await;
    let host = made["dnsName"].as_str().unwrap().to_owned();
    let published = Expect::that("the host name", move |service| {
        let ingress = &service.data["status"]["loadBalancer"]["ingress"];
        let is = ingress[0]["hostname"] == host.as_str();
        is.then_some(()).ok_or_else(|| ingress.to_string())
    });
    world.wait_for(&front(), &published, LONG).await.unwrap();

    // The address type changes in place, and what is merely no longer said stays.
    annotate(json!({key("address-type"): "intranet", key("idle-timeout"): null})).await;
    balancer(&world, "Intranet as it was", |balancer, listeners| {
        balancer["addressType"] == "Intranet"
            && balancer["id"] == made["id"]
            && listeners[0]["more"]["IdleTimeout"] == 60
    })
    .await;

    world.delete(&front()).await.unwrap();
    gone(&world, &front()).await;
    let state = world.cloud.state().await.unwrap();
    for left in ["loadBalancers", "listeners", "serverGroups"] {
        assert_eq!(state["nlb"][left], json!({}), "{left}");
    }
}

#[tokio::test]
async fn a_binding_on_a_network_gateway_is_told_and_writes_nothing() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    helloworld(&world, "default", "helloworld", "").await;
    let zones = zones(&world).await;
    world
        .apply(&service(&json!({format!("{PREFIX}zone-maps"): zones})))
        .await
        .unwrap();
    let manifests = "apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {name: network}
spec:
  cloud: {regionId: cn-beijing, clusterId: c1f0, credentials: {type: Environment}}
  gateways:
  - name: network
    nlb:
      service: {namespace: istio-system, name: network}
      settings: {addressType: Intranet}
      bindingsMaySet: [name]
---
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBinding
metadata: {name: hello, namespace: default}
spec:
  className: network
  gateway: network
  serviceRef: {kind: KnativeService, name: helloworld}
  nlb: {name: hello}
";
    world.apply(manifests).await.unwrap();
    let target = binding("default", "hello");
    let refused = Expect::condition_with_reason("Accepted", "False", "Unsupported");
    let told = world.wait_for(&target, &refused, LONG).await.unwrap();
    let (_, _, message) = condition(&told, "Accepted").unwrap();
    assert!(message.contains("network load balancer"), "{message}");
    let untouched = now(&world, &front()).await;
    let annotations = untouched.metadata.annotations.unwrap_or_default();
    assert!(!annotations.contains_key(&format!("{PREFIX}name")));
}
