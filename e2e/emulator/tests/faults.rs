//! Faults on demand, over HTTP as a test of another program would set them.
#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

mod common;

use std::time::{Duration, Instant};

use alicloud_emulator::Running;
use common::{Client, STS, reply, start};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn set(emulator: &Running, client: &Client, plan: Value) -> StatusCode {
    let request = client
        .http()
        .post(format!("{}/_emulator/faults", emulator.url()))
        .json(&plan);
    request.send().await.expect("an answer").status()
}

fn one(effect: Value) -> Value {
    json!({"rules": [{"action": "CreateLoadBalancer", "times": 1, "effect": effect}]})
}

async fn balancers(client: &Client) -> u64 {
    client.slb_ok("DescribeLoadBalancers", &[]).await["TotalCount"]
        .as_u64()
        .expect("a number")
}

#[tokio::test]
async fn throttling_says_how_long_to_wait_and_changes_nothing() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let plan = one(json!({"type": "throttle", "retryAfterMs": 250}));
    assert_eq!(set(&emulator, &client, plan).await, StatusCode::NO_CONTENT);
    let refusal = client.slb("CreateLoadBalancer", &[]).await;
    assert_eq!(
        (refusal.code(), refusal.status),
        ("Throttling.User", StatusCode::BAD_REQUEST)
    );
    assert_eq!(refusal.headers["x-acs-retry-after"], "250");
    assert_eq!(balancers(&client).await, 0);
    assert_eq!(client.slb("CreateLoadBalancer", &[]).await.code(), "ok");
}

#[tokio::test]
async fn server_errors_and_any_other_error_can_be_played() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    set(&emulator, &client, one(json!({"type": "serverError"}))).await;
    let refusal = client.slb("CreateLoadBalancer", &[]).await;
    assert_eq!(
        (refusal.code(), refusal.status.as_u16()),
        ("ServiceUnavailable", 503)
    );
    let effect = json!({"type": "error", "status": 403, "code": "Forbidden.RAM", "message": "m"});
    set(&emulator, &client, one(effect)).await;
    let refusal = client.slb("CreateLoadBalancer", &[]).await;
    assert_eq!(
        (refusal.code(), refusal.status.as_u16()),
        ("Forbidden.RAM", 403)
    );
    assert_eq!(balancers(&client).await, 0);
}

#[tokio::test]
async fn an_answer_can_be_lost_although_the_call_was_carried_out() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    set(
        &emulator,
        &client,
        one(json!({"type": "appliedButUnanswered"})),
    )
    .await;
    let params = [("RegionId", common::REGION)];
    let lost = client
        .v1(common::SLB, "CreateLoadBalancer", &params)
        .send()
        .await;
    assert!(
        lost.is_err(),
        "the connection should have been dropped: {lost:?}"
    );
    assert_eq!(balancers(&client).await, 1);
    set(
        &emulator,
        &client,
        one(json!({"type": "appliedButUnanswered", "loss": "gatewayTimeout"})),
    )
    .await;
    let answer = client
        .v1(common::SLB, "CreateLoadBalancer", &params)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(balancers(&client).await, 2);
    let lost: Vec<bool> = emulator
        .calls()
        .iter()
        .filter(|call| call.mutating)
        .map(|call| call.answered)
        .collect();
    assert_eq!(lost, [false, false]);
}

#[tokio::test]
async fn a_hanging_call_ends_with_the_emulator() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    set(
        &emulator,
        &client,
        json!({"rules": [{"effect": {"type": "hang"}}]}),
    )
    .await;
    let call = client.v1(STS, "GetCallerIdentity", &[]);
    let pending = tokio::spawn(call.send());
    let deadline = Instant::now() + Duration::from_secs(10);
    while emulator.calls().is_empty() {
        assert!(Instant::now() < deadline, "the call did not arrive");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!pending.is_finished());
    emulator.stop().await;
    assert!(pending.await.expect("no panic").is_err());
}

#[tokio::test]
async fn what_is_answered_need_not_be_done() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let plan = one(json!({"type": "answeredButNotApplied"}));
    set(&emulator, &client, plan).await;
    client.slb_ok("CreateLoadBalancer", &[]).await;
    assert_eq!(balancers(&client).await, 0);
    client.slb_ok("CreateLoadBalancer", &[]).await;
    assert_eq!(balancers(&client).await, 1);
}

#[tokio::test]
async fn delays_are_kept() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    set(
        &emulator,
        &client,
        json!({"rules": [{"effect": {"type": "delay", "ms": 120}}]}),
    )
    .await;
    let began = Instant::now();
    assert_eq!(
        client.call(STS, "GetCallerIdentity", &[]).await.code(),
        "ok"
    );
    assert!(began.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn lists_can_come_back_short_with_their_total() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    for _ in 0..3 {
        client.slb_ok("CreateLoadBalancer", &[]).await;
    }
    for (effect, left) in [
        (json!({"type": "truncateList", "keep": 2}), 2),
        (json!({"type": "emptyList"}), 0),
    ] {
        set(
            &emulator,
            &client,
            json!({"rules": [{"product": "SLB", "effect": effect}]}),
        )
        .await;
        let list = client.slb_ok("DescribeLoadBalancers", &[]).await;
        assert_eq!(
            list["LoadBalancers"]["LoadBalancer"]
                .as_array()
                .map(Vec::len),
            Some(left)
        );
        assert_eq!(list["TotalCount"], 3);
    }
    set(&emulator, &client, json!({"rules": []})).await;
    let list = client.slb_ok("DescribeLoadBalancers", &[]).await;
    assert_eq!(
        list["LoadBalancers"]["LoadBalancer"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
}

#[tokio::test]
async fn a_new_object_shows_in_reads_only_after_the_consistency_delay() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    set(&emulator, &client, json!({"consistencyDelayMs": 400})).await;
    let made = client.slb_ok("CreateLoadBalancer", &[]).await;
    let began = Instant::now();
    assert_eq!(balancers(&client).await, 0);
    let id = made["LoadBalancerId"].as_str().expect("an id");
    let named = client
        .slb(
            "SetLoadBalancerName",
            &[("LoadBalancerId", id), ("LoadBalancerName", "n")],
        )
        .await;
    assert_eq!(named.code(), "ok", "writes see it at once");
    while balancers(&client).await == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "it never showed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_quota_counts_calls_of_an_action() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    set(
        &emulator,
        &client,
        json!({"quota": {"requestsPerSecond": 3}}),
    )
    .await;
    let mut throttled = 0;
    for _ in 0..12 {
        let answer = client.call(STS, "GetCallerIdentity", &[]).await;
        if answer.code() == "Throttling.User" {
            assert!(answer.headers.contains_key("x-acs-retry-after"));
            throttled += 1;
        }
    }
    assert!(throttled > 0);
}

#[tokio::test]
async fn a_wrong_plan_is_refused_and_the_old_one_stays() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    set(&emulator, &client, json!({"seed": 3})).await;
    let wrong = json!({"rules": [{"effect": {"type": "explode"}}]});
    assert_eq!(
        set(&emulator, &client, wrong).await,
        StatusCode::BAD_REQUEST
    );
    let shown = reply(
        client
            .http()
            .get(format!("{}/_emulator/faults", emulator.url())),
    )
    .await;
    assert_eq!(shown.body["seed"], 3);
}
