//! Editing a binding: callers see what the manifest says, and each edit costs only its own calls.

use alicloud_emulator::api::Product::CloudApi;
use e2e::world::{Target, World};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    exposed::{
        Caller, api_key, condition, consumer, error_code, exposed_without_limits, helloworld, host,
        mutations, now, ready,
    },
};

/// Changes the binding and waits until it is Ready again. What the operator then called.
async fn edit(world: &World, patch: Value) -> Vec<String> {
    world.cloud.reset_calls().await.unwrap();
    world.patch(&helloworld(), &patch).await.unwrap();
    ready(world, &helloworld()).await;
    mutations(world).await
}

fn of_gateway(fields: Value) -> Value {
    json!({"spec": {"apiGateway": fields}})
}

fn allow(entries: Value) -> Value {
    of_gateway(json!({"auth": {"consumer": {"allow": entries}}}))
}

/// The one API's definition as the console shows it for an environment.
async fn deployed(world: &World, stage: &str) -> Result<Value, String> {
    let apis = &now(world, &helloworld()).await.data["status"]["apiGateway"]["routes"];
    let id = apis[0]["apis"][0]["id"].as_str().unwrap().to_owned();
    let keys = &world.options().console_keys;
    let params = [("ApiId", id.as_str()), ("StageName", stage)];
    let deployed = world
        .cloud
        .call(keys, CloudApi, "DescribeDeployedApi", &params);
    deployed.await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn every_edit_of_a_binding_is_what_callers_then_see() {
    let world = exposed_without_limits().await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;

    routes(&world, &caller).await;
    protocols_and_timeout(&world).await;
    api_key_places(&world, &caller).await;
    callers(&world, &caller).await;
    environments(&world).await;
    limits(&world, &caller).await;
}

async fn routes(world: &World, caller: &Caller<'_>) {
    let route = json!([{"name": "all", "path": {"prefix": "/hello", "replaceWith": "/"}}]);
    let calls = edit(world, of_gateway(json!({"routes": route}))).await;
    assert_eq!(calls, ["ModifyApi", "DeployApi"], "another path, same API");
    assert_eq!(caller.get("/hello/x").await.unwrap().status, 200);
    let old = caller.get("/elsewhere").await.unwrap();
    assert_eq!((old.status, error_code(&old)), (404, "I404NF"), "{old:?}");

    let two = json!([
        {"name": "all", "path": {"prefix": "/hello", "replaceWith": "/"}, "methods": ["GET"]},
        {"name": "status", "path": {"exact": "/status"}, "methods": ["GET"]},
    ]);
    edit(world, of_gateway(json!({"routes": two}))).await;
    assert_eq!(caller.get("/hello").await.unwrap().status, 200);
    assert_eq!(caller.get("/status").await.unwrap().status, 200);
    assert_eq!(caller.get("/status/x").await.unwrap().status, 404);
    let urls = now(world, &helloworld()).await.data["status"]["urls"].clone();
    let host = caller.host();
    assert_eq!(
        urls,
        json!([
            format!("https://{host}/hello"),
            format!("https://{host}/status")
        ])
    );

    let one = json!([{"name": "all", "path": {"prefix": "/"}}]);
    edit(world, of_gateway(json!({"routes": one}))).await;
    assert_eq!(caller.get("/").await.unwrap().status, 200);
    let apis = world.cloud.state().await.unwrap()["cloudapi"]["apis"].clone();
    assert_eq!(apis.as_object().unwrap().len(), 1, "{apis}");
}

async fn protocols_and_timeout(world: &World) {
    let calls = edit(
        world,
        of_gateway(json!({"protocols": ["HTTPS"], "backend": {"timeout": "5s"}})),
    )
    .await;
    assert_eq!(calls, ["ModifyApi", "DeployApi"]);
    let api = deployed(world, "RELEASE").await.unwrap();
    assert_eq!(api["RequestConfig"]["RequestProtocol"], "HTTPS", "{api}");
    assert_eq!(api["ServiceConfig"]["ServiceTimeout"], 5000, "{api}");
    let both = json!({"protocols": ["HTTP", "HTTPS"], "backend": null});
    edit(world, of_gateway(both)).await;
    let api = deployed(world, "RELEASE").await.unwrap();
    assert_eq!(api["RequestConfig"]["RequestProtocol"], "HTTP,HTTPS");
    assert_eq!(api["ServiceConfig"]["ServiceTimeout"], 10000, "{api}");
}

async fn api_key_places(world: &World, caller: &Caller<'_>) {
    let places = |places: Value| of_gateway(json!({"auth": {"consumer": {"apiKey": places}}}));
    edit(world, places(json!({"in": ["Header"]}))).await;
    assert_eq!(caller.get("/").await.unwrap().status, 200);
    let query = caller.get_by_query("/").await.unwrap();
    assert_eq!(query.status, 400, "the query no longer counts: {query:?}");

    edit(world, places(Value::Null)).await;
    let header = caller.get("/").await.unwrap();
    assert_eq!(header.status, 400, "only signatures count: {header:?}");

    edit(world, places(json!({"in": ["Header", "Query"]}))).await;
    assert_eq!(caller.get_by_query("/").await.unwrap().status, 200);
}

async fn callers(world: &World, caller: &Caller<'_>) {
    let second = "{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayConsumer, metadata: {name: second}, \
        spec: {credentials: [{name: first, type: Generated, kinds: [APIKey], secretRef: {name: second-caller}}]}}";
    world.apply(second).await.unwrap();
    edit(
        world,
        allow(json!([{"name": "knative"}, {"name": "second"}])),
    )
    .await;
    ready(world, &consumer("default", "second")).await;
    let other = caller.with_key(api_key(world, "default", "second-caller").await);
    assert_eq!(other.get("/").await.unwrap().status, 200);

    let mut calls = edit(world, allow(json!([{"name": "second"}]))).await;
    // The one that nobody names any more leaves the account in its own time.
    calls.retain(|call| call != "DeleteApp");
    assert_eq!(calls, ["RemoveAppsAuthorities"]);
    assert_eq!(caller.get("/").await.unwrap().status, 403);
    assert_eq!(other.get("/").await.unwrap().status, 200);

    edit(world, allow(json!([]))).await;
    assert_eq!(other.get("/").await.unwrap().status, 403, "nobody may");

    until(world, caller).await;
}

/// A permission with an end, which then passes.
async fn until(world: &World, caller: &Caller<'_>) {
    use k8s_openapi::jiff::{SignedDuration, Timestamp};

    let far = json!([{"name": "knative", "until": "2099-01-01T00:00:00Z"}]);
    let calls = edit(world, allow(far)).await;
    assert_eq!(calls, ["SetAppsAuthorities"]);
    assert_eq!(caller.get("/").await.unwrap().status, 200);

    let end = Timestamp::now() + SignedDuration::from_secs(4);
    let end = end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let soon = allow(json!([{"name": "knative", "until": end}]));
    world.patch(&helloworld(), &soon).await.unwrap();
    // The API gateway knows the end by itself; then the operator takes the permission away.
    caller.get_until("/", 403).await;
    let expired = async || match condition(&now(world, &helloworld()).await, "ResolvedRefs") {
        Some((_, reason, message)) if reason == "GrantExpired" => Ok(message),
        other => Err(format!("ResolvedRefs is {other:?}")),
    };
    let waited = world.wait_until(
        "the binding",
        "told that the grant is over",
        PATIENCE,
        expired,
    );
    let message = waited.await.unwrap();
    assert!(message.contains("allow[knative].until"), "{message}");
    let revoked = async || match caller.get("/").await {
        Ok(answer) if error_code(&answer) == "I403AA" => Ok(()),
        other => Err(format!("{other:?}")),
    };
    let waited = world.wait_until("the permission", "taken away", PATIENCE, revoked);
    waited.await.unwrap();

    edit(world, allow(json!([{"name": "knative"}]))).await;
    assert_eq!(caller.get("/").await.unwrap().status, 200);
}

async fn environments(world: &World) {
    let names = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
        of_gateway(json!({"environments": names}))
    };
    edit(world, names(&["Release", "Test"])).await;
    deployed(world, "TEST").await.unwrap();
    deployed(world, "RELEASE").await.unwrap();

    edit(world, names(&["Test"])).await;
    deployed(world, "TEST").await.unwrap();
    let gone = deployed(world, "RELEASE").await.unwrap_err();
    assert!(gone.contains("NotFoundStage"), "{gone}");

    edit(world, names(&["Release"])).await;
    deployed(world, "RELEASE").await.unwrap();
    let gone = deployed(world, "TEST").await.unwrap_err();
    assert!(gone.contains("NotFoundStage"), "{gone}");
}

async fn limits(world: &World, caller: &Caller<'_>) {
    let limits = |limits: Value| of_gateway(json!({"throttling": limits}));
    let tight = json!({"limits": [{"name": "total", "scope": "API", "requests": 2, "per": "Day"}]});
    edit(world, limits(tight)).await;
    let throttled = caller.get_until("/", 429).await;
    assert!(error_code(&throttled).starts_with("T429"), "{throttled:?}");

    edit(world, limits(Value::Null)).await;
    for _ in 0..5 {
        assert_eq!(caller.get("/").await.unwrap().status, 200);
    }
    let plugins = world.cloud.state().await.unwrap()["cloudapi"]["plugins"].clone();
    assert_eq!(plugins, json!({}), "the plugin nobody uses is gone");
}

#[tokio::test]
async fn what_a_consumer_or_service_says_anew_takes_effect() {
    let world = exposed_without_limits().await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
    let knative = consumer("default", "knative");

    world
        .patch(&knative, &json!({"spec": {"state": "Disabled"}}))
        .await
        .unwrap();
    let refused = caller.get_until("/", 403).await;
    assert_ne!(error_code(&refused), "", "the API gateway says so");
    world
        .patch(&knative, &json!({"spec": {"state": null}}))
        .await
        .unwrap();
    caller.get_until("/", 200).await;

    rotation(&world, &knative).await;
    another_host(&world).await;
}

/// A second credential beside the first, then without the first.
async fn rotation(world: &World, knative: &Target) {
    let caller = Caller::of(world, &helloworld()).await;
    let credential = |name: &str, secret: &str| json!({"name": name, "type": "Generated", "kinds": ["APIKey", "KeyPair"], "secretRef": {"name": secret}});
    let (first, second) = (
        credential("first", "knative-caller"),
        credential("second", "knative-caller-2"),
    );
    let both = json!({"spec": {"credentials": [first, second]}});
    world.patch(knative, &both).await.unwrap();
    ready(world, knative).await;
    let with_new = caller.with_key(api_key(world, "default", "knative-caller-2").await);
    assert_eq!(with_new.get("/").await.unwrap().status, 200);
    assert_eq!(caller.get("/").await.unwrap().status, 200, "no gap");

    let only = json!({"spec": {"credentials": [second]}});
    world.patch(knative, &only).await.unwrap();
    ready(world, knative).await;
    let old = caller.get("/").await.unwrap();
    assert_eq!((old.status, error_code(&old)), (400, "A400AC"), "{old:?}");
    assert_eq!(with_new.get("/").await.unwrap().status, 200);
    super::exposed::gone(world, &super::exposed::secret("default", "knative-caller")).await;
}

/// The binding is pointed at another Knative Service.
async fn another_host(world: &World) {
    super::helloworld(world, "default", "other", "").await;
    let other = json!({"spec": {"serviceRef": {"name": "other"}}});
    world.patch(&helloworld(), &other).await.unwrap();
    let binding = ready(world, &helloworld()).await;
    assert!(!host(&binding).is_empty());
    let api = deployed(world, "RELEASE").await.unwrap();
    let constants = api["ConstantParameters"].to_string();
    assert!(constants.contains("other.default.example.com"), "{api}");
}
