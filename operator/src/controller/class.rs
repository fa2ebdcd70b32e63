//! The controller of GatewayBindingClasses: whether a class's account can be used, whether the class
//! may go, and what was left behind in its account.

use std::sync::Arc;

use crds::v1alpha1::{
    ConditionStatus, ConditionType, ConditionUpdate, GatewayBindingClass,
    GatewayBindingClassStatus, HeldChange, MassChangeStatus, Reason, remove_condition,
    set_condition,
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::{Api, Resource, ResourceExt};

use super::alb;
use super::class_users::{in_use, is_used};
use super::cloud::Trouble;
use super::context::Context;
use super::knative;
use super::orphans::Orphans;
use super::queue::Ended;
use super::writes;
use crate::backoff::ObjectKey as BackoffKey;
use crate::core::guard::Limits;
use crate::core::knative::turn::has_written;
use crate::core::problem::{Problem, Severity};
use crate::core::unreadable::{self, Readable};
use crate::metrics::ConditionState;

/// Kind in metrics, backoff and events.
pub const KIND: &str = "GatewayBindingClass";

/// The reconciler of classes, with what it remembers of orphans from pass to pass.
pub fn reconciler(
    orphans: Orphans,
) -> impl Fn(Arc<GatewayBindingClass>, Arc<Context>) -> BoxFuture<'static, Ended> + Clone + Send + 'static
{
    let orphans = Arc::new(orphans);
    move |class, context| Box::pin(reconcile(class, context, orphans.clone()))
}

/// One pass over one class.
async fn reconcile(
    stored: Arc<GatewayBindingClass>,
    context: Arc<Context>,
    orphans: Arc<Orphans>,
) -> Ended {
    let class = context.classes.newest(stored);
    if !context.serves(&class) {
        return Ended::Done;
    }
    let deleting = class.metadata.deletion_timestamp.is_some();
    if let Some(problem) = unreadable::problem(&*class).filter(|_| !deleting) {
        return publish(&class, None, Some(Trouble::from(problem)), &context).await;
    }
    let (class, settled) = knative::settle(class, &context).await;
    let held = writes::is_held(&*class);
    let ingresses = alb::users::of(&class, &context);
    if held && !has_written(&class) && !is_used(&class, &ingresses, &context) {
        return let_go(&class, &context).await;
    }
    if deleting {
        if !held {
            return Ended::Done;
        }
        let blocked = in_use(&class, &ingresses, &context).map(Trouble::from);
        return publish(&class, None, blocked.or(settled), &context).await;
    }
    // What is served without a binding claims nothing by which its class would be held.
    if !held
        && ingresses.are_some()
        && let Err(trouble) = hold(&class, &context).await
    {
        return publish(&class, None, Some(trouble), &context).await;
    }
    let class = context.classes.newest(class);
    if class.spec.cloud.is_none() {
        return publish(&class, None, settled, &context).await;
    }
    let checked = match context.clouds.of(&class).await {
        Ok(account) => match account.check(context.runtime.args.drift_interval).await {
            Ok(()) => Ok(account),
            Err(trouble) => Err(trouble),
        },
        Err(trouble) => Err(trouble),
    };
    match checked {
        Ok(account) => {
            let ended = publish(&class, Some(account.id.clone()), settled, &context).await;
            orphans.sweep(&class, &account, &context).await;
            ended
        }
        Err(trouble) => publish(&class, None, Some(trouble), &context).await,
    }
}

/// Says on a class that a pass over it panicked.
pub async fn tell_panic(stored: Arc<GatewayBindingClass>, context: Arc<Context>) {
    let class = context.classes.newest(stored);
    let trouble = Trouble::from(Problem::defect());
    publish(&class, None, Some(trouble), &context).await;
}

/// Holds a class, before the first claim that needs it.
pub async fn hold(class: &GatewayBindingClass, context: &Context) -> Result<(), Trouble> {
    let newest = context.classes.newest(Arc::new(class.clone()));
    if writes::is_held(&*newest) {
        return Ok(());
    }
    if let Some(written) = writes::hold(&api(context), &*newest, context).await? {
        context.classes.wrote(written);
    }
    Ok(())
}

async fn let_go(class: &GatewayBindingClass, context: &Context) -> Ended {
    match writes::let_go(&api(context), class, context).await {
        Ok(Some(written)) if class.metadata.deletion_timestamp.is_none() => {
            context.classes.wrote(written);
            Ended::Done
        }
        Ok(_) => {
            forget(class, context);
            Ended::Done
        }
        Err(trouble) => Ended::Retry {
            after: trouble.retry_after,
            outage: true,
        },
    }
}

fn forget(class: &GatewayBindingClass, context: &Context) {
    let name = class.name_any();
    context.clouds.forget(&name);
    let metrics = &context.runtime.metrics;
    metrics.class_gone(&name);
    metrics.object_gone(&BackoffKey::of(KIND, class));
    if let Some(uid) = class.uid() {
        context.classes.forget(&uid);
        context.runtime.events.forget(&uid);
    }
}

fn api(context: &Context) -> Api<Readable<GatewayBindingClass>> {
    Api::all(context.runtime.client.clone())
}

async fn publish(
    class: &GatewayBindingClass,
    account: Option<String>,
    trouble: Option<Trouble>,
    context: &Context,
) -> Ended {
    let before = class.status.clone().unwrap_or_default();
    let (mass_change, less_in) = context.guard.status(class);
    let held = held(class, mass_change.as_ref(), context);
    let mut status = GatewayBindingClassStatus {
        observed_generation: class.metadata.generation,
        account: account.or_else(|| before.account.clone()),
        mass_change,
        ..before.clone()
    };
    conditions(
        &mut status,
        class.metadata.generation,
        trouble
            .as_ref()
            .map(|trouble| &trouble.problem)
            .or(held.as_ref()),
    );
    let regarding = class.object_ref(&());
    context
        .runtime
        .events
        .transitions(&regarding, &before.conditions, &status.conditions);
    let states = status.conditions.iter().map(ConditionState::from);
    context
        .runtime
        .metrics
        .object(&BackoffKey::of(KIND, class), states);
    if class.status.as_ref() != Some(&status) {
        match writes::status(&api(context), class, &status, context).await {
            Ok(written) => drop(context.classes.wrote(written)),
            Err(trouble) => {
                tracing::warn!(message = trouble.problem.message, "status not written");
                return Ended::Retry {
                    after: None,
                    outage: true,
                };
            }
        }
    }
    if let Some(left) = trouble.as_ref().and_then(Trouble::pause) {
        return Ended::Paused { left };
    }
    match trouble {
        None => Ended::Converged { within: less_in },
        Some(trouble) => match trouble.problem.severity {
            // Of all that use an account its class looks most often whether it lets them in again.
            Severity::Retry => Ended::Retry {
                after: trouble.retry_after,
                outage: true,
            },
            Severity::Wait => Ended::Waiting,
            Severity::Terminal | Severity::Held => Ended::Stuck,
        },
    }
}

/// What the guard against mass changes holds, as a problem of the class.
fn held(
    class: &GatewayBindingClass,
    change: Option<&MassChangeStatus>,
    context: &Context,
) -> Option<Problem> {
    let held = change.and_then(|change| change.held.as_ref());
    let count = held.map_or(0, |held| i64::from(held.objects));
    context
        .runtime
        .metrics
        .mass_change_held(&class.name_any(), count);
    let HeldChange {
        token,
        objects,
        total,
        gone_before,
        examples,
    } = held?;
    let limits = Limits::of(&class.spec);
    let before = if *gone_before > 0 {
        format!(", {gone_before} more have gone within the ten minutes before")
    } else {
        String::new()
    };
    let named = examples.join(", ");
    let more = usize::try_from(*objects)
        .unwrap_or_default()
        .saturating_sub(examples.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let message = format!(
        "{objects} of {total} objects would be deleted{before}; massChangeGuard lets {} or {} percent go in one go. They are {named}{more}. If that is a mistake, undo what asks for it. If it is meant, set spec.massChangeGuard.confirmed to \"{token}\".",
        limits.objects, limits.percent
    );
    Some(Problem::blocked(Reason::MassChangeHeld, message).waiting_for_a_person())
}

fn conditions(
    status: &mut GatewayBindingClassStatus,
    generation: Option<i64>,
    problem: Option<&Problem>,
) {
    let now = Timestamp::now();
    let mut set = |type_, holds: bool, reason, message: &str| {
        let update = ConditionUpdate {
            type_,
            status: ConditionStatus::from(holds),
            reason,
            message: message.to_owned(),
        };
        set_condition(&mut status.conditions, update, generation, now);
    };
    let stalled = problem.filter(|problem| problem.severity == Severity::Terminal);
    match problem {
        None => {
            set(ConditionType::Accepted, true, Reason::Accepted, "");
            set(ConditionType::ResolvedRefs, true, Reason::ResolvedRefs, "");
            set(ConditionType::Ready, true, Reason::Ready, "");
        }
        Some(problem) => {
            let refused = problem.condition == ConditionType::Accepted;
            if refused {
                set(
                    ConditionType::Accepted,
                    false,
                    problem.reason,
                    &problem.message,
                );
            } else {
                set(ConditionType::Accepted, true, Reason::Accepted, "");
            }
            // What holds up a deletion is no fault of what it refers to.
            if problem.severity == Severity::Held || problem.reason == Reason::ForeignField {
                set(ConditionType::ResolvedRefs, true, Reason::ResolvedRefs, "");
            } else if !refused && problem.reason != Reason::DeletionBlocked {
                set(
                    ConditionType::ResolvedRefs,
                    false,
                    problem.reason,
                    &problem.message,
                );
            }
            set(
                ConditionType::Ready,
                false,
                problem.reason,
                &problem.message,
            );
            let progress = match problem.severity {
                Severity::Held => None,
                Severity::Terminal => Some(ConditionType::Stalled),
                Severity::Wait | Severity::Retry => Some(ConditionType::Reconciling),
            };
            if let Some(progress) = progress {
                set(progress, true, problem.reason, &problem.message);
            }
        }
    }
    if stalled.is_none() {
        remove_condition(&mut status.conditions, ConditionType::Stalled);
    }
    let halted = problem.is_none_or(|problem| problem.severity == Severity::Held);
    if halted || stalled.is_some() {
        remove_condition(&mut status.conditions, ConditionType::Reconciling);
    }
}
