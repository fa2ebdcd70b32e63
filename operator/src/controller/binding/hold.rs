//! Holds back what would be a mass change.

use std::collections::BTreeSet;

use super::report::Report;
use super::work::Work;
use crate::controller::guard::Guard;
use crate::core::guard::{self, Answer, Thing};
use crate::core::key::ObjectKey;
use crate::core::ledger::Ledger;
use crate::core::plan::{Action, Plan, Step};
use crate::core::problem::Problem;

/// What the guard would hold of a plan.
#[derive(Default)]
pub(super) struct Foreseen {
    /// What the steps that are held are about.
    pub(super) objects: BTreeSet<ObjectKey>,
    /// What the binding would say of it.
    pub(super) problem: Option<Problem>,
}

/// What the guard would hold of a plan if it were carried out now.
pub(super) fn foresee(plan: &Plan, ledger: &Ledger, class: &str, guard: &Guard) -> Foreseen {
    let held = guard.foresee(class, &guard::going(plan));
    if held.is_empty() {
        return Foreseen::default();
    }
    let is_held = |key: &_| Thing::of(key).is_some_and(|thing| held.contains(&thing));
    let steps = plan.clone().hold(is_held, ledger);
    Foreseen {
        objects: steps.into_iter().map(|step| step.key).collect(),
        problem: Some(guard::problem(&held, class)),
    }
}

impl Work<'_> {
    /// Takes out of the plan what may not go now, and what hangs together with it. A plan that a
    /// person approved is carried out as it is.
    pub(super) fn hold_mass_change(&self, plan: &mut Plan, report: &mut Report) {
        if self.approval.is_some() {
            return;
        }
        let class = &self.validated.class;
        let things = guard::going(plan);
        let uid = self.uid(report);
        let held = match self.context.guard.ask(class, &uid, &things) {
            Answer::Go => return,
            Answer::Later(left) => {
                report.later = Some(left);
                things.into_keys().collect()
            }
            Answer::Held(held) => {
                report.problems.push(guard::problem(&held, class));
                held
            }
        };
        let is_held = |key: &_| Thing::of(key).is_some_and(|thing| held.contains(&thing));
        report.held = plan.hold(is_held, &report.ledger);
    }

    /// What went is counted, unless a person approved it.
    pub(super) fn note_gone(&self, step: &Step) {
        let gone = step.operation.action() == Action::Delete && self.approval.is_none();
        if let Some(thing) = Thing::of(&step.key).filter(|_| gone) {
            self.context.guard.went(&self.validated.class, &thing);
        }
    }
}
