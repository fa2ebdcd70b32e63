//! A Service that somebody annotated by hand, as a gateway of a class and a binding.

use serde_json::json;

use super::label::Labels;
use super::{Import, Manifest};
use crate::core::observed::{LoadBalancerState, ServiceState};
use crate::core::slb;

/// An annotated Service, with what the class and the binding are to say of its surroundings.
#[derive(Clone, Debug, Default)]
pub struct AnnotatedService {
    /// Name that the class is to have.
    pub class: String,
    /// Id of the account.
    pub account: String,
    /// Id of the region.
    pub region: String,
    /// Id of the cluster.
    pub cluster: String,
    /// Namespace of the Service.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether it says by `loadBalancerSourceRanges` who may connect.
    pub restricts: bool,
    /// What it is.
    pub state: ServiceState,
    /// Its load balancer, if it has one.
    pub load_balancer: Option<LoadBalancerState>,
}

/// A class whose gateway is the Service, with the settings that its annotations say; a binding for it;
/// and what the annotations do not say.
pub fn of_service(service: &AnnotatedService) -> Import {
    let actual = service.load_balancer.as_ref();
    let type_ = actual.map(|actual| actual.address_type.as_str());
    let reading = slb::read(&service.state.annotations, type_);
    let mut notes = vec![format!(
        "Service {}/{}, as it is annotated. cloud.credentials says where the operator itself gets its credentials; Environment stands for the variables that this command used.",
        service.namespace, service.name
    )];
    let mut left = Vec::new();
    for finding in &reading.findings {
        let note = format!("annotation {}: {}", finding.name, finding.why);
        match finding.left_out {
            true => left.push(note),
            false => notes.push(format!("Take care of {note}")),
        }
    }
    if service.restricts {
        notes.push("Take care of spec.loadBalancerSourceRanges: a classic load balancer restricts nobody by it, whatever the event of the cloud controller manager says. Say who may connect in clientAddresses.".to_owned());
    }
    if let Some(actual) = actual {
        notes.push(format!(
            "Its load balancer is {} ({}, {}).",
            actual.id, actual.address_type, actual.instance_charge
        ));
    }
    let gateway = Labels::default().take(&service.name, 50, "gateway");
    let class = json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1",
        "kind": "GatewayBindingClass",
        "metadata": {"name": service.class},
        "spec": {
            "cloud": {
                "accountId": service.account,
                "regionId": service.region,
                "clusterId": service.cluster,
                "credentials": {"type": "Environment"},
            },
            "defaults": {"gateway": &gateway},
            "gateways": [{
                "name": &gateway,
                "slb": {
                    "service": {"namespace": service.namespace, "name": service.name},
                    "settings": reading.settings,
                },
            }],
        },
    });
    let port = service.state.shape.ports.first().map(|port| port.port);
    let binding = json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1",
        "kind": "GatewayBinding",
        "metadata": {"name": service.name, "namespace": service.namespace},
        "spec": {
            "className": service.class,
            "serviceRef": {"kind": "Service", "name": service.name, "port": port},
        },
    });
    Import {
        manifests: vec![
            Manifest {
                notes,
                object: class,
            },
            Manifest {
                notes: Vec::new(),
                object: binding,
            },
        ],
        left,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::Service;

    use super::*;

    const NEW: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";

    fn service(annotations: BTreeMap<String, String>) -> AnnotatedService {
        AnnotatedService {
            class: "imported".into(),
            namespace: "default".into(),
            name: "nginx".into(),
            state: ServiceState {
                annotations,
                ..ServiceState::default()
            },
            load_balancer: Some(LoadBalancerState {
                id: "lb-1".into(),
                address_type: "internet".into(),
                ..LoadBalancerState::default()
            }),
            ..AnnotatedService::default()
        }
    }

    /// The samples of "Knative Gateway (SLB)" and of "API Gateway for K8S clusters", word for word.
    const ARTICLES: &str = include_str!("articles.yaml");

    #[test]
    fn the_samples_of_the_articles_are_settings_or_are_told_to_be_dead() {
        let mut all = Vec::new();
        let documents: Vec<serde_json::Value> =
            serde_saphyr::from_multiple(ARTICLES).expect("YAML");
        for document in documents {
            let read: Service = serde_json::from_value(document).expect("a Service");
            let annotations = read.metadata.annotations.unwrap_or_default();
            let import = of_service(&service(annotations));
            let class = &import.manifests[0].object;
            let settings = class["spec"]["gateways"][0]["slb"]["settings"].to_string();
            all.push((settings, import.left));
        }
        let expected = [
            ("{\"addressType\":\"Intranet\"}", 0),
            ("{\"addressType\":\"Internet\"}", 1),
            (
                "{\"addressType\":\"Internet\",\"zones\":{\"backup\":\"cn-beijing-f\",\"primary\":\"cn-beijing-g\"}}",
                0,
            ),
            ("{\"addressType\":\"Internet\"}", 2),
            (
                "{\"addressType\":\"Internet\",\"name\":\"your-svc-name\"}",
                0,
            ),
            ("{\"existing\":{\"id\":\"lb-2zeabcdefgh\"}}", 0),
            (
                "{\"existing\":{\"id\":\"lb-2zehgfedcba\",\"listeners\":\"Override\"}}",
                0,
            ),
            ("{\"addressType\":\"Intranet\"}", 0),
        ];
        let found: Vec<(&str, usize)> = all
            .iter()
            .map(|(settings, left)| (settings.as_str(), left.len()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_dangerous_stands_above_the_class() {
        let annotations = [(format!("{NEW}preserve-lb-on-delete"), "false".to_owned())];
        let mut service = service(annotations.into());
        service.restricts = true;
        let import = of_service(&service);
        let notes = import.manifests[0].notes.join("\n");
        for words in ["preserves as well", "restricts nobody", "lb-1 (internet"] {
            assert!(notes.contains(words), "no {words:?} in {notes}");
        }
    }
}
