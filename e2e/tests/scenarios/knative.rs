//! The Knative stand-in makes what Knative makes.

use e2e::{
    knative::types::{Configuration, KIngress, Revision, Route},
    world::{Expect, Target},
};
use k8s_openapi::api::core::v1::Service;
use kube::{Api, ResourceExt as _, api::DynamicObject};
use serde_json::json;

use super::{PATIENCE, helloworld, ksvc, world};

#[tokio::test]
async fn a_knative_service_gets_its_objects_and_becomes_ready() {
    let world = world().await;
    helloworld(&world, "default", "helloworld", "").await;

    let get = async |target: Target| {
        world
            .wait_for(&target, &Expect::condition("Ready", "True"), PATIENCE)
            .await
            .unwrap()
    };
    let service = get(ksvc("default", "helloworld")).await;
    let status = &service.data["status"];
    assert_eq!(status["url"], "http://helloworld.default.example.com");
    assert_eq!(
        status["address"]["url"],
        "http://helloworld.default.svc.cluster.local"
    );
    assert_eq!(status["latestReadyRevisionName"], "helloworld-00001");
    assert_eq!(
        status["traffic"],
        json!([{"latestRevision": true, "percent": 100, "revisionName": "helloworld-00001"}])
    );
    assert!(
        service.data["spec"].get("traffic").is_none(),
        "the user's spec is left alone: {}",
        service.data["spec"]
    );

    let owner = |object: &DynamicObject| object.owner_references()[0].uid.clone();
    let configuration = get(Target::of::<Configuration>(Some("default"), "helloworld")).await;
    let revision = get(Target::of::<Revision>(Some("default"), "helloworld-00001")).await;
    let route = get(Target::of::<Route>(Some("default"), "helloworld")).await;
    let ingress = get(Target::of::<KIngress>(Some("default"), "helloworld")).await;
    assert_eq!(Some(owner(&configuration)), service.uid());
    assert_eq!(Some(owner(&revision)), configuration.uid());
    assert_eq!(Some(owner(&route)), service.uid());
    assert_eq!(Some(owner(&ingress)), route.uid());
    assert_eq!(
        ingress.data["status"]["publicLoadBalancer"]["ingress"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let services = Api::<Service>::namespaced(world.client(), "default");
    let placeholder = services.get("helloworld").await.unwrap().spec.unwrap();
    assert_eq!(placeholder.type_.as_deref(), Some("ExternalName"));
    assert_eq!(
        placeholder.external_name.as_deref(),
        Some("knative-local-gateway.istio-system.svc.cluster.local")
    );
    assert_eq!(
        services
            .get("helloworld-00001")
            .await
            .unwrap()
            .spec
            .unwrap()
            .selector,
        None
    );

    let printed = world.kubectl(&["get", "ksvc", "helloworld"]).await.unwrap();
    assert!(
        printed.contains("http://helloworld.default.example.com"),
        "{printed}"
    );
}

#[tokio::test]
async fn a_changed_template_makes_a_revision_and_traffic_may_be_split_and_tagged() {
    let world = world().await;
    helloworld(&world, "default", "hello", "").await;
    let second = "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: hello}, spec: {\
        template: {spec: {containers: [{image: ghcr.io/knative/helloworld-go, env: [{name: TARGET, value: Two}]}]}}, \
        traffic: [{revisionName: hello-00001, percent: 50, tag: one}, {latestRevision: true, percent: 50}]}}";
    world.apply(second).await.unwrap();
    let both = Expect::that("Ready with the second revision", |service| {
        Expect::condition("Ready", "True").check(Some(service))?;
        let latest = &service.data["status"]["latestReadyRevisionName"];
        if latest == "hello-00002" {
            Ok(())
        } else {
            Err(format!("the latest is {latest}"))
        }
    });
    let service = world
        .wait_for(&ksvc("default", "hello"), &both, PATIENCE)
        .await
        .unwrap();
    assert_eq!(
        service.data["status"]["traffic"][0]["url"],
        "http://one-hello.default.example.com"
    );

    let tag = world
        .curl_gateway("one-hello.default.example.com", "/")
        .await
        .unwrap();
    assert_eq!((tag.status, tag.body.as_str()), (200, "Hello World!\n"));
    for wanted in ["Hello World!\n", "Hello Two!\n"] {
        let get = || world.curl_gateway("hello.default.example.com", "/");
        world
            .wait_for_answer(wanted, PATIENCE, get, |answer| answer.body == wanted)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn what_cannot_run_is_not_ready_and_says_why() {
    let world = world().await;
    let nginx = "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: web}, spec: {template: {spec: {containers: [{image: nginx}]}}}}";
    world.apply(nginx).await.unwrap();
    let failed = Expect::condition_with_reason("Ready", "False", "RevisionFailed");
    let service = world
        .wait_for(&ksvc("default", "web"), &failed, PATIENCE)
        .await
        .unwrap();
    let message = service.data["status"]["conditions"].to_string();
    assert!(message.contains("Unable to fetch image"), "{message}");

    // A Service of the user's with the name that the Route needs for its own.
    let taken =
        "{apiVersion: v1, kind: Service, metadata: {name: taken}, spec: {ports: [{port: 80}]}}";
    world.apply(taken).await.unwrap();
    let wants = "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: taken}, spec: {template: {spec: {containers: [{image: helloworld}]}}}}";
    world.apply(wants).await.unwrap();
    let refused = Expect::condition_with_reason("Ready", "False", "NotOwned");
    world
        .wait_for(&ksvc("default", "taken"), &refused, PATIENCE)
        .await
        .unwrap();
}
