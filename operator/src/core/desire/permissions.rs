//! Which consumers may call now.

use crds::v1alpha1::Reason;

use super::Wanted;
use crate::core::desired::Desired;
use crate::core::exposure::{Allowed, Exposure};
use crate::core::key::ConsumerKey;
use crate::core::problem::Problem;
use crate::core::references::{ConsumerState, References};

/// The consumers that may call now. One that is missing, not let in or past its end is not among
/// them, so a permission it had is revoked; one that is not in the cloud yet is undecided.
pub(super) fn permissions(
    exposure: &Exposure,
    references: &References,
    wanted: &mut Wanted,
) -> Vec<(ConsumerKey, Desired)> {
    let mut permissions = Vec::new();
    for allowed in &exposure.allow {
        match permission(allowed, references) {
            Ok(desired) => {
                if matches!(desired, Desired::Undecided) {
                    wanted.problems.push(not_ready(allowed));
                }
                wanted.next_check = [wanted.next_check, allowed.until]
                    .into_iter()
                    .flatten()
                    .min();
                permissions.push((allowed.consumer.clone(), desired));
            }
            Err(problem) => wanted.problems.push(problem),
        }
    }
    permissions
}

fn permission(allowed: &Allowed, references: &References) -> Result<Desired, Problem> {
    let Allowed {
        name,
        consumer,
        until,
    } = allowed;
    let path = format!("spec.apiGateway.auth.consumer.allow[{name}]");
    if let Some(until) = until.filter(|until| *until <= references.now) {
        return Err(Problem::unresolved(
            Reason::GrantExpired,
            format!(
                "{path}.until: {until} has passed, so GatewayConsumer {consumer} may no longer call. Move the date, or remove the entry."
            ),
        ));
    }
    match references.consumers.get(consumer) {
        None | Some(ConsumerState::Missing) => Err(Problem::unresolved(
            Reason::ConsumerNotFound,
            format!(
                "{path}: there is no GatewayConsumer {consumer}. Create it, or correct the name."
            ),
        )),
        Some(ConsumerState::NotAllowed) => Err(Problem::unresolved(
            Reason::ConsumerNotAllowed,
            format!(
                "{path}: GatewayConsumer {consumer} does not let this namespace use it. Its owner can, in its spec.allowedNamespaces."
            ),
        )),
        Some(ConsumerState::NotReady | ConsumerState::ToAdopt(_)) => Ok(Desired::Undecided),
        Some(ConsumerState::Ready(id)) => Ok(Desired::Grant {
            consumer: id.clone(),
            until: *until,
        }),
    }
}

fn not_ready(allowed: &Allowed) -> Problem {
    Problem::unresolved(
        Reason::ConsumerNotReady,
        format!(
            "spec.apiGateway.auth.consumer.allow[{}]: GatewayConsumer {} is not in the cloud account yet; its own status says why.",
            allowed.name, allowed.consumer
        ),
    )
}
