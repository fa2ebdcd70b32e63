//! What a translation asks of the cluster, from the stores.

use crds::v1alpha1::Reason;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::runtime::reflector::ObjectRef;

use super::serving::binding_of;
use super::state::serverless_service;
use crate::controller::context::Context;
use crate::core::alb::binding::{Say, say};
use crate::core::alb::gray;
use crate::core::alb::hop::Hop;
use crate::core::alb::kingress::KIngress;
use crate::core::alb::refusal::Refusal;
use crate::core::alb::translate::{Activator, Backing, Cluster, Source};

/// Label with the Knative Service of what Serving makes.
const SERVICE: &str = "serving.knative.dev/service";
/// Label that tells a revision's own Service from the one of its pods.
const SERVICE_TYPE: &str = "networking.internal.knative.dev/serviceType";

/// A namespace, as the stores have it.
pub(super) struct Namespace<'a> {
    pub name: &'a str,
    pub ingress_class: &'a str,
    pub hop: Hop,
    pub context: &'a Context,
}

/// What a Knative Ingress is translated from.
pub(super) fn source(
    ingress: &KIngress,
    ingress_class: &str,
    context: &Context,
) -> Result<Source, Refusal> {
    let namespace = ingress.namespace().unwrap_or_default();
    let labelled = ingress.labels().get(SERVICE).cloned();
    let service = labelled.unwrap_or_else(|| ingress.name_any());
    let binding = binding_of(&namespace, &service, ingress_class, context);
    if let Some(binding) = binding.as_ref().filter(|binding| say(binding) == Say::Kept) {
        return Err(Refusal::new(
            Reason::Pending,
            format!(
                "GatewayBinding {namespace}/{}: spec.mode is not Apply, and spec.alb is not what is in force. What was served before stays until mode is Apply, or spec.alb is as it was.",
                binding.name_any()
            ),
        ));
    }
    let rules = binding.and_then(|binding| binding.spec.alb?.revision_rules);
    let mut gray = gray::of_binding(rules.as_deref().unwrap_or_default());
    gray.extend(gray::of_annotations(ingress.annotations())?);
    Ok(Source {
        spec: ingress.read()?,
        tags: ingress.tags(),
        namespace,
        service,
        gray,
    })
}

impl Cluster for Namespace<'_> {
    fn service(&self, name: &str) -> Option<Backing> {
        let reference = ObjectRef::new(name).within(self.name);
        let found = self.context.stores.services.get(&reference)?;
        let reference = ObjectRef::new_with(name, serverless_service()).within(self.name);
        let scaling = self.context.alb.scaling.get(&reference);
        Some(backing(&found, scaling.as_deref()))
    }

    fn revisions(&self, service: &str) -> Vec<String> {
        let services = self.context.stores.services.state();
        let mut names: Vec<String> = services
            .iter()
            .filter(|found| {
                let labels = found.labels();
                found.namespace().as_deref() == Some(self.name)
                    && labels.get(SERVICE).map(String::as_str) == Some(service)
                    && labels.get(SERVICE_TYPE).map(String::as_str) == Some("Public")
            })
            .map(|found| found.name_any())
            .collect();
        names.sort();
        names
    }

    fn serving(&self, host: &str) -> Option<Source> {
        let ingresses = self.context.alb.kingresses.state();
        let mut here = ingresses.iter().filter(|ingress| {
            ingress.metadata.namespace.as_deref() == Some(self.name)
                && ingress.class() == Some(self.ingress_class)
                && ingress.metadata.deletion_timestamp.is_none()
                && ingress.has_host(host)
        });
        here.find_map(|ingress| source(ingress, self.ingress_class, self.context).ok())
    }

    fn hop(&self) -> Hop {
        self.hop.clone()
    }
}

fn backing(service: &Service, scaling: Option<&DynamicObject>) -> Backing {
    let spec = service.spec.as_ref();
    let ports = spec.and_then(|spec| spec.ports.as_ref());
    let ports = ports.into_iter().flatten().filter_map(|port| {
        let number = u16::try_from(port.port).ok()?;
        Some((port.name.clone().unwrap_or_default(), number))
    });
    let type_ = spec.and_then(|spec| spec.type_.as_deref());
    Backing {
        ports: ports.collect(),
        is_external_name: type_ == Some("ExternalName"),
        activator: scaling.map(activator).unwrap_or_default(),
    }
}

/// A revision that is never scaled to zero and needs no help with bursts is not behind the activator,
/// but while it starts. Of others it does not count what they are at the moment: rules would follow
/// every up and down.
fn activator(scaling: &DynamicObject) -> Activator {
    let number = |names: [&str; 2]| -> Option<f64> {
        let annotations = scaling.annotations();
        let text = names.iter().find_map(|name| annotations.get(*name))?;
        text.parse().ok()
    };
    let least = number([
        "autoscaling.knative.dev/min-scale",
        "autoscaling.knative.dev/minScale",
    ]);
    let burst = number([
        "autoscaling.knative.dev/target-burst-capacity",
        "autoscaling.knative.dev/targetBurstCapacity",
    ]);
    if least.is_none_or(|least| least < 1.0) || burst != Some(0.0) {
        return Activator::Possible;
    }
    let conditions = scaling.data["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    let is_out = conditions.any(|condition| {
        condition["type"] == "ActivatorEndpointsPopulated" && condition["status"] == "False"
    });
    if scaling.data["spec"]["mode"] == "Serve" && is_out {
        Activator::Never
    } else {
        Activator::StillThere
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scaling(annotations: serde_json::Value, mode: &str, activator: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "ServerlessService",
            "metadata": {"name": "r", "annotations": annotations},
            "spec": {"mode": mode},
            "status": {"conditions": [{"type": "ActivatorEndpointsPopulated", "status": activator}]},
        }))
        .unwrap()
    }

    #[test]
    fn only_what_always_has_pods_and_needs_no_help_is_never_behind_the_activator() {
        let least = "autoscaling.knative.dev/min-scale";
        let burst = "autoscaling.knative.dev/target-burst-capacity";
        let old = "autoscaling.knative.dev/minScale";
        for (annotations, wanted) in [
            (json!({}), Activator::Possible),
            (json!({least: "1"}), Activator::Possible),
            (json!({burst: "0"}), Activator::Possible),
            (json!({least: "0", burst: "0"}), Activator::Possible),
            (json!({least: "1", burst: "-1"}), Activator::Possible),
            (json!({least: "x", burst: "0"}), Activator::Possible),
            (json!({least: "1", burst: "0"}), Activator::Never),
            (json!({old: "2", burst: "0"}), Activator::Never),
        ] {
            let found = activator(&scaling(annotations.clone(), "Serve", "False"));
            assert_eq!(found, wanted, "{annotations}");
        }
    }

    #[test]
    fn it_is_still_there_until_its_addresses_are_out() {
        let settled = || json!({"autoscaling.knative.dev/min-scale": "1", "autoscaling.knative.dev/target-burst-capacity": "0"});
        for (mode, addresses) in [("Proxy", "True"), ("Serve", "True"), ("Proxy", "False")] {
            let found = activator(&scaling(settled(), mode, addresses));
            assert_eq!(found, Activator::StillThere, "{mode} {addresses}");
        }
    }

    #[test]
    fn a_service_tells_its_ports_and_type() {
        let service: Service = serde_json::from_value(json!({
            "metadata": {"name": "r"},
            "spec": {"type": "ExternalName", "ports": [{"name": "http", "port": 80}, {"port": 81}]},
        }))
        .unwrap();
        let found = backing(&service, None);
        assert!(found.is_external_name);
        assert_eq!(found.ports, [("http".to_owned(), 80), (String::new(), 81)]);
        assert_eq!(found.activator, Activator::Unknown);
    }
}
