//! The stand-in for the cloud controller manager, held against recordings of the real one, call by call.
//! `docs/stand-ins.md` tells how these are made.

#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.
#![allow(unreachable_pub)]

mod common;

#[path = "ccm_recorded/names.rs"]
mod names;
#[path = "ccm_recorded/proxy.rs"]
mod proxy;
#[path = "ccm_recorded/real.rs"]
mod real;
#[path = "ccm_recorded/record.rs"]
mod record;
#[path = "ccm_recorded/stage.rs"]
mod stage;
#[path = "ccm_recorded/steps.rs"]
mod steps;

use std::path::{Path, PathBuf};
use std::time::Duration;

use alicloud_emulator::ccm::{self, CloudConfig, Options};
use record::{Recording, Seen};
use stage::{CLUSTER, Stage, Until};
use steps::Scenario;
use tokio_util::sync::CancellationToken;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/ccm")
}

fn scenarios() -> Vec<Scenario> {
    let text = std::fs::read_to_string(folder().join("steps.yaml")).expect("the steps");
    let all: Vec<Scenario> = serde_saphyr::from_str(&text).expect("the steps are well-formed");
    // For work on one of them.
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    all.into_iter()
        .filter(|scenario| scenario.name.contains(&wanted))
        .collect()
}

fn file(scenario: &Scenario) -> PathBuf {
    folder().join(format!("{}.json", scenario.name))
}

#[tokio::test]
async fn the_stand_in_does_what_the_real_one_was_seen_to_do() {
    let stage = Stage::set().await;
    if let Some(binary) = std::env::var_os("RECORD_CCM") {
        return record(&stage, Path::new(&binary)).await;
    }
    let stopping = CancellationToken::new();
    let playing = tokio::spawn(ccm::run(
        Options {
            cluster_id: CLUSTER.to_owned(),
            // The recordings have no second attempts.
            retry_min: Duration::from_secs(3600),
            ..Options::new(stage.control_plane.client())
        },
        cloud_config(&stage),
        stage.emulator.state().http().clone(),
        stopping.clone(),
    ));
    let mut differences = Vec::new();
    for scenario in scenarios() {
        let text = std::fs::read_to_string(file(&scenario)).expect("a recording");
        let recorded: Recording = serde_json::from_str(&text).expect("a well-formed recording");
        let played = stage
            .play(&scenario, &recorded.ccm, Until::Like(&recorded))
            .await;
        let pairs = recorded.steps.iter().zip(&played.steps);
        for found in pairs.filter_map(|(real, ours)| difference(&scenario, real, ours)) {
            eprintln!("{found}");
            differences.push(found);
        }
    }
    stopping.cancel();
    playing.await.expect("it ends");
    assert_eq!(stage.proxy.take().writes, [], "after the last step");
    stage.emulator.stop().await;
    stage
        .control_plane
        .stop()
        .await
        .expect("the control plane stops");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn cloud_config(stage: &Stage) -> CloudConfig {
    let (vpc_id, _, vswitch_id) = stage.network();
    CloudConfig {
        url: stage.proxy.url.clone(),
        region: common::REGION.to_owned(),
        access_key_id: common::KEY.to_owned(),
        access_key_secret: common::SECRET.to_owned(),
        vpc_id,
        vswitch_ids: vec![vswitch_id],
    }
}

async fn record(stage: &Stage, binary: &Path) {
    let real = real::Real::start(binary, stage);
    let version = std::env::var("RECORD_CCM_VERSION").expect("RECORD_CCM_VERSION says which it is");
    for scenario in scenarios() {
        let recording = stage.play(&scenario, &version, Until::Quiet).await;
        let text = serde_json::to_string_pretty(&recording).expect("JSON");
        std::fs::write(file(&scenario), text + "\n").expect("written");
    }
    real.stop();
}

/// Lines with `-` are the real one's, those with `+` the stand-in's.
fn difference(scenario: &Scenario, real: &Seen, ours: &Seen) -> Option<String> {
    if real == ours {
        return None;
    }
    let lines = |seen: &Seen| {
        let text = serde_json::to_string_pretty(seen).expect("JSON");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (real_lines, our_lines) = (lines(real), lines(ours));
    let mut told = vec![format!("{}: {}", scenario.name, real.say)];
    let missing = real_lines.iter().filter(|line| !our_lines.contains(line));
    told.extend(missing.map(|line| format!("  -{line}")));
    let surplus = our_lines.iter().filter(|line| !real_lines.contains(line));
    told.extend(surplus.map(|line| format!("  +{line}")));
    if told.len() == 1 {
        told.push("  the order differs".to_owned());
        told.extend(our_lines);
    }
    Some(told.join("\n"))
}
