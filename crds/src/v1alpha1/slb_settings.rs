//! What a classic load balancer (SLB, also called CLB) that is made for a Service is to be. What its
//! listeners are to be is in [`super::slb_listeners`].

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::slb_backends::SlbBackends;
use super::slb_listeners::*;

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
#[schemars(extend("minProperties" = 1))]
pub struct SlbSettings {
    /// Intranet for an address that only the VPC reaches, Internet for a public one. There is no
    /// default: unless the class or a binding says which, no load balancer is made. An API Gateway
    /// needs Intranet. Fixed once the load balancer exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AddressType")]
    pub address_type: Option<AddressType>,

    /// A load balancer that is there already, in place of a new one. It is never deleted. Once the
    /// Service has an address, this can neither be added, nor changed, nor removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<SlbExisting>,

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

    /// The IPv4 address of an Intranet load balancer, out of its vswitch. Example: 192.168.0.23.
    /// Default: the cloud chooses. Fixed once the load balancer exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 7, max = 15),
        regex(pattern = "^[0-9]{1,3}(\\.[0-9]{1,3}){3}$")
    )]
    pub address: Option<String>,

    /// IPv4, or IPv6 for an Internet load balancer. Default: IPv4. Fixed once the load balancer
    /// exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "IpVersion")]
    pub ip_version: Option<IpVersion>,

    /// How the load balancer is billed. Default: by use (PayByCLCU, PayByTraffic).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing: Option<SlbBilling>,

    /// Resource group that it belongs to. Example: rg-acfmxazb4ph6aiy. Default: that of the cloud
    /// controller manager. Fixed once the load balancer exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 4, max = 64), regex(pattern = "^rg-[a-z0-9]+$"))]
    pub resource_group_id: Option<String>,

    /// Tags of the load balancer, besides those of the cloud controller manager. Once there are any,
    /// it removes every other tag that somebody gave the load balancer. Example: {team: shop}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tags")]
    pub tags: Option<BTreeMap<String, String>>,

    /// What protects it from being deleted or changed in the console. Default: both are Enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<SlbProtection>,

    /// Which address the Service publishes: Own, that of the load balancer, or EIP, the elastic
    /// address that is bound to an Intranet one. Default: Own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PublishedAddress")]
    pub published_address: Option<PublishedAddress>,

    /// Host name that the Service publishes in place of an address. Its DNS record is yours to make.
    /// Example: gateway.example.com. Default: none, the address is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::schema::DNS_SUBDOMAIN))]
    pub published_hostname: Option<String>,

    /// What becomes of the load balancer when its Service is deleted: Delete, or Preserve, which keeps
    /// its id and address but leaves it empty: without listeners, backends and protection. It is billed
    /// on, and nobody manages it any more. Default: Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OnDelete")]
    pub on_delete: Option<OnDelete>,

    /// What its listeners speak. A port that is not listed is served by TCP or UDP, as the Service
    /// says. Changing an entry takes the listener away and makes it anew: a gap in traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["port".into()]))]
    pub listeners: Option<Vec<SlbListener>>,

    /// The certificates of its HTTPS listeners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SlbCertificate>,

    /// The oldest TLS version, and the ciphers, that HTTPS listeners take: tls_cipher_policy_1_0,
    /// tls_cipher_policy_1_1 or tls_cipher_policy_1_2 for that version and newer ones;
    /// tls_cipher_policy_1_2_strict with forward secrecy only; tls_cipher_policy_1_2_strict_with_1_3
    /// with TLS 1.3 besides. Default: tls_cipher_policy_1_0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TlsPolicy")]
    pub tls_policy: Option<TlsPolicy>,

    /// Whether HTTPS listeners speak HTTP/2: Enabled or Disabled. Default: Enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Switch")]
    pub http2: Option<Switch>,

    /// Whether TCP and UDP listeners tell backends the caller's address by the PROXY protocol, version
    /// 2: Enabled or Disabled. Backends that do not expect it fail. Default: Disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Switch")]
    pub proxy_protocol: Option<Switch>,

    /// What HTTP and HTTPS listeners tell backends besides the caller's address, each in a header of
    /// its own: Protocol and ListenerPort, those of the listener, in X-Forwarded-Proto and
    /// X-Forwarded-Port; ClientPort, the caller's, in X-Forwarded-Client-srcport. Default: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub forwarded_headers: Option<Vec<SlbForwardedHeader>>,

    /// How its listeners choose a backend: RoundRobin, one after the other; WeightedRoundRobin, the
    /// same by weight; SourceHash, by the caller's address, and TupleHash, by addresses and ports of
    /// both sides, if all listeners are TCP or UDP; QUICHash, by the id of a QUIC connection, if all
    /// are UDP. Default: RoundRobin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SlbScheduler")]
    pub scheduler: Option<SlbScheduler>,

    /// Keeps a caller at one backend. Default: no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_persistence: Option<SlbSessionPersistence>,

    /// Lets the connections of a backend that goes end by themselves; TCP and UDP. Default: no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_drain: Option<SlbConnectionDrain>,

    /// How long connections and requests may take. Default: the cloud's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<SlbTimeouts>,

    /// Who may connect. Default: everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_addresses: Option<SlbClientAddresses>,

    /// How backends are checked. Default: by TCP for TCP and UDP listeners, not at all for HTTP ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<SlbHealthCheck>,

    /// What requests are sent to. Default: as the cloud controller manager is set up, with a weight of
    /// 100 each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backends: Option<SlbBackends>,
}

/// A load balancer that others made.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SlbExisting {
    /// Its id. It must not have been made by a cloud controller manager. Example: lb-2zeabcdefgh.
    #[schemars(length(min = 4, max = 64), regex(pattern = "^lb-[a-z0-9]+$"))]
    pub id: String,

    /// Keep: its listeners are left as they are, and none is made. You make those that send requests
    /// to the server groups of the Service. Override: the ports of the Service get listeners; one that
    /// is there already on the same port is taken over, and is deleted with the Service. Default: Keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ExistingListeners")]
    pub listeners: Option<ExistingListeners>,

    /// Keep: its name, tags, protection and billing are left as they are, and must not be set here.
    /// Manage: they are set as given here. Default: Keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ExistingInstance")]
    pub instance: Option<ExistingInstance>,
}

impl SlbExisting {
    /// Whether listeners are made, and taken over.
    #[must_use]
    pub fn overrides_listeners(&self) -> bool {
        self.listeners == Some(ExistingListeners::Override)
    }

    /// Whether the load balancer itself is set as given.
    #[must_use]
    pub fn manages_instance(&self) -> bool {
        self.instance == Some(ExistingInstance::Manage)
    }
}

/// What becomes of the listeners of a load balancer that others made.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExistingListeners {
    /// They are left as they are, and none is made.
    Keep,
    /// The ports of the Service get listeners, and take over those that are there.
    Override,
}

/// What becomes of a load balancer itself that others made.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExistingInstance {
    /// It is left as it is.
    Keep,
    /// It is set as given.
    Manage,
}

pub(super) fn tags(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 8,
        "additionalProperties": {"type": "string", "maxLength": 128, "pattern": "^[^,=]*$"},
        "x-kubernetes-validations": [{
            "rule": "self.all(k, k.size() >= 1 && k.size() <= 64 && k.matches('^[^,=]+$') \
                && !k.startsWith('aliyun') && !k.startsWith('acs:') && !k.contains('http://') && !k.contains('https://'))",
            "message": "a key has 1 to 64 characters, none of them \",\" or \"=\", begins neither with aliyun nor with acs:, and contains no http:// or https://",
            "reason": "FieldValueInvalid",
        }, {
            "rule": "!('kubernetes.do.not.delete' in self) && !('ack.aliyun.com' in self) && !('kubernetes.reused.by.user' in self)",
            "message": "kubernetes.do.not.delete, ack.aliyun.com and kubernetes.reused.by.user are the cloud controller manager's own tags",
            "reason": "FieldValueInvalid",
        }],
    })
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

/// Version of the Internet Protocol.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// Version 4.
    IPv4,
    /// Version 6.
    IPv6,
}

/// How a load balancer is billed.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[x_kube(validation = Rule::new("!has(self.spec) || self.instance == 'PayBySpec'")
    .message("a spec is bought with instance: PayBySpec alone; with PayByCLCU the cloud controller manager ignores it")
    .reason(Reason::FieldValueInvalid).field_path(".spec"))]
#[x_kube(validation = Rule::new("!has(self.traffic) || self.traffic != 'PayByBandwidth' || self.instance == 'PayBySpec'")
    .message("PayByBandwidth is sold with instance: PayBySpec alone")
    .reason(Reason::FieldValueInvalid).field_path(".traffic"))]
#[x_kube(validation = Rule::new("has(self.bandwidthMbps) == (has(self.traffic) && self.traffic == 'PayByBandwidth')")
    .message("bandwidthMbps and traffic: PayByBandwidth go together")
    .reason(Reason::FieldValueInvalid))]
pub struct SlbBilling {
    /// PayByCLCU for what is used, PayBySpec for a fixed size. PayBySpec is no longer sold to new
    /// buyers, and a load balancer cannot go back to it.
    pub instance: SlbInstanceCharge,

    /// Size, with PayBySpec, by how many connections it takes: slb.s1.small 5,000, slb.s2.small 50,000,
    /// slb.s2.medium 100,000, slb.s3.small 200,000, slb.s3.medium 500,000, slb.s3.large 1,000,000.
    /// Default: slb.s1.small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SlbSpec")]
    pub spec: Option<SlbSpec>,

    /// How the traffic of an Internet load balancer is billed: PayByTraffic for what flows,
    /// PayByBandwidth for a fixed bandwidth. Default: PayByTraffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SlbTrafficCharge")]
    pub traffic: Option<SlbTrafficCharge>,

    /// Bandwidth in Mbit/s, with PayByBandwidth.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5120))]
    pub bandwidth_mbps: Option<i32>,
}

/// What is billed of a load balancer itself.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlbInstanceCharge {
    /// What is used, in capacity units.
    PayByCLCU,
    /// A fixed size.
    PayBySpec,
}

/// Size of a load balancer.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlbSpec {
    /// 5,000 connections.
    #[serde(rename = "slb.s1.small")]
    S1Small,
    /// 50,000 connections.
    #[serde(rename = "slb.s2.small")]
    S2Small,
    /// 100,000 connections.
    #[serde(rename = "slb.s2.medium")]
    S2Medium,
    /// 200,000 connections.
    #[serde(rename = "slb.s3.small")]
    S3Small,
    /// 500,000 connections.
    #[serde(rename = "slb.s3.medium")]
    S3Medium,
    /// 1,000,000 connections.
    #[serde(rename = "slb.s3.large")]
    S3Large,
}

/// What is billed of the traffic.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlbTrafficCharge {
    /// What flows.
    PayByTraffic,
    /// A fixed bandwidth.
    PayByBandwidth,
}

/// What protects a load balancer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic", "minProperties" = 1))]
pub struct SlbProtection {
    /// Enabled: the console refuses to delete it. The cloud controller manager disables it itself when
    /// the Service goes. Disabled: it does not refuse. Default: Enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Switch")]
    pub deletion: Option<Switch>,

    /// Enabled: the console refuses to change it. Disabled: it does not. Default: Enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Switch")]
    pub modification: Option<Switch>,
}

/// A switch.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Switch {
    /// On.
    Enabled,
    /// Off.
    Disabled,
}

/// The address that a Service publishes.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublishedAddress {
    /// That of the load balancer.
    Own,
    /// That of the elastic address bound to it.
    EIP,
}

/// What becomes of a load balancer whose Service is deleted.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnDelete {
    /// It is deleted.
    Delete,
    /// It is emptied and kept.
    Preserve,
}
