//! From a Service's port to the addresses behind it, as its EndpointSlices have them.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use k8s_openapi::{
    api::{core::v1::Service, discovery::v1::EndpointSlice},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt as _;

/// Label of an EndpointSlice: the Service it belongs to.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Namespace, Service and the name of its port (empty if it has none).
type PortKey = (String, String, String);

/// The ready addresses of all Services.
#[derive(Clone, Debug, Default)]
pub struct Backends {
    /// Number of each Service's port → its name.
    port_names: HashMap<(String, String, i32), String>,
    ready: HashMap<PortKey, Vec<SocketAddr>>,
}

impl Backends {
    /// Reads all Services and EndpointSlices of the cluster.
    pub fn new<'a>(
        services: impl IntoIterator<Item = &'a Service>,
        slices: impl IntoIterator<Item = &'a EndpointSlice>,
    ) -> Self {
        let mut backends = Self::default();
        for service in services {
            let namespace = service.namespace().unwrap_or_default();
            for port in service
                .spec
                .iter()
                .flat_map(|spec| spec.ports.iter().flatten())
            {
                let key = (namespace.clone(), service.name_any(), port.port);
                backends
                    .port_names
                    .insert(key, port.name.clone().unwrap_or_default());
            }
        }
        for slice in slices {
            backends.add(slice);
        }
        for addresses in backends.ready.values_mut() {
            addresses.sort_unstable();
            addresses.dedup();
        }
        backends
    }

    fn add(&mut self, slice: &EndpointSlice) {
        let Some(service) = slice.labels().get(SERVICE_NAME) else {
            return;
        };
        let ready = slice.endpoints.iter().filter(|endpoint| {
            // Absent means ready, says the API.
            endpoint
                .conditions
                .as_ref()
                .and_then(|conditions| conditions.ready)
                .unwrap_or(true)
        });
        let ips: Vec<IpAddr> = ready
            .flat_map(|endpoint| &endpoint.addresses)
            .filter_map(|ip| ip.parse().ok())
            .collect();
        for port in slice.ports.iter().flatten() {
            let Some(number) = port.port.and_then(|number| u16::try_from(number).ok()) else {
                continue;
            };
            let key = (
                slice.namespace().unwrap_or_default(),
                service.clone(),
                port.name.clone().unwrap_or_default(),
            );
            self.ready
                .entry(key)
                .or_default()
                .extend(ips.iter().map(|ip| SocketAddr::new(*ip, number)));
        }
    }

    /// The ready addresses behind a Service's port; none also if there is no such Service or port.
    pub fn ready(&self, namespace: &str, service: &str, port: &IntOrString) -> &[SocketAddr] {
        let name = match port {
            IntOrString::String(name) => Some(name),
            IntOrString::Int(number) => {
                self.port_names
                    .get(&(namespace.to_owned(), service.to_owned(), *number))
            }
        };
        let key = name.map(|name| (namespace.to_owned(), service.to_owned(), name.clone()));
        key.and_then(|key| self.ready.get(&key))
            .map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backends() -> Backends {
        let service: Service = serde_saphyr::from_str(
            "{metadata: {name: web, namespace: shop}, spec: {ports: [{name: http, port: 80}, {name: https, port: 443}]}}",
        )
        .unwrap();
        let slice = |name: &str, endpoints: &str| -> EndpointSlice {
            serde_saphyr::from_str(&format!(
                "{{addressType: IPv4, metadata: {{name: {name}, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}, \
                 ports: [{{name: http, port: 8080}}], endpoints: {endpoints}}}"
            ))
            .unwrap()
        };
        let first = slice(
            "web-1",
            "[{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], conditions: {ready: false}}]",
        );
        let second = slice(
            "web-2",
            "[{addresses: [10.0.0.3], conditions: {ready: true}}, {addresses: [10.0.0.1]}]",
        );
        Backends::new([&service], [&first, &second])
    }

    #[test]
    fn ready_addresses_of_all_slices_under_the_number_or_name_of_the_services_port() {
        let expected: Vec<SocketAddr> = vec![
            "10.0.0.1:8080".parse().unwrap(),
            "10.0.0.3:8080".parse().unwrap(),
        ];
        let backends = backends();
        assert_eq!(
            backends.ready("shop", "web", &IntOrString::Int(80)),
            expected
        );
        assert_eq!(
            backends.ready("shop", "web", &IntOrString::String("http".into())),
            expected
        );
    }

    #[test]
    fn nothing_is_behind_another_port_service_or_namespace() {
        let backends = backends();
        assert!(
            backends
                .ready("shop", "web", &IntOrString::Int(443))
                .is_empty()
        );
        assert!(
            backends
                .ready("shop", "web", &IntOrString::Int(8080))
                .is_empty()
        );
        assert!(
            backends
                .ready("shop", "other", &IntOrString::Int(80))
                .is_empty()
        );
        assert!(
            backends
                .ready("default", "web", &IntOrString::Int(80))
                .is_empty()
        );
    }
}
