//! The stand-in for the ALB Ingress controller against recordings of the real one: what the script says is
//! played, and calls, the cloud, the objects and the events have to be as recorded.
//!
//! With `ALB_CONTROLLER=<the program of the real controller>` the test records anew instead.

#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

#[path = "../common/mod.rs"]
mod common;
mod names;
mod real;
mod relay;
mod script;
mod seen;
mod stage;

use std::path::PathBuf;
use std::time::Duration;

use script::Scenario;
use seen::{Failing, Seen};
use stage::Stage;

/// Longer than anything the real controller waits for in a pass, and shorter than its first retry.
const CALM: Duration = Duration::from_millis(4200);

fn recording(scenario: &str) -> PathBuf {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.join(format!("tests/recorded/alb/{scenario}.json"))
}

/// What is played: all, or what is named in `ALB_SCENARIOS` with commas.
fn scenarios() -> Vec<Scenario> {
    let mut all = script::scenarios();
    if let Ok(some) = std::env::var("ALB_SCENARIOS") {
        all.retain(|scenario| some.split(',').any(|name| name == scenario.scenario));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stand_in_does_what_the_real_controller_did() {
    if let Some(program) = std::env::var_os("ALB_CONTROLLER") {
        record(program.into()).await;
        return;
    }
    let stage = Stage::set(None).await;
    let mut differences = Vec::new();
    for scenario in scenarios() {
        differences.extend(compare(&stage, &scenario).await);
    }
    stage.strike().await;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

async fn record(program: PathBuf) {
    let stage = Stage::set(Some(program)).await;
    eprintln!("{}", stage.folder());
    for scenario in scenarios() {
        stage.open(&scenario.scenario).await;
        let mut all: Vec<Seen> = Vec::new();
        let mut before = stage.standing(&scenario.scenario).await;
        let mut failing = Failing::default();
        for step in &scenario.steps {
            stage.play(&scenario.scenario, step).await;
            let calm = step.calm.map_or(CALM, Duration::from_secs);
            let (seen, now) = stage.quiet(&before, &scenario.scenario, step, calm).await;
            let seen = failing.taken_off(seen);
            failing.note(&seen);
            all.push(seen);
            before = now;
            eprintln!("{}: {}", scenario.scenario, step.step);
        }
        stage.close(&scenario.scenario).await;
        let text = serde_json::to_string_pretty(&all).expect("JSON");
        std::fs::write(recording(&scenario.scenario), text + "\n").expect("written");
    }
    stage.strike().await;
}

/// Plays a scenario; what differs from its recording.
async fn compare(stage: &Stage, scenario: &Scenario) -> Vec<String> {
    let name = &scenario.scenario;
    let text = std::fs::read_to_string(recording(name));
    let text = text.unwrap_or_else(|error| panic!("{name} was not recorded: {error}"));
    let recorded: Vec<Seen> = serde_json::from_str(&text).expect("a recording");
    let mut differences = Vec::new();
    stage.open(name).await;
    let mut before = stage.standing(name).await;
    let mut failing = Failing::default();
    for (place, step) in scenario.steps.iter().enumerate() {
        let recorded = recorded.get(place).filter(|seen| seen.step == step.step);
        let recorded =
            recorded.unwrap_or_else(|| panic!("{name}: \"{}\" was not recorded", step.step));
        let recorded = &failing.taken_off(recorded.clone());
        stage.play(name, step).await;
        let (seen, now) = stage.like(&before, name, step, recorded, &failing).await;
        before = now;
        failing.note(recorded);
        if seen != *recorded {
            differences.push(format!(
                "{name}: {}\n{}",
                step.step,
                difference(recorded, &seen)
            ));
        }
    }
    stage.close(name).await;
    differences
}

/// Lines of the recording that are missing (`-`), and lines that are not in it (`+`).
fn difference(recorded: &Seen, seen: &Seen) -> String {
    let text = |seen: &Seen| serde_json::to_string_pretty(seen).expect("JSON");
    let (recorded, seen) = (text(recorded), text(seen));
    let diff = similar::TextDiff::from_lines(&recorded, &seen);
    diff.unified_diff().context_radius(2).to_string()
}
