//! The companion of a Knative Ingress on Kourier, and the Service through which ALB reaches Kourier.

use std::collections::BTreeSet;
use std::sync::Arc;

use crds::keys;
use crds::v1alpha1::{AlbGateway, Reason};
use k8s_openapi::api::core::v1::{Endpoints, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::children::{failed, lead};
use super::facts::Namespace;
use super::instances::Obstacle;
use super::lighten::lighten;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::core::alb::hop::{
    Address, Companion, Doorway, GATEWAY, Hop, SERVICE_NAME, addresses, complaint, is_companion,
    name,
};
use crate::core::alb::kingress::KIngress;
use crate::core::alb::refusal::Refusal;
use crate::core::alb::translate::Source;

/// The way within the cluster that a Knative Ingress may take.
pub(super) fn way(ingress: &KIngress, gateway: &AlbGateway, context: &Context) -> Hop {
    let Some(namespace) = gateway.hop_namespace() else {
        return Hop::Unwanted;
    };
    // Whether it has addresses at the moment is another question: see `enter`.
    if slices(namespace, context).next().is_some() {
        Hop::Through(name(&ingress.name_any()))
    } else {
        Hop::NotThere(namespace.to_owned())
    }
}

/// Those of Kourier's gateway.
fn slices(namespace: &str, context: &Context) -> impl Iterator<Item = Arc<EndpointSlice>> {
    let slices = context.alb.slices.state().into_iter();
    slices.filter(move |slice| {
        slice.namespace().as_deref() == Some(namespace)
            && slice.labels().get(SERVICE_NAME).map(String::as_str) == Some(GATEWAY)
    })
}

/// A Knative Ingress, as far as the hop is concerned.
pub(super) struct Crossing<'a> {
    pub ingress: &'a KIngress,
    pub gateway: &'a AlbGateway,
    pub context: &'a Context,
}

impl Crossing<'_> {
    /// Sees to it that requests may be sent through the hop; what it does not serve yet is waited for.
    pub(super) async fn enter(
        &self,
        source: &Source,
        cluster: &Namespace<'_>,
    ) -> Result<(), Obstacle> {
        let companion = self.companion(source, cluster).await?;
        let namespace = self.gateway.hop_namespace().unwrap_or_default();
        let found: Vec<Arc<EndpointSlice>> = slices(namespace, self.context).collect();
        let addresses = addresses(found.iter().map(AsRef::as_ref));
        // None is not written: those of before may come back, and ALB asks them whether they live.
        if addresses.is_empty() {
            let words = format!(
                "Service {namespace}/{GATEWAY}, through which splits go, has no ready addresses. They are waited for."
            );
            return Err(Refusal::new(Reason::Pending, words).into());
        }
        self.doorway(&companion, addresses).await?;
        if companion.is_ready() {
            return Ok(());
        }
        let (name, class) = (companion.name_any(), self.gateway.hop_ingress_class());
        let said = complaint(&companion);
        let words = format!(
            "Knative Ingress \"{name}\" of class \"{class}\", through which splits go, is not Ready for what is asked of it now{said}. It is waited for. What was served before stays."
        );
        Err(Refusal::new(Reason::Pending, words).into())
    }

    /// Keeps the hop up to date for as long as ALB may send requests there.
    pub(super) async fn follow(
        &self,
        source: &Source,
        cluster: &Namespace<'_>,
    ) -> Result<(), Obstacle> {
        if ours(self.ingress, self.context).is_some() {
            self.companion(source, cluster).await?;
        }
        Ok(())
    }

    /// The companion as it is to be.
    async fn companion(
        &self,
        source: &Source,
        cluster: &Namespace<'_>,
    ) -> Result<Arc<KIngress>, Obstacle> {
        let class = self.gateway.hop_ingress_class();
        let wanted = Companion::of(self.ingress, class, source, cluster);
        let found = companion(self.ingress, self.context);
        if let Some(found) = &found {
            if !is_companion(found) {
                return Err(not_owned("Knative Ingress", &found.name_any()));
            }
            if found.metadata.deletion_timestamp.is_some() || !wanted.is_ours(found) {
                let words = format!(
                    "Knative Ingress \"{}\", through which splits went before, is being deleted. That is waited for.",
                    found.name_any()
                );
                return Err(Refusal::new(Reason::Pending, words).into());
            }
            if wanted.is_met_by(found) {
                return Ok(found.clone());
            }
        }
        let mut written = self
            .apply("KnativeIngress", wanted.body(), found.is_some())
            .await?;
        lighten(&mut written);
        Ok(self.context.alb.reported.wrote(written))
    }

    async fn doorway(
        &self,
        companion: &KIngress,
        addresses: BTreeSet<Address>,
    ) -> Result<(), Obstacle> {
        let wanted = Doorway::of(self.ingress, companion, addresses);
        let place =
            ObjectRef::<Service>::new(&companion.name_any()).within(&namespace_of(companion));
        let found = self.context.stores.services.get(&place);
        match &found {
            Some(found) if Doorway::is_foreign(found.as_ref()) => {
                return Err(not_owned("Service", &found.name_any()));
            }
            Some(found) if wanted.service_is_met_by(found) => {}
            found => {
                self.apply::<Service>("Service", wanted.service(), found.is_some())
                    .await?;
            }
        }
        let place =
            ObjectRef::<Endpoints>::new(&companion.name_any()).within(&namespace_of(companion));
        let found = self.context.alb.endpoints.get(&place);
        if !found
            .as_ref()
            .is_some_and(|found| wanted.endpoints_are_met_by(found))
        {
            self.apply::<Endpoints>("Endpoints", wanted.endpoints(), found.is_some())
                .await?;
        }
        Ok(())
    }

    /// Writes something beside the Knative Ingress. Of what is ours, all is put back; of what appears in
    /// its place, nothing is taken.
    async fn apply<K>(&self, kind: &'static str, body: Value, is_there: bool) -> Result<K, Obstacle>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        lead(self.context)?;
        let namespace = self.ingress.namespace().unwrap_or_default();
        let name = name(&self.ingress.name_any());
        let api: Api<K> = Api::namespaced(self.context.runtime.client.clone(), &namespace);
        let mut params = PatchParams::apply(keys::FIELD_MANAGER);
        params.force = is_there;
        match api.patch(&name, &params, &Patch::Apply(body)).await {
            Ok(written) => {
                let deed = if is_there { "Update" } else { "Create" };
                self.context.runtime.metrics.plan_step(deed, kind);
                Ok(written)
            }
            Err(kube::Error::Api(status)) if status.is_conflict() => Err(Obstacle::Again),
            Err(error) => Err(failed(&format!("{kind} {namespace}/{name}"), &error).into()),
        }
    }
}

fn namespace_of(object: &KIngress) -> String {
    object.namespace().unwrap_or_default()
}

fn not_owned(kind: &str, name: &str) -> Obstacle {
    let words = format!("There is an existing {kind} \"{name}\" that we do not own.");
    Refusal::new(Reason::NotOwned, words).into()
}

/// What is there under the name of the companion of a Knative Ingress.
pub(super) fn companion(ingress: &KIngress, context: &Context) -> Option<Arc<KIngress>> {
    let namespace = ingress.namespace().unwrap_or_default();
    let name = name(&ingress.name_any());
    let state = &context.alb;
    match state
        .kingresses
        .get(&ObjectRef::new(&name).within(&namespace))
    {
        Some(stored) => Some(state.reported.newest(stored)),
        None => state.reported.written(&namespace, &name),
    }
}

/// The companion of a Knative Ingress, unless it is on its way out.
fn ours(ingress: &KIngress, context: &Context) -> Option<Arc<KIngress>> {
    let found = companion(ingress, context)?;
    let mut owners = found.owner_references().iter();
    let is_ours =
        is_companion(&found) && owners.any(|owner| Some(&owner.uid) == ingress.uid().as_ref());
    (is_ours && found.metadata.deletion_timestamp.is_none()).then_some(found)
}

/// Removes the companion of a Knative Ingress, if it has one; the Service goes with it.
pub(super) async fn leave(ingress: &KIngress, context: &Context) -> Result<(), Trouble> {
    let Some(found) = ours(ingress, context) else {
        return Ok(());
    };
    lead(context)?;
    let namespace = found.namespace().unwrap_or_default();
    let name = found.name_any();
    let api: Api<KIngress> = Api::namespaced(context.runtime.client.clone(), &namespace);
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: found.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match api.delete(&name, &params).await {
        Ok(_) => context
            .runtime
            .metrics
            .plan_step("Delete", "KnativeIngress"),
        // It is gone, or another one is there.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
        Err(error) => {
            let what = format!("Knative Ingress {namespace}/{name}");
            return Err(failed(&what, &error));
        }
    }
    if let Some(uid) = found.uid() {
        context.alb.reported.forget(&uid);
    }
    Ok(())
}
