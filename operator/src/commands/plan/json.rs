//! A plan for programs. Its shape is documented in `docs/plan.md`: fields may be added; none changes
//! its meaning.

use crds::v1alpha1::{FieldConflict, Mode, NamespacedName, PlanAction, PlanField, PlanStep};
use serde::Serialize;
use serde_json::Value;

use super::explain::explain;
use super::planned::{Planned, Plans, Summary};
use crate::core::approval::Verdict;
use crate::core::diff::FieldChange;
use crate::core::ledger::Place;
use crate::core::plan::{Action, fields};
use crate::core::problem::Problem;
use crate::core::quota::Quota;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanList<'a> {
    api_version: String,
    kind: &'static str,
    summary: Summary,
    items: Vec<Plan<'a>>,
    quotas: Vec<PlacedQuota<'a>>,
}

#[derive(Serialize)]
struct PlacedQuota<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(flatten)]
    quota: &'a Quota,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan<'a> {
    binding: &'a NamespacedName,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<&'a str>,
    mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<&'static str>,
    summary: Summary,
    steps: Vec<Step>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    adopted: Vec<Adopted<'a>>,
    assumptions: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    conflicts: &'a [FieldConflict],
    problems: Vec<Stated>,
}

#[derive(Serialize)]
struct Step {
    action: PlanAction,
    kind: &'static str,
    object: String,
    fields: Vec<FieldChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    held: bool,
    detail: String,
}

#[derive(Serialize)]
struct Adopted<'a> {
    object: String,
    kind: &'static str,
    id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Stated {
    condition: String,
    reason: String,
    message: String,
    stops: bool,
}

/// Plans as one JSON document.
///
/// # Errors
///
/// None that can be met: all of it can be written as JSON.
pub(super) fn render(plans: &Plans) -> Result<String, serde_json::Error> {
    let list = PlanList {
        api_version: format!("{}/{}", crds::GROUP, crds::VERSION),
        kind: "PlanList",
        summary: plans.total(),
        items: plans.items.iter().map(plan).collect(),
        quotas: plans.quotas.iter().map(placed).collect(),
    };
    serde_json::to_string_pretty(&list).map(|text| text + "\n")
}

fn placed((place, quota): &(Place, Quota)) -> PlacedQuota<'_> {
    PlacedQuota {
        account: place.account.as_deref(),
        region: place.region.as_deref(),
        quota,
    }
}

/// What `spec.approvedPlan` comes to, in one word.
fn approval(planned: &Planned) -> Option<&'static str> {
    let verdict = planned.verdict.as_ref();
    verdict
        .filter(|_| planned.mode == Mode::Plan)
        .map(|verdict| match verdict {
            Verdict::Unapproved => "Unapproved",
            Verdict::Stale => "Stale",
            Verdict::Approved(_) => "Approved",
        })
}

fn plan(planned: &Planned) -> Plan<'_> {
    Plan {
        binding: &planned.binding,
        class: planned.class.as_deref(),
        gateway: planned.gateway.as_deref(),
        mode: planned.mode,
        hash: planned.hash.as_deref(),
        approval: approval(planned),
        summary: planned.summary(),
        steps: planned
            .steps
            .iter()
            .map(|step| Step {
                action: match step.operation.action() {
                    Action::Create => PlanAction::Create,
                    Action::Update => PlanAction::Update,
                    Action::Delete => PlanAction::Delete,
                },
                kind: step.key.kind(),
                object: step.key.to_string(),
                fields: fields(step, planned.shape_is_known),
                risk: step.risk().map(str::to_owned),
                held: planned.held.contains(&step.key),
                detail: explain(step, planned).detail,
            })
            .chain(planned.alb.iter().map(in_cluster))
            .collect(),
        adopted: planned
            .adopted
            .iter()
            .map(|(key, name)| Adopted {
                object: key.to_string(),
                kind: key.kind(),
                id: key.adopted_id().unwrap_or_default(),
                name,
            })
            .collect(),
        assumptions: &planned.assumptions,
        warnings: &planned.warnings,
        conflicts: &planned.conflicts,
        problems: planned.problems.iter().map(stated).collect(),
    }
}

/// A step in the cluster, for a gateway that is an ALB.
fn in_cluster(step: &PlanStep) -> Step {
    let value = |text: &Option<String>| text.clone().map(Value::from);
    let field = |field: &PlanField| FieldChange {
        path: field.path.clone(),
        from: value(&field.from),
        to: value(&field.to),
    };
    let kind = if step.object.starts_with("kubernetes/KnativeIngress/") {
        "KnativeIngress"
    } else {
        "KnativeService"
    };
    Step {
        action: step.action,
        kind,
        object: step.object.clone(),
        fields: step.fields.iter().map(field).collect(),
        risk: step.risk.clone(),
        held: false,
        detail: String::new(),
    }
}

fn stated(problem: &Problem) -> Stated {
    Stated {
        condition: problem.condition.to_string(),
        reason: problem.reason.to_string(),
        message: problem.message.clone(),
        stops: Planned::stops(problem),
    }
}
