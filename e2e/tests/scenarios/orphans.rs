//! What is left in cluster and cloud when its owner went without cleaning up: told, left, and
//! collected only where the class says so and the operator saw it happen.

use std::{collections::BTreeMap, time::Duration};

use alicloud_emulator::api::Product::CloudApi;
use e2e::world::{Expect, OperatorOptions, World, WorldOptions};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    exposed::{
        Caller, class, cloud_is, cluster_is, condition, consumer, example, example_file,
        exposed_with, gone, helloworld, intranet_service, mutations, now, ready,
    },
};

/// What the example has made and its binding alone uses.
const LEFT: [&str; 5] = ["API", "Backend", "Group", "Policy", "Service"];
/// A call that each sweep makes once.
const SWEEP: &str = "DescribeApiGroups";
/// The lists that sweeps look at.
const LISTS: [&str; 5] = [
    "DescribeApi*",
    "DescribeAppAttributes",
    "DescribeAuthorizedApis",
    "DescribePlugin*",
    "DescribeVpcAccesses",
];
/// Sweeps after which everything that is going to happen has happened.
const MANY: usize = 6;

fn options() -> WorldOptions {
    let operator = OperatorOptions {
        args: vec!["--drift-interval".to_owned(), "1s".to_owned()],
        ..OperatorOptions::default()
    };
    WorldOptions {
        operator: Some(operator),
        ..WorldOptions::default()
    }
}

/// Somebody takes the finalizer off a binding that is on its way out.
async fn take_finalizer_off(world: &World) {
    let patch = json!({"metadata": {"finalizers": null}});
    world.patch(&helloworld(), &patch).await.unwrap();
    gone(world, &helloworld()).await;
}

/// The binding goes without cleaning up: the cloud refused, and somebody lost patience.
async fn lose(world: &World) {
    let refusal = json!({"rules": [{"action": "RemoveAppsAuthorities", "effect":
        {"type": "error", "status": 403, "code": "Forbidden.RAM", "message": "Not authorized."}}]});
    world.cloud.faults(&refusal).await.unwrap();
    world.delete(&helloworld()).await.unwrap();
    let blocked = Expect::condition_with_reason("Ready", "False", "DeletionBlocked");
    let blocked = world.wait_for(&helloworld(), &blocked, PATIENCE).await;
    blocked.unwrap();
    take_finalizer_off(world).await;
    world.cloud.faults(&json!({"rules": []})).await.unwrap();
}

/// Whether the class shows these kinds, and no others, each with this cause and found often enough.
fn shows(status: &Value, kinds: &[&str], cause: &str) -> Result<(), String> {
    let orphans = status["orphans"].as_array().cloned().unwrap_or_default();
    let mut found: Vec<&str> = orphans
        .iter()
        .filter(|orphan| orphan["confirmed"] == true && orphan["cause"] == cause)
        .filter_map(|orphan| orphan["kind"].as_str())
        .collect();
    found.sort_unstable();
    (found == kinds && orphans.len() == kinds.len())
        .then_some(())
        .ok_or_else(|| format!("it shows {orphans:?}"))
}

/// Waits until the class shows these orphans; its status.
async fn shown(world: &World, kinds: &'static [&'static str], cause: &'static str) -> Value {
    let expect = Expect::that("with its orphans", move |class| {
        shows(&class.data["status"], kinds, cause)
    });
    let class = world
        .wait_for(&class("production"), &expect, PATIENCE)
        .await;
    class.unwrap().data["status"].clone()
}

async fn policy(world: &World, policy: &str) {
    let patch = json!({"spec": {"orphans": {"policy": policy}}});
    world.patch(&class("production"), &patch).await.unwrap();
}

/// Waits until the operator has swept this many more times.
async fn sweeps(world: &World, more: usize) {
    let operator = &world.options().operator_keys.id;
    let made = async || -> Result<usize, String> {
        let calls = world.cloud.calls().await.map_err(|e| e.to_string())?;
        let made = calls
            .iter()
            .filter(|call| call.access_key_id == *operator && call.action == SWEEP);
        Ok(made.count())
    };
    let enough = made().await.unwrap() + more;
    let look = async || match made().await? {
        number if number >= enough => Ok(()),
        number => Err(format!("{number} of {enough} calls of {SWEEP}")),
    };
    let patience = Duration::from_secs(60);
    let waited = world.wait_until("the sweep", "done again", patience, look);
    waited.await.unwrap();
}

/// Over some sweeps nothing moves, in the cluster or the cloud.
async fn stays_still(world: &World, when: &str) {
    let objects = async || -> BTreeMap<String, String> { world.objects().await.unwrap() };
    sweeps(world, 2).await;
    let before = objects().await;
    world.cloud.reset_calls().await.unwrap();
    sweeps(world, MANY).await;
    assert_eq!(objects().await, before, "{when}");
    assert_eq!(mutations(world).await, Vec::<String>::new(), "{when}");
}

async fn console(world: &World, action: &str, params: &[(&str, &str)]) -> Value {
    let keys = &world.options().console_keys;
    let called = world.cloud.call(keys, CloudApi, action, params);
    called.await.unwrap()
}

/// Somebody makes an API in the operator's group, through its VPC authorization; its id.
async fn api_by_hand(world: &World) -> String {
    let state = world.cloud.state().await.unwrap()["cloudapi"].clone();
    let first = |kind: &str| state[kind].as_object().unwrap().keys().next().cloned();
    let group = first("groups").unwrap();
    let access = first("vpcAccesses").unwrap();
    let request = json!({"requestProtocol": "HTTP", "requestHttpMethod": "GET",
        "requestPath": "/by-hand", "requestMode": "MAPPING_PASSTHROUGH", "bodyFormat": ""});
    let service = json!({"serviceProtocol": "HTTP", "serviceAddress": "", "serviceHttpMethod": "GET",
        "servicePath": "/", "serviceTimeout": 10000, "mock": "FALSE", "serviceVpcEnable": "TRUE",
        "vpcConfig": {"name": access}});
    let (request, service) = (request.to_string(), service.to_string());
    let params = [
        ("GroupId", group.as_str()),
        ("ApiName", "by_hand"),
        ("Visibility", "PRIVATE"),
        ("AuthType", "ANONYMOUS"),
        ("RequestConfig", &request),
        ("ServiceConfig", &service),
    ];
    let made = console(world, "CreateApi", &params).await;
    let id = made["ApiId"].as_str().unwrap().to_owned();
    let stage = [
        ("ApiId", id.as_str()),
        ("StageName", "RELEASE"),
        ("Description", "by hand"),
    ];
    console(world, "DeployApi", &stage).await;
    id
}

async fn metric(world: &World, line: &str) {
    let url = format!("{}/metrics", world.operator.as_ref().unwrap().health_url());
    let look = async || {
        let text = reqwest::get(&url).await.map_err(|e| e.to_string())?;
        let text = text.text().await.map_err(|e| e.to_string())?;
        let found: Vec<&str> = text.lines().filter(|l| l.contains("_orphans{")).collect();
        (found.contains(&line))
            .then_some(())
            .ok_or_else(|| format!("there is {found:#?}"))
    };
    let waited = world.wait_until("the metrics", line, PATIENCE, look);
    waited.await.unwrap();
}

/// What the events of the class say.
async fn events(world: &World, reason: &str) -> Vec<String> {
    let said = ["get", "events", "-A", "-o", "json"];
    let said = world.kubectl(&said).await.unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    let of_class = said["items"].as_array().unwrap().iter().filter(|event| {
        event["reason"] == reason && event["involvedObject"]["kind"] == "GatewayBindingClass"
    });
    let notes = of_class.map(|event| event["message"].as_str().unwrap_or_default().to_owned());
    notes.collect()
}

#[tokio::test]
async fn what_lost_its_owner_is_told_and_left_and_collected_once_the_class_says_so() {
    let world = World::start(options()).await.unwrap();
    let (cluster, cloud) = (
        world.objects().await.unwrap(),
        world.cloud_objects().await.unwrap(),
    );
    world.apply(&example()).await.unwrap();
    ready(&world, &helloworld()).await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;

    lose(&world).await;
    shown(&world, &LEFT, "OwnerLost").await;
    let told = now(&world, &class("production")).await;
    let (is_ready, ..) = condition(&told, "Ready").unwrap();
    assert_eq!(is_ready, "True", "a class is not worse for it");
    metric(
        &world,
        "gatewaybinding_orphans{class=\"production\",kind=\"API\",cause=\"OwnerLost\"} 1",
    )
    .await;
    stays_still(&world, "with orphans under Report").await;
    assert_eq!(caller.get("/").await.unwrap().status, 200, "it is left");
    let notes = events(&world, "OrphansFound").await;
    assert_eq!(notes.len(), 1, "once: {notes:?}");
    for word in ["GatewayBinding/default/helloworld", "policy is Report"] {
        assert!(notes[0].contains(word), "no {word:?} in {notes:?}");
    }

    let by_hand = api_by_hand(&world).await;
    policy(&world, "Collect").await;
    let status = shown(&world, &["Backend", "Group", "Service"], "OwnerLost").await;
    for orphan in status["orphans"].as_array().unwrap() {
        let by = orphan["neededBy"].as_str().unwrap_or_default();
        let expected = match orphan["kind"].as_str() {
            Some("Service") => "Backend ",
            _ => "API knative/by_hand",
        };
        assert!(by.starts_with(expected), "{orphan}");
    }
    now(&world, &intranet_service()).await;
    stays_still(&world, "with orphans that somebody needs").await;

    let stage = [("ApiId", by_hand.as_str()), ("StageName", "RELEASE")];
    console(&world, "AbolishApi", &stage).await;
    console(&world, "DeleteApi", &stage[..1]).await;
    shown(&world, &[], "OwnerLost").await;
    gone(&world, &intranet_service()).await;
    world.delete_all(&example()).await.unwrap();
    for target in [consumer("default", "knative"), class("production")] {
        gone(&world, &target).await;
    }
    cloud_is(&world, &cloud).await;
    cluster_is(&world, &cluster).await;
}

#[tokio::test]
async fn what_was_left_on_purpose_is_never_collected() {
    let world = exposed_with(options()).await;
    policy(&world, "Collect").await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
    let retain = json!({"spec": {"deletionPolicy": "Retain"}});
    let detach = json!({"metadata": {"annotations": {"gatewaybinding.dev/detach": "true"}}});
    for (how, patch) in [("retained", retain), ("detached", detach)] {
        ready(&world, &helloworld()).await;
        shown(&world, &[], "Retained").await;
        world.patch(&helloworld(), &patch).await.unwrap();
        world.delete(&helloworld()).await.unwrap();
        gone(&world, &helloworld()).await;
        shown(&world, &LEFT, "Retained").await;
        stays_still(&world, how).await;
        assert_eq!(caller.get("/").await.unwrap().status, 200, "{how}");
        // A new binding takes it up again, and nothing is an orphan any more.
        world.apply(&example_file("binding.yaml")).await.unwrap();
    }
    ready(&world, &helloworld()).await;
    shown(&world, &[], "Retained").await;
    assert_eq!(mutations(&world).await, Vec::<String>::new());
    let warned = events(&world, "OrphansFound").await;
    assert_eq!(warned, Vec::<String>::new(), "nobody has to act");
}

/// The operator was away, so nothing proves that it was not left on purpose.
#[tokio::test]
async fn what_nobody_saw_is_told_and_never_collected() {
    let mut world = exposed_with(options()).await;
    policy(&world, "Collect").await;
    ready(&world, &class("production")).await;
    let operator = world.operator.take().unwrap();
    operator.terminate(PATIENCE).await.unwrap();
    world.delete(&helloworld()).await.unwrap();
    take_finalizer_off(&world).await;
    let options = world.options().operator.clone().unwrap();
    world.start_operator(&options).await.unwrap();
    shown(&world, &LEFT, "Unknown").await;
    stays_still(&world, "of a cause that nobody knows").await;

    let operator = world.operator.take().unwrap();
    operator.kill().await.unwrap();
    world.start_operator(&options).await.unwrap();
    stays_still(&world, "after a restart").await;
    shown(&world, &LEFT, "Unknown").await;
}

/// A list that fails or shows less than there is says nothing, either way.
#[tokio::test]
async fn lists_that_show_less_than_there_is_make_no_orphan_and_forget_none() {
    let world = exposed_with(options()).await;
    lose(&world).await;
    shown(&world, &LEFT, "OwnerLost").await;
    sweeps(&world, 2).await;
    let before = now(&world, &class("production")).await.data["status"]["orphans"].clone();
    policy(&world, "Report").await;
    let key = world.options().operator_keys.id.clone();
    for effect in [
        json!({"type": "emptyList"}),
        json!({"type": "truncateList", "keep": 0}),
        json!({"type": "error", "status": 500, "code": "InternalError", "message": "Try later."}),
    ] {
        let rules =
            LISTS.map(|action| json!({"accessKeyId": key, "action": action, "effect": effect}));
        let faults = json!({ "rules": rules });
        world.cloud.faults(&faults).await.unwrap();
        policy(&world, "Collect").await;
        world.cloud.reset_calls().await.unwrap();
        let looked = async || {
            let calls = world.cloud.calls().await.map_err(|e| e.to_string())?;
            let looks = calls
                .iter()
                .filter(|call| call.access_key_id == key && call.action.starts_with("Describe"));
            let number = looks.count();
            (number >= 20)
                .then_some(())
                .ok_or_else(|| format!("only {number} looks at the cloud"))
        };
        let patience = Duration::from_secs(120);
        let waited = world.wait_until("the sweep", "tried some times", patience, looked);
        waited.await.unwrap();
        assert_eq!(mutations(&world).await, Vec::<String>::new(), "{effect}");
        let status = now(&world, &class("production")).await.data["status"].clone();
        assert_eq!(status["orphans"], before, "{effect}");
        policy(&world, "Report").await;
        world.cloud.faults(&json!({"rules": []})).await.unwrap();
    }
    policy(&world, "Collect").await;
    shown(&world, &[], "OwnerLost").await;
    gone(&world, &intranet_service()).await;
}
