//! The end of a binding: what it claimed goes, by its ledger alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::keys;
use crds::v1alpha1::{
    ConditionStatus, ConditionType, ConditionUpdate, DeletionPolicy, GatewayBinding,
    GatewayBindingClass, Mode, Reason, set_condition,
};
use jiff::Timestamp;
use kube::ResourceExt;

use super::removal::remove;
use super::report::{api, write_status};
use super::{KIND, retry};
use crate::backoff::ObjectKey as BackoffKey;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::controller::writes;
use crate::core::desire::{Shares, desire};
use crate::core::ledger::{Ledger, Place};
use crate::core::problem::{Problem, Severity};
use crate::core::published::Published;
use crate::core::references::{References, Target};
use crate::core::unreadable;
use crate::core::validate::validate;

/// Removes what a binding claimed, then lets it go.
pub(super) async fn finalize(
    binding: Arc<GatewayBinding>,
    class: Option<GatewayBindingClass>,
    context: &Context,
) -> Ended {
    if !writes::is_held(&*binding) {
        return Ended::Done;
    }
    let spec = class.as_ref().map(|class| &class.spec);
    let detached = binding
        .annotations()
        .get(keys::DETACH)
        .is_some_and(|value| value == "true");
    let mut ledger = Ledger::of(&binding);
    if let Some(problem) = unreadable::problem(&*binding).filter(|_| !detached) {
        // Whether what it made is to stay is among what cannot be read.
        let blocked = Problem {
            reason: Reason::DeletionBlocked,
            message: format!(
                "{} What is left: {}. To let the binding go and leave that in place, annotate it with {}: \"true\".",
                problem.message,
                left(&ledger),
                keys::DETACH
            ),
            ..problem
        };
        show(&binding, class.as_ref(), &ledger, &blocked, None, context).await;
        return Ended::Stuck;
    }
    let retained = binding.spec.deletion_policy(spec) == DeletionPolicy::Retain;
    if !detached && context.has_lost_status(&*binding) {
        ledger = class
            .as_ref()
            .map_or(ledger, |class| claimed_by_spec(&binding, class, context));
    }
    if detached || retained || ledger.entries.is_empty() {
        return let_go(&binding, context).await;
    }
    let mut planned = None;
    let result = match binding.spec.mode() {
        Mode::Apply | Mode::Plan => {
            remove(&binding, class.as_ref(), &mut ledger, &mut planned, context).await
        }
        Mode::Suspend => Err(Trouble::from(Problem::blocked(
            Reason::DeletionBlocked,
            "spec.mode is Suspend, so nothing is removed. Set mode: Apply, or deletionPolicy: Retain to leave everything in place.",
        ))),
    };
    let plan = planned.as_ref();
    match result {
        Ok(()) if ledger.entries.is_empty() => let_go(&binding, context).await,
        Ok(()) => {
            let waiting = Problem::waiting(Reason::Deleting, left(&ledger));
            show(&binding, class.as_ref(), &ledger, &waiting, plan, context).await;
            Ended::Waiting
        }
        Err(trouble) if trouble.problem.reason == Reason::MassChangeHeld => {
            show(
                &binding,
                class.as_ref(),
                &ledger,
                &trouble.problem,
                plan,
                context,
            )
            .await;
            Ended::Stuck
        }
        Err(Trouble {
            problem,
            retry_after: Some(left),
            ..
        }) if problem.reason == Reason::Deleting => Ended::Later(left),
        Err(trouble) => {
            let blocked = Problem {
                reason: Reason::DeletionBlocked,
                message: format!(
                    "{} What is left: {}. To let the binding go and leave that in place, annotate it with {}: \"true\".",
                    trouble.problem.message,
                    left(&ledger),
                    keys::DETACH
                ),
                ..trouble.problem.clone()
            };
            show(&binding, class.as_ref(), &ledger, &blocked, plan, context).await;
            if blocked.severity == Severity::Terminal {
                return Ended::Stuck;
            }
            retry(&trouble)
        }
    }
}

/// What a binding claimed whose status was lost: all that its spec asks for. What is not there, or
/// not ours, falls away as soon as the cloud is looked at.
fn claimed_by_spec(
    binding: &GatewayBinding,
    class: &GatewayBindingClass,
    context: &Context,
) -> Ledger {
    let mut ledger = Ledger::default();
    let labels = context
        .stores
        .namespace_labels(&binding.namespace().unwrap_or_default());
    let Ok(validated) = validate(binding, class, &labels) else {
        return ledger;
    };
    let nothing_known = References {
        now: Timestamp::now(),
        target: Target::Service,
        service: None,
        source: None,
        load_balancer: None,
        existing: None,
        consumers: BTreeMap::new(),
    };
    let wanted = desire(&validated, &nothing_known, &Shares::default());
    for item in wanted.items {
        ledger.claim(&item.key, &Place::default());
    }
    ledger
}

fn left(ledger: &Ledger) -> String {
    let keys: Vec<String> = ledger.entries.keys().map(ToString::to_string).collect();
    keys.join(", ")
}

/// Shows what is left and why.
pub(super) async fn show(
    binding: &GatewayBinding,
    class: Option<&GatewayBindingClass>,
    ledger: &Ledger,
    problem: &Problem,
    plan: Option<&Published>,
    context: &Context,
) {
    let mut status = binding.status.clone().unwrap_or_default();
    status.ledger = ledger.write();
    // With the ledger, which class holds the credentials to what it names.
    let class = class.map(ResourceExt::name_any);
    status.class_name = status.class_name.or(class);
    if binding.spec.mode() == Mode::Plan {
        status.plan = plan.map(Published::status).or(status.plan);
    } else {
        status.plan = None;
    }
    let now = Timestamp::now();
    let generation = binding.metadata.generation;
    let update = |type_, status| ConditionUpdate {
        type_,
        status,
        reason: problem.reason,
        message: problem.message.clone(),
    };
    let conditions = &mut status.conditions;
    set_condition(
        conditions,
        update(ConditionType::Ready, ConditionStatus::False),
        generation,
        now,
    );
    let (shown, hidden) = if problem.severity == Severity::Terminal {
        (ConditionType::Stalled, ConditionType::Reconciling)
    } else {
        (ConditionType::Reconciling, ConditionType::Stalled)
    };
    set_condition(
        conditions,
        update(shown, ConditionStatus::True),
        generation,
        now,
    );
    crds::v1alpha1::remove_condition(conditions, hidden);
    if binding.status.as_ref() != Some(&status)
        && let Err(trouble) = write_status(binding, &status, context).await
    {
        tracing::warn!(message = trouble.problem.message, "status not written");
    }
}

pub(super) async fn let_go(binding: &GatewayBinding, context: &Context) -> Ended {
    if let Err(trouble) = writes::let_go(&api(binding, context), binding, context).await {
        return retry(&trouble);
    }
    if let Some(uid) = binding.uid() {
        context.forget(&uid);
        context.runtime.events.forget(&uid);
    }
    let key = BackoffKey::of(KIND, binding);
    context.runtime.metrics.object_gone(&key);
    Ended::Done
}

/// Adds our finalizer, before anything is claimed.
pub(super) async fn add_finalizer(
    binding: &GatewayBinding,
    context: &Context,
) -> Result<(), Trouble> {
    if let Some(written) = writes::hold(&api(binding, context), binding, context).await? {
        context.peers.update(&written);
        context.begin(&written);
        context.bindings.wrote(written);
    }
    Ok(())
}
