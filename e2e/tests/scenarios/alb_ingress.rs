//! A revision behind an application load balancer, by an Ingress written by hand: the activator needs the
//! header that only a rule with one revision can insert.

use std::time::Duration;

use e2e::world::{Answer, Expect, Target, World, WorldOptions};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::helloworld;

/// For some passes of the controller on a loaded machine.
const LONG: Duration = Duration::from_secs(120);

/// An AlbConfig in two zones of the cloud, and the class that leads to it.
async fn class(world: &World) {
    let state = world.cloud.state().await.unwrap();
    let vswitches = state["vpc"]["vswitches"].as_object().unwrap();
    let zones = vswitches.keys().take(2);
    let zones: Vec<Value> = zones.map(|id| json!({"vSwitchId": id})).collect();
    let config = json!({
        "apiVersion": "alibabacloud.com/v1", "kind": "AlbConfig",
        "metadata": {"name": "by-hand"},
        "spec": {"config": {"addressType": "Internet", "zoneMappings": zones}},
    });
    world.apply(&config.to_string()).await.unwrap();
    let class = "{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: by-hand}, spec: \
        {controller: ingress.k8s.alibabacloud/alb, parameters: {apiGroup: alibabacloud.com, kind: AlbConfig, name: by-hand}}}";
    world.apply(class).await.unwrap();
}

fn rule(host: &str, backend: &str) -> Value {
    let service = json!({"name": backend, "port": {"name": "use-annotation"}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": service}});
    json!({"host": host, "http": {"paths": [path]}})
}

/// Where the rules are, once they were applied.
fn address(object: &DynamicObject) -> Result<String, String> {
    let host = object
        .data
        .pointer("/status/loadBalancer/ingress/0/hostname");
    let host = host.and_then(Value::as_str).ok_or("no address")?;
    Ok(host.to_owned())
}

#[tokio::test]
async fn a_revision_is_reached_through_an_alb_with_the_header_that_names_it() {
    let world = World::start(WorldOptions {
        albconfigs: true,
        ..WorldOptions::default().without_operator()
    });
    let world = world.await.unwrap();
    helloworld(&world, "default", "helloworld", "").await;
    class(&world).await;
    let forward = json!({"type": "ForwardGroup", "forwardConfig": {"serverGroups":
        [{"serviceName": "helloworld-00001", "servicePort": 80, "weight": 100}]}});
    let insert = |key: &str, value: &str| {
        let config = json!({"key": key, "value": value, "valueType": "UserDefined"});
        json!({"type": "InsertHeader", "InsertHeaderConfig": config})
    };
    let revision = insert("Knative-Serving-Revision", "helloworld-00001");
    let namespace = insert("Knative-Serving-Namespace", "default");
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "helloworld", "namespace": "default", "annotations": {
            "alb.ingress.kubernetes.io/actions.named": json!([revision, namespace, forward]).to_string(),
            "alb.ingress.kubernetes.io/actions.bare": json!([forward]).to_string(),
        }},
        "spec": {"ingressClassName": "by-hand", "rules": [
            rule("named.example.com", "named"),
            rule("bare.example.com", "bare"),
        ]},
    });
    world.apply(&ingress.to_string()).await.unwrap();

    let target = Target::of::<Ingress>(Some("default"), "helloworld");
    let served = Expect::that("an address", |object| address(object).map(drop));
    let served = world.wait_for(&target, &served, LONG).await.unwrap();
    let alb = address(&served).unwrap();
    let status = |code: u16| move |answer: &Answer| answer.status == code;
    let named = || world.cloud.curl_alb(&alb, "named.example.com", "/", &[]);
    let answer = world.wait_for_answer("200", LONG, named, status(200));
    assert_eq!(answer.await.unwrap().body, "Hello World!\n");
    let bare = || world.cloud.curl_alb(&alb, "bare.example.com", "/", &[]);
    let answer = world.wait_for_answer("404", LONG, bare, status(404));
    let body = answer.await.unwrap().body;
    assert_eq!(body, "the request names no revision\n");
    world.stop().await.unwrap();
}
