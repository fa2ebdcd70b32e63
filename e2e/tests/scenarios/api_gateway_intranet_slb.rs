//! `examples/api-gateway-intranet-slb`: one manifest instead of the morning of [`super::by_hand`].

use std::{collections::BTreeMap, time::Instant};

use alicloud_emulator::api::Product::CloudApi;
use e2e::world::{Expect, Target, World, WorldOptions};
use k8s_openapi::api::core::v1::Service;

use super::{
    PATIENCE,
    exposed::{
        Caller, class, cloud_is, cluster_is, consumer, error_code, example, exposed, gone,
        helloworld, intranet_service, mutations, ready, secret,
    },
};

#[tokio::test]
async fn with_the_api_key_it_answers_without_it_is_refused_and_over_the_limit_throttled() {
    let world = exposed().await;
    let caller = Caller::of(&world, &helloworld()).await;
    let answer = caller.get("/").await.unwrap();
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "Hello World!\n"),
        "Ready means that it works: {answer:?}"
    );
    let in_query = caller.get_by_query("/a/b").await.unwrap();
    assert_eq!(in_query.status, 200, "{in_query:?}");

    let without = world.cloud.curl(caller.host(), "/", &[]).await.unwrap();
    assert_eq!(
        (without.status, error_code(&without)),
        (400, "A400MA"),
        "{without:?}"
    );
    let wrong = caller.with_key("0123456789".to_owned());
    let wrong = wrong.get("/").await.unwrap();
    assert_eq!(
        (wrong.status, error_code(&wrong)),
        (400, "A400AC"),
        "{wrong:?}"
    );
    let stranger = caller.with_key(a_strangers_key(&world).await);
    let stranger = stranger.get("/").await.unwrap();
    assert_eq!(
        (stranger.status, error_code(&stranger)),
        (403, "I403AA"),
        "{stranger:?}"
    );

    // 60 a minute for each caller; the minute may turn while we count, hence twice as many.
    let mut throttled = None;
    for _ in 0..121 {
        let answer = caller.get("/").await.unwrap();
        if answer.status != 200 {
            throttled = Some(answer);
            break;
        }
    }
    let throttled = throttled.expect("121 requests within a minute, and none was throttled");
    assert_eq!(throttled.status, 429, "{throttled:?}");
    assert!(error_code(&throttled).starts_with("T429"), "{throttled:?}");
}

/// The AppCode of an app that somebody made at the console.
async fn a_strangers_key(world: &World) -> String {
    let keys = &world.options().console_keys;
    let name = [("AppName", "stranger")];
    let app = world.cloud.call(keys, CloudApi, "CreateApp", &name).await;
    let id = app.unwrap()["AppId"].to_string();
    let id = [("AppId", id.as_str())];
    let security = world.cloud.call(keys, CloudApi, "DescribeAppSecurity", &id);
    security.await.unwrap()["AppCode"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn calls_are_one_for_each_object_and_deleting_the_manifests_leaves_nothing_of_ours() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    let cluster = world.objects().await.unwrap();
    let cloud = world.cloud_objects().await.unwrap();

    let applied = Instant::now();
    world.apply(&example()).await.unwrap();
    ready(&world, &helloworld()).await;
    println!("from apply to Ready: {:?}", applied.elapsed());
    assert_eq!(
        counted(mutations(&world).await),
        once(&[
            "AttachPlugin",
            "CreateApi",
            "CreateApiGroup",
            "CreateApp",
            "CreatePlugin",
            "DeployApi",
            // The group's test domain: a call of its own.
            "ModifyApiGroupNetworkPolicy",
            "SetAppsAuthorities",
            "SetVpcAccess",
        ])
    );

    world.cloud.reset_calls().await.unwrap();
    world.delete_all(&example()).await.unwrap();
    for target in [
        helloworld(),
        consumer("default", "knative"),
        class("production"),
        intranet_service(),
        secret("default", "knative-caller"),
    ] {
        gone(&world, &target).await;
    }
    let existing = Target::of::<Service>(Some("istio-system"), "istio-ingressgateway");
    world
        .wait_for(&existing, &Expect::exists(), PATIENCE)
        .await
        .unwrap();
    cloud_is(&world, &cloud).await;
    cluster_is(&world, &cluster).await;
    let mut counts = counted(mutations(&world).await);
    // Not needed where the app went first, and the permission with it.
    let revoked = counts.remove("RemoveAppsAuthorities");
    assert!(revoked.is_none_or(|times| times == 1), "{revoked:?}");
    assert_eq!(
        counts,
        once(&[
            "AbolishApi",
            "DeleteApi",
            "DeleteApiGroup",
            "DeleteApp",
            "DeletePlugin",
            "RemoveVpcAccess",
        ])
    );
}

/// How often each action was called.
fn counted(actions: Vec<String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for action in actions {
        *counts.entry(action).or_default() += 1;
    }
    counts
}

fn once(actions: &[&str]) -> BTreeMap<String, usize> {
    actions
        .iter()
        .map(|action| ((*action).to_owned(), 1))
        .collect()
}
