//! Which gateway serves a Knative Ingress, and which binding has a say in it.

use std::sync::Arc;

use crds::v1alpha1::{AlbGateway, GatewayBinding, GatewayBindingClass, ServiceKind};
use kube::ResourceExt;

use crate::controller::context::Context;
use crate::controller::writes::is_held;
use crate::core::alb::binding::{Say, alb_of, heard, say, validate};
use crate::core::alb::hop::is_companion;
use crate::core::alb::kingress::KIngress;
use crate::core::class;

/// The ALB gateways of this shard's classes, those of the oldest class first. A class that is being
/// deleted serves as long as it is held.
pub(super) fn gateways(context: &Context) -> Vec<AlbGateway> {
    let mut classes: Vec<Arc<GatewayBindingClass>> = context
        .stores
        .classes
        .state()
        .into_iter()
        .filter(|class| context.serves(class))
        .filter(|class| class.metadata.deletion_timestamp.is_none() || is_held(&**class))
        .collect();
    classes.sort_by_key(|class| {
        let created = class.creation_timestamp().map(|time| time.0);
        (created, class.name_any())
    });
    let gateways = classes
        .iter()
        .flat_map(|class| class.spec.gateways.iter().flatten());
    gateways.filter_map(|gateway| gateway.alb.clone()).collect()
}

/// The gateway that serves a Knative Ingress; none: it is none of ours.
pub(super) fn gateway_of(ingress: &KIngress, context: &Context) -> Option<AlbGateway> {
    let class = ingress.class().filter(|_| !is_companion(ingress))?;
    gateways(context)
        .into_iter()
        .find(|gateway| gateway.ingress_class() == class)
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
        .filter(|binding| concerned(binding) && binding.metadata.deletion_timestamp.is_none())
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
