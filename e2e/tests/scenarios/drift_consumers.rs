//! Drift of consumers: what is done to an app at the console, or to a Secret with a generated
//! credential, is put back under `driftPolicy: Enforce` and told under `Report`.

use alicloud_emulator::api::Product::CloudApi;
use crds::keys::consumer_secret;
use e2e::world::{Expect, OperatorOptions, World, WorldOptions};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    exposed::{
        Caller, api_key, carried_out, condition, consumer, exposed_with, helloworld, mutations,
        ready, secret,
    },
};

/// What somebody does. That an app is deleted is among [`super::drift_cases`].
#[derive(Clone, Copy, Debug)]
enum Deed {
    EditApp,
    DisableApp,
    RemoveCode,
    DeleteSecret,
}

/// A deed, what repairs it, and what is told of it.
struct Case {
    deed: Deed,
    repair: &'static [&'static str],
    told: &'static str,
}

const CASES: [Case; 4] = [
    Case {
        deed: Deed::EditApp,
        repair: &["ModifyApp"],
        told: "(description)",
    },
    Case {
        deed: Deed::DisableApp,
        repair: &["ModifyApp"],
        told: "(disabled)",
    },
    Case {
        deed: Deed::RemoveCode,
        repair: &["CreateAppCode"],
        told: "(APIKey of credential",
    },
    Case {
        deed: Deed::DeleteSecret,
        repair: &[],
        told: "kubernetes/Secret/default/knative-caller is gone",
    },
];

async fn world(policy: &str) -> World {
    let operator = OperatorOptions {
        args: vec!["--drift-interval=1s".to_owned()],
        ..OperatorOptions::default()
    };
    let world = exposed_with(WorldOptions {
        operator: Some(operator),
        ..WorldOptions::default()
    })
    .await;
    let unlimited = json!({"spec": {"apiGateway": {"throttling": null}}});
    world.patch(&helloworld(), &unlimited).await.unwrap();
    set_policy(&world, policy).await;
    world
}

async fn set_policy(world: &World, policy: &str) {
    let patch = json!({"spec": {"driftPolicy": policy}});
    for target in [helloworld(), consumer("default", "knative")] {
        world.patch(&target, &patch).await.unwrap();
    }
    settled(world).await;
}

async fn settled(world: &World) {
    ready(world, &consumer("default", "knative")).await;
    ready(world, &helloworld()).await;
    let caller = Caller::of(world, &helloworld()).await;
    caller.get_until("/", 200).await;
}

/// The one app that there is.
async fn app(world: &World) -> Option<Value> {
    let state = world.cloud.state().await.unwrap();
    let apps = state["cloudapi"]["apps"].as_object().unwrap();
    apps.values().next().map(|app| app["value"].clone())
}

async fn make(world: &World, deed: Deed) {
    let app = app(world).await.unwrap();
    let id = app["id"].to_string();
    let code = app["codes"][0]["code"].as_str().unwrap();
    let id = ("AppId", id.as_str());
    let (action, params) = match deed {
        Deed::EditApp => ("ModifyApp", vec![id, ("Description", "by hand")]),
        Deed::DisableApp => ("ModifyApp", vec![id, ("Disabled", "true")]),
        Deed::RemoveCode => ("DeleteAppCode", vec![id, ("AppCode", code)]),
        Deed::DeleteSecret => {
            let target = secret("default", "knative-caller");
            return world.delete(&target).await.unwrap();
        }
    };
    let keys = &world.options().console_keys;
    world
        .cloud
        .call(keys, CloudApi, action, &params)
        .await
        .unwrap();
}

/// The credentials of the only app.
fn credentials(app: &Value) -> Vec<&str> {
    let (codes, keys) = (app["codes"].as_array(), app["keys"].as_array());
    let codes = codes.into_iter().flatten().map(|code| &code["code"]);
    let keys = keys.into_iter().flatten().map(|key| &key["secret"]);
    codes.chain(keys).filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn what_is_done_to_a_consumer_is_put_back_under_enforce() {
    let world = world("Enforce").await;
    for case in &CASES {
        let before = app(&world).await.unwrap();
        let key = api_key(&world, "default", "knative-caller").await;
        world.cloud.reset_calls().await.unwrap();
        make(&world, case.deed).await;
        let look = async || {
            let now = app(&world).await.ok_or("there is no app")?;
            for member in ["id", "name", "description", "disabled", "tags"] {
                if now[member] != before[member] {
                    return Err(format!("its {member} is {}", now[member]));
                }
            }
            if credentials(&now) != credentials(&before) {
                return Err("its credentials are others".to_owned());
            }
            let secret = world.secret("default", "knative-caller", consumer_secret::API_KEY);
            match secret.await {
                Ok(now) if now == key => Ok(()),
                Ok(_) => Err("its Secret holds another key".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        };
        let what = format!("{:?}", case.deed);
        let waited = world.wait_until(&what, "put back", PATIENCE, look).await;
        waited.unwrap();
        settled(&world).await;
        assert_eq!(carried_out(&world).await, case.repair, "{what}");
    }
}

#[tokio::test]
async fn what_is_done_to_a_consumer_is_told_and_left_under_report() {
    let world = world("Report").await;
    let knative = consumer("default", "knative");
    for case in &CASES {
        world.cloud.reset_calls().await.unwrap();
        make(&world, case.deed).await;
        let drifted = Expect::condition_with_reason("Programmed", "False", "DriftDetected");
        let told = world.wait_for(&knative, &drifted, PATIENCE).await.unwrap();
        let (_, _, message) = condition(&told, "Programmed").unwrap();
        for word in [case.told, "driftPolicy is Report"] {
            assert!(message.contains(word), "no {word:?} in {message:?}");
        }
        looked_on(&world).await;
        world.wait_for(&knative, &drifted, PATIENCE).await.unwrap();
        let none = Vec::<String>::new();
        assert_eq!(mutations(&world).await, none, "{:?}", case.deed);

        set_policy(&world, "Enforce").await;
        assert_eq!(carried_out(&world).await, case.repair, "{:?}", case.deed);
        set_policy(&world, "Report").await;
    }
}

/// Waits until the operator has compared apps some more times.
async fn looked_on(world: &World) {
    let operator = &world.options().operator_keys.id;
    let made = async || {
        let calls = world.cloud.calls().await.unwrap();
        let looks = calls.iter().filter(|call| {
            call.access_key_id == *operator && call.action == "DescribeAppAttributes"
        });
        looks.count()
    };
    let enough = made().await + 3;
    let look = async || match made().await {
        looks if looks >= enough => Ok(()),
        looks => Err(format!("{looks} of {enough} comparisons")),
    };
    let waited = world.wait_until("the operator", "looking on", PATIENCE, look);
    waited.await.unwrap();
}
