//! The controller of GatewayBindings. The way of one binding reads top to bottom in [`pass`].

mod alb;
mod alb_look;
mod alb_removal;
mod approve;
mod conclude;
mod dereference;
pub(super) mod execute;
mod finalize;
mod higress;
mod hold;
mod hopeless;
mod knative_service;
mod kubernetes;
mod preview;
mod removal;
mod report;
mod rounds;
mod withdraw;
mod work;

use std::sync::Arc;

use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, Mode, Reason};
use jiff::Timestamp;
use kube::ResourceExt;

use super::cloud::{Account, Trouble};
use super::context::Context;
use super::queue::Ended;
use super::writes;
use crate::core::alb::binding::concerns;
use crate::core::class;
use crate::core::higress::binding::{concerns as concerns_higress, enters_alone};
use crate::core::key::ObjectKey;
use crate::core::plan::{Plan, Step};
use crate::core::problem::{Problem, Severity};
use crate::core::unreadable;
use crate::core::validate::{Validated, validate};
use crate::core::writers;
pub use dereference::route_host;
use hopeless::object;
pub use preview::{Preview, preview};
use report::Report;
use work::Work;

/// Kind in metrics, backoff and events.
pub const KIND: &str = "GatewayBinding";

/// One pass over one binding.
pub async fn reconcile(stored: Arc<GatewayBinding>, context: Arc<Context>) -> Ended {
    let binding = context.bindings.newest(stored);
    let class = {
        let classes = context.stores.classes.state();
        class::resolve(&binding, classes.iter().map(AsRef::as_ref)).cloned()
    };
    if class.as_ref().is_ok_and(|class| !context.serves(class)) {
        return Ended::Done;
    }
    // One that cannot be read, or has no class, is told so below.
    let known = class.as_ref().ok();
    let deleting = binding.metadata.deletion_timestamp.is_some();
    let readable = unreadable::why(&*binding).is_none();
    if readable && (known.is_some() || deleting) && concerns(&binding, known) {
        let class = known.cloned();
        return alb::reconcile(binding, class, &context).await;
    }
    if readable
        && deleting
        && let Some(ended) = withdraw::withdraw(&binding, known, &context).await
    {
        return ended;
    }
    if let Some(class) =
        known.filter(|class| readable && !deleting && enters_alone(&binding, class))
    {
        let class = class.clone();
        return higress::reconcile(binding, &class, &context).await;
    }
    if deleting {
        let class = class.ok().or_else(|| lost_class(&binding, &context));
        return finalize::finalize(binding, class, &context).await;
    }
    if !writes::is_held(&*binding) && unreadable::why(&*binding).is_none() {
        return match finalize::add_finalizer(&binding, &context).await {
            Ok(()) => Ended::Done,
            Err(trouble) => retry(&trouble),
        };
    }
    pass(binding, class, &context).await
}

/// The class of a binding whose status was lost, and with it the class's name.
fn lost_class(binding: &GatewayBinding, context: &Context) -> Option<GatewayBindingClass> {
    let lost = context.has_lost_status(binding);
    let classes = context.stores.classes.state();
    let classes: Vec<&GatewayBindingClass> = classes.iter().map(AsRef::as_ref).collect();
    let class = lost.then(|| class::of_lost(binding, &classes))?;
    class.cloned()
}

/// Says on a binding that a pass over it panicked.
pub async fn tell_panic(stored: Arc<GatewayBinding>, context: Arc<Context>) {
    let report = Report::new(context.bindings.newest(stored));
    report.with(Problem::defect()).publish(&context).await;
}

/// Dereference the class, validate, dereference the rest, merge what is shared, decide, plan,
/// execute, report.
async fn pass(
    binding: Arc<GatewayBinding>,
    class: Result<GatewayBindingClass, Problem>,
    context: &Context,
) -> Ended {
    let mut report = Report::new(binding.clone());
    let class = match class {
        Ok(class) => class,
        Err(problem) => return report.with(problem).publish(context).await,
    };
    report.class = Some(class.name_any());
    let labels = context
        .stores
        .namespace_labels(&binding.namespace().unwrap_or_default());
    let validated = match validate(&binding, &class, &labels) {
        Ok(validated) => validated,
        Err(problem) => return report.with(problem).publish(context).await,
    };
    report.validated = Some(validated.clone());
    if validated.mode == Mode::Suspend {
        let problem = Problem::blocked(
            Reason::Suspended,
            "spec.mode is Suspend: nothing is read or written. What was in place stays.",
        );
        return report
            .with(problem.waiting_for_a_person())
            .publish(context)
            .await;
    }
    let account = match context.clouds.of(&class).await {
        Ok(account) => Some(account),
        Err(trouble) => {
            let stranger = is_stranger(&trouble);
            report.trouble(trouble);
            if stranger {
                return report.publish(context).await;
            }
            None
        }
    };
    if validated.mode == Mode::Apply
        && let Err(trouble) = super::class::hold(&class, context).await
    {
        report.trouble(trouble);
        return report.publish(context).await;
    }
    if concerns_higress(&binding, Some(&class)) {
        let told = higress::carry_out(binding, &class, context).await;
        if told.unknown {
            return Ended::Waiting;
        }
        report.with_higress(told);
    }
    decide_and_act(&mut report, &validated, &class, account, context).await;
    report.publish(context).await
}

/// Whether a class means another account than its credentials lead into: then nothing is done, in the
/// cluster neither, since a Service brings about a load balancer in whatever account that belongs to.
fn is_stranger(trouble: &Trouble) -> bool {
    trouble.problem.reason == Reason::AccountMismatch
}

/// Plans against what is there and does it, until nothing is left to do or something stands in
/// the way.
async fn decide_and_act(
    report: &mut Report,
    validated: &Validated,
    class: &GatewayBindingClass,
    account: Option<Arc<Account>>,
    context: &Context,
) {
    let refresh = context.check_requested(&*report.binding);
    let mut work = Work {
        validated,
        account: account.as_deref(),
        context,
        refresh,
        approval: None,
    };
    work.look(report).await;
    if validated.mode == Mode::Plan {
        work.plan_or_carry_out(class, report).await;
        return;
    }
    work.carry_out(report).await;
}

/// Problems of a plan, and of holding back what drifted.
fn held_back(plan: &mut Plan, report: &mut Report, validated: &Validated) -> Option<Problem> {
    use crds::v1alpha1::DriftPolicy;
    if validated.drift_policy != DriftPolicy::Report {
        return None;
    }
    let applied_before = |key: &ObjectKey| {
        let entry = report.ledger.entries.get(key);
        let before = entry.and_then(|entry| entry.applied.as_deref());
        before.is_some() && before == report.digests.get(key).map(String::as_str)
    };
    let (drifted, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut plan.steps)
        .into_iter()
        .partition(|step| applied_before(&step.key));
    plan.steps = rest;
    report.drifted = drifted.iter().map(|step| step.key.clone()).collect();
    let objects: Vec<String> = drifted
        .iter()
        .map(|step| {
            let of_balancer = step.operation.resync().is_some();
            let fields = step.changes.iter().map(|change| match of_balancer {
                true => writers::seen(change),
                false => change.path.clone(),
            });
            let fields: Vec<String> = fields.collect();
            match fields.as_slice() {
                [] => format!("{} is gone", step.key),
                fields => {
                    let object = object(step, report);
                    format!("{object} ({}){}", fields.join(", "), by(step, report))
                }
            }
        })
        .collect();
    (!objects.is_empty()).then(|| Problem::drifted(&objects))
}

/// Who changed a Service, as its managed fields tell.
fn by(step: &Step, report: &Report) -> String {
    let service = report.service.as_ref();
    let Some(service) = service.filter(|_| matches!(step.key, ObjectKey::Service { .. })) else {
        return String::new();
    };
    let changed = step.changes.iter();
    let mut names: Vec<String> = changed
        .filter_map(|change| service.writers.get(&change.path))
        .flatten()
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        String::new()
    } else {
        format!(", {}", writers::managers(&names))
    }
}

pub(super) fn retry(trouble: &Trouble) -> Ended {
    tracing::warn!(reason = %trouble.problem.reason, message = trouble.problem.message, "will be tried again");
    match trouble.pause() {
        Some(left) => Ended::Paused { left },
        None => Ended::Retry {
            after: trouble.retry_after,
            outage: trouble.problem.is_outage(),
        },
    }
}

/// How a pass ended, by what stands in the way.
pub(super) fn ended(
    problems: &[Problem],
    retry_after: Option<std::time::Duration>,
    pause: Option<std::time::Duration>,
    next_check: Option<Timestamp>,
) -> Ended {
    let has = |severity| problems.iter().any(|problem| problem.severity == severity);
    if let Some(left) = pause {
        Ended::Paused { left }
    } else if has(Severity::Retry) {
        Ended::Retry {
            after: retry_after,
            outage: problems.iter().any(Problem::is_outage),
        }
    } else if has(Severity::Wait) {
        Ended::Waiting
    } else if has(Severity::Terminal) || has(Severity::Held) {
        Ended::Stuck
    } else {
        let within = next_check.and_then(|at| {
            let until = at.duration_since(Timestamp::now());
            std::time::Duration::try_from(until).ok()
        });
        Ended::Converged { within }
    }
}
