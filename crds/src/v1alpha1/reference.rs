//! References to other objects, and who may refer to them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of the service that is exposed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceKind {
    /// A Knative Service (`serving.knative.dev`).
    KnativeService,
    /// A core Service.
    Service,
}

/// The service that is exposed. It lives in the namespace of the binding.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.kind == 'Service' || !has(self.port)")
    .message("port is for kind Service only: requests for a KnativeService enter through the gateway's own port")
    .reason(Reason::FieldValueForbidden).field_path(".port"))]
pub struct ServiceRef {
    /// KnativeService for a Service of Knative Serving, Service for a plain Kubernetes Service.
    pub kind: ServiceKind,

    /// Name of the service.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// Port of a plain Service, 1 to 65535, that an API gateway sends requests to. Required with
    /// apiGateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
}

/// Names a Secret in the namespace of the object that refers to it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct LocalSecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::schema::DNS_SUBDOMAIN))]
    pub name: String,
}

/// Names an object in a namespace.
#[derive(
    Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct NamespacedName {
    /// Namespace of the object.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub namespace: String,

    /// Name of the object.
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::schema::DNS_SUBDOMAIN))]
    pub name: String,
}

impl std::fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Names a GatewayConsumer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct ConsumerRef {
    /// Namespace of the GatewayConsumer. Default: the namespace of the binding. A consumer of
    /// another namespace must allow the binding's namespace in its allowedNamespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub namespace: Option<String>,

    /// Name of the GatewayConsumer.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,
}

/// Which namespaces' bindings may use something of a class.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NamespacesFrom {
    /// Every namespace.
    #[default]
    All,
    /// The namespaces with certain labels.
    Selector,
}

/// The namespaces whose bindings may use this.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.from == 'Selector') == has(self.selector)")
    .message("selector must be given with from: Selector, and only then")
    .reason(Reason::FieldValueInvalid).field_path(".selector"))]
pub struct AllowedNamespaces {
    /// All for every namespace, Selector for those with the labels that selector asks for.
    pub from: NamespacesFrom,

    /// Labels of the namespaces, for from: Selector. At least one requirement.
    /// Example: {matchLabels: {tenant: payments}}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub selector: Option<LabelSelector>,
}

/// Which namespaces' bindings may name a consumer.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConsumerNamespacesFrom {
    /// The consumer's own namespace.
    #[default]
    Same,
    /// Every namespace.
    All,
    /// The consumer's own namespace and those with certain labels.
    Selector,
}

/// The namespaces whose bindings may name a consumer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.from == 'Selector') == has(self.selector)")
    .message("selector must be given with from: Selector, and only then")
    .reason(Reason::FieldValueInvalid).field_path(".selector"))]
pub struct ConsumerNamespaces {
    /// Same for the consumer's own namespace, All for every namespace, Selector for those with the
    /// labels that selector asks for. Bindings of the consumer's own namespace may always name it.
    pub from: ConsumerNamespacesFrom,

    /// Labels of the namespaces, for from: Selector. At least one requirement.
    /// Example: {matchLabels: {tenant: shop}}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub selector: Option<LabelSelector>,
}
