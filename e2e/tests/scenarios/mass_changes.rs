//! More than a class lets go in one go is held, whole, until a person confirms exactly that or its
//! cause is undone.

use std::time::Duration;

use e2e::world::{Expect, Target, World};
use serde_json::{Value, json};

use super::exposed::{
    binding, class, condition, exposed_without_limits, gone, helloworld, mutations,
};
use super::plan_command::plan_of;

/// Several passes over several bindings, on a loaded machine.
pub(super) const LONG: Duration = Duration::from_secs(120);
const TEAMS: [&str; 3] = ["one", "two", "three"];

/// A binding with four APIs, in the group of the example.
fn four_apis(name: &str) -> String {
    let routes = ["a", "b", "c", "d"]
        .map(|route| format!("{{name: {route}, path: {{prefix: /{name}/{route}}}}}"));
    format!(
        "apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBinding
metadata: {{name: {name}, namespace: default}}
spec:
  serviceRef: {{kind: KnativeService, name: helloworld}}
  apiGateway:
    routes: [{}]
    auth: {{consumer: {{apiKey: {{in: [Header]}}, signature: {{}}, allow: [{{name: knative}}]}}}}
",
        routes.join(", ")
    )
}

fn team(name: &str) -> Target {
    binding("default", name)
}

async fn is(world: &World, target: &Target, status: &str, reason: &str) {
    let expected = Expect::condition_with_reason("Ready", status, reason);
    world.wait_for(target, &expected, LONG).await.unwrap();
}

/// Waits until the class holds this many objects; its token for them.
async fn held(world: &World, objects: u64) -> String {
    let what = format!("{objects} objects held");
    let expected = Expect::that(&what, move |class| {
        let held = class.data.pointer("/status/massChange/held/objects");
        match held.and_then(Value::as_u64) {
            Some(found) if found == objects => Ok(()),
            found => Err(format!("{found:?} are")),
        }
    });
    let production = class("production");
    let found = world.wait_for(&production, &expected, LONG).await.unwrap();
    let (status, reason, message) = condition(&found, "Ready").unwrap();
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "MassChangeHeld")
    );
    let held = found.data["status"]["massChange"]["held"].clone();
    let token = held["token"].as_str().unwrap().to_owned();
    let example = held["examples"][0].as_str().unwrap();
    for word in [&token, example, &format!("{objects} of ")] {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
    token
}

async fn edit_class(world: &World, spec: Value) {
    let patch = json!({ "spec": spec });
    world.patch(&class("production"), &patch).await.unwrap();
}

/// What waits for others goes on: an edit that deletes nothing.
async fn others_go_on(world: &World, timeout: &str) {
    let patch = json!({"spec": {"apiGateway": {"backend": {"timeout": timeout}}}});
    world.patch(&helloworld(), &patch).await.unwrap();
    is(world, &helloworld(), "True", "Ready").await;
}

/// The calls that took something away, or made something that is to replace it.
async fn removals(world: &World) -> Vec<String> {
    let mut calls = mutations(world).await;
    calls.retain(|call| {
        let taken = ["Delete", "Abolish", "Remove", "Detach"];
        taken.iter().any(|word| call.starts_with(word)) || call == "CreateApiGroup"
    });
    calls
}

#[tokio::test]
async fn a_mass_change_is_held_until_it_is_confirmed_or_undone() {
    let mut world = exposed_without_limits().await;
    let patch = json!({"spec": {"apiGateway": {"routes": [{"name": "all", "path": {"prefix": "/hello"}}]}}});
    world.patch(&helloworld(), &patch).await.unwrap();
    is(&world, &helloworld(), "True", "Ready").await;
    edit_class(&world, json!({"massChangeGuard": {"maxObjects": 3}})).await;
    for name in TEAMS {
        world.apply(&four_apis(name)).await.unwrap();
    }
    for name in TEAMS {
        is(&world, &team(name), "True", "Ready").await;
    }
    let before = world.cloud_objects().await.unwrap();
    world.cloud.reset_calls().await.unwrap();

    an_edit_of_the_class_that_is_undone(&world).await;
    assert_eq!(removals(&world).await, Vec::<String>::new());
    let names: Vec<_> = before.keys().collect();
    let after = world.cloud_objects().await.unwrap();
    assert_eq!(after.keys().collect::<Vec<_>>(), names);

    plans_say_what_would_be_held(&world).await;
    assert_eq!(removals(&world).await, Vec::<String>::new());

    for name in TEAMS {
        world.delete(&team(name)).await.unwrap();
    }
    let token = held(&world, 12).await;
    for name in TEAMS {
        is(&world, &team(name), "False", "MassChangeHeld").await;
    }
    world.operator.take().unwrap().kill().await.unwrap();
    let options = world.options().operator.clone().unwrap();
    world.start_operator(&options).await.unwrap();
    others_go_on(&world, "20s").await;
    assert_eq!(held(&world, 12).await, token, "it is the same change");
    assert_eq!(removals(&world).await, Vec::<String>::new());

    // What comes after the confirmation is not part of it.
    edit_class(&world, json!({"massChangeGuard": {"confirmed": token}})).await;
    for name in TEAMS {
        gone(&world, &team(name)).await;
    }
    let nothing_left = Expect::that("without a mass change", |class| match class.data["status"]
        .get("massChange")
    {
        None => Ok(()),
        Some(change) => Err(format!("it has {change}")),
    });
    let production = class("production");
    world
        .wait_for(&production, &nothing_left, LONG)
        .await
        .unwrap();
    is(&world, &production, "True", "Ready").await;
    is(&world, &helloworld(), "True", "Ready").await;
    let apis = world.cloud.state().await.unwrap()["cloudapi"]["apis"].clone();
    assert_eq!(apis.as_object().unwrap().len(), 1, "{apis}");

    world.delete(&helloworld()).await.unwrap();
    // Service, group, backend and API.
    let another = held(&world, 4).await;
    assert_ne!(another, token);
}

/// A wrong value: everything would move to another group, whose host name is another one.
async fn an_edit_of_the_class_that_is_undone(world: &World) {
    let both = json!([{"name": "knative", "testDomain": "Enabled"},
        {"name": "second", "testDomain": "Enabled"}]);
    let group = |name: &str| {
        json!({"defaults": {"apiGateway": {"gateway": "main", "group": name}},
            "apiGateways": [{"name": "main", "type": "Classic", "groups": both}]})
    };
    edit_class(world, group("second")).await;
    // Thirteen APIs, and the group that they leave empty.
    held(world, 14).await;
    for target in [team("one"), team("two"), team("three"), helloworld()] {
        is(world, &target, "False", "MassChangeHeld").await;
    }
    edit_class(world, group("knative")).await;
    for target in [team("one"), team("two"), team("three"), helloworld()] {
        is(world, &target, "True", "Ready").await;
    }
    is(world, &class("production"), "True", "Ready").await;
}

/// Four APIs would go for four others.
async fn plans_say_what_would_be_held(world: &World) {
    let mut other = four_apis("one");
    for route in ["a", "b", "c", "d"] {
        let (old, new) = (format!("name: {route},"), format!("name: new-{route},"));
        other = other
            .replace(&old, &new)
            .replace(&format!("/one/{route}"), &format!("/else/{route}"));
    }
    let file = world.folder().join("other-routes.yaml");
    std::fs::write(&file, &other).unwrap();
    let printed = plan_of(world, &file, &["--output", "json"]).await;
    let plan: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let steps = plan["items"][0]["steps"].as_array().unwrap();
    let deletes = |step: &&Value| step["kind"] == "API" && step["action"] == "Delete";
    let deleted: Vec<&Value> = steps.iter().filter(deletes).collect();
    assert_eq!(deleted.len(), 4, "{plan:#}");
    assert!(deleted.iter().all(|step| step["held"] == true), "{plan:#}");
    let problems = plan["items"][0]["problems"].to_string();
    assert!(problems.contains("MassChangeHeld"), "{problems}");
    let printed = plan_of(world, &file, &[]).await;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(printed.contains("massChangeGuard holds it"), "{printed}");

    let only_planned = other.replace("spec:\n", "spec:\n  mode: Plan\n");
    world.apply(&only_planned).await.unwrap();
    let told = Expect::that("a plan that is held without an approval", |binding| {
        let steps = binding.data.pointer("/status/plan/steps");
        let steps = steps.and_then(Value::as_array).ok_or("no plan")?;
        let held = steps.iter().filter(|step| {
            let risk = step["risk"].as_str().unwrap_or_default();
            risk.contains("massChangeGuard")
        });
        match held.count() {
            0 => Err(format!("{steps:?}")),
            _ => Ok(()),
        }
    });
    world.wait_for(&team("one"), &told, LONG).await.unwrap();
    let undone = four_apis("one").replace("spec:\n", "spec:\n  mode: Apply\n");
    world.apply(&undone).await.unwrap();
    is(world, &team("one"), "True", "Ready").await;
}
