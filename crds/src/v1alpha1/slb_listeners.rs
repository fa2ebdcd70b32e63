//! What the listeners of a classic load balancer are to be. Settings apply to every listener whose
//! protocol knows them.

use kube::KubeSchema;
use kube::core::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one listener speaks.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.redirectTo) || self.protocol == 'HTTP'")
    .message("only an HTTP listener redirects")
    .reason(Reason::FieldValueInvalid).field_path(".redirectTo"))]
pub struct SlbListener {
    /// Port of the Service.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// What it speaks with callers: TCP, UDP, HTTP, or HTTPS, which needs a certificate.
    pub protocol: SlbProtocol,

    /// Port of an HTTPS listener that callers of this HTTP one are sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub redirect_to: Option<i32>,
}

/// Protocol of a listener.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "UPPERCASE")]
pub enum SlbProtocol {
    /// Connections, passed on as they are.
    Tcp,
    /// Datagrams, passed on as they are.
    Udp,
    /// Requests in clear text.
    Http,
    /// Requests over TLS, which ends at the load balancer.
    Https,
}

/// Certificates of the load balancer service.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[x_kube(validation = Rule::new("!has(self.hosts) || self.hosts.all(one, self.hosts.exists_one(other, other.host == one.host))")
    .message("a host has one certificate")
    .reason(Reason::FieldValueDuplicate).field_path(".hosts"))]
pub struct SlbCertificate {
    /// Id of the certificate for every host that has none of its own. Example:
    /// 1234567890123456_18fa6d5e2b1_-1234567890_1234567890.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub id: String,

    /// Hosts with a certificate of their own. One cannot be given another certificate: take its entry
    /// out first, and put it back once that is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub hosts: Option<Vec<SlbHostCertificate>>,
}

/// The certificate of one host.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SlbHostCertificate {
    /// Host that callers ask for, or all one label below a name. Examples: shop.example.com,
    /// *.example.com.
    #[schemars(
        length(min = 1, max = 253),
        regex(
            pattern = "^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
        )
    )]
    pub host: String,

    /// Id of its certificate.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub id: String,
}

/// What a listener tells backends in a header.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum SlbForwardedHeader {
    /// X-Forwarded-Proto: the protocol of the listener.
    Protocol,
    /// X-Forwarded-Port: the port of the listener.
    ListenerPort,
    /// X-Forwarded-Client-srcport: the caller's port.
    ClientPort,
}

/// TLS versions and ciphers.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsPolicy {
    /// TLS 1.0 and newer.
    #[serde(rename = "tls_cipher_policy_1_0")]
    Tls10,
    /// TLS 1.1 and newer.
    #[serde(rename = "tls_cipher_policy_1_1")]
    Tls11,
    /// TLS 1.2.
    #[serde(rename = "tls_cipher_policy_1_2")]
    Tls12,
    /// TLS 1.2 with forward secrecy only.
    #[serde(rename = "tls_cipher_policy_1_2_strict")]
    Tls12Strict,
    /// TLS 1.2 with forward secrecy only, and TLS 1.3.
    #[serde(rename = "tls_cipher_policy_1_2_strict_with_1_3")]
    Tls12StrictWith13,
}

/// How a backend is chosen.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlbScheduler {
    /// One after the other.
    RoundRobin,
    /// One after the other, by weight.
    WeightedRoundRobin,
    /// By the caller's address; TCP and UDP.
    SourceHash,
    /// By addresses and ports of both sides; TCP and UDP.
    TupleHash,
    /// By the id of a QUIC connection; UDP.
    #[serde(rename = "QUICHash")]
    QuicHash,
}

/// How a caller is kept at one backend. One of the members.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic", "minProperties" = 1))]
#[x_kube(validation = Rule::new("!(has(self.insertedCookie) && has(self.serverCookie))")
    .message("a cookie is either inserted by the load balancer or set by the server")
    .reason(Reason::FieldValueInvalid))]
pub struct SlbSessionPersistence {
    /// By the caller's address, for so long after the last connection; TCP, 1s to 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "between_1s_and_1h")]
    pub source_address: Option<Duration>,

    /// By a cookie that the load balancer adds; HTTP and HTTPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inserted_cookie: Option<SlbInsertedCookie>,

    /// By a cookie that the server sets; HTTP and HTTPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cookie: Option<SlbServerCookie>,
}

/// A cookie that the load balancer adds.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SlbInsertedCookie {
    /// How long it lasts: 1s to 24h.
    #[schemars(schema_with = "between_1s_and_24h")]
    pub timeout: Duration,
}

/// A cookie that the server sets.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SlbServerCookie {
    /// Its name.
    #[schemars(length(min = 1, max = 200), regex(pattern = "^[^,; \\t$]+$"))]
    pub name: String,
}

/// How connections end of a backend that goes.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SlbConnectionDrain {
    /// How long they may go on: 10s to 15m.
    #[schemars(schema_with = "between_10s_and_15m")]
    pub timeout: Duration,
}

/// How long things may take.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic", "minProperties" = 1))]
pub struct SlbTimeouts {
    /// A TCP connection without traffic: 10s to 15m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "between_10s_and_15m")]
    pub established: Option<Duration>,

    /// An HTTP connection without a request: 1s to 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "between_1s_and_1m")]
    pub idle: Option<Duration>,

    /// The answer to a request: 1s to 3m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "between_1s_and_3m")]
    pub request: Option<Duration>,
}

/// Who may connect: those on these access control lists, or all others.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic", "minProperties" = 1, "maxProperties" = 1))]
pub struct SlbClientAddresses {
    /// Ids of the lists of those who may. Example: [acl-bp1l0kk4gxce43kze3xxx].
    #[serde(default, rename = "allowACLs", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "acls")]
    pub allow_acls: Option<Vec<String>>,

    /// Ids of the lists of those who may not.
    #[serde(default, rename = "denyACLs", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "acls")]
    pub deny_acls: Option<Vec<String>>,
}

fn acls(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 10,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "maxLength": 64, "pattern": "^acl-[a-z0-9]+$"},
    })
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
#[x_kube(validation = Rule::new("!has(self.interval) || !has(self.timeout) || duration(self.timeout) >= duration(self.interval)")
    .message("timeout must not be below interval: the load balancer would use the interval instead")
    .reason(Reason::FieldValueInvalid).field_path(".timeout"))]
pub struct SlbHealthCheck {
    /// TCP for a connection, HTTP for a request, None for no check. HTTP and HTTPS listeners check by
    /// HTTP alone.
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

    /// Method of the request: HEAD or GET. Default: HEAD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SlbHealthCheckMethod")]
    pub method: Option<SlbHealthCheckMethod>,

    /// Answers that are good, of 2xx, 3xx, 4xx and 5xx. Default: 2xx alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub status_codes: Option<Vec<SlbStatusCodes>>,

    /// Port that is checked. Default: the one that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,

    /// Time from one check to the next: 1s to 50s. Default: 2s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "between_1s_and_50s")]
    pub interval: Option<Duration>,

    /// How long one check may take: 1s to 5m. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "between_1s_and_5m")]
    pub timeout: Option<Duration>,

    /// Good checks in a row after which a backend serves again. Default: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 10))]
    pub healthy_threshold: Option<i32>,

    /// Failed checks in a row after which a backend no longer serves. Default: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 10))]
    pub unhealthy_threshold: Option<i32>,
}

/// How a backend is checked.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlbHealthCheckType {
    /// By a connection.
    #[serde(rename = "TCP")]
    Tcp,
    /// By a request.
    #[serde(rename = "HTTP")]
    Http,
    /// Not at all.
    None,
}

/// Method of a health check.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "UPPERCASE")]
pub enum SlbHealthCheckMethod {
    /// HEAD.
    Head,
    /// GET.
    Get,
}

/// A class of status codes.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum SlbStatusCodes {
    /// 200 to 299.
    #[serde(rename = "2xx")]
    Success,
    /// 300 to 399.
    #[serde(rename = "3xx")]
    Redirection,
    /// 400 to 499.
    #[serde(rename = "4xx")]
    ClientError,
    /// 500 to 599.
    #[serde(rename = "5xx")]
    ServerError,
}

fn between_10s_and_15m(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::seconds("10s", "15m")
}

fn between_1s_and_1h(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::seconds("1s", "1h")
}

fn between_1s_and_1m(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::seconds("1s", "1m")
}

fn between_1s_and_24h(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::seconds("1s", "24h")
}

fn between_1s_and_3m(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::seconds("1s", "3m")
}

fn between_1s_and_50s(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::seconds("1s", "50s")
}

fn between_1s_and_5m(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::seconds("1s", "5m")
}
