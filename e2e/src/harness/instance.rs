//! The operator inside this process, on a runtime of its own that can be stopped dead.
//!
//! It is put together as the program does it, but for the signal handlers and the health endpoint.

use std::{
    fs::File,
    mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use gatewaybinding_operator::{
    args::RunArgs,
    backoff::Backoff,
    controller,
    events::Events,
    health::Readiness,
    leader::{LeaseConfig, elector},
    metrics::Metrics,
    runtime::Runtime,
    supervise::{Stage, Supervisor},
};
use kube::{Client, client::ClientBuilder};
use prometheus_client::registry::Registry;
use tracing::dispatcher::Dispatch;
use tracing_subscriber::EnvFilter;

use super::{Gate, HarnessError};
use crate::process::tail;

/// Where an instance writes its Lease, and under which name: always the same, so that a successor
/// takes the Lease back at once.
const NAMESPACE: &str = "gatewaybinding-system";
const IDENTITY: &str = "operator-in-process";
/// How long tasks may take to be dropped. They are at an `await`, so this is never used up.
const PATIENCE: Duration = Duration::from_secs(10);
/// What its log holds; bodies of answers of the API server are in none of it.
const FILTER: &str = "info,gatewaybinding_operator=debug,cloud_adapter=debug,kube_client=error";

/// A running operator. Dropping it leaves its runtime to end in the background.
#[derive(Debug)]
pub struct Instance {
    runtime: Option<tokio::runtime::Runtime>,
    gate: Gate,
    log: PathBuf,
}

impl Instance {
    /// Starts one that calls the API server through a [`Gate`]. Its log is appended to
    /// `operator.log` in the folder.
    ///
    /// # Errors
    /// If the kubeconfig cannot be used, or the log not be opened.
    pub async fn start(
        kubeconfig: &Path,
        cloud: &str,
        folder: &Path,
    ) -> Result<Self, HarnessError> {
        let gate = Gate::default();
        let log = folder.join("operator.log");
        let args = RunArgs {
            namespace: NAMESPACE.to_owned(),
            cloud_endpoint: Some(cloud.to_owned()),
            concurrency: std::num::NonZeroU16::new(8).unwrap_or(std::num::NonZeroU16::MIN),
            ..RunArgs::default_for(kubeconfig)
        };
        let runtime = runtime(&log)?;
        let operator = run(args, gate.clone());
        let running = runtime.spawn(operator);
        let instance = Self {
            runtime: Some(runtime),
            gate,
            log,
        };
        // The first step cannot be seen from outside; an end this early is an error of the set-up.
        tokio::task::yield_now().await;
        if running.is_finished() {
            let ended = running.await.map_err(|error| error.to_string());
            let problem = match ended {
                Ok(Ok(())) => "it ended at once".to_owned(),
                Ok(Err(problem)) | Err(problem) => problem,
            };
            return Err(HarnessError::Instance(problem));
        }
        Ok(instance)
    }

    /// The boundary between it and the API server.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The last lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    /// Stops it dead: every task ends where it waits, and nothing is sent any more. Returns when
    /// the last of its threads has ended.
    ///
    /// # Errors
    /// If a thread could not be waited for.
    pub async fn kill(mut self) -> Result<(), HarnessError> {
        let Some(runtime) = self.runtime.take() else {
            return Ok(());
        };
        let stopping = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE));
        stopping
            .await
            .map_err(|error| HarnessError::Instance(format!("it does not end: {error}")))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn runtime(log: &Path) -> Result<tokio::runtime::Runtime, HarnessError> {
    let failed = |error: &dyn std::fmt::Display| HarnessError::Instance(error.to_string());
    let file = File::options().create(true).append(true).open(log);
    let file = file.map_err(|error| failed(&error))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(FILTER))
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .finish();
    let dispatch = Dispatch::new(lines);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("operator")
        .enable_all()
        .on_thread_start(move || {
            // For the life of the thread, which belongs to this operator alone.
            mem::forget(tracing::dispatcher::set_default(&dispatch));
        })
        .build()
        .map_err(|error| failed(&error))
}

async fn run(args: RunArgs, gate: Gate) -> Result<(), String> {
    let client = client(&args, &gate).await?;
    let lease = LeaseConfig {
        namespace: args.namespace.clone(),
        name: "gatewaybinding-operator".to_owned(),
        identity: IDENTITY.to_owned(),
        duration: args.lease.lease_duration,
        renew_deadline: args.lease.lease_renew_deadline,
        renew_interval: args.lease.lease_renew_interval,
    };
    let (elector, leadership) =
        elector(client.clone(), lease).map_err(|error| error.to_string())?;
    let (events, writer) = Events::new(client.clone(), IDENTITY, leadership.clone());
    let mut supervisor = Supervisor::new(args.shutdown_grace);
    supervisor.spawn(
        Stage::Serve,
        "lease",
        elector.run(supervisor.token(Stage::Serve)),
    );
    supervisor.spawn(
        Stage::Report,
        "events",
        writer.run(supervisor.token(Stage::Report)),
    );
    let runtime = Runtime {
        client,
        args: Arc::new(args),
        metrics: Metrics::new(&mut Registry::default()),
        readiness: Readiness::default(),
        leadership,
        backoff: Backoff::default(),
        events,
        shutdown: supervisor.token(Stage::Work),
    };
    controller::spawn(runtime, &mut supervisor);
    let ended = supervisor.run(std::future::pending()).await;
    ended.map_err(|error| error.to_string())
}

async fn client(args: &RunArgs, gate: &Gate) -> Result<Client, String> {
    let path = args.kubeconfig.as_deref().unwrap_or(Path::new(""));
    let kubeconfig =
        kube::config::Kubeconfig::read_from(path).map_err(|error| error.to_string())?;
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| error.to_string())?;
    let builder = ClientBuilder::try_from(config).map_err(|error| error.to_string())?;
    Ok(builder.with_layer(gate).build())
}
