//! What the listeners and server groups of a network load balancer are to be. Settings apply to every
//! listener whose protocol knows them.

use kube::KubeSchema;
use kube::core::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::slb_listeners::{SlbHealthCheckMethod, SlbHealthCheckType, SlbStatusCodes};

/// What one listener speaks.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.range) || self.range.first < self.range.last")
    .message("first must be below last")
    .reason(Reason::FieldValueInvalid).field_path(".range"))]
pub struct NlbListener {
    /// Port of the Service.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// What it speaks with callers: TCP, UDP, or TCPSSL, which needs a certificate.
    pub protocol: NlbProtocol,

    /// Ports that it takes in place of its own; all go to the backends of the Service's port, each to
    /// the same number. Needs backends of type Pods. Default: its own port alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<NlbPortRange>,
}

/// Protocol of a listener.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "UPPERCASE")]
pub enum NlbProtocol {
    /// Connections, passed on as they are.
    Tcp,
    /// Datagrams, passed on as they are.
    Udp,
    /// Connections over TLS, which ends at the load balancer.
    TcpSsl,
}

/// Ports from the first to the last.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct NlbPortRange {
    /// The first one.
    #[schemars(range(min = 1, max = 65535))]
    pub first: i32,

    /// The last one.
    #[schemars(range(min = 1, max = 65535))]
    pub last: i32,
}

/// Certificates of the certificate management service.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct NlbCertificate {
    /// Id of the certificate for every host that no additional one is for. Example:
    /// 12315790-cn-hangzhou.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub id: String,

    /// Ids of further certificates; each serves the hosts that it is made out to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "certificates")]
    pub additional_ids: Option<Vec<String>>,

    /// Id of the certificate of the authority that callers must have theirs from. Default: callers
    /// need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub client_authority_id: Option<String>,
}

fn certificates(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 25,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[-_A-Za-z0-9]+$"},
    })
}

/// What is agreed on about HTTP.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NlbAlpn {
    /// HTTP/1.0 or 1.1.
    HTTP1Only,
    /// HTTP/2.
    HTTP2Only,
    /// HTTP/2 before HTTP/1.1.
    HTTP2Preferred,
    /// HTTP/1.1 before HTTP/2.
    HTTP2Optional,
    /// Nothing.
    None,
}

/// The PROXY protocol, version 2.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct NlbProxyProtocol {
    /// Whether it is spoken: Enabled or Disabled.
    pub version2: super::slb_settings::Switch,

    /// What is said besides of a caller that comes over PrivateLink: VPCId, EndpointId and
    /// EndpointServiceId. Default: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub private_link: Option<Vec<NlbPrivateLinkDetail>>,
}

/// What is said of a caller that comes over PrivateLink.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum NlbPrivateLinkDetail {
    /// Its VPC.
    VPCId,
    /// Its endpoint.
    EndpointId,
    /// The endpoint service.
    EndpointServiceId,
}

/// How a backend is chosen.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NlbScheduler {
    /// One after the other, by weight.
    WeightedRoundRobin,
    /// One after the other.
    RoundRobin,
    /// By the caller's address.
    SourceHash,
    /// By addresses and ports of both sides.
    TupleHash,
    /// By the id of a QUIC connection; UDP.
    #[serde(rename = "QUICHash")]
    QuicHash,
    /// The one with the fewest connections for its weight.
    WeightedLeastConnections,
}

/// How connections end of a backend that goes.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct NlbConnectionDrain {
    /// How long they may go on: 0s, which ends them at once, to 15m.
    #[schemars(schema_with = "between_0s_and_15m")]
    pub timeout: Duration,
}

/// Which address backends see.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NlbClientAddress {
    /// The caller's.
    Preserved,
    /// The load balancer's.
    Replaced,
}

/// How backends are checked.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[x_kube(validation = Rule::new("self.type == 'HTTP' || !(has(self.path) || has(self.host) || has(self.method) || has(self.statusCodes))")
    .message("path, host, method and statusCodes belong to type: HTTP")
    .reason(Reason::FieldValueInvalid))]
#[x_kube(validation = Rule::new("self.type != 'None' || !(has(self.port) || has(self.interval) || has(self.timeout) || has(self.healthyThreshold) || has(self.unhealthyThreshold))")
    .message("without a check there is nothing else to set")
    .reason(Reason::FieldValueInvalid))]
pub struct NlbHealthCheck {
    /// TCP for a connection, HTTP for a request, None for no check.
    #[serde(rename = "type")]
    pub type_: SlbHealthCheckType,

    /// Path of the request. Default: /.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80), regex(pattern = "^/[-/.%?#&=A-Za-z0-9_]*$"))]
    pub path: Option<String>,

    /// Host of the request. Default: the backend's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80), regex(pattern = "^[-.A-Za-z0-9]+$"))]
    pub host: Option<String>,

    /// Method of the request: HEAD or GET. Default: GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SlbHealthCheckMethod")]
    pub method: Option<SlbHealthCheckMethod>,

    /// Answers that are good, of 2xx, 3xx, 4xx and 5xx. Default: 2xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub status_codes: Option<Vec<SlbStatusCodes>>,

    /// Port that is checked. Default: the one that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,

    /// Time from one check to the next: 1s to 50s. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "between_1s_and_50s")]
    pub interval: Option<Duration>,

    /// How long one check may take: 1s to 5m. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "between_1s_and_5m")]
    pub timeout: Option<Duration>,

    /// Good checks in a row after which a backend serves again. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 10))]
    pub healthy_threshold: Option<i32>,

    /// Failed checks in a row after which a backend no longer serves. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 10))]
    pub unhealthy_threshold: Option<i32>,
}

fn between_0s_and_15m(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::seconds("0s", "15m")
}

fn between_1s_and_50s(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::seconds("1s", "50s")
}

fn between_1s_and_5m(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::seconds("1s", "5m")
}
