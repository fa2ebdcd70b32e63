//! The end of a binding's rules in Higress.

use crds::keys;
use crds::v1alpha1::{ConditionType, GatewayBinding, GatewayBindingClass, Mode, Reason};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::finalize::show;
use crate::controller::context::Context;
use crate::controller::higress::is_detached;
use crate::controller::higress::state::Standing;
use crate::controller::queue::Ended;
use crate::controller::writes;
use crate::core::higress::binding::higress_of;
use crate::core::higress::record::systems;
use crate::core::ledger::Ledger;
use crate::core::problem::{Problem, Severity};

/// Takes the rules of a binding on its way out away from Higress, or leaves them there for nobody, as its
/// policy says. Returns how the pass ends, or nothing if nothing is left to do.
pub(super) async fn withdraw(
    binding: &GatewayBinding,
    class: Option<&GatewayBindingClass>,
    context: &Context,
) -> Option<Ended> {
    if !writes::is_held(binding) {
        return None;
    }
    let mut systems = systems(binding);
    // Whose status was lost may have had rules.
    let lost = class.filter(|_| context.has_lost_status(binding) && binding.spec.higress.is_some());
    let lost = lost.and_then(|class| higress_of(binding, class));
    systems.extend(lost.map(|higress| higress.namespace.clone()));
    let detached = is_detached(binding);
    if binding.spec.mode() == Mode::Suspend && !systems.is_empty() && !detached {
        let words = "spec.mode is Suspend, so its rules in Higress are not removed. Set mode: Apply, or deletionPolicy: Retain with it to leave them in place.";
        let problem = Problem::blocked(Reason::DeletionBlocked, words);
        show(
            binding,
            class,
            &Ledger::of(binding),
            &problem,
            None,
            context,
        )
        .await;
        return Some(Ended::Stuck);
    }
    let uid = binding.uid().unwrap_or_default();
    for system in systems {
        if !has_namespace(&system, context) {
            continue;
        }
        let problem = match context.higress.standing(&system, &uid) {
            Some(Standing {
                settled: Some(settled),
                ..
            }) if settled.part.is_none() => continue,
            Some(Standing {
                problem: Some(_), ..
            }) if detached => continue,
            Some(Standing {
                problem: Some(problem),
                ..
            }) => Problem {
                reason: Reason::DeletionBlocked,
                condition: ConditionType::Programmed,
                message: format!(
                    "{} To let the binding go and leave its rules in Higress, annotate it with {}: \"true\".",
                    problem.message,
                    keys::DETACH
                ),
                ..problem
            },
            _ => Problem::waiting(
                Reason::Deleting,
                format!("its rules are being taken away from Higress in {system}."),
            ),
        };
        context.higress.wakes.ask(&system);
        show(
            binding,
            class,
            &Ledger::of(binding),
            &problem,
            None,
            context,
        )
        .await;
        let ended = if problem.severity == Severity::Terminal {
            Ended::Stuck
        } else {
            Ended::Waiting
        };
        return Some(ended);
    }
    None
}

/// Without its namespace nothing of a Higress is there, its plugins neither.
pub(super) fn has_namespace(system: &str, context: &Context) -> bool {
    let namespaces = &context.stores.namespaces;
    namespaces.get(&ObjectRef::new(system)).is_some()
}
