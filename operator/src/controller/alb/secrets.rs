//! Certificates. The ALB Ingress controller reads Secrets in the namespace of the Ingress only, so one
//! of another namespace is copied; the copy goes with the Knative Ingress.

use crds::keys;
use crds::v1alpha1::Reason;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::children::{failed_for, lead};
use super::instances::Obstacle;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::core::alb::kingress::{KIngress, Tls};
use crate::core::alb::refusal::Refusal;
use crate::core::names::short_hash;

/// Names of the Secrets of certificates in the namespace of a Knative Ingress.
pub(super) async fn ensure(
    ingress: &KIngress,
    tls: &[Tls],
    context: &Context,
) -> Result<Vec<String>, Obstacle> {
    let namespace = ingress.namespace().unwrap_or_default();
    let mut names = Vec::new();
    for entry in tls {
        if entry.secret_namespace == namespace {
            names.push(entry.secret_name.clone());
        } else {
            names.push(copy(ingress, &namespace, entry, context).await?);
        }
    }
    Ok(names)
}

async fn copy(
    ingress: &KIngress,
    namespace: &str,
    tls: &Tls,
    context: &Context,
) -> Result<String, Obstacle> {
    let (from, of) = (&tls.secret_namespace, &tls.secret_name);
    let client = &context.runtime.client;
    let theirs: Api<Secret> = Api::namespaced(client.clone(), from);
    let source = theirs.get_opt(of).await;
    let source = source.map_err(|error| failed(&format!("Secret {from}/{of}"), &error))?;
    let Some(source) = source else {
        return Err(Obstacle::Refused(Refusal::new(
            Reason::SecretNotFound,
            format!("spec.tls: there is no Secret {from}/{of}. It is waited for."),
        )));
    };
    let hash = short_hash(&format!("{}/{from}/{of}", ingress.name_any()));
    let name = format!("{}-{hash}", of.get(..200).unwrap_or(of));
    let ours: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let what = format!("Secret {namespace}/{name}");
    let found = ours.get_opt(&name).await;
    let found = found.map_err(|error| failed(&what, &error))?;
    let is_met = found
        .as_ref()
        .is_some_and(|found| found.data == source.data && is_for(found, ingress));
    if is_met {
        return Ok(name);
    }
    if found.is_some_and(|found| !is_for(&found, ingress)) {
        return Err(Obstacle::Refused(Refusal::new(
            Reason::NotOwned,
            format!("There is an existing Secret \"{name}\" that we do not own."),
        )));
    }
    lead(context)?;
    let body = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "labels": {keys::MANAGED_BY: keys::FIELD_MANAGER},
            "ownerReferences": [{
                "apiVersion": "networking.internal.knative.dev/v1alpha1",
                "kind": "Ingress",
                "name": ingress.name_any(),
                "uid": ingress.uid(),
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "type": source.type_,
        "data": source.data,
    });
    let params = PatchParams::apply(keys::FIELD_MANAGER).force();
    let written = ours.patch(&name, &params, &Patch::Apply(body)).await;
    written.map_err(|error| failed(&what, &error))?;
    context.runtime.metrics.plan_step("Update", "Secret");
    Ok(name)
}

fn is_for(secret: &Secret, ingress: &KIngress) -> bool {
    let mut owners = secret.owner_references().iter();
    owners.any(|owner| Some(&owner.uid) == ingress.metadata.uid.as_ref())
}

fn failed(what: &str, error: &kube::Error) -> Trouble {
    failed_for(what, error, "its namespace to rbac.secretNamespaces")
}
