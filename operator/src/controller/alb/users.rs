//! Whom the ALB of a class serves, with or without a binding.

use crds::v1alpha1::GatewayBindingClass;
use kube::ResourceExt;

use crate::controller::context::Context;

/// The Knative Ingresses that a class serves.
pub enum Users {
    /// They were not listed yet.
    Unknown,
    /// Their kind, namespaces and names, for people.
    Known(Vec<String>),
}

impl Users {
    /// Whether there are some for certain.
    pub fn are_some(&self) -> bool {
        matches!(self, Self::Known(users) if !users.is_empty())
    }

    /// Whether there are none for certain.
    pub fn are_none(&self) -> bool {
        matches!(self, Self::Known(users) if users.is_empty())
    }
}

/// Those of the ingress classes that no other class serves.
pub fn of(class: &GatewayBindingClass, context: &Context) -> Users {
    let own: Vec<&str> = ingress_classes(class).collect();
    if own.is_empty() {
        return Users::Known(Vec::new());
    }
    if !context.alb.is_listed() {
        return Users::Unknown;
    }
    let classes = context.stores.classes.state();
    let others = classes.iter().filter(|other| {
        other.name_any() != class.name_any()
            && context.serves(other)
            && other.metadata.deletion_timestamp.is_none()
    });
    let others: Vec<&str> = others.flat_map(|other| ingress_classes(other)).collect();
    let ingresses = context.alb.kingresses.state();
    let served = ingresses.iter().filter(|ingress| {
        let class = ingress.class().unwrap_or_default();
        own.contains(&class) && !others.contains(&class)
    });
    let mut users: Vec<String> = served
        .map(|ingress| {
            let namespace = ingress.namespace().unwrap_or_default();
            format!("Knative Ingress {namespace}/{}", ingress.name_any())
        })
        .collect();
    users.sort();
    Users::Known(users)
}

/// The ingress classes that the ALB gateways of a class serve.
pub(super) fn ingress_classes(class: &GatewayBindingClass) -> impl Iterator<Item = &str> {
    let gateways = class.spec.gateways.iter().flatten();
    gateways.filter_map(|gateway| Some(gateway.alb.as_ref()?.ingress_class()))
}
