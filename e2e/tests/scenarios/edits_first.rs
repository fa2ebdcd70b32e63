//! What a user asks for never waits behind background checks of other objects, however slow the
//! cloud is at these.

use std::time::Duration;

use e2e::world::{OperatorOptions, World, WorldOptions};
use serde_json::{Value, json};

use super::exposed::{Caller, binding, consumer, exposed_with, helloworld, ready};

/// Everything is compared with the cloud so often. An edit goes by lists that are up to twice as old.
const INTERVAL: Duration = Duration::from_secs(25);
/// For the next comparison to begin.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bindings, so that those which are compared fill all places that there are for them.
const BINDINGS: usize = 12;
/// The lists of a comparison.
const LISTS: [&str; 7] = [
    "DescribeApiGroups",
    "DescribeVpcAccesses",
    "DescribeApis",
    "DescribeAppAttributes",
    "DescribePlugins",
    "DescribeAuthorizedApis",
    "DescribePluginApis",
];

/// Lists of the operator that were never answered.
async fn hanging(world: &World) -> usize {
    let calls = world.cloud.calls().await.unwrap();
    calls.iter().filter(|call| !call.answered).count()
}

#[tokio::test]
async fn a_new_binding_is_carried_out_while_a_sweep_hangs() {
    let operator = OperatorOptions {
        args: vec![format!("--drift-interval={}s", INTERVAL.as_secs())],
        ..OperatorOptions::default()
    };
    let world = exposed_with(WorldOptions {
        operator: Some(operator),
        ..WorldOptions::default()
    })
    .await;
    let many: Vec<String> = (0..BINDINGS).map(manifest).collect();
    world.apply(&many.join("\n---\n")).await.unwrap();
    for number in 0..BINDINGS {
        ready(&world, &binding("default", &format!("b-{number}"))).await;
    }
    ready(&world, &consumer("default", "knative")).await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;

    let key = world.options().operator_keys.id.clone();
    let rule = |action| json!({"accessKeyId": key, "action": action, "effect": {"type": "hang"}});
    let rules: Vec<Value> = LISTS.into_iter().map(rule).collect();
    world.cloud.reset_calls().await.unwrap();
    world
        .cloud
        .faults(&json!({ "rules": rules }))
        .await
        .unwrap();
    let sweeping = async || match hanging(&world).await {
        0 => Err("no list hangs".to_owned()),
        _ => Ok(()),
    };
    let waited = world.wait_until("the sweep", "under way", PATIENCE, sweeping);
    waited.await.unwrap();

    world.apply(&manifest(BINDINGS)).await.unwrap();
    let new = binding("default", &format!("b-{BINDINGS}"));
    ready(&world, &new).await;
    let calls = world.cloud.calls().await.unwrap();
    let lists = calls
        .iter()
        .filter(|call| LISTS.contains(&call.action.as_str()));
    let answered = lists.filter(|call| call.answered).count();
    assert_eq!(answered, 0, "it waited for the sweep");

    // All that are compared just now are among them.
    let moved = |number| at(number, &format!("/moved-{number}"));
    let edits: Vec<String> = (0..BINDINGS).map(moved).collect();
    world.apply(&edits.join("\n---\n")).await.unwrap();
    for number in 0..BINDINGS {
        ready(&world, &binding("default", &format!("b-{number}"))).await;
    }
    let apis = world.cloud.state().await.unwrap()["cloudapi"]["apis"].to_string();
    for number in 0..BINDINGS {
        assert!(
            apis.contains(&format!("/moved-{number}/")),
            "{number}: {apis}"
        );
    }
    let calls = world.cloud.calls().await.unwrap();
    let lists = calls
        .iter()
        .filter(|call| LISTS.contains(&call.action.as_str()));
    let answered = lists.filter(|call| call.answered).count();
    assert_eq!(answered, 0, "they waited for their own checks");
}

fn manifest(number: usize) -> String {
    at(number, &format!("/b-{number}"))
}

fn at(number: usize, prefix: &str) -> String {
    let path = json!({"prefix": prefix, "replaceWith": "/"});
    json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
        "metadata": {"name": format!("b-{number}"), "namespace": "default"},
        "spec": {
            "serviceRef": {"kind": "KnativeService", "name": "helloworld"},
            "apiGateway": {
                "routes": [{"name": "all", "path": path}],
                "auth": {"anonymous": {}},
            },
        },
    })
    .to_string()
}
