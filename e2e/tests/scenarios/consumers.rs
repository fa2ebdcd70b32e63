//! The life of GatewayConsumers: made where a binding names them, kept in step with their Secrets,
//! rotated, disabled, and removed.

use std::{collections::BTreeSet, time::Duration};

use crds::{GatewayBinding, keys::consumer_secret};
use e2e::world::{Expect, Target, World};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::PATIENCE;
use super::consumers_stage::{
    BINDING, CLASS, POLL, acme, apply, apps, codes_become, console, credentials, entry, generated,
    made, mutating, ready, secret, start, wait,
};

/// Applies a Secret that is not the operator's.
async fn apply_secret(world: &World, name: &str, entries: &Value) {
    let yaml = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": "default"},
        "stringData": entries,
    });
    world.apply(&yaml.to_string()).await.unwrap();
}

#[tokio::test]
async fn it_is_made_for_the_first_binding_and_leaves_with_the_last() {
    let world = start(false).await;
    apply(&world, "Active", &generated("first", "APIKey, KeyPair")).await;
    let unnamed = ready(&world).await;
    let message = &unnamed["status"]["conditions"][3]["message"];
    assert!(
        message.as_str().unwrap().contains("when a binding"),
        "{unnamed}"
    );
    assert_eq!(apps(&world).await, Vec::<Value>::new());
    let code = entry(&world, "acme-first", consumer_secret::API_KEY).await;
    let id = entry(&world, "acme-first", consumer_secret::KEY_ID).await;
    let key_secret = entry(&world, "acme-first", consumer_secret::KEY_SECRET).await;

    world.apply(BINDING).await.unwrap();
    let status = made(&world).await;
    assert_eq!(
        credentials(&world).await,
        (
            BTreeSet::from([code.clone()]),
            BTreeSet::from([(id, key_secret.clone())])
        )
    );
    let shown = status.to_string();
    assert!(
        !shown.contains(&code) && !shown.contains(&key_secret),
        "{shown}"
    );
    let calls = mutating(&world).await;
    let apps_made = calls.iter().filter(|action| action.contains("App"));
    assert_eq!(apps_made.collect::<Vec<_>>(), ["CreateApp"]);

    let binding = Target::of::<GatewayBinding>(Some("default"), "shop");
    world.delete(&binding).await.unwrap();
    let left = Expect::that("in no account", |object| {
        let status = &object.data["status"];
        match (&status["accounts"], &status["ledger"]) {
            (Value::Null, ledger) if !ledger.to_string().contains("Consumer") => Ok(()),
            _ => Err(status.to_string()),
        }
    });
    wait(&world, &acme(), &left).await;
    assert_eq!(apps(&world).await, Vec::<Value>::new());
    ready(&world).await;

    world.delete(&acme()).await.unwrap();
    wait(&world, &acme(), &Expect::gone()).await;
    wait(&world, &secret("acme-first"), &Expect::gone()).await;
    let log = std::fs::read_to_string(world.operator.as_ref().unwrap().log()).unwrap();
    assert!(
        !log.contains(&code) && !log.contains(&key_secret),
        "a secret in the log"
    );
}

#[tokio::test]
async fn a_lost_secret_comes_back_from_the_cloud_and_nothing_else_is_written() {
    let world = start(true).await;
    apply(&world, "Active", &generated("first", "APIKey, KeyPair")).await;
    made(&world).await;
    let before = credentials(&world).await;
    world.cloud.reset_calls().await.unwrap();
    world.delete(&secret("acme-first")).await.unwrap();
    let complete = Expect::that("has three entries", |object| {
        match object.data["data"].as_object().map(serde_json::Map::len) {
            Some(3) if object.metadata.deletion_timestamp.is_none() => Ok(()),
            entries => Err(format!("it has {entries:?}")),
        }
    });
    wait(&world, &secret("acme-first"), &complete).await;
    let code = entry(&world, "acme-first", consumer_secret::API_KEY).await;
    assert_eq!(before.0, BTreeSet::from([code]));
    ready(&world).await;
    assert_eq!(credentials(&world).await, before);
    let calls = mutating(&world).await;
    assert!(
        calls.iter().all(|action| !action.contains("App")),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_credential_is_rotated_by_adding_one_and_removing_the_other() {
    let world = start(true).await;
    let (first, second) = (generated("first", "APIKey"), generated("second", "APIKey"));
    apply(&world, "Active", &first).await;
    made(&world).await;
    let old = entry(&world, "acme-first", consumer_secret::API_KEY).await;
    codes_become(&world, &[&old]).await;

    apply(&world, "Active", &format!("{first}, {second}")).await;
    ready(&world).await;
    let new = entry(&world, "acme-second", consumer_secret::API_KEY).await;
    codes_become(&world, &[&old, &new]).await;

    apply(&world, "Active", &second).await;
    let status = ready(&world).await;
    codes_become(&world, &[&new]).await;
    wait(&world, &secret("acme-first"), &Expect::gone()).await;
    assert_eq!(
        status["status"]["credentials"],
        json!([{"name": "second", "kinds": ["APIKey"]}])
    );
    // The pair that the product made with the app was never listed.
    assert_eq!(credentials(&world).await.1.len(), 1);
}

#[tokio::test]
async fn a_kind_that_is_no_longer_listed_stops_working() {
    let world = start(true).await;
    apply(&world, "Active", &generated("first", "APIKey, KeyPair")).await;
    made(&world).await;
    let code = entry(&world, "acme-first", consumer_secret::API_KEY).await;
    apply(&world, "Active", &generated("first", "APIKey")).await;
    ready(&world).await;
    assert_eq!(
        credentials(&world).await,
        (BTreeSet::from([code]), BTreeSet::new())
    );
}

#[tokio::test]
async fn disabled_it_is_refused_and_keeps_its_credentials() {
    let world = start(true).await;
    apply(&world, "Active", &generated("first", "APIKey")).await;
    made(&world).await;
    let before = credentials(&world).await;
    apply(&world, "Disabled", &generated("first", "APIKey")).await;
    let status = ready(&world).await;
    assert_eq!(status["status"]["state"], "Disabled");
    assert_eq!(apps(&world).await[0]["Disabled"], true);
    assert_eq!(credentials(&world).await, before);
    apply(&world, "Active", &generated("first", "APIKey")).await;
    assert_eq!(ready(&world).await["status"]["state"], "Active");
    assert_eq!(apps(&world).await[0]["Disabled"], false);
}

#[tokio::test]
async fn a_credential_ends_when_its_time_is_over() {
    let world = start(true).await;
    let until = k8s_openapi::jiff::Timestamp::now() + Duration::from_secs(5);
    let ends = format!(
        "{{name: ends, type: Generated, kinds: [APIKey], secretRef: {{name: acme-ends}}, until: \"{until:.0}\"}}"
    );
    apply(
        &world,
        "Active",
        &format!("{ends}, {}", generated("stays", "APIKey")),
    )
    .await;
    made(&world).await;
    let stays = entry(&world, "acme-stays", consumer_secret::API_KEY).await;
    codes_become(&world, &[&stays]).await;
    let gone = Expect::that(
        "one credential",
        |object| match object.data["status"]["credentials"].as_array() {
            Some(all) if all.len() == 1 && all[0]["name"] == "stays" => Ok(()),
            all => Err(format!("status.credentials is {all:?}")),
        },
    );
    wait(&world, &acme(), &gone).await;
    ready(&world).await;
}

#[tokio::test]
async fn an_imported_secret_is_read_only_and_followed() {
    let world = start(true).await;
    let imported = "{name: key, type: Imported, kinds: [APIKey], secretRef: {name: own}, keys: {apiKey: token}}";
    apply(&world, "Active", imported).await;
    let missing = Expect::condition_with_reason("ResolvedRefs", "False", "SecretNotFound");
    wait(&world, &acme(), &missing).await;

    apply_secret(&world, "own", &json!({"password": "x"})).await;
    let invalid = Expect::condition_with_reason("ResolvedRefs", "False", "SecretInvalid");
    wait(&world, &acme(), &invalid).await;
    assert_eq!(apps(&world).await, Vec::<Value>::new());

    apply_secret(&world, "own", &json!({"token": "imported-code-1"})).await;
    made(&world).await;
    codes_become(&world, &["imported-code-1"]).await;
    apply_secret(&world, "own", &json!({"token": "imported-code-2"})).await;
    codes_become(&world, &["imported-code-2"]).await;

    // A Secret that is gone takes nothing away, and comes back as somebody wills.
    world.delete(&secret("own")).await.unwrap();
    wait(&world, &acme(), &missing).await;
    codes_become(&world, &["imported-code-2"]).await;

    // A code that another app has is refused in words that do not hold it.
    console(
        &world,
        "CreateApp",
        &[("AppName", "stranger"), ("AppCode", "taken-code")],
    )
    .await;
    apply_secret(&world, "own", &json!({"token": "taken-code"})).await;
    let taken = Expect::condition_with_reason("Programmed", "False", "SecretInvalid");
    let status = wait(&world, &acme(), &taken).await.data.to_string();
    assert!(!status.contains("taken-code"), "{status}");
}

#[tokio::test]
async fn secrets_and_apps_of_others_are_left_alone() {
    let world = start(true).await;
    apply_secret(&world, "acme-first", &json!({"apiKey": "somebody's"})).await;
    apply(&world, "Active", &generated("first", "APIKey")).await;
    let foreign = Expect::condition_with_reason("ResolvedRefs", "False", "SecretNotOwned");
    wait(&world, &acme(), &foreign).await;
    let kept = entry(&world, "acme-first", consumer_secret::API_KEY).await;
    assert_eq!(kept, "somebody's");
    assert_eq!(apps(&world).await, Vec::<Value>::new());

    let name = gatewaybinding_operator::core::names::consumer_name("c1f0", "default", "acme");
    console(&world, "CreateApp", &[("AppName", &name)]).await;
    let squatter = apps(&world).await;
    world.delete(&secret("acme-first")).await.unwrap();
    world
        .kubectl(&[
            "annotate",
            "gwc",
            "acme",
            "gatewaybinding.dev/reconcile-at=1",
        ])
        .await
        .unwrap();
    let taken = Expect::condition_with_reason("Programmed", "False", "NotOwned");
    wait(&world, &acme(), &taken).await;
    world.delete(&acme()).await.unwrap();
    wait(&world, &acme(), &Expect::gone()).await;
    assert_eq!(apps(&world).await, squatter);
}

#[tokio::test]
async fn it_cannot_go_while_no_class_leads_to_it_unless_it_is_detached() {
    let world = start(true).await;
    apply(&world, "Active", &generated("first", "APIKey")).await;
    made(&world).await;
    // Nobody answers where the class now says that its credentials come from.
    let broken = CLASS.replace(
        "{type: Environment}",
        "{type: CredentialsURI, credentialsURI: {uri: \"http://127.0.0.1:9/\"}}",
    );
    world.apply(&broken).await.unwrap();
    world.delete(&acme()).await.unwrap();
    let blocked = Expect::that("DeletionBlocked", |object| {
        let conditions = object.data["status"]["conditions"].to_string();
        if conditions.contains("DeletionBlocked")
            && conditions.contains("gatewaybinding.dev/detach")
        {
            Ok(())
        } else {
            Err(conditions)
        }
    });
    wait(&world, &acme(), &blocked).await;
    assert_eq!(apps(&world).await.len(), 1);
    world
        .kubectl(&["annotate", "gwc", "acme", "gatewaybinding.dev/detach=true"])
        .await
        .unwrap();
    wait(&world, &acme(), &Expect::gone()).await;
    assert_eq!(apps(&world).await.len(), 1);
}

#[tokio::test]
async fn answers_that_are_lost_and_lists_that_lag_leave_no_duplicate_and_lose_no_credential() {
    let world = start(true).await;
    let lost = |action: &str| json!({"product": "CloudAPI", "action": action, "times": 1, "effect": {"type": "appliedButUnanswered"}});
    let rules: Vec<Value> = ["CreateApp", "CreateAppCode", "DeleteAppCode"]
        .map(lost)
        .to_vec();
    let plan = json!({"seed": 1, "consistencyDelayMs": 1000, "rules": rules});
    world.cloud.faults(&plan).await.unwrap();
    let (first, second) = (generated("first", "APIKey"), generated("second", "APIKey"));
    apply(&world, "Active", &first).await;
    made(&world).await;
    let old = entry(&world, "acme-first", consumer_secret::API_KEY).await;
    codes_become(&world, &[&old]).await;

    apply(&world, "Active", &format!("{first}, {second}")).await;
    ready(&world).await;
    let new = entry(&world, "acme-second", consumer_secret::API_KEY).await;
    codes_become(&world, &[&old, &new]).await;

    apply(&world, "Active", &second).await;
    ready(&world).await;
    codes_become(&world, &[&new]).await;
}

#[tokio::test]
async fn an_operator_that_is_killed_takes_up_where_it_was() {
    let mut world = start(true).await;
    // Made in the cloud, and killed before it can say so.
    let plan = json!({"rules": [
        {"product": "CloudAPI", "action": "CreateApp", "times": 1, "effect": {"type": "appliedButUnanswered", "loss": "hang"}},
    ]});
    world.cloud.faults(&plan).await.unwrap();
    apply(&world, "Active", &generated("first", "APIKey")).await;
    let deadline = Instant::now() + PATIENCE;
    while apps(&world).await.is_empty() {
        assert!(Instant::now() < deadline, "no app was made");
        sleep(POLL).await;
    }
    let operator = world.operator.take().unwrap();
    operator.kill().await.unwrap();
    let options = world.options().operator.clone().unwrap();
    world.start_operator(&options).await.unwrap();
    made(&world).await;
    let code = entry(&world, "acme-first", consumer_secret::API_KEY).await;
    codes_become(&world, &[&code]).await;
}

#[tokio::test]
async fn a_check_on_request_compares_credentials_and_writes_nothing() {
    let world = start(true).await;
    apply(&world, "Active", &generated("first", "APIKey")).await;
    let before = made(&world).await;
    // One pass ends before the next one of the same consumer begins: the second request shows that
    // the first one's pass is over.
    for request in ["1", "2"] {
        world.cloud.reset_calls().await.unwrap();
        let annotation = format!("gatewaybinding.dev/reconcile-at={request}");
        let annotate = ["annotate", "--overwrite", "gwc", "acme", &annotation];
        world.kubectl(&annotate).await.unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let calls = world.cloud.calls().await.unwrap();
            if calls
                .iter()
                .any(|call| call.action == "DescribeAppSecurities")
            {
                break;
            }
            assert!(Instant::now() < deadline, "credentials were not compared");
            sleep(POLL).await;
        }
        let calls = mutating(&world).await;
        assert!(
            calls.iter().all(|action| !action.contains("App")),
            "{calls:?}"
        );
    }
    assert_eq!(ready(&world).await["status"], before["status"]);
}
