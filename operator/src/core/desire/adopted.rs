//! What a binding wants of things that others made.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::{ApiSpec, ConsumerId};
use crds::v1alpha1::Reason;

use super::Shares;
use crate::core::adoption::{Adopted, ApiWish, PolicyWish};
use crate::core::desired::Desired;
use crate::core::exposure::{Exposure, RouteApi};
use crate::core::key::{ConsumerKey, id_of};
use crate::core::problem::Problem;
use crate::core::throttling;

/// That another binding has what is adopted, if it has.
pub(super) fn elsewhere(what: Option<Adopted>, path: &str, shares: &Shares) -> Option<Problem> {
    let what = what?;
    let holder = shares.adopted_elsewhere.get(&what)?;
    let (name, id, remedy) = match &what {
        Adopted::Group(id) => ("API group", id, "Let one class have it"),
        Adopted::Backend(id) => ("VPC authorization", id, "Let one class have it"),
        Adopted::Policy(id) => (
            "plugin",
            id,
            "Give the same limits in both, leave them out in one, or adopt another plugin",
        ),
        Adopted::Api(id) => ("API", id, "Let one route have it"),
    };
    Some(Problem::blocked(
        Reason::NotAdoptable,
        format!(
            "{path}: {name} {id} is adopted by GatewayBinding {} of GatewayBindingClass \"{}\" already. {remedy}.",
            holder.binding, holder.class
        ),
    ))
}

/// What an adopted group is, by how keys name it.
pub(super) fn group(name: &str) -> Option<Adopted> {
    id_of(name).map(|id| Adopted::Group(id.to_owned()))
}

/// The same of a backend.
pub(super) fn backend(name: &str) -> Option<Adopted> {
    id_of(name).map(|id| Adopted::Backend(id.to_owned()))
}

/// The same of a policy.
pub(super) fn policy(name: &str) -> Option<Adopted> {
    id_of(name).map(|id| Adopted::Policy(id.to_owned()))
}

/// The same of an API.
pub(super) fn api(name: &str) -> Option<Adopted> {
    id_of(name).map(|id| Adopted::Api(id.to_owned()))
}

/// A throttling policy, with the limits that the binding gives if it gives any.
pub(super) fn policy_wish(
    exposure: &Exposure,
    ids: &BTreeMap<ConsumerKey, ConsumerId>,
) -> PolicyWish {
    let limits = exposure.limits.as_ref();
    PolicyWish {
        limits: limits.map(|limits| throttling::rules(limits, ids)),
        speaks_of: ids.values().cloned().collect(),
    }
}

/// The draft of a route's API, or what runs of it.
pub(super) fn definition(
    exposure: &Exposure,
    route: &RouteApi,
    spec: ApiSpec,
    running: bool,
) -> Desired {
    if id_of(&route.name).is_none() {
        return if running {
            Desired::Deployment(spec)
        } else {
            Desired::Api(spec)
        };
    }
    let wish = ApiWish {
        route: route.route.clone(),
        spec,
        any_protocols: exposure.any_protocols,
        any_timeout: exposure.any_timeout,
    };
    if running {
        Desired::AdoptedDeployment(wish)
    } else {
        Desired::AdoptedApi(wish)
    }
}
