//! `mode: Plan` with `approvedPlan`: exactly the approved plan is carried out, and nothing else.

use alicloud_emulator::api::Product::CloudApi;
use e2e::world::{Expect, World, WorldOptions};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::{
    PATIENCE,
    exposed::{
        Caller, condition, example_file, gone, helloworld, intranet_service, mutations, now, ready,
    },
    plan_command,
};

/// The example, with a binding that only plans.
fn planned() -> String {
    let files = ["class.yaml", "knative-service.yaml", "consumer.yaml"].map(example_file);
    let binding = example_file("binding.yaml") + "  mode: Plan\n";
    format!("{}\n---\n{binding}", files.join("\n---\n"))
}

async fn set(world: &World, fields: Value) {
    let patch = json!({ "spec": fields });
    world.patch(&helloworld(), &patch).await.unwrap();
}

async fn approve(world: &World, hash: &str) {
    set(world, json!({ "approvedPlan": hash })).await;
}

/// Waits until `Programmed` is false with this reason, for the present spec.
async fn told(world: &World, reason: &str) -> DynamicObject {
    let expect = Expect::condition_with_reason("Programmed", "False", reason);
    let object = world.wait_for(&helloworld(), &expect, PATIENCE).await;
    object.unwrap()
}

/// Waits for a plan with another hash than this one.
async fn another_plan(world: &World, than: &str) -> DynamicObject {
    let than = than.to_owned();
    let expect = Expect::that("another plan", move |object| match hash(object) {
        Some(hash) if hash != than => Ok(()),
        other => Err(format!("the hash is {other:?}")),
    });
    let object = world.wait_for(&helloworld(), &expect, PATIENCE).await;
    object.unwrap()
}

/// Waits until this plan is said to have been carried out.
async fn completed(world: &World, hash: &str) -> DynamicObject {
    let wanted = hash.to_owned();
    let expect = Expect::that("completed", move |object| {
        let plan = &object.data["status"]["plan"];
        if plan["completed"] == json!(wanted) {
            Ok(())
        } else {
            Err(plan.to_string())
        }
    });
    let object = world.wait_for(&helloworld(), &expect, PATIENCE).await;
    object.unwrap()
}

fn hash(object: &DynamicObject) -> Option<String> {
    let hash = object.data.pointer("/status/plan/hash")?.as_str()?;
    Some(hash.to_owned())
}

fn steps(object: &DynamicObject) -> Vec<String> {
    let steps = object.data.pointer("/status/plan/steps");
    let steps = steps.and_then(Value::as_array).into_iter().flatten();
    steps
        .map(|step| {
            let object = step["object"].as_str().unwrap_or_default();
            let kind = object.split('/').nth(1).unwrap_or_default();
            format!("{} {kind}", step["action"].as_str().unwrap_or_default())
        })
        .collect()
}

/// A world with the example's plan published.
async fn world() -> (World, String) {
    let world = World::start(WorldOptions::default()).await.unwrap();
    let service = example_file("knative-service.yaml");
    world.apply(&service).await.unwrap();
    ready(&world, &super::ksvc("default", "helloworld")).await;
    world.apply(&planned()).await.unwrap();
    let expected = [
        "Create Service",
        "Create Group",
        "Create Backend",
        "Create Policy",
        "Create API",
        "Create Deployment",
        "Create Attachment",
        "Create Grant",
    ];
    // All of it, once the operator has seen all that it is about.
    let whole = Expect::that("planned whole", move |object| {
        let steps = steps(object);
        if steps == expected {
            Ok(())
        } else {
            Err(format!("{steps:?} are planned"))
        }
    });
    let binding = world.wait_for(&helloworld(), &whole, PATIENCE).await;
    let binding = binding.unwrap();
    let hash = hash(&binding).unwrap();
    let (_, _, message) = condition(&binding, "Programmed").unwrap();
    assert!(message.contains(&hash), "{message}");
    (world, hash)
}

/// Somebody takes the API back from publication at the console.
async fn take_offline(world: &World) {
    let binding = now(world, &helloworld()).await;
    let routes = &binding.data["status"]["apiGateway"]["routes"];
    let id = routes[0]["apis"][0]["id"].as_str().unwrap().to_owned();
    let keys = &world.options().console_keys;
    let stage = [("ApiId", id.as_str()), ("StageName", "RELEASE")];
    let called = world.cloud.call(keys, CloudApi, "AbolishApi", &stage);
    called.await.unwrap();
}

/// Asks for a check now; says which version of the binding that made.
async fn look_now(world: &World, value: &str) -> Option<String> {
    let annotations = json!({"gatewaybinding.dev/reconcile-at": value});
    let patch = json!({"metadata": {"annotations": annotations}});
    let patched = world.patch(&helloworld(), &patch).await.unwrap();
    patched.metadata.resource_version
}

/// Looks again without a change: the same plan is published, which is no write.
async fn looking_again_writes_nothing(world: &World) {
    for value in ["a", "b", "c"] {
        world.cloud.reset_calls().await.unwrap();
        let version = look_now(world, value).await;
        let looked = async || {
            let calls = world.cloud.calls().await.map_err(|e| e.to_string())?;
            let listed = calls.iter().any(|call| call.action == "DescribePlugins");
            listed.then_some(()).ok_or("it has not looked".to_owned())
        };
        let waited = world.wait_until("the cloud", "looked at", PATIENCE, looked);
        waited.await.unwrap_or_else(|error| panic!("{error}"));
        // What the look before this one wrote, if anything, stands there by now.
        let now = now(world, &helloworld()).await;
        assert_eq!(now.metadata.resource_version, version);
    }
}

#[tokio::test]
async fn an_approved_plan_is_carried_out_once() {
    let (world, hash) = world().await;
    let before = world.objects().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("planned.yaml");
    std::fs::write(&file, planned()).unwrap();
    let output = plan_command::plan_of(&world, &file, &["-o", "json", "--detailed-exitcode"]).await;
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{shown:#}");
    assert_eq!(shown["items"][0]["hash"], json!(hash), "{shown:#}");
    assert_eq!(shown["items"][0]["approval"], "Unapproved", "{shown:#}");
    let quota = json!({"account": "1234567890123456", "region": "cn-beijing",
        "quota": "APIsPerGroup", "group": "knative", "limit": 1000, "used": 0, "after": 1});
    let quotas = shown["quotas"].as_array().unwrap();
    assert!(quotas.contains(&quota), "{quotas:#?}");
    assert_eq!(mutations(&world).await, Vec::<String>::new());
    assert_eq!(world.objects().await.unwrap().len(), before.len());

    looking_again_writes_nothing(&world).await;

    // One approval is enough, although the load balancer and the consumer come in between.
    approve(&world, &hash).await;
    let binding = completed(&world, &hash).await;
    let plan = &binding.data["status"]["plan"];
    assert_eq!(
        plan["summary"],
        json!({"create": 0, "update": 0, "delete": 0})
    );
    for gone in ["hash", "steps", "approved"] {
        assert!(plan.get(gone).is_none(), "{plan:#}");
    }
    ready(&world, &helloworld()).await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;

    // What drifts later was not approved with it.
    world.cloud.reset_calls().await.unwrap();
    take_offline(&world).await;
    look_now(&world, "1").await;
    let binding = told(&world, "PlanOnly").await;
    assert!(steps(&binding).contains(&"Create Deployment".to_owned()));
    assert_eq!(mutations(&world).await, Vec::<String>::new());
    let repair = another_plan(&world, &hash).await;
    let repair = self::hash(&repair).unwrap();
    approve(&world, &repair).await;
    completed(&world, &repair).await;
    ready(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
}

#[tokio::test]
async fn an_approval_of_another_plan_does_nothing() {
    let (world, hash) = world().await;
    let route = json!([{"name": "all", "path": {"prefix": "/later"}}]);
    let change = json!({"apiGateway": {"routes": route}, "approvedPlan": hash});
    set(&world, change).await;
    let binding = told(&world, "ApprovalStale").await;
    let moved = self::hash(&binding).unwrap();
    assert_ne!(moved, hash);
    let (_, _, message) = condition(&binding, "Programmed").unwrap();
    assert!(message.contains(&hash), "{message}");
    let stalled = condition(&binding, "Stalled");
    assert_eq!(stalled, None, "a person asked for it to be so");

    // Back to the spec that was approved, but the cloud has moved: somebody has the group's name.
    let keys = &world.options().console_keys;
    let group = [("GroupName", "knative"), ("Description", "mine")];
    let called = world.cloud.call(keys, CloudApi, "CreateApiGroup", &group);
    called.await.unwrap();
    let route = json!([{"name": "all", "path": {"prefix": "/"}}]);
    // In one write: an edit by itself is carried out on the lists that are at hand.
    let patch = json!({
        "metadata": {"annotations": {"gatewaybinding.dev/reconcile-at": "1"}},
        "spec": {"apiGateway": {"routes": route}},
    });
    world.patch(&helloworld(), &patch).await.unwrap();
    let binding = told(&world, "NotOwned").await;
    let (_, _, message) = condition(&binding, "Programmed").unwrap();
    assert!(
        message.contains("is not the plan there is now"),
        "{message}"
    );
    assert!(!steps(&binding).contains(&"Create Group".to_owned()));
    assert_eq!(mutations(&world).await, Vec::<String>::new());
    let service = intranet_service();
    let found = service.api(world.client()).get_opt(service.name()).await;
    assert!(found.unwrap().is_none(), "a Service was made");
}

/// The plan is half done and its operator gone: the call that publishes the API never came back.
async fn half_done() -> (World, String) {
    let (mut world, hash) = world().await;
    let operator = world.options().operator_keys.id.clone();
    let hang = json!({"rules": [{"action": "DeployApi", "accessKeyId": operator, "effect": {"type": "hang"}}]});
    world.cloud.faults(&hang).await.unwrap();
    approve(&world, &hash).await;
    let made = async || {
        let done = mutations(&world).await;
        if done.iter().any(|action| action == "CreateApi") {
            Ok(())
        } else {
            Err(format!("{done:?}"))
        }
    };
    let waited = world.wait_until("the plan", "half done", PATIENCE, made);
    waited.await.unwrap_or_else(|error| panic!("{error}"));
    let binding = now(&world, &helloworld()).await;
    assert_eq!(
        binding.data["status"]["plan"]["approved"]["hash"],
        json!(hash),
        "it is recorded before the first step"
    );
    world.operator.take().unwrap().kill().await.unwrap();
    world.cloud.faults(&json!({"rules": []})).await.unwrap();
    world.cloud.reset_calls().await.unwrap();
    (world, hash)
}

#[tokio::test]
async fn the_rest_of_an_approved_plan_goes_on_after_a_crash() {
    let (mut world, hash) = half_done().await;
    world.start_operator(&Default::default()).await.unwrap();
    completed(&world, &hash).await;
    ready(&world, &helloworld()).await;
    let done = mutations(&world).await;
    assert!(done.contains(&"DeployApi".to_owned()), "{done:?}");
    assert!(!done.contains(&"CreateApi".to_owned()), "{done:?}");
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
}

#[tokio::test]
async fn a_half_done_plan_stops_when_the_spec_moves() {
    let (mut world, _) = half_done().await;
    let route = json!([{"name": "all", "path": {"prefix": "/later"}}]);
    set(&world, json!({"apiGateway": {"routes": route}})).await;
    world.start_operator(&Default::default()).await.unwrap();
    let binding = told(&world, "ApprovalStale").await;
    assert_eq!(mutations(&world).await, Vec::<String>::new());
    let moved = hash(&binding).unwrap();
    approve(&world, &moved).await;
    completed(&world, &moved).await;
    ready(&world, &helloworld()).await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/later", 200).await;
}

#[tokio::test]
async fn a_deletion_waits_for_the_approval_of_what_it_removes() {
    let (world, created) = world().await;
    approve(&world, &created).await;
    completed(&world, &created).await;
    let caller = Caller::of(&world, &helloworld()).await;
    world.cloud.reset_calls().await.unwrap();
    world.delete(&helloworld()).await.unwrap();
    let blocked = Expect::condition_with_reason("Ready", "False", "DeletionBlocked");
    let blocked = world.wait_for(&helloworld(), &blocked, PATIENCE).await;
    let blocked = blocked.unwrap();
    let removal = hash(&blocked).unwrap();
    assert_ne!(removal, created);
    let removals = steps(&blocked);
    assert!(removals.len() >= 6, "{removals:?}");
    assert!(
        removals.iter().all(|step| step.starts_with("Delete ")),
        "{removals:?}"
    );
    let (_, _, message) = condition(&blocked, "Ready").unwrap();
    assert!(message.contains(&removal), "{message}");
    assert_eq!(mutations(&world).await, Vec::<String>::new());
    assert_eq!(caller.get("/").await.unwrap().status, 200);

    approve(&world, &removal).await;
    gone(&world, &helloworld()).await;
    gone(&world, &intranet_service()).await;
}
