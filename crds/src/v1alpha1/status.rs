//! Where a binding stands.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{ApiGatewayType, Environment, LedgerEntry, NamespacedName, PlanStatus};

/// `observedGeneration` of an object that nobody has looked at yet: the default of the schema.
pub const UNOBSERVED: i64 = -1;

/// Where a binding stands. Nothing in it moves while nothing changes.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GatewayBindingStatus {
    /// The generation of the binding that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The class in use. It stays the same when another class becomes the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub class_name: Option<String>,

    /// The gateway in use, by its name in the class. It stays the same when the defaults of the class
    /// change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub gateway: Option<String>,

    /// Where the service can be called, in short: the first of urls, else the address of the load
    /// balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub address: Option<String>,

    /// Where the service can be called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub urls: Vec<String>,

    /// The load balancer of the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<LoadBalancerStatus>,

    /// Where the service is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_gateway: Option<ApiGatewayStatus>,

    /// Accepted (valid, and allowed by the class), ResolvedRefs (what it refers to is there),
    /// Programmed (cluster and cloud match it) and Ready, which sums it up. Reconciling and Stalled
    /// are there only while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,

    /// Fields of shared things that another binding holds with another value. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["object".into(), "field".into()]))]
    pub conflicts: Vec<FieldConflict>,

    /// How many more conflicts there are than are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub conflicts_omitted: Option<i32>,

    /// What would be done; with mode Plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStatus>,

    /// What the binding has claimed in cluster and cloud, so that it can be cleaned up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["key".into()]))]
    pub ledger: Vec<LedgerEntry>,
}

impl GatewayBindingStatus {
    /// The most conflicts that are shown; the rest is counted in `conflicts_omitted`.
    pub const MAX_CONFLICTS: usize = 16;

    /// Whether it is what the API server gives to an object that the operator has not written the
    /// status of, or whose status somebody removed.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        matches!(self.observed_generation, None | Some(UNOBSERVED)) && self.ledger.is_empty()
    }
}

/// The load balancer of a gateway.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancerStatus {
    /// Its id. Example: lb-2ze8x0q1, or nlb-4xbm0q1 of a network one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub id: Option<String>,

    /// Its address; of a network one a host name. Example: 192.168.0.23.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub address: Option<String>,

    /// The Service it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<NamespacedName>,

    /// What the cloud says of it, as it was last seen: from here on. intranet or internet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub address_type: Option<String>,

    /// Id of the VPC of an intranet one, or of a network one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub vpc_id: Option<String>,

    /// Id of the vswitch of an intranet one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub vswitch_id: Option<String>,

    /// Zone that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub primary_zone: Option<String>,

    /// Zone that takes over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub backup_zone: Option<String>,

    /// How the load balancer itself is billed: PayByCLCU or PayBySpec.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub instance_charge: Option<String>,

    /// Its size, with PayBySpec. Example: slb.s1.small.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub spec: Option<String>,

    /// The zones of a network one, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["zoneId".into()]))]
    pub zones: Vec<LoadBalancerZone>,

    /// Its listeners, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["port".into(), "protocol".into()]))]
    pub listeners: Vec<ListenerStatus>,

    /// What to know of the Service's annotations, at most 16: keys of old that say something else than counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub warnings: Vec<String>,
}

impl LoadBalancerStatus {
    /// The most listeners that are shown.
    pub const MAX_LISTENERS: usize = 50;
    /// The most zones that are shown.
    pub const MAX_ZONES: usize = 10;
    /// The most warnings that are shown.
    pub const MAX_WARNINGS: usize = 16;
    /// The longest warning, in characters.
    pub const MAX_WARNING: usize = 1024;
}

/// A zone of a network load balancer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancerZone {
    /// The zone. Example: cn-beijing-g.
    #[schemars(length(min = 1, max = 64))]
    pub zone_id: String,

    /// Id of its vswitch there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub vswitch_id: Option<String>,

    /// Its address there within the VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub address: Option<String>,
}

/// A listener of a load balancer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    /// The port that it serves, or the first of several.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// What it speaks: tcp, udp, http, https or tcpssl.
    #[schemars(length(min = 1, max = 16))]
    pub protocol: String,

    /// What it does. Example: running.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub state: Option<String>,
}

/// Where a service is published.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ApiGatewayStatus {
    /// The product.
    #[serde(rename = "type")]
    pub type_: ApiGatewayType,

    /// The API gateway in use, by its name in the class.
    #[schemars(length(max = 63))]
    pub gateway: String,

    /// The group in use, by its name in the class.
    #[schemars(length(max = 63))]
    pub group: String,

    /// Id of the group in the cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub group_id: Option<String>,

    /// The routes, with what each became in the cloud.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub routes: Vec<RouteStatus>,
}

/// What a route became in the cloud.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RouteStatus {
    /// Name of the route.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,

    /// The APIs it became, by method and environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["method".into(), "environment".into()]))]
    pub apis: Vec<PublishedApi>,
}

/// An API in the cloud.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PublishedApi {
    /// Its method; ANY for all of them.
    #[schemars(length(min = 1, max = 16))]
    pub method: String,

    /// Its id.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,

    /// The environment it is published in.
    pub environment: Environment,
}

/// A field of a shared thing that another binding holds with another value.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FieldConflict {
    /// The shared thing. Example: Service/default/nginx.
    #[schemars(length(min = 1, max = 512))]
    pub object: String,

    /// The field, as its path in the spec. Example: slb.name.
    #[schemars(length(min = 1, max = 512))]
    pub field: String,

    /// The value that this binding asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub wanted: Option<String>,

    /// The value that is held. Left out where it is not for everybody's eyes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub held: Option<String>,

    /// The binding that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<NamespacedName>,
}
