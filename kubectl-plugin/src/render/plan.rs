//! The plan in a binding's status.

use std::fmt::Write as _;

use crds::{GatewayBinding, Mode, PlanAction, PlanField, PlanStatus, PlanStep};
use serde::Serialize;

use super::wrapped;

/// What `-o json` shows.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Planned {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) plan: PlanStatus,
    /// The plan that the spec approves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approved_plan: Option<String>,
}

impl Planned {
    /// The plan of a binding.
    ///
    /// # Errors
    /// Why there is none, and what to do.
    pub(crate) fn of(binding: &GatewayBinding) -> Result<Self, String> {
        let metadata = &binding.metadata;
        let name = metadata.name.clone().unwrap_or_default();
        let namespace = metadata.namespace.clone().unwrap_or_default();
        let title = format!("GatewayBinding {namespace}/{name}");
        let mode = binding.spec.mode();
        if mode != Mode::Plan {
            return Err(format!(
                "{title} has mode {mode:?}, and so no plan in its status. Set mode: Plan to have what is \
                 to be done published, and done only when it is approved; or compare manifests with the \
                 cluster by `gatewaybinding-operator plan -f FILE --kubeconfig FILE`"
            ));
        }
        let plan = binding
            .status
            .as_ref()
            .and_then(|status| status.plan.clone());
        let plan = plan.ok_or(format!(
            "{title} has no plan yet. `kubectl gatewaybinding explain -n {namespace} {name}` says what \
             it waits for"
        ))?;
        Ok(Self {
            namespace,
            name,
            plan,
            approved_plan: binding.spec.approved_plan.clone(),
        })
    }

    /// Whether anything would be done.
    pub(crate) fn has_steps(&self) -> bool {
        !self.plan.steps.is_empty()
    }
}

/// A plan for people.
pub(crate) fn text(planned: &Planned) -> String {
    let Planned {
        namespace,
        name,
        plan,
        ..
    } = planned;
    let summary = &plan.summary;
    let mut out = format!("GatewayBinding {namespace}/{name}, mode Plan\n");
    let _ = writeln!(
        out,
        "  {} to create, {} to change, {} to remove.",
        summary.create, summary.update, summary.delete
    );
    for (index, step) in plan.steps.iter().enumerate() {
        write_step(&mut out, index + 1, step);
    }
    if let Some(more) = plan.steps_omitted {
        let _ = writeln!(out, "\n  {more} more steps are not shown in status.");
    }
    if !plan.blockers.is_empty() {
        out.push_str("\n  In the way:\n");
        for blocker in &plan.blockers {
            wrapped(&mut out, "  - ", blocker);
        }
    }
    out.push('\n');
    write_approval(&mut out, planned);
    out
}

fn write_step(out: &mut String, number: usize, step: &PlanStep) {
    let (sign, action) = match step.action {
        PlanAction::Create => ('+', "create"),
        PlanAction::Update => ('~', "update"),
        PlanAction::Delete => ('-', "delete"),
    };
    let _ = writeln!(out, "\n{number:>4}. {sign} {action} {}", step.object);
    for field in &step.fields {
        wrapped(out, "        ", &change(field));
    }
    if let Some(more) = step.fields_omitted {
        let _ = writeln!(out, "        and {more} more fields");
    }
    if let Some(risk) = &step.risk {
        wrapped(out, "        risk: ", risk);
    }
}

fn change(field: &PlanField) -> String {
    let path = &field.path;
    match (&field.from, &field.to) {
        (Some(from), Some(to)) => format!("{path}: {from} → {to}"),
        (None, Some(to)) => format!("{path}: {to}"),
        (Some(from), None) => format!("{path}: {from} → (removed)"),
        (None, None) => path.clone(),
    }
}

/// How to go on.
fn write_approval(out: &mut String, planned: &Planned) {
    let Planned {
        namespace,
        name,
        plan,
        approved_plan,
    } = planned;
    if let Some(approved) = &plan.approved {
        let text = format!(
            "Plan {} is approved and being carried out; the steps above are what is left of it.",
            approved.hash
        );
        wrapped(out, "  ", &text);
        return;
    }
    let Some(hash) = &plan.hash else {
        let text = if planned.has_steps() {
            "This plan cannot be approved yet: not everything that it depends on could be read."
        } else {
            "Nothing would be done."
        };
        wrapped(out, "  ", text);
        return;
    };
    if let Some(stale) = approved_plan.as_ref().filter(|approved| *approved != hash) {
        let text = format!("spec.approvedPlan is {stale}, which is another plan: nothing is done.");
        wrapped(out, "  ", &text);
    }
    let _ = writeln!(out, "  Hash: {hash}");
    let _ = writeln!(
        out,
        "  To have exactly this done, set spec.approvedPlan to it in Git, or:\n\n    \
         kubectl gatewaybinding approve -n {namespace} {name} {hash}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{binding, planned};

    #[test]
    fn a_plan_ends_with_the_way_to_approve_it() {
        let shown = Planned::of(&planned()).unwrap();
        insta::assert_snapshot!("plan", text(&shown));
        assert!(shown.has_steps());
    }

    #[test]
    fn an_approval_of_another_plan_is_told() {
        let mut stale = planned();
        stale.spec.approved_plan = Some("sha256:00".to_owned());
        let text = text(&Planned::of(&stale).unwrap());
        assert!(text.contains("sha256:00, which is another plan"), "{text}");
    }

    #[test]
    fn without_a_plan_it_is_said_why() {
        let error = Planned::of(&binding()).unwrap_err();
        assert!(
            error.contains("mode Apply") && error.contains("mode: Plan"),
            "{error}"
        );
        let mut waiting = planned();
        waiting.status = None;
        let error = Planned::of(&waiting).unwrap_err();
        assert!(error.contains("explain -n shop cart"), "{error}");
    }
}
