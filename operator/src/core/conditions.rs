//! From what stands in the way to conditions, in one way for all kinds.

use crds::v1alpha1::{
    ConditionStatus, ConditionType, ConditionUpdate, Reason, remove_condition, set_condition,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::problem::{Problem, Severity};

/// Where an object stands.
pub struct Standing<'a> {
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// For transition times.
    pub now: Timestamp,
    /// What stands in the way.
    pub problems: &'a [Problem],
    /// Whether cluster and cloud match it.
    pub programmed: ConditionUpdate,
    /// Said by `Ready` while it is true.
    pub note: &'a str,
}

impl Standing<'_> {
    /// Sets `Accepted`, `ResolvedRefs`, `Programmed` and `Ready`, and `Reconciling` and `Stalled`
    /// where they are true.
    pub fn write(&self, conditions: &mut Vec<Condition>) {
        let accepted = judge(ConditionType::Accepted, Reason::Accepted, self.problems);
        let refused = accepted.status != ConditionStatus::True;
        let (resolved, programmed) = if refused {
            (
                unchecked(ConditionType::ResolvedRefs),
                unchecked(ConditionType::Programmed),
            )
        } else {
            (
                judge(
                    ConditionType::ResolvedRefs,
                    Reason::ResolvedRefs,
                    self.problems,
                ),
                self.programmed.clone(),
            )
        };
        let ready = self.ready(&[&accepted, &resolved, &programmed]);
        let is_ready = ready.status == ConditionStatus::True;
        let stalled = self
            .problems
            .iter()
            .find(|problem| problem.severity == Severity::Terminal);
        let progressing = ConditionUpdate {
            type_: ConditionType::Reconciling,
            status: ConditionStatus::True,
            ..ready.clone()
        };
        for update in [accepted, resolved, programmed, ready] {
            self.set(conditions, update);
        }
        if let Some(problem) = stalled {
            let update = ConditionUpdate {
                type_: ConditionType::Stalled,
                status: ConditionStatus::True,
                reason: problem.reason,
                message: problem.message.clone(),
            };
            self.set(conditions, update);
        } else {
            remove_condition(conditions, ConditionType::Stalled);
        }
        if is_ready || stalled.is_some() || self.halted() {
            remove_condition(conditions, ConditionType::Reconciling);
        } else {
            self.set(conditions, progressing);
        }
    }

    fn set(&self, conditions: &mut Vec<Condition>, update: ConditionUpdate) {
        set_condition(conditions, update, self.generation, self.now);
    }

    /// Whether a person asked for nothing to be written.
    fn halted(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.severity == Severity::Held)
    }

    fn ready(&self, parts: &[&ConditionUpdate]) -> ConditionUpdate {
        let failing = parts
            .iter()
            .find(|part| part.status == ConditionStatus::False)
            .or_else(|| {
                parts
                    .iter()
                    .find(|part| part.status != ConditionStatus::True)
            });
        match failing {
            None => ConditionUpdate {
                type_: ConditionType::Ready,
                status: ConditionStatus::True,
                reason: Reason::Ready,
                message: self.note.to_owned(),
            },
            Some(part) => ConditionUpdate {
                type_: ConditionType::Ready,
                status: ConditionStatus::False,
                reason: part.reason,
                message: format!("{} is {}: {}", part.type_, part.status, part.message),
            },
        }
    }
}

fn unchecked(type_: ConditionType) -> ConditionUpdate {
    ConditionUpdate {
        type_,
        status: ConditionStatus::Unknown,
        reason: Reason::Pending,
        message: "Not checked, since Accepted is not True. What was in place before stays."
            .to_owned(),
    }
}

/// One condition: true with reason `good`, unless a problem is about it. The gravest comes first.
pub fn judge(type_: ConditionType, good: Reason, problems: &[Problem]) -> ConditionUpdate {
    let mut concerned: Vec<&Problem> = problems
        .iter()
        .filter(|problem| problem.condition == type_)
        .collect();
    concerned.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    match concerned.split_first() {
        None => ConditionUpdate {
            type_,
            status: ConditionStatus::True,
            reason: good,
            message: String::new(),
        },
        Some((first, rest)) => {
            let mut message = first.message.clone();
            for problem in rest {
                message.push_str(" Also: ");
                message.push_str(&problem.message);
            }
            ConditionUpdate {
                type_,
                status: ConditionStatus::False,
                reason: first.reason,
                message,
            }
        }
    }
}
