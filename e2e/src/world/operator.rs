//! The operator as a process.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{Keys, WorldError};
use crate::process::{Process, ProcessSpec};

/// Name in the Lease: constant, so that a restarted operator takes its own Lease back at once.
const IDENTITY: &str = "operator-0";
/// Namespace of the Lease.
pub(super) const NAMESPACE: &str = "gatewaybinding-system";
const POLL: Duration = Duration::from_millis(20);

/// How the operator is run.
#[derive(Clone, Debug, Default)]
pub struct OperatorOptions {
    /// The program; built from this repository if absent.
    pub program: Option<PathBuf>,
    /// More arguments, e.g. `--drift-interval 2s`.
    pub args: Vec<String>,
    /// More variables, e.g. `RUST_LOG`.
    pub env: Vec<(String, String)>,
}

/// A running operator; killed when dropped.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    health: u16,
}

impl Operator {
    /// Starts it against a cluster and a cloud; its log is `operator.log` in the folder.
    pub(super) fn start(
        options: &OperatorOptions,
        program: &Path,
        kubeconfig: &Path,
        cloud: &str,
        keys: &Keys,
        folder: &Path,
    ) -> Result<Self, WorldError> {
        let health = free_port()?;
        let mut args: Vec<OsString> = vec!["run".into()];
        args.extend(["--kubeconfig".into(), kubeconfig.into()]);
        args.extend(["--cloud-endpoint".into(), cloud.into()]);
        args.extend([
            "--metrics-listen".into(),
            format!("127.0.0.1:{health}").into(),
        ]);
        args.extend([
            "--namespace".into(),
            NAMESPACE.into(),
            "--identity".into(),
            IDENTITY.into(),
        ]);
        args.extend(options.args.iter().map(OsString::from));
        let mut env = vec![
            ("ALIBABA_CLOUD_ACCESS_KEY_ID".to_owned(), keys.id.clone()),
            (
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET".to_owned(),
                keys.secret.clone(),
            ),
        ];
        env.extend(options.env.iter().cloned());
        let spec = ProcessSpec {
            name: "operator".to_owned(),
            program: program.to_owned(),
            args,
            env,
        };
        Self::run(&spec, health, folder)
    }

    /// Starts it as `spec` says; `health` is the port of `--metrics-listen` there. Its log is
    /// `NAME.log` in the folder.
    ///
    /// # Errors
    /// If the program cannot be run.
    pub fn run(spec: &ProcessSpec, health: u16, folder: &Path) -> Result<Self, WorldError> {
        Ok(Self {
            process: Process::spawn(spec, folder)?,
            health,
        })
    }

    /// `http://…` of `/livez`, `/readyz` and `/metrics`.
    pub fn health_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.health)
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// The last lines of its output.
    pub fn log_tail(&self, lines: usize) -> String {
        self.process.log_tail(lines)
    }

    /// Waits until `/readyz` says so.
    ///
    /// # Errors
    /// If it ends before, or the time is up; both with its log and what it still waited for.
    pub async fn wait_until_ready(&mut self, patience: Duration) -> Result<(), WorldError> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let deadline = Instant::now() + patience;
        let url = format!("{}/readyz", self.health_url());
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Err(self.failed(format!("ended with {status}")));
            }
            let waits_for = match http.get(&url).send().await {
                Ok(response) if response.status().is_success() => return Ok(()),
                Ok(response) => response.text().await.unwrap_or_default(),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                let seconds = patience.as_secs();
                return Err(self.failed(format!(
                    "is not ready after {seconds} s ({})",
                    waits_for.trim()
                )));
            }
            sleep(POLL).await;
        }
    }

    fn failed(&self, problem: String) -> WorldError {
        WorldError::Operator {
            problem,
            log: self.log_tail(30),
        }
    }

    /// SIGKILL, as `kill -9`.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub async fn kill(self) -> Result<(), WorldError> {
        Ok(self.process.kill().await?)
    }

    /// SIGTERM, and waits until it has ended by itself.
    ///
    /// # Errors
    /// If it does not end in time.
    pub async fn terminate(self, patience: Duration) -> Result<ExitStatus, WorldError> {
        Ok(self.process.terminate(patience).await?)
    }
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> Result<u16, WorldError> {
    let port =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let port = port.map_err(|source| WorldError::Io {
        what: "find a free port".to_owned(),
        source,
    })?;
    Ok(port.port())
}
