//! A plan as status publishes it (`mode: Plan`).

use std::collections::BTreeSet;

use crds::v1alpha1::{PlanAction, PlanField, PlanStatus, PlanStep};
use serde_json::Value;

use super::approval::Approval;
use super::diff::FieldChange;
use super::key::ObjectKey;
use super::plan::{Action, Step, fields};
use super::problem::{Problem, Severity};

/// The most blockers that are published.
const MAX_BLOCKERS: usize = 16;
/// The longest blocker, in characters.
const MAX_BLOCKER: usize = 1024;

/// What is to be published.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Published {
    /// Its hash, if it can be approved.
    pub hash: Option<String>,
    /// What is planned.
    pub steps: Vec<Step>,
    /// What of it the guard against mass changes would hold, were it not approved.
    pub held: BTreeSet<ObjectKey>,
    /// What stands in its way.
    pub problems: Vec<Problem>,
    /// The approved plan that is being carried out.
    pub approval: Option<Approval>,
    /// Hash of the approved plan that was carried out last.
    pub completed: Option<String>,
}

impl Published {
    /// As status has it.
    pub fn status(&self) -> PlanStatus {
        let mut plan = PlanStatus {
            hash: self.hash.clone(),
            approved: self.approval.as_ref().map(Approval::record),
            completed: self.completed.clone(),
            ..PlanStatus::default()
        };
        for step in &self.steps {
            let count = match step.operation.action() {
                Action::Create => &mut plan.summary.create,
                Action::Update => &mut plan.summary.update,
                Action::Delete => &mut plan.summary.delete,
            };
            *count = count.saturating_add(1);
        }
        let steps = self.steps.iter().take(PlanStatus::MAX_STEPS);
        plan.steps = steps.map(|one| step(one, &self.held)).collect();
        plan.steps_omitted = omitted(self.steps.len(), plan.steps.len());
        plan.blockers = self
            .problems
            .iter()
            .filter(|problem| problem.severity != Severity::Held)
            .take(MAX_BLOCKERS)
            .map(|problem| problem.message.chars().take(MAX_BLOCKER).collect())
            .collect();
        plan
    }
}

/// How many of `all` are not `shown`, if any.
pub fn omitted(all: usize, shown: usize) -> Option<i32> {
    let omitted = all.saturating_sub(shown);
    (omitted > 0).then(|| i32::try_from(omitted).unwrap_or(i32::MAX))
}

/// What there is to know of a step that the guard against mass changes would hold.
const HELD: &str =
    "much goes at once: massChangeGuard of the class holds this if it is not approved here";

fn step(step: &Step, held: &BTreeSet<ObjectKey>) -> PlanStep {
    let held = held.contains(&step.key).then_some(HELD);
    let risks: Vec<&str> = step.risk().into_iter().chain(held).collect();
    let all = fields(step, true);
    let shown = all.iter().take(PlanStep::MAX_FIELDS);
    PlanStep {
        action: match step.operation.action() {
            Action::Create => PlanAction::Create,
            Action::Update => PlanAction::Update,
            Action::Delete => PlanAction::Delete,
        },
        object: step.key.to_string(),
        fields: shown.map(field).collect(),
        fields_omitted: omitted(all.len(), PlanStep::MAX_FIELDS),
        risk: (!risks.is_empty()).then(|| risks.join("; ")),
    }
}

fn field(change: &FieldChange) -> PlanField {
    PlanField {
        path: cut(&change.path),
        from: change.from.as_ref().map(text),
        to: change.to.as_ref().map(text),
    }
}

/// A value as people read it.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text),
        value => cut(&value.to_string()),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= PlanField::MAX_VALUE {
        return text.to_owned();
    }
    let kept: String = text.chars().take(PlanField::MAX_VALUE - 1).collect();
    format!("{kept}…")
}
