//! The Knative Service of a binding, of which one annotation is written: the ingress class.

use crds::keys;
use crds::v1alpha1::{NamespacedName, Reason};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::controller::cloud::{Trouble, refusal};
use crate::controller::context::Context;
use crate::core::alb::kingress::CLASS_OF_SERVICE;
use crate::core::problem::Problem;

fn knative_service() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("serving.knative.dev", "v1", "Service"),
        "services",
    )
}

fn api(namespace: &str, context: &Context) -> Api<DynamicObject> {
    let client = context.runtime.client.clone();
    Api::namespaced_with(client, namespace, &knative_service())
}

/// A Knative Service; none: there is none.
pub(super) async fn get(
    service: &NamespacedName,
    context: &Context,
) -> Result<Option<DynamicObject>, Trouble> {
    let found = api(&service.namespace, context)
        .get_opt(&service.name)
        .await;
    found.map_err(|error| failed(service, &error))
}

/// Takes our annotation off a Knative Service; what others wrote stays.
pub(super) async fn put_back(service: &NamespacedName, context: &Context) -> Result<(), Trouble> {
    match get(service, context).await? {
        Some(found) if is_ours(&found) => apply(&found, json!({}), true, context).await,
        _ => Ok(()),
    }
}

/// Whether the annotation is one that we wrote.
pub(super) fn is_ours(service: &DynamicObject) -> bool {
    let field = format!("f:{CLASS_OF_SERVICE}");
    service.managed_fields().iter().any(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        let annotations = fields.map(|fields| &fields["f:metadata"]["f:annotations"]);
        entry.manager.as_deref() == Some(keys::FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && annotations.is_some_and(|annotations| annotations.get(&field).is_some())
    })
}

/// Server-side apply of our annotation and nothing else. With the UID, a Knative Service that is gone
/// meanwhile is not made anew.
pub(super) async fn apply(
    found: &DynamicObject,
    annotations: serde_json::Value,
    force: bool,
    context: &Context,
) -> Result<(), Trouble> {
    let service = NamespacedName {
        namespace: found.namespace().unwrap_or_default(),
        name: found.name_any(),
    };
    let leading = context.runtime.leadership.ensure_leading();
    leading
        .map_err(|error| Trouble::from(Problem::retry(Reason::InternalError, error.to_string())))?;
    let body = json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": service.name, "uid": found.uid(), "annotations": annotations},
    });
    let mut params = PatchParams::apply(keys::FIELD_MANAGER);
    params.force = force;
    let api = api(&service.namespace, context);
    match api.patch(&service.name, &params, &Patch::Apply(body)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_conflict() => {
            Err(Trouble::from(Problem::blocked(
                Reason::ForeignField,
                format!(
                    "Knative Service {service}: {}. Remove the annotation {CLASS_OF_SERVICE} there, so that the binding may set it.",
                    status.message.trim_end_matches('.')
                ),
            )))
        }
        Err(error) => Err(failed(&service, &error)),
    }
}

fn failed(service: &NamespacedName, error: &kube::Error) -> Trouble {
    let refusal = refusal(error, "rbac.alb: true");
    let words = format!("Knative Service {service}: {}", refusal.message);
    Trouble::from(Problem::retry(refusal.reason, words))
}
