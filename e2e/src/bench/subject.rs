//! The operator under measurement.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::time::{Instant, sleep};

use super::{
    audit, scrape,
    stage::{KEY, Stage, free_port},
    usage::Usage,
};
use crate::process::{Process, ProcessSpec};

const POLL: Duration = Duration::from_millis(100);
/// How long no pass may have ended for the operator to count as quiet.
const QUIET: Duration = Duration::from_secs(2);
/// How long it may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(40);

/// A running operator; killed when dropped.
pub(super) struct Subject {
    process: Process,
    http: reqwest::Client,
    url: String,
    pid_file: PathBuf,
    /// When it was started.
    pub started: Instant,
}

/// What the operator says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Numbers {
    /// Bindings whose last pass found them Ready.
    pub ready: u64,
    /// Passes over bindings that ended, however they did.
    pub passes: u64,
    /// Passes over anything.
    pub all_passes: u64,
}

impl Subject {
    /// Starts it against a stage. Its log is appended to `operator.log`.
    pub(super) fn start(
        program: &Path,
        kubeconfig: &Path,
        stage: &Stage,
        folder: &Path,
        drift_interval: Duration,
    ) -> anyhow::Result<Self> {
        let listen = format!("127.0.0.1:{}", free_port()?);
        let args = vec![
            "run".into(),
            "--kubeconfig".into(),
            kubeconfig.into(),
            "--cloud-endpoint".into(),
            stage.cloud().into(),
            "--metrics-listen".into(),
            listen.clone().into(),
            "--namespace".into(),
            audit::NAMESPACE.into(),
            "--identity".into(),
            "operator-0".into(),
            "--drift-interval".into(),
            format!("{}ms", drift_interval.as_millis()).into(),
        ];
        let env = [
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY.0),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", KEY.1),
        ];
        let spec = ProcessSpec {
            name: "operator".to_owned(),
            program: program.to_owned(),
            args,
            env: env
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        let started = Instant::now();
        Ok(Self {
            process: Process::spawn(&spec, folder)?,
            http: reqwest::Client::builder().no_proxy().build()?,
            url: format!("http://{listen}"),
            pid_file: folder.join("operator.pid"),
            started,
        })
    }

    /// CPU time and memory so far.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(&self.pid_file).context("cannot read what the operator used")
    }

    /// Its metrics; zeros while it does not serve them.
    pub(super) async fn numbers(&mut self) -> anyhow::Result<Numbers> {
        if let Some(status) = self.process.try_wait()? {
            let log = self.process.log_tail(20);
            bail!("the operator ended with {status}; its log ends with:\n{log}");
        }
        let answer = self.http.get(format!("{}/metrics", self.url)).send().await;
        let Ok(answer) = answer else {
            return Ok(Numbers::default());
        };
        Ok(read(&answer.text().await?))
    }

    /// Waits until `reached` says so, asking again and again; the numbers and the time it took.
    pub(super) async fn until(
        &mut self,
        what: &str,
        patience: Duration,
        reached: impl Fn(&Numbers) -> bool,
    ) -> anyhow::Result<Numbers> {
        let deadline = Instant::now() + patience;
        loop {
            let numbers = self.numbers().await?;
            if reached(&numbers) {
                return Ok(numbers);
            }
            if Instant::now() >= deadline {
                let log = self.process.log_tail(20);
                let states = self.states().await;
                let seconds = patience.as_secs();
                bail!(
                    "{what}: not after {seconds} s; {numbers:?}\n{states}\nthe operator's log ends with:\n{log}"
                );
            }
            sleep(POLL).await;
        }
    }

    /// How many bindings are Ready or not, and why.
    async fn states(&self) -> String {
        let answer = self.http.get(format!("{}/metrics", self.url)).send().await;
        let Ok(answer) = answer else {
            return String::new();
        };
        let text = answer.text().await.unwrap_or_default();
        let ready = text
            .lines()
            .filter(|line| line.contains("GatewayBinding\"") && line.contains("\"Ready\""));
        ready.collect::<Vec<_>>().join("\n")
    }

    /// Waits until no pass has ended for a while.
    pub(super) async fn quiet(&mut self, patience: Duration) -> anyhow::Result<Numbers> {
        let deadline = Instant::now() + patience;
        let mut last = self.numbers().await?;
        let mut since = Instant::now();
        while since.elapsed() < QUIET {
            if Instant::now() >= deadline {
                let seconds = patience.as_secs();
                bail!("the operator still works {seconds} s after everything was Ready: {last:?}");
            }
            sleep(POLL).await;
            let now = self.numbers().await?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(last)
    }

    /// Whether `/readyz` says so.
    pub(super) async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/readyz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// SIGTERM, and waits for its end.
    pub(super) async fn terminate(self) -> anyhow::Result<()> {
        let status = self.process.terminate(GRACE).await?;
        if !status.success() {
            bail!("the operator ended with {status} after SIGTERM");
        }
        Ok(())
    }
}

fn read(text: &str) -> Numbers {
    let objects = "gatewaybinding_objects";
    let passes = "gatewaybinding_reconcile_duration_seconds_count";
    let of_bindings = [("controller", "GatewayBinding")];
    let ready = [
        ("kind", "GatewayBinding"),
        ("condition", "Ready"),
        ("status", "True"),
    ];
    // Counts are whole numbers far below where a float loses them.
    let whole = |number: f64| number.max(0.0) as u64;
    Numbers {
        ready: whole(scrape::sum(text, objects, &ready)),
        passes: whole(scrape::sum(text, passes, &of_bindings)),
        all_passes: whole(scrape::sum(text, passes, &[])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewaybinding_operator::{
        backoff::ObjectKey,
        metrics::{ConditionState, Metrics, ReconcileOutcome},
    };

    #[test]
    fn the_operators_metrics_are_read_as_it_writes_them() {
        let mut registry = prometheus_client::registry::Registry::default();
        let metrics = Metrics::new(&mut registry);
        let key = ObjectKey {
            kind: "GatewayBinding",
            namespace: Some("default".into()),
            name: "a".into(),
        };
        let ready = ConditionState {
            condition: "Ready".into(),
            status: "True".into(),
            reason: "Ready".into(),
        };
        metrics.object(&key, [ready]);
        for controller in ["GatewayBinding", "GatewayBinding", "GatewayConsumer"] {
            metrics.reconciled(controller, ReconcileOutcome::Converged, QUIET);
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let expected = Numbers {
            ready: 1,
            passes: 2,
            all_passes: 3,
        };
        assert_eq!(read(&text), expected);
    }
}
