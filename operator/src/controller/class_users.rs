//! What still uses a class, so that it may not go.

use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, Reason};
use kube::ResourceExt;

use super::alb::users::Users;
use super::context::Context;
use super::relations::class_of;
use crate::core::class;
use crate::core::problem::Problem;

/// Users that a message names at the most.
const NAMED: usize = 5;

/// Whether anything still needs the class to be cleaned up.
pub fn is_used(class: &GatewayBindingClass, ingresses: &Users, context: &Context) -> bool {
    if !ingresses.are_none() {
        return true;
    }
    let bindings = context.stores.bindings.state();
    let mut bindings = bindings.iter();
    bindings.any(|binding| needs(class, &context.bindings.newest(binding.clone()), context))
        || !consumers(class, context).is_empty()
}

/// Why a class that is being deleted cannot go, if something uses it.
pub fn in_use(
    class: &GatewayBindingClass,
    ingresses: &Users,
    context: &Context,
) -> Option<Problem> {
    let blocked = |message| Some(Problem::waiting(Reason::DeletionBlocked, message));
    let users = users(class, context);
    if !users.is_empty() {
        return blocked(format!(
            "still in use by {}. Delete them first; one with deletionPolicy: Retain leaves what it has in place.",
            named(&users)
        ));
    }
    match ingresses {
        Users::Unknown => blocked(
            "it is not known yet which Knative Ingresses its ALB serves. If that stays, they cannot be listed: with the operator's chart, add `rbac.alb: true`.".to_owned(),
        ),
        Users::Known(ingresses) if !ingresses.is_empty() => blocked(format!(
            "its ALB still serves {}. Delete their Knative Services, or give them another networking.knative.dev/ingress-class; those without that annotation follow ingress-class in ConfigMap knative-serving/config-network.",
            named(ingresses)
        )),
        Users::Known(_) => None,
    }
}

/// What needs the class to be cleaned up.
fn users(class: &GatewayBindingClass, context: &Context) -> Vec<String> {
    let bindings = context.stores.bindings.state().into_iter();
    let mut users: Vec<String> = bindings
        .map(|binding| context.bindings.newest(binding))
        .filter(|binding| needs(class, binding, context))
        .map(|binding| told("GatewayBinding", &*binding))
        .collect();
    users.extend(consumers(class, context));
    users.sort();
    users
}

fn told(kind: &str, object: &impl ResourceExt) -> String {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    format!("{kind} {namespace}/{name}")
}

/// Whether a binding claims something that takes the class's credentials to be removed.
fn needs(class: &GatewayBindingClass, binding: &GatewayBinding, context: &Context) -> bool {
    let name = class.name_any();
    match &binding.status {
        Some(status) if !status.is_blank() => {
            class_of(binding) == Some(&name) && !status.ledger.is_empty()
        }
        // What it claimed is not known any more, only which class it has.
        _ => {
            let classes = context.stores.classes.state();
            let classes: Vec<_> = classes.iter().map(AsRef::as_ref).collect();
            context.has_lost_status(binding)
                && class::of_lost(binding, &classes).is_some_and(|class| class.name_any() == name)
        }
    }
}

/// The consumers that have something in the class's account.
fn consumers(class: &GatewayBindingClass, context: &Context) -> Vec<String> {
    let status = class.status.as_ref();
    let account = status.and_then(|status| status.account.as_deref());
    let cloud = class.spec.cloud.as_ref();
    let region = cloud.map(|cloud| cloud.region_id.as_str());
    let consumers = context.stores.consumers.state().into_iter();
    let here = consumers
        .map(|consumer| context.consumers.newest(consumer))
        .filter(|consumer| {
            let mut ledger = consumer.status.iter().flat_map(|status| &status.ledger);
            ledger.any(|entry| {
                entry.account.is_some()
                    && entry.account.as_deref() == account
                    // The region of a class that cannot be read is not known.
                    && (region.is_none() || entry.region.as_deref() == region)
            }) || context.has_lost_status(&**consumer)
        });
    here.map(|consumer| told("GatewayConsumer", &*consumer))
        .collect()
}

fn named(users: &[String]) -> String {
    let mut text = users
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if users.len() > NAMED {
        text.push_str(&format!(" and {} more", users.len() - NAMED));
    }
    text
}
