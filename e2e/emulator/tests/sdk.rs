//! The vendor's own SDKs drive the emulator unchanged, see `python/sdk_roundtrip.py`.

#[path = "common/python.rs"]
mod python;

use std::path::Path;
use std::process::Command;

use alicloud_emulator::Emulator;
use anyhow::Result;
use python::{environment, run};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/sdk_roundtrip.py");
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/requirements.txt");

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_sdks_work_unchanged() -> Result<()> {
    let python = tokio::task::spawn_blocking(|| environment(Path::new(REQUIREMENTS))).await??;
    let emulator = Emulator::builder()
        .access_key("testid", "testsecret")
        .start()
        .await?;
    let address = emulator.address().to_string();
    let script = tokio::task::spawn_blocking(move || {
        run(Command::new(python)
            .args([SCRIPT, &address, "testid", "testsecret"])
            .env("NO_PROXY", "127.0.0.1")
            .env("PYTHONDONTWRITEBYTECODE", "1"))
    });
    let output = script.await??;
    let steps = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.starts_with("ok "))
        .count();
    assert_eq!(
        steps,
        10,
        "not every step ran: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    emulator.stop().await;
    Ok(())
}
