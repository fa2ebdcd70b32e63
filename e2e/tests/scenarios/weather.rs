//! A cloud on a bad day: it throttles, fails, loses answers, shows things late, and lists less than
//! there is.

use std::time::Duration;

use e2e::world::{OperatorOptions, World, WorldOptions};
use serde_json::{Value, json};

use super::exposed::{
    Caller, class, cloud_is, cluster_is, consumer, example, exposed_with, helloworld, mutations,
    now, ready,
};
use super::sharing::number_of;
use e2e::world::Expect;

/// For what the operator retries with backoff.
const LONG: Duration = Duration::from_secs(120);

fn rules(rules: Value) -> Value {
    json!({"seed": 7, "consistencyDelayMs": 300, "rules": rules})
}

#[tokio::test]
async fn bad_weather_costs_time_and_nothing_else() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    let (cluster, cloud) = (
        world.objects().await.unwrap(),
        world.cloud_objects().await.unwrap(),
    );
    let operator = world.options().operator_keys.id.clone();
    let bad = rules(json!([
        {"accessKeyId": operator, "probability": 0.3, "times": 4, "effect": {"type": "throttle", "retryAfterMs": 100}},
        {"accessKeyId": operator, "probability": 0.3, "times": 4, "effect": {"type": "serverError"}},
        {"accessKeyId": operator, "probability": 0.5, "times": 5, "mutatingOnly": true, "effect": {"type": "appliedButUnanswered"}},
    ]));
    world.cloud.faults(&bad).await.unwrap();
    world.apply(&example()).await.unwrap();
    let is_ready = Expect::condition("Ready", "True");
    world
        .wait_for(&helloworld(), &is_ready, LONG)
        .await
        .unwrap();
    for (kind, number) in number_of(&world).await {
        assert_eq!(number, 1, "{kind}");
    }
    Caller::of(&world, &helloworld())
        .await
        .get_until("/", 200)
        .await;

    // Once more for the way back.
    world.cloud.faults(&bad).await.unwrap();
    world.delete_all(&example()).await.unwrap();
    for target in [
        helloworld(),
        consumer("default", "knative"),
        class("production"),
    ] {
        world
            .wait_for(&target, &Expect::gone(), LONG)
            .await
            .unwrap();
    }
    world.cloud.faults(&json!({"rules": []})).await.unwrap();
    cloud_is(&world, &cloud).await;
    cluster_is(&world, &cluster).await;
}

/// An empty or cut list is no proof that anything is gone.
#[tokio::test]
async fn lists_that_show_less_than_there_is_change_nothing() {
    let operator = OperatorOptions {
        args: vec!["--drift-interval".to_owned(), "1s".to_owned()],
        ..OperatorOptions::default()
    };
    let world = exposed_with(WorldOptions {
        operator: Some(operator),
        ..WorldOptions::default()
    })
    .await;
    ready(&world, &consumer("default", "knative")).await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
    let key = world.options().operator_keys.id.clone();
    for effect in [
        json!({"type": "emptyList"}),
        json!({"type": "truncateList", "keep": 0}),
        json!({"type": "error", "status": 500, "code": "InternalError", "message": "Try later."}),
    ] {
        let rule = json!({"accessKeyId": key, "product": "CloudAPI", "action": "Describe*", "effect": effect});
        world
            .cloud
            .faults(&json!({ "rules": [rule] }))
            .await
            .unwrap();
        world.cloud.reset_calls().await.unwrap();
        let looked = async || {
            let calls = world.cloud.calls().await.map_err(|e| e.to_string())?;
            let lists = calls
                .iter()
                .filter(|call| call.access_key_id == key && call.action.starts_with("Describe"));
            let number = lists.count();
            (number >= 20)
                .then_some(())
                .ok_or_else(|| format!("only {number} looks at the cloud"))
        };
        let waited = world.wait_until("the drift check", "done some times", LONG, looked);
        waited.await.unwrap();
        assert_eq!(mutations(&world).await, Vec::<String>::new(), "{effect}");
        assert_eq!(caller.get("/").await.unwrap().status, 200, "{effect}");
    }
    world.cloud.faults(&json!({"rules": []})).await.unwrap();
    ready(&world, &helloworld()).await;
    let ledger = now(&world, &helloworld()).await.data["status"]["ledger"].clone();
    assert_ne!(ledger, json!([]), "the ledger is whole");
}
