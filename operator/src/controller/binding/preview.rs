//! What a pass over a binding would come to.

use std::collections::BTreeSet;
use std::sync::Arc;

use cloud_adapter::gateway::model::Inventory;
use crds::v1alpha1::{FieldConflict, GatewayBinding, GatewayBindingClass, Mode, PlanStep, Reason};
use kube::ResourceExt;

use super::alb_look::{annotations, no_service};
use super::hold::{self, Foreseen};
use super::report::Report;
use super::work::Work;
use super::{approve, is_stranger};
use crate::controller::context::Context;
use crate::core::alb::binding as alb;
use crate::core::alb::plan::{self, steps};
use crate::core::approval::{self, Approval, Verdict};
use crate::core::class;
use crate::core::key::ObjectKey;
use crate::core::ledger::Place;
use crate::core::plan::Plan;
use crate::core::problem::Problem;
use crate::core::validate::{Validated, validate};

/// What a pass would come to.
pub struct Preview {
    /// The class, once known.
    pub class: Option<String>,
    /// Its gateway, where that is an ALB.
    pub gateway: Option<String>,
    /// The binding as it is meant, if it is valid.
    pub validated: Option<Validated>,
    /// What would be done: all of it, with what waits for something that earlier steps bring about.
    pub plan: Plan,
    /// The plan's hash, if there is something to approve.
    pub hash: Option<String>,
    /// What `spec.approvedPlan` comes to.
    pub verdict: Verdict,
    /// The account it was compared with, and what that has.
    pub compared: Option<(Place, Arc<Inventory>)>,
    /// Fields that other bindings hold.
    pub conflicts: Vec<FieldConflict>,
    /// What the guard against mass changes would hold of it.
    pub held: BTreeSet<ObjectKey>,
    /// What would be written in the cluster for a gateway that is an ALB.
    pub alb: Vec<PlanStep>,
    /// What stands in the way.
    pub problems: Vec<Problem>,
}

/// The same of a binding that enters through an ALB.
async fn preview_alb(
    binding: &GatewayBinding,
    class: &GatewayBindingClass,
    context: &Context,
) -> Preview {
    let namespace = binding.namespace().unwrap_or_default();
    let labels = context.stores.namespace_labels(&namespace);
    let mut preview = Preview {
        class: Some(class.name_any()),
        gateway: None,
        validated: None,
        plan: Plan::default(),
        hash: None,
        verdict: Verdict::Unapproved,
        compared: None,
        conflicts: Vec::new(),
        held: BTreeSet::new(),
        alb: Vec::new(),
        problems: Vec::new(),
    };
    match alb::validate(binding, class, &labels) {
        Ok(valid) => {
            preview.gateway = Some(valid.gateway.clone());
            match annotations(&valid, binding, context).await {
                Ok(found) => {
                    if !found.contains_key(&valid.service) {
                        preview.problems.push(no_service(&valid.service));
                    }
                    let of = |service: &_| found.get(service).cloned().unwrap_or_default();
                    preview.alb = steps(&valid, binding, of);
                    judge_alb(&mut preview, &valid, binding);
                }
                Err(trouble) => preview.problems.push(trouble.problem),
            }
        }
        Err(problem) => preview.problems.push(problem),
    }
    preview
}

fn judge_alb(preview: &mut Preview, valid: &alb::AlbBinding, binding: &GatewayBinding) {
    let completed = approve::completed(binding);
    let hash = plan::hash(valid, binding, completed);
    let approved = binding.spec.approved_plan.as_deref();
    let steps = preview.alb.len();
    preview.verdict = match plan::judge(approved, completed, &hash, steps) {
        plan::Verdict::Unapproved => Verdict::Unapproved,
        plan::Verdict::Stale => Verdict::Stale,
        plan::Verdict::Approved => Verdict::Approved(Approval::of(&hash, &[])),
    };
    preview.hash = (steps > 0).then_some(hash);
}

/// A pass over one binding up to its plan, without a write.
pub async fn preview(binding: Arc<GatewayBinding>, context: &Context) -> Preview {
    let mut report = Report::new(binding.clone());
    let (mut plan, mut hash, mut compared) = (Plan::default(), None, None);
    let mut held = Foreseen::default();
    let classes = context.stores.classes.state();
    let labels = context
        .stores
        .namespace_labels(&binding.namespace().unwrap_or_default());
    let class = class::resolve(&binding, classes.iter().map(AsRef::as_ref));
    if let Ok(class) = &class
        && alb::alb_of(&binding, class).is_some()
    {
        return preview_alb(&binding, class, context).await;
    }
    report.class = class.as_ref().ok().map(|class| class.name_any());
    let validated = class.and_then(|class| Ok((class, validate(&binding, class, &labels)?)));
    match validated {
        Err(problem) => report.problems.push(problem),
        Ok((class, validated)) => {
            let account = match context.clouds.of(class).await {
                Ok(account) => Ok(Some(account)),
                Err(trouble) => {
                    let stranger = is_stranger(&trouble);
                    report.trouble(trouble);
                    if stranger { Err(()) } else { Ok(None) }
                }
            };
            if let Ok(account) = account {
                let mut work = Work {
                    validated: &validated,
                    account: account.as_deref(),
                    context,
                    refresh: false,
                    approval: None,
                };
                work.look(&mut report).await;
                work.informed_plan(&mut report).await;
                let foreseen = work.foresee(&report).await;
                let class = &validated.class;
                held = hold::foresee(&foreseen.plan, &report.ledger, class, &context.guard);
                report.problems = foreseen.problems;
                // What is approved is confirmed with that.
                let asked = held.problem.take();
                report
                    .problems
                    .extend(asked.filter(|_| validated.mode == Mode::Apply));
                (plan, hash) = (foreseen.plan, foreseen.hash);
                let place = approve::place(account.as_deref());
                compared = foreseen.inventory.map(|inventory| (place, inventory));
            }
            report.validated = Some(validated);
        }
    }
    let obstacles = report.obstacles();
    Preview {
        class: report.class,
        gateway: None,
        validated: report.validated,
        verdict: approval::judge(
            binding.spec.approved_plan.as_deref(),
            approve::published(&binding),
            &plan.steps,
            hash.as_deref(),
        ),
        plan,
        hash,
        compared,
        // They are told as conflicts, so not as problems once more.
        problems: obstacles
            .into_iter()
            .filter(|problem| problem.reason != Reason::Conflict)
            .collect(),
        conflicts: report.conflicts,
        held: held.objects,
        alb: Vec::new(),
    }
}
