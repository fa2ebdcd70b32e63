//! Drift: what is changed behind the operator's back in cloud and cluster is put back under
//! `driftPolicy: Enforce` and told under `driftPolicy: Report`. The kinds are in
//! [`super::drift_cases`].

use std::time::Duration;

use e2e::{
    harness::Footprint,
    world::{Expect, OperatorOptions, World, WorldOptions},
};
use serde_json::json;

use super::{
    PATIENCE,
    drift_cases::{CASES, Case, Person},
    exposed::{
        Caller, carried_out, condition, consumer, exposed_with, helloworld, mutations, ready,
    },
};

/// What the operator made itself is believed to be there for so long although no list shows it.
const LAG: Duration = Duration::from_secs(30);
/// A call that each comparison with the cloud makes once.
const CHECK: &str = "DescribeApiGroups";
/// How many more comparisons with the cloud a case goes on for once its end is reached, so that a
/// call too many would be seen.
const MORE_CHECKS: usize = 2;

/// The example with this policy, compared with the cloud every second, and with limits that the
/// requests of this scenario do not come near.
async fn exposed(policy: &str) -> World {
    let operator = OperatorOptions {
        args: vec!["--drift-interval".to_owned(), "1s".to_owned()],
        ..OperatorOptions::default()
    };
    let options = WorldOptions {
        operator: Some(operator),
        ..WorldOptions::default()
    };
    let world = exposed_with(options).await;
    let limits = json!([{"name": "total", "scope": "API", "requests": 100_000, "per": "Minute"}]);
    let spec = json!({"driftPolicy": policy, "apiGateway": {"throttling": {"limits": limits}}});
    let patch = json!({ "spec": spec });
    world.patch(&helloworld(), &patch).await.unwrap();
    let patch = json!({"spec": {"driftPolicy": policy}});
    let knative = consumer("default", "knative");
    world.patch(&knative, &patch).await.unwrap();
    settled(&world).await.unwrap();
    world
}

/// Binding and consumer are Ready and traffic flows, and nothing more is written.
async fn settled(world: &World) -> Result<(), String> {
    for target in [helloworld(), consumer("default", "knative")] {
        let expect = Expect::condition("Ready", "True");
        let waited = world.wait_for(&target, &expect, PATIENCE).await;
        waited.map_err(|error| error.to_string())?;
    }
    let caller = Caller::of(world, &helloworld()).await;
    let get = || caller.get("/");
    let answered = world.wait_for_answer("200 with the API key", PATIENCE, get, |answer| {
        answer.status == 200
    });
    answered.await.map_err(|error| error.to_string())?;
    checks(world, MORE_CHECKS).await
}

/// Waits until the operator has compared everything with the cloud this many more times.
async fn checks(world: &World, more: usize) -> Result<(), String> {
    let operator = &world.options().operator_keys.id;
    let made = async || -> Result<usize, String> {
        let calls = world.cloud.calls().await.map_err(|e| e.to_string())?;
        let checks = calls
            .iter()
            .filter(|call| call.access_key_id == *operator && call.action == CHECK);
        Ok(checks.count())
    };
    let enough = made().await? + more;
    let look = async || match made().await? {
        number if number >= enough => Ok(()),
        number => Err(format!("{number} of {enough} calls of {CHECK}")),
    };
    let waited = world.wait_until("the drift check", "done again", PATIENCE, look);
    waited.await.map_err(|error| error.to_string())
}

/// Cloud and cluster as they are now, without what differs between two makings of the same.
async fn footprint(world: &World) -> Result<Footprint, String> {
    Footprint::of(world)
        .await
        .map_err(|error| error.to_string())
}

fn same_calls(calls: Vec<String>, when: &str, expected: &[&str]) -> Result<(), String> {
    if calls == expected {
        Ok(())
    } else {
        Err(format!("{when}: calls {calls:?} instead of {expected:?}"))
    }
}

/// Under `Enforce`: everything becomes what it was, by the calls that takes and no others.
async fn enforced(world: &World, case: &Case) -> Result<(), String> {
    let before = footprint(world).await?;
    let person = Person::of(world).await;
    world.cloud.reset_calls().await.unwrap();
    person.make(case.drift).await;
    let look = async || footprint(world).await?.compare(&before);
    let waited = world.wait_until("everything", "as it was before", LAG + PATIENCE, look);
    waited.await.map_err(|error| error.to_string())?;
    settled(world).await?;
    footprint(world).await?.compare(&before)?;
    same_calls(carried_out(world).await, "repair", case.repair)
}

/// Under `Report`: it is told and left, until a person undoes it.
async fn reported(world: &World, case: &Case) -> Result<(), String> {
    let before = footprint(world).await?;
    let person = Person::of(world).await;
    world.cloud.reset_calls().await.unwrap();
    person.make(case.drift).await;
    let expect = Expect::condition_with_reason("Programmed", "False", "DriftDetected");
    let told_by = case.drift.told_by();
    let told = world.wait_for(&told_by, &expect, LAG + PATIENCE).await;
    let told = told.map_err(|error| error.to_string())?;
    let (.., message) = condition(&told, "Programmed").unwrap();
    for word in case.told.iter().chain(&["driftPolicy is Report"]) {
        if !message.contains(word) {
            return Err(format!("no {word:?} in {message:?}"));
        }
    }
    let (ready, ..) = condition(&told, "Ready").unwrap();
    if ready != "False" {
        return Err(format!("drifted, and Ready is {ready}"));
    }
    checks(world, MORE_CHECKS).await?;
    same_calls(mutations(world).await, "while it is drifted", &[])?;
    person.undo(case.drift).await;
    settled(world).await?;
    footprint(world).await?.compare(&before)?;
    let calls = mutations(world).await;
    same_calls(calls, "after it was undone", case.after_undo)
}

/// Goes through the table in one world; after a failure in a new one, so that all are told.
async fn table(policy: &str, check: impl AsyncFn(&World, &Case) -> Result<(), String>) {
    let mut world = exposed(policy).await;
    let mut failures = Vec::new();
    for case in &CASES {
        if let Err(failure) = check(&world, case).await {
            failures.push(format!("{:?}: {failure}", case.drift));
            world = exposed(policy).await;
            continue;
        }
        println!("{policy} {:?}: {:?}", case.drift, mutations(&world).await);
    }
    ready(&world, &helloworld()).await;
    assert!(failures.is_empty(), "{policy}\n{}", failures.join("\n\n"));
}

#[tokio::test]
async fn every_drift_is_repaired_under_enforce() {
    table("Enforce", enforced).await;
}

#[tokio::test]
async fn every_drift_is_told_and_left_under_report() {
    table("Report", reported).await;
}
