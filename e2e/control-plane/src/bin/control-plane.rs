//! Runs a control plane until Ctrl-C, or builds its programs ahead.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use control_plane::{ControlPlane, Tool, envoy, install_crds, knative, kourier, monitoring, tools};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(version, about = "A real Kubernetes control plane on loopback")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a control plane, print the path of its kubeconfig, and run until Ctrl-C
    Run {
        /// Keep data, keys and logs here and go on from what is there
        #[arg(long)]
        data_dir: Option<PathBuf>,
        /// The port of the API server; 0 takes a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Install the definitions of Knative Serving
        #[arg(long)]
        knative: bool,
    },
    /// Build all programs and fetch all definitions, and print where they are
    Build,
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run {
            data_dir,
            port,
            knative,
        } => run(data_dir, port, knative).await,
        Command::Build => build().await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("control-plane: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(data_dir: Option<PathBuf>, port: u16, with_knative: bool) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut builder = ControlPlane::builder().port(port);
    if let Some(folder) = data_dir {
        builder = builder.data_dir(folder);
    }
    // An interrupted start drops, and so kills, what it has started.
    let control_plane = tokio::select! {
        started = builder.start() => started?,
        _ = terminate.recv() => return Ok(()),
        result = tokio::signal::ctrl_c() => return Ok(result?),
    };
    if with_knative {
        install_crds(control_plane.client(), &knative::crds().await?).await?;
    }
    println!("{}", control_plane.kubeconfig().path().display());
    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    control_plane.stop().await?;
    Ok(())
}

async fn build() -> anyhow::Result<()> {
    for tool in Tool::ALL {
        println!("{}", tools::ensure(tool).await?.display());
    }
    println!("{}", envoy::ensure().await?.display());
    kourier::manifests().await?;
    let definitions = [knative::crds().await?, monitoring::crds().await?];
    for definition in definitions.iter().flatten() {
        println!("{}", definition.display());
    }
    Ok(())
}
