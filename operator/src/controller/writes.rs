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
use super::stores::lighten;
use crate::core::problem::Problem;
use crate::core::unreadable::{self, Readable, StandIn};

/// Times that finalizers are written to an object that others write at the same moment.
const TRIES: u32 = 4;

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
        .map(light)
        .map_err(|error| failed("status", object, &kube_message(&error)))
}

/// What a write returned, as a store would keep it.
fn light<K: ResourceExt>(written: Readable<K>) -> K {
    let mut written = written.into_inner();
    lighten(&mut written);
    written
}

/// Whether our finalizer is on an object.
pub fn is_held(object: &impl ResourceExt) -> bool {
    let mut finalizers = object.finalizers().iter();
    finalizers.any(|finalizer| finalizer == keys::FINALIZER)
}

/// Puts our finalizer on an object; none: it is gone.
pub async fn hold<K>(
    api: &Api<Readable<K>>,
    object: &K,
    context: &Context,
) -> Result<Option<K>, Trouble>
where
    K: StandIn + Clone + Debug,
{
    let with_ours = |mut finalizers: Vec<String>| {
        if !finalizers.iter().any(|one| one == keys::FINALIZER) {
            finalizers.push(keys::FINALIZER.to_owned());
        }
        finalizers
    };
    finalizers_of(api, object, with_ours, context).await
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
    let without_ours = |mut finalizers: Vec<String>| {
        finalizers.retain(|one| one != keys::FINALIZER);
        finalizers
    };
    finalizers_of(api, object, without_ours, context).await
}

/// The resource version makes a write fail rather than undo what somebody else wrote meanwhile;
/// then it is made again to what the object is now.
async fn finalizers_of<K>(
    api: &Api<Readable<K>>,
    object: &K,
    change: impl Fn(Vec<String>) -> Vec<String>,
    context: &Context,
) -> Result<Option<K>, Trouble>
where
    K: StandIn + Clone + Debug,
{
    let name = object.name_any();
    let mut newest = object.clone();
    let mut tries = 0;
    loop {
        lead("finalizer", object, context)?;
        let patch = Patch::Merge(json!({
            "metadata": {
                "finalizers": change(newest.finalizers().to_vec()),
                "resourceVersion": newest.resource_version(),
            },
        }));
        tries += 1;
        let trouble = |error: kube::Error| failed("finalizer", object, &kube_message(&error));
        match api.patch(&name, &PatchParams::default(), &patch).await {
            Ok(written) => return Ok(Some(light(written))),
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(None),
            Err(kube::Error::Api(status)) if status.is_conflict() && tries < TRIES => {
                let found = api.get_opt(&name).await.map_err(trouble)?;
                match found.map(Readable::into_inner) {
                    Some(found) if found.uid() == object.uid() => newest = found,
                    _ => return Ok(None),
                }
            }
            Err(error) => return Err(trouble(error)),
        }
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
