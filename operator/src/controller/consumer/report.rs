//! What a pass over a consumer has come to, and its way into status, events and metrics.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crds::v1alpha1::{GatewayConsumer, GatewayConsumerStatus};
use jiff::Timestamp;
use kube::{Api, Resource, ResourceExt};

use super::KIND;
use super::site::Site;
use crate::backoff::ObjectKey as BackoffKey;
use crate::controller::binding::ended;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::controller::writes;
use crate::core::consumer::claims::{Claim, Claims};
use crate::core::consumer::credentials::Slot;
use crate::core::consumer::status::{View, status};
use crate::core::problem::Problem;
use crate::core::unreadable::Readable;
use crate::metrics::ConditionState;

/// What a pass has come to.
pub(super) struct Report {
    /// The consumer, in the newest version known.
    pub consumer: Arc<GatewayConsumer>,
    /// What stands in the way.
    pub problems: Vec<Problem>,
    /// What is claimed.
    pub claims: Claims,
    /// The credentials that are valid; none: that was not worked out.
    pub valid: Option<BTreeSet<Slot>>,
    /// Credentials that could not be put into the cloud.
    pub failed: BTreeSet<Slot>,
    /// An adopted app is disabled.
    pub disabled_by_others: bool,
    /// What somebody else changed and the policy says to leave.
    pub drifted: Vec<String>,
    /// What does not keep what is written to it.
    pub unkept: Vec<String>,
    /// When a credential reaches its end.
    pub next_check: Option<Timestamp>,
    retry_after: Option<Duration>,
    pause: Option<Duration>,
    executed: Vec<String>,
}

impl Report {
    /// Nothing has happened yet.
    pub(super) fn new(consumer: Arc<GatewayConsumer>) -> Self {
        Self {
            claims: Claims::of(&consumer),
            consumer,
            problems: Vec::new(),
            valid: None,
            failed: BTreeSet::new(),
            disabled_by_others: false,
            drifted: Vec::new(),
            unkept: Vec::new(),
            next_check: None,
            retry_after: None,
            pause: None,
            executed: Vec::new(),
        }
    }

    /// Adds trouble.
    pub(super) fn trouble(&mut self, trouble: Trouble) {
        tracing::debug!(reason = %trouble.problem.reason, message = trouble.problem.message, "in the way");
        self.retry_after = self.retry_after.max(trouble.retry_after);
        self.pause = self.pause.max(trouble.pause());
        if !self.problems.contains(&trouble.problem) {
            self.problems.push(trouble.problem);
        }
    }

    /// Something was made, changed or removed.
    pub(super) fn done(&mut self, action: &'static str, claim: &Claim, context: &Context) {
        tracing::info!(object = %claim, action, "done");
        context.runtime.metrics.plan_step(action, claim.kind());
        let said = format!("{action} {claim}");
        if !self.executed.contains(&said) {
            self.executed.push(said);
        }
    }

    /// The id of an app goes into the ledger, and out of it when the app is gone.
    pub(super) fn note_id(&mut self, site: &Site) {
        let claim = Claim::App(site.key.clone());
        if let Some(entry) = self.claims.entries.get_mut(&claim) {
            entry.id = site.id.as_ref().map(|id| id.0.clone());
        }
    }

    /// Writes the ledger alone: the rest of status follows at the end of the pass.
    pub(super) async fn write_ledger(&mut self, context: &Context) -> Result<(), Trouble> {
        let mut status = self.consumer.status.clone().unwrap_or_default();
        status.ledger = self.claims.write();
        self.consumer = write_status(&self.consumer, &status, context).await?;
        Ok(())
    }

    /// Writes status if it differs, tells events and metrics, and says when to look again.
    pub(super) async fn publish(mut self, context: &Context) -> Ended {
        let view = View {
            generation: self.consumer.metadata.generation,
            now: Timestamp::now(),
            spec: &self.consumer.spec,
            previous: self.consumer.status.as_ref(),
            problems: &self.problems,
            valid: self.valid.as_ref(),
            claims: &self.claims,
            disabled_by_others: self.disabled_by_others,
        };
        let new = status(&view);
        self.tell(&new, context);
        if self.consumer.status.as_ref() != Some(&new) {
            match write_status(&self.consumer, &new, context).await {
                Ok(consumer) => self.consumer = consumer,
                Err(trouble) => self.trouble(trouble),
            }
        }
        ended(
            &self.problems,
            self.retry_after,
            self.pause,
            self.next_check,
        )
    }

    fn tell(&self, new: &GatewayConsumerStatus, context: &Context) {
        let regarding = self.consumer.object_ref(&());
        let events = &context.runtime.events;
        events.applied(&regarding, &self.executed);
        let before = self.consumer.status.as_ref();
        let before = before.map(|status| status.conditions.clone());
        events.transitions(&regarding, &before.unwrap_or_default(), &new.conditions);
        let key = BackoffKey::of(KIND, &*self.consumer);
        let conditions = new.conditions.iter().map(ConditionState::from);
        context.runtime.metrics.object(&key, conditions);
    }
}

/// The consumers of a consumer's namespace.
pub(super) fn api(consumer: &GatewayConsumer, context: &Context) -> Api<Readable<GatewayConsumer>> {
    let namespace = consumer.namespace().unwrap_or_default();
    Api::namespaced(context.runtime.client.clone(), &namespace)
}

/// Writes the whole status.
pub(super) async fn write_status(
    consumer: &GatewayConsumer,
    status: &GatewayConsumerStatus,
    context: &Context,
) -> Result<Arc<GatewayConsumer>, Trouble> {
    let written = writes::status(&api(consumer, context), consumer, status, context).await?;
    Ok(context.consumers.wrote(written))
}
