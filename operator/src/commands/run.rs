//! `run`: puts the process together.

use std::sync::Arc;

use anyhow::Context;
use prometheus_client::registry::Registry;
use rand::distr::{Alphanumeric, SampleString};

use crate::args::RunArgs;
use crate::backoff::{Backoff, BackoffConfig};
use crate::controller;
use crate::events::Events;
use crate::health::{HealthServer, Readiness};
use crate::leader::{self, LeaseConfig};
use crate::metrics::Metrics;
use crate::runtime::Runtime;
use crate::supervise::{Stage, Supervisor, termination_signal};
use crate::telemetry;

/// Name of the Lease; shards append theirs.
const LEASE: &str = "gatewaybinding-operator";

/// Runs the operator until a signal ends it.
///
/// # Errors
///
/// If it cannot start, or one of its parts fails; the process is then to exit non-zero.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    telemetry::init(args.log_format)?;
    let stop = termination_signal().context("cannot install signal handlers")?;
    let cluster = cluster(&args).await?;
    let client = connect(cluster.clone())?;
    let lease = lease_config(&args);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        identity = lease.identity,
        shard = args.shard,
        "starting"
    );

    let identity = lease.identity.clone();
    let mut supervisor = Supervisor::new(args.shutdown_grace);
    let serve = supervisor.token(Stage::Serve);
    let own_client = move || kube::Client::try_from(cluster);
    let (leadership, lease) = leader::spawn(own_client, lease, serve.clone()).await?;
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    Metrics::register_leader(&mut registry, leadership.clone());
    let readiness = Readiness::default();
    let health = HealthServer::bind(args.metrics_listen, readiness.clone(), registry).await?;
    let (events, writer) = Events::new(client.clone(), &identity, leadership.clone());

    supervisor.spawn(Stage::Serve, "health", health.serve(serve));
    supervisor.spawn(Stage::Serve, "lease", lease);
    let report = supervisor.token(Stage::Report);
    supervisor.spawn(Stage::Report, "events", writer.run(report));
    let runtime = Runtime {
        client,
        backoff: Backoff::new(BackoffConfig {
            base: args.retry_delay,
            ..BackoffConfig::default()
        }),
        args: Arc::new(args),
        metrics,
        readiness,
        leadership,
        events,
        shutdown: supervisor.token(Stage::Work),
    };
    controller::spawn(runtime, &mut supervisor);
    supervisor.run(stop).await?;
    tracing::info!("stopped");
    Ok(())
}

/// A client of the cluster that the arguments name.
pub(super) async fn client(args: &RunArgs) -> anyhow::Result<kube::Client> {
    connect(cluster(args).await?)
}

fn connect(cluster: kube::Config) -> anyhow::Result<kube::Client> {
    kube::Client::try_from(cluster).context("cannot build a client from the kubeconfig")
}

/// The cluster that the arguments name.
async fn cluster(args: &RunArgs) -> anyhow::Result<kube::Config> {
    match &args.kubeconfig {
        Some(path) => {
            let file = || format!("kubeconfig {}", path.display());
            let kubeconfig = kube::config::Kubeconfig::read_from(path).with_context(file)?;
            let options = kube::config::KubeConfigOptions::default();
            kube::Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .with_context(file)
        }
        None => kube::Config::infer()
            .await
            .context("no cluster found; name one with --kubeconfig or KUBECONFIG"),
    }
}

fn lease_config(args: &RunArgs) -> LeaseConfig {
    let name = match args.shard.as_str() {
        "" => LEASE.to_owned(),
        shard => format!("{LEASE}-{shard}"),
    };
    LeaseConfig {
        namespace: args.namespace.clone(),
        name,
        identity: args.lease.identity.clone().unwrap_or_else(random_identity),
        duration: args.lease.lease_duration,
        renew_deadline: args.lease.lease_renew_deadline,
        renew_interval: args.lease.lease_renew_interval,
    }
}

/// The host's name may be that of several processes, so the suffix makes it this one's.
fn random_identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "operator".into());
    let suffix = Alphanumeric.sample_string(&mut rand::rng(), 8);
    format!("{host}_{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn config(flags: &[&str]) -> LeaseConfig {
        let words = ["gatewaybinding-operator", "run"].iter().chain(flags);
        let Command::Run(args) = Cli::parse_from(words).command else {
            panic!("not parsed as run");
        };
        lease_config(&args)
    }

    #[test]
    fn each_shard_has_its_own_lease() {
        assert_eq!(config(&[]).name, "gatewaybinding-operator");
        assert_eq!(config(&["--shard=eu"]).name, "gatewaybinding-operator-eu");
    }

    #[test]
    fn a_given_identity_is_kept_and_a_made_up_one_is_unique() {
        assert_eq!(config(&["--identity=operator-0"]).identity, "operator-0");
        assert_ne!(random_identity(), random_identity());
    }

    #[test]
    fn the_default_durations_fit_together() {
        assert_eq!(config(&[]).validate(), Ok(()));
    }
}
