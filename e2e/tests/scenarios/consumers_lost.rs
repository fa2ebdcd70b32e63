//! What of a consumer's credentials was lost, in status, in a Secret or in the cloud's lists, and
//! how they are found again.

use std::collections::BTreeSet;

use crds::keys::consumer_secret;
use e2e::world::{Expect, World};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    consumers_stage::{
        acme, apply, apps, codes_become, console, credentials, entry, generated, made, mutating,
        secret, start, wait,
    },
    exposed::condition,
};

#[tokio::test]
async fn a_lost_status_is_found_again_in_the_cloud() {
    let world = start(true).await;
    apply(&world, "Active", &generated("first", "APIKey")).await;
    made(&world).await;
    let before = credentials(&world).await;
    let lose = [
        "patch",
        "gwc",
        "acme",
        "--subresource=status",
        "--type=json",
        "-p",
        r#"[{"op": "remove", "path": "/status"}]"#,
    ];
    world.kubectl(&lose).await.unwrap();
    world.delete(&secret("acme-first")).await.unwrap();
    made(&world).await;
    let complete = Expect::that("is new", |object| {
        match object.metadata.deletion_timestamp {
            None => Ok(()),
            Some(_) => Err("it is being deleted".to_owned()),
        }
    });
    wait(&world, &secret("acme-first"), &complete).await;
    assert_eq!(credentials(&world).await.0, before.0);
    let code = entry(&world, "acme-first", consumer_secret::API_KEY).await;
    codes_become(&world, &[&code]).await;
    assert_eq!(before.0, BTreeSet::from([code]));
}

/// Lists of an app's credentials that the operator was answered.
async fn lists(world: &World) -> usize {
    let operator = &world.options().operator_keys.id;
    let calls = world.cloud.calls().await.unwrap();
    let lists = calls
        .iter()
        .filter(|call| call.access_key_id == *operator && call.action == "DescribeAppSecurities");
    lists.count()
}

async fn listed(world: &World, times: usize) {
    let look = async || match lists(world).await {
        made if made >= times => Ok(()),
        made => Err(format!("{made} of {times}")),
    };
    let waited = world.wait_until("DescribeAppSecurities", "called", 2 * PATIENCE, look);
    waited.await.unwrap();
}

/// Asks for a pass over the consumer.
async fn look_now(world: &World, number: usize) {
    let annotation = json!({"gatewaybinding.dev/reconcile-at": number.to_string()});
    let patch = json!({"metadata": {"annotations": annotation}});
    world.patch(&acme(), &patch).await.unwrap();
}

/// That a list has not a credential whose Secret was lost does not prove that there is none: callers
/// have it, and a new one would lock them out.
#[tokio::test]
async fn a_list_without_a_credential_does_not_make_a_new_one() {
    let world = start(true).await;
    let both = [
        generated("first", "APIKey, KeyPair"),
        generated("second", "APIKey"),
    ];
    apply(&world, "Active", &both.join(", ")).await;
    made(&world).await;
    let before = credentials(&world).await;
    let second = entry(&world, "acme-second", consumer_secret::API_KEY).await;
    let key = &world.options().operator_keys.id;
    let rule = |effect: Value| json!({"accessKeyId": key, "action": "DescribeAppSecurities", "effect": effect});
    let cut = rule(json!({"type": "truncateList", "keep": 1}));
    let empty = rule(json!({"type": "emptyList"}));

    // Empty, as often as it is asked for; then without the one in question, in one pass after the other.
    world.cloud.reset_calls().await.unwrap();
    world
        .cloud
        .faults(&json!({"rules": [empty]}))
        .await
        .unwrap();
    world.delete(&secret("acme-second")).await.unwrap();
    listed(&world, 2).await;
    world.cloud.faults(&json!({"rules": [cut]})).await.unwrap();
    for look in 1..=3 {
        world.cloud.reset_calls().await.unwrap();
        look_now(&world, look).await;
        listed(&world, 1).await;
    }
    world.cloud.faults(&json!({"rules": []})).await.unwrap();
    look_now(&world, 4).await;
    made(&world).await;
    let found = entry(&world, "acme-second", consumer_secret::API_KEY).await;
    assert_eq!(found, second, "it is the one that callers have");
    assert_eq!(credentials(&world).await, before);
    let mut changes = mutating(&world).await;
    changes.retain(|action| action.contains("App"));
    assert_eq!(changes, Vec::<String>::new());

    // That one was removed only a person knows: it gets another name, and with that a new value.
    let id = apps(&world).await[0]["AppId"].to_string();
    let params = [("AppId", id.as_str()), ("AppCode", second.as_str())];
    console(&world, "DeleteAppCode", &params).await;
    world.delete(&secret("acme-second")).await.unwrap();
    let missing = Expect::that("lacking one", |consumer| {
        match condition(consumer, "Ready") {
            Some((_, reason, message))
                if reason == "SecretNotFound" && message.contains("another name") =>
            {
                Ok(())
            }
            other => Err(format!("it says {other:?}")),
        }
    });
    wait(&world, &acme(), &missing).await;
    let both = [
        generated("first", "APIKey, KeyPair"),
        generated("third", "APIKey"),
    ];
    apply(&world, "Active", &both.join(", ")).await;
    wait(&world, &secret("acme-third"), &Expect::exists()).await;
    let first = entry(&world, "acme-first", consumer_secret::API_KEY).await;
    let third = entry(&world, "acme-third", consumer_secret::API_KEY).await;
    codes_become(&world, &[&first, &third]).await;
}
