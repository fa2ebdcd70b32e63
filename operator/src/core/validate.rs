//! From a binding and its class to what is meant, with every default filled in; or to the first
//! thing that is wrong, in the words of the spec.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    ClassGateway, DeletionPolicy, DriftPolicy, GatewayBinding, GatewayBindingClass,
    GatewayBindingClassSpec, GatewayService, Mode, NamespacedName, PerBinding, Reason, ServiceKind,
    ServiceRef,
};
use jiff::Timestamp;
use kube::ResourceExt;

use super::exposure::{self, Exposure};
use super::merge;
use super::problem::Problem;
use super::settings::Settings;
use super::{class, names, nlb, slb};

/// A binding as it is meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Validated {
    /// The binding.
    pub binding: NamespacedName,
    /// When it was created.
    pub created: Timestamp,
    /// Its class.
    pub class: String,
    /// Cluster id in every ownership marker.
    pub cluster: String,
    /// What is exposed.
    pub target: ServiceRef,
    /// The gateway that traffic enters through; none: only for a binding without `gateway`.
    pub gateway: Option<Gateway>,
    /// The API gateway in front of it.
    pub exposure: Option<Exposure>,
    /// How far the operator may go.
    pub mode: Mode,
    /// What to do about drift.
    pub drift_policy: DriftPolicy,
    /// What to do on deletion.
    pub deletion_policy: DeletionPolicy,
}

/// A class's gateway with an SLB or an NLB in front, and what this binding says about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// Its name in the class.
    pub name: String,
    /// Its Service.
    pub service: GatewayService,
    /// The Service is the binding's own; with what the class says of such.
    pub per_binding: Option<PerBinding>,
    /// The class's settings.
    pub class_settings: Settings,
    /// The binding's settings, of the same kind, all of them open to it.
    pub settings: Settings,
}

impl Gateway {
    /// The Service, as conflicts and messages name it.
    pub fn object(&self) -> String {
        format!("Service/{}/{}", self.service.namespace, self.service.name)
    }
}

/// The owner of a binding's unshared objects, as markers and the field `created-for` spell it: at
/// most 128 characters, the longest value of a tag.
pub fn owner(binding: &NamespacedName) -> String {
    let owner = format!("GatewayBinding/{binding}");
    if owner.len() <= 128 {
        return owner;
    }
    let hash = names::short_hash(&owner);
    format!("{}-{hash}", owner.chars().take(119).collect::<String>())
}

/// The owner of what the bindings of a class share.
pub fn class_owner(class: &str) -> String {
    format!("GatewayBindingClass/{class}")
}

/// Checks a binding against its class. `namespace_labels` are those of the binding's namespace.
pub fn validate(
    binding: &GatewayBinding,
    class: &GatewayBindingClass,
    namespace_labels: &BTreeMap<String, String>,
) -> Result<Validated, Problem> {
    let name = NamespacedName {
        namespace: binding.namespace().unwrap_or_default(),
        name: binding.name_any(),
    };
    let offer = &class.spec;
    let class_name = class.name_any();
    let who = format!("namespace \"{}\"", name.namespace);
    if !class::allows(offer.allowed_namespaces.as_ref(), namespace_labels) {
        return Err(Problem::rejected(
            Reason::NamespaceNotAllowed,
            format!(
                "{who} is not let in by allowedNamespaces of GatewayBindingClass \"{class_name}\". Use another class, or ask its owner."
            ),
        ));
    }
    let gateway = gateway(binding, offer, &class_name, namespace_labels)?;
    let exposure = match &binding.spec.api_gateway {
        None => None,
        Some(wish) => {
            if gateway.is_none() {
                return Err(Problem::rejected(
                    Reason::InvalidSpec,
                    format!(
                        "spec.apiGateway needs a gateway to send requests to: set spec.gateway, or defaults.gateway in GatewayBindingClass \"{class_name}\"."
                    ),
                ));
            }
            let context = exposure::Context {
                binding: &name,
                class: offer,
                class_name: &class_name,
                namespace_labels,
            };
            Some(exposure::validate(wish, &context)?)
        }
    };
    if gateway.is_none() {
        return Err(Problem::rejected(
            Reason::InvalidSpec,
            format!(
                "the binding names no gateway, and GatewayBindingClass \"{class_name}\" has no default one: set spec.gateway to one of {}.",
                listed(gateway_names(offer))
            ),
        ));
    }
    let cluster = offer.cloud.as_ref().map(|cloud| cloud.cluster_id.clone());
    let validated = Validated {
        binding: name,
        created: binding
            .creation_timestamp()
            .map(|time| time.0)
            .unwrap_or_default(),
        class: class_name,
        cluster: cluster.unwrap_or_default(),
        target: binding.spec.service_ref.clone(),
        gateway,
        exposure,
        mode: binding.spec.mode(),
        drift_policy: binding.spec.drift_policy(Some(offer)),
        deletion_policy: binding.spec.deletion_policy(Some(offer)),
    };
    check_target(&validated)?;
    Ok(validated)
}

/// A plain Service can be exposed only where the load balancer stands right before it: a gateway
/// that many share routes by the Host of Knative services and has no route to it.
fn check_target(validated: &Validated) -> Result<(), Problem> {
    let Some(gateway) = &validated.gateway else {
        return Ok(());
    };
    let is_gateway = validated.binding.namespace == gateway.service.namespace
        && validated.target.name == gateway.service.name;
    if validated.target.kind == ServiceKind::Service && !is_gateway {
        return Err(Problem::rejected(
            Reason::Unsupported,
            format!(
                "spec.serviceRef: Service {}/{} is not the Service of gateway \"{}\" ({}/{}), and a shared gateway routes to Knative services only. Name a KnativeService, or a gateway whose service is this one.",
                validated.binding.namespace,
                validated.target.name,
                gateway.name,
                gateway.service.namespace,
                gateway.service.name
            ),
        ));
    }
    Ok(())
}

fn gateway(
    binding: &GatewayBinding,
    offer: &GatewayBindingClassSpec,
    class_name: &str,
    namespace_labels: &BTreeMap<String, String>,
) -> Result<Option<Gateway>, Problem> {
    let settled = || {
        binding
            .status
            .as_ref()
            .and_then(|status| status.gateway.as_deref())
    };
    let default = || {
        offer
            .defaults
            .as_ref()
            .and_then(|defaults| defaults.gateway.as_deref())
    };
    let Some(name) = binding
        .spec
        .gateway
        .as_deref()
        .or_else(settled)
        .or_else(default)
    else {
        return Ok(None);
    };
    let Some(gateway) = offer.gateway(name) else {
        return Err(Problem::rejected(
            Reason::GatewayNotFound,
            format!(
                "spec.gateway: GatewayBindingClass \"{class_name}\" has no gateway \"{name}\"; it has {}.",
                listed(gateway_names(offer))
            ),
        ));
    };
    if !class::allows(gateway.allowed_namespaces.as_ref(), namespace_labels) {
        return Err(Problem::rejected(
            Reason::NamespaceNotAllowed,
            format!(
                "spec.gateway: namespace \"{}\" is not let in by allowedNamespaces of gateway \"{name}\" in GatewayBindingClass \"{class_name}\". Use another gateway, or ask the owner of the class.",
                binding.namespace().unwrap_or_default()
            ),
        ));
    }
    load_balancer_gateway(binding, gateway, class_name).map(Some)
}

fn load_balancer_gateway(
    binding: &GatewayBinding,
    gateway: &ClassGateway,
    class_name: &str,
) -> Result<Gateway, Problem> {
    let name = &gateway.name;
    if let Some(offer) = &gateway.nlb {
        let offered = nlb::offered(binding, offer, (name, class_name))?;
        return Ok(Gateway {
            name: name.clone(),
            service: match &offer.service {
                Some(service) => service.clone(),
                None => own_service(binding, name)?,
            },
            per_binding: offer.per_binding.clone(),
            class_settings: offered.class_settings.into(),
            settings: offered.settings.into(),
        });
    }
    if binding.spec.nlb.is_some() {
        return Err(Problem::rejected(
            Reason::InvalidSpec,
            format!(
                "spec.nlb: gateway \"{name}\" of GatewayBindingClass \"{class_name}\" is no network load balancer. Remove spec.nlb, or name a gateway with nlb."
            ),
        ));
    }
    let Some(offer) = &gateway.slb else {
        return Err(Problem::rejected(
            Reason::Unsupported,
            format!(
                "spec.gateway: gateway \"{name}\" of GatewayBindingClass \"{class_name}\" has neither slb nor nlb, and what is done for such a gateway cannot be told before it is done. Apply the binding and read its status, or name a gateway with slb or nlb."
            ),
        ));
    };
    if binding.spec.alb.is_some() {
        return Err(Problem::rejected(
            Reason::InvalidSpec,
            format!(
                "spec.alb: gateway \"{name}\" of GatewayBindingClass \"{class_name}\" is a classic load balancer. Remove spec.alb, or name a gateway with alb."
            ),
        ));
    }
    if binding.spec.higress.is_some() && gateway.higress.is_none() {
        return Err(Problem::rejected(
            Reason::InvalidSpec,
            format!(
                "spec.higress: gateway \"{name}\" of GatewayBindingClass \"{class_name}\" has no higress. Remove spec.higress, or name a gateway with higress."
            ),
        ));
    }
    let settings = binding.spec.slb.clone().unwrap_or_default();
    if let Some(path) = merge::not_open(&settings, |field| offer.binding_may_set(field)) {
        let field = path.trim_start_matches("slb.");
        return Err(Problem::rejected(
            Reason::NotAllowedByClass,
            format!(
                "spec.{path}: GatewayBindingClass \"{class_name}\" does not let bindings set {field} on gateway \"{name}\". Remove the field, or ask for {field} in bindingsMaySet."
            ),
        ));
    }
    let class_settings = offer.settings.clone().unwrap_or_default();
    let together = slb::over(&class_settings, &settings);
    if together.address_type.is_none() && together.existing.is_none() {
        return Err(Problem::rejected(
            Reason::InvalidSpec,
            format!(
                "slb.addressType of gateway \"{name}\" is set neither in GatewayBindingClass \"{class_name}\" nor in the binding. Set Intranet or Internet: without it the cloud would make a public load balancer."
            ),
        ));
    }
    if let Some(fault) = slb::check(&together) {
        return Err(Problem::rejected(
            fault.reason,
            format!("spec.{}: {}", fault.path, fault.why),
        ));
    }
    Ok(Gateway {
        name: name.clone(),
        service: match &offer.service {
            Some(service) => service.clone(),
            None => own_service(binding, name)?,
        },
        per_binding: offer.per_binding.clone(),
        class_settings: class_settings.into(),
        settings: settings.into(),
    })
}

/// The Service that a binding exposes, as the one that gets the load balancer.
fn own_service(binding: &GatewayBinding, gateway: &str) -> Result<GatewayService, Problem> {
    let target = &binding.spec.service_ref;
    if target.kind != ServiceKind::Service {
        return Err(Problem::rejected(
            Reason::Unsupported,
            format!(
                "spec.serviceRef: gateway \"{gateway}\" puts a load balancer before the plain Service of each binding, and requests for a Knative Service enter through a gateway that many share. Name a Service of kind Service, or another gateway."
            ),
        ));
    }
    Ok(GatewayService {
        namespace: binding.namespace().unwrap_or_default(),
        name: target.name.clone(),
        create_from: None,
        foreign_fields: None,
    })
}

fn gateway_names(offer: &GatewayBindingClassSpec) -> impl Iterator<Item = &str> {
    offer
        .gateways
        .iter()
        .flatten()
        .map(|gateway| gateway.name.as_str())
}

/// Names as a message lists them.
pub fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
