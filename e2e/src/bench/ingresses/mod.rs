//! `ingresses`: what a number of Knative Ingresses costs a networking layer: ours, and others of Knative,
//! one after the other on one API server.

mod behind;
mod layer;
mod print;
mod stage;
mod surroundings;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::time::{Instant, sleep};

use crate::binaries::{self, Binaries};
use behind::Behind;
use layer::Layer;
use stage::{Ingresses, Running};
use surroundings::Account;

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
        default_value = "alb,net-istio,net-gateway-api,net-kourier"
    )]
    layers: Vec<Layer>,
    /// Leave out the time to Ready of those that need something behind them.
    #[arg(long)]
    no_ready: bool,
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
    /// From the first apply until all are Ready.
    ready: Ready,
}

/// The time to Ready.
#[derive(Clone, Debug)]
enum Ready {
    After(Duration),
    NotMeasured(String),
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
        if let Some(lack) = layer.lacks() {
            tell(&format!("{} is not measured: {lack}", layer.name()));
            continue;
        }
        tell(&format!("{ingresses} Ingresses: {}", layer.name()));
        let run = Run {
            layer: *layer,
            ingresses,
            programs,
            patience,
        };
        let measured = run.measure(&mut stage).await;
        let mut measured = measured.with_context(|| layer.name())?;
        // What follows may fail.
        tell(&print::text(std::slice::from_ref(&measured)));
        if !layer.is_ready_alone() && !settings.no_ready {
            tell(&format!(
                "{ingresses} Ingresses: {}, until Ready",
                layer.name()
            ));
            measured.ready = match run.until_ready(&mut stage).await {
                Ok(time) => Ready::After(time),
                Err(error) => {
                    tell(&format!("{error:#}"));
                    let text = error.to_string();
                    Ready::NotMeasured(text.lines().next().unwrap_or_default().to_owned())
                }
            };
        }
        figures.push(measured);
    }
    stage.stop().await?;
    Ok(figures)
}

/// One layer with a number of Knative Ingresses.
struct Run<'a> {
    layer: Layer,
    ingresses: usize,
    programs: &'a Binaries,
    /// The longest that each part may take.
    patience: Duration,
}

impl Run<'_> {
    async fn measure(&self, stage: &mut Ingresses) -> anyhow::Result<Figures> {
        let (layer, ingresses) = (self.layer, self.ingresses);
        stage.prepare(layer, &Account::imagined()).await?;
        let mut running = Running::start(stage, layer, self.programs).await?;
        running.quiet(self.patience).await?;
        stage.audit.take()?;
        let before = running.usage()?.cpu;
        let started = Instant::now();
        stage.apply(layer, ingresses).await?;
        let applied = started.elapsed();
        let wanted = layer.makes(ingresses);
        let made = async || stage.made(layer).await;
        let made = self.until(&mut running, started, wanted, made).await?;
        let ready = if layer.is_ready_alone() {
            let ready = async || stage.ready().await;
            Ready::After(self.until(&mut running, started, ingresses, ready).await?)
        } else {
            Ready::NotMeasured("nothing is behind it".to_owned())
        };
        running.quiet(self.patience).await?;
        let usage = running.usage()?;
        let writes = stage.writes()?;
        running.terminate().await?;
        stage.audit.take()?;
        let again = self.restart(stage).await?;
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
            ready,
        })
    }

    async fn restart(&self, stage: &mut Ingresses) -> anyhow::Result<Restart> {
        let mut running = Running::start(stage, self.layer, self.programs).await?;
        running.quiet(self.patience).await?;
        let usage = running.usage()?;
        let writes = stage.writes()?;
        running.terminate().await?;
        Ok(Restart {
            cpu_seconds: usage.cpu,
            peak_mib: usage.peak_mib,
            writes,
        })
    }

    /// The time until all are Ready, with what makes them so behind the layer.
    async fn until_ready(&self, stage: &mut Ingresses) -> anyhow::Result<Duration> {
        let layer = self.layer;
        if layer == Layer::Alb && self.ingresses > behind::ROOM {
            bail!(
                "an account has room for {} Ingresses by default",
                behind::ROOM
            );
        }
        let (behind, account) = Behind::start(layer, stage, self.programs).await?;
        stage.prepare(layer, &account).await?;
        let mut running = Running::start(stage, layer, self.programs).await?;
        running.quiet(self.patience).await?;
        let started = Instant::now();
        stage.apply(layer, self.ingresses).await?;
        let ready = async || stage.ready().await;
        let time = self
            .until(&mut running, started, self.ingresses, ready)
            .await;
        running.terminate().await?;
        stage.clear(layer).await?;
        drop(behind);
        time
    }

    /// The time since the start until a count is reached. Looks cost the API server something as well, so
    /// they become rarer when they take long.
    async fn until(
        &self,
        running: &mut Running,
        started: Instant,
        wanted: usize,
        count: impl AsyncFn() -> anyhow::Result<usize>,
    ) -> anyhow::Result<Duration> {
        loop {
            let look = Instant::now();
            let counted = count().await?;
            if counted >= wanted {
                return Ok(look.duration_since(started));
            }
            running.is_alive()?;
            if started.elapsed() > self.patience {
                bail!(
                    "{counted} of {wanted} after {} s:\n{}",
                    self.patience.as_secs(),
                    running.log()
                );
            }
            sleep(Duration::from_millis(100).max(2 * look.elapsed())).await;
        }
    }
}
