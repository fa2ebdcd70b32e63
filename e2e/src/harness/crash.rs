//! Crashes at call boundaries: wherever an operator ends, its successor comes to the same.

use std::{fmt, time::Duration};

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{HarnessError, Rehearsal, Side};

/// For an operator to reach the boundary or the end, and for its successor to come to the end.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// Which calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// Every call to the cloud, reads included.
    Cloud,
    /// Every call to the API server but watches and the Lease. Only for an operator in this
    /// process.
    Kubernetes,
}

/// Where operators were stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points {
    /// While manifests were carried out.
    pub create: usize,
    /// While their deletion was.
    pub delete: usize,
}

impl fmt::Display for Points {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { create, delete } = self;
        let all = create + delete;
        write!(
            formatter,
            "{all} crash points ({create} creating, {delete} deleting)"
        )
    }
}

impl std::ops::AddAssign for Points {
    fn add_assign(&mut self, other: Self) {
        self.create += other.create;
        self.delete += other.delete;
    }
}

impl Rehearsal {
    /// Stops the operator at the first call, then in a new run at the second, and so on until a run
    /// ends undisturbed, both while the scenario is applied and while it is deleted. After each
    /// crash a successor has to come to what the undisturbed run came to.
    ///
    /// # Errors
    /// At the first point after which it does not.
    pub async fn crash_everywhere(
        &mut self,
        boundary: Boundary,
        side: Side,
    ) -> Result<Points, HarnessError> {
        let mut points = Points::default();
        let (mut creating, mut deleting) = (true, true);
        let mut number = 1;
        while creating || deleting {
            let call = (creating.then_some(number), deleting.then_some(number));
            let crashed = self.crash_at(boundary, side, call).await?;
            points += crashed.clone();
            (creating, deleting) = (crashed.create > 0, crashed.delete > 0);
            number += 1;
        }
        Ok(points)
    }

    /// One run with a crash at one call while the scenario is applied, and at one while it is
    /// deleted. Says at which of the two there was one: a run may have fewer calls.
    ///
    /// # Errors
    /// If a successor does not come to what the undisturbed run came to.
    pub async fn crash_at(
        &mut self,
        boundary: Boundary,
        side: Side,
        (create, delete): (Option<usize>, Option<usize>),
    ) -> Result<Points, HarnessError> {
        let mut points = Points::default();
        self.arm(boundary, side, create).await?;
        self.apply().await?;
        let crashed = self.crash_or("applying", Self::is_applied).await?;
        points.create += usize::from(crashed.is_some());
        let context = context("applying", side, create, crashed.as_deref());
        self.applied(PATIENCE, &context).await?;

        self.arm(boundary, side, delete).await?;
        self.delete().await?;
        let crashed = self.crash_or("deleting", Self::is_gone).await?;
        points.delete += usize::from(crashed.is_some());
        let context = self::context("deleting", side, delete, crashed.as_deref());
        self.gone(PATIENCE, &context).await?;
        Ok(points)
    }

    async fn arm(
        &self,
        boundary: Boundary,
        side: Side,
        number: Option<usize>,
    ) -> Result<(), HarnessError> {
        self.world.cloud.reset_calls().await?;
        match (boundary, number) {
            (_, None) => self.disarm().await.map(drop),
            (Boundary::Cloud, Some(number)) => {
                let plan = hold_from(number, side, &self.world.options().operator_keys.id);
                Ok(self.world.cloud.faults(&plan).await?)
            }
            (Boundary::Kubernetes, Some(number)) => match &self.instance {
                Some(instance) => {
                    instance.gate().arm(number, side);
                    Ok(())
                }
                None => Err(HarnessError::Broken(
                    "only the calls of an operator in this process can be held".to_owned(),
                )),
            },
        }
    }

    /// Lets calls pass from now on. Says which one was held until now, if one was.
    async fn disarm(&self) -> Result<Option<String>, HarnessError> {
        self.world.cloud.faults(&json!({"rules": []})).await?;
        let held = self.stands_still().await?;
        let gate = self.instance.as_ref().map(|instance| instance.gate());
        Ok(gate.and_then(super::Gate::disarm).or(held))
    }

    /// Waits for the operator to stand still at the boundary, kills it there and starts its
    /// successor; or for the end, if there is no such call. Says which call it was.
    async fn crash_or(
        &mut self,
        context: &str,
        at_end: impl AsyncFn(&Self) -> Result<(), String>,
    ) -> Result<Option<String>, HarnessError> {
        let deadline = Instant::now() + PATIENCE;
        while self.stands_still().await?.is_none() {
            let missing = match at_end(self).await {
                Ok(()) => break,
                Err(missing) => missing,
            };
            if Instant::now() >= deadline {
                return Err(HarnessError::Broken(format!(
                    "{context}: the operator neither reached the call nor the end; missing is: \
                     {missing}\n{}",
                    self.log_tail()
                )));
            }
            sleep(POLL).await;
        }
        // The call may come between the end and this: then it is held, and its operator has to go.
        let reached = self.disarm().await?;
        if reached.is_some() {
            self.kill_operator().await?;
            self.start_operator().await?;
        }
        Ok(reached)
    }

    async fn stands_still(&self) -> Result<Option<String>, HarnessError> {
        let gate = self.instance.as_ref().map(|instance| instance.gate());
        if let Some(call) = gate.and_then(super::Gate::reached) {
            return Ok(Some(call));
        }
        let calls = self.world.cloud.calls().await?;
        let held = calls.into_iter().find(|call| !call.answered);
        Ok(held.map(|call| call.action))
    }
}

/// Faults that let calls of a key pass up to one, and leave that and all after it unanswered.
fn hold_from(number: usize, side: Side, access_key_id: &str) -> serde_json::Value {
    let at = match side {
        Side::Before => json!({"type": "hang"}),
        Side::After => json!({"type": "appliedButUnanswered", "loss": "hang"}),
    };
    let passing = number - 1;
    json!({"rules": [
        {"accessKeyId": access_key_id, "after": passing, "times": 1, "effect": at},
        // Calls for which the first rule fired are not counted by the second.
        {"accessKeyId": access_key_id, "after": passing, "effect": {"type": "hang"}},
    ]})
}

fn context(doing: &str, side: Side, number: Option<usize>, call: Option<&str>) -> String {
    match (number, call) {
        (Some(number), Some(call)) => {
            let side = format!("{side:?}").to_lowercase();
            format!("{doing} with a crash {side} call {number}, {call}")
        }
        _ => format!("{doing} without a crash"),
    }
}
