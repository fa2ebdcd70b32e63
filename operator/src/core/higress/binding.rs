//! A binding whose gateway is Higress: checked against its class, and what it asks for as rules.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    ClassGateway, GatewayBinding, GatewayBindingClass, HigressGateway, Mode, NamespacedName,
    Reason, ServiceKind,
};
use kube::ResourceExt;

use super::record::systems;
use super::rule::Rules;
use super::translate;
use crate::core::alb::binding::gateway_of;
use crate::core::class;
use crate::core::problem::Problem;

/// A binding as it is meant.
#[derive(Clone, Debug, PartialEq)]
pub struct HigressBinding {
    /// Its gateway's name.
    pub gateway: String,
    /// Higress, as the class has it.
    pub higress: HigressGateway,
    /// Its Knative Service.
    pub service: NamespacedName,
    /// What it asks for; nothing where it has no `spec.higress`.
    pub rules: Rules,
}

/// The Higress that a binding enters through, if it does.
pub fn higress_of<'a>(
    binding: &GatewayBinding,
    class: &'a GatewayBindingClass,
) -> Option<&'a HigressGateway> {
    gateway_of(binding, class)?.higress.as_ref()
}

/// Whether Higress is all there is of a gateway: the operator has no load balancer in front of it.
pub fn is_alone(gateway: &ClassGateway) -> bool {
    gateway.higress.is_some() && gateway.slb.is_none() && gateway.nlb.is_none()
}

/// Whether a binding enters through Higress and nothing else of the operator's.
pub fn enters_alone(binding: &GatewayBinding, class: &GatewayBindingClass) -> bool {
    gateway_of(binding, class).is_some_and(is_alone)
}

/// Whether a binding has to do with Higress, or had.
pub fn concerns(binding: &GatewayBinding, class: Option<&GatewayBindingClass>) -> bool {
    let asks = binding.spec.higress.is_some();
    let through = class.is_some_and(|class| {
        let through = higress_of(binding, class).is_some();
        through && (asks || enters_alone(binding, class))
    });
    through || !systems(binding).is_empty()
}

/// Checks a binding against its class and the Higress in it. None: its gateway has no Higress.
///
/// # Errors
/// What is not allowed, or cannot be done.
pub fn validate(
    binding: &GatewayBinding,
    class: &GatewayBindingClass,
    namespace_labels: &BTreeMap<String, String>,
) -> Result<Option<HigressBinding>, Problem> {
    let Some(gateway) = gateway_of(binding, class) else {
        // A default that is gone is no other gateway: what is in place stays.
        return Err(no_gateway(binding, class));
    };
    let Some(higress) = &gateway.higress else {
        return Ok(None);
    };
    allowed(binding, gateway, class, namespace_labels)?;
    if is_alone(gateway) {
        nothing_else(binding, &gateway.name)?;
    }
    let name = NamespacedName {
        namespace: binding.namespace().unwrap_or_default(),
        name: binding.name_any(),
    };
    let wish = binding.spec.higress.as_ref();
    let rules = wish.map(|wish| translate::rules(wish, &name, higress.adapter));
    if binding.spec.mode() == Mode::Plan {
        return Err(Problem::rejected(
            Reason::Unsupported,
            format!(
                "spec.mode: Plan is not offered with gateway \"{}\", which is Higress: nothing is written. Set mode: Apply, or Suspend to leave everything as it is.",
                gateway.name
            ),
        ));
    }
    Ok(Some(HigressBinding {
        gateway: gateway.name.clone(),
        higress: higress.clone(),
        service: NamespacedName {
            namespace: name.namespace,
            name: binding.spec.service_ref.name.clone(),
        },
        rules: rules.transpose()?.unwrap_or_default(),
    }))
}

fn no_gateway(binding: &GatewayBinding, class: &GatewayBindingClass) -> Problem {
    let settled = binding.status.as_ref();
    let settled = settled.and_then(|status| status.gateway.as_deref());
    let name = binding.spec.gateway.as_deref().or(settled);
    let gateway = match name {
        Some(name) => format!("gateway \"{name}\""),
        None => "gateway for the binding".to_owned(),
    };
    Problem::rejected(
        Reason::GatewayNotFound,
        format!(
            "spec.gateway: GatewayBindingClass \"{}\" has no {gateway}. The binding's rules in Higress stay as they are. Put the gateway back into the class, or name another one.",
            class.name_any()
        ),
    )
}

fn allowed(
    binding: &GatewayBinding,
    gateway: &ClassGateway,
    class: &GatewayBindingClass,
    labels: &BTreeMap<String, String>,
) -> Result<(), Problem> {
    let class_name = class.name_any();
    for (allowed, whose) in [
        (class.spec.allowed_namespaces.as_ref(), String::new()),
        (
            gateway.allowed_namespaces.as_ref(),
            format!("gateway \"{}\" in ", gateway.name),
        ),
    ] {
        if !class::allows(allowed, labels) {
            return Err(Problem::rejected(
                Reason::NamespaceNotAllowed,
                format!(
                    "namespace \"{}\" is not let in by allowedNamespaces of {whose}GatewayBindingClass \"{class_name}\". Use another gateway or class, or ask the owner of the class.",
                    binding.namespace().unwrap_or_default()
                ),
            ));
        }
    }
    Ok(())
}

/// What a gateway that is Higress alone cannot have.
fn nothing_else(binding: &GatewayBinding, gateway: &str) -> Result<(), Problem> {
    let spec = &binding.spec;
    if spec.service_ref.kind != ServiceKind::KnativeService {
        return Err(Problem::rejected(
            Reason::Unsupported,
            format!(
                "spec.serviceRef: gateway \"{gateway}\" is Higress, which serves Knative Services here. Name a KnativeService."
            ),
        ));
    }
    let given = [
        ("apiGateway", spec.api_gateway.is_some(), "slb"),
        ("slb", spec.slb.is_some(), "slb"),
        ("nlb", spec.nlb.is_some(), "nlb"),
        ("alb", spec.alb.is_some(), "alb"),
    ];
    match given.into_iter().find(|(_, given, _)| *given) {
        Some((field, _, kind)) => Err(Problem::rejected(
            Reason::InvalidSpec,
            format!(
                "spec.{field}: gateway \"{gateway}\" is Higress alone, without a load balancer of the operator's. Remove spec.{field}, or name a gateway with {kind}."
            ),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn class(more: Value) -> GatewayBindingClass {
        let mut higress =
            json!({"name": "h", "higress": {"namespace": "higress-system", "adapter": "KIngress"}});
        for (key, value) in more.as_object().unwrap() {
            higress[key] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
            "metadata": {"name": "higress"},
            "spec": {"defaults": {"gateway": "h"}, "gateways": [
                higress, {"name": "slb", "slb": {"service": {"namespace": "a", "name": "b"}}},
            ]},
        }))
        .unwrap()
    }

    fn binding(spec: Value) -> GatewayBinding {
        let mut whole = json!({"serviceRef": {"kind": "KnativeService", "name": "hello"}});
        for (key, value) in spec.as_object().unwrap() {
            whole[key] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": "hello", "namespace": "default"},
            "spec": whole,
        }))
        .unwrap()
    }

    fn block() -> Value {
        json!({"blockedRequests": {"urls": ["swagger"]}})
    }

    #[test]
    fn what_higress_alone_cannot_have_is_refused() {
        let class = class(json!({}));
        let cases = [
            (
                json!({"serviceRef": {"kind": "Service", "name": "hello"}}),
                Reason::Unsupported,
            ),
            (
                json!({"apiGateway": {"auth": {"anonymous": {}}}}),
                Reason::InvalidSpec,
            ),
            (json!({"slb": {"name": "a"}}), Reason::InvalidSpec),
            (json!({"mode": "Plan"}), Reason::Unsupported),
            (json!({"gateway": "gone"}), Reason::GatewayNotFound),
        ];
        for (spec, reason) in cases {
            let found = validate(&binding(spec.clone()), &class, &BTreeMap::new());
            assert_eq!(found.unwrap_err().reason, reason, "{spec}");
        }
    }

    #[test]
    fn a_gateway_without_higress_asks_for_no_rules() {
        let other = binding(json!({"gateway": "slb"}));
        assert_eq!(
            validate(&other, &class(json!({})), &BTreeMap::new()),
            Ok(None)
        );
        assert!(!concerns(&other, Some(&class(json!({})))));
    }

    #[test]
    fn behind_a_load_balancer_only_who_asks_is_concerned() {
        let class = class(json!({"slb": {"service": {"namespace": "a", "name": "b"}}}));
        assert!(!concerns(&binding(json!({})), Some(&class)));
        let asks = binding(json!({"higress": block(), "slb": {"name": "a"}}));
        assert!(concerns(&asks, Some(&class)));
        let found = validate(&asks, &class, &BTreeMap::new()).unwrap().unwrap();
        assert_eq!(found.rules.len(), 1);
        assert_eq!(found.service.to_string(), "default/hello");
    }

    #[test]
    fn namespaces_that_are_not_let_in_get_no_rules() {
        let class = class(
            json!({"allowedNamespaces": {"selector": {"matchLabels": {"team": "a"}}, "from": "Selector"}}),
        );
        let asks = binding(json!({"higress": block()}));
        let refused = validate(&asks, &class, &BTreeMap::new()).unwrap_err();
        assert_eq!(refused.reason, Reason::NamespaceNotAllowed);
        let labels = [("team".to_owned(), "a".to_owned())].into();
        assert!(validate(&asks, &class, &labels).is_ok());
    }
}
