//! Benchmarks of the operator against a real API server and the emulated cloud.
//!
//! `scale` measures what a number of bindings costs: calls of the cloud and requests to the API
//! server, time, CPU and memory, from nothing, after a restart, and while nothing changes. It tells
//! figures and never fails because of one. `ingresses` measures what Knative Ingresses cost the layer
//! of Knative on ALB, beside other layers.

mod apply;
mod audit;
mod calls;
mod ingresses;
mod manifests;
mod measure;
mod print;
mod report;
mod scrape;
mod stage;
mod subject;
mod usage;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::binaries::{self, Binaries};
use manifests::Scale;
use measure::Plan;
use report::{Machine, Run, Size};

/// Benchmarks of the operator against a real API server and the emulated cloud.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench", version)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Measure what a number of bindings costs.
    Scale(Settings),
    /// Measure what a number of Knative Ingresses costs, beside other networking layers.
    Ingresses(ingresses::Settings),
}

/// Settings of `scale`.
#[derive(Clone, Debug, Args)]
struct Settings {
    /// Numbers of bindings, each measured in a world of its own, one after the other; at most 8000.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "100,1000", value_parser = bindings)]
    bindings: Vec<NonZeroUsize>,
    /// Write all figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keep data, logs and the API server's audit log in this folder, one folder for each size.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Calls per second and action that the cloud allows; it refuses more.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    quota: u32,
    /// Calls per second and operation that the class allows the operator.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    call_budget: u32,
    /// Seconds between two sweeps; by default 20 and one for each 50 bindings.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400))]
    drift_interval: Option<u64>,
    /// The longest that each part of a measurement may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86400))]
    patience: u64,
}

/// The product allows 1000 APIs in a group, and a class 32 groups of which each gets 250.
fn bindings(text: &str) -> Result<NonZeroUsize, String> {
    let most = 8000;
    match text.trim().parse::<NonZeroUsize>() {
        Ok(number) if number.get() <= most => Ok(number),
        _ => Err(format!("write a number of bindings from 1 to {most}")),
    }
}

/// Runs what the arguments ask for; figures go to standard output, progress to standard error.
///
/// # Errors
/// If something cannot be started, or does not get done in time. Never because of a figure.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is what a command is for"
)]
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut tell = |line: &str| eprintln!("{line}");
    let settings = match arguments.what {
        What::Scale(settings) => settings,
        What::Ingresses(settings) => return ingresses::run(settings, &mut tell).await,
    };
    tell("building the operator and the emulator");
    let programs = binaries::ensure(|_| {}).await?;
    let mut run = Run {
        machine: Machine::this(),
        quota: settings.quota,
        call_budget: settings.call_budget,
        sizes: Vec::new(),
    };
    for bindings in &settings.bindings {
        let size = one(&settings, *bindings, programs, &mut tell).await?;
        run.sizes.push(size);
        // After each size, so that a later one that fails loses nothing.
        if let Some(file) = &settings.json {
            let json = serde_json::to_string_pretty(&run)?;
            std::fs::write(file, json + "\n")
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    println!("{}", print::text(&run));
    Ok(())
}

async fn one(
    settings: &Settings,
    bindings: NonZeroUsize,
    programs: &Binaries,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<Size> {
    let mut tell = |line: &str| tell(&format!("{bindings} bindings: {line}"));
    let temporary;
    let folder: &Path = match &settings.keep {
        Some(folder) => &folder.join(bindings.to_string()),
        None => {
            temporary = tempfile::Builder::new()
                .prefix("gatewaybinding-bench-")
                .tempdir()
                .context("cannot make a folder")?;
            temporary.path()
        }
    };
    let plan = Plan {
        scale: Scale {
            bindings: bindings.get(),
            call_budget: settings.call_budget,
        },
        quota: settings.quota,
        drift_interval: settings.drift_interval.map(Duration::from_secs),
        patience: Duration::from_secs(settings.patience),
        programs,
        folder,
    };
    measure::measure(&plan, &mut tell)
        .await
        .with_context(|| format!("{bindings} bindings"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent_and_bounded() {
        Arguments::command().debug_assert();
        let parse = |flag: &str| Arguments::try_parse_from(["bench", "scale", flag]);
        let What::Scale(settings) = parse("--bindings=100,1000").unwrap().what else {
            panic!("another command");
        };
        let sizes: Vec<usize> = settings.bindings.iter().map(|n| n.get()).collect();
        assert_eq!(sizes, [100, 1000]);
        for flag in ["--bindings=0", "--bindings=9000", "--quota=0"] {
            assert!(parse(flag).is_err(), "{flag}");
        }
    }
}
