//! A plan in plain words, wherever it comes from: what the text of a plan is made of.

use crds::v1alpha1::{FieldConflict, Mode, PlanField, PlanStep};

use super::explain::{explain, object};
use super::planned::{Planned, Plans, Summary};
use crate::core::approval::Verdict;
use crate::core::foresee::LATER;
use crate::core::key::{ObjectKey, id_of};
use crate::core::plan::Action;
use crate::core::quota::{Counted, Quota};

/// Plans in plain words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// One for each binding.
    pub(crate) bindings: Vec<ShownBinding>,
    /// How many steps there are in all.
    pub(crate) total: Summary,
    /// What is left of the product's quotas.
    pub(crate) quotas: Vec<String>,
}

/// The plan of one binding.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShownBinding {
    /// What it is the plan of.
    pub(crate) title: String,
    /// What to know of it.
    pub(crate) about: Vec<String>,
    /// How many steps of each kind it has.
    pub(crate) summary: Summary,
    /// What its approval comes to.
    pub(crate) approval: Vec<String>,
    /// In the order of execution.
    pub(crate) steps: Vec<ShownStep>,
    /// Lists under a title.
    pub(crate) sections: Vec<(&'static str, Vec<String>)>,
    /// Whether somebody has to act before the binding can be what it says.
    pub(crate) stopped: bool,
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) struct ShownStep {
    /// What is done.
    pub(crate) action: Action,
    /// To what.
    pub(crate) object: String,
    /// What for.
    pub(crate) detail: String,
    /// What will be set, by a word for it.
    pub(crate) rows: Vec<(String, String)>,
    /// What to know before it is done.
    pub(crate) risk: Option<String>,
}

impl Shown {
    /// What was planned here.
    pub(crate) fn of(plans: &Plans) -> Self {
        Self {
            bindings: plans.items.iter().map(binding).collect(),
            total: plans.total(),
            quotas: plans.quotas.iter().map(|(_, quota)| left(quota)).collect(),
        }
    }
}

fn binding(planned: &Planned) -> ShownBinding {
    let steps = planned.steps.iter().map(|step| {
        let explained = explain(step, planned);
        let held = planned.held.contains(&step.key);
        let held = held.then(|| ("held".to_owned(), held_until(planned.mode).to_owned()));
        let rows = explained.rows.into_iter();
        ShownStep {
            action: step.operation.action(),
            object: explained.object,
            detail: explained.detail,
            rows: rows
                .map(|(label, value)| (label.to_owned(), value))
                .chain(held)
                .collect(),
            risk: step.risk().map(str::to_owned),
        }
    });
    let problems = planned.problems.iter().map(|problem| {
        format!(
            "{} ({} is not True): {}",
            problem.reason, problem.condition, problem.message
        )
    });
    ShownBinding {
        title: format!("GatewayBinding {}", planned.binding),
        about: about(
            planned.class.as_deref(),
            planned.gateway.as_deref(),
            planned.mode,
        ),
        summary: planned.summary(),
        approval: approval(planned),
        steps: steps.chain(planned.alb.iter().map(in_cluster)).collect(),
        sections: vec![
            ("Made in the console, and never deleted", adopted(planned)),
            ("Taken for granted", planned.assumptions.clone()),
            ("To know", planned.warnings.clone()),
            (
                "Set otherwise by another binding",
                planned.conflicts.iter().map(conflict).collect(),
            ),
            ("Problems", problems.collect()),
        ],
        stopped: planned.is_stopped(),
    }
}

/// A step in the cluster, for a gateway that is an ALB.
fn in_cluster(step: &PlanStep) -> ShownStep {
    let row = |field: &PlanField| {
        let none = "nothing".to_owned();
        let to = field.to.as_ref().unwrap_or(&none);
        let value = match &field.from {
            Some(from) => format!("{from} -> {to}"),
            None => to.clone(),
        };
        (field.path.clone(), value)
    };
    ShownStep {
        action: Action::Update,
        object: step.object.clone(),
        detail: String::new(),
        rows: step.fields.iter().map(row).collect(),
        risk: step.risk.clone(),
    }
}

/// Of a step that the guard against mass changes would hold: for how long.
fn held_until(mode: Mode) -> &'static str {
    match mode {
        Mode::Plan => "much goes at once: without an approval the class's massChangeGuard holds it",
        Mode::Apply | Mode::Suspend => {
            "much goes at once: the class's massChangeGuard holds it until somebody confirms it there"
        }
    }
}

/// Class, gateway and mode, as far as they are known.
pub(crate) fn about(class: Option<&str>, gateway: Option<&str>, mode: Mode) -> Vec<String> {
    let mut about = Vec::new();
    about.extend(class.map(|class| format!("class {class}")));
    about.extend(gateway.map(|gateway| format!("gateway {gateway}")));
    let mode = match mode {
        Mode::Apply => "mode Apply",
        Mode::Plan => "mode Plan: none of this is done before it is approved, or the mode is Apply",
        Mode::Suspend => "mode Suspend: none of this is done before the mode is Apply",
    };
    about.push(mode.to_owned());
    about
}

fn adopted(planned: &Planned) -> Vec<String> {
    let say = |(key, name): &(ObjectKey, String)| {
        let change = planned.steps.iter().position(|step| step.key == *key);
        let use_of = match change {
            Some(index) => format!("is changed by step {}, and keeps the rest", index + 1),
            None => "is used as it is".to_owned(),
        };
        let known = name != LATER && id_of(name).is_none();
        let name = if known {
            format!(" \"{name}\"")
        } else {
            String::new()
        };
        format!("{}{name} {use_of}.", object(key))
    };
    planned.adopted.iter().map(say).collect()
}

fn approval(planned: &Planned) -> Vec<String> {
    if planned.mode != Mode::Plan {
        return Vec::new();
    }
    let hash = planned.hash.as_ref();
    let mut lines: Vec<String> = hash
        .map(|hash| format!("plan {hash}"))
        .into_iter()
        .collect();
    let verdict = match &planned.verdict {
        Some(Verdict::Approved(_)) => "approved by spec.approvedPlan",
        Some(Verdict::Stale) => "not approved: spec.approvedPlan is another plan",
        Some(Verdict::Unapproved) if hash.is_some() => {
            "not approved: that takes its hash in spec.approvedPlan"
        }
        _ => return lines,
    };
    lines.push(verdict.to_owned());
    lines
}

fn conflict(conflict: &FieldConflict) -> String {
    let value = |value: &Option<String>| value.as_deref().unwrap_or("a value").to_owned();
    let holder = conflict
        .held_by
        .as_ref()
        .map_or_else(|| "another binding".to_owned(), ToString::to_string);
    format!(
        "{} of {}: wanted \"{}\", but GatewayBinding {holder} holds it with \"{}\". Agree on one value, or leave the field out here.",
        conflict.field,
        conflict.object,
        value(&conflict.wanted),
        value(&conflict.held)
    )
}

fn left(quota: &Quota) -> String {
    let what = match (&quota.quota, &quota.group) {
        (Counted::GroupsPerRegion, _) => "API groups in the region".to_owned(),
        (Counted::PluginsPerRegion, _) => "plugins in the region".to_owned(),
        (Counted::ApisPerGroup, group) => {
            format!("APIs in group {}", group.as_deref().unwrap_or_default())
        }
    };
    let Quota {
        limit, used, after, ..
    } = quota;
    match quota.left() {
        Some(left) => {
            format!("{what}: {used} now, {after} after this, {left} of {limit} left")
        }
        None => format!(
            "{what}: {used} now, {after} after this, which is more than the {limit} that an account has by default. Unless yours has more, the cloud refuses the rest."
        ),
    }
}
