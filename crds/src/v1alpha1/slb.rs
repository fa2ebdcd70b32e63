//! Classic load balancers (SLB, also called CLB) made for a Service of type LoadBalancer.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a load balancer can be reached from.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressType {
    /// From the VPC only.
    Intranet,
    /// From everywhere.
    Internet,
}

/// Settings of a load balancer. A class gives them for a gateway; a binding may give those that the
/// class leaves open.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.addressType) || has(self.name) || has(self.zones) || has(self.vswitchId)")
    .message("no setting is given: name at least one, or leave the whole block out")
    .reason(Reason::FieldValueRequired))]
pub struct SlbSettings {
    /// Intranet for an address that only the VPC reaches, Internet for a public one. There is no
    /// default: unless the class or a binding says which, no load balancer is made. An API Gateway
    /// needs Intranet. Fixed once the load balancer exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AddressType")]
    pub address_type: Option<AddressType>,

    /// Name of the load balancer in the cloud console: 1 to 80 letters, digits, and the characters
    /// - / . _ Default: one made by the cloud controller manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80), regex(pattern = "^[-/._A-Za-z0-9]+$"))]
    pub name: Option<String>,

    /// Zones the load balancer lives in. Default: the cloud chooses. Fixed once the load balancer
    /// exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zones: Option<SlbZones>,

    /// Id of the vswitch that an Intranet address is taken from. Example: vsw-2zeqgkyib34gw1fxxxxxx.
    /// Default: one of the vswitches the cloud controller manager is set up with. Fixed once the load
    /// balancer exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 5, max = 64), regex(pattern = "^vsw-[a-z0-9]+$"))]
    pub vswitch_id: Option<String>,
}

/// The zones of a load balancer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[x_kube(validation = Rule::new("!has(self.backup) || self.backup != self.primary")
    .message("backup must be another zone than primary")
    .reason(Reason::FieldValueInvalid).field_path(".backup"))]
pub struct SlbZones {
    /// Zone that serves. Example: cn-beijing-g.
    #[schemars(length(min = 1, max = 32), regex(pattern = crate::schema::REGION_OR_ZONE))]
    pub primary: String,

    /// Zone that takes over when the primary one fails. Example: cn-beijing-f. Default: the cloud
    /// chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = crate::schema::REGION_OR_ZONE))]
    pub backup: Option<String>,
}

/// A field of `SlbSettings`, or all of them.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(rename_all = "camelCase")]
pub enum SlbField {
    /// `addressType`
    AddressType,
    /// `name`
    Name,
    /// `zones`
    Zones,
    /// `vswitchId`
    VswitchId,
    /// Every field, also those that later versions add.
    #[serde(rename = "*")]
    All,
}

/// What to do about a field of a Service that another tool or person owns.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ForeignFields {
    /// Leave it and say so in status.
    #[default]
    Report,
    /// Take it over.
    Takeover,
}

/// A load balancer in front of a gateway.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SlbGateway {
    /// The gateway's Service, which all bindings on this gateway share.
    pub service: GatewayService,

    /// Settings of its load balancer. One that bindingsMaySet lists is a default, which a binding may
    /// override; any other is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<SlbSettings>,

    /// The settings that bindings may give in their own slb block: addressType, name, zones,
    /// vswitchId, or "*" alone for all of them. Default: none. Since the load balancer is shared, a
    /// value stays with the binding that gave it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 5))]
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
}
