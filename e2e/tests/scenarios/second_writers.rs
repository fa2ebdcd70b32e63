//! Somebody else who writes the same fields again and again is recognised after a few tries, and
//! named as far as cluster and cloud tell who it is.

use alicloud_emulator::api::Product::CloudApi;
use e2e::world::{Expect, OperatorOptions, Target, World, WorldOptions};
use serde_json::json;

use super::{
    PATIENCE,
    exposed::{
        condition, consumer, exposed_with, helloworld, intranet_service, mutations, now, ready,
    },
};

const ADDRESS_TYPE: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type";
/// How often the operator writes the same.
const TRIES: usize = 3;

async fn world() -> World {
    let operator = OperatorOptions {
        args: vec!["--drift-interval=1s".to_owned()],
        ..OperatorOptions::default()
    };
    let options = WorldOptions {
        operator: Some(operator),
        ..WorldOptions::default()
    };
    let world = exposed_with(options).await;
    ready(&world, &consumer("default", "knative")).await;
    world
}

/// What an object says once its field was written often enough.
async fn given_up(world: &World, target: &Target) -> String {
    let expect = Expect::condition_with_reason("Programmed", "False", "NonConvergent");
    let told = world.wait_for(target, &expect, PATIENCE).await.unwrap();
    condition(&told, "Programmed").unwrap().2
}

fn has(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
}

async fn console(world: &World, action: &str, params: &[(&str, &str)]) {
    let keys = &world.options().console_keys;
    world
        .cloud
        .call(keys, CloudApi, action, params)
        .await
        .unwrap();
}

/// The id of the one object of a kind.
async fn id(world: &World, kind: &str) -> String {
    let state = world.cloud.state().await.unwrap();
    let all = state["cloudapi"][kind].as_object().unwrap();
    all.keys().next().unwrap().clone()
}

/// Waits until the operator has made this call so often.
async fn made(world: &World, action: &str, count: usize) {
    let look = async || {
        let made = mutations(world).await;
        let made = made.iter().filter(|made| *made == action).count();
        (made >= count)
            .then_some(())
            .ok_or(format!("{made} of {count}"))
    };
    let waited = world.wait_until(action, "made again", PATIENCE, look);
    waited.await.unwrap();
}

#[tokio::test]
async fn the_field_manager_of_an_annotation_is_named() {
    let world = world().await;
    let service = intranet_service();
    let annotation = format!("{ADDRESS_TYPE}=internet");
    let annotate = [
        "-n",
        "istio-system",
        "annotate",
        "--overwrite",
        "service",
        service.name(),
        &annotation,
    ];
    for _ in 0..TRIES {
        world.kubectl(&annotate).await.unwrap();
        let back = Expect::that("with its address type", |service| {
            let annotations = service.metadata.annotations.clone().unwrap_or_default();
            match annotations.get(ADDRESS_TYPE) {
                Some(type_) if type_ == "intranet" => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        world.wait_for(&service, &back, PATIENCE).await.unwrap();
    }
    world.kubectl(&annotate).await.unwrap();
    let message = given_up(&world, &helloworld()).await;
    has(
        &message,
        &[
            ADDRESS_TYPE,
            "\"kubectl-annotate\" (Update)",
            "wanted \"intranet\"",
            "seen \"internet\"",
        ],
    );
    let left = now(&world, &service).await;
    let left = left.metadata.annotations.unwrap();
    assert_eq!(left[ADDRESS_TYPE], "internet", "it is left");
}

#[tokio::test]
async fn of_the_cloud_it_is_told_what_it_tells_and_where_more_is_to_be_found() {
    let world = world().await;
    let (plugin, api) = (id(&world, "plugins").await, id(&world, "apis").await);
    let edit = [
        ("PluginId", plugin.as_str()),
        ("PluginData", "{\"unit\":\"DAY\",\"apiDefault\":500}"),
    ];
    world.cloud.reset_calls().await.unwrap();
    for count in 1..=TRIES {
        console(&world, "ModifyPlugin", &edit).await;
        made(&world, "ModifyPlugin", count).await;
    }
    console(&world, "ModifyPlugin", &edit).await;
    let message = given_up(&world, &helloworld()).await;
    has(
        &message,
        &[
            "classic/Policy/",
            "does not name",
            "ActionTrail",
            "ModifyPlugin",
        ],
    );

    // Whoever publishes says something about it, and that is repeated.
    let publish = [
        ("ApiId", api.as_str()),
        ("StageName", "RELEASE"),
        ("Description", "nightly job of Zhang San"),
    ];
    for count in 1..=TRIES {
        super::modes::shorten_timeout(&world).await;
        console(&world, "DeployApi", &publish).await;
        made(&world, "DeployApi", count).await;
    }
    super::modes::shorten_timeout(&world).await;
    console(&world, "DeployApi", &publish).await;
    let look = async || {
        let message = given_up(&world, &helloworld()).await;
        let named = message.contains("described as \"nightly job of Zhang San\"");
        named.then_some(()).ok_or(message)
    };
    let waited = world.wait_until("the second writer", "named", PATIENCE, look);
    waited.await.unwrap();
}

#[tokio::test]
async fn a_consumer_that_is_edited_again_and_again_says_so() {
    let world = world().await;
    let app = id(&world, "apps").await;
    let disable = [("AppId", app.as_str()), ("Disabled", "true")];
    world.cloud.reset_calls().await.unwrap();
    for count in 1..=TRIES {
        console(&world, "ModifyApp", &disable).await;
        made(&world, "ModifyApp", count).await;
    }
    console(&world, "ModifyApp", &disable).await;
    let knative = consumer("default", "knative");
    let message = given_up(&world, &knative).await;
    has(
        &message,
        &[
            "disabled of classic/Consumer/",
            "wanted false, seen true",
            "ModifyApp",
        ],
    );
    // Changing the spec is the way out for a person.
    let patch = json!({"spec": {"state": "Disabled"}});
    world.patch(&knative, &patch).await.unwrap();
    ready(&world, &knative).await;
}
