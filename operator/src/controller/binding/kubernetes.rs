//! Steps on the gateway's Service.

use std::collections::BTreeMap;

use crds::keys;
use crds::v1alpha1::Reason;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::{Value, json};

use super::execute::Executor;
use crate::controller::cloud::{Trouble, refusal};
use crate::core::desired::ServiceShape;
use crate::core::plan::Operation;
use crate::core::problem::Problem;

/// How often a Service is to be deleted that changes each time.
const TRIES: usize = 5;

/// Executes one step on a Service.
pub(super) async fn execute(
    executor: &Executor<'_>,
    (namespace, name): (&str, &str),
    operation: &Operation,
) -> Result<(), Trouble> {
    let api: Api<Service> = Api::namespaced(executor.context.runtime.client.clone(), namespace);
    let place = (namespace, name);
    let written = match operation {
        Operation::CreateService { shape, annotations } => {
            Some(create(executor, &api, place, shape, annotations).await?)
        }
        Operation::ApplyService {
            shape,
            annotations,
            takeover,
        } => {
            let mut body = body(name, annotations);
            if let Some(shape) = shape {
                adorn(&mut body, executor);
                body["spec"] = spec(shape);
            }
            Some(apply(&api, place, body, *takeover).await?)
        }
        Operation::ReleaseService { annotations } => {
            Some(apply(&api, place, body(name, annotations), false).await?)
        }
        Operation::DeleteService { uid } => {
            delete(&api, place, uid).await?;
            None
        }
        _ => None,
    };
    if let Some(service) = written {
        executor.context.handled.wrote(&service);
        executor.context.services.wrote(service);
    }
    Ok(())
}

fn body(name: &str, annotations: &BTreeMap<String, String>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": annotations},
    })
}

/// What marks a Service as made by this operator.
fn adorn(body: &mut Value, executor: &Executor<'_>) {
    let metadata = &mut body["metadata"];
    metadata["labels"] = json!({
        keys::MANAGED_BY: keys::FIELD_MANAGER,
        keys::CLASS: executor.class,
    });
    metadata["annotations"][keys::OWNED_BY_CLUSTER] = json!(executor.shared_owner.cluster);
    metadata["annotations"][keys::CREATED_FOR] = json!(executor.shared_owner.owner);
}

fn spec(shape: &ServiceShape) -> Value {
    let ports: Vec<&ServicePort> = shape.ports.iter().collect();
    let mut spec = json!({
        "type": "LoadBalancer",
        "selector": shape.selector,
        "ports": ports,
        "externalTrafficPolicy": shape.external_traffic_policy,
        "sessionAffinity": shape.session_affinity,
    });
    if let Some(class) = &shape.load_balancer_class {
        spec["loadBalancerClass"] = json!(class);
    }
    spec
}

/// Creates a Service and nothing else: one that appeared meanwhile is not touched.
async fn create(
    executor: &Executor<'_>,
    api: &Api<Service>,
    (namespace, name): (&str, &str),
    shape: &ServiceShape,
    annotations: &BTreeMap<String, String>,
) -> Result<Service, Trouble> {
    let mut body = body(name, annotations);
    adorn(&mut body, executor);
    body["spec"] = spec(shape);
    let wanted: Service = serde_json::from_value(body).map_err(|error| {
        Trouble::from(Problem::retry(
            Reason::InternalError,
            format!("Service {namespace}/{name}: {error}"),
        ))
    })?;
    let params = PostParams {
        field_manager: Some(keys::FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    match api.create(&params, &wanted).await {
        Ok(service) => Ok(service),
        // Looked at again by the next pass, and judged as it then is.
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            Err(Trouble::from(Problem::retry(
                Reason::Pending,
                format!("Service {namespace}/{name} has appeared meanwhile."),
            )))
        }
        Err(error) => Err(failed((namespace, name), &error)),
    }
}

/// Server-side apply of what is ours.
async fn apply(
    api: &Api<Service>,
    (namespace, name): (&str, &str),
    body: Value,
    takeover: bool,
) -> Result<Service, Trouble> {
    let mut params = PatchParams::apply(keys::FIELD_MANAGER);
    params.force = takeover;
    match api.patch(name, &params, &Patch::Apply(body)).await {
        Ok(service) => Ok(service),
        Err(kube::Error::Api(status)) if status.is_conflict() => {
            Err(Trouble::from(Problem::blocked(
                Reason::ForeignField,
                format!(
                    "Service {namespace}/{name}: {}. Remove the annotation there, or let the class take it over with foreignFields: Takeover of the gateway's service.",
                    status.message.trim_end_matches('.')
                ),
            )))
        }
        Err(error) => Err(failed((namespace, name), &error)),
    }
}

/// Deletes a Service as it is now. The cloud controller manager gives a new one its finalizer at any moment,
/// and the API server, if it is asked for no version, may take away one whose finalizer came meanwhile:
/// nobody would delete its load balancer.
async fn delete(
    api: &Api<Service>,
    (namespace, name): (&str, &str),
    uid: &str,
) -> Result<(), Trouble> {
    let place = (namespace, name);
    let mut tries = 0;
    loop {
        let Some(version) = version(api, place, uid).await? else {
            return Ok(());
        };
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: Some(version),
            }),
            ..DeleteParams::default()
        };
        tries += 1;
        match api.delete(name, &params).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_conflict() && tries < TRIES => {}
            Err(error) => return Err(failed(place, &error)),
        }
    }
}

/// The version of a Service, unless it is gone or on its way. By a list, since that is what the operator may do
/// in any case.
async fn version(
    api: &Api<Service>,
    (namespace, name): (&str, &str),
    uid: &str,
) -> Result<Option<String>, Trouble> {
    let only = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = api.list_metadata(&only).await;
    let found = found.map_err(|error| failed((namespace, name), &error))?;
    let metadata = found.items.into_iter().map(|found| found.metadata);
    let mut there = metadata
        .filter(|found| found.uid.as_deref() == Some(uid) && found.deletion_timestamp.is_none());
    Ok(there.next().and_then(|found| found.resource_version))
}

fn failed((namespace, name): (&str, &str), error: &kube::Error) -> Trouble {
    let refusal = refusal(error, "the namespace to rbac.gatewayNamespaces");
    let problem = format!("Service {namespace}/{name}: {}", refusal.message);
    Trouble::from(Problem::retry(refusal.reason, problem))
}
