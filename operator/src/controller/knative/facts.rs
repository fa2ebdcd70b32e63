//! Whether Higress is there and can serve Knative.

use std::collections::BTreeMap;

use crds::v1alpha1::{HigressAdapter, HigressGateway, KnativeObject, Reason};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::PodSpec;
use kube::Api;
use kube::api::PostParams;
use kube::runtime::reflector::ObjectRef;

use super::objects::Found;
use crate::controller::cloud::{Trouble, kube_message, refusal};
use crate::controller::context::Context;
use crate::core::higress::check::{Facts, NETWORKING, RIGHTS};
use crate::core::problem::Problem;

/// The Deployment of Higress' controller, and its ServiceAccount where it names no other one.
const CONTROLLER: &str = "higress-controller";
/// The container that reads Istio's objects, and the variable by which Higress' chart tells it to.
const DISCOVERY: &str = "discovery";
const READS_ISTIO: &str = "HIGRESS_ENABLE_ISTIO_API";

/// Looks at what a gateway needs.
pub(super) async fn of(
    higress: &HigressGateway,
    found: &BTreeMap<KnativeObject, Found>,
    context: &Context,
) -> Result<Facts, Trouble> {
    let service = ObjectRef::new(higress.service()).within(&higress.namespace);
    let client = &context.runtime.client;
    let deployments = Api::<Deployment>::namespaced(client.clone(), &higress.namespace);
    let deployment = deployments.get_opt(CONTROLLER).await;
    let deployment = deployment.map_err(|error| failed("Deployment higress-controller", &error))?;
    let pod = deployment.and_then(|found| found.spec?.template.spec);
    let account = pod
        .as_ref()
        .and_then(|pod| pod.service_account_name.as_deref())
        .unwrap_or(CONTROLLER);
    let gateways = KnativeObject::ALL.iter().filter(|one| one.is_gateway());
    let by_itself = higress.adapter == HigressAdapter::KIngress;
    Ok(Facts {
        service: context.stores.services.get(&service).is_some(),
        plugin_definition: has("extensions.higress.io/v1alpha1", &["wasmplugins"], context).await?,
        ingress_definition: has(&format!("{NETWORKING}/v1alpha1"), &["ingresses"], context).await?,
        istio_definitions: has(
            "networking.istio.io/v1beta1",
            &["gateways", "virtualservices"],
            context,
        )
        .await?,
        knative_gateways: gateways.into_iter().all(|one| found.contains_key(one)),
        may_serve: by_itself && may_serve(&higress.namespace, account, context).await?,
        reads_istio: pod.as_ref().and_then(reads_istio),
    })
}

/// Whether the API server serves all of these resources.
async fn has(group: &str, resources: &[&str], context: &Context) -> Result<bool, Trouble> {
    match context.runtime.client.list_api_group_resources(group).await {
        Ok(list) => Ok(resources
            .iter()
            .all(|wanted| list.resources.iter().any(|one| one.name == *wanted))),
        // Of a group that there is not, the API server says no more than the code.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(failed(&format!("resources of {group}"), &error)),
    }
}

/// Asks the API server whether Higress' ServiceAccount may do all that it has to.
async fn may_serve(namespace: &str, account: &str, context: &Context) -> Result<bool, Trouble> {
    let reviews = Api::<SubjectAccessReview>::all(context.runtime.client.clone());
    for (resource, verbs) in RIGHTS {
        for verb in verbs {
            let review = review(namespace, account, resource, verb);
            let answer = reviews.create(&PostParams::default(), &review).await;
            let answer = answer.map_err(|error| failed("rights of Higress", &error))?;
            if !answer.status.is_some_and(|status| status.allowed) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn review(namespace: &str, account: &str, resource: &str, verb: &str) -> SubjectAccessReview {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (resource, None),
    };
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{namespace}:{account}")),
            groups: Some(vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ]),
            resource_attributes: Some(ResourceAttributes {
                group: Some(NETWORKING.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}

/// Whether Higress was installed to read Istio's objects; none: it does not say.
fn reads_istio(pod: &PodSpec) -> Option<bool> {
    let discovery = pod.containers.iter().find(|one| one.name == DISCOVERY)?;
    let mut variables = discovery.env.iter().flatten();
    let set = variables.find(|one| one.name == READS_ISTIO);
    Some(set.is_some_and(|one| one.value.as_deref() == Some("true")))
}

fn failed(what: &str, error: &kube::Error) -> Trouble {
    let refusal = refusal(error, "`rbac.higress: true`");
    let message = match refusal.reason {
        Reason::PermissionDenied => refusal.message,
        _ => kube_message(error),
    };
    Problem::retry(refusal.reason, format!("{what}: {message}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(containers: serde_json::Value) -> PodSpec {
        serde_json::from_value(json!({"containers": containers})).unwrap()
    }

    #[test]
    fn the_chart_of_higress_tells_whether_it_reads_istio_s_objects() {
        let env = json!([{"name": READS_ISTIO, "value": "true"}]);
        let with = pod(json!([{"name": "higress-core"}, {"name": DISCOVERY, "env": env}]));
        assert_eq!(reads_istio(&with), Some(true));
        let without = pod(json!([{"name": DISCOVERY}]));
        assert_eq!(reads_istio(&without), Some(false));
        assert_eq!(reads_istio(&pod(json!([{"name": "other"}]))), None);
    }

    #[test]
    fn a_subresource_is_asked_for_as_such() {
        let asked = review("higress-system", CONTROLLER, "ingresses/status", "patch");
        let attributes = asked.spec.resource_attributes.unwrap();
        assert_eq!(attributes.resource.as_deref(), Some("ingresses"));
        assert_eq!(attributes.subresource.as_deref(), Some("status"));
        let user = "system:serviceaccount:higress-system:higress-controller";
        assert_eq!(asked.spec.user.as_deref(), Some(user));
    }
}
