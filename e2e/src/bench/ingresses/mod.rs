//! `ingresses`: what a number of Knative Ingresses costs a networking layer: ours, and two others from
//! their published modules, one after the other on one API server.

mod layer;
mod print;
mod stage;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::time::{Instant, sleep};

use crate::binaries::{self, Binaries};
use layer::Layer;
use stage::{Ingresses, Running};

/// Settings of `ingresses`.
#[derive(Clone, Debug, Args)]
pub(super) struct Settings {
    /// Numbers of Knative Ingresses, each measured on an API server of its own; at most 3000.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "500,2000", value_parser = number)]
    ingresses: Vec<NonZeroUsize>,
    /// The layers, in this order.
    #[arg(
        long,
        value_name = "LAYER,…",
        value_delimiter = ',',
        default_value = "alb,net-gateway-api,net-kourier"
    )]
    layers: Vec<Layer>,
    /// Keep data, logs and the API server's audit log in this folder, one folder for each size.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// The longest that each part of a measurement may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86400))]
    patience: u64,
}

/// What is put before our own layer are 16 load balancers with 200 rules each.
fn number(text: &str) -> Result<NonZeroUsize, String> {
    let most = 3000;
    match text.trim().parse::<NonZeroUsize>() {
        Ok(number) if number.get() <= most => Ok(number),
        _ => Err(format!("write a number of Ingresses from 1 to {most}")),
    }
}

/// What one layer took.
#[derive(Clone, Debug)]
struct Figures {
    layer: Layer,
    ingresses: usize,
    /// From the first apply until all are applied.
    applied: Duration,
    /// From the first apply until all that the layer makes of them is there.
    made: Duration,
    cpu_seconds: f64,
    peak_mib: f64,
    writes: u64,
    /// After a restart with nothing changed.
    again: Restart,
}

#[derive(Clone, Copy, Debug)]
struct Restart {
    cpu_seconds: f64,
    peak_mib: f64,
    writes: u64,
}

/// Measures, and prints a table.
#[expect(clippy::print_stdout, reason = "this is what a command is for")]
pub(super) async fn run(settings: Settings, tell: &mut impl FnMut(&str)) -> anyhow::Result<()> {
    tell("building the operator, the emulator and the other layers");
    let programs = binaries::ensure(|_| {}).await?;
    let mut figures = Vec::new();
    for ingresses in &settings.ingresses {
        let temporary;
        let folder: &Path = match &settings.keep {
            Some(folder) => &folder.join(ingresses.to_string()),
            None => {
                temporary = tempfile::Builder::new()
                    .prefix("gatewaybinding-bench-")
                    .tempdir()?;
                temporary.path()
            }
        };
        let of_size = size(&settings, ingresses.get(), programs, folder, tell).await;
        figures.extend(of_size.with_context(|| format!("{ingresses} Ingresses"))?);
    }
    println!("{}", print::text(&figures));
    Ok(())
}

async fn size(
    settings: &Settings,
    ingresses: usize,
    programs: &Binaries,
    folder: &Path,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<Vec<Figures>> {
    tell(&format!("{ingresses} Ingresses: starting the API server"));
    let mut stage = Ingresses::start(folder).await?;
    let patience = Duration::from_secs(settings.patience);
    let mut figures = Vec::new();
    for layer in &settings.layers {
        tell(&format!("{ingresses} Ingresses: {}", layer.name()));
        let measured = one(&mut stage, *layer, ingresses, programs, patience).await;
        let measured = measured.with_context(|| layer.name())?;
        // What follows may fail.
        tell(&print::text(std::slice::from_ref(&measured)));
        figures.push(measured);
    }
    stage.stop().await?;
    Ok(figures)
}

async fn one(
    stage: &mut Ingresses,
    layer: Layer,
    ingresses: usize,
    programs: &Binaries,
    patience: Duration,
) -> anyhow::Result<Figures> {
    stage.prepare(layer).await?;
    let mut running = Running::start(stage, layer, programs).await?;
    running.quiet(patience).await?;
    stage.audit.take()?;
    let before = running.usage()?.cpu;
    let started = Instant::now();
    stage.apply(layer, ingresses).await?;
    let applied = started.elapsed();
    while stage.made(layer).await? < layer.makes(ingresses) {
        if started.elapsed() > patience {
            let made = stage.made(layer).await?;
            bail!(
                "{made} of {} after {} s:\n{}",
                layer.makes(ingresses),
                patience.as_secs(),
                running.log()
            );
        }
        sleep(Duration::from_millis(100)).await;
    }
    let made = started.elapsed();
    running.quiet(patience).await?;
    let usage = running.usage()?;
    let writes = stage.writes()?;
    running.terminate().await?;
    stage.audit.take()?;

    let mut running = Running::start(stage, layer, programs).await?;
    running.quiet(patience).await?;
    let after = running.usage()?;
    let again = Restart {
        cpu_seconds: after.cpu,
        peak_mib: after.peak_mib,
        writes: stage.writes()?,
    };
    running.terminate().await?;
    stage.clear(layer).await?;
    Ok(Figures {
        layer,
        ingresses,
        applied,
        made,
        cpu_seconds: usage.cpu - before,
        peak_mib: usage.peak_mib,
        writes,
        again,
    })
}
