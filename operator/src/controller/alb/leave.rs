//! When a Knative Ingress is not served any more: what was made for it goes, and its places are kept.

use crds::v1alpha1::Reason;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::children::{self, Found, PLACEMENTS, failed, lead};
use super::instances::Obstacle;
use super::lighten::lighten;
use super::pass::api;
use super::state::name_of;
use super::{hop, places};
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::core::alb::kingress::{FINALIZER, KIngress, PLACES};
use crate::core::alb::render::address;
use crate::core::problem::Problem;

/// Holds a Knative Ingress, so that its places are kept before what was made for it goes.
pub(super) async fn hold(ingress: &KIngress, context: &Context) -> Result<(), Obstacle> {
    if ingress.finalizers().iter().any(|held| held == PLACES) {
        return Ok(());
    }
    let held = ingress.finalizers().iter().cloned();
    let finalizers = held.chain([PLACES.to_owned()]).collect();
    match write_finalizers(ingress, finalizers, context).await? {
        Outcome::Written => Ok(()),
        Outcome::Gone | Outcome::Changed => Err(Obstacle::Again),
    }
}

/// Another layer serves it, or is to. What we made stays until that one has an address of its own.
pub(super) async fn hand_over(ingress: &KIngress, context: &Context) -> Result<Ended, Trouble> {
    take_off(&[PLACES], ingress, context).await?;
    let mut waits = false;
    for placement in PLACEMENTS {
        let Found::Ours(found) = children::find(ingress, placement, context) else {
            continue;
        };
        if found.metadata.deletion_timestamp.is_some() {
            continue;
        }
        if is_taken_over(ingress, &found) {
            places::leave(&found, context).await?;
        } else {
            waits = true;
        }
    }
    // Kourier does not serve a host for two Knative Ingresses.
    let companion = hop::companion(ingress, context);
    let in_its_way = companion.is_some_and(|companion| companion.class() == ingress.class());
    if !waits || in_its_way {
        hop::leave(ingress, context).await?;
    }
    context.alb.trouble(ingress, false);
    Ok(if waits { Ended::Waiting } else { Ended::Done })
}

/// Whether the addresses in status are no longer ours.
fn is_taken_over(ingress: &KIngress, child: &Ingress) -> bool {
    let Some(address) = address(child) else {
        return true;
    };
    let lists = ["publicLoadBalancer", "privateLoadBalancer"];
    let mut lists = lists.iter().map(|list| &ingress.status[list]["ingress"]);
    lists.all(|list| {
        let entries = list.as_array().into_iter().flatten();
        entries.clone().count() > 0 && entries.into_iter().all(|entry| entry["domain"] != address)
    })
}

/// What was made goes, and at last what holds the Knative Ingress. A finalizer that another layer left
/// would keep it for ever, since only the layer of the class takes it off.
pub(super) async fn let_go(ingress: &KIngress, context: &Context) -> Result<(), Trouble> {
    for placement in PLACEMENTS {
        let name = children::name(ingress, placement);
        let namespace = ingress.namespace().unwrap_or_default();
        match children::find(ingress, placement, context) {
            Found::Ours(found) if found.metadata.deletion_timestamp.is_none() => {
                places::leave(&found, context).await?;
            }
            Found::Nothing => context.alb.gone(&(namespace, name)),
            _ => {}
        }
    }
    context.alb.trouble(ingress, false);
    take_off(&[PLACES, FINALIZER], ingress, context).await
}

async fn take_off(names: &[&str], ingress: &KIngress, context: &Context) -> Result<(), Trouble> {
    let finalizers = ingress.finalizers().iter();
    let others = finalizers.filter(|finalizer| !names.contains(&finalizer.as_str()));
    let others: Vec<String> = others.cloned().collect();
    if others.len() == ingress.finalizers().len() {
        return Ok(());
    }
    match write_finalizers(ingress, others, context).await? {
        Outcome::Written | Outcome::Gone => Ok(()),
        Outcome::Changed => {
            let words = format!(
                "Knative Ingress {} has changed meanwhile.",
                ingress.name_any()
            );
            Err(Problem::retry(Reason::InternalError, words).into())
        }
    }
}

enum Outcome {
    Written,
    Gone,
    Changed,
}

async fn write_finalizers(
    ingress: &KIngress,
    finalizers: Vec<String>,
    context: &Context,
) -> Result<Outcome, Trouble> {
    lead(context)?;
    let (_, name) = name_of(ingress);
    let patch = Patch::Merge(json!({"metadata": {
        "uid": ingress.uid(),
        "finalizers": finalizers,
        "resourceVersion": ingress.resource_version(),
    }}));
    let patched = api(ingress, context)
        .patch(&name, &PatchParams::default(), &patch)
        .await;
    match patched {
        Ok(mut written) => {
            lighten(&mut written);
            if written.metadata.deletion_timestamp.is_none() {
                context.alb.reported.wrote(written);
            }
            Ok(Outcome::Written)
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Outcome::Gone),
        Err(kube::Error::Api(status)) if status.is_conflict() => Ok(Outcome::Changed),
        Err(error) => Err(failed(
            &format!("finalizers of Knative Ingress {name}"),
            &error,
        )),
    }
}
