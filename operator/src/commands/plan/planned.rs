//! Plans, ready to be shown.

use std::collections::BTreeSet;

use crds::v1alpha1::{ConditionType, FieldConflict, Mode, NamespacedName, PlanStep};
use serde::Serialize;

use crate::core::approval::Verdict;
use crate::core::key::ObjectKey;
use crate::core::ledger::Place;
use crate::core::plan::{Action, Step};
use crate::core::problem::{Problem, Severity};
use crate::core::quota::Quota;

/// Plans of several bindings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::commands) struct Plans {
    /// One for each binding.
    pub(in crate::commands) items: Vec<Planned>,
    /// What of the product's quotas they take together, as far as that is known.
    pub(super) quotas: Vec<(Place, Quota)>,
}

impl Plans {
    /// How many steps of each kind there are. What several bindings would create because they share
    /// it counts once.
    pub(super) fn total(&self) -> Summary {
        let mut seen = BTreeSet::new();
        let mut total = Summary::default();
        for planned in &self.items {
            for _ in &planned.alb {
                total.count(Action::Update);
            }
            for step in &planned.steps {
                let action = step.operation.action();
                if !step.key.is_shared() || seen.insert((&planned.class, &step.key, action)) {
                    total.count(action);
                }
            }
        }
        total
    }

    /// Whether anything would be done.
    pub(super) fn has_changes(&self) -> bool {
        let changes = |planned: &Planned| !planned.steps.is_empty() || !planned.alb.is_empty();
        self.items.iter().any(changes)
    }

    /// Whether a binding cannot be what it says until somebody acts.
    pub(super) fn is_stopped(&self) -> bool {
        self.items.iter().any(Planned::is_stopped)
    }
}

/// The plan of one binding.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::commands) struct Planned {
    /// The binding.
    pub(in crate::commands) binding: NamespacedName,
    /// Its class, once known.
    pub(super) class: Option<String>,
    /// The gateway that traffic enters through, once known.
    pub(super) gateway: Option<String>,
    /// How far the operator may go.
    pub(super) mode: Mode,
    /// In the order of execution.
    pub(in crate::commands) steps: Vec<Step>,
    /// What is written in the cluster for a gateway that is an ALB. All of it are changes.
    pub(super) alb: Vec<PlanStep>,
    /// What others made and the binding uses, with its name in the cloud.
    pub(super) adopted: Vec<(ObjectKey, String)>,
    /// Stands for exactly these steps; none: there are none, or they were not compared with a cloud.
    pub(super) hash: Option<String>,
    /// What `spec.approvedPlan` comes to, if that was compared.
    pub(super) verdict: Option<Verdict>,
    /// The Service that the gateway's is made from, if it is.
    pub(super) copied_from: Option<String>,
    /// Whether selector and ports of that Service are known.
    pub(super) shape_is_known: bool,
    /// What was taken for granted.
    pub(super) assumptions: Vec<String>,
    /// What to know of the annotations of its gateway's Service.
    pub(super) warnings: Vec<String>,
    /// What of the steps the guard against mass changes would hold.
    pub(super) held: BTreeSet<ObjectKey>,
    /// Fields that other bindings hold.
    pub(super) conflicts: Vec<FieldConflict>,
    /// What stands in the way.
    pub(in crate::commands) problems: Vec<Problem>,
}

/// How many steps of each kind a plan has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// Things to create.
    pub(crate) create: usize,
    /// Things to change.
    pub(crate) update: usize,
    /// Things to remove.
    pub(crate) delete: usize,
}

impl Summary {
    fn count(&mut self, action: Action) {
        *match action {
            Action::Create => &mut self.create,
            Action::Update => &mut self.update,
            Action::Delete => &mut self.delete,
        } += 1;
    }
}

impl Planned {
    /// A plan without steps.
    pub(super) fn new(binding: NamespacedName) -> Self {
        Self {
            binding,
            class: None,
            gateway: None,
            mode: Mode::default(),
            steps: Vec::new(),
            alb: Vec::new(),
            adopted: Vec::new(),
            hash: None,
            verdict: None,
            copied_from: None,
            shape_is_known: true,
            assumptions: Vec::new(),
            warnings: Vec::new(),
            held: BTreeSet::new(),
            conflicts: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// How many steps of each kind it has.
    pub(super) fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for step in &self.steps {
            summary.count(step.operation.action());
        }
        for _ in &self.alb {
            summary.count(Action::Update);
        }
        summary
    }

    /// Whether the binding cannot be what it says until somebody acts: it is rejected, something of
    /// it is blocked, or another binding holds what it wants.
    pub(super) fn is_stopped(&self) -> bool {
        !self.conflicts.is_empty() || self.problems.iter().any(Self::stops)
    }

    /// Whether a problem stays until somebody acts.
    pub(super) fn stops(problem: &Problem) -> bool {
        problem.severity == Severity::Terminal || problem.condition == ConditionType::Accepted
    }
}
