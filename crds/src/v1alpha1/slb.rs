//! The gateway of a class that a classic load balancer (SLB, also called CLB) stands before.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::slb_field::SlbField;
use super::slb_settings::SlbSettings;

/// What to do about a field of a Service that another tool or person owns.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ForeignFields {
    /// Leave it and say so in status.
    #[default]
    Report,
    /// Take it over.
    Takeover,
}

/// A load balancer in front of a gateway, or in front of each binding's own Service.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.service) != has(self.perBinding)")
    .message("give exactly one of service, which the bindings share, and perBinding")
    .reason(Reason::FieldValueInvalid))]
#[x_kube(validation = Rule::new("!has(self.perBinding) || !has(self.settings) || !has(self.settings.existing)")
    .message("one existing load balancer cannot be that of each binding: let bindings name theirs, with existing in bindingsMaySet")
    .reason(Reason::FieldValueForbidden).field_path(".settings"))]
pub struct SlbGateway {
    /// The gateway's Service, which all bindings on this gateway share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<GatewayService>,

    /// There is no shared Service: the plain Service that a binding exposes (serviceRef with kind
    /// Service) gets a load balancer of its own. It must be of type LoadBalancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_binding: Option<PerBinding>,

    /// Settings of its load balancer. One that bindingsMaySet lists is a default, which a binding may
    /// override; any other is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<SlbSettings>,

    /// The settings that bindings may give in their own slb block, of addressType, existing,
    /// name, zones, vswitchId, address, ipVersion, billing, resourceGroupId, tags, protection, publishedAddress,
    /// publishedHostname, onDelete, listeners, certificate, tlsPolicy, http2, proxyProtocol,
    /// forwardedHeaders, scheduler, sessionPersistence, connectionDrain, timeouts, clientAddresses,
    /// healthCheck and backends; or "*" alone for all of them. Default: none. Since the load balancer
    /// is shared, a value stays with the binding that gave it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("!self.exists(f, f == '*') || self.size() == 1")
            .message("\"*\" stands for all settings and must stand alone")
    )]
    pub bindings_may_set: Option<Vec<SlbField>>,
}

impl SlbGateway {
    /// Whether a binding may give this setting.
    #[must_use]
    pub fn binding_may_set(&self, field: SlbField) -> bool {
        self.bindings_may_set
            .iter()
            .flatten()
            .any(|open| *open == field || *open == SlbField::All)
    }
}

/// A load balancer for each binding's own Service.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PerBinding {
    /// How many such Services there may be, since each of their load balancers is billed. One that has
    /// its settings from this gateway keeps them when the number is lowered. Default: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_instances: Option<i32>,
}

/// The Service of type LoadBalancer that stands before the gateway's pods.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.createFrom) || self.createFrom.name != self.name")
    .message("createFrom must name another Service than the one to create")
    .reason(Reason::FieldValueInvalid).field_path(".createFrom"))]
pub struct GatewayService {
    /// Namespace of the Service. Example: istio-system.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub namespace: String,

    /// Name of the Service. Example: istio-ingressgateway-intranet.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// Create the Service if it does not exist. Default: it must exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_from: Option<CreateFrom>,

    /// What to do about settings on the Service that another tool or person owns, such as Argo CD,
    /// Helm or kubectl apply: Report leaves them and says so in the status of the binding, Takeover
    /// takes them over. Default: Report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ForeignFields")]
    pub foreign_fields: Option<ForeignFields>,
}

impl GatewayService {
    /// What to do about fields of the Service that somebody else owns.
    #[must_use]
    pub fn foreign_fields(&self) -> ForeignFields {
        self.foreign_fields.unwrap_or_default()
    }
}

/// The Service that a gateway's Service is made after.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct CreateFrom {
    /// Name of a Service in the same namespace. Its selector and ports are copied, its annotations
    /// and other settings are not. Example: istio-ingressgateway.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// Numbers of the ports that are copied; each gets a listener. Example: [80, 443]. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "port_numbers")]
    pub ports: Option<Vec<i32>>,

    /// Which nodes requests come through: Cluster, any; Local, only those with a pod of the gateway,
    /// which then sees the caller's address. Default: Cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ExternalTrafficPolicy")]
    pub external_traffic_policy: Option<ExternalTrafficPolicy>,

    /// Whether a caller is kept at one pod, on the way from node to pod: None or ClientIP. Default:
    /// None.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SessionAffinity")]
    pub session_affinity: Option<SessionAffinity>,
}

fn port_numbers(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 50,
        "x-kubernetes-list-type": "set",
        "items": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535},
    })
}

/// Which nodes requests to a Service come through.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExternalTrafficPolicy {
    /// Any node.
    #[default]
    Cluster,
    /// Nodes with a pod that serves.
    Local,
}

/// What keeps a caller at one pod.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SessionAffinity {
    /// Nothing.
    #[default]
    None,
    /// The caller's address.
    ClientIP,
}
