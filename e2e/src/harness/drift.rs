//! Drift: every object of a scenario is disturbed in every way that is known. Under
//! `driftPolicy: Enforce` all becomes what it was; under `Report` it is told, and nothing is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crds::v1alpha1::DriftPolicy;
use serde_json::json;

use super::{Footprint, HarnessError, Rehearsal, disturb::Disturbance};
use crate::world::Expect;

const PATIENCE: Duration = Duration::from_secs(60);
/// A call that each comparison with the cloud makes once.
const CHECK: &str = "DescribeApiGroups";
/// Comparisons in which nothing may happen any more.
const QUIET: usize = 2;

impl Rehearsal {
    /// Disturbs the scenario, which has to be run with this policy and an operator that compares
    /// often, in every way that there is, each on one object of its kind. Says what was done.
    ///
    /// # Errors
    /// With every disturbance of which something else became.
    pub async fn disturb_everything(
        &mut self,
        policy: DriftPolicy,
    ) -> Result<Vec<String>, HarnessError> {
        self.apply().await?;
        self.applied(PATIENCE, "before any disturbance").await?;
        let before = self.cloud_before().to_vec();
        let known = Disturbance::all(&self.world, &before).await?;
        let count = known.len();
        let mut kinds = BTreeSet::new();
        let (mut done, mut failures) = (Vec::new(), Vec::new());
        for (index, known) in known.iter().enumerate() {
            if !kinds.insert(known.kind()) {
                continue;
            }
            // Ids may be others by now; names and their order are not.
            let all = Disturbance::all(&self.world, &before).await?;
            let Some(disturbance) = all.get(index) else {
                let problem = format!("there are {} disturbances instead of {count}", all.len());
                return Err(HarnessError::Broken(problem));
            };
            let outcome = match policy {
                DriftPolicy::Enforce => self.is_put_back(disturbance).await,
                DriftPolicy::Report => self.is_told_and_left(disturbance).await,
            };
            done.push(disturbance.what.clone());
            if let Err(failure) = outcome {
                failures.push(format!("{}: {failure}", disturbance.what));
                self.start_over().await?;
            }
        }
        self.delete().await?;
        self.gone(PATIENCE, "after all disturbances").await?;
        if failures.is_empty() {
            Ok(done)
        } else {
            Err(HarnessError::Broken(failures.join("\n\n")))
        }
    }

    async fn start_over(&mut self) -> Result<(), HarnessError> {
        self.delete().await?;
        self.gone(PATIENCE, "after a failure").await?;
        self.apply().await?;
        self.applied(PATIENCE, "after a failure").await
    }

    async fn is_put_back(&mut self, disturbance: &Disturbance) -> Result<(), HarnessError> {
        self.world.cloud.reset_calls().await?;
        let versions = self.world.objects().await?;
        disturbance.make(&self.world).await?;
        let seen = self.is_applied().await.is_err();
        self.applied(PATIENCE, &disturbance.what).await?;
        // What is not shown, such as which credential it is, is known by what was done about it.
        let repaired = async || {
            let sends = self.costs().await.map_err(|error| error.to_string())?.sends;
            let now = self
                .world
                .objects()
                .await
                .map_err(|error| error.to_string())?;
            if seen || sends > 0 || moved(&versions, &now) {
                Ok(())
            } else {
                Err("nothing was different, and nothing was done".to_owned())
            }
        };
        let waited = self
            .world
            .wait_until("the disturbance", "undone", PATIENCE, repaired);
        let waited = waited.await;
        waited.map_err(|source| self.wait_error(&disturbance.what, source))?;
        self.quiet(&disturbance.what).await
    }

    async fn is_told_and_left(&mut self, disturbance: &Disturbance) -> Result<(), HarnessError> {
        self.world.cloud.reset_calls().await?;
        disturbance.make(&self.world).await?;
        let told = async || self.somebody_tells().await;
        let what = format!("drift ({})", disturbance.what);
        let waited = self.world.wait_until(&what, "told", PATIENCE, told).await;
        waited.map_err(|source| self.wait_error(&disturbance.what, source))?;
        self.quiet(&disturbance.what).await?;
        let cost = self.costs().await?;
        if cost.sends + cost.refused > 0 {
            let problem = format!("the operator wrote: {:?}", cost.by_action);
            return Err(HarnessError::Broken(problem));
        }
        if self.is_as_before().await.is_ok() {
            return Err(HarnessError::Broken("it was put back".to_owned()));
        }
        // The way back for a person who does not know how it was.
        self.set_policy(DriftPolicy::Enforce).await?;
        let back = async || {
            self.all_ready().await?;
            self.is_as_before().await
        };
        let waited = self
            .world
            .wait_until("everything", "put back", PATIENCE, back);
        let waited = waited.await;
        waited.map_err(|source| self.wait_error(&disturbance.what, source))?;
        self.set_policy(DriftPolicy::Report).await?;
        self.applied(PATIENCE, &disturbance.what).await
    }

    /// All that is not the user's own is as it was.
    async fn is_as_before(&self) -> Result<(), String> {
        let now = Footprint::of(&self.world).await;
        let now = now.map_err(|error| error.to_string())?;
        now.of_others().compare(&self.expected().of_others())
    }

    /// A binding or consumer says that there is drift.
    async fn somebody_tells(&self) -> Result<(), String> {
        let drifted = Expect::condition_with_reason("Programmed", "False", "DriftDetected");
        let mut said = Vec::new();
        for target in self
            .targets
            .iter()
            .filter(|target| target.kind().starts_with("Gateway"))
        {
            let api = target.api(self.world.client());
            let object = api
                .get_opt(target.name())
                .await
                .map_err(|error| error.to_string())?;
            match drifted.check(object.as_ref()) {
                Ok(()) => return Ok(()),
                Err(problem) => said.push(format!("{target}: {problem}")),
            }
        }
        Err(said.join("; "))
    }

    async fn set_policy(&self, policy: DriftPolicy) -> Result<(), HarnessError> {
        let patch = json!({"spec": {"driftPolicy": policy}});
        let kinds = ["GatewayBinding", "GatewayConsumer"];
        for target in self
            .targets
            .iter()
            .filter(|target| kinds.contains(&target.kind()))
        {
            self.world.patch(target, &patch).await?;
        }
        Ok(())
    }

    /// Over some comparisons with the cloud, no object moves any more.
    async fn quiet(&self, context: &str) -> Result<(), HarnessError> {
        let mut before = self.world.objects().await?;
        let mut checked = self.checks().await.map_err(HarnessError::Broken)?;
        let look = async || {
            let now = self
                .world
                .objects()
                .await
                .map_err(|error| error.to_string())?;
            let checks = self.checks().await?;
            if moved(&before, &now) {
                (before, checked) = (now, checks);
                return Err("something moves".to_owned());
            }
            if checks < checked + QUIET {
                return Err(format!(
                    "{} of {QUIET} comparisons",
                    checks.saturating_sub(checked)
                ));
            }
            Ok(())
        };
        let waited = self
            .world
            .wait_until("the cluster", "at rest", PATIENCE, look);
        waited
            .await
            .map_err(|source| self.wait_error(context, source))
    }

    async fn checks(&self) -> Result<usize, String> {
        let calls = self
            .world
            .cloud
            .calls()
            .await
            .map_err(|error| error.to_string())?;
        let key = &self.world.options().operator_keys.id;
        let checks = calls
            .iter()
            .filter(|call| call.access_key_id == *key && call.action == CHECK);
        Ok(checks.count())
    }
}

fn moved(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> bool {
    before != now
}
