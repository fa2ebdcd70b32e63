//! `mode: Plan`: what would be done is published, and done once exactly that was approved.

use std::sync::Arc;

use cloud_adapter::gateway::model::Inventory;
use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, PlanStatus, Reason};

use super::dereference::dereference;
use super::hold;
use super::report::{Report, version};
use super::work::{Work, conflict_problem};
use crate::controller::cloud::Account;
use crate::core::approval::{self, Approval, Basis, Found, Verdict};
use crate::core::desire::desire;
use crate::core::foresee;
use crate::core::key::ObjectKey;
use crate::core::ledger::Place;
use crate::core::plan::Plan;
use crate::core::problem::Problem;
use crate::core::published::Published;

/// The whole plan: with the steps that wait for what earlier ones bring about.
pub(super) struct Foreseen {
    /// Without its problems.
    pub(super) plan: Plan,
    /// What stands in its way.
    pub(super) problems: Vec<Problem>,
    /// Whether all could be read that it depends on.
    pub(super) known: bool,
    /// Its hash, if there is something to approve.
    pub(super) hash: Option<String>,
    /// What it was compared with.
    pub(super) inventory: Option<Arc<Inventory>>,
}

impl Work<'_> {
    /// The whole plan for what is there now, after a look.
    pub(super) async fn foresee(&self, report: &Report) -> Foreseen {
        let existing = self.context.peers.existing(self.validated);
        let (references, trouble) = dereference(
            self.validated,
            existing.as_deref(),
            (self.account, false),
            self.context,
        )
        .await;
        let outcome = self.context.peers.shares(self.validated, &references);
        let settings = &outcome.shares.settings;
        let references = foresee::references(self.validated, &references, settings);
        let wanted = desire(self.validated, &references, &outcome.shares);
        let inventory = self.newest(report);
        let mut plan = self.plan_of(&wanted, &report.ledger, inventory.as_deref());
        let vacated = inventory
            .as_deref()
            .and_then(|inventory| foresee::vacated(inventory, &plan));
        if let Some(inventory) = vacated {
            let next = self.plan_of(&wanted, &report.ledger, Some(&inventory));
            foresee::add_waiting(&mut plan, next);
        }
        let mut problems = wanted.problems;
        problems.extend(outcome.conflicts.iter().map(conflict_problem));
        problems.append(&mut plan.problems);
        if plan.steps.iter().any(|step| is_service(&step.key)) {
            // What the plan itself sets going is not in its way.
            problems.retain(|problem| problem.reason != Reason::WaitingForLoadBalancer);
        }
        let known = inventory.is_some() && trouble.is_none() && plan.unread.is_empty();
        let basis = Basis {
            cluster: &self.validated.cluster,
            place: place(self.account),
            after: completed(&report.binding),
            deletion: false,
        };
        let hash = (known && !plan.is_empty()).then(|| {
            hash(
                &plan,
                inventory.as_deref().unwrap_or(&Inventory::default()),
                &basis,
            )
        });
        Foreseen {
            plan,
            problems,
            known,
            hash,
            inventory,
        }
    }

    /// Publishes the plan, or carries it out if it is the approved one.
    pub(super) async fn plan_or_carry_out(
        &mut self,
        class: &GatewayBindingClass,
        report: &mut Report,
    ) {
        let plan = self.informed_plan(report).await;
        let foreseen = self.foresee(report).await;
        let wanted = report.binding.spec.approved_plan.clone();
        let before = published(&report.binding);
        let steps = &foreseen.plan.steps;
        let hash = foreseen.hash.as_deref();
        let problem = match approval::judge(wanted.as_deref(), before, steps, hash) {
            Verdict::Approved(approval) => {
                return self.carry_out_approved(approval, class, report).await;
            }
            Verdict::Unapproved if steps.is_empty() => None,
            Verdict::Unapproved => Some(approval::unapproved(steps.len(), hash)),
            Verdict::Stale => Some(approval::stale(&wanted.unwrap_or_default())),
        };
        let guard = &self.context.guard;
        let held = hold::foresee(&foreseen.plan, &report.ledger, &self.validated.class, guard);
        report.plan = Some(Published {
            held: held.objects,
            approval: report.approval_under_way(),
            completed: completed(&report.binding).map(str::to_owned),
            hash: foreseen.hash,
            steps: foreseen.plan.steps,
            ..Published::default()
        });
        report.open(plan);
        report.problems = foreseen.problems;
        report.problems.extend(problem);
    }

    /// Carries an approved plan out, as far as that goes now.
    async fn carry_out_approved(
        &mut self,
        approval: Approval,
        class: &GatewayBindingClass,
        report: &mut Report,
    ) {
        if let Err(trouble) = crate::controller::class::hold(class, self.context).await {
            report.trouble(trouble);
            return;
        }
        report.approval = Some(approval.clone());
        self.approval = Some(approval.clone());
        self.carry_out(report).await;
        let left = self.foresee(report).await;
        let done = left.known
            && left.plan.is_empty()
            && report.remaining.is_empty()
            && report.missing().is_empty();
        let (approval, completed) = if done {
            (None, Some(approval.hash().to_owned()))
        } else {
            (
                Some(approval),
                completed(&report.binding).map(str::to_owned),
            )
        };
        report.plan = Some(Published {
            approval,
            completed,
            hash: left.hash,
            steps: left.plan.steps,
            ..Published::default()
        });
    }

    /// The inventory with all that was written since the last look.
    fn newest(&self, report: &Report) -> Option<Arc<Inventory>> {
        let known = report.inventory.as_ref()?;
        Some(match self.account {
            Some(account) if self.concerns_cloud(report) => account.gateway.snapshots.peek(),
            _ => known.clone(),
        })
    }
}

/// The hash of a plan.
pub(super) fn hash(plan: &Plan, inventory: &Inventory, basis: &Basis<'_>) -> String {
    let found = |key: &ObjectKey| {
        let held_by = match key {
            ObjectKey::Deployment { api, .. }
            | ObjectKey::Attachment { api, .. }
            | ObjectKey::Grant { api, .. } => ObjectKey::Api(api.clone()),
            own => own.clone(),
        };
        Found {
            id: plan.ids.get(&held_by).cloned(),
            version: version(key, inventory),
        }
    };
    approval::hash(&plan.steps, found, basis)
}

/// Where cloud objects are.
pub(super) fn place(account: Option<&Account>) -> Place {
    Place {
        account: account.map(|account| account.id.clone()),
        region: account.map(|account| account.region.clone()),
    }
}

/// The plan that status has.
pub(super) fn published(binding: &GatewayBinding) -> Option<&PlanStatus> {
    binding.status.as_ref()?.plan.as_ref()
}

/// Hash of the approved plan that was carried out last.
pub(super) fn completed(binding: &GatewayBinding) -> Option<&str> {
    published(binding)?.completed.as_deref()
}

fn is_service(key: &ObjectKey) -> bool {
    matches!(key, ObjectKey::Service { .. })
}
