//! The plan of one binding, ready to be shown.

use crds::v1alpha1::{ConditionType, FieldConflict, Mode, NamespacedName};

use crate::core::plan::{Action, Step};
use crate::core::problem::{Problem, Severity};

/// The plan of one binding.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planned {
    /// The binding.
    pub(super) binding: NamespacedName,
    /// Its class, once known.
    pub(super) class: Option<String>,
    /// The gateway that traffic enters through, once known.
    pub(super) gateway: Option<String>,
    /// How far the operator may go.
    pub(super) mode: Mode,
    /// In the order of execution.
    pub(super) steps: Vec<Step>,
    /// The Service that the gateway's is made from, if it is.
    pub(super) copied_from: Option<String>,
    /// Whether selector and ports of that Service are known.
    pub(super) shape_is_known: bool,
    /// What was taken for granted.
    pub(super) assumptions: Vec<String>,
    /// Fields that other bindings hold.
    pub(super) conflicts: Vec<FieldConflict>,
    /// What stands in the way.
    pub(super) problems: Vec<Problem>,
}

/// How many steps of each kind a plan has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Things to create.
    pub(super) create: usize,
    /// Things to change.
    pub(super) update: usize,
    /// Things to remove.
    pub(super) delete: usize,
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
            copied_from: None,
            shape_is_known: true,
            assumptions: Vec::new(),
            conflicts: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// How many steps of each kind it has.
    pub(super) fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for step in &self.steps {
            *match step.operation.action() {
                Action::Create => &mut summary.create,
                Action::Update => &mut summary.update,
                Action::Delete => &mut summary.delete,
            } += 1;
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

impl std::ops::Add for Summary {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            create: self.create + other.create,
            update: self.update + other.update,
            delete: self.delete + other.delete,
        }
    }
}
