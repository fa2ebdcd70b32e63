//! Operators beside each other, each with an identity and an access key of its own.

use std::{net::TcpListener, path::PathBuf, process::ExitStatus, time::Duration};

use rustix::process::Signal;

use super::HarnessError;
use crate::{
    binaries,
    process::{Process, ProcessSpec},
    world::{Keys, World, WorldError},
};

/// How a replica is run.
#[derive(Clone, Debug)]
pub struct ReplicaOptions {
    /// Its identity, and the name of its log.
    pub identity: String,
    /// Its access key, by which its calls are told from others'.
    pub keys: Keys,
    /// More arguments.
    pub args: Vec<String>,
}

/// A running replica; killed when dropped.
#[derive(Debug)]
pub struct Replica {
    process: Process,
}

impl Replica {
    /// Starts one in a world.
    ///
    /// # Errors
    /// If it cannot be built or run.
    pub async fn start(world: &World, options: &ReplicaOptions) -> Result<Self, HarnessError> {
        let built = binaries::ensure(|line| tracing::info!("{line}")).await;
        let program: PathBuf = built.map_err(WorldError::from)?.operator.clone();
        let port = free_port()?;
        let text = |text: &str| text.to_owned();
        let mut args = vec![
            text("run"),
            text("--kubeconfig"),
            world
                .control_plane
                .kubeconfig()
                .path()
                .display()
                .to_string(),
            text("--cloud-endpoint"),
            text(world.cloud.url()),
            text("--metrics-listen"),
            format!("127.0.0.1:{port}"),
            text("--namespace"),
            text("gatewaybinding-system"),
            text("--identity"),
            options.identity.clone(),
        ];
        args.extend(options.args.iter().cloned());
        let spec = ProcessSpec {
            name: options.identity.clone(),
            program,
            args: args.into_iter().map(Into::into).collect(),
            env: vec![
                (text("ALIBABA_CLOUD_ACCESS_KEY_ID"), options.keys.id.clone()),
                (
                    text("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
                    options.keys.secret.clone(),
                ),
            ],
        };
        let process = Process::spawn(&spec, world.folder())?;
        Ok(Self { process })
    }

    /// The last lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.process.log_tail(lines)
    }

    /// Holds it up where it is, as a host does that is suspended.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn pause(&self) -> Result<(), HarnessError> {
        Ok(self.process.signal(Signal::STOP).await?)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn resume(&self) -> Result<(), HarnessError> {
        Ok(self.process.signal(Signal::CONT).await?)
    }

    /// Its exit status if it has ended.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, HarnessError> {
        Ok(self.process.try_wait()?)
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub async fn kill(self) -> Result<(), HarnessError> {
        Ok(self.process.kill().await?)
    }

    /// SIGTERM, and waits until it has ended by itself.
    ///
    /// # Errors
    /// If it does not end in time.
    pub async fn terminate(self, patience: Duration) -> Result<ExitStatus, HarnessError> {
        Ok(self.process.terminate(patience).await?)
    }
}

fn free_port() -> Result<u16, HarnessError> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = address.map_err(|source| WorldError::Io {
        what: "find a free port".to_owned(),
        source,
    })?;
    Ok(address.port())
}
