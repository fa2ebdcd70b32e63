//! The Knative kinds, with the fields that the stand-in and the gateway read or write.
//!
//! Parts that are only carried along (a Revision's pod template) stay JSON, so that nothing in
//! them is lost.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One entry of `status.conditions` in Knative's form (`knative.dev/pkg/apis.Condition`).
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KnativeCondition {
    /// `Ready`, `RoutesReady`, …
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Empty for errors, else `Warning` or `Info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// When any other field of this condition last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<String>,
    /// CamelCase word for machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `status.address`: where other workloads of the cluster find it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Addressable {
    /// A URL with the cluster-local host.
    pub url: String,
}

/// The template of Revisions: metadata and the spec, a pod spec with Knative's additions.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct RevisionTemplate {
    /// Name, labels and annotations that the Revision gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// The Revision's spec.
    #[serde(default)]
    pub spec: Map<String, Value>,
}

/// The metadata a user may set on a Revision through the template.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct TemplateMetadata {
    /// The Revision's name, which then has to start with the Service's; generated if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels of the Revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations of the Revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Where a share of the traffic goes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TrafficTarget {
    /// A name of its own: makes the host `<tag>-<route>` as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// A fixed Revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_name: Option<String>,
    /// The latest ready Revision of this Configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_name: Option<String>,
    /// Whether it follows the latest ready Revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_revision: Option<bool>,
    /// Share of the traffic of the main host, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<i64>,
    /// In status: the URL of the tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Spec of a Knative Service.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "serving.knative.dev",
    version = "v1",
    kind = "Service",
    root = "KnativeService",
    plural = "services",
    namespaced,
    status = "RouteStatus",
    derive = "PartialEq",
    schema = "disabled"
)]
pub struct KnativeServiceSpec {
    /// What runs.
    pub template: RevisionTemplate,
    /// Who gets which share of the traffic; all to the latest Revision if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traffic: Vec<TrafficTarget>,
}

/// Spec of a Configuration.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "serving.knative.dev",
    version = "v1",
    kind = "Configuration",
    plural = "configurations",
    namespaced,
    status = "ConfigurationStatus",
    derive = "PartialEq",
    schema = "disabled"
)]
pub struct ConfigurationSpec {
    /// What runs.
    pub template: RevisionTemplate,
}

/// Status of a Configuration.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationStatus {
    /// The generation this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Sorted by type.
    #[serde(default)]
    pub conditions: Vec<KnativeCondition>,
    /// The newest Revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_created_revision_name: Option<String>,
    /// The newest Revision that is Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_ready_revision_name: Option<String>,
}

/// Spec of a Revision: a pod spec with Knative's additions.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "serving.knative.dev",
    version = "v1",
    kind = "Revision",
    plural = "revisions",
    namespaced,
    status = "RevisionStatus",
    derive = "PartialEq",
    schema = "disabled"
)]
pub struct RevisionSpec {
    /// All of it.
    #[serde(flatten)]
    pub pod: Map<String, Value>,
}

/// Status of a Revision.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RevisionStatus {
    /// The generation this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Sorted by type.
    #[serde(default)]
    pub conditions: Vec<KnativeCondition>,
    /// Running Pods; always 0 here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_replicas: Option<i32>,
    /// Wanted Pods; always 0 here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_replicas: Option<i32>,
}

/// Spec of a Route.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "serving.knative.dev",
    version = "v1",
    kind = "Route",
    plural = "routes",
    namespaced,
    status = "RouteStatus",
    derive = "PartialEq",
    schema = "disabled"
)]
pub struct RouteSpec {
    /// Who gets which share of the traffic.
    #[serde(default)]
    pub traffic: Vec<TrafficTarget>,
}

/// Status of a Route, and of a Knative Service, which has the two revision names in addition.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RouteStatus {
    /// The generation this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Sorted by type.
    #[serde(default)]
    pub conditions: Vec<KnativeCondition>,
    /// Of a Knative Service: the newest Revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_created_revision_name: Option<String>,
    /// Of a Knative Service: the newest Revision that is Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_ready_revision_name: Option<String>,
    /// The public URL, or the cluster-local one of a cluster-local Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The cluster-local URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Addressable>,
    /// The traffic in force; always names Revisions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traffic: Vec<TrafficTarget>,
}

/// Spec of a networking Ingress ("KIngress").
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "networking.internal.knative.dev",
    version = "v1alpha1",
    kind = "Ingress",
    root = "KIngress",
    plural = "ingresses",
    namespaced,
    status = "KIngressStatus",
    derive = "PartialEq",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct KIngressSpec {
    /// Rules by host.
    #[serde(default)]
    pub rules: Vec<IngressRule>,
    /// `Enabled` or `Redirected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_option: Option<String>,
}

/// Hosts with equal treatment.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct IngressRule {
    /// Exact host names, without port.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// `ExternalIP` (default) or `ClusterLocal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<String>,
    /// What happens with a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<IngressHttp>,
}

/// The paths of a rule.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct IngressHttp {
    /// The first that matches is taken.
    #[serde(default)]
    pub paths: Vec<IngressPath>,
}

/// One path of a rule.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IngressPath {
    /// A literal string prefix; absent for all paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The Host that the backend sees instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite_host: Option<String>,
    /// Headers that have to be there with exactly this value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, HeaderMatch>,
    /// Backends by weight.
    #[serde(default)]
    pub splits: Vec<IngressSplit>,
    /// Headers to set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub append_headers: BTreeMap<String, String>,
}

/// How a header is compared.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct HeaderMatch {
    /// The whole value.
    pub exact: String,
}

/// A backend and its share.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IngressSplit {
    /// Namespace of the Service; has to be that of the Ingress.
    pub service_namespace: String,
    /// Name of the Service.
    pub service_name: String,
    /// Number or name of the Service's port.
    pub service_port: IntOrString,
    /// Share in percent; 0 of a single split means all.
    #[serde(default)]
    pub percent: i64,
    /// Headers to set for this backend.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub append_headers: BTreeMap<String, String>,
}

/// Status of a networking Ingress.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KIngressStatus {
    /// The generation this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Sorted by type.
    #[serde(default)]
    pub conditions: Vec<KnativeCondition>,
    /// Where the public hosts are served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_load_balancer: Option<LoadBalancerStatus>,
    /// Where the cluster-local hosts are served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_load_balancer: Option<LoadBalancerStatus>,
}

/// The addresses of a load balancer; Knative accepts exactly one.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct LoadBalancerStatus {
    /// One entry.
    #[serde(default)]
    pub ingress: Vec<LoadBalancerAddress>,
}

/// An address of a load balancer.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancerAddress {
    /// A Service's name within the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_internal: Option<String>,
}
