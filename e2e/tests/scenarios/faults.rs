//! Under faults of the cloud every scenario comes to the same final state, at a bounded cost.

use std::time::{Duration, Instant};

use e2e::{
    harness::{How, Meter, Rehearsal, Scenario, early_calls},
    world::{Expect, OperatorOptions},
};
use kube::api::DynamicObject;
use serde_json::{Value, json};

/// Each of them is one run; the same seed gives the same faults for the same calls.
const SEEDS: [u64; 3] = [1, 7, 42];
const RETRY_AFTER: Duration = Duration::from_millis(700);
/// For a run in which every third call fails and new objects show late.
const PATIENCE: Duration = Duration::from_secs(180);
/// Reads in bad weather, as a multiple of those of an undisturbed run: each failure has a part of
/// what is known listed again, and what was just made is looked for until it shows.
const READS: usize = 6;
/// Calls that fail before an outage is over.
const OUTAGE: usize = 24;
/// Calls after which whatever was going to be done would have been begun.
const SOME: usize = 12;
/// From the end of an outage on.
const RECOVERY: Duration = Duration::from_secs(60);

async fn rehearsals() -> Vec<Rehearsal> {
    let mut rehearsals = Vec::new();
    for scenario in Scenario::all().unwrap() {
        // The more it logs, the more could be shown that must not be.
        let talkative = OperatorOptions {
            env: vec![("RUST_LOG".to_owned(), "debug".to_owned())],
            ..OperatorOptions::default()
        };
        let how = How::Process(talkative);
        rehearsals.push(Rehearsal::start(&scenario, how).await.unwrap());
    }
    rehearsals
}

/// Of the operator's calls 20 % are throttled, 5 % fail, 5 % are carried out and not answered; all
/// that is created shows in reads only after two seconds.
fn weather(seed: u64, key: &str) -> Value {
    // The first rule that fires counts, so that each sees only what those before it let pass.
    json!({"seed": seed, "consistencyDelayMs": 2000, "rules": [
        {"accessKeyId": key, "probability": 0.2,
         "effect": {"type": "throttle", "retryAfterMs": RETRY_AFTER.as_millis() as u64}},
        {"accessKeyId": key, "probability": 0.05 / 0.8, "effect": {"type": "serverError"}},
        {"accessKeyId": key, "probability": 0.05 / 0.75, "effect": {"type": "appliedButUnanswered"}},
    ]})
}

#[tokio::test]
async fn in_bad_weather_it_converges_at_a_bounded_cost_and_waits_as_it_is_told() {
    for mut rehearsal in rehearsals().await {
        for seed in SEEDS {
            in_bad_weather(&mut rehearsal, seed).await;
        }
        rehearsal.assert_no_secret_leaked().await.unwrap();
    }
}

async fn in_bad_weather(rehearsal: &mut Rehearsal, seed: u64) {
    let key = rehearsal.world.options().operator_keys.id.clone();
    rehearsal.world.cloud.reset_calls().await.unwrap();
    let plan = weather(seed, &key);
    rehearsal.world.cloud.faults(&plan).await.unwrap();
    let started = Instant::now();
    rehearsal.apply().await.unwrap();
    let context = format!("seed {seed}");
    rehearsal.applied(PATIENCE, &context).await.unwrap();
    let created = (started.elapsed(), rehearsal.costs().await.unwrap());
    rehearsal.delete().await.unwrap();
    rehearsal.gone(PATIENCE, &context).await.unwrap();
    let elapsed = started.elapsed();

    let calls = rehearsal.world.cloud.calls().await.unwrap();
    let cost = Meter::of(&calls, &key);
    let plain = &rehearsal.plain;
    let needed = plain.create.sends + plain.delete.sends;
    let reads = READS * (plain.create.reads + plain.delete.reads);
    println!(
        "{} seed {seed}: created after {:.1?} ({}), gone after {elapsed:.1?}; in all {cost}; \
         needed are {needed} sends, allowed {} and {reads} reads",
        rehearsal.scenario.name,
        created.0,
        created.1,
        needed * 3 / 2
    );
    assert!(cost.sends * 2 <= needed * 3, "{:?}", cost.by_action);
    assert!(cost.reads <= reads, "{cost}");
    assert!(cost.refused > 0, "the weather was fine: {cost}");
    let early = early_calls(&calls, &key, RETRY_AFTER);
    assert!(early.is_empty(), "{early:#?}");
}

/// How often the operator called since the calls were last reset: reads and refused changes.
async fn calls_reach(rehearsal: &Rehearsal, wanted: usize) {
    let look = async || {
        let cost = rehearsal.costs().await.map_err(|error| error.to_string())?;
        if cost.reads + cost.refused >= wanted {
            Ok(())
        } else {
            Err(cost.to_string())
        }
    };
    let expected = format!("{wanted} calls further");
    let waited = rehearsal
        .world
        .wait_until("the operator", &expected, PATIENCE, look);
    waited.await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn within_a_minute_of_the_end_of_an_outage_all_is_done() {
    for mut rehearsal in rehearsals().await {
        let key = rehearsal.world.options().operator_keys.id.clone();
        let outage = json!({"rules": [
            {"accessKeyId": key, "probability": 0.5, "effect": {"type": "serverError"}},
            {"accessKeyId": key, "effect": {"type": "throttle", "retryAfterMs": 1000}},
        ]});
        rehearsal.world.cloud.reset_calls().await.unwrap();
        rehearsal.world.cloud.faults(&outage).await.unwrap();
        rehearsal.apply().await.unwrap();
        calls_reach(&rehearsal, OUTAGE).await;
        rehearsal.world.cloud.faults(&fine()).await.unwrap();
        let ended = Instant::now();
        rehearsal
            .applied(RECOVERY, "after an outage")
            .await
            .unwrap();
        println!(
            "recovered {:.1?} after the end of the outage",
            ended.elapsed()
        );

        rehearsal.world.cloud.reset_calls().await.unwrap();
        rehearsal.world.cloud.faults(&outage).await.unwrap();
        rehearsal.delete().await.unwrap();
        calls_reach(&rehearsal, OUTAGE / 4).await;
        rehearsal.world.cloud.faults(&fine()).await.unwrap();
        rehearsal.gone(RECOVERY, "after an outage").await.unwrap();
        rehearsal.assert_no_secret_leaked().await.unwrap();
    }
}

/// An outage that lasted so long that each of those who wait would wait for minutes: its end is not
/// slept through.
#[tokio::test]
async fn after_an_outage_that_lasted_all_is_done_within_a_minute_as_well() {
    for mut rehearsal in rehearsals().await {
        // The first delay is as long as the longest, as after hours.
        let patient = OperatorOptions {
            args: vec!["--retry-delay=20m".to_owned()],
            ..OperatorOptions::default()
        };
        rehearsal.kill_operator().await.unwrap();
        rehearsal.world.start_operator(&patient).await.unwrap();
        let key = rehearsal.world.options().operator_keys.id.clone();
        let outage = json!({"rules": [{"accessKeyId": key, "effect": {"type": "serverError"}}]});
        rehearsal.world.cloud.reset_calls().await.unwrap();
        rehearsal.world.cloud.faults(&outage).await.unwrap();
        rehearsal.apply().await.unwrap();
        everybody_waits(&rehearsal).await;
        rehearsal.world.cloud.faults(&fine()).await.unwrap();
        let ended = Instant::now();
        let context = "after a long outage";
        rehearsal.applied(RECOVERY, context).await.unwrap();
        let took = ended.elapsed();
        println!("recovered {took:.1?} after the end of a long outage");
    }
}

/// Every object of ours says that the cloud cannot be reached, and backs off.
async fn everybody_waits(rehearsal: &Rehearsal) {
    let unreachable = |object: &DynamicObject| {
        let conditions = object.data.pointer("/status/conditions");
        let conditions = conditions.and_then(Value::as_array).into_iter().flatten();
        let mut reasons = conditions.map(|condition| condition["reason"].as_str());
        reasons.any(|reason| reason == Some("CloudUnreachable"))
    };
    let expect = Expect::that("waiting for the cloud", move |object| {
        let status = &object.data["status"];
        unreachable(object).then_some(()).ok_or(status.to_string())
    });
    let targets = rehearsal.targets.iter();
    for target in targets.filter(|target| target.kind().starts_with("Gateway")) {
        let waited = rehearsal.world.wait_for(target, &expect, PATIENCE).await;
        waited.unwrap_or_else(|error| panic!("{error}"));
    }
}

fn fine() -> Value {
    json!({"rules": []})
}

/// Lists that are empty or short although their total says otherwise, and lists that fail.
fn broken_lists(key: &str) -> [(&'static str, Value); 4] {
    let of = |effect: Value| {
        json!({"rules": [
            {"accessKeyId": key, "action": "Describe*", "effect": effect},
            {"accessKeyId": key, "action": "List*", "effect": effect},
        ]})
    };
    [
        ("empty", of(json!({"type": "emptyList"}))),
        ("truncated", of(json!({"type": "truncateList", "keep": 0}))),
        ("failing", of(json!({"type": "serverError", "status": 500}))),
        ("hanging", of(json!({"type": "appliedButUnanswered"}))),
    ]
}

#[tokio::test]
async fn lists_that_are_empty_truncated_or_fail_change_nothing() {
    for scenario in Scenario::all().unwrap() {
        let often = OperatorOptions {
            args: vec!["--drift-interval=1s".to_owned()],
            ..OperatorOptions::default()
        };
        let mut rehearsal = Rehearsal::start(&scenario, How::Process(often))
            .await
            .unwrap();
        let key = rehearsal.world.options().operator_keys.id.clone();
        for (kind, plan) in broken_lists(&key) {
            rehearsal.apply().await.unwrap();
            rehearsal.applied(PATIENCE, "before").await.unwrap();
            what_exists_stays(&mut rehearsal, kind, &plan).await;

            // What cannot be seen is not gone: it is deleted when it is seen again.
            rehearsal.world.cloud.faults(&plan).await.unwrap();
            rehearsal.world.cloud.reset_calls().await.unwrap();
            rehearsal.delete().await.unwrap();
            looked_or_gone(&rehearsal).await;
            rehearsal.world.cloud.faults(&fine()).await.unwrap();
            let context = format!("deleting under {kind} lists");
            rehearsal.gone(PATIENCE, &context).await.unwrap();
        }
        rehearsal.assert_no_secret_leaked().await.unwrap();
    }
}

/// The deletion was tried for a while, or is done by the ledger alone.
async fn looked_or_gone(rehearsal: &Rehearsal) {
    let look = async || {
        let cost = rehearsal.costs().await.map_err(|error| error.to_string())?;
        if cost.reads >= SOME {
            return Ok(());
        }
        rehearsal.is_gone().await
    };
    let waited = rehearsal
        .world
        .wait_until("the deletion", "tried or done", PATIENCE, look);
    waited.await.unwrap_or_else(|error| panic!("{error}"));
}

/// Neither an operator that knows what there was nor one that begins changes anything.
async fn what_exists_stays(rehearsal: &mut Rehearsal, kind: &str, plan: &Value) {
    rehearsal.world.cloud.reset_calls().await.unwrap();
    rehearsal.world.cloud.faults(plan).await.unwrap();
    calls_reach(rehearsal, SOME).await;
    rehearsal.kill_operator().await.unwrap();
    let before = rehearsal.costs().await.unwrap().reads;
    rehearsal.start_operator().await.unwrap();
    calls_reach(rehearsal, before + SOME).await;
    rehearsal.world.cloud.faults(&fine()).await.unwrap();
    let context = format!("after {kind} lists");
    rehearsal.applied(PATIENCE, &context).await.unwrap();
    let cost = rehearsal.costs().await.unwrap();
    assert_eq!(cost.sends + cost.refused, 0, "{kind}: {:?}", cost.by_action);
}
