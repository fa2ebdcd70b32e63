//! Services of type LoadBalancer as gateways of a class.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::GatewayService;
use super::apis::Part;
use super::label::Labels;
use crate::core::slb;

/// A gateway of the class.
pub(super) struct Gateway {
    pub(super) name: String,
    /// Its entry among the gateways.
    pub(super) entry: Value,
    /// Its entry among the backends of the API gateway.
    pub(super) backend: Value,
    pub(super) notes: Vec<String>,
}

/// Those that APIs are reached through, each once.
pub(super) fn gateways(parts: &[Part<'_>]) -> Vec<Gateway> {
    let mut found = BTreeMap::new();
    for part in parts {
        found.entry(&part.backend.id).or_insert(part);
    }
    found.values().map(|part| gateway(part)).collect()
}

/// Name of a gateway. Two Services of one name in two namespaces are told apart by the namespace.
pub(super) fn name(service: &GatewayService) -> String {
    let title = match service.namespace.as_str() {
        "istio-system" | "knative-serving" | "kube-system" => service.name.clone(),
        namespace => format!("{}-{namespace}", service.name),
    };
    Labels::default().take(&title, 50, "gateway")
}

fn gateway(part: &Part<'_>) -> Gateway {
    let service = part.gateway;
    let name = name(service);
    let (settings, rest) = slb::settings(&service.annotations, service.address_type.as_deref());
    let mut notes = Vec::new();
    if !rest.is_empty() {
        notes.push(format!(
            "Service {}/{} has settings that a class has no field for; they stay as they are: {}.",
            service.namespace,
            service.name,
            rest.join(", ")
        ));
    }
    let entry = json!({
        "name": &name,
        "slb": {
            "service": {"namespace": service.namespace, "name": service.name},
            "settings": settings,
        },
    });
    let backend = json!({
        "gateway": &name,
        "port": part.backend.spec.port,
        "existing": {"id": part.backend.id},
    });
    Gateway {
        name,
        entry,
        backend,
        notes,
    }
}
