//! The end of a pass over a binding that has no [`Report`](super::report::Report): its gateway is no load
//! balancer of the operator's own making.

use crds::v1alpha1::{ConditionType, GatewayBinding, GatewayBindingStatus, Reason};
use jiff::Timestamp;
use kube::Resource;

use super::report::write_status;
use super::{KIND, ended, retry};
use crate::backoff::ObjectKey;
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::core::conditions::{Standing, judge};
use crate::core::problem::Problem;
use crate::metrics::ConditionState;

/// A status that is as it was, as far as such a pass says nothing about it.
pub(super) fn begun(binding: &GatewayBinding, class: String) -> GatewayBindingStatus {
    let before = binding.status.clone().unwrap_or_default();
    GatewayBindingStatus {
        observed_generation: binding.metadata.generation,
        class_name: Some(class),
        gateway: before.gateway,
        address: before.address,
        ledger: before.ledger,
        conditions: before.conditions,
        ..GatewayBindingStatus::default()
    }
}

/// Completes `status` by conditions, writes it if it differs, tells events and metrics, and says when to
/// look again. `note` is said by `Ready` while it is true.
pub(super) async fn conclude(
    binding: &GatewayBinding,
    mut status: GatewayBindingStatus,
    problems: &[Problem],
    note: &str,
    context: &Context,
) -> Ended {
    let standing = Standing {
        generation: binding.metadata.generation,
        now: Timestamp::now(),
        problems,
        programmed: judge(ConditionType::Programmed, Reason::Programmed, problems),
        note,
    };
    standing.write(&mut status.conditions);
    let runtime = &context.runtime;
    let before = binding.status.iter();
    let before: Vec<_> = before
        .flat_map(|status| status.conditions.clone())
        .collect();
    let events = &runtime.events;
    events.transitions(&binding.object_ref(&()), &before, &status.conditions);
    let conditions = status.conditions.iter().map(ConditionState::from);
    let key = ObjectKey::of(KIND, binding);
    runtime.metrics.object(&key, conditions);
    if binding.status.as_ref() != Some(&status)
        && let Err(trouble) = write_status(binding, &status, context).await
    {
        return retry(&trouble);
    }
    ended(problems, None, None, None)
}
