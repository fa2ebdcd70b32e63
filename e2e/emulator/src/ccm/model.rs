//! What a Service asks for, read before anything is called.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::BackendMode;
use super::annotations::Annotations;
use super::error::SyncError;

/// The names CCM derives from a Service.
pub(super) struct Names {
    service: String,
    namespace: String,
    cluster_id: String,
    uid: String,
}

impl Names {
    pub(super) fn of(service: &Service, cluster_id: &str) -> Self {
        let metadata = &service.metadata;
        Self {
            service: metadata.name.clone().unwrap_or_default(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            cluster_id: cluster_id.to_owned(),
            uid: metadata.uid.clone().unwrap_or_default(),
        }
    }

    /// `a` and the UID without dashes, cut to 32 characters: name and tag of the load balancer.
    pub(super) fn load_balancer(&self) -> String {
        let name: String = format!("a{}", self.uid.replace('-', ""));
        name.chars().take(32).collect()
    }

    /// `k8s/<port>/<service>/<namespace>/<cluster>`: vServer groups and descriptions.
    pub(super) fn of_port(&self, port: &str) -> String {
        format!(
            "k8s/{port}/{}/{}/{}",
            self.service, self.namespace, self.cluster_id
        )
    }

    /// Whether a name was made by [`Names::of_port`] for this Service.
    pub(super) fn owns(&self, name: &str) -> bool {
        let mut parts = name.split('/');
        parts.next() == Some("k8s")
            && parts.next().is_some()
            && parts.next() == Some(&self.service)
            && parts.next() == Some(&self.namespace)
            && parts.next() == Some(&self.cluster_id)
            && parts.next().is_none()
    }

    /// `k8s.<port>.<PROTOCOL>.<service>.<namespace>.<cluster>`: the same for network load balancers.
    pub(super) fn of_network_port(&self, port: &str, protocol: &str) -> String {
        format!(
            "k8s.{port}.{protocol}.{}.{}.{}",
            self.service, self.namespace, self.cluster_id
        )
    }

    /// Whether a name was made by [`Names::of_network_port`] for this Service.
    pub(super) fn owns_network(&self, name: &str) -> bool {
        let end = format!(".{}.{}.{}", self.service, self.namespace, self.cluster_id);
        let port = name
            .strip_prefix("k8s.")
            .and_then(|name| name.strip_suffix(&end));
        port.is_some_and(|port| port.split('.').count() == 2)
    }

    pub(super) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    pub(super) fn uid(&self) -> &str {
        &self.uid
    }
}

/// A listener the Service asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedListener {
    pub(super) port: i32,
    /// `tcp`, `udp`, `http` or `https`.
    pub(super) protocol: String,
    pub(super) description: String,
    /// The name of its vServer group; none when it forwards.
    pub(super) group: Option<String>,
    /// Settings by parameter name.
    pub(super) settings: BTreeMap<&'static str, String>,
    /// Certificates of domains, on HTTPS listeners; none: they stay as they are.
    pub(super) domains: Option<BTreeMap<String, String>>,
}

/// All that is read from the Service.
pub(super) struct Model {
    pub(super) listeners: Vec<WantedListener>,
    pub(super) ports: Vec<WantedPort>,
    pub(super) mode: BackendMode,
    pub(super) bandwidth: Option<i64>,
    /// Weights of servers that are there already stay as they are.
    pub(super) ignore_weights: bool,
}

/// A port of the Service and the vServer group behind it.
#[derive(Debug, Clone)]
pub(super) struct WantedPort {
    pub(super) group: String,
    /// The name of the port, which EndpointSlices repeat.
    pub(super) name: Option<String>,
    pub(super) node_port: Option<i32>,
}

/// Reads a Service. The first value that cannot be read fails it as a whole.
pub(super) fn build(
    service: &Service,
    names: &Names,
    default_mode: BackendMode,
) -> Result<Model, SyncError> {
    let annotations = Annotations::of(service);
    let bandwidth = annotations
        .get("bandwidth")
        .map(|text| {
            text.parse()
                .map_err(|_| SyncError::Model(format!("bandwidth must be integer, got [{text}]")))
        })
        .transpose()?;
    let mode = match annotations.exact("service.beta.kubernetes.io/backend-type") {
        Some("eni") => BackendMode::Eni,
        Some("ecs") => BackendMode::Ecs,
        _ => default_mode,
    };
    let protocols = protocol_ports(annotations.get("protocol-port"))?;
    let forwards = forward_ports(annotations.get("forward-port"))?;
    let domains = super::certificates::domains(annotations)?;
    let mut listeners = Vec::new();
    let mut ports = Vec::new();
    for port in service
        .spec
        .iter()
        .flat_map(|spec| spec.ports.iter().flatten())
    {
        let group = names.of_port(&group_port(port, mode));
        let protocol = protocols
            .get(&port.port)
            .cloned()
            .unwrap_or_else(|| own_protocol(port));
        let forward = forwards.get(&port.port).filter(|_| protocol == "http");
        let is_https = protocol == "https";
        let mut settings = super::listeners::wanted_settings(annotations, &protocol)?;
        if let Some(target) = forward {
            settings.insert("ListenerForward", "on".to_owned());
            settings.insert("ForwardPort", target.to_string());
        }
        listeners.push(WantedListener {
            port: port.port,
            protocol,
            description: names.of_port(&port.port.to_string()),
            group: forward.is_none().then(|| group.clone()),
            settings,
            domains: if is_https { domains.clone() } else { None },
        });
        ports.push(WantedPort {
            group,
            name: port.name.clone(),
            node_port: port.node_port,
        });
    }
    Ok(Model {
        listeners,
        ports,
        mode,
        bandwidth,
        ignore_weights: annotations.get("ignore-weight-update") == Some("on"),
    })
}

fn own_protocol(port: &ServicePort) -> String {
    port.protocol.as_deref().unwrap_or("TCP").to_lowercase()
}

/// The port that the name of a group carries.
pub(super) fn group_port(port: &ServicePort, mode: BackendMode) -> String {
    match (mode, &port.target_port) {
        (BackendMode::Ecs, _) => port.node_port.unwrap_or_default().to_string(),
        (BackendMode::Eni, Some(IntOrString::Int(number))) => number.to_string(),
        (BackendMode::Eni, Some(IntOrString::String(name))) => name.clone(),
        (BackendMode::Eni, None) => port.port.to_string(),
    }
}

/// `https:443,http:80`
fn protocol_ports(text: Option<&str>) -> Result<BTreeMap<i32, String>, SyncError> {
    let mut found = BTreeMap::new();
    for pair in text.into_iter().flat_map(|text| text.split(',')) {
        let (protocol, port) = pair.split_once(':').ok_or_else(|| {
            SyncError::Model(format!("port and protocol format must be like 'https:443' with colon separated. got=[{pair}]"))
        })?;
        if !["http", "https", "tcp", "udp"].contains(&protocol) {
            return Err(SyncError::Model(format!(
                "port protocol format must be either [http|https|tcp|udp], protocol not supported wit [{protocol}]\n"
            ).trim_end().to_owned()));
        }
        let port: i32 = port.parse().map_err(|_| {
            SyncError::Model(format!(
                "protocol port must be integer, got [{port}] instead"
            ))
        })?;
        found.insert(port, protocol.to_owned());
    }
    Ok(found)
}

/// `80:443,88:6443`
fn forward_ports(text: Option<&str>) -> Result<BTreeMap<i32, i32>, SyncError> {
    let mut found = BTreeMap::new();
    for pair in text.into_iter().flat_map(|text| text.split(',')) {
        let parsed = pair
            .split_once(':')
            .and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        let (from, to) = parsed.ok_or_else(|| {
            SyncError::Model(format!(
                "forward-port format error: {pair}, expect 80:443,88:6443"
            ))
        })?;
        found.insert(from, to);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(annotations: &[(&str, &str)]) -> Service {
        let prefix = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
        let pairs = annotations
            .iter()
            .map(|(key, value)| (format!("{prefix}{key}"), (*value).to_owned()));
        let annotations: BTreeMap<String, String> = pairs.collect();
        let json = serde_json::json!({
            "metadata": {"name": "gw", "namespace": "ns", "uid": "01234567-89ab-cdef-0123-456789abcdef", "annotations": annotations},
            "spec": {"type": "LoadBalancer", "ports": [
                {"name": "http", "port": 80, "targetPort": 8081, "nodePort": 30080, "protocol": "TCP"},
                {"name": "https", "port": 443, "targetPort": "tls", "protocol": "TCP"},
            ]},
        });
        serde_json::from_value(json).expect("a Service")
    }

    fn model(annotations: &[(&str, &str)]) -> Result<Model, SyncError> {
        let service = service(annotations);
        build(&service, &Names::of(&service, "c1"), BackendMode::Eni)
    }

    #[test]
    fn names_follow_the_uid_and_the_service() {
        let names = Names::of(&service(&[]), "c1");
        assert_eq!(names.load_balancer(), "a0123456789abcdef0123456789abcde");
        assert_eq!(names.of_port("80"), "k8s/80/gw/ns/c1");
        assert!(names.owns("k8s/80/gw/ns/c1"));
        assert!(!names.owns("k8s/80/gw/ns/c2"));
        assert!(!names.owns("k8s/80/gw/ns/c1/x"));
    }

    #[test]
    fn groups_carry_the_target_port_of_pods_and_the_node_port_of_nodes() {
        let pods = model(&[]).expect("valid");
        let groups: Vec<_> = pods.ports.iter().map(|port| port.group.as_str()).collect();
        assert_eq!(groups, ["k8s/8081/gw/ns/c1", "k8s/tls/gw/ns/c1"]);
        let service = service(&[]);
        let nodes = build(&service, &Names::of(&service, "c1"), BackendMode::Ecs).expect("valid");
        assert_eq!(nodes.ports[0].group, "k8s/30080/gw/ns/c1");
    }

    #[test]
    fn protocols_are_taken_per_port_and_spelled_exactly() {
        let http = model(&[("protocol-port", "http:80")]).expect("valid");
        assert_eq!(http.listeners[0].protocol, "http");
        assert_eq!(http.listeners[1].protocol, "tcp");
        for wrong in ["grpc:80", "http:80, https:443", "http"] {
            assert!(
                matches!(model(&[("protocol-port", wrong)]), Err(SyncError::Model(_))),
                "{wrong}"
            );
        }
    }

    #[test]
    fn forwarding_listeners_have_no_group() {
        let model = model(&[
            ("protocol-port", "http:80,https:443"),
            ("forward-port", "80:443"),
        ])
        .expect("valid");
        assert_eq!(model.listeners[0].group, None);
        assert_eq!(model.listeners[0].settings["ForwardPort"], "443");
        assert!(model.listeners[1].group.is_some());
    }

    #[test]
    fn a_bandwidth_that_is_no_number_fails_the_model() {
        let Err(refusal) = model(&[("bandwidth", "abc")]) else {
            panic!("accepted")
        };
        assert_eq!(
            refusal.to_string(),
            "build lb local model error: bandwidth must be integer, got [abc]"
        );
    }
}
