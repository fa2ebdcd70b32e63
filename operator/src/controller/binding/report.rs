//! What a pass has come to, and its way into status, events and metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cloud_adapter::gateway::model::Inventory;
use crds::v1alpha1::{FieldConflict, GatewayBinding, GatewayBindingStatus, Mode, PlanStatus};
use jiff::Timestamp;
use kube::{Api, Resource, ResourceExt};

use super::approve::published;
use super::higress::Told;
use super::work::{digests, overwritten, sub_domain};
use super::{KIND, ended};
use crate::backoff::ObjectKey as BackoffKey;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::controller::writes;
use crate::core::approval::Approval;
use crate::core::balancer::LoadBalancer;
use crate::core::desire::Wanted;
use crate::core::desired::Desired;
use crate::core::key::ObjectKey;
use crate::core::ledger::Ledger;
use crate::core::observed::{Lookup, ServiceState};
use crate::core::plan::{Plan, Step};
use crate::core::problem::Problem;
use crate::core::project::{View, status};
use crate::core::published::Published;
use crate::core::unreadable::Readable;
use crate::core::validate::Validated;
use crate::metrics::ConditionState;

/// What a pass has come to.
pub(super) struct Report {
    /// The binding, in the newest version known.
    pub binding: Arc<GatewayBinding>,
    /// Its class.
    pub class: Option<String>,
    /// The binding as it is meant.
    pub validated: Option<Validated>,
    /// What stands in the way, as the last look found it.
    pub problems: Vec<Problem>,
    /// What cluster and cloud answered with in this pass.
    troubles: Vec<Problem>,
    retry_after: Option<Duration>,
    pause: Option<Duration>,
    /// What is claimed.
    pub ledger: Ledger,
    /// What is wanted.
    pub wanted: Wanted,
    /// Digests of what is wanted.
    pub digests: BTreeMap<ObjectKey, String>,
    /// The API gateway's objects.
    pub inventory: Option<Arc<Inventory>>,
    /// The gateway's Service.
    pub service: Option<ServiceState>,
    /// Its load balancer, or the one that it is to have.
    pub load_balancer: Option<LoadBalancer>,
    /// Ids of what is there.
    pub ids: BTreeMap<ObjectKey, String>,
    /// Steps that were not done.
    pub remaining: Vec<Step>,
    /// Steps that the guard against mass changes holds.
    pub held: Vec<Step>,
    /// When more is known of what may go.
    pub later: Option<Duration>,
    /// What somebody else changed and the policy says to leave.
    pub drifted: BTreeSet<ObjectKey>,
    /// What is published as the plan.
    pub plan: Option<Published>,
    /// The approved plan that is being carried out.
    pub approval: Option<Approval>,
    /// Fields that other bindings hold.
    pub conflicts: Vec<FieldConflict>,
    /// Fields that this binding holds.
    pub holds: BTreeMap<String, String>,
    /// What stands in the way in Higress.
    pub higress: Vec<Problem>,
    /// What `Ready` says while it is true.
    pub note: String,
    executed: Vec<String>,
}

impl Report {
    /// Nothing has happened yet.
    pub(super) fn new(binding: Arc<GatewayBinding>) -> Self {
        Self {
            ledger: Ledger::of(&binding),
            binding,
            class: None,
            validated: None,
            problems: Vec::new(),
            troubles: Vec::new(),
            retry_after: None,
            pause: None,
            wanted: Wanted::default(),
            digests: BTreeMap::new(),
            inventory: None,
            service: None,
            load_balancer: None,
            ids: BTreeMap::new(),
            remaining: Vec::new(),
            held: Vec::new(),
            later: None,
            drifted: BTreeSet::new(),
            plan: None,
            approval: None,
            conflicts: Vec::new(),
            holds: BTreeMap::new(),
            higress: Vec::new(),
            note: String::new(),
            executed: Vec::new(),
        }
    }

    /// Adds a problem.
    pub(super) fn with(mut self, problem: Problem) -> Self {
        self.problems.push(problem);
        self
    }

    /// Adds what has come of the rules in Higress.
    pub(super) fn with_higress(&mut self, told: Told) {
        self.ledger = Ledger::of(&told.binding);
        self.binding = told.binding;
        self.higress = told.problems;
        self.note = told.note;
    }

    /// Adds trouble.
    pub(super) fn trouble(&mut self, trouble: Trouble) {
        tracing::debug!(reason = %trouble.problem.reason, message = trouble.problem.message, "in the way");
        self.retry_after = self.retry_after.max(trouble.retry_after);
        self.pause = self.pause.max(trouble.pause());
        if !self.troubles.contains(&trouble.problem) {
            self.troubles.push(trouble.problem);
        }
    }

    /// All that stands in the way.
    pub(super) fn obstacles(&self) -> Vec<Problem> {
        self.troubles
            .iter()
            .chain(&self.problems)
            .chain(&self.higress)
            .cloned()
            .collect()
    }

    /// Forgets what an earlier look in the same pass found.
    pub(super) fn restart(&mut self) {
        self.problems.clear();
        self.remaining.clear();
        self.held.clear();
        self.later = None;
    }

    /// Notes what is wanted.
    pub(super) fn note_wanted(&mut self, wanted: &Wanted) {
        self.digests = digests(wanted);
    }

    /// The plan is not carried out.
    pub(super) fn open(&mut self, mut plan: Plan) {
        self.problems.append(&mut plan.problems);
        self.ids.extend(plan.ids);
        self.remaining = plan.steps;
    }

    /// A step is done.
    pub(super) fn done(&mut self, step: &Step, claims: &BTreeSet<ObjectKey>) {
        let action = step.operation.action();
        self.executed
            .push(format!("{} {}", action.as_str(), step.key));
        self.ledger.done(step);
        if !claims.contains(&step.key) {
            self.ledger.entries.remove(&step.key);
        }
    }

    /// Claims end.
    pub(super) fn release(&mut self, keys: &BTreeSet<ObjectKey>) {
        for key in keys {
            self.ledger.entries.remove(key);
        }
    }

    /// Nothing is left to do: what is wanted is what was applied.
    pub(super) fn settle(&mut self, plan: &Plan) {
        self.release(&plan.released);
        let inventory = self.inventory.clone().unwrap_or_default();
        for (key, digest) in &self.digests {
            let drifted = self.drifted.contains(key) || plan.withheld.contains(key);
            let held = self.held.iter().any(|step| step.key == *key);
            if !is_there(key, &self.ids) || held || drifted {
                continue;
            }
            if let Some(entry) = self.ledger.entries.get_mut(key) {
                entry.applied = Some(digest.clone());
                entry.version = version(key, &inventory);
            }
        }
        for (key, entry) in &mut self.ledger.entries {
            if matches!(key, ObjectKey::Service { .. }) {
                entry.fields = self.holds.clone();
            }
        }
    }

    /// Ids go into the ledger as they become known.
    pub(super) fn note_ids(&mut self) {
        for (key, id) in &self.ids {
            if let Some(entry) = self.ledger.entries.get_mut(key) {
                entry.id = Some(id.clone());
            }
        }
    }

    /// What annotations of a Service were before we first wrote them goes into the ledger.
    pub(super) fn remember_previous(&mut self, plan: &Plan) {
        let Some(state) = &self.service else { return };
        for step in &plan.steps {
            if let Some(entry) = self.ledger.entries.get_mut(&step.key) {
                let seen = self.load_balancer.as_ref();
                for (key, value) in overwritten(&step.operation, state, seen) {
                    entry.previous.entry(key).or_insert(value);
                }
            }
        }
    }

    /// Writes the ledger alone: the rest of status follows at the end of the pass.
    pub(super) async fn write_ledger(&mut self, context: &Context) -> Result<(), Trouble> {
        let mut status = self.binding.status.clone().unwrap_or_default();
        status.ledger = self.ledger.write();
        status.class_name.clone_from(&self.class);
        if let Some(approval) = &self.approval {
            let plan = status.plan.get_or_insert_default();
            plan.approved = Some(approval.record());
        }
        self.binding = write_status(&self.binding, &status, context).await?;
        Ok(())
    }

    /// Writes status if it differs, tells events and metrics, and says when to look again.
    pub(super) async fn publish(mut self, context: &Context) -> Ended {
        let sub_domain = match (&self.validated, &self.inventory) {
            (Some(validated), Some(inventory)) => sub_domain(validated, inventory),
            _ => None,
        };
        self.remaining.append(&mut self.held);
        let missing = self.missing();
        let obstacles = self.obstacles();
        let view = View {
            generation: self.binding.metadata.generation,
            now: Timestamp::now(),
            previous: self.binding.status.as_ref(),
            class: self.class.as_deref(),
            validated: self.validated.as_ref(),
            problems: &obstacles,
            open: &self.remaining,
            missing: &missing,
            plan: self.plan_status(&obstacles),
            ids: &self.ids,
            service: self.service.as_ref(),
            load_balancer: self.load_balancer.as_ref(),
            sub_domain: sub_domain.as_deref(),
            conflicts: &self.conflicts,
            ledger: &self.ledger,
            note: &self.note,
        };
        let new = status(&view);
        self.tell(&new, context);
        if self.binding.status.as_ref() != Some(&new) {
            match write_status(&self.binding, &new, context).await {
                Ok(binding) => self.binding = binding,
                Err(trouble) => {
                    let message = &trouble.problem.message;
                    tracing::warn!(message, "status not written");
                    self.trouble(trouble);
                }
            }
        }
        let ended = ended(
            &self.obstacles(),
            self.retry_after,
            self.pause,
            self.wanted.next_check,
        );
        match self.later {
            Some(later) if !matches!(ended, Ended::Retry { .. } | Ended::Paused { .. }) => {
                Ended::Later(later)
            }
            _ => ended,
        }
    }

    /// The plan for status. What could not be judged this time stays as it was.
    fn plan_status(&self, obstacles: &[Problem]) -> Option<PlanStatus> {
        if self.binding.spec.mode() != Mode::Plan {
            return None;
        }
        let plan = self.plan.clone().map(|plan| {
            let problems = obstacles.to_vec();
            Published { problems, ..plan }.status()
        });
        plan.or_else(|| published(&self.binding).cloned())
    }

    /// The approval that the spec gives and status records.
    pub(super) fn approval_under_way(&self) -> Option<Approval> {
        let wanted = self.binding.spec.approved_plan.as_deref()?;
        published(&self.binding)
            .and_then(Approval::recorded)
            .filter(|approval| approval.hash() == wanted)
    }

    /// Whether the approval that is carried out is not in status yet.
    pub(super) fn approval_is_news(&self) -> bool {
        self.approval.is_some()
            && self.approval != published(&self.binding).and_then(Approval::recorded)
    }

    /// What is wanted and not there although no step is left that could bring it.
    pub(super) fn missing(&self) -> Vec<ObjectKey> {
        let applied = |key| {
            let entry = self.ledger.entries.get(key);
            entry.is_some_and(|entry| entry.applied.is_some())
        };
        let items = self.wanted.items.iter();
        items
            .filter(|item| match item.desired {
                Desired::Undecided => !applied(&item.key),
                _ => needs_id(&item.key) && !self.ids.contains_key(&item.key),
            })
            .map(|item| item.key.clone())
            .collect()
    }

    fn tell(&self, new: &GatewayBindingStatus, context: &Context) {
        let regarding = self.binding.object_ref(&());
        let events = &context.runtime.events;
        events.applied(&regarding, &self.executed);
        let before = self
            .binding
            .status
            .as_ref()
            .map(|status| status.conditions.clone());
        events.transitions(&regarding, &before.unwrap_or_default(), &new.conditions);
        let key = BackoffKey::of(KIND, &*self.binding);
        if !self.executed.is_empty() {
            // What got further is not failing in a row.
            context.runtime.backoff.reset(&key);
        }
        let conditions = new.conditions.iter().map(ConditionState::from);
        context.runtime.metrics.object(&key, conditions);
        self.measure(new, context);
    }

    /// The time from an edit to `Programmed`, once for each generation.
    fn measure(&self, new: &GatewayBindingStatus, context: &Context) {
        let programmed = |status: &GatewayBindingStatus| {
            let conditions = status.conditions.iter();
            conditions
                .filter(|condition| condition.type_ == "Programmed" && condition.status == "True")
                .find_map(|condition| condition.observed_generation)
        };
        let before = self.binding.status.as_ref().and_then(programmed);
        let edited = (self.binding.metadata.generation == Some(1))
            .then(|| self.binding.creation_timestamp())
            .flatten();
        if let (Some(_), None, Some(edited)) = (programmed(new), before, edited) {
            let since = Timestamp::now().duration_since(edited.0);
            if let Ok(since) = Duration::try_from(since) {
                context.runtime.metrics.programmed(KIND, since);
            }
        }
    }
}

/// The cloud's mark of an object's version, for the kinds that are not read whole with every list.
pub(super) fn version(key: &ObjectKey, inventory: &Inventory) -> Option<String> {
    let version = match key {
        ObjectKey::Api(api) => &inventory.api(&api.group, &api.name)?.modified,
        ObjectKey::Deployment { api, environment } => {
            let api = inventory.api(&api.group, &api.name)?;
            &api.deployments.get(environment)?.version
        }
        _ => return None,
    };
    (!version.is_empty()).then(|| version.clone())
}

/// Whether an object is there where nothing is left to do about it; `ids` are of those that are.
fn is_there(key: &ObjectKey, ids: &BTreeMap<ObjectKey, String>) -> bool {
    match key {
        // As long as their API waits for something, so do they.
        ObjectKey::Deployment { api, .. }
        | ObjectKey::Attachment { api, .. }
        | ObjectKey::Grant { api, .. } => ids.contains_key(&ObjectKey::Api(api.clone())),
        key => !needs_id(key) || ids.contains_key(key),
    }
}

/// Whether an object is only there once its id is known.
fn needs_id(key: &ObjectKey) -> bool {
    matches!(
        key,
        ObjectKey::Group { .. }
            | ObjectKey::Backend { .. }
            | ObjectKey::Policy { .. }
            | ObjectKey::Api(_)
    )
}

/// The bindings of a binding's namespace.
pub(super) fn api(binding: &GatewayBinding, context: &Context) -> Api<Readable<GatewayBinding>> {
    let namespace = binding.namespace().unwrap_or_default();
    Api::namespaced(context.runtime.client.clone(), &namespace)
}

/// Writes the whole status.
pub(super) async fn write_status(
    binding: &GatewayBinding,
    status: &GatewayBindingStatus,
    context: &Context,
) -> Result<Arc<GatewayBinding>, Trouble> {
    let written = writes::status(&api(binding, context), binding, status, context).await?;
    context.peers.update(&written);
    Ok(context.bindings.wrote(written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::key::ApiKey;
    use cloud_adapter::gateway::model::Environment;

    #[test]
    fn what_acts_on_an_api_is_not_there_before_the_api_is() {
        let api = ApiKey {
            group: "g".into(),
            name: "a".into(),
        };
        let deployment = ObjectKey::Deployment {
            api: api.clone(),
            environment: Environment::Release,
        };
        let mut ids = BTreeMap::new();
        assert!(!is_there(&deployment, &ids));
        ids.insert(ObjectKey::Api(api), "1".to_owned());
        assert!(is_there(&deployment, &ids));
    }
}
