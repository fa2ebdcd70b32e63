//! A chain that is broken in one place fails as the real one does: no shortcut carries the request.

use alicloud_emulator::api::Product::{self, CloudApi, Slb};
use e2e::world::{Answer, Target, World};
use k8s_openapi::api::core::v1::Endpoints;
use serde_json::json;

use super::exposed::{
    Caller, error_code, exposed_without_limits, helloworld, intranet_service, now, ready,
};

async fn call(world: &World, product: Product, action: &str, params: &[(&str, &str)]) {
    let keys = &world.options().console_keys;
    let called = world.cloud.call(keys, product, action, params);
    called.await.unwrap();
}

/// The id of the one API.
async fn api_id(world: &World) -> String {
    let routes = &now(world, &helloworld()).await.data["status"]["apiGateway"]["routes"];
    routes[0]["apis"][0]["id"].as_str().unwrap().to_owned()
}

/// The id of the load balancer.
async fn balancer(world: &World) -> String {
    let status = &now(world, &helloworld()).await.data["status"]["loadBalancer"];
    status["id"].as_str().unwrap().to_owned()
}

/// Without the operator, so that what a person breaks stays broken.
#[tokio::test]
async fn what_is_broken_on_the_way_fails_as_it_does_in_the_cloud() {
    let mut world = exposed_without_limits().await;
    let operator = world.operator.take().unwrap();
    operator.terminate(super::PATIENCE).await.unwrap();
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;

    listener_stopped(&world, &caller).await;
    service_without_endpoints(&world, &caller).await;
    grant_taken_away(&world, &caller).await;
    publication_taken_back(&world, &caller).await;
    revision_gone(&mut world).await;
}

async fn listener_stopped(world: &World, caller: &Caller<'_>) {
    let id = balancer(world).await;
    let region = world.options().region.clone();
    let listener = [
        ("RegionId", region.as_str()),
        ("LoadBalancerId", id.as_str()),
        ("ListenerPort", "80"),
        ("ListenerProtocol", "tcp"),
    ];
    call(world, Slb, "StopLoadBalancerListener", &listener).await;
    let answer = caller.get_until("/", 504).await;
    assert_eq!(error_code(&answer), "D504CO", "cannot connect: {answer:?}");
    call(world, Slb, "StartLoadBalancerListener", &listener).await;
    caller.get_until("/", 200).await;
}

/// The gateway's Service selects nothing: CCM takes the servers away from the load balancer.
async fn service_without_endpoints(world: &World, caller: &Caller<'_>) {
    let selector = now(world, &intranet_service()).await.data["spec"]["selector"].clone();
    let nothing = json!({"spec": {"selector": {"app": "nothing-has-this-label"}}});
    world.patch(&intranet_service(), &nothing).await.unwrap();
    let answer = caller.get_until("/", 504).await;
    assert_eq!(error_code(&answer), "D504CO", "no server: {answer:?}");
    let back = json!({"spec": {"selector": {"app": selector["app"]}}});
    world.patch(&intranet_service(), &back).await.unwrap();
    caller.get_until("/", 200).await;
}

/// Nothing of the Revision runs any more, and then its Service has no endpoints either: the Knative
/// gateway itself says 503.
async fn revision_gone(world: &mut World) {
    drop(world.knative.take());
    let caller = Caller::of(world, &helloworld()).await;
    let answer = caller.get_until("/", 503).await;
    assert_eq!(error_code(&answer), "", "not the API gateway's: {answer:?}");
    let endpoints = Target::of::<Endpoints>(Some("default"), "helloworld-00001");
    world.delete(&endpoints).await.unwrap();
    let get = || caller.get("/");
    let no_upstream = |answer: &Answer| answer.body == "no healthy upstream";
    let answer = world.wait_for_answer("no upstream", super::PATIENCE, get, no_upstream);
    let answer = answer.await.unwrap();
    assert_eq!((answer.status, error_code(&answer)), (503, ""));
}

async fn grant_taken_away(world: &World, caller: &Caller<'_>) {
    let state = world.cloud.state().await.unwrap();
    let app = state["cloudapi"]["grants"][0]["appId"].to_string();
    let api = api_id(world).await;
    let grant = [
        ("ApiId", api.as_str()),
        ("AppIds", app.as_str()),
        ("StageName", "RELEASE"),
    ];
    call(world, CloudApi, "RemoveAppsAuthorities", &grant).await;
    let answer = caller.get("/").await.unwrap();
    assert_eq!(
        (answer.status, error_code(&answer)),
        (403, "I403AA"),
        "{answer:?}"
    );
    call(world, CloudApi, "SetAppsAuthorities", &grant).await;
    assert_eq!(caller.get("/").await.unwrap().status, 200);
}

async fn publication_taken_back(world: &World, caller: &Caller<'_>) {
    let api = api_id(world).await;
    let stage = [("ApiId", api.as_str()), ("StageName", "RELEASE")];
    call(world, CloudApi, "AbolishApi", &stage).await;
    let answer = caller.get("/").await.unwrap();
    assert_eq!(
        (answer.status, error_code(&answer)),
        (404, "I404NF"),
        "{answer:?}"
    );
    let again = [stage[0], stage[1], ("Description", "by hand")];
    call(world, CloudApi, "DeployApi", &again).await;
    assert_eq!(caller.get("/").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_knative_service_that_is_deleted_is_the_gateways_404_and_comes_back() {
    let world = exposed_without_limits().await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
    world
        .delete(&super::ksvc("default", "helloworld"))
        .await
        .unwrap();
    let answer = caller.get_until("/", 404).await;
    assert_eq!(error_code(&answer), "", "not the API gateway's: {answer:?}");
    super::helloworld(&world, "default", "helloworld", "").await;
    ready(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
}
