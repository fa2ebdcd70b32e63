//! The Ingresses that are made for a Knative Ingress.

use std::sync::Arc;
use std::time::Instant;

use crds::keys;
use crds::v1alpha1::Reason;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};

use super::instances::Obstacle;
use super::lighten::lighten_ingress;
use crate::controller::cloud::{Trouble, refusal};
use crate::controller::context::Context;
use crate::core::alb::kingress::KIngress;
use crate::core::alb::render::Wanted;
use crate::core::alb::translate::Placement;
use crate::core::names::short_hash;
use crate::core::problem::Problem;

/// Both placements.
pub(super) const PLACEMENTS: [Placement; 2] = [Placement::Internet, Placement::Intranet];

/// Name of the Ingress for a placement: as in the article, the public one has the Knative Ingress' own.
pub(super) fn name(ingress: &KIngress, placement: Placement) -> String {
    let name = ingress.name_any();
    match placement {
        Placement::Internet => name,
        Placement::Intranet => {
            let hash = short_hash(&format!("{name}/intranet"));
            let room = 253 - "-intranet-".len() - hash.len();
            format!("{}-intranet-{hash}", name.get(..room).unwrap_or(&name))
        }
    }
}

/// What is there under a name that we want.
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// What we made for this Knative Ingress.
    Ours(Arc<Ingress>),
    /// What we made for one of the same name that is gone; it will go too.
    Leftover,
    /// What another controller made for this Knative Ingress.
    OfAnotherLayer,
    /// Something else.
    Foreign(String),
}

/// Looks for the Ingress for a placement.
pub(super) fn find(ingress: &KIngress, placement: Placement, context: &Context) -> Found {
    let namespace = ingress.namespace().unwrap_or_default();
    let name = name(ingress, placement);
    let Some(found) = context.alb.ingress(&namespace, &name) else {
        return Found::Nothing;
    };
    let controller = found
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true));
    let for_this =
        controller.is_some_and(|owner| Some(&owner.uid) == ingress.metadata.uid.as_ref());
    match (for_this, is_made_by_us(&found)) {
        (true, true) => Found::Ours(found),
        (false, true) => Found::Leftover,
        (true, false) => Found::OfAnotherLayer,
        (false, false) => Found::Foreign(name),
    }
}

/// Whether an Ingress has our mark.
pub(super) fn is_made_by_us(ingress: &Ingress) -> bool {
    ingress.labels().get(keys::MANAGED_BY).map(String::as_str) == Some(keys::FIELD_MANAGER)
}

/// Writes an Ingress; `dealt_with` only notes that its controller says it is served. One that changed meanwhile, or appeared, is not touched: it is looked at again.
pub(super) async fn apply(
    wanted: &Wanted,
    found: Option<&Ingress>,
    dealt_with: bool,
    context: &Context,
) -> Result<Arc<Ingress>, Obstacle> {
    let (namespace, name) = (&wanted.identity.namespace, &wanted.identity.name);
    lead(context)?;
    let api: Api<Ingress> = Api::namespaced(context.runtime.client.clone(), namespace);
    let mut params = PatchParams::apply(keys::FIELD_MANAGER);
    // Of what is ours, all is put back; of what appears in its place, nothing is taken.
    params.force = found.is_some();
    let body = Patch::Apply(wanted.body(found, dealt_with));
    match api.patch(name, &params, &body).await {
        Ok(mut written) => {
            lighten_ingress(&mut written);
            context
                .runtime
                .metrics
                .plan_step(if found.is_some() { "Update" } else { "Create" }, "Ingress");
            let place = (namespace.clone(), name.clone());
            context.alb.pace().wrote(place, Instant::now());
            Ok(context.alb.written.wrote(written))
        }
        Err(kube::Error::Api(status)) if status.is_conflict() => Err(Obstacle::Again),
        Err(error) => Err(failed(&format!("Ingress {namespace}/{name}"), &error).into()),
    }
}

/// Deletes an Ingress of ours.
pub(super) async fn delete(found: &Ingress, context: &Context) -> Result<(), Trouble> {
    lead(context)?;
    let namespace = found.namespace().unwrap_or_default();
    let name = found.name_any();
    let api: Api<Ingress> = Api::namespaced(context.runtime.client.clone(), &namespace);
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: found.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match api.delete(&name, &params).await {
        Ok(_) => context.runtime.metrics.plan_step("Delete", "Ingress"),
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        Err(error) => return Err(failed(&format!("Ingress {namespace}/{name}"), &error)),
    }
    if let Some(uid) = found.uid() {
        context.alb.written.forget(&uid);
    }
    Ok(())
}

/// The newest word of the ALB Ingress controller about an Ingress that waits, if it is a complaint
/// about what we wrote last.
pub(super) fn complaint(found: &Ingress, context: &Context) -> Option<String> {
    let ours = found.managed_fields().iter();
    let ours = ours.filter(|entry| entry.manager.as_deref() == Some(keys::FIELD_MANAGER));
    let written = ours.filter_map(|entry| Some(entry.time.as_ref()?.0)).max();
    context
        .alb
        .complaints
        .since(found.metadata.uid.as_deref()?, written)
}

/// Only the replica that leads writes.
pub(super) fn lead(context: &Context) -> Result<(), Trouble> {
    let leading = context.runtime.leadership.ensure_leading();
    leading.map_err(|error| Trouble::from(Problem::retry(Reason::InternalError, error.to_string())))
}

/// What an error of the API server means.
pub(super) fn failed(what: &str, error: &kube::Error) -> Trouble {
    failed_for(what, error, "rbac.alb: true")
}

/// The same where another value of the chart gives the right.
pub(super) fn failed_for(what: &str, error: &kube::Error, chart: &str) -> Trouble {
    let refusal = refusal(error, chart);
    let message = format!("{what}: {}", refusal.message);
    Trouble::from(Problem::retry(refusal.reason, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_two_placements_never_meet() {
        let ingress = |name: &str| {
            let mut ingress = KIngress::default();
            ingress.metadata.name = Some(name.to_owned());
            ingress
        };
        let hello = name(&ingress("hello"), Placement::Intranet);
        assert_eq!(name(&ingress("hello"), Placement::Internet), "hello");
        assert!(hello.starts_with("hello-intranet-"));
        assert_ne!(name(&ingress(&hello), Placement::Intranet), hello);
        let long = "a".repeat(253);
        assert_eq!(name(&ingress(&long), Placement::Intranet).len(), 253);
    }
}
