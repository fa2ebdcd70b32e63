//! Editing the class: what it offers moves under the bindings, or is refused where it cannot.

use e2e::world::{Expect, Target, World};
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::{
    PATIENCE,
    exposed::{
        Caller, class, condition, error_code, exposed_without_limits, gone, helloworld,
        intranet_service, now, ready,
    },
};

async fn edit(world: &World, spec: Value) {
    let patch = json!({ "spec": spec });
    world.patch(&class("production"), &patch).await.unwrap();
}

fn groups(groups: Value) -> Value {
    json!({"apiGateways": [{"name": "main", "type": "Classic", "groups": groups}]})
}

fn gateway(service: &str, settings: Value) -> Value {
    json!({"gateways": [{"name": "intranet", "slb": {"settings": settings, "service":
        {"namespace": "istio-system", "name": service, "createFrom": {"name": "istio-ingressgateway"}}}}]})
}

#[tokio::test]
async fn bindings_follow_their_class() {
    let world = exposed_without_limits().await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;

    test_domain(&world, &caller).await;
    load_balancer_name(&world).await;
    address_type(&world, &caller).await;
    another_group(&world).await;
    another_service(&world).await;
    identity(&world).await;
}

/// The group's public name for tests, off and on again.
async fn test_domain(world: &World, caller: &Caller<'_>) {
    edit(world, groups(json!([{"name": "knative"}]))).await;
    let no_urls = Expect::that("without URLs", |binding| {
        match binding.data["status"].get("urls") {
            None => Ok(()),
            Some(urls) => Err(format!("it has {urls}")),
        }
    });
    world
        .wait_for(&helloworld(), &no_urls, PATIENCE)
        .await
        .unwrap();
    let refused = caller.get("/").await.unwrap();
    assert_eq!(
        (refused.status, error_code(&refused)),
        (403, "A403IN"),
        "{refused:?}"
    );
    edit(
        world,
        groups(json!([{"name": "knative", "testDomain": "Enabled"}])),
    )
    .await;
    caller.get_until("/", 200).await;
}

/// What CCM can change at a load balancer, it is told; what nobody wants any more goes back.
async fn load_balancer_name(world: &World) {
    let service = "istio-ingressgateway-intranet";
    let name = async |wanted: &str| {
        let look = async || {
            let status = now(world, &helloworld()).await.data["status"]["loadBalancer"].clone();
            let id = status["id"].as_str().unwrap_or_default().to_owned();
            let state = world.cloud.state().await.map_err(|e| e.to_string())?;
            let is = &state["slb"]["loadBalancers"][&id]["value"]["name"];
            let matches = is.as_str().is_some_and(|is| is.starts_with(wanted));
            matches
                .then_some(())
                .ok_or_else(|| format!("it is called {is}"))
        };
        let expected = format!("called {wanted}");
        let waited = world.wait_until("the load balancer", &expected, PATIENCE, look);
        waited.await.unwrap();
    };
    let named = json!({"addressType": "Intranet", "name": "knative-intranet"});
    edit(world, gateway(service, named)).await;
    name("knative-intranet").await;
    ready(world, &helloworld()).await;
    edit(world, gateway(service, json!({"addressType": "Intranet"}))).await;
    // CCM's own name: `a` and the Service's uid.
    let uid = now(world, &intranet_service()).await.metadata.uid.unwrap();
    name(&format!("a{}", &uid[..8])).await;
    ready(world, &helloworld()).await;
}

/// What a load balancer has for life is refused before CCM sees it.
async fn address_type(world: &World, caller: &Caller<'_>) {
    let service = "istio-ingressgateway-intranet";
    let before = now(world, &intranet_service()).await.metadata.annotations;
    edit(world, gateway(service, json!({"addressType": "Internet"}))).await;
    let immutable = Expect::condition_with_reason("Stalled", "True", "Immutable");
    let told = world.wait_for(&helloworld(), &immutable, PATIENCE).await;
    let (_, _, message) = condition(&told.unwrap(), "Stalled").unwrap();
    for word in ["slb.addressType", "\"internet\"", "\"intranet\"", "Go back"] {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
    let after = now(world, &intranet_service()).await.metadata.annotations;
    assert_eq!(before, after, "nothing was written that CCM would refuse");
    assert_eq!(caller.get("/").await.unwrap().status, 200);
    edit(world, gateway(service, json!({"addressType": "Intranet"}))).await;
    ready(world, &helloworld()).await;
}

/// The default group is another one: the binding moves there, and the old group goes.
async fn another_group(world: &World) {
    let both = groups(json!([{"name": "knative", "testDomain": "Enabled"},
        {"name": "second", "testDomain": "Enabled"}]));
    edit(world, both).await;
    let patch = json!({"spec": {"apiGateway": {"group": "second"}}});
    world.patch(&helloworld(), &patch).await.unwrap();
    ready(world, &helloworld()).await;
    let caller = Caller::of(world, &helloworld()).await;
    caller.get_until("/", 200).await;
    let names = async || {
        let state = world.cloud.state().await.unwrap();
        let groups = state["cloudapi"]["groups"].as_object().unwrap().clone();
        let names = groups.values().map(|group| group["value"]["name"].clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["second"]);
    let back = json!({"spec": {"apiGateway": {"group": null}}});
    world.patch(&helloworld(), &back).await.unwrap();
    ready(world, &helloworld()).await;
    assert_eq!(names().await, ["knative"]);
}

/// The gateway is another Service: the old one and its load balancer go.
async fn another_service(world: &World) {
    let wanted = json!({"addressType": "Intranet"});
    edit(world, gateway("second-intranet", wanted)).await;
    let second = Target::of::<Service>(Some("istio-system"), "second-intranet");
    world
        .wait_for(&second, &Expect::exists(), PATIENCE)
        .await
        .unwrap();
    gone(world, &intranet_service()).await;
    ready(world, &helloworld()).await;
    let caller = Caller::of(world, &helloworld()).await;
    caller.get_until("/", 200).await;
    let state = world.cloud.state().await.unwrap();
    for kind in ["/cloudapi/vpcAccesses", "/slb/loadBalancers"] {
        let all = state.pointer(kind).unwrap();
        assert_eq!(all.as_object().unwrap().len(), 1, "{kind}: {all}");
    }
}

/// Who a class is cannot be changed.
async fn identity(world: &World) {
    for (field, value) in [
        ("regionId", "cn-shanghai"),
        ("clusterId", "c2"),
        ("accountId", "9999999999999999"),
    ] {
        let patch = json!({"spec": {"cloud": {field: value}}}).to_string();
        let arguments = ["patch", "gwbc", "production", "--type=merge", "-p", &patch];
        let said = world.kubectl(&arguments).await.unwrap_err().to_string();
        for word in [
            &format!("spec.cloud.{field}"),
            "cannot be changed",
            "make a new class",
        ] {
            assert!(said.contains(word), "no {word:?} in {said}");
        }
    }
}
