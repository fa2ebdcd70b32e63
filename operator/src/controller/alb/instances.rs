//! The AlbConfigs and IngressClasses that Ingresses need.

use std::collections::HashMap;
use std::time::Instant;

use crds::keys;
use crds::v1alpha1::AlbGateway;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::children::{failed, lead};
use super::serving::bindings;
use super::vswitches;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::core::alb::binding::{Say, say};
use crate::core::alb::instance::{alb_config, class, has_all};
use crate::core::alb::refusal::Refusal;
use crate::core::alb::seats::ingress_class;
use crate::core::alb::translate::Placement;
use crate::core::alb::vswitches::{Vswitches, vswitches as named};
use crate::core::names::digest;

/// What keeps a Knative Ingress from being served.
pub(super) enum Obstacle {
    /// It cannot be served as it is.
    Refused(Refusal),
    /// The cluster did not answer as it should.
    Failed(Trouble),
    /// Something has changed meanwhile.
    Again,
}

impl From<Refusal> for Obstacle {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Trouble> for Obstacle {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(trouble)
    }
}

fn kind(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// Sees to it that an AlbConfig and its IngressClass are there, with the fields that are ours. What
/// somebody else made under those names is used as it is.
pub(super) async fn ensure(
    gateway: &AlbGateway,
    placement: Placement,
    instance: &str,
    context: &Context,
) -> Result<(), Obstacle> {
    let enter = bindings(gateway.ingress_class(), context);
    let network = context.alb.network();
    let heard = enter.iter().filter(|binding| say(binding) == Say::Heard);
    let vswitches = named(gateway, heard.map(AsRef::as_ref), &network);
    let wanted = alb_config(gateway, placement, instance, &vswitches.mappings);
    let digest = digest(&wanted.as_ref().map_err(|refusal| &refusal.message));
    let now = Instant::now();
    let is_fresh = |ensured: &HashMap<String, (String, Instant)>| {
        ensured.get(instance).is_some_and(|(known, at)| {
            *known == digest && now.duration_since(*at) < context.runtime.args.drift_interval
        })
    };
    if is_fresh(&*context.alb.ensured.lock().await) {
        return Ok(());
    }
    let configs = kind("alibabacloud.com", "v1", "AlbConfig", "albconfigs");
    // The cloud may take its time: nobody whose AlbConfig is there waits for that.
    if let Ok(wanted) = &wanted {
        check(&configs, instance, wanted, gateway, &vswitches, context).await?;
    }
    let mut ensured = context.alb.ensured.lock().await;
    if is_fresh(&ensured) {
        return Ok(());
    }
    settle(&configs, instance, wanted, context).await?;
    let classes = kind("networking.k8s.io", "v1", "IngressClass", "ingressclasses");
    settle(
        &classes,
        &ingress_class(instance),
        Ok(class(instance)),
        context,
    )
    .await?;
    ensured.insert(instance.to_owned(), (digest, now));
    Ok(())
}

/// Whether an AlbConfig may be made as it is wanted. One that is there stays as it is, and a load
/// balancer that is there has its vswitches.
async fn check(
    kind: &ApiResource,
    instance: &str,
    wanted: &Value,
    gateway: &AlbGateway,
    vswitches: &Vswitches,
    context: &Context,
) -> Result<(), Obstacle> {
    if wanted["spec"]["config"]["id"].is_string() {
        return Ok(());
    }
    let api: Api<DynamicObject> = Api::all_with(context.runtime.client.clone(), kind);
    let found = api.get_metadata_opt(instance).await;
    let found = found.map_err(|error| failed(&format!("AlbConfig {instance}"), &error))?;
    if found.is_none() {
        vswitches::check(gateway, instance, vswitches, context).await?;
    }
    Ok(())
}

async fn settle(
    kind: &ApiResource,
    name: &str,
    wanted: Result<Value, Refusal>,
    context: &Context,
) -> Result<(), Obstacle> {
    let what = format!("{} {name}", kind.kind);
    let api: Api<DynamicObject> = Api::all_with(context.runtime.client.clone(), kind);
    let found = api.get_opt(name).await;
    let found = found.map_err(|error| failed(&what, &error))?;
    let wanted = match (&found, wanted) {
        (Some(found), _) if !is_ours(found) => return Ok(()),
        // It is there: what nobody says any more stays as it was.
        (Some(_), Err(_)) => return Ok(()),
        (None, Err(refusal)) => return Err(Obstacle::Refused(refusal)),
        (_, Ok(wanted)) => wanted,
    };
    let is_met = found
        .as_ref()
        .is_some_and(|found| has_all(&found.data["spec"], &wanted["spec"]));
    if is_met {
        return Ok(());
    }
    lead(context)?;
    let params = PatchParams::apply(keys::FIELD_MANAGER).force();
    let written = api.patch(name, &params, &Patch::Apply(&wanted)).await;
    written.map_err(|error| failed(&what, &error))?;
    let action = if found.is_some() { "Update" } else { "Create" };
    let kind = if kind.kind == "AlbConfig" {
        "AlbConfig"
    } else {
        "IngressClass"
    };
    context.runtime.metrics.plan_step(action, kind);
    Ok(())
}

fn is_ours(found: &DynamicObject) -> bool {
    found.labels().get(keys::MANAGED_BY).map(String::as_str) == Some(keys::FIELD_MANAGER)
}
