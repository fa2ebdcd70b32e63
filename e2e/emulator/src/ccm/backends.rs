//! Backend servers of a Service: pods or nodes.

use k8s_openapi::api::core::v1::{Node, ObjectReference, Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

use super::BackendMode;
use super::annotations::Annotations;
use super::error::SyncError;
use super::interfaces::eni_id;

/// The weight of a server where nothing is said.
const WEIGHT: i64 = 100;
const VIRTUAL_NODE: &str = "virtual-kubelet";
const MASTER: &str = "node-role.kubernetes.io/master";
const LEAVING: &str = "ToBeDeletedByClusterAutoscaler";

/// A backend server of one group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Server {
    /// Empty as long as nobody looked up which network interface an address is of.
    pub(super) id: String,
    /// Empty for a node, whose address the cloud knows.
    pub(super) ip: String,
    pub(super) port: i32,
    pub(super) weight: i64,
    /// `eni` or `ecs`.
    pub(super) kind: String,
    /// The name of the group, unless somebody else put it there.
    pub(super) description: String,
    pub(super) node: Option<String>,
    pub(super) pod: Option<ObjectReference>,
}

impl Server {
    /// As the calls of the product get it: CCM sends all members of its own structure.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "IsUserManaged": false,
            "NodeName": self.node,
            "description": self.description,
            "serverId": self.id,
            "serverIp": self.ip,
            "weight": self.weight,
            "port": self.port,
            "type": self.kind,
            "TargetRef": self.pod,
            "Invalid": false,
        })
    }

    /// Whether two are the same: pods by address as well, nodes by id and port.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        self.is_of(other) && self.port == other.port
    }

    /// The same without the port. It is asked of the wanted one.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.id == other.id && (self.kind != "eni" || self.ip == other.ip)
    }
}

/// What the cluster says about a Service.
pub(super) struct Cluster {
    pub(super) slices: Vec<EndpointSlice>,
    pub(super) nodes: Vec<Node>,
}

/// What is said of weights.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weights {
    /// All servers of a group together.
    pub(super) sum: Option<i64>,
    /// Each of them.
    pub(super) each: Option<i64>,
}

/// The nodes that may be servers of a Service.
pub(super) fn candidates<'a>(
    annotations: Annotations<'_>,
    cluster: &'a Cluster,
) -> Result<Vec<&'a Node>, SyncError> {
    let schedulable_only = annotations.get("remove-unscheduled-backend") == Some("on");
    let mut found = Vec::new();
    for node in &cluster.nodes {
        if is_chosen(annotations, node)? && is_usable(node, schedulable_only) {
            found.push(node);
        }
    }
    Ok(found)
}

/// `k1=v1,k2=v2`, all of which must hold; a pair without `=` is an error once it is come to.
fn is_chosen(annotations: Annotations<'_>, node: &Node) -> Result<bool, SyncError> {
    let said = annotations.get("backend-label");
    for pair in said.into_iter().flat_map(|said| said.split(',')) {
        let mut parts = pair.split('=');
        let (Some(key), Some(value)) = (parts.next(), parts.next()) else {
            return Err(SyncError::said(format!(
                "get nodes error: filter nodes by label error: parse backend label: {pair}, [k1=v1,k2=v2]"
            )));
        };
        if label(node, key) != Some(value) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_usable(node: &Node, schedulable_only: bool) -> bool {
    let spec = node.spec.as_ref();
    let taints = spec.and_then(|spec| spec.taints.as_ref());
    let leaves = taints.is_some_and(|taints| taints.iter().any(|taint| taint.key == LEAVING));
    let cordoned = spec.and_then(|spec| spec.unschedulable) == Some(true);
    if label(node, MASTER).is_some() || leaves || (cordoned && schedulable_only) {
        return false;
    }
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let conditions = conditions.map(Vec::as_slice).unwrap_or_default();
    is_virtual(node)
        || (!conditions.is_empty()
            && !conditions
                .iter()
                .any(|condition| condition.type_ == "Ready" && condition.status != "True"))
}

fn label<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    let labels = node.metadata.labels.as_ref()?;
    labels.get(key).map(String::as_str)
}

fn is_virtual(node: &Node) -> bool {
    label(node, "type") == Some(VIRTUAL_NODE)
}

/// Whether a node never takes traffic of load balancers.
pub(super) fn is_excluded(node: &Node) -> bool {
    const EXCLUDING: [&str; 2] = [
        "service.beta.kubernetes.io/exclude-node",
        "service.alibabacloud.com/exclude-node",
    ];
    EXCLUDING.iter().any(|key| label(node, key).is_some())
        || provider_id(node).starts_with("ack-hybrid://")
}

/// Whether changes of a node do not matter.
pub(super) fn is_ignored(node: &Node) -> bool {
    is_excluded(node) || label(node, MASTER).is_some()
}

fn is_left_out(node: &Node) -> bool {
    const LEAVING_OUT: [&str; 2] = [
        "node.kubernetes.io/exclude-from-external-load-balancers",
        "alpha.service-controller.kubernetes.io/exclude-balancer",
    ];
    LEAVING_OUT.iter().any(|key| label(node, key).is_some()) || is_excluded(node)
}

fn provider_id(node: &Node) -> &str {
    let spec = node.spec.as_ref();
    spec.and_then(|spec| spec.provider_id.as_deref())
        .unwrap_or_default()
}

/// The provider id is `<region>.<instance>`, with or without `alicloud://` before it.
fn instance_id(node: &Node) -> Result<String, SyncError> {
    let provider = provider_id(node);
    let bare = provider.strip_prefix("alicloud://").unwrap_or(provider);
    match bare.split('.').nth(1) {
        Some(instance) => Ok(instance.to_owned()),
        None => Err(SyncError::said(format!(
            "alicloud: unable to split instanceid and region from providerID, error unexpected providerID={bare}"
        ))
        .within(format!(
            "parse providerid: {provider}. expected: ${{regionid}}.${{nodeid}}"
        ))),
    }
}

/// The servers behind one port. `None` says that there were not even candidates.
pub(super) fn of_port(
    service: &Service,
    mode: BackendMode,
    port: &ServicePort,
    group: &str,
    cluster: &Cluster,
    weights: Weights,
) -> Result<Vec<Server>, SyncError> {
    let pods = pods(port, group, cluster);
    if mode == BackendMode::Eni {
        return Ok(weighed(pods, false, weights));
    }
    let nodes = candidates(Annotations::of(service), cluster)?;
    let spec = service.spec.as_ref();
    let local = spec.and_then(|spec| spec.external_traffic_policy.as_deref()) == Some("Local");
    let node_port = port.node_port.unwrap_or_default();
    let of_node = |node: &Node, name: Option<&str>| -> Result<Server, SyncError> {
        Ok(Server {
            id: instance_id(node)?,
            ip: String::new(),
            port: node_port,
            weight: WEIGHT,
            kind: "ecs".to_owned(),
            description: group.to_owned(),
            node: name.map(str::to_owned),
            pod: None,
        })
    };
    let mut servers = Vec::new();
    if !local {
        for node in nodes.iter().filter(|node| !is_left_out(node)) {
            servers.push(of_node(node, None)?);
        }
    }
    let mut of_virtual = Vec::new();
    for pod in pods {
        let Some(name) = pod.node.clone() else {
            let (service, ip) = (
                service.metadata.name.as_deref().unwrap_or_default(),
                &pod.ip,
            );
            return Err(SyncError::said(format!(
                "add ecs backends for service[{service}] error, NodeName is nil for ip {ip} "
            )));
        };
        let named = |node: &&&Node| node.metadata.name.as_deref() == Some(&name);
        let Some(node) = nodes.iter().find(named) else {
            continue;
        };
        if is_virtual(node) {
            of_virtual.push(pod);
        } else if local && !is_left_out(node) {
            let server = of_node(node, Some(&name))?;
            servers.push(Server {
                pod: pod.pod,
                ..server
            });
        }
    }
    servers.append(&mut of_virtual);
    let mut servers = weighed(servers, local, weights);
    let mut seen = Vec::new();
    servers.retain(|server| {
        let is_new = server.kind != "ecs" || !seen.contains(&server.id);
        seen.push(server.id.clone());
        is_new
    });
    Ok(servers)
}

/// Ready addresses of the slices, each once. A slice that does not say is not ready, as CCM sees it.
fn pods(port: &ServicePort, group: &str, cluster: &Cluster) -> Vec<Server> {
    let name = port.name.as_deref().unwrap_or_default();
    let mut found: Vec<Server> = Vec::new();
    for slice in cluster
        .slices
        .iter()
        .filter(|slice| slice.address_type == "IPv4")
    {
        let mut ports = slice.ports.iter().flatten();
        let number = match &port.target_port {
            Some(IntOrString::Int(number)) => Some(*number),
            _ => ports
                .find(|other| other.name.as_deref() == Some(name))
                .and_then(|other| other.port),
        };
        let Some(number) = number.filter(|number| *number != 0) else {
            continue;
        };
        for endpoint in &slice.endpoints {
            let conditions = endpoint.conditions.as_ref();
            let is = |flag: Option<bool>| flag == Some(true);
            let ready = conditions.is_some_and(|one| is(one.ready) && !is(one.terminating));
            for ip in endpoint.addresses.iter().filter(|_| ready) {
                if found.iter().any(|known| known.ip == *ip) {
                    continue;
                }
                found.push(Server {
                    id: eni_id(ip),
                    ip: ip.clone(),
                    port: number,
                    weight: WEIGHT,
                    kind: "eni".to_owned(),
                    description: group.to_owned(),
                    node: endpoint.node_name.clone(),
                    pod: endpoint.target_ref.clone(),
                });
            }
        }
    }
    found
}

/// A sum is shared out; without one each has the same, or as many as it has pods where these count.
fn weighed(mut servers: Vec<Server>, by_pods: bool, weights: Weights) -> Vec<Server> {
    let count = |id: &str, servers: &[Server]| {
        let same = servers.iter().filter(|server| server.id == id).count();
        i64::try_from(same).unwrap_or(i64::MAX)
    };
    let all = i64::try_from(servers.len()).unwrap_or(i64::MAX).max(1);
    let shares: Vec<i64> = servers
        .iter()
        .map(|server| {
            let parts = match by_pods && server.kind == "ecs" {
                true => count(&server.id, &servers),
                false => 1,
            };
            match weights.sum {
                Some(0) => 0,
                Some(sum) => (sum * parts / all).max(1),
                None if by_pods => parts,
                None => weights.each.unwrap_or(WEIGHT),
            }
        })
        .collect();
    for (server, share) in servers.iter_mut().zip(shares) {
        server.weight = share;
    }
    servers
}

/// A weight that is said.
pub(super) fn weight(
    annotations: Annotations<'_>,
    suffix: &str,
    name: &str,
) -> Result<Option<i64>, SyncError> {
    let said = annotations.get(suffix).unwrap_or_default();
    let wrong = || {
        SyncError::said(format!(
            "{name} must be integer in range [0,100] , got [{said}]"
        ))
    };
    let weight = annotations.whole(suffix).map_err(|_| wrong())?;
    match weight {
        Some(weight) if !(0..=100).contains(&weight) => Err(wrong()),
        weight => Ok(weight),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(target: Value) -> ServicePort {
        let port = json!({"name": "http", "port": 80, "targetPort": target, "nodePort": 30080});
        serde_json::from_value(port).expect("a port")
    }

    fn cluster() -> Cluster {
        let node = |name: &str, labels: Value| -> Node {
            serde_json::from_value(json!({
                "metadata": {"name": name, "labels": labels},
                "spec": {"providerID": format!("cn-hangzhou.i-{name}"), "unschedulable": name == "b"},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            }))
            .expect("a Node")
        };
        let slice = json!({
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8081}, {"name": "https", "port": 8444}],
            "endpoints": [
                {"addresses": ["10.1.0.1"], "nodeName": "a", "conditions": {"ready": true}},
                {"addresses": ["10.1.0.2"], "nodeName": "a", "conditions": {"ready": false}},
                {"addresses": ["10.1.0.3"], "nodeName": "a", "conditions": {"ready": true}},
                {"addresses": ["10.1.0.4"], "nodeName": "c", "conditions": {}},
            ],
        });
        Cluster {
            slices: vec![serde_json::from_value(slice).expect("a slice")],
            nodes: vec![
                node("a", json!({"pool": "ingress"})),
                node("b", json!({"pool": "ingress"})),
                node(
                    "c",
                    json!({"node.kubernetes.io/exclude-from-external-load-balancers": ""}),
                ),
                node("m", json!({"node-role.kubernetes.io/master": ""})),
            ],
        }
    }

    fn servers(service: Value, mode: BackendMode, target: Value, weights: Weights) -> Vec<String> {
        let service: Service = serde_json::from_value(service).expect("a Service");
        let servers = of_port(&service, mode, &port(target), "g", &cluster(), weights);
        let servers = servers.expect("servers").into_iter();
        servers
            .map(|one| {
                format!(
                    "{}{}:{} {}",
                    one.ip,
                    if one.ip.is_empty() {
                        one.id
                    } else {
                        String::new()
                    },
                    one.port,
                    one.weight
                )
            })
            .collect()
    }

    #[test]
    fn ready_pods_are_servers_by_the_number_or_the_name_of_their_port() {
        let of = |target: Value| servers(json!({}), BackendMode::Eni, target, Weights::default());
        assert_eq!(of(json!(9)), ["10.1.0.1:9 100", "10.1.0.3:9 100"]);
        assert_eq!(of(json!("any")), ["10.1.0.1:8081 100", "10.1.0.3:8081 100"]);
    }

    #[test]
    fn nodes_are_servers_unless_they_are_left_out() {
        let of = |service: Value| servers(service, BackendMode::Ecs, json!(9), Weights::default());
        assert_eq!(of(json!({})), ["i-a:30080 100", "i-b:30080 100"]);
        const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
        let said = |suffix: &str, value: &str| {
            let key = format!("{PREFIX}{suffix}");
            json!({"metadata": {"annotations": {key: value}}})
        };
        assert_eq!(
            of(said("backend-label", "pool=other")),
            Vec::<String>::new()
        );
        assert_eq!(
            of(said("remove-unscheduled-backend", "on")),
            ["i-a:30080 100"]
        );
        assert_eq!(of(said("remove-unscheduled-backend", "true")).len(), 2);
        let local = json!({"spec": {"externalTrafficPolicy": "Local"}});
        assert_eq!(of(local), ["i-a:30080 2"]);
    }

    #[test]
    fn a_sum_of_weights_is_shared_out() {
        let weights = |sum| Weights {
            sum: Some(sum),
            each: None,
        };
        let of = |sum| servers(json!({}), BackendMode::Eni, json!(9), weights(sum));
        assert_eq!(of(60), ["10.1.0.1:9 30", "10.1.0.3:9 30"]);
        assert_eq!(of(1), ["10.1.0.1:9 1", "10.1.0.3:9 1"]);
        assert_eq!(of(0), ["10.1.0.1:9 0", "10.1.0.3:9 0"]);
    }

    #[test]
    fn a_node_needs_a_provider_id() {
        let mut cluster = cluster();
        for node in &mut cluster.nodes {
            node.spec.as_mut().expect("set").provider_id = Some("kind://x".to_owned());
        }
        let weights = Weights::default();
        let service = Service::default();
        let servers = of_port(
            &service,
            BackendMode::Ecs,
            &port(json!(9)),
            "g",
            &cluster,
            weights,
        );
        let refusal = servers.expect_err("no provider id").to_string();
        assert!(
            refusal.contains("expected: ${regionid}.${nodeid}"),
            "{refusal}"
        );
    }
}
