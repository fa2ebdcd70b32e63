//! One object that cannot be read, in the cluster or in a list of the cloud, hurts only itself: the
//! others go on, and nothing is taken for gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::{Duration, Instant},
};

use crds::GatewayBinding;
use e2e::world::{Expect, OperatorOptions, Target, World, WorldOptions};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    ResourceExt as _,
    api::{DynamicObject, ListParams},
};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    exposed::{
        Caller, binding, class, condition, consumer, exposed_with, gone, helloworld, mutations,
        now, ready,
    },
};

const BINDINGS: &str = "gatewaybindings.gatewaybinding.dev";

fn often() -> WorldOptions {
    let operator = OperatorOptions {
        args: vec!["--drift-interval=1s".to_owned()],
        ..OperatorOptions::default()
    };
    WorldOptions {
        operator: Some(operator),
        ..WorldOptions::default()
    }
}

/// The example, and beside it another binding of the same group, gateway and consumer.
async fn neighbours(options: WorldOptions) -> World {
    let world = exposed_with(options).await;
    let unlimited = json!({"spec": {"apiGateway": {"throttling": null}}});
    world.patch(&helloworld(), &unlimited).await.unwrap();
    let other = json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
        "metadata": {"name": "other", "namespace": "default"},
        "spec": {
            "serviceRef": {"kind": "KnativeService", "name": "helloworld"},
            "apiGateway": {
                "protocols": ["HTTP", "HTTPS"],
                "routes": [{"name": "all", "path": {"prefix": "/other", "replaceWith": "/"}}],
                "auth": {"consumer": {"apiKey": {"in": ["Header", "Query"]}, "signature": {}, "allow": [{"name": "knative"}]}},
            },
        },
    });
    world.apply(&other.to_string()).await.unwrap();
    for target in [
        helloworld(),
        binding("default", "other"),
        consumer("default", "knative"),
    ] {
        ready(&world, &target).await;
    }
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
    caller.get_until("/other", 200).await;
    world
}

/// Has the API server take anything for a binding, makes an edit, and has it be as strict as before.
async fn unchecked(world: &World, edit: impl AsyncFn() -> Result<(), String>) {
    let definition = Target::of::<CustomResourceDefinition>(None, BINDINGS);
    let versions = now(world, &definition).await.data["spec"]["versions"].clone();
    let mut lax = versions.clone();
    lax[0]["schema"]["openAPIV3Schema"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let set = async |versions: &Value| {
        let patch = json!({"spec": {"versions": versions}});
        world.patch(&definition, &patch).await.unwrap();
    };
    set(&lax).await;
    // The API server takes a moment to serve by the new schema.
    let waited = world.wait_until("the edit", "taken", PATIENCE, edit);
    waited.await.unwrap();
    set(&versions).await;
    // What was taken once is taken again as long as it stays as it is, hence another one each time.
    let mut probes = 0;
    let strict = async || {
        probes += 1;
        let probe = json!({"spec": {"mode": format!("NoSuchMode{probes}")}});
        match world.patch(&helloworld(), &probe).await {
            Err(_) => Ok(()),
            Ok(_) => Err("it takes anything".to_owned()),
        }
    };
    let waited = world.wait_until("the API server", "strict again", PATIENCE, strict);
    waited.await.unwrap();
    let mend = json!({"spec": {"mode": null}});
    world.patch(&helloworld(), &mend).await.unwrap();
}

async fn set_route(world: &World, target: &Target, prefix: &str) {
    let routes = json!([{"name": "all", "path": {"prefix": prefix, "replaceWith": "/"}}]);
    let patch = json!({"spec": {"apiGateway": {"routes": routes}}});
    world.patch(target, &patch).await.unwrap();
}

#[tokio::test]
async fn a_stored_object_that_cannot_be_read_hurts_only_itself() {
    let mut world = neighbours(often()).await;
    let other = binding("default", "other");
    let before = now(&world, &other).await.data["status"]["ledger"].clone();
    let spoil = async || {
        let patch = json!({"spec": {"mode": "OfAnotherVersion"}});
        let spoilt = world.patch(&other, &patch).await;
        spoilt.map(drop).map_err(|error| error.to_string())
    };
    unchecked(&world, spoil).await;
    let refused = Expect::condition_with_reason("Accepted", "False", "InvalidSpec");
    let told = world.wait_for(&other, &refused, PATIENCE).await.unwrap();
    let (_, _, message) = condition(&told, "Accepted").unwrap();
    for word in ["spec.mode", "OfAnotherVersion", "cannot read"] {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
    assert_eq!(told.data["status"]["ledger"], before, "its claims stay");

    // An operator that begins with it in its first list serves the others.
    let options = world.options().operator.clone().unwrap();
    world
        .operator
        .take()
        .unwrap()
        .terminate(PATIENCE)
        .await
        .unwrap();
    world.start_operator(&options).await.unwrap();
    let caller = Caller::of(&world, &helloworld()).await;
    set_route(&world, &helloworld(), "/edited").await;
    ready(&world, &helloworld()).await;
    caller.get_until("/edited", 200).await;
    assert_eq!(
        caller.get("/other").await.unwrap().status,
        200,
        "it runs on"
    );

    // What it shares stays when its neighbour goes, and so does it when it is told to go.
    world.delete(&helloworld()).await.unwrap();
    gone(&world, &helloworld()).await;
    assert_eq!(caller.get("/other").await.unwrap().status, 200);
    world.delete(&other).await.unwrap();
    let blocked = Expect::condition_with_reason("Ready", "False", "DeletionBlocked");
    let blocked = world.wait_for(&other, &blocked, PATIENCE).await.unwrap();
    let (_, _, message) = condition(&blocked, "Ready").unwrap();
    assert!(message.contains("gatewaybinding.dev/detach"), "{message}");
    assert_eq!(caller.get("/other").await.unwrap().status, 200);

    let mend = json!({"spec": {"mode": "Apply"}});
    world.patch(&other, &mend).await.unwrap();
    gone(&world, &other).await;
    let state = world.cloud.state().await.unwrap();
    for kind in ["apis", "groups", "vpcAccesses"] {
        assert_eq!(state["cloudapi"][kind], json!({}), "{kind}");
    }
}

/// Lists of the cloud, the objects of a binding in them, and a member that is spoilt.
async fn spoilt(world: &World) -> Vec<(&'static str, String, &'static str)> {
    let state = world.cloud.state().await.unwrap();
    let of = |kind: &str| state["cloudapi"][kind].as_object().unwrap().clone();
    let first = |kind: &str| of(kind).keys().next().unwrap().clone();
    let apis = of("apis");
    let name = |api: &Value| {
        api["value"]["definition"]["name"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let hello = apis.values().find(|api| name(api).contains("helloworld"));
    let hello = hello.unwrap()["value"]["id"].as_str().unwrap().to_owned();
    vec![
        ("DescribeApis", hello.clone(), "DeployedInfos"),
        ("DescribeApis", hello.clone(), "TagList"),
        ("DescribeAuthorizedApis", hello, "AuthVaildTime"),
        ("DescribeApiGroups", first("groups"), "Tags"),
        ("DescribeVpcAccesses", first("vpcAccesses"), "Port"),
        ("DescribeAppAttributes", first("apps"), "Tags"),
    ]
}

#[tokio::test]
async fn a_listed_object_that_cannot_be_read_is_neither_changed_nor_taken_for_gone() {
    let world = neighbours(often()).await;
    let operator = world.options().operator_keys.id.clone();
    let caller = Caller::of(&world, &helloworld()).await;
    for (number, (action, id, member)) in spoilt(&world).await.into_iter().enumerate() {
        let what = format!("{member} of {id} in {action}");
        let spoil = json!({"rules": [{"accessKeyId": operator, "action": action,
            "effect": {"type": "spoilItem", "id": id, "member": member}}]});
        world.cloud.reset_calls().await.unwrap();
        world.cloud.faults(&spoil).await.unwrap();
        let told = async || {
            for target in [helloworld(), consumer("default", "knative")] {
                let object = now(&world, &target).await;
                let said = condition(&object, "Programmed");
                if let Some((_, reason, message)) = said
                    && reason == "CloudUnreachable"
                    && message.contains(member)
                {
                    return Ok(());
                }
            }
            Err("nobody says so".to_owned())
        };
        let waited = world.wait_until(&what, "told", PATIENCE, told);
        waited.await.unwrap();
        assert_eq!(mutations(&world).await, Vec::<String>::new(), "{what}");

        // Its neighbour is served.
        let other = binding("default", "other");
        let prefix = format!("/other-{number}");
        set_route(&world, &other, &prefix).await;
        caller.get_until(&prefix, 200).await;
        assert_eq!(caller.get("/").await.unwrap().status, 200, "{what}");
        let made = mutations(&world).await;
        let needed = ["ModifyApi", "DeployApi"];
        assert!(
            made.iter().all(|call| needed.contains(&call.as_str())),
            "{what}: {made:?}"
        );

        world.cloud.faults(&json!({"rules": []})).await.unwrap();
        for target in [helloworld(), other, consumer("default", "knative")] {
            ready(&world, &target).await;
        }
    }
}

/// Bindings that are applied at once, without the poisoned one and then beside it.
const EACH: usize = 100;

/// Applies bindings with these numbers at once and waits until each is Ready. Says how long that
/// took and what it changed in the cloud.
async fn many(world: &World, numbers: Range<usize>) -> (Duration, BTreeMap<String, usize>) {
    world.cloud.reset_calls().await.unwrap();
    let count = numbers.len();
    let name = |number: usize| format!("b-{number}");
    let manifest = |number: usize| {
        let path = json!({"prefix": format!("/b-{number}"), "replaceWith": "/"});
        json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": name(number), "namespace": "default"},
            "spec": {
                "serviceRef": {"kind": "KnativeService", "name": "helloworld"},
                "apiGateway": {"routes": [{"name": "all", "path": path}], "auth": {"anonymous": {}}},
            },
        })
        .to_string()
    };
    let manifests: Vec<String> = numbers.clone().map(manifest).collect();
    let names: BTreeSet<String> = numbers.map(name).collect();
    let started = Instant::now();
    world.apply(&manifests.join("\n---\n")).await.unwrap();
    let look = async || {
        let all = Target::of::<GatewayBinding>(Some("default"), "").api(world.client());
        let all = all.list(&ListParams::default()).await;
        let all = all.map_err(|error| error.to_string())?;
        let all = all
            .iter()
            .filter(|binding| names.contains(&binding.name_any()));
        let is_ready = |binding: &&DynamicObject| {
            condition(binding, "Ready").is_some_and(|(status, ..)| status == "True")
        };
        match all.filter(is_ready).count() {
            ready if ready == count => Ok(()),
            ready => Err(format!("{ready} of {count}")),
        }
    };
    let patience = Duration::from_secs(180);
    let waited = world.wait_until("the bindings", "Ready", patience, look);
    waited.await.unwrap();
    let took = started.elapsed();
    let mut changes = BTreeMap::new();
    for action in mutations(world).await {
        *changes.entry(action).or_default() += 1;
    }
    (took, changes)
}

/// One among two hundred that cannot be read costs the others nothing: not a change, and no time.
#[tokio::test]
async fn among_two_hundred_a_poisoned_one_costs_the_others_nothing() {
    let world = exposed_with(WorldOptions::default()).await;
    ready(&world, &helloworld()).await;
    ready(&world, &consumer("default", "knative")).await;
    let budget = json!({"spec": {"cloud": {"callBudget": {"requestsPerSecond": 100}}}});
    world.patch(&class("production"), &budget).await.unwrap();
    let (alone, changed_alone) = many(&world, 0..EACH).await;

    let poison = async || {
        let object = json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": "poisoned", "namespace": "default"},
            "spec": {"serviceRef": {"kind": "Ingress", "name": "web"}, "apiGateway": "of another version"},
        });
        let applied = world.apply(&object.to_string()).await;
        applied.map(drop).map_err(|error| error.to_string())
    };
    unchecked(&world, poison).await;
    let (beside, changed_beside) = many(&world, EACH..2 * EACH).await;
    println!("{EACH} bindings took {alone:.1?} without a poisoned one and {beside:.1?} beside it");
    assert_eq!(changed_beside, changed_alone);
    // Generous, since machines are; a pass that waits for the poisoned one would take minutes.
    assert!(
        beside <= 3 * alone + Duration::from_secs(15),
        "{beside:.1?} beside it, {alone:.1?} without"
    );
    // It is told even where the API server takes no status for such an object.
    let about = "--field-selector=involvedObject.name=poisoned";
    let events = ["get", "events", "-n", "default", about, "-o", "json"];
    let said = async || {
        let events = world.kubectl(&events).await;
        let events = events.map_err(|error| error.to_string())?;
        let told = events.contains("cannot read the object") && events.contains("apiGateway");
        told.then_some(()).ok_or(events)
    };
    let waited = world.wait_until("the poisoned one", "told", PATIENCE, said);
    waited.await.unwrap();
}
