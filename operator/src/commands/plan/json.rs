//! A plan for programs.
//!
//! ```json
//! {
//!   "apiVersion": "gatewaybinding.dev/v1alpha1",
//!   "kind": "PlanList",
//!   "items": [{
//!     "binding": {"namespace": "default", "name": "helloworld"},
//!     "class": "production",
//!     "gateway": "intranet",
//!     "mode": "Apply",
//!     "summary": {"create": 1, "update": 0, "delete": 0},
//!     "steps": [{
//!       "action": "Create",
//!       "kind": "Group",
//!       "object": "classic/Group/knative",
//!       "fields": [{"path": "name", "to": "knative"}],
//!       "risk": "what to know before it is done; often absent",
//!       "detail": "what it is for"
//!     }],
//!     "assumptions": ["what was taken for granted"],
//!     "conflicts": [{"object": "…", "field": "slb.name", "wanted": "a", "held": "b", "heldBy": {"namespace": "…", "name": "…"}}],
//!     "problems": [{"condition": "Accepted", "reason": "InvalidSpec", "message": "…", "stops": true}]
//!   }]
//! }
//! ```
//!
//! `class` and `gateway` are absent where they could not be told. `action` is Create, Update or
//! Delete; `object` is the key that the ledger in the binding's status uses. In `fields`, `from` is
//! absent where nothing was and `to` where nothing will be. `stops` says whether the problem stays
//! until somebody acts. Fields may be added; none will change its meaning.

use crds::v1alpha1::{FieldConflict, Mode, NamespacedName, PlanAction};
use serde::Serialize;

use super::explain::explain;
use super::fields::fields;
use super::planned::Planned;
use crate::core::diff::FieldChange;
use crate::core::plan::Action;
use crate::core::problem::Problem;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanList<'a> {
    api_version: String,
    kind: &'static str,
    items: Vec<Plan<'a>>,
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
    summary: Summary,
    steps: Vec<Step>,
    assumptions: &'a [String],
    conflicts: &'a [FieldConflict],
    problems: Vec<Stated>,
}

#[derive(Serialize)]
struct Summary {
    create: usize,
    update: usize,
    delete: usize,
}

#[derive(Serialize)]
struct Step {
    action: PlanAction,
    kind: &'static str,
    object: String,
    fields: Vec<FieldChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<&'static str>,
    detail: String,
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
pub(super) fn render(plans: &[Planned]) -> Result<String, serde_json::Error> {
    let list = PlanList {
        api_version: format!("{}/{}", crds::GROUP, crds::VERSION),
        kind: "PlanList",
        items: plans.iter().map(plan).collect(),
    };
    serde_json::to_string_pretty(&list).map(|text| text + "\n")
}

fn plan(planned: &Planned) -> Plan<'_> {
    let summary = planned.summary();
    Plan {
        binding: &planned.binding,
        class: planned.class.as_deref(),
        gateway: planned.gateway.as_deref(),
        mode: planned.mode,
        summary: Summary {
            create: summary.create,
            update: summary.update,
            delete: summary.delete,
        },
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
                fields: fields(step, planned),
                risk: step.operation.risk(),
                detail: explain(step, planned).detail,
            })
            .collect(),
        assumptions: &planned.assumptions,
        conflicts: &planned.conflicts,
        problems: planned.problems.iter().map(stated).collect(),
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
