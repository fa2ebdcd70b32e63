//! Whether a Service has Endpoints, which is asked before an Ingress first leads to it.

use std::time::Duration;

use k8s_openapi::api::core::v1::Endpoints;
use kube::{Api, ResourceExt};

use super::children::failed;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::core::alb::kingress::KIngress;

/// The shortest and the longest time until Endpoints that are missing are looked for again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Whether a Service beside a Knative Ingress has Endpoints, with addresses or without.
pub(super) async fn are_there(
    ingress: &KIngress,
    service: &str,
    context: &Context,
) -> Result<bool, Trouble> {
    let namespace = ingress.namespace().unwrap_or_default();
    let api: Api<Endpoints> = Api::namespaced(context.runtime.client.clone(), &namespace);
    match api.get_metadata_opt(service).await {
        Ok(found) => Ok(found.is_some_and(|found| found.metadata.deletion_timestamp.is_none())),
        Err(error) => Err(failed(&format!("Endpoints {namespace}/{service}"), &error)),
    }
}

/// How soon they are looked for again: they come with their Service, or somebody has forgotten them.
pub(super) fn pause(waited: Duration) -> Duration {
    let (shortest, longest) = PAUSES;
    waited.clamp(shortest, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_is_asked_for_less_often_and_never_given_up() {
        let (mut waited, mut asked) = (0, Vec::new());
        while waited < 60 {
            waited += pause(Duration::from_secs(waited)).as_secs();
            asked.push(waited);
        }
        assert_eq!(asked, [1, 2, 4, 8, 16, 26, 36, 46, 56, 66]);
    }
}
