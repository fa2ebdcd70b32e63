//! The objects Knative makes from a Service, as pure functions. Sources:
//! `serving/pkg/reconciler/{service,configuration,route,serverlessservice}/resources`.

use std::{collections::BTreeMap, net::SocketAddr};

use k8s_openapi::{
    api::core::v1::{
        EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service, ServicePort, ServiceSpec,
    },
    apimachinery::pkg::{
        apis::meta::v1::{ObjectMeta, OwnerReference},
        util::intstr::IntOrString,
    },
};
use kube::{Resource, ResourceExt as _};
use serde_json::{Map, Value, json};

use super::{
    names,
    traffic::{self},
    types::{
        Configuration, ConfigurationSpec, IngressHttp, IngressPath, IngressRule, IngressSplit,
        KIngress, KIngressSpec, KnativeService, Revision, RevisionSpec, Route, RouteSpec,
        TrafficTarget,
    },
};

type Labels = BTreeMap<String, String>;

/// The Configuration of a Service.
pub fn configuration(service: &KnativeService) -> Configuration {
    let own = [
        (names::SERVICE, service.name_any()),
        (names::SERVICE_UID, service.uid().unwrap_or_default()),
    ];
    let mut annotations = handed_down(service);
    annotations.insert(names::ROUTES.to_owned(), service.name_any());
    Configuration {
        metadata: child(
            service,
            service.name_any(),
            union(service.labels(), own),
            annotations,
        ),
        spec: ConfigurationSpec {
            template: service.spec.template.clone(),
        },
        status: None,
    }
}

/// The Route of a Service.
pub fn route(service: &KnativeService) -> Route {
    let own = [(names::SERVICE, service.name_any())];
    Route {
        metadata: child(
            service,
            service.name_any(),
            union(service.labels(), own),
            handed_down(service),
        ),
        spec: RouteSpec {
            traffic: traffic::with_defaults(&service.spec.traffic, &service.name_any()),
        },
        status: None,
    }
}

/// The name of the Revision of a Configuration's current generation.
pub fn revision_name(configuration: &Configuration) -> String {
    let chosen = configuration
        .spec
        .template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.name.clone());
    let generation = configuration.metadata.generation.unwrap_or(1);
    chosen.unwrap_or_else(|| format!("{}-{generation:05}", configuration.name_any()))
}

/// The Revision of a Configuration's current generation.
pub fn revision(configuration: &Configuration) -> Revision {
    let template = &configuration.spec.template;
    let metadata = template.metadata.clone().unwrap_or_default();
    let of_configuration = |key: &str| configuration.labels().get(key).cloned().unwrap_or_default();
    let own = [
        (names::CONFIGURATION, configuration.name_any()),
        (
            names::CONFIGURATION_GENERATION,
            configuration.metadata.generation.unwrap_or(1).to_string(),
        ),
        (
            names::CONFIGURATION_UID,
            configuration.uid().unwrap_or_default(),
        ),
        (names::SERVICE, of_configuration(names::SERVICE)),
        (names::SERVICE_UID, of_configuration(names::SERVICE_UID)),
        (names::ROUTING_STATE, "active".to_owned()),
    ];
    let mut annotations = metadata.annotations.unwrap_or_default();
    if let Some(routes) = configuration.annotations().get(names::ROUTES) {
        annotations.insert(names::ROUTES.to_owned(), routes.clone());
    }
    let labels = union(&metadata.labels.unwrap_or_default(), own);
    Revision {
        metadata: child(
            configuration,
            revision_name(configuration),
            labels,
            annotations,
        ),
        spec: RevisionSpec {
            pod: pod_with_defaults(template.spec.clone()),
        },
        status: None,
    }
}

/// The defaults that Knative's webhook would have written.
fn pod_with_defaults(mut pod: Map<String, Value>) -> Map<String, Value> {
    pod.entry("containerConcurrency").or_insert(json!(0));
    pod.entry("enableServiceLinks").or_insert(json!(false));
    pod.entry("timeoutSeconds").or_insert(json!(300));
    if let Some(containers) = pod.get_mut("containers").and_then(Value::as_array_mut) {
        for (index, container) in containers
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .enumerate()
        {
            container
                .entry("name")
                .or_insert_with(|| json!(format!("user-container-{index}").trim_end_matches("-0")));
            container.entry("resources").or_insert(json!({}));
        }
    }
    pod
}

/// The Service of a Revision ("public" in Knative's words), which the networking layer routes to.
/// It has no selector; Knative keeps its Endpoints.
pub fn revision_service(revision: &Revision, activator: SocketAddr) -> Service {
    let port = |name: &str, port: i32, target: i32| ServicePort {
        name: Some(name.to_owned()),
        port,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::Int(target)),
        ..ServicePort::default()
    };
    Service {
        metadata: revision_service_metadata(revision),
        spec: Some(ServiceSpec {
            ports: Some(vec![
                port("http", 80, i32::from(activator.port())),
                port("https", 443, 8112),
            ]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// The Endpoints of a Revision's Service: the activator, as for any Revision without Pods. The
/// control plane mirrors them into an EndpointSlice.
pub fn revision_endpoints(revision: &Revision, activator: SocketAddr) -> Endpoints {
    Endpoints {
        metadata: revision_service_metadata(revision),
        subsets: Some(vec![EndpointSubset {
            addresses: Some(vec![EndpointAddress {
                ip: activator.ip().to_string(),
                ..EndpointAddress::default()
            }]),
            ports: Some(vec![EndpointPort {
                name: Some("http".to_owned()),
                port: i32::from(activator.port()),
                protocol: Some("TCP".to_owned()),
                ..EndpointPort::default()
            }]),
            ..EndpointSubset::default()
        }]),
    }
}

/// In Knative a ServerlessService lies between the Revision and these; its labels and name are the
/// Revision's.
fn revision_service_metadata(revision: &Revision) -> ObjectMeta {
    let own = [
        (names::REVISION, revision.name_any()),
        (names::REVISION_UID, revision.uid().unwrap_or_default()),
        (names::SKS, revision.name_any()),
        (names::SERVICE_TYPE, "Public".to_owned()),
        ("app", revision.name_any()),
    ];
    let mut labels = union(revision.labels(), own);
    labels.remove(names::ROUTING_STATE);
    child(revision, revision.name_any(), labels, Labels::new())
}

/// The KIngress of a Route with its traffic in force, and each tag's public host.
pub fn ingress(route: &Route, targets: &[TrafficTarget], domain: &str) -> KIngress {
    let (name, namespace) = (route.name_any(), route.namespace().unwrap_or_default());
    let cluster_local = is_cluster_local(route);
    let mut rules = Vec::new();
    let mut tag_hosts = BTreeMap::new();
    for (tag, splits) in traffic::splits(targets) {
        let label = names::host_label(&name, tag.as_deref());
        let http = Some(IngressHttp {
            paths: vec![path(&namespace, &splits)],
        });
        let rule = |hosts: Vec<String>, visibility: &str| IngressRule {
            hosts,
            visibility: Some(visibility.to_owned()),
            http: http.clone(),
        };
        rules.push(rule(
            cluster_local_hosts(&label, &namespace),
            "ClusterLocal",
        ));
        let mut host = names::cluster_local_host(&label, &namespace);
        if !cluster_local {
            host = names::public_host(&label, &namespace, domain);
            rules.push(rule(vec![host.clone()], "ExternalIP"));
        }
        if let Some(tag) = tag {
            tag_hosts.insert(tag, vec![host]);
        }
    }
    let own = [
        (names::ROUTE, name.clone()),
        (names::ROUTE_NAMESPACE, namespace),
    ];
    let mut annotations = handed_down(route);
    let class = annotations.remove(names::INGRESS_CLASS_OF_USERS);
    annotations
        .entry(names::INGRESS_CLASS.to_owned())
        .or_insert_with(|| class.unwrap_or_else(|| names::ISTIO_INGRESS_CLASS.to_owned()));
    annotations.insert(
        names::ROLLOUT.to_owned(),
        rollout(route, targets).to_string(),
    );
    if !tag_hosts.is_empty() {
        annotations.insert(names::TAG_TO_HOST.to_owned(), json!(tag_hosts).to_string());
    }
    KIngress {
        metadata: child(route, name, union(route.labels(), own), annotations),
        spec: KIngressSpec {
            rules,
            http_option: Some("Enabled".to_owned()),
        },
        status: None,
    }
}

/// The hosts by which a workload of the cluster may call: `a.ns`, `a.ns.svc` and the full name.
fn cluster_local_hosts(label: &str, namespace: &str) -> Vec<String> {
    let short = format!("{label}.{namespace}");
    vec![
        short.clone(),
        format!("{short}.svc"),
        names::cluster_local_host(label, namespace),
    ]
}

fn path(namespace: &str, splits: &[(String, i64)]) -> IngressPath {
    let splits = splits
        .iter()
        .map(|(revision, percent)| IngressSplit {
            service_namespace: namespace.to_owned(),
            service_name: revision.clone(),
            service_port: IntOrString::Int(80),
            percent: *percent,
            append_headers: BTreeMap::from([
                (names::REVISION_HEADER.to_owned(), revision.clone()),
                (names::NAMESPACE_HEADER.to_owned(), namespace.to_owned()),
            ]),
        })
        .collect();
    IngressPath {
        splits,
        ..IngressPath::default()
    }
}

/// Route's memory of gradual rollouts, here always finished ones.
fn rollout(route: &Route, targets: &[TrafficTarget]) -> Value {
    let configurations: Vec<_> = targets
        .iter()
        .filter(|target| target.latest_revision == Some(true))
        .map(|target| {
            let percent = if target.tag.is_some() {
                100
            } else {
                target.percent.unwrap_or(100)
            };
            let mut entry = json!({
                "configurationName": route.name_any(),
                "percent": percent,
                "revisions": [{"revisionName": target.revision_name, "percent": percent}],
                "stepParams": {},
            });
            if let (Some(tag), Some(entry)) = (&target.tag, entry.as_object_mut()) {
                entry.insert("tag".to_owned(), json!(tag));
            }
            entry
        })
        .collect();
    json!({ "configurations": configurations })
}

/// The Service with the Route's name (or a tag's), by which workloads of the cluster reach it. It
/// leads to the networking layer's cluster-local gateway once the KIngress names one, and to the
/// Route's own host before.
pub fn placeholder_service(
    route: &Route,
    tag: Option<&str>,
    gateway: Option<&str>,
    domain: &str,
) -> Service {
    let (name, namespace) = (route.name_any(), route.namespace().unwrap_or_default());
    let label = names::host_label(&name, tag);
    let own_host = if is_cluster_local(route) {
        names::cluster_local_host(&label, &namespace)
    } else {
        names::public_host(&label, &namespace, domain)
    };
    let mut labels = union(route.labels(), [(names::ROUTE, name)]);
    labels.remove(names::VISIBILITY);
    Service {
        metadata: child(route, label, labels, handed_down(route)),
        spec: Some(ServiceSpec {
            type_: Some("ExternalName".to_owned()),
            external_name: Some(gateway.map_or(own_host, str::to_owned)),
            session_affinity: Some("None".to_owned()),
            ports: Some(vec![ServicePort {
                name: Some("http2".to_owned()),
                app_protocol: Some("kubernetes.io/h2c".to_owned()),
                port: 80,
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::Int(80)),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Whether the user keeps the Service off the public gateway.
pub fn is_cluster_local<K: Resource>(object: &K) -> bool {
    object
        .meta()
        .labels
        .as_ref()
        .and_then(|labels| labels.get(names::VISIBILITY))
        .map(String::as_str)
        == Some(names::CLUSTER_LOCAL)
}

/// The URL of a Route or of one of its tags.
pub fn url(route: &Route, tag: Option<&str>, domain: &str) -> String {
    let namespace = route.namespace().unwrap_or_default();
    let label = names::host_label(&route.name_any(), tag);
    if is_cluster_local(route) {
        format!("http://{}", names::cluster_local_host(&label, &namespace))
    } else {
        format!("http://{}", names::public_host(&label, &namespace, domain))
    }
}

fn child<P: Resource<DynamicType = ()>>(
    parent: &P,
    name: String,
    labels: Labels,
    annotations: Labels,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: parent.meta().namespace.clone(),
        labels: Some(labels),
        annotations: (!annotations.is_empty()).then_some(annotations),
        owner_references: Some(vec![OwnerReference {
            api_version: P::api_version(&()).into_owned(),
            kind: P::kind(&()).into_owned(),
            name: parent.name_any(),
            uid: parent.uid().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }]),
        ..ObjectMeta::default()
    }
}

/// The annotations that Knative copies from a Service to its children.
fn handed_down<K: Resource>(parent: &K) -> Labels {
    let mut annotations = parent.annotations().clone();
    annotations.remove(names::LAST_APPLIED);
    annotations.remove(names::ROUTES);
    annotations
}

fn union<'a>(labels: &Labels, more: impl IntoIterator<Item = (&'a str, String)>) -> Labels {
    let more = more.into_iter().filter(|(_, value)| !value.is_empty());
    labels
        .clone()
        .into_iter()
        .chain(more.map(|(key, value)| (key.to_owned(), value)))
        .collect()
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
