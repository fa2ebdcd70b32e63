//! Apps made in the console: their callers keep what they have.

use std::collections::BTreeSet;

use crds::keys::consumer_secret;
use e2e::world::{Expect, World};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    by_hand::{self, api},
    console::{Console, apply, told},
    exposed::{api_key, binding, consumer, gone, ready},
};

/// The codes of an app.
async fn codes(world: &World, app: &str) -> BTreeSet<String> {
    let answer = api(world, "DescribeAppSecurities", &[("AppId", app)]).await;
    let all = answer["AppSecuritys"]["AppSecurity"].as_array().unwrap();
    let codes = all
        .iter()
        .filter_map(|security| security["AppCode"].as_str());
    codes
        .filter(|code| !code.is_empty())
        .map(str::to_owned)
        .collect()
}

async fn codes_become(world: &World, app: &str, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|code| (*code).to_owned()).collect();
    let look = async || {
        let codes = codes(world, app).await;
        (codes == wanted)
            .then_some(())
            .ok_or_else(|| format!("{codes:?} instead of {wanted:?}"))
    };
    let waited = world.wait_until("the app's codes", "as expected", PATIENCE, look);
    waited.await.unwrap();
}

fn generated(name: &str) -> Value {
    json!({"name": name, "type": "Generated", "kinds": ["APIKey"], "secretRef": {"name": format!("caller-{name}")}})
}

#[tokio::test]
async fn callers_keep_their_codes_and_only_what_was_added_leaves() {
    let (world, console) = Console::set_up().await;
    let params = [("AppId", console.app.as_str()), ("AppCode", "by-hand-2")];
    api(&world, "CreateAppCode", &params).await;
    let theirs = [console.code.as_str(), "by-hand-2"];
    let mut caller = console.consumer();
    caller["spec"]["credentials"] = json!([generated("first")]);
    apply(
        &world,
        &[console.class(), console.binding(), caller.clone()],
    )
    .await;
    ready(&world, &binding("default", "helloworld")).await;
    let object = ready(&world, &consumer("default", "caller")).await;
    let note = &object.data["status"]["conditions"].to_string();
    assert!(note.contains("It is adopted"), "{note}");
    let taken = api_key(&world, "default", "caller-first").await;
    assert!(theirs.contains(&taken.as_str()), "taken over, not made");
    codes_become(&world, &console.app, &theirs).await;

    // A second one is a new one, and leaves with its entry.
    caller["spec"]["credentials"] = json!([generated("first"), generated("second")]);
    apply(&world, &[caller.clone()]).await;
    ready(&world, &consumer("default", "caller")).await;
    let new = api_key(&world, "default", "caller-second").await;
    assert!(!theirs.contains(&new.as_str()));
    codes_become(&world, &console.app, &[theirs[0], theirs[1], &new]).await;
    caller["spec"]["credentials"] = json!([generated("first")]);
    apply(&world, &[caller.clone()]).await;
    codes_become(&world, &console.app, &theirs).await;

    // One from a Secret of the user's is added, and leaves with the consumer.
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "imported", "namespace": "default"},
        "stringData": {"apiKey": "imported-code"}});
    let imported = json!({"name": "imported", "type": "Imported", "kinds": ["APIKey"], "secretRef": {"name": "imported"}});
    caller["spec"]["credentials"] = json!([generated("first"), imported]);
    apply(&world, &[secret, caller]).await;
    codes_become(
        &world,
        &console.app,
        &[theirs[0], theirs[1], "imported-code"],
    )
    .await;
    console.answers(&world, 200).await;
    console.let_go(&world).await;
    codes_become(&world, &console.app, &theirs).await;
    console.answers(&world, 200).await;
    let left = world.secret("default", "caller-first", consumer_secret::API_KEY);
    assert!(left.await.is_err(), "its Secret goes, the code stays");
}

#[tokio::test]
async fn one_app_is_one_consumers_and_what_is_not_there_is_told() {
    let (world, console) = Console::set_up().await;
    console.adopt(&world).await;
    let mut second = console.consumer();
    second["metadata"]["name"] = json!("second");
    second["spec"]["credentials"] = json!([generated("second")]);
    let mut allowing = console.binding();
    allowing["spec"]["apiGateway"]["auth"]["consumer"]["allow"] =
        json!([{"name": "caller"}, {"name": "second"}]);
    apply(&world, &[second.clone(), allowing]).await;
    let target = consumer("default", "second");
    let message = told(&world, &target, "NotAdoptable").await;
    for words in [&console.app, "GatewayConsumer default/caller"] {
        assert!(message.contains(words), "no {words:?} in {message:?}");
    }
    second["spec"]["existing"][0]["id"] = json!("42");
    apply(&world, &[second.clone()]).await;
    let about_id = async || {
        let message = told(&world, &target, "NotAdoptable").await;
        message
            .contains("there is no app 42")
            .then_some(())
            .ok_or(message)
    };
    let waited = world.wait_until("the message", "about the id", PATIENCE, about_id);
    waited.await.unwrap();
    let (other, code) = by_hand::app(&world, "another").await;
    second["spec"]["existing"][0]["id"] = json!(other);
    apply(&world, &[second]).await;
    ready(&world, &target).await;
    ready(&world, &binding("default", "helloworld")).await;
    assert_eq!(api_key(&world, "default", "caller-second").await, code);
    let authorization = format!("APPCODE {code}");
    let headers = [("authorization", authorization.as_str())];
    let answer = world
        .cloud
        .curl(&console.host, "/", &headers)
        .await
        .unwrap();
    assert_eq!(answer.status, 200);

    // The permission that was given to it goes with the entry; the app stays.
    apply(&world, &[console.binding()]).await;
    let get = || world.cloud.curl(&console.host, "/", &headers);
    world
        .wait_for_answer("403", PATIENCE, get, |answer| answer.status == 403)
        .await
        .unwrap();
    world.delete(&target).await.unwrap();
    gone(&world, &target).await;
    assert_eq!(codes(&world, &other).await, BTreeSet::from([code.clone()]));
}

#[tokio::test]
async fn an_app_of_the_operator_is_not_given_up_for_one_to_adopt() {
    let (world, console) = Console::set_up().await;
    let mut own = console.consumer();
    own["spec"].as_object_mut().unwrap().remove("existing");
    apply(&world, &[console.class(), console.binding(), own]).await;
    ready(&world, &binding("default", "helloworld")).await;
    let before = api_key(&world, "default", "caller").await;
    apply(&world, &[console.consumer()]).await;
    let target = consumer("default", "caller");
    let message = told(&world, &target, "NotAdoptable").await;
    assert!(
        message.contains("the operator has made an app"),
        "{message}"
    );
    let authorization = format!("APPCODE {before}");
    let headers = [("authorization", authorization.as_str())];
    let answer = world
        .cloud
        .curl(&console.host, "/", &headers)
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "its callers are not cut off");
    let mut closed = console.class();
    closed["spec"]["adoptable"] = json!(["API", "Policy"]);
    apply(&world, &[closed]).await;
    let refused = Expect::condition_with_reason("Programmed", "False", "NotAllowedByClass");
    world.wait_for(&target, &refused, PATIENCE).await.unwrap();
    let answer = world
        .cloud
        .curl(&console.host, "/", &headers)
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn one_that_was_disabled_stays_so_unless_the_spec_lets_it_in() {
    let (world, console) = Console::set_up().await;
    let params = [("AppId", console.app.as_str()), ("Disabled", "true")];
    api(&world, "ModifyApp", &params).await;
    console.adopt(&world).await;
    assert_ne!(console.get(&world, "/").await.status, 200);
    let target = consumer("default", "caller");
    let disabled = Expect::that("Disabled", |object| {
        match object.data["status"]["state"].as_str() {
            Some("Disabled") => Ok(()),
            state => Err(format!("{state:?}")),
        }
    });
    world.wait_for(&target, &disabled, PATIENCE).await.unwrap();
    let mut active = console.consumer();
    active["spec"]["state"] = json!("Active");
    apply(&world, &[active]).await;
    console.answers(&world, 200).await;
    let listed = api(&world, "DescribeApp", &[("AppId", &console.app)]).await;
    assert_eq!(listed["AppName"], "by_hand", "it keeps its name");
}
