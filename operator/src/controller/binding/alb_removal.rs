//! The end of a binding whose gateway is an ALB.

use crds::keys;
use crds::v1alpha1::{
    DeletionPolicy, GatewayBinding, GatewayBindingClass, Mode, NamespacedName, Reason,
};
use kube::ResourceExt;

use super::alb::blocked;
use super::alb_look::annotations_of;
use super::approve::completed;
use super::finalize::let_go;
use super::knative_service::put_back;
use super::retry;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::controller::writes;
use crate::core::alb::binding::moved;
use crate::core::alb::plan::{self, Planned, Verdict};
use crate::core::approval;
use crate::core::problem::Problem;

/// Puts the Knative Service back, then lets the binding go.
pub(super) async fn finalize(
    binding: &GatewayBinding,
    class: Option<&GatewayBindingClass>,
    context: &Context,
) -> Ended {
    if !writes::is_held(binding) {
        return Ended::Done;
    }
    let spec = class.map(|class| &class.spec);
    let retained = binding.spec.deletion_policy(spec) == DeletionPolicy::Retain;
    let detached = binding.annotations().get(keys::DETACH);
    if retained || detached.is_some_and(|value| value == "true") {
        return let_go(binding, context).await;
    }
    if binding.spec.mode() == Mode::Suspend {
        let words = "spec.mode is Suspend, so nothing is removed. Set mode: Apply, or deletionPolicy: Retain to leave everything in place.";
        let problem = Problem::blocked(Reason::DeletionBlocked, words);
        return blocked(binding, class, problem, None, context).await;
    }
    // What was written is told by the Knative Service itself, should the status be lost.
    let own = NamespacedName {
        namespace: binding.namespace().unwrap_or_default(),
        name: binding.spec.service_ref.name.clone(),
    };
    let mut services = moved(binding);
    if !services.contains(&own) {
        services.push(own);
    }
    services.retain(|service| !is_moved_by_another(service, binding, context));
    if binding.spec.mode() == Mode::Plan {
        match is_removal_approved(&services, binding, context).await {
            Ok(None) => {}
            Ok(Some((problem, planned))) => {
                return blocked(binding, class, problem, Some(planned), context).await;
            }
            Err(trouble) => return retry(&trouble),
        }
    }
    for service in services {
        if let Err(trouble) = put_back(&service, context).await {
            let problem = Problem {
                reason: Reason::DeletionBlocked,
                message: format!(
                    "{} To let the binding go and leave Knative Service {service} where it is, annotate it with {}: \"true\".",
                    trouble.problem.message,
                    keys::DETACH
                ),
                ..trouble.problem
            };
            return blocked(binding, class, problem, None, context).await;
        }
    }
    let_go(binding, context).await
}

/// `mode: Plan`: why the removal may not go on, with what is planned; none: there is nothing to do for it,
/// or just that is approved.
async fn is_removal_approved(
    services: &[NamespacedName],
    binding: &GatewayBinding,
    context: &Context,
) -> Result<Option<(Problem, Planned)>, Trouble> {
    let found = annotations_of(services, context).await?;
    let steps = plan::removal(&found);
    if steps.is_empty() {
        return Ok(None);
    }
    let completed = completed(binding).map(str::to_owned);
    let hash = plan::hash_of_removal(services, completed.as_deref());
    let approved = binding.spec.approved_plan.as_deref();
    let verdict = plan::judge(approved, completed.as_deref(), &hash, steps.len());
    let problem = match (verdict, approved) {
        (Verdict::Approved, _) => return Ok(None),
        (Verdict::Stale, Some(approved)) => approval::stale(approved),
        _ => approval::unapproved(steps.len(), Some(&hash)),
    };
    let planned = Planned {
        steps,
        hash: Some(hash),
        completed,
    };
    let problem = Problem::blocked(Reason::DeletionBlocked, problem.message);
    Ok(Some((problem, planned)))
}

/// Whether another binding wants a Knative Service where this one moved it.
fn is_moved_by_another(
    service: &NamespacedName,
    binding: &GatewayBinding,
    context: &Context,
) -> bool {
    let bindings = context.stores.bindings.state();
    bindings.iter().any(|other| {
        other.metadata.uid != binding.metadata.uid
            && other.metadata.deletion_timestamp.is_none()
            && moved(other).contains(service)
    })
}
