//! One size, from an empty account to an edit in the middle of a sweep.

use std::{path::Path, time::Duration};

use alicloud_emulator::calls::Call;
use anyhow::{Context as _, bail};
use k8s_openapi::jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::{
    apply,
    calls::Calls,
    manifests::Scale,
    report::{ColdStart, Cost, Edit, Fill, Size, Sweep},
    stage::Stage,
    subject::{Numbers, Subject},
};
use crate::binaries::Binaries;

/// While bindings are applied nothing is to be swept.
const NO_SWEEPS: Duration = Duration::from_secs(24 * 60 * 60);
const POLL: Duration = Duration::from_millis(50);
/// Most edits made while one sweep runs.
const EDITS: usize = 10;

/// How one size is measured.
pub(super) struct Plan<'a> {
    pub scale: Scale,
    /// Calls per second and action that the cloud allows.
    pub quota: u32,
    /// Time between sweeps; chosen by size if absent.
    pub drift_interval: Option<Duration>,
    /// The longest that each part may take.
    pub patience: Duration,
    pub programs: &'a Binaries,
    pub folder: &'a Path,
}

/// A stage with an operator on it, and where the counting began.
struct Bench<'a> {
    plan: &'a Plan<'a>,
    stage: Stage,
    kubeconfig: std::path::PathBuf,
}

/// Measures one size; `tell` gets a line before each part.
pub(super) async fn measure(plan: &Plan<'_>, tell: &mut impl FnMut(&str)) -> anyhow::Result<Size> {
    let scale = plan.scale;
    tell("starting the control plane and the cloud");
    let emulator = &plan.programs.emulator;
    let stage = Stage::start(scale, emulator, plan.quota, plan.folder).await?;
    tell("making the Routes");
    apply::routes(&stage.client(), scale).await?;
    let kubeconfig = stage.operator_kubeconfig().await?;
    let mut bench = Bench {
        plan,
        stage,
        kubeconfig,
    };
    tell("applying the bindings, until all are Ready");
    let (fill, operator) = bench.fill().await?;
    operator.terminate().await?;
    tell("starting the operator again, until all is known good");
    let interval = plan.drift_interval.unwrap_or_else(|| interval(scale));
    let (cold_start, mut operator) = bench.cold_start(interval).await?;
    tell(&format!(
        "waiting for a sweep, {} s after the start",
        interval.as_secs()
    ));
    let sweep = bench.sweep(&mut operator, interval).await?;
    tell("editing bindings during the next sweep");
    let edits = bench.edits(&mut operator, interval).await?;
    let emulator_cpu_seconds = bench.stage.emulator_usage()?.cpu;
    operator.terminate().await?;
    bench.stage.control_plane.stop().await?;
    Ok(Size {
        bindings: scale.bindings,
        namespaces: scale.namespaces(),
        groups: scale.groups(),
        consumers: scale.consumers(),
        fill,
        cold_start,
        sweep,
        edits,
        emulator_cpu_seconds,
    })
}

/// Long enough for a cold start that reads every API one by one to be over before the first sweep.
fn interval(scale: Scale) -> Duration {
    Duration::from_secs(20 + scale.bindings as u64 / 50)
}

impl Bench<'_> {
    fn start(&self, drift_interval: Duration) -> anyhow::Result<Subject> {
        Subject::start(
            &self.plan.programs.operator,
            &self.kubeconfig,
            &self.stage,
            self.plan.folder,
            drift_interval,
        )
    }

    /// Begins to count calls and requests anew.
    async fn count_anew(&mut self) -> anyhow::Result<()> {
        self.stage.forget_calls().await?;
        self.stage.audit.take()?;
        Ok(())
    }

    /// Calls and requests since the counting began, and what the operator used since its start.
    async fn cost(&mut self, operator: &Subject) -> anyhow::Result<Cost> {
        let usage = operator.usage()?;
        Ok(Cost {
            calls: Calls::of(&self.stage.calls().await?),
            requests: self.stage.audit.take()?,
            cpu_seconds: usage.cpu,
            peak_mib: usage.peak_mib,
        })
    }

    async fn fill(&mut self) -> anyhow::Result<(Fill, Subject)> {
        let (scale, patience) = (self.plan.scale, self.plan.patience);
        let mut operator = self.start(NO_SWEEPS)?;
        while !operator.is_ready().await {
            operator.numbers().await?;
            if operator.started.elapsed() > patience {
                bail!("the operator is not ready after {} s", patience.as_secs());
            }
            sleep(POLL).await;
        }
        operator.quiet(patience).await?;
        self.count_anew().await?;
        let before = operator.usage()?.cpu;
        let started = Instant::now();
        let client = self.stage.client();
        apply::bindings(&client, scale).await?;
        let applied = started.elapsed();
        let all = scale.bindings as u64;
        let what = format!("{all} bindings Ready");
        let reached = operator
            .until(&what, patience, |now| now.ready >= all)
            .await;
        if let Err(error) = reached {
            return Err(self.explained(error).await);
        }
        let ready = started.elapsed();
        let numbers = operator.quiet(patience).await?;
        self.confirm().await?;
        let mut cost = self.cost(&operator).await?;
        cost.cpu_seconds -= before;
        let fill = Fill {
            apply_seconds: applied.as_secs_f64(),
            ready_seconds: ready.as_secs_f64(),
            passes: numbers.passes,
            cost,
        };
        Ok((fill, operator))
    }

    /// What the operator counts as Ready has to be so in the API as well.
    async fn confirm(&self) -> anyhow::Result<()> {
        let (open, found) = apply::not_ready(&self.stage.client()).await?;
        if found != self.plan.scale.bindings || !open.is_empty() {
            let some: Vec<_> = open.iter().take(5).collect();
            bail!(
                "the operator counts all bindings as Ready, but of {found} in the API {} are not: {some:?}",
                open.len()
            );
        }
        Ok(())
    }

    /// An error with what a few of the bindings that are not Ready say.
    async fn explained(&self, error: anyhow::Error) -> anyhow::Error {
        match apply::not_ready(&self.stage.client()).await {
            Ok((open, _)) => {
                let some: Vec<String> = open.into_iter().take(5).collect();
                error.context(some.join("\n"))
            }
            Err(_) => error,
        }
    }

    async fn cold_start(&mut self, interval: Duration) -> anyhow::Result<(ColdStart, Subject)> {
        let patience = self.plan.patience;
        self.count_anew().await?;
        let mut operator = self.start(interval)?;
        let all = self.plan.scale.bindings as u64;
        let what = format!("{all} bindings known to be Ready after a restart");
        operator
            .until(&what, patience, |now| now.ready >= all)
            .await?;
        let known_good = operator.started.elapsed();
        let numbers = operator.quiet(patience).await?;
        if operator.started.elapsed() >= interval {
            bail!(
                "the cold start took longer than the time between sweeps, {} s: give a longer --drift-interval",
                interval.as_secs()
            );
        }
        let cold_start = ColdStart {
            known_good_seconds: known_good.as_secs_f64(),
            passes: numbers.passes,
            cost: self.cost(&operator).await?,
        };
        Ok((cold_start, operator))
    }

    async fn sweep(&mut self, operator: &mut Subject, interval: Duration) -> anyhow::Result<Sweep> {
        self.count_anew().await?;
        let before = operator.numbers().await?;
        let cpu_before = operator.usage()?.cpu;
        let patience = interval.mul_f64(1.2) + self.plan.patience;
        self.sweep_begins(patience).await?;
        let started = Instant::now();
        let swept = before.passes + self.plan.scale.bindings as u64;
        let what = format!("{swept} passes, which are those of a sweep");
        let reached = |now: &Numbers| now.passes >= swept;
        operator.until(&what, patience, reached).await?;
        let seconds = started.elapsed().as_secs_f64();
        let numbers = operator.quiet(interval).await?;
        let mut cost = self.cost(operator).await?;
        cost.cpu_seconds -= cpu_before;
        Ok(Sweep {
            interval_seconds: interval.as_secs_f64(),
            seconds,
            passes: numbers.passes - before.passes,
            cost,
        })
    }

    /// Waits until the operator lists the APIs, as it does when a sweep of bindings begins; that of
    /// consumers may have begun before.
    async fn sweep_begins(&self, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        let listed = |calls: &[Call]| calls.iter().any(|call| call.action == "DescribeApis");
        while !listed(&self.stage.calls().await?) {
            if Instant::now() >= deadline {
                bail!("no sweep began within {} s", patience.as_secs());
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Edits one binding after the other for as long as a sweep runs.
    async fn edits(
        &mut self,
        operator: &mut Subject,
        interval: Duration,
    ) -> anyhow::Result<Vec<Edit>> {
        self.count_anew().await?;
        let before = operator.numbers().await?.passes;
        self.sweep_begins(interval.mul_f64(1.2) + self.plan.patience)
            .await?;
        let count = self.plan.scale.bindings;
        let mut edits = Vec::new();
        for number in 0..EDITS.min(count) {
            // Spread over groups and namespaces.
            let index = number * count / EDITS.min(count);
            let passes = operator.numbers().await?.passes - before;
            if passes >= count as u64 {
                break;
            }
            let seconds = self.edit(index).await?;
            edits.push(Edit {
                seconds,
                passes_before: passes,
            });
        }
        Ok(edits)
    }

    /// Edits one binding and waits until it is Ready again: the seconds until the first call that
    /// changed something, by the clock that both processes share.
    async fn edit(&self, index: usize) -> anyhow::Result<f64> {
        let client = self.stage.client();
        let scale = self.plan.scale;
        let edited = Timestamp::now();
        apply::edit(&client, scale, index).await?;
        let deadline = Instant::now() + self.plan.patience;
        while !apply::is_ready(&client, scale, index).await? {
            if Instant::now() >= deadline {
                bail!("an edited binding is not Ready again in time");
            }
            sleep(POLL).await;
        }
        let calls = self.stage.calls().await?;
        let first = calls
            .iter()
            .find(|call| call.mutating && call.time >= edited)
            .context("an edit led to no call that changes something")?;
        Ok(first.time.duration_since(edited).as_secs_f64())
    }
}
