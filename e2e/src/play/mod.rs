//! The playground: a world for people, filled with `examples/`.

mod examples;
mod request;
mod terminal;
mod watch;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    binaries,
    world::{OperatorOptions, World, WorldOptions},
};
use examples::Example;
use terminal::Terminal;

/// A real Kubernetes API server, an emulated Alibaba Cloud and the operator, with the examples
/// applied. Needs no account and no cluster; builds what is missing.
#[derive(Clone, Debug, Parser)]
#[command(name = "play", version)]
pub struct Arguments {
    /// End as soon as everything is Ready and answers: with 0, or 1 if it did not in time.
    #[arg(long)]
    exit_when_ready: bool,
    /// Seconds that the bindings may take to be Ready after they were applied.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    deadline: u64,
    /// Keep state and logs in this folder; go on with the state if there is some.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Folder with one folder per example.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples"))]
    examples: PathBuf,
}

/// Runs the playground until it is done, fails or is interrupted. Nothing of it stays behind.
pub async fn play(arguments: Arguments) -> ExitCode {
    let mut terminal = Terminal::default();
    let folder = match Folder::new(arguments.keep.as_deref()) {
        Ok(folder) => folder,
        Err(error) => {
            terminal.say(&format!("error: {error:#}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = tokio::select! {
        outcome = run(&arguments, &folder, &mut terminal) => outcome,
        interrupted = interrupted() => interrupted.map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => failed(folder, &terminal),
        Err(error) => {
            terminal.say(&format!("\nerror: {error:#}"));
            failed(folder, &terminal)
        }
    }
}

/// Keeps the logs, and says where they are.
fn failed(folder: Folder, terminal: &Terminal) -> ExitCode {
    terminal.say(&format!(
        "\nLogs and state are in {}",
        folder.keep().display()
    ));
    ExitCode::FAILURE
}

async fn run(
    arguments: &Arguments,
    folder: &Folder,
    terminal: &mut Terminal,
) -> anyhow::Result<bool> {
    let examples = Example::all(&arguments.examples)?;
    let world = start(folder, terminal).await?;
    let mut expected = Vec::new();
    for example in &examples {
        terminal.step(&format!("kubectl apply -f examples/{}", example.name));
        world
            .apply(&example.yaml)
            .await
            .with_context(|| format!("cannot apply the example {}", example.name))?;
        expected.extend(example.bindings(&world).await?);
    }
    let deadline = Duration::from_secs(arguments.deadline);
    if let Err(missing) = watch::until_ready(&world, &expected, deadline, terminal).await {
        terminal.say(&format!(
            "\nNot Ready after {} s:\n{missing}",
            arguments.deadline
        ));
        if let Some(operator) = &world.operator {
            terminal.say(&format!(
                "\nThe operator's log ends with:\n{}",
                operator.log_tail(15)
            ));
        }
        return stay(arguments, world, false).await;
    }
    terminal.step("everything is Ready");
    terminal.say(&format!(
        "\n    export KUBECONFIG={}\n    export CLOUD={}   # the emulated cloud\n    kubectl get gatewaybindings -A",
        world.control_plane.kubeconfig().path().display(),
        world.cloud.url()
    ));
    let mut answered = true;
    for binding in &expected {
        match request::through_the_front_door(&world, binding, terminal).await {
            Ok(good) => answered &= good,
            Err(error) => {
                terminal.say(&format!("\n{binding}: {error:#}"));
                answered = false;
            }
        }
    }
    if !arguments.exit_when_ready {
        terminal.say("\nCtrl-C ends it all.");
    }
    stay(arguments, world, answered).await
}

async fn start(folder: &Folder, terminal: &mut Terminal) -> anyhow::Result<World> {
    terminal.step("building the operator and the emulator");
    let binaries = binaries::ensure(|line| {
        // What went wrong, if something does, is in the error.
        if line.trim_start().starts_with("Compiling") {
            terminal.detail(line);
        }
    })
    .await?;
    let options = WorldOptions {
        folder: Some(folder.path().to_owned()),
        emulator_program: Some(binaries.emulator.clone()),
        operator: Some(OperatorOptions {
            program: Some(binaries.operator.clone()),
            ..OperatorOptions::default()
        }),
        istio_service_type: "LoadBalancer".to_owned(),
        ..WorldOptions::default()
    };
    Ok(World::start_telling(options, |step| terminal.step(step)).await?)
}

/// Ends at once if that was asked for; else stays for whoever wants to look around.
async fn stay(arguments: &Arguments, world: World, good: bool) -> anyhow::Result<bool> {
    if !arguments.exit_when_ready {
        std::future::pending::<()>().await;
    }
    world.stop().await?;
    Ok(good)
}

async fn interrupted() -> anyhow::Result<()> {
    let (mut terminate, mut hang_up) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    );
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt?,
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

/// Where state and logs are.
#[derive(Debug)]
enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn new(keep: Option<&std::path::Path>) -> anyhow::Result<Self> {
        match keep {
            Some(folder) => {
                let problem = || format!("--keep {}", folder.display());
                std::fs::create_dir_all(folder).with_context(problem)?;
                Ok(Self::Kept(folder.canonicalize().with_context(problem)?))
            }
            None => {
                let folder = tempfile::Builder::new()
                    .prefix("gatewaybinding-play-")
                    .tempdir();
                Ok(Self::Temporary(
                    folder.context("cannot make a temporary folder")?,
                ))
            }
        }
    }

    fn path(&self) -> &std::path::Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }

    fn keep(self) -> PathBuf {
        match self {
            Self::Temporary(folder) => folder.keep(),
            Self::Kept(folder) => folder,
        }
    }
}
