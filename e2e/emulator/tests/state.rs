//! The state file, the dump, and the call log over HTTP.
#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

mod common;

use common::{Client, builder, reply, start};
use reqwest::StatusCode;

#[tokio::test]
async fn the_state_survives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state.json");
    let first = builder().state_file(&file).start().await.expect("starts");
    let made = Client::of(&first)
        .slb_ok("CreateLoadBalancer", &[("LoadBalancerName", "kept")])
        .await;
    first.stop().await;
    let second = builder()
        .state_file(&file)
        .start()
        .await
        .expect("starts again");
    let client = Client::of(&second);
    let id = made["LoadBalancerId"].as_str().expect("an id");
    let view = client
        .slb_ok("DescribeLoadBalancerAttribute", &[("LoadBalancerId", id)])
        .await;
    assert_eq!(view["LoadBalancerName"], "kept");
    let other = client.slb_ok("CreateLoadBalancer", &[]).await;
    assert_ne!(other["LoadBalancerId"], made["LoadBalancerId"]);
    assert_ne!(other["Address"], made["Address"]);
}

#[tokio::test]
async fn a_change_reaches_the_file_while_running() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state.json");
    let emulator = builder().state_file(&file).start().await.expect("starts");
    Client::of(&emulator)
        .slb_ok("CreateLoadBalancer", &[("LoadBalancerName", "written")])
        .await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("written")) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the file holds no load balancer"
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_world_is_the_same_on_every_start() {
    let (one, two) = (start().await, start().await);
    let ids = |emulator: &alicloud_emulator::Running| {
        emulator
            .state()
            .world()
            .vpc
            .vswitches
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&one), ids(&two));
    let made = [&one, &two].map(Client::of);
    let [first, second] = made;
    let first = first.slb_ok("CreateLoadBalancer", &[]).await;
    let second = second.slb_ok("CreateLoadBalancer", &[]).await;
    assert_eq!(first["LoadBalancerId"], second["LoadBalancerId"]);
}

#[tokio::test]
async fn a_dump_can_be_put_back() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let url = format!("{}/_emulator/state", emulator.url());
    let empty = reply(client.http().get(&url)).await.body;
    client.slb_ok("CreateLoadBalancer", &[]).await;
    let put = client
        .http()
        .put(&url)
        .json(&empty)
        .send()
        .await
        .expect("an answer");
    assert_eq!(put.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        client.slb_ok("DescribeLoadBalancers", &[]).await["TotalCount"],
        0
    );
}

#[tokio::test]
async fn calls_are_logged_as_lines_and_can_be_cleared() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let made = client
        .slb_ok("CreateLoadBalancer", &[("LoadBalancerName", "n")])
        .await;
    client
        .slb("CreateLoadBalancer", &[("LoadBalancerName", "a b")])
        .await;
    let url = format!("{}/_emulator/calls", emulator.url());
    let text = client
        .http()
        .get(&url)
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("text");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["outcome"], "ok");
    assert_eq!(lines[0]["mutating"], true);
    assert_eq!(lines[0]["ids"]["LoadBalancerId"], made["LoadBalancerId"]);
    assert_eq!(lines[1]["outcome"], "InvalidParameter");
    assert!(!text.contains(common::SECRET));
    client.http().delete(&url).send().await.expect("an answer");
    assert!(emulator.calls().is_empty());
    let health = reply(
        client
            .http()
            .get(format!("{}/_emulator/health", emulator.url())),
    )
    .await;
    assert_eq!(health.body["status"], "ok");
}
