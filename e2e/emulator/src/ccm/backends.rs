//! Backend servers of a Service: pods or nodes.

use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::BackendMode;
use super::annotations::Annotations;
use super::error::SyncError;
use super::model::{Model, WantedPort};

/// A backend server of one vServer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) id: String,
    pub(super) ip: String,
    pub(super) port: i32,
    pub(super) weight: i64,
    kind: &'static str,
}

impl Server {
    /// Its kind as network load balancers name it.
    pub(super) fn network_kind(&self) -> &'static str {
        match self.kind {
            "eni" => "Eni",
            _ => "Ecs",
        }
    }
}

/// What the cluster says about a Service.
pub(super) struct Cluster {
    pub(super) slices: Vec<EndpointSlice>,
    pub(super) nodes: Vec<Node>,
}

impl Server {
    /// As the calls of the product want it.
    pub(super) fn to_json(&self, group_name: &str) -> Value {
        json!({
            "serverId": self.id,
            "serverIp": self.ip,
            "port": self.port,
            "weight": self.weight,
            "type": self.kind,
            "description": group_name,
        })
    }
}

/// The servers behind one port.
pub(super) fn of_port(
    service: &Service,
    model: &Model,
    port: &WantedPort,
    cluster: &Cluster,
) -> Result<Vec<Server>, SyncError> {
    let weight = Annotations::of(service)
        .number("default-weight")?
        .unwrap_or(100);
    let mut servers = match model.mode {
        BackendMode::Eni => pods(port, cluster, weight),
        BackendMode::Ecs => nodes(service, port, cluster, weight)?,
    };
    servers.sort_by(|one, other| {
        (&one.ip, &one.id, one.port).cmp(&(&other.ip, &other.id, other.port))
    });
    servers.dedup();
    Ok(servers)
}

/// Ready addresses of the slices, each with the slice's port of the same name.
fn pods(port: &WantedPort, cluster: &Cluster, weight: i64) -> Vec<Server> {
    let name = port.name.as_deref().unwrap_or_default();
    let of_slice = |slice: &EndpointSlice| -> Vec<Server> {
        let mut ports = slice.ports.iter().flatten();
        let found = ports.find(|other| other.name.as_deref().unwrap_or_default() == name);
        let Some(number) = found.and_then(|other| other.port) else {
            return Vec::new();
        };
        ready_endpoints(slice)
            .flat_map(|endpoint| &endpoint.addresses)
            .map(|ip| Server {
                id: eni_id(ip),
                ip: ip.clone(),
                port: number,
                weight,
                kind: "eni",
            })
            .collect()
    };
    cluster.slices.iter().flat_map(of_slice).collect()
}

fn ready_endpoints(
    slice: &EndpointSlice,
) -> impl Iterator<Item = &k8s_openapi::api::discovery::v1::Endpoint> {
    slice.endpoints.iter().filter(|endpoint| {
        endpoint
            .conditions
            .as_ref()
            .and_then(|conditions| conditions.ready)
            .unwrap_or(true)
    })
}

/// CCM asks ECS for the network interface of a pod address. There is no ECS here, so the id is
/// derived from the address.
pub(crate) fn eni_id(ip: &str) -> String {
    let digest: String = hex::encode(Sha256::digest(ip)).chars().take(17).collect();
    format!("eni-{digest}")
}

fn nodes(
    service: &Service,
    port: &WantedPort,
    cluster: &Cluster,
    weight: i64,
) -> Result<Vec<Server>, SyncError> {
    // Without a node port there is nothing to send traffic to.
    let Some(node_port) = port.node_port.filter(|number| *number > 0) else {
        return Ok(Vec::new());
    };
    let spec = service.spec.as_ref();
    let local = spec.and_then(|spec| spec.external_traffic_policy.as_deref()) == Some("Local");
    let chosen = Chosen::of(Annotations::of(service))?;
    let mut servers = Vec::new();
    let nodes = cluster.nodes.iter();
    for node in nodes.filter(|node| takes_traffic(node) && chosen.has(node)) {
        if local && !hosts_endpoint(node, cluster) {
            continue;
        }
        servers.push(Server {
            id: instance_id(node)?,
            ip: internal_ip(node),
            port: node_port,
            weight,
            kind: "ecs",
        });
    }
    Ok(servers)
}

/// The nodes that a Service chooses.
struct Chosen<'a> {
    labels: Vec<(&'a str, &'a str)>,
    schedulable: bool,
}

impl<'a> Chosen<'a> {
    /// `k1=v1,k2=v2`, all of which must hold; a pair without `=` is an error.
    fn of(annotations: Annotations<'a>) -> Result<Self, SyncError> {
        let said = annotations.get("backend-label");
        let pairs = said.into_iter().flat_map(|said| said.split(','));
        let pairs = pairs.map(|pair| {
            pair.split_once('=').ok_or_else(|| {
                SyncError::Model(format!("backend label format error: {pair}, expect k1=v1"))
            })
        });
        Ok(Self {
            labels: pairs.collect::<Result<_, _>>()?,
            schedulable: annotations.get("remove-unscheduled-backend") == Some("on"),
        })
    }

    fn has(&self, node: &Node) -> bool {
        let labels = node.metadata.labels.as_ref();
        let label = |key: &str| {
            labels
                .and_then(|labels| labels.get(key))
                .map(String::as_str)
        };
        let cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true);
        let mut pairs = self.labels.iter();
        pairs.all(|(key, value)| label(key) == Some(value)) && !(self.schedulable && cordoned)
    }
}

fn takes_traffic(node: &Node) -> bool {
    const EXCLUDING: [&str; 5] = [
        "node-role.kubernetes.io/master",
        "node-role.kubernetes.io/control-plane",
        "node.kubernetes.io/exclude-from-external-load-balancers",
        "service.alibabacloud.com/exclude-node",
        "service.beta.kubernetes.io/exclude-node",
    ];
    let labels = node.metadata.labels.as_ref();
    !labels.is_some_and(|labels| EXCLUDING.iter().any(|label| labels.contains_key(*label)))
}

fn hosts_endpoint(node: &Node, cluster: &Cluster) -> bool {
    let mut endpoints = cluster.slices.iter().flat_map(ready_endpoints);
    endpoints.any(|endpoint| endpoint.node_name == node.metadata.name)
}

/// The provider id is `<region>.<instance>`, with or without `alicloud://` before it.
fn instance_id(node: &Node) -> Result<String, SyncError> {
    let provider = node
        .spec
        .as_ref()
        .and_then(|spec| spec.provider_id.as_deref())
        .unwrap_or_default();
    let bare = provider.strip_prefix("alicloud://").unwrap_or(provider);
    match bare.split_once('.') {
        Some((_, instance)) if !instance.is_empty() => Ok(instance.to_owned()),
        _ => Err(SyncError::Apply(format!(
            "parse providerid: {provider}. expected: ${{regionid}}.${{nodeid}}"
        ))),
    }
}

fn internal_ip(node: &Node) -> String {
    let addresses = node
        .status
        .iter()
        .flat_map(|status| status.addresses.iter().flatten());
    let mut internal = addresses.filter(|address| address.type_ == "InternalIP");
    internal
        .next()
        .map(|address| address.address.clone())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(json: Value) -> EndpointSlice {
        serde_json::from_value(json).expect("an EndpointSlice")
    }

    fn port(name: &str) -> WantedPort {
        WantedPort {
            group: "g".to_owned(),
            name: Some(name.to_owned()),
            node_port: Some(30_080),
        }
    }

    #[test]
    fn ready_pods_of_the_named_port_are_servers() {
        let cluster = Cluster {
            slices: vec![slice(json!({
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": 8081}, {"name": "https", "port": 8444}],
                "endpoints": [
                    {"addresses": ["10.1.0.1"]},
                    {"addresses": ["10.1.0.2"], "conditions": {"ready": false}},
                ],
            }))],
            nodes: Vec::new(),
        };
        let servers = pods(&port("http"), &cluster, 100);
        let places: Vec<_> = servers
            .iter()
            .map(|server| (server.ip.as_str(), server.port))
            .collect();
        assert_eq!(places, [("10.1.0.1", 8081)]);
        assert!(pods(&port("other"), &cluster, 100).is_empty());
    }

    #[test]
    fn nodes_need_a_provider_id_and_no_excluding_label() {
        let node = |json: Value| -> Node { serde_json::from_value(json).expect("a Node") };
        let good = node(json!({
            "metadata": {"name": "a"},
            "spec": {"providerID": "cn-hangzhou.i-1"},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.9"}]},
        }));
        let excluded = node(json!({
            "metadata": {"name": "b", "labels": {"node-role.kubernetes.io/control-plane": ""}},
        }));
        let broken = node(json!({"metadata": {"name": "c"}, "spec": {"providerID": "kind://x"}}));
        let service = Service::default();
        let servers = |nodes: Vec<Node>| {
            nodes_of(
                &service,
                Cluster {
                    slices: Vec::new(),
                    nodes,
                },
            )
        };
        assert_eq!(servers(vec![good, excluded]).expect("valid")[0].id, "i-1");
        let refusal = servers(vec![broken])
            .expect_err("no provider id")
            .to_string();
        assert!(
            refusal.contains("expected: ${regionid}.${nodeid}"),
            "{refusal}"
        );
    }

    #[test]
    fn a_service_chooses_nodes_by_labels_and_may_leave_cordoned_ones() {
        let node = |name: &str, pool: &str, cordoned: bool| -> Node {
            serde_json::from_value(json!({
                "metadata": {"name": name, "labels": {"pool": pool}},
                "spec": {"providerID": format!("cn-hangzhou.i-{name}"), "unschedulable": cordoned},
            }))
            .expect("a Node")
        };
        let all = [
            node("a", "ingress", false),
            node("b", "ingress", true),
            node("c", "other", false),
        ];
        let servers = |annotations: Value| {
            let service = serde_json::from_value(json!({"metadata": {"annotations": annotations}}));
            let cluster = Cluster {
                slices: Vec::new(),
                nodes: all.to_vec(),
            };
            let servers = nodes_of(&service.expect("a Service"), cluster).expect("valid");
            servers.len()
        };
        const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
        let label = format!("{PREFIX}backend-label");
        let cordoned = format!("{PREFIX}remove-unscheduled-backend");
        assert_eq!(servers(json!({})), 3);
        assert_eq!(servers(json!({label.as_str(): "pool=ingress"})), 2);
        assert_eq!(
            servers(json!({label.as_str(): "pool=ingress", cordoned.as_str(): "on"})),
            1
        );
        assert_eq!(servers(json!({cordoned: "true"})), 3);
    }

    fn nodes_of(service: &Service, cluster: Cluster) -> Result<Vec<Server>, SyncError> {
        nodes(service, &port("http"), &cluster, 100)
    }
}
