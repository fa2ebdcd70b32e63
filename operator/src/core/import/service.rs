//! A Service that somebody annotated by hand, as a gateway of a class and a binding.

use serde_json::{Value, json};

use super::label::Labels;
use super::{Import, Manifest};
use crate::core::balancer::LoadBalancer;
use crate::core::observed::ServiceState;
use crate::core::slb::Finding;
use crate::core::{nlb, slb};
use crds::v1alpha1::NlbGateway;

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
    pub load_balancer: Option<LoadBalancer>,
}

/// A class whose gateway is the Service, with the settings that its annotations say; a binding for it;
/// and what the annotations do not say.
pub fn of_service(service: &AnnotatedService) -> Import {
    let (block, settings, findings) = read(service);
    let mut notes = vec![format!(
        "Service {}/{}, as it is annotated. cloud.credentials says where the operator itself gets its credentials; Environment stands for the variables that this command used.",
        service.namespace, service.name
    )];
    let mut left = Vec::new();
    for finding in &findings {
        let note = format!("annotation {}: {}", finding.name, finding.why);
        match finding.left_out {
            true => left.push(note),
            false => notes.push(format!("Take care of {note}")),
        }
    }
    if service.restricts && block == "slb" {
        notes.push("Take care of spec.loadBalancerSourceRanges: a classic load balancer restricts nobody by it, whatever the event of the cloud controller manager says. Say who may connect in clientAddresses.".to_owned());
    }
    if service.restricts && block == "nlb" {
        notes.push("Take care of spec.loadBalancerSourceRanges: the cloud controller manager makes a security group for it, and settings do not speak of it.".to_owned());
    }
    notes.extend(service.load_balancer.as_ref().map(|actual| {
        let what = match actual {
            LoadBalancer::Classic(actual) => {
                format!("{}, {}", actual.address_type, actual.instance_charge)
            }
            LoadBalancer::Network(actual) => actual.address_type.to_lowercase(),
        };
        format!("Its load balancer is {} ({what}).", actual.id())
    }));
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
                block: {
                    "service": {"namespace": service.namespace, "name": service.name},
                    "settings": settings,
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

/// What the Service says to the kind of load balancer that its class asks for: the name of the block,
/// the settings, and what else there is to know.
fn read(service: &AnnotatedService) -> (&'static str, Value, Vec<Finding>) {
    let actual = service.load_balancer.as_ref();
    let annotations = &service.state.annotations;
    if service.state.class.as_deref() == Some(NlbGateway::LOAD_BALANCER_CLASS) {
        let reading = nlb::read(annotations, actual.and_then(LoadBalancer::network));
        return ("nlb", json!(reading.settings), reading.findings);
    }
    let actual = actual.and_then(LoadBalancer::classic);
    let type_ = actual.map(|actual| actual.address_type.as_str());
    let reading = slb::read(annotations, type_);
    ("slb", json!(reading.settings), reading.findings)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::Service;

    use super::*;
    use crate::core::nlb::NlbState;
    use crate::core::observed::LoadBalancerState;

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
            load_balancer: Some(LoadBalancer::Classic(LoadBalancerState {
                id: "lb-1".into(),
                address_type: "internet".into(),
                ..LoadBalancerState::default()
            })),
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

    #[test]
    fn a_service_of_the_class_becomes_a_gateway_with_a_network_load_balancer() {
        let annotations = [
            ("zone-maps", "cn-b-g:vsw-a,cn-b-h:vsw-b"),
            ("idle-timeout", "60"),
            ("delete-protection", "off"),
        ]
        .map(|(name, value)| (format!("{NEW}{name}"), value.to_owned()));
        let mut service = service(annotations.into());
        service.state.class = Some(NlbGateway::LOAD_BALANCER_CLASS.into());
        service.load_balancer = Some(LoadBalancer::Network(NlbState {
            id: "nlb-1".into(),
            address_type: "Internet".into(),
            ..NlbState::default()
        }));
        let import = of_service(&service);
        let nlb = &import.manifests[0].object["spec"]["gateways"][0]["nlb"];
        let settings = json!({
            "addressType": "Internet",
            "zoneMappings": [
                {"zoneId": "cn-b-g", "vswitchId": "vsw-a"},
                {"zoneId": "cn-b-h", "vswitchId": "vsw-b"},
            ],
            "idleTimeout": "60s",
        });
        assert_eq!(nlb["settings"], settings);
        let notes = import.manifests[0].notes.join("\n");
        assert!(notes.contains("nlb-1 (internet)"), "{notes}");
        let left = import.left.join("\n");
        assert!(
            left.contains("delete-protection") && left.contains("network"),
            "{left}"
        );
    }
}
