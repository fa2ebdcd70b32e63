//! How far the operator may go: `mode` and `driftPolicy`.

use alicloud_emulator::api::Product::CloudApi;
use e2e::world::{Expect, OperatorOptions, World, WorldOptions};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    exposed::{
        Caller, condition, example, example_file, exposed_with, gone, helloworld, intranet_service,
        mutations, now, ready, secret,
    },
};

async fn told(world: &World, type_: &str, reason: &str) -> (Value, String) {
    let expect = Expect::condition_with_reason(type_, "False", reason);
    let object = world.wait_for(&helloworld(), &expect, PATIENCE).await;
    let object = object.unwrap();
    let (_, _, message) = condition(&object, type_).unwrap();
    (object.data["status"].clone(), message)
}

async fn set(world: &World, fields: Value) {
    let patch = json!({ "spec": fields });
    world.patch(&helloworld(), &patch).await.unwrap();
}

#[tokio::test]
async fn a_plan_is_published_and_nothing_written_until_it_is_to_be_applied() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    let planned = example_file("binding.yaml") + "  mode: Plan\n";
    for file in ["class.yaml", "knative-service.yaml", "consumer.yaml"] {
        world.apply(&example_file(file)).await.unwrap();
    }
    ready(&world, &super::ksvc("default", "helloworld")).await;
    // The consumer makes it, with or without a binding.
    let made = Expect::exists();
    let keys = secret("default", "knative-caller");
    world.wait_for(&keys, &made, PATIENCE).await.unwrap();
    let services = world.objects().await.unwrap();
    world.apply(&planned).await.unwrap();

    let (status, message) = told(&world, "Programmed", "PlanOnly").await;
    assert!(message.contains("status.plan"), "{message}");
    let steps = status["plan"]["steps"].as_array().unwrap();
    let objects: Vec<String> = steps
        .iter()
        .map(|step| {
            assert_eq!(step["action"], "Create", "{step}");
            step["object"].as_str().unwrap().to_owned()
        })
        .collect();
    for object in ["Service", "Group/knative"] {
        assert!(
            objects.iter().any(|planned| planned.contains(object)),
            "no {object} in {objects:?}"
        );
    }
    assert_eq!(status["plan"]["summary"]["create"], json!(steps.len()));
    assert_eq!(mutations(&world).await, Vec::<String>::new());
    let now_there = world.objects().await.unwrap();
    let new: Vec<_> = now_there
        .keys()
        .filter(|name| !services.contains_key(*name))
        .collect();
    assert_eq!(
        new,
        ["GatewayBinding.gatewaybinding.dev default/helloworld"]
    );

    set(&world, json!({"mode": "Apply"})).await;
    let binding = ready(&world, &helloworld()).await;
    assert!(
        binding.data["status"].get("plan").is_none(),
        "{}",
        binding.data["status"]
    );
    suspended(&world).await;
}

/// What was in place stays, whatever the spec says, and takes effect once it goes on.
async fn suspended(world: &World) {
    let caller = Caller::of(world, &helloworld()).await;
    caller.get_until("/", 200).await;
    set(world, json!({"mode": "Suspend"})).await;
    let (_, message) = told(world, "Ready", "Suspended").await;
    assert!(message.contains("spec.mode"), "{message}");
    world.cloud.reset_calls().await.unwrap();
    let route = json!([{"name": "all", "path": {"prefix": "/later"}}]);
    set(world, json!({"apiGateway": {"routes": route}})).await;
    told(world, "Ready", "Suspended").await;
    assert_eq!(caller.get("/").await.unwrap().status, 200);
    assert_eq!(mutations(world).await, Vec::<String>::new());

    world.delete(&helloworld()).await.unwrap();
    let (_, message) = told(world, "Ready", "DeletionBlocked").await;
    assert!(message.contains("mode"), "{message}");
    now(world, &intranet_service()).await;
    assert_eq!(caller.get("/").await.unwrap().status, 200);
    set(world, json!({"mode": "Apply"})).await;
    gone(world, &helloworld()).await;
    gone(world, &intranet_service()).await;
}

fn often() -> WorldOptions {
    let operator = OperatorOptions {
        args: vec!["--drift-interval".to_owned(), "1s".to_owned()],
        ..OperatorOptions::default()
    };
    WorldOptions {
        operator: Some(operator),
        ..WorldOptions::default()
    }
}

/// Somebody takes the API back from publication and the group's test domain at the console.
async fn console(world: &World, action: &str, params: &[(&str, &str)]) {
    let keys = &world.options().console_keys;
    let called = world.cloud.call(keys, CloudApi, action, params);
    called.await.unwrap();
}

/// Somebody shortens the backend's timeout in the API's definition, and publishes that.
async fn change_definition(world: &World) -> String {
    let id = shorten_timeout(world).await;
    let deploy = [
        ("ApiId", id.as_str()),
        ("StageName", "RELEASE"),
        ("Description", "by hand"),
    ];
    console(world, "DeployApi", &deploy).await;
    id
}

/// Somebody shortens the backend's timeout in the draft of the API.
pub(super) async fn shorten_timeout(world: &World) -> String {
    let routes = &now(world, &helloworld()).await.data["status"]["apiGateway"]["routes"];
    let id = routes[0]["apis"][0]["id"].as_str().unwrap().to_owned();
    let keys = &world.options().console_keys;
    let api = [("ApiId", id.as_str())];
    let seen = world.cloud.call(keys, CloudApi, "DescribeApi", &api);
    let seen = seen.await.unwrap();
    let text = |name: &str| seen[name].as_str().unwrap_or_default().to_owned();
    let (name, description) = (text("ApiName"), text("Description"));
    let service = json!({"serviceProtocol": "HTTP", "serviceAddress": "", "serviceHttpMethod": "ANY",
        "servicePath": seen["ServiceConfig"]["ServicePath"], "serviceTimeout": 1000, "mock": "FALSE",
        "serviceVpcEnable": "TRUE", "vpcConfig": {"name": seen["ServiceConfig"]["VpcConfig"]["Name"]}});
    let request = json!({"requestProtocol": "HTTP,HTTPS", "requestHttpMethod": "ANY", "requestPath": "/*",
        "requestMode": "MAPPING_PASSTHROUGH", "bodyFormat": ""});
    let constants = json!([{"serviceParameterName": "Host", "location": "HEAD",
        "constantValue": "helloworld.default.example.com"}]);
    let (service, request, constants) = (
        service.to_string(),
        request.to_string(),
        constants.to_string(),
    );
    let group = text("GroupId");
    let params = [
        ("ApiId", id.as_str()),
        ("GroupId", &group),
        ("ApiName", &name),
        ("Description", &description),
        ("Visibility", "PRIVATE"),
        ("AuthType", "APP"),
        ("AppCodeAuthType", "HEADER_QUERY"),
        ("RequestConfig", &request),
        ("ServiceConfig", &service),
        ("ConstantParameters", &constants),
    ];
    console(world, "ModifyApi", &params).await;
    id
}

async fn timeout(world: &World, id: &str) -> i64 {
    let keys = &world.options().console_keys;
    let params = [("ApiId", id), ("StageName", "RELEASE")];
    let api = world
        .cloud
        .call(keys, CloudApi, "DescribeDeployedApi", &params);
    let api = api.await.unwrap();
    api["ServiceConfig"]["ServiceTimeout"].as_i64().unwrap()
}

#[tokio::test]
async fn drift_is_reported_or_repaired_as_the_binding_says() {
    let world = exposed_with(often()).await;
    set(&world, json!({"driftPolicy": "Report"})).await;
    ready(&world, &helloworld()).await;
    world.cloud.reset_calls().await.unwrap();

    let id = change_definition(&world).await;
    let (_, message) = told(&world, "Programmed", "DriftDetected").await;
    for word in ["API", "timeout", "driftPolicy"] {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
    assert_eq!(mutations(&world).await, Vec::<String>::new());
    assert_eq!(timeout(&world, &id).await, 1000, "it is left");

    set(&world, json!({"driftPolicy": "Enforce"})).await;
    ready(&world, &helloworld()).await;
    assert_eq!(mutations(&world).await, ["ModifyApi", "DeployApi"]);
    assert_eq!(timeout(&world, &id).await, 10000, "it is put back");

    // Now by itself, and also what is taken away altogether.
    change_definition(&world).await;
    let repaired = async || match timeout(&world, &id).await {
        10000 => Ok(()),
        other => Err(format!("the timeout is {other} ms")),
    };
    let waited = world.wait_until("the API", "put back", PATIENCE, repaired);
    waited.await.unwrap();
    let caller = Caller::of(&world, &helloworld()).await;
    let stage = [("ApiId", id.as_str()), ("StageName", "RELEASE")];
    console(&world, "AbolishApi", &stage).await;
    caller.get_until("/", 200).await;
    ready(&world, &helloworld()).await;

    world.delete_all(&example()).await.unwrap();
    gone(&world, &helloworld()).await;
}
