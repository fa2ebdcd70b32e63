//! `examples/api-gateway-own-slb`: a plain Service with a load balancer of its own, and API Gateway
//! before it. The class says how many there may be.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use e2e::world::{Expect, Target, World, WorldOptions};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::json;

use super::exposed::{api_key, binding, condition, gone, host, now, ready};

/// For what takes several passes of the operator and of the cloud controller manager.
const LONG: Duration = Duration::from_secs(120);
const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
const LEGACY: &str = "service.beta.kubernetes.io/alicloud-loadbalancer-address-type";

/// The manifests of the example, in the order of their names.
fn example() -> String {
    super::example("api-gateway-own-slb")
}

fn service(name: &str) -> Target {
    Target::of::<Service>(Some("shop"), name)
}

/// Serves what a container would, and says so in the status of one of the Deployment's pods, as its
/// node would.
async fn serve(world: &World) {
    let ip = world.gateway.as_ref().unwrap().address().ip();
    let listener = tokio::net::TcpListener::bind((ip, 8080)).await.unwrap();
    let routes = Router::new().route("/", get(async || "Apache Tomcat"));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let pods = Api::<Pod>::namespaced(world.client(), "shop");
    let look = async || {
        let found = pods.list(&ListParams::default()).await;
        let found = found.map_err(|error| error.to_string())?;
        found.items.first().cloned().ok_or("no pod".to_owned())
    };
    let waited = world.wait_until("the Deployment", "with pods", LONG, look);
    let name = waited.await.unwrap().name_any();
    let node = gateway_node(world).await;
    let binds = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    pods.create_subresource::<_, serde_json::Value>("binding", &name, &Default::default(), &binds)
        .await
        .unwrap();
    let status = json!({"status": {
        "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": ip,
        "conditions": [{"type": "Ready", "status": "True"}],
    }});
    let patch = kube::api::Patch::Merge(&status);
    pods.patch_status(&name, &Default::default(), &patch)
        .await
        .unwrap();
}

/// The node that the gateway's pod runs on.
async fn gateway_node(world: &World) -> String {
    let pods = Api::<Pod>::namespaced(world.client(), "istio-system");
    let pods = pods.list(&ListParams::default()).await.unwrap();
    pods.items[0]
        .spec
        .as_ref()
        .unwrap()
        .node_name
        .clone()
        .unwrap()
}

#[tokio::test]
async fn a_plain_service_is_called_through_its_own_load_balancer() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    world.apply(&example()).await.unwrap();
    serve(&world).await;
    let target = binding("shop", "tomcat-demo");
    let exposed = ready(&world, &target).await;
    let key = api_key(&world, "shop", "shop-app-keys").await;
    let authorization = format!("APPCODE {key}");
    let host = host(&exposed);
    let get = || async {
        let headers = [("authorization", authorization.as_str())];
        world.cloud.curl(&host, "/", &headers).await
    };
    let answer = world
        .wait_for_answer("Tomcat", LONG, get, |answer| answer.status == 200)
        .await
        .unwrap();
    assert_eq!(answer.body, "Apache Tomcat");
    let without = world.cloud.curl(&host, "/", &[]).await.unwrap();
    assert_eq!(without.status, 400, "{without:?}");

    only_so_many(&world).await;

    // What was written goes back; type, ports and what its owner said of it stay.
    world.delete(&target).await.unwrap();
    gone(&world, &target).await;
    let left = now(&world, &service("tomcat-demo")).await;
    assert_eq!(left.data["spec"]["type"], "LoadBalancer");
    assert_eq!(left.annotations()[LEGACY], "intranet");
    let uid = left.uid().unwrap().replace('-', "");
    let own: String = format!("a{uid}").chars().take(32).collect();
    assert_eq!(left.annotations()[&format!("{PREFIX}name")], own);
}

/// One more than the class allows waits until another goes, and nothing is written to its Service.
async fn only_so_many(world: &World) {
    let class = super::exposed::class("own-slb");
    let mut gateways = now(world, &class).await.data["spec"]["gateways"].clone();
    gateways[0]["slb"]["perBinding"] = json!({"maxInstances": 1});
    let one = json!({"spec": {"gateways": gateways}});
    world.patch(&class, &one).await.unwrap();
    let second = "apiVersion: v1
kind: Service
metadata: {name: second, namespace: shop}
spec: {type: ClusterIP, ports: [{port: 8080}]}
---
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBinding
metadata: {name: second, namespace: shop}
spec: {className: own-slb, gateway: own, serviceRef: {kind: Service, name: second}}";
    world.apply(second).await.unwrap();
    let target = binding("shop", "second");
    let refused = Expect::condition_with_reason("Programmed", "False", "LimitReached");
    let told = world.wait_for(&target, &refused, LONG).await.unwrap();
    let (_, _, message) = condition(&told, "Programmed").unwrap();
    assert!(message.contains("allows 1 load balancers"), "{message}");
    let untouched = now(world, &service("second")).await;
    assert_eq!(untouched.metadata.annotations, None);
    ready(world, &binding("shop", "tomcat-demo")).await;

    gateways[0]["slb"]["perBinding"] = json!({"maxInstances": 2});
    let two = json!({"spec": {"gateways": gateways}});
    world.patch(&class, &two).await.unwrap();
    let typed = Expect::condition_with_reason("ResolvedRefs", "False", "ServiceInvalid");
    world.wait_for(&target, &typed, LONG).await.unwrap();
    let written = now(world, &service("second")).await;
    assert_eq!(
        written.annotations()[&format!("{PREFIX}address-type")],
        "intranet"
    );
    world.delete(&target).await.unwrap();
    gone(world, &target).await;
}
