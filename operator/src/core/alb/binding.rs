//! A binding whose gateway is an ALB: it moves its Knative Service to the gateway's ingress class, and
//! may send chosen requests to a revision.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    AlbField, AlbGateway, ClassGateway, GatewayBinding, GatewayBindingClass, LedgerEntry, Mode,
    NamespacedName, Reason, ServiceKind,
};
use kube::ResourceExt;

use crate::core::class;
use crate::core::names::digest;
use crate::core::problem::Problem;

/// Kind of the ledger's entry for a Knative Service that was moved.
const KIND: &str = "KnativeService";

/// A binding as it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlbBinding {
    /// Its gateway's name.
    pub gateway: String,
    /// The class that its Knative Service is moved to.
    pub ingress_class: String,
    /// Its Knative Service.
    pub service: NamespacedName,
    /// How far the operator may go.
    pub mode: Mode,
}

/// The gateway that a binding enters through: the one it names, was given before, or gets by default.
pub fn gateway_of<'a>(
    binding: &GatewayBinding,
    class: &'a GatewayBindingClass,
) -> Option<&'a ClassGateway> {
    let settled = binding.status.as_ref();
    let settled = settled.and_then(|status| status.gateway.as_deref());
    let default = class.spec.defaults.as_ref();
    let default = default.and_then(|defaults| defaults.gateway.as_deref());
    let name = binding.spec.gateway.as_deref().or(settled).or(default)?;
    class.spec.gateway(name)
}

/// The ALB that a binding enters through, if it does.
pub fn alb_of<'a>(
    binding: &GatewayBinding,
    class: &'a GatewayBindingClass,
) -> Option<&'a AlbGateway> {
    gateway_of(binding, class)?.alb.as_ref()
}

/// The Knative Services that a binding has moved, by its ledger.
pub fn moved(binding: &GatewayBinding) -> Vec<NamespacedName> {
    let ledger = binding.status.iter().flat_map(|status| &status.ledger);
    let entries = ledger.into_iter().filter(|entry| entry.kind == KIND);
    entries
        .filter_map(|entry| {
            Some(NamespacedName {
                namespace: entry.namespace.clone()?,
                name: entry.name.clone()?,
            })
        })
        .collect()
}

/// Whether a binding has to do with an ALB, or had.
pub fn concerns(binding: &GatewayBinding, class: Option<&GatewayBindingClass>) -> bool {
    let now = class.is_some_and(|class| alb_of(binding, class).is_some());
    now || !moved(binding).is_empty()
}

/// The ledger's entry for a Knative Service that is moved.
pub fn entry(service: &NamespacedName) -> LedgerEntry {
    LedgerEntry {
        key: format!("kubernetes/{KIND}/{}/{}", service.namespace, service.name),
        kind: KIND.to_owned(),
        namespace: Some(service.namespace.clone()),
        name: Some(service.name.clone()),
        ..LedgerEntry::default()
    }
}

/// The same with a digest of the binding's `alb` block, which is in force from then on.
pub fn claim(service: &NamespacedName, binding: &GatewayBinding) -> LedgerEntry {
    LedgerEntry {
        applied: Some(alb_digest(binding)),
        ..entry(service)
    }
}

/// A digest of a binding's `alb` block.
pub fn alb_digest(binding: &GatewayBinding) -> String {
    digest(&binding.spec.alb)
}

/// The entry for the Knative Service that a binding names.
pub fn ledger_entry(binding: &GatewayBinding) -> Option<&LedgerEntry> {
    let own = NamespacedName {
        namespace: binding.namespace()?,
        name: binding.spec.service_ref.name.clone(),
    };
    let key = entry(&own).key;
    let mut ledger = binding.status.iter().flat_map(|status| &status.ledger);
    ledger.find(|entry| entry.key == key)
}

/// What a binding's `alb` block says at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// It counts as it is written.
    Heard,
    /// It was changed since the operator may no longer write, so what was in force stays.
    Kept,
    /// It does not count yet.
    Silent,
}

/// Whether a binding's `alb` block counts. While its mode is Plan or Suspend, only what was in force
/// before does.
pub fn say(binding: &GatewayBinding) -> Say {
    if binding.spec.mode() == Mode::Apply {
        return Say::Heard;
    }
    match ledger_entry(binding) {
        None => Say::Silent,
        Some(entry) => match &entry.applied {
            Some(applied) if *applied != alb_digest(binding) => Say::Kept,
            _ => Say::Heard,
        },
    }
}

/// Whether an entry of a ledger is for something that this does not make.
pub fn is_of_another_gateway(entry: &LedgerEntry) -> bool {
    entry.kind != KIND
}

/// Checks a binding against its class and the ALB gateway in it.
pub fn validate(
    binding: &GatewayBinding,
    class: &GatewayBindingClass,
    namespace_labels: &BTreeMap<String, String>,
) -> Result<AlbBinding, Problem> {
    let class_name = class.name_any();
    let namespace = binding.namespace().unwrap_or_default();
    let offered = gateway_of(binding, class);
    let (Some(gateway), Some(alb)) = (offered, alb_of(binding, class)) else {
        return Err(Problem::rejected(
            Reason::GatewayNotFound,
            format!("GatewayBindingClass \"{class_name}\" has no such gateway with alb any more."),
        ));
    };
    for (allowed, whose) in [
        (class.spec.allowed_namespaces.as_ref(), "".to_owned()),
        (
            gateway.allowed_namespaces.as_ref(),
            format!("gateway \"{}\" in ", gateway.name),
        ),
    ] {
        if !class::allows(allowed, namespace_labels) {
            return Err(Problem::rejected(
                Reason::NamespaceNotAllowed,
                format!(
                    "namespace \"{namespace}\" is not let in by allowedNamespaces of {whose}GatewayBindingClass \"{class_name}\". Use another one, or ask the owner of the class."
                ),
            ));
        }
    }
    check(binding, gateway, alb, &class_name)?;
    Ok(AlbBinding {
        gateway: gateway.name.clone(),
        ingress_class: alb.ingress_class().to_owned(),
        service: NamespacedName {
            namespace,
            name: binding.spec.service_ref.name.clone(),
        },
        mode: binding.spec.mode(),
    })
}

fn check(
    binding: &GatewayBinding,
    gateway: &ClassGateway,
    alb: &AlbGateway,
    class: &str,
) -> Result<(), Problem> {
    let spec = &binding.spec;
    let name = &gateway.name;
    if spec.service_ref.kind != ServiceKind::KnativeService {
        return Err(Problem::rejected(
            Reason::Unsupported,
            format!(
                "spec.serviceRef: gateway \"{name}\" is an ALB that serves Knative Services only. Name a KnativeService."
            ),
        ));
    }
    if spec.api_gateway.is_some() {
        return Err(Problem::rejected(
            Reason::Unsupported,
            format!(
                "spec.apiGateway: an API gateway reaches classic load balancers only, and gateway \"{name}\" is an ALB. Remove spec.apiGateway, or use a gateway with slb."
            ),
        ));
    }
    if spec.higress.is_some() {
        return Err(Problem::rejected(
            Reason::InvalidSpec,
            format!(
                "spec.higress: gateway \"{name}\" is an ALB. Remove spec.higress, or name a gateway with higress."
            ),
        ));
    }
    if spec.slb.is_some() {
        return Err(Problem::rejected(
            Reason::InvalidSpec,
            format!("spec.slb: gateway \"{name}\" is an ALB. Use spec.alb, or a gateway with slb."),
        ));
    }
    if spec.nlb.is_some() {
        return Err(Problem::rejected(
            Reason::InvalidSpec,
            format!("spec.nlb: gateway \"{name}\" is an ALB. Use spec.alb, or a gateway with nlb."),
        ));
    }
    let zones = spec.alb.as_ref().and_then(|alb| alb.zone_mappings.as_ref());
    if zones.is_some() && !alb.binding_may_set(AlbField::ZoneMappings) {
        return Err(Problem::rejected(
            Reason::NotAllowedByClass,
            format!(
                "spec.alb.zoneMappings: GatewayBindingClass \"{class}\" does not let bindings set zoneMappings on gateway \"{name}\". Remove the field, or ask for zoneMappings in bindingsMaySet."
            ),
        ));
    }
    Ok(())
}

/// Whether a binding still has a say. One on its way out has until its removal is approved, as far as
/// that is needed: what is in force stays until then.
pub fn counts(binding: &GatewayBinding) -> bool {
    binding.metadata.deletion_timestamp.is_none() || binding.spec.mode() != Mode::Apply
}

/// Of several bindings for one Knative Service, the one that is heard: the oldest that is not on its way
/// out.
pub fn heard<'a>(
    bindings: impl IntoIterator<Item = &'a GatewayBinding>,
) -> Option<&'a GatewayBinding> {
    bindings.into_iter().min_by_key(|binding| {
        let is_going = binding.metadata.deletion_timestamp.is_some();
        let created = binding.creation_timestamp().map(|time| time.0);
        (is_going, created, binding.namespace(), binding.name_any())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn class(gateway: Value) -> GatewayBindingClass {
        serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
            "metadata": {"name": "alb"},
            "spec": {
                "defaults": {"gateway": "alb"},
                "gateways": [{"name": "alb", "alb": gateway}, {"name": "slb", "slb": {"service": {"namespace": "a", "name": "b"}}}],
            },
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
            "metadata": {"name": "hello", "namespace": "gray"},
            "spec": whole,
        }))
        .unwrap()
    }

    fn reason(spec: Value, gateway: Value) -> Reason {
        let labels = BTreeMap::new();
        validate(&binding(spec), &class(gateway), &labels)
            .unwrap_err()
            .reason
    }

    #[test]
    fn the_gateway_s_ingress_class_is_what_the_service_is_moved_to() {
        let labels = BTreeMap::new();
        let found = validate(&binding(json!({})), &class(json!({})), &labels).unwrap();
        assert_eq!(found.ingress_class, "alb.ingress.networking.knative.dev");
        assert_eq!(found.service.to_string(), "gray/hello");
        let own = class(json!({"ingressClass": "mine.example.com"}));
        let found = validate(&binding(json!({"gateway": "alb"})), &own, &labels).unwrap();
        assert_eq!(found.ingress_class, "mine.example.com");
    }

    #[test]
    fn what_an_alb_cannot_do_is_refused() {
        let service = json!({"serviceRef": {"kind": "Service", "name": "hello"}});
        assert_eq!(reason(service, json!({})), Reason::Unsupported);
        let front = json!({"apiGateway": {"auth": {"anonymous": {}}}});
        assert_eq!(reason(front, json!({})), Reason::Unsupported);
        assert_eq!(
            reason(json!({"slb": {"name": "a"}}), json!({})),
            Reason::InvalidSpec
        );
        let zones =
            || json!({"alb": {"zoneMappings": [{"vswitchId": "vsw-a"}, {"vswitchId": "vsw-b"}]}});
        assert_eq!(reason(zones(), json!({})), Reason::NotAllowedByClass);
        let open = class(json!({"bindingsMaySet": ["*"]}));
        assert!(validate(&binding(zones()), &open, &BTreeMap::new()).is_ok());
    }

    #[test]
    fn without_leave_to_write_only_what_was_in_force_counts() {
        let rules = |value: &str| json!({"revisionRules": [{"name": "a", "tag": "b", "headers": [{"name": "c", "value": value}]}]});
        let said = |mode: &str, value: &str| binding(json!({"mode": mode, "alb": rules(value)}));
        let in_force = |mut binding: GatewayBinding| {
            let service = NamespacedName {
                namespace: "gray".to_owned(),
                name: "hello".to_owned(),
            };
            binding.status = Some(crds::v1alpha1::GatewayBindingStatus {
                ledger: vec![claim(&service, &said("Apply", "d"))],
                ..Default::default()
            });
            binding
        };
        assert_eq!(say(&said("Apply", "d")), Say::Heard);
        for mode in ["Plan", "Suspend"] {
            assert_eq!(say(&said(mode, "d")), Say::Silent);
            assert_eq!(say(&in_force(said(mode, "d"))), Say::Heard);
            assert_eq!(say(&in_force(said(mode, "other"))), Say::Kept);
        }
        assert_eq!(say(&in_force(said("Apply", "other"))), Say::Heard);
    }

    #[test]
    fn who_waits_for_leave_to_go_counts_until_another_one_comes() {
        let named = |mode: &str, name: &str, going: bool| {
            let mut made = binding(json!({"mode": mode}));
            made.metadata.name = Some(name.to_owned());
            made.metadata.deletion_timestamp =
                going.then(|| serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
            made
        };
        assert!(counts(&named("Apply", "a", false)) && !counts(&named("Apply", "a", true)));
        let going = named("Plan", "a", true);
        assert!(counts(&going));
        assert_eq!(heard([&going]), Some(&going));
        let next = named("Plan", "b", false);
        assert_eq!(heard([&going, &next]), Some(&next));
    }

    #[test]
    fn a_binding_concerns_an_alb_as_long_as_its_ledger_says_so() {
        let class = class(json!({}));
        assert!(concerns(&binding(json!({})), Some(&class)));
        let mut other = binding(json!({"gateway": "slb"}));
        assert!(!concerns(&other, Some(&class)));
        let service = NamespacedName {
            namespace: "gray".to_owned(),
            name: "hello".to_owned(),
        };
        other.status = Some(crds::v1alpha1::GatewayBindingStatus {
            ledger: vec![entry(&service)],
            ..Default::default()
        });
        assert!(concerns(&other, None));
        assert_eq!(moved(&other), [service]);
    }
}
