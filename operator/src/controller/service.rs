//! Kubernetes Services as decisions see them.

use std::collections::BTreeMap;

use crds::keys;
use crds::v1alpha1::{ExternalTrafficPolicy, SessionAffinity};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use crate::core::desired::ServiceShape;
use crate::core::observed::ServiceState;

/// Label that the cloud controller manager sets to the load balancer's id.
const LOAD_BALANCER_ID: &str = "service.k8s.alibaba/loadbalancer-id";
/// Label that it sets to a digest of the Service it has dealt with.
pub(super) const HASH: &str = "service.beta.kubernetes.io/hash";
/// Time after which it has dealt with a Service, whatever it says.
const LONG: SignedDuration = SignedDuration::from_mins(2);
/// Annotations that the cloud controller manager reads.
const CLOUD_ANNOTATIONS: &str = "service.beta.kubernetes.io/";

/// Reduces a Service to what decisions need. `cluster` tells our Services from those of another
/// operator's instance.
pub fn state(service: &Service, cluster: &str) -> ServiceState {
    let annotations = service.annotations().clone();
    let managed = service.labels().get(keys::MANAGED_BY).map(String::as_str);
    let of_cluster = annotations.get(keys::OWNED_BY_CLUSTER).map(String::as_str);
    let spec = service.spec.as_ref();
    ServiceState {
        uid: service.uid().unwrap_or_default(),
        type_: spec.and_then(|spec| spec.type_.clone()).unwrap_or_default(),
        created_by_us: managed == Some(keys::FIELD_MANAGER) && of_cluster == Some(cluster),
        our_annotations: our_annotations(service),
        writers: writers(service),
        annotations,
        shape: shape(service),
        load_balancer_id: service.labels().get(LOAD_BALANCER_ID).cloned(),
        address: address(service),
        deleting: service.metadata.deletion_timestamp.is_some(),
        class: spec.and_then(|spec| spec.load_balancer_class.clone()),
        settled: settled(service),
        warning: None,
    }
}

/// When this operator wrote to a Service last, if it ever did.
pub fn written_at(service: &Service) -> Option<Timestamp> {
    let entries = service.metadata.managed_fields.iter().flatten();
    let ours = entries.filter(|entry| entry.manager.as_deref() == Some(keys::FIELD_MANAGER));
    ours.filter_map(|entry| Some(entry.time.as_ref()?.0)).max()
}

/// The label by which the cloud controller manager says what it has dealt with.
pub fn handled(service: &Service) -> Option<&String> {
    service.labels().get(HASH)
}

/// Whether the cloud controller manager has had long enough to deal with what we wrote last.
fn settled(service: &Service) -> bool {
    written_at(service).is_none_or(|written| Timestamp::now().duration_since(written) > LONG)
}

/// Whether the cloud controller manager says that it has dealt with what we wrote last, as far as whole
/// seconds tell. It says so by the label with a digest, which does not move if a Service went back to what
/// it was before it looked.
pub fn is_dealt_with(service: &Service) -> bool {
    let Some(written) = written_at(service) else {
        return true;
    };
    handled_by(service).is_some_and(|(_, says)| says > written)
}

/// Whether nobody but us wrote anything since the cloud controller manager said what it has dealt with.
pub fn is_up_to_date(service: &Service) -> bool {
    let says = handled_by(service);
    let entries = service.metadata.managed_fields.iter().flatten();
    let others = entries.filter(|entry| {
        let manager = entry.manager.as_deref();
        let known = [Some(keys::FIELD_MANAGER), says.map(|(manager, _)| manager)];
        entry.subresource.is_none() && !known.contains(&manager)
    });
    let written = others.filter_map(|entry| Some(entry.time.as_ref()?.0));
    match (written.max(), says) {
        (Some(written), Some((_, says))) => says > written,
        (Some(_), None) => false,
        (None, _) => true,
    }
}

/// Who set the label of the cloud controller manager, and when.
fn handled_by(service: &Service) -> Option<(&str, Timestamp)> {
    let field = format!("/f:metadata/f:labels/f:{}", HASH.replace('/', "~1"));
    let entries = service.metadata.managed_fields.iter().flatten();
    let says = entries.filter_map(|entry| {
        entry.fields_v1.as_ref()?.0.pointer(&field)?;
        Some((entry.manager.as_deref()?, entry.time.as_ref()?.0))
    });
    says.max_by_key(|(_, time)| *time)
}

/// What can be ours of a Service, without what the API server allots.
pub fn shape(service: &Service) -> ServiceShape {
    let Some(spec) = &service.spec else {
        return ServiceShape::default();
    };
    let ports = spec.ports.iter().flatten().map(|port| ServicePort {
        node_port: None,
        protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
        target_port: Some(
            port.target_port
                .clone()
                .unwrap_or(IntOrString::Int(port.port)),
        ),
        ..port.clone()
    });
    ServiceShape {
        selector: spec.selector.clone().unwrap_or_default(),
        ports: ports.collect(),
        external_traffic_policy: match spec.external_traffic_policy.as_deref() {
            Some("Local") => ExternalTrafficPolicy::Local,
            _ => ExternalTrafficPolicy::Cluster,
        },
        session_affinity: match spec.session_affinity.as_deref() {
            Some("ClientIP") => SessionAffinity::ClientIP,
            _ => SessionAffinity::None,
        },
        load_balancer_class: spec.load_balancer_class.clone(),
    }
}

fn address(service: &Service) -> Option<String> {
    let ingress = service
        .status
        .as_ref()?
        .load_balancer
        .as_ref()?
        .ingress
        .as_ref()?
        .first()?;
    ingress.ip.clone().or_else(|| ingress.hostname.clone())
}

/// Keys of the cloud's annotations that our field manager owns.
fn our_annotations(service: &Service) -> Vec<String> {
    let ours = service
        .metadata
        .managed_fields
        .iter()
        .flatten()
        .filter(|entry| entry.manager.as_deref() == Some(keys::FIELD_MANAGER))
        .filter_map(|entry| entry.fields_v1.as_ref());
    let mut found: BTreeMap<String, ()> = BTreeMap::new();
    for fields in ours {
        let annotations = fields.0.pointer("/f:metadata/f:annotations");
        for key in annotations
            .and_then(|value| value.as_object())
            .into_iter()
            .flat_map(|map| map.keys())
        {
            if let Some(key) = key
                .strip_prefix("f:")
                .filter(|key| key.starts_with(CLOUD_ANNOTATIONS))
            {
                found.insert(key.to_owned(), ());
            }
        }
    }
    found.into_keys().collect()
}

/// Managers of annotations and of fields of the spec, but for our own.
fn writers(service: &Service) -> BTreeMap<String, Vec<String>> {
    let mut writers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let entries = service.metadata.managed_fields.iter().flatten();
    for entry in entries.filter(|entry| entry.manager.as_deref() != Some(keys::FIELD_MANAGER)) {
        let manager = entry.manager.as_deref().unwrap_or_default();
        let operation = entry.operation.as_deref().unwrap_or_default();
        let name = format!("\"{manager}\" ({operation})");
        for place in ["/f:metadata/f:annotations", "/f:spec"] {
            let fields = entry.fields_v1.as_ref();
            let fields = fields.and_then(|fields| fields.0.pointer(place)?.as_object());
            let fields = fields.into_iter().flat_map(|fields| fields.keys());
            for field in fields.filter_map(|field| field.strip_prefix("f:")) {
                writers
                    .entry(field.to_owned())
                    .or_default()
                    .push(name.clone());
            }
        }
    }
    writers
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_our_field_manager_owns_is_known() {
        let service: Service = serde_json::from_value(json!({
            "metadata": {
                "name": "g", "namespace": "n", "uid": "u",
                "labels": {keys::MANAGED_BY: keys::FIELD_MANAGER, LOAD_BALANCER_ID: "lb-1"},
                "annotations": {keys::OWNED_BY_CLUSTER: "c1f0"},
                "managedFields": [
                    {"manager": keys::FIELD_MANAGER, "operation": "Apply", "fieldsType": "FieldsV1",
                     "fieldsV1": {"f:metadata": {"f:annotations": {
                        "f:service.beta.kubernetes.io/alibaba-cloud-loadbalancer-name": {},
                        "f:gatewaybinding.dev/cluster-id": {},
                     }}}},
                    {"manager": "kubectl", "operation": "Update", "fieldsType": "FieldsV1",
                     "fieldsV1": {"f:metadata": {"f:annotations": {"f:service.beta.kubernetes.io/x": {}}}}},
                ],
            },
            "spec": {"ports": [{"port": 80, "nodePort": 30080}], "selector": {"a": "b"}, "type": "LoadBalancer"},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.168.0.23"}]}},
        }))
        .unwrap();
        let state = state(&service, "c1f0");
        assert!(state.created_by_us);
        assert_eq!(
            state.our_annotations,
            ["service.beta.kubernetes.io/alibaba-cloud-loadbalancer-name"]
        );
        let writers = &state.writers["service.beta.kubernetes.io/x"];
        assert_eq!(writers, &["\"kubectl\" (Update)"]);
        assert_eq!(state.writers.len(), 1, "our own writes are not among them");
        assert_eq!(state.load_balancer_id.as_deref(), Some("lb-1"));
        assert_eq!(state.address.as_deref(), Some("192.168.0.23"));
        assert_eq!(state.shape.ports[0].node_port, None);
        assert!(!super::state(&service, "other").created_by_us);
    }
}
