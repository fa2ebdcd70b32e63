//! What a binding with an ALB finds in the cluster.

use std::collections::BTreeMap;

use crds::v1alpha1::{GatewayBinding, NamespacedName, Reason};
use kube::ResourceExt;

use super::knative_service::{get, is_ours};
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::core::alb::binding::{AlbBinding, moved};
use crate::core::alb::kingress::{CLASS_OF_SERVICE, KIngress};
use crate::core::alb::plan::Annotation;
use crate::core::problem::Problem;

/// The class annotations of the Knative Services that a binding has to do with, of those that are there.
pub(super) async fn annotations(
    valid: &AlbBinding,
    binding: &GatewayBinding,
    context: &Context,
) -> Result<BTreeMap<NamespacedName, Annotation>, Trouble> {
    let own = [valid.service.clone()];
    let services: Vec<NamespacedName> = moved(binding).into_iter().chain(own).collect();
    annotations_of(&services, context).await
}

/// Those of these Knative Services, of those that are there.
pub(super) async fn annotations_of(
    services: &[NamespacedName],
    context: &Context,
) -> Result<BTreeMap<NamespacedName, Annotation>, Trouble> {
    let mut found = BTreeMap::new();
    for service in services {
        if let Some(there) = get(service, context).await? {
            let annotation = Annotation {
                value: there.annotations().get(CLASS_OF_SERVICE).cloned(),
                ours: is_ours(&there),
            };
            found.insert(service.clone(), annotation);
        }
    }
    Ok(found)
}

/// The Knative Service that a binding names is not there.
pub(super) fn no_service(service: &NamespacedName) -> Problem {
    Problem::unresolved(
        Reason::ServiceNotFound,
        format!(
            "spec.serviceRef: there is no Knative Service {service}. Create it, or correct the name."
        ),
    )
}

/// What the status of a Knative Ingress that is not ready means for its binding.
pub(super) fn standing_of(found: &KIngress) -> Problem {
    let current = found.status["observedGeneration"].as_i64() == found.metadata.generation;
    let ready = found.condition("Ready").filter(|_| current);
    let text = |field: &str| {
        let text = ready.and_then(|ready| ready[field].as_str());
        text.unwrap_or_default().to_owned()
    };
    let reason = Reason::parse(&text("reason"));
    let words = text("message");
    match (text("status").as_str(), reason) {
        ("False", Some(Reason::IngressFailed)) => Problem::waiting(Reason::IngressFailed, words),
        ("False", Some(reason)) => Problem::blocked(reason, words),
        (_, Some(reason)) => Problem::waiting(reason, words),
        _ => Problem::waiting(
            Reason::WaitingForIngress,
            "the ALB Ingress controller has not brought the load balancer up to date yet.",
        ),
    }
}
