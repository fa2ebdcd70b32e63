//! The way within the cluster for splits that ALB cannot serve by itself: a companion Knative Ingress on
//! Kourier, whose Envoy sets headers for each split, and a Service through which ALB reaches Envoy.

use std::collections::{BTreeMap, BTreeSet};

use crds::keys;
use k8s_openapi::api::core::v1::{Endpoints, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use serde_json::{Map, Value, json};

use super::kingress::{CLASS, KIngress, LABEL, Path, Split};
use super::refusal::Refusal;
use super::render::label_value;
use super::rule::{Forward, Group, takes_host};
use super::translate::{Cluster, Source, Translation, groups};
use crate::core::names::short_hash;

/// Kourier's Service for requests from within the cluster.
pub const GATEWAY: &str = "kourier-internal";
/// Label with the Service that an EndpointSlice is of.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The port of [`GATEWAY`] for plain requests.
const GATEWAY_PORT: &str = "http2";
/// The port of our own Service.
const PORT: u16 = 80;
/// Its name.
const PORT_NAME: &str = "http";

/// The way within the cluster, as far as there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hop {
    /// Requests may go to this Service, in the namespace of the Knative Ingress.
    Through(String),
    /// Kourier was not found in this namespace.
    NotThere(String),
    /// The class does not want it.
    #[default]
    Unwanted,
}

impl Hop {
    /// What else can be done about a split that ALB cannot serve, for a message.
    pub fn way_out(&self) -> String {
        match self {
            Self::Through(_) => String::new(),
            Self::NotThere(namespace) => format!(
                ", or install Kourier, through which such requests then go: there is no Service \"{GATEWAY}\" with addresses in namespace \"{namespace}\", which alb.hop.namespace of the class names"
            ),
            Self::Unwanted => {
                ", or let such requests go through Kourier: alb.hop.through of the class is Nothing"
                    .to_owned()
            }
        }
    }
}

/// The rule for a path whose requests go through the hop. Headers are set there, for each split.
pub(super) fn forward(
    path: &Path,
    at: &str,
    service: &str,
    cluster: &dyn Cluster,
) -> Result<Forward, Refusal> {
    // Where one of its Services is missing, Kourier would leave everything as it was, without a word.
    groups(&path.splits, at, cluster)?;
    let headers = path.headers.iter();
    let forward = Forward {
        is_gray: false,
        path: path.path.clone(),
        headers: headers
            .map(|(name, value)| (name.clone(), value.exact.clone()))
            .collect(),
        cookies: Vec::new(),
        insert: BTreeMap::new(),
        rewrite_host: None,
        groups: vec![Group {
            service: service.to_owned(),
            port: PORT,
            weight: 100,
        }],
    };
    forward.check(at)?;
    Ok(forward)
}

/// Whether a rule leads to the hop.
pub(super) fn is_hop(forward: &Forward, hop: &Hop) -> bool {
    let Hop::Through(service) = hop else {
        return false;
    };
    forward.groups.iter().any(|group| group.service == *service)
}

/// Whether any rule does.
pub fn is_used(translation: &Translation, hop: &Hop) -> bool {
    let mut rules = translation.children.iter().flat_map(|child| &child.rules);
    rules.any(|rule| is_hop(&rule.forward, hop))
}

/// Name of the companion of a Knative Ingress, and of the Service beside it: a DNS label.
pub fn name(owner: &str) -> String {
    let hash = short_hash(&format!("{owner}/hop"));
    let room = 63 - "hop--".len() - hash.len();
    let readable = owner.get(..room).unwrap_or(owner).replace('.', "-");
    format!("hop-{readable}-{hash}")
}

/// Whether a Knative Ingress is a companion that we made.
pub fn is_companion(ingress: &KIngress) -> bool {
    ingress.labels().get(keys::MANAGED_BY).map(String::as_str) == Some(keys::FIELD_MANAGER)
}

/// Kourier's words about a companion that it does not serve, for a message; none while it is at work.
pub fn complaint(companion: &KIngress) -> String {
    let ready = companion.condition("Ready");
    let failed = ready.filter(|ready| ready["status"] == "False");
    let words = failed.and_then(|failed| failed["message"].as_str());
    words.map_or_else(String::new, |words| {
        format!(": {}", words.trim_end_matches('.'))
    })
}

/// What a companion is to have.
#[derive(Clone, Debug, PartialEq)]
pub struct Companion {
    owner: String,
    owner_uid: String,
    namespace: String,
    class: String,
    spec: Value,
}

impl Companion {
    /// The companion of a Knative Ingress: everything that one serves, not only what needs the hop, so
    /// that it may go on while rules of ALB are being changed; for requests from within the cluster only.
    pub fn of(ingress: &KIngress, class: &str, source: &Source, cluster: &dyn Cluster) -> Self {
        let rules = source.spec.rules.iter().filter_map(|rule| {
            let hosts: Vec<&String> = rule.hosts.iter().filter(|host| takes_host(host)).collect();
            let paths = rule.http.paths.iter();
            let paths = paths.flat_map(|path| flattened(path, cluster));
            let paths: Vec<Value> = paths.map(|path| path_value(&path)).collect();
            let rule =
                json!({"hosts": hosts, "visibility": "ClusterLocal", "http": {"paths": paths}});
            (!hosts.is_empty()).then_some(rule)
        });
        let rules: Vec<Value> = rules.collect();
        Self {
            owner: ingress.name_any(),
            owner_uid: ingress.uid().unwrap_or_default(),
            namespace: source.namespace.clone(),
            class: class.to_owned(),
            spec: json!({"httpOption": "Enabled", "rules": rules}),
        }
    }

    /// Whether one is as it is to be.
    pub fn is_met_by(&self, found: &KIngress) -> bool {
        found.spec == self.spec
            && found.annotations().get(CLASS) == Some(&self.class)
            && self.is_ours(found)
    }

    /// Whether one was made for this Knative Ingress.
    pub fn is_ours(&self, found: &KIngress) -> bool {
        let mut owners = found.owner_references().iter();
        is_companion(found) && owners.any(|owner| owner.uid == self.owner_uid)
    }

    /// For server-side apply.
    pub fn body(&self) -> Value {
        json!({
            "apiVersion": "networking.internal.knative.dev/v1alpha1",
            "kind": "Ingress",
            "metadata": {
                "name": name(&self.owner),
                "namespace": self.namespace,
                "labels": labels(&self.owner),
                "annotations": {CLASS: self.class},
                "ownerReferences": [owner_reference(&self.owner, &self.owner_uid)],
            },
            "spec": self.spec,
        })
    }
}

fn labels(owner: &str) -> Value {
    json!({
        LABEL: label_value(owner),
        keys::MANAGED_BY: keys::FIELD_MANAGER,
    })
}

fn owner_reference(name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "Ingress",
        "name": name,
        "uid": uid,
        "controller": true,
    })
}

/// The paths that serve a path. One that stands for another host names a Service that is only another
/// name for a load balancer, so what serves that other host is put in its place.
fn flattened(path: &Path, cluster: &dyn Cluster) -> Vec<Path> {
    let host = &path.rewrite_host;
    let target = (!host.is_empty()).then(|| cluster.serving(host)).flatten();
    let Some(target) = target else {
        return vec![path.clone()];
    };
    let rules = target.spec.rules.iter();
    let rules = rules.filter(|rule| rule.hosts.contains(host));
    let paths = rules.flat_map(|rule| &rule.http.paths).map(|target| {
        let mut flat = target.clone();
        flat.rewrite_host.clone_from(host);
        flat.append_headers.extend(path.append_headers.clone());
        flat
    });
    paths.collect()
}

fn path_value(path: &Path) -> Value {
    let mut value = Map::new();
    for (key, text) in [("path", &path.path), ("rewriteHost", &path.rewrite_host)] {
        if !text.is_empty() {
            value.insert(key.to_owned(), json!(text));
        }
    }
    if !path.headers.is_empty() {
        let headers = path.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), json!({"exact": value.exact})));
        value.insert("headers".to_owned(), Value::Object(headers.collect()));
    }
    if !path.append_headers.is_empty() {
        value.insert("appendHeaders".to_owned(), json!(path.append_headers));
    }
    let serving = path.splits.iter().filter(|split| split.percent > 0);
    value.insert("splits".to_owned(), serving.map(split_value).collect());
    Value::Object(value)
}

fn split_value(split: &Split) -> Value {
    let mut value = json!({
        "serviceNamespace": split.service_namespace,
        "serviceName": split.service_name,
        "servicePort": split.service_port,
        "percent": split.percent,
    });
    if !split.append_headers.is_empty() {
        value["appendHeaders"] = json!(split.append_headers);
    }
    value
}

/// A ready address of the gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    port: u16,
    ip: String,
    node: Option<String>,
    /// Namespace and name.
    pod: Option<(String, String)>,
}

/// Ready addresses of the gateway, by its EndpointSlices.
pub fn addresses<'a>(slices: impl Iterator<Item = &'a EndpointSlice>) -> BTreeSet<Address> {
    let mut found = BTreeSet::new();
    for slice in slices.filter(|slice| slice.address_type == "IPv4") {
        let mut ports = slice.ports.iter().flatten();
        let port = ports.find(|port| port.name.as_deref() == Some(GATEWAY_PORT));
        let Some(port) = port.and_then(|port| u16::try_from(port.port?).ok()) else {
            continue;
        };
        for endpoint in &slice.endpoints {
            let conditions = endpoint.conditions.as_ref();
            if conditions.is_some_and(|conditions| conditions.ready == Some(false)) {
                continue;
            }
            let pod = endpoint.target_ref.as_ref().and_then(pod);
            found.extend(endpoint.addresses.iter().map(|ip| Address {
                port,
                ip: ip.clone(),
                node: endpoint.node_name.clone(),
                pod: pod.clone(),
            }));
        }
    }
    found
}

fn pod(target: &k8s_openapi::api::core::v1::ObjectReference) -> Option<(String, String)> {
    let is_pod = target.kind.as_deref() == Some("Pod");
    let pod = (target.namespace.clone()?, target.name.clone()?);
    is_pod.then_some(pod)
}

/// The Service through which ALB reaches the gateway: Ingresses can name Services of their own namespace
/// only, so its addresses are copied, as Serving does for the activator.
#[derive(Clone, Debug, PartialEq)]
pub struct Doorway {
    owner: String,
    namespace: String,
    name: String,
    companion_uid: String,
    addresses: BTreeSet<Address>,
}

impl Doorway {
    /// The one beside a companion.
    pub fn of(ingress: &KIngress, companion: &KIngress, addresses: BTreeSet<Address>) -> Self {
        Self {
            owner: ingress.name_any(),
            namespace: companion.namespace().unwrap_or_default(),
            name: companion.name_any(),
            companion_uid: companion.uid().unwrap_or_default(),
            addresses,
        }
    }

    /// Whether something under its name was made by somebody else.
    pub fn is_foreign(found: &impl ResourceExt) -> bool {
        found.labels().get(keys::MANAGED_BY).map(String::as_str) != Some(keys::FIELD_MANAGER)
    }

    /// Whether the Service is as it is to be.
    pub fn service_is_met_by(&self, found: &Service) -> bool {
        let spec = found.spec.as_ref();
        let mut ports = spec.iter().flat_map(|spec| spec.ports.iter().flatten());
        let selects = spec.is_some_and(|spec| {
            let selector = spec.selector.as_ref();
            selector.is_some_and(|selector| !selector.is_empty())
        });
        let is_port = |port: &k8s_openapi::api::core::v1::ServicePort| {
            port.name.as_deref() == Some(PORT_NAME) && port.port == i32::from(PORT)
        };
        self.owns(found) && !selects && ports.any(is_port)
    }

    /// Whether its Endpoints are as they are to be.
    pub fn endpoints_are_met_by(&self, found: &Endpoints) -> bool {
        let mut known = BTreeSet::new();
        for subset in found.subsets.iter().flatten() {
            let ports = subset.ports.iter().flatten();
            let ports = ports.filter(|port| port.name.as_deref() == Some(PORT_NAME));
            for port in ports.filter_map(|port| u16::try_from(port.port).ok()) {
                known.extend(subset.addresses.iter().flatten().map(|address| Address {
                    port,
                    ip: address.ip.clone(),
                    node: address.node_name.clone(),
                    pod: address.target_ref.as_ref().and_then(pod),
                }));
            }
        }
        self.owns(found) && known == self.addresses
    }

    fn owns(&self, found: &impl ResourceExt) -> bool {
        let mut owners = found.owner_references().iter();
        !Self::is_foreign(found) && owners.any(|owner| owner.uid == self.companion_uid)
    }

    /// Its Service, for server-side apply.
    pub fn service(&self) -> Value {
        let mut body = self.body("Service");
        body["spec"] = json!({"ports": [{"name": PORT_NAME, "port": PORT, "protocol": "TCP", "targetPort": PORT}]});
        body
    }

    /// Its Endpoints, for server-side apply.
    pub fn endpoints(&self) -> Value {
        let mut by_port: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
        for address in &self.addresses {
            let mut value = json!({"ip": address.ip});
            if let Some(node) = &address.node {
                value["nodeName"] = json!(node);
            }
            if let Some((namespace, name)) = &address.pod {
                value["targetRef"] = json!({"kind": "Pod", "namespace": namespace, "name": name});
            }
            by_port.entry(address.port).or_default().push(value);
        }
        let subsets = by_port.into_iter().map(|(port, addresses)| {
            json!({
                "addresses": addresses,
                "ports": [{"name": PORT_NAME, "port": port, "protocol": "TCP"}],
            })
        });
        let subsets: Vec<Value> = subsets.collect();
        let mut body = self.body("Endpoints");
        body["subsets"] = json!(subsets);
        body
    }

    fn body(&self, kind: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": labels(&self.owner),
                "ownerReferences": [owner_reference(&self.name, &self.companion_uid)],
            },
        })
    }
}

#[cfg(test)]
mod tests;
