//! Which gateway serves a Knative Ingress, and which binding has a say in it.

use std::sync::Arc;

use crds::v1alpha1::{AlbGateway, GatewayBinding, GatewayBindingClass, ServiceKind};
use kube::ResourceExt;

use super::users::ingress_classes;
use crate::controller::context::Context;
use crate::controller::writes::is_held;
use crate::core::alb::binding::{Say, alb_of, counts, heard, say, validate};
use crate::core::alb::hop::is_companion;
use crate::core::alb::kingress::KIngress;
use crate::core::class;

/// The ALB gateways of this shard's classes, those of the oldest class first.
pub(super) fn gateways(context: &Context) -> Vec<AlbGateway> {
    let classes = classes(context);
    let gateways = classes.iter().flat_map(|class| albs(class));
    gateways.cloned().collect()
}

/// The ALB gateways of other shards' classes.
pub(super) fn gateways_elsewhere(context: &Context) -> Vec<AlbGateway> {
    let classes = context.stores.classes.state();
    let elsewhere = classes.iter().filter(|class| !context.serves(class));
    let serving = elsewhere.filter(|class| serves(class));
    serving.flat_map(|class| albs(class)).cloned().collect()
}

/// The class whose gateway it is.
pub(super) fn class_of(
    gateway: &AlbGateway,
    context: &Context,
) -> Option<Arc<GatewayBindingClass>> {
    let name = gateway.ingress_class();
    let is_its = |class: &Arc<GatewayBindingClass>| {
        let mut gateways = albs(class);
        gateways.any(|gateway| gateway.ingress_class() == name)
    };
    classes(context).into_iter().find(is_its)
}

fn albs(class: &GatewayBindingClass) -> impl Iterator<Item = &AlbGateway> {
    let gateways = class.spec.gateways.iter().flatten();
    gateways.filter_map(|gateway| gateway.alb.as_ref())
}

/// This shard's classes that serve, the oldest first.
fn classes(context: &Context) -> Vec<Arc<GatewayBindingClass>> {
    let mut classes: Vec<Arc<GatewayBindingClass>> = context
        .stores
        .classes
        .state()
        .into_iter()
        .filter(|class| context.serves(class))
        .filter(|class| serves(class))
        .collect();
    classes.sort_by_key(|class| {
        let created = class.creation_timestamp().map(|time| time.0);
        (created, class.name_any())
    });
    classes
}

/// The gateway that serves a Knative Ingress; none: it is none of ours.
pub(super) fn gateway_of(ingress: &KIngress, context: &Context) -> Option<AlbGateway> {
    let class = ingress.class().filter(|_| !is_companion(ingress))?;
    gateways(context)
        .into_iter()
        .find(|gateway| gateway.ingress_class() == class)
}

/// Whether a class of another shard serves a Knative Ingress: the operator of that shard looks after it.
pub(super) fn is_of_another_shard(ingress: &KIngress, context: &Context) -> bool {
    let classes = context.stores.classes.state();
    let others = classes.iter().map(AsRef::as_ref);
    is_served_by(ingress, others.filter(|class| !context.serves(class)))
}

fn is_served_by<'a>(
    ingress: &KIngress,
    classes: impl Iterator<Item = &'a GatewayBindingClass>,
) -> bool {
    let class = ingress.class();
    let mut serving = classes.filter(|class| serves(class));
    serving.any(|other| ingress_classes(other).any(|served| Some(served) == class))
}

/// A class that is being deleted serves as long as it is held.
fn serves(class: &GatewayBindingClass) -> bool {
    class.metadata.deletion_timestamp.is_none() || is_held(class)
}

/// Bindings that enter through a gateway of this ingress class, as far as they are valid.
pub(super) fn bindings(ingress_class: &str, context: &Context) -> Vec<Arc<GatewayBinding>> {
    bindings_where(|_| true, ingress_class, context)
}

/// Those of them that are `concerned`, which is asked first.
fn bindings_where(
    concerned: impl Fn(&GatewayBinding) -> bool,
    ingress_class: &str,
    context: &Context,
) -> Vec<Arc<GatewayBinding>> {
    let classes = context.stores.classes.state();
    let enters = |binding: &GatewayBinding| {
        let class = class::resolve(binding, classes.iter().map(AsRef::as_ref)).ok()?;
        let gateway = alb_of(binding, class)?;
        let namespace = binding.namespace().unwrap_or_default();
        let labels = context.stores.namespace_labels(&namespace);
        validate(binding, class, &labels).ok()?;
        Some(gateway.ingress_class() == ingress_class)
    };
    let bindings = context.stores.bindings.state().into_iter();
    bindings
        .filter(|binding| concerned(binding) && counts(binding))
        .filter(|binding| match say(binding) {
            Say::Heard => binding.spec.alb.is_some(),
            Say::Kept => true,
            Say::Silent => false,
        })
        .filter(|binding| enters(binding).unwrap_or_default())
        .collect()
}

/// The binding whose rules hold for a Knative Service.
pub(super) fn binding_of(
    namespace: &str,
    service: &str,
    ingress_class: &str,
    context: &Context,
) -> Option<GatewayBinding> {
    let for_service = |binding: &GatewayBinding| {
        binding.metadata.namespace.as_deref() == Some(namespace)
            && binding.spec.service_ref.kind == ServiceKind::KnativeService
            && binding.spec.service_ref.name == service
    };
    let bindings = bindings_where(for_service, ingress_class, context);
    heard(bindings.iter().map(AsRef::as_ref)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_class_serves_is_told_by_its_ingress_class() {
        let class = |name: &str, going: bool, held: bool| -> GatewayBindingClass {
            let mut class: GatewayBindingClass = serde_json::from_value(json!({
                "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
                "metadata": {"name": "other", "finalizers": held.then_some(crds::keys::FINALIZER).into_iter().collect::<Vec<_>>()},
                "spec": {"gateways": [{"name": "alb", "alb": {"ingressClass": name}}]},
            }))
            .unwrap();
            let now = serde_json::from_value(json!("2026-01-01T00:00:00Z"));
            class.metadata.deletion_timestamp = going.then(|| now.unwrap());
            class
        };
        let ingress: KIngress = serde_json::from_value(json!({"metadata": {"annotations": {
            "networking.knative.dev/ingress.class": "mine.example.com",
        }}}))
        .unwrap();
        let is_served = |class| is_served_by(&ingress, [&class].into_iter());
        assert!(is_served(class("mine.example.com", false, false)));
        assert!(is_served(class("mine.example.com", true, true)));
        assert!(!is_served(class("mine.example.com", true, false)));
        assert!(!is_served(class("other.example.com", false, false)));
        assert!(!is_served_by(&ingress, [].into_iter()));
    }
}
