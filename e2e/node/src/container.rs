//! One container: a process in the namespaces of its Pod, started again when it ends.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use control_plane::guardian::{Guarded, command_with_pid_file};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Container as ContainerSpec;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::{
    pod::PodError,
    sandbox::{Sandbox, wait_for_pid},
};

const ENTER: &str = include_str!("enter.sh");
/// How long a container that ended stays so.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// What is the same for every start of a container.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) hosts: PathBuf,
    /// Holds the ServiceAccount's token and what goes with it.
    pub(crate) account: PathBuf,
    /// Says which folders it sees where.
    pub(crate) mounts: PathBuf,
    /// Where its output goes.
    pub(crate) log: PathBuf,
    pub(crate) pid_file: PathBuf,
}

/// A container.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) spec: ContainerSpec,
    pub(crate) restarts: i32,
    pub(crate) ready: bool,
    pub(crate) state: State,
    recipe: Recipe,
}

/// What it does.
#[derive(Debug)]
pub(crate) enum State {
    Running {
        since: Timestamp,
        process: u32,
        guarded: Guarded,
    },
    Ended {
        status: ExitStatus,
        since: Instant,
        at: Timestamp,
    },
}

impl Container {
    pub(crate) async fn start(
        spec: ContainerSpec,
        recipe: Recipe,
        sandbox: &Sandbox,
    ) -> Result<Self, PodError> {
        let state = run(&recipe, sandbox).await?;
        Ok(Self {
            spec,
            restarts: 0,
            ready: false,
            state,
            recipe,
        })
    }

    /// Sees whether it has ended, and starts it again after a while.
    pub(crate) async fn tend(&mut self, sandbox: &Sandbox) -> Result<(), PodError> {
        match &mut self.state {
            State::Running { guarded, .. } => {
                let ended = guarded
                    .try_wait()
                    .map_err(PodError::at("wait for a process"))?;
                if let Some(status) = ended {
                    self.ready = false;
                    self.state = State::Ended {
                        status,
                        since: Instant::now(),
                        at: Timestamp::now(),
                    };
                }
            }
            State::Ended { since, .. } if since.elapsed() >= RESTART_AFTER => {
                self.state = run(&self.recipe, sandbox).await?;
                self.restarts += 1;
            }
            State::Ended { .. } => {}
        }
        Ok(())
    }

    /// Asks it to end, without waiting.
    pub(crate) fn terminate(&self) {
        if let State::Running { process, .. } = self.state
            && let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw)
        {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Whether it runs, as far as can be found out.
    pub(crate) fn runs(&mut self) -> bool {
        match &mut self.state {
            State::Running { guarded, .. } => matches!(guarded.try_wait(), Ok(None)),
            State::Ended { .. } => false,
        }
    }
}

async fn run(recipe: &Recipe, sandbox: &Sandbox) -> Result<State, PodError> {
    remove(&recipe.pid_file)?;
    let output = File::options().create(true).append(true).open(&recipe.log);
    let output = output.map_err(PodError::at("open a log"))?;
    let errors = output.try_clone().map_err(PodError::at("open a log"))?;
    let mut command = command_with_pid_file(&recipe.pid_file, "nsenter");
    // None of these starts a process of its own, so all keep the id of the first.
    command.args(["--target", &sandbox.process().to_string(), "--net"]);
    command.args(["unshare", "--mount", "/bin/sh", "-c", ENTER, "enter"]);
    command
        .arg(&recipe.hosts)
        .arg(&recipe.account)
        .arg(&recipe.mounts)
        .arg(&recipe.program)
        .args(&recipe.arguments);
    command.env_clear().envs(&recipe.variables);
    command.stdout(output).stderr(errors);
    let mut guarded = Guarded::spawn(command).map_err(PodError::at("start a container"))?;
    let process = wait_for_pid(&recipe.pid_file, &mut guarded).await?;
    Ok(State::Running {
        since: Timestamp::now(),
        process,
        guarded,
    })
}

fn remove(file: &Path) -> Result<(), PodError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PodError::at("remove a file")(error))
        }
        _ => Ok(()),
    }
}
