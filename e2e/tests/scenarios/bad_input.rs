//! Bad input: each kind gives a condition with a reason of the closed set and a message that a
//! person can act on, and leaves the neighbours alone. The cases are in [`super::bad_input_cases`].

use crds::{keys::IS_DEFAULT_CLASS, v1alpha1::Reason};
use e2e::world::{Expect, World};
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    bad_input_cases::{Case, NAMESPACE, cases, refused_by_the_api_server},
    bad_input_classes::{by_hand, class_cases, classes, prepared},
    exposed::{
        Caller, binding, class, cloud_is, cluster_is, condition, exposed, gone, helloworld, now,
        ready,
    },
    namespace,
};

/// The resource version of the healthy neighbour.
async fn version(world: &World) -> Option<String> {
    now(world, &helloworld()).await.resource_version()
}

fn all_of_the_closed_set(object: &DynamicObject) {
    let conditions = object.data["status"]["conditions"].as_array().unwrap();
    for condition in conditions {
        let reason = condition["reason"].as_str().unwrap();
        assert!(Reason::parse(reason).is_some(), "{condition}");
    }
}

/// Applies a case, waits for what it is to be told, and takes it away again.
async fn check(world: &World, case: &Case) {
    let target = binding(NAMESPACE, case.name);
    world.apply(&case.manifest()).await.unwrap();
    let expect = Expect::condition_with_reason(case.condition, "False", case.reason);
    let told = match world.wait_for(&target, &expect, PATIENCE).await {
        Ok(told) => told,
        Err(error) => panic!("case {}: {error}", case.name),
    };
    let (_, _, message) = condition(&told, case.condition).unwrap();
    for word in case.words {
        assert!(
            message.contains(word),
            "case {}: no {word:?} in {message:?}",
            case.name
        );
    }
    let (status, ..) = condition(&told, "Ready").unwrap();
    assert_eq!(status, "False", "case {}", case.name);
    all_of_the_closed_set(&told);
    if case.reason == "AccountMismatch" {
        // All that is made is claimed before.
        let ledger = told.data["status"]["ledger"].as_array();
        assert!(ledger.is_none_or(Vec::is_empty), "{ledger:?}");
    }
    world.delete(&target).await.unwrap();
    gone(world, &target).await;
}

#[tokio::test]
async fn each_bad_input_says_what_to_do_and_leaves_the_neighbours_alone() {
    let world = exposed().await;
    namespace(&world, NAMESPACE).await;
    prepared(&world).await;
    by_hand(&world).await;
    world.apply(&classes()).await.unwrap();
    ready(&world, &helloworld()).await;
    ready(&world, &binding("default", "holder")).await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;

    let (cluster, cloud) = (
        world.objects().await.unwrap(),
        world.cloud_objects().await.unwrap(),
    );
    let before = version(&world).await;
    for case in cases().iter().chain(&class_cases()) {
        check(&world, case).await;
        assert_eq!(version(&world).await, before, "after case {}", case.name);
    }
    assert_eq!(caller.get("/").await.unwrap().status, 200);
    cluster_is(&world, &cluster).await;
    cloud_is(&world, &cloud).await;
    which_class(&world, &before).await;
}

/// Bindings that name no class, where none or several are the default.
async fn which_class(world: &World, before: &Option<String>) {
    let default = |value: Value| json!({"metadata": {"annotations": {IS_DEFAULT_CLASS: value}}});
    let mark = async |name, value| {
        let patch = default(value);
        world.patch(&class(name), &patch).await.unwrap();
    };
    mark("production", Value::Null).await;
    let none = Case::new(
        "no-default-class",
        "",
        ("Accepted", "NoDefaultClass"),
        &[
            "spec.className",
            "no GatewayBindingClass is the default",
            "is-default-class: \"true\"",
        ],
    );
    check(world, &none).await;
    mark("production", json!("true")).await;
    mark("choosy", json!("true")).await;
    let two = Case::new(
        "two-default-classes",
        "",
        ("Accepted", "AmbiguousDefaultClass"),
        &["spec.className", "choosy, production", "on one of them"],
    );
    check(world, &two).await;
    assert_eq!(version(world).await, *before, "it keeps the class it has");
}

#[tokio::test]
async fn what_the_schema_rules_out_the_api_server_refuses_with_the_rule() {
    let world = super::world().await;
    namespace(&world, NAMESPACE).await;
    for (name, spec, words) in refused_by_the_api_server() {
        let manifest = Case::refused(name, spec).manifest();
        let file = world.folder().join(format!("{name}.yaml"));
        std::fs::write(&file, manifest).unwrap();
        let applied = world
            .kubectl(&["apply", "-f", file.to_str().unwrap()])
            .await;
        let said = match applied {
            Err(error) => error.to_string(),
            Ok(printed) => panic!("{name} was accepted: {printed}"),
        };
        for word in words {
            assert!(said.contains(word), "{name}: no {word:?} in {said}");
        }
    }
}
