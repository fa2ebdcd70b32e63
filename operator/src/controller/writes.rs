//! The writes that every kind of ours has in common: its status and its finalizers. Only the
//! replica that leads makes them.

use std::fmt::Debug;

use crds::keys;
use crds::v1alpha1::Reason;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde_json::json;

use super::cloud::{Trouble, kube_message};
use super::context::Context;
use crate::core::problem::Problem;
use crate::core::unreadable::{self, Readable, StandIn};

/// Server-side apply of the whole status.
pub async fn status<K, S>(
    api: &Api<Readable<K>>,
    object: &K,
    status: &S,
    context: &Context,
) -> Result<K, Trouble>
where
    K: StandIn + Clone + Debug,
    S: Serialize,
{
    lead("status", object, context)?;
    if unreadable::has_unreadable_status(object) {
        let why = "it cannot be read, so it is not overwritten";
        return Err(failed("status", object, why));
    }
    let name = object.name_any();
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        // With the UID, an object of the same name that came later is not written to.
        "metadata": {"name": name, "uid": object.uid()},
        "status": status,
    });
    let params = PatchParams::apply(keys::FIELD_MANAGER).force();
    let written = api.patch_status(&name, &params, &Patch::Apply(body)).await;
    written
        .map(Readable::into_inner)
        .map_err(|error| failed("status", object, &kube_message(&error)))
}

/// Whether our finalizer is on an object.
pub fn is_held(object: &impl ResourceExt) -> bool {
    let mut finalizers = object.finalizers().iter();
    finalizers.any(|finalizer| finalizer == keys::FINALIZER)
}

/// Puts our finalizer on an object.
pub async fn hold<K>(
    api: &Api<Readable<K>>,
    object: &K,
    context: &Context,
) -> Result<Option<K>, Trouble>
where
    K: StandIn + Clone + Debug,
{
    let ours = keys::FINALIZER.to_owned();
    let finalizers: Vec<&String> = object.finalizers().iter().chain([&ours]).collect();
    finalizers_of(api, object, &finalizers, context).await
}

/// Takes our finalizer off an object; none: it is gone.
pub async fn let_go<K>(
    api: &Api<Readable<K>>,
    object: &K,
    context: &Context,
) -> Result<Option<K>, Trouble>
where
    K: StandIn + Clone + Debug,
{
    let others = object.finalizers().iter();
    let finalizers: Vec<&String> = others
        .filter(|finalizer| *finalizer != keys::FINALIZER)
        .collect();
    finalizers_of(api, object, &finalizers, context).await
}

/// The resource version makes this fail rather than undo what somebody else wrote meanwhile.
async fn finalizers_of<K>(
    api: &Api<Readable<K>>,
    object: &K,
    finalizers: &[&String],
    context: &Context,
) -> Result<Option<K>, Trouble>
where
    K: StandIn + Clone + Debug,
{
    lead("finalizer", object, context)?;
    let patch = Patch::Merge(json!({
        "metadata": {"finalizers": finalizers, "resourceVersion": object.resource_version()},
    }));
    let params = PatchParams::default();
    match api.patch(&object.name_any(), &params, &patch).await {
        Ok(written) => Ok(Some(written.into_inner())),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(error) => Err(failed("finalizer", object, &kube_message(&error))),
    }
}

fn lead<K>(what: &str, object: &K, context: &Context) -> Result<(), Trouble>
where
    K: Resource<DynamicType = ()>,
{
    let leading = context.runtime.leadership.ensure_leading();
    leading.map_err(|error| failed(what, object, &error.to_string()))
}

fn failed<K: Resource<DynamicType = ()>>(what: &str, object: &K, why: &str) -> Trouble {
    let namespace = object.namespace().map(|namespace| namespace + "/");
    Trouble::from(Problem::retry(
        Reason::InternalError,
        format!(
            "{what} of {} {}{}: {why}",
            K::kind(&()),
            namespace.unwrap_or_default(),
            object.name_any()
        ),
    ))
}
