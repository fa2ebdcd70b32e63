//! What a network load balancer (NLB) that is made for a Service is to be. What its listeners are to
//! be is in [`super::nlb_listeners`].

use std::collections::BTreeMap;

use kube::KubeSchema;
use kube::core::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::nlb_listeners::*;
use super::slb_backends::SlbBackends;
use super::slb_listeners::TlsPolicy;
use super::slb_settings::{AddressType, ExistingInstance, ExistingListeners, OnDelete, Switch};

/// Settings of a network load balancer. A class gives them for a gateway; a binding may give those that
/// the class leaves open.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub struct NlbSettings {
    /// Intranet for addresses that only the VPC reaches, Internet for public ones. There is no
    /// default: unless the class or a binding says which, no load balancer is made. It can change: the
    /// addresses are other ones then, and the host name is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AddressType")]
    pub address_type: Option<AddressType>,

    /// A load balancer that is there already, in place of a new one. It is never deleted. Once the
    /// Service has an address, this can neither be added, nor changed, nor removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<NlbExisting>,

    /// Name of the load balancer in the cloud console: 2 to 128 letters, digits, and the characters
    /// . _ - beginning with a letter. Default: one made by the cloud controller manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 2, max = 128),
        regex(pattern = "^[A-Za-z][-._A-Za-z0-9]+$")
    )]
    pub name: Option<String>,

    /// The zones that it has an address in, two at least, each with a vswitch. Needed unless existing
    /// names one. Zones and vswitches can be added and replaced; one that is only taken out stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["zoneId".into()]))]
    #[x_kube(validation = Rule::new("self.all(one, self.exists_one(other, other.zoneId == one.zoneId))")
        .message("an NLB has one vswitch in each of its zones: name every zone once")
        .reason(Reason::FieldValueDuplicate))]
    pub zone_mappings: Option<Vec<NlbZoneMapping>>,

    /// IPv4, or DualStack for IPv6 besides. Default: IPv4. Fixed once the load balancer exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NlbIpVersion")]
    pub ip_version: Option<NlbIpVersion>,

    /// The same as addressType for the IPv6 addresses of a DualStack load balancer: Intranet or
    /// Internet. Default: Intranet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AddressType")]
    pub ipv6_address_type: Option<AddressType>,

    /// Resource group that it belongs to. Example: rg-acfmxazb4ph6aiy. Default: that of the cloud
    /// controller manager. Fixed once the load balancer exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 4, max = 64), regex(pattern = "^rg-[a-z0-9]+$"))]
    pub resource_group_id: Option<String>,

    /// Tags of the load balancer, besides those of the cloud controller manager. Once there are any,
    /// it removes every other tag that somebody gave the load balancer. Example: {team: shop}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::slb_settings::tags")]
    pub tags: Option<BTreeMap<String, String>>,

    /// Ids of the security groups that say who may connect. Example: [sg-bp1xd3a1tq5xxxx]. Default:
    /// none, everybody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "security_groups")]
    pub security_group_ids: Option<Vec<String>>,

    /// Id of the Internet Shared Bandwidth that the public addresses of an Internet load balancer take
    /// part in. Example: cbwp-bp1vevu8h3ieh7xkcdnrb. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 6, max = 64), regex(pattern = "^cbwp-[a-z0-9]+$"))]
    pub bandwidth_package_id: Option<String>,

    /// Whether requests that arrive in one zone are sent to backends in others: Enabled or Disabled.
    /// Default: Enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Switch")]
    pub cross_zone: Option<Switch>,

    /// What becomes of the load balancer when its Service is deleted: Delete, or Preserve, which keeps
    /// its id and host name but leaves it without protection, and with many versions of the cloud
    /// controller manager empty. It is billed on, and nobody manages it any more. Default: Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OnDelete")]
    pub on_delete: Option<OnDelete>,

    /// What its listeners speak. A port that is not listed is served by TCP or UDP, as the Service
    /// says. Changing an entry takes the listener away and makes it anew: a gap in traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["port".into()]))]
    pub listeners: Option<Vec<NlbListener>>,

    /// The certificates of its TCPSSL listeners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<NlbCertificate>,

    /// The oldest TLS version, and the ciphers, that TCPSSL listeners take: tls_cipher_policy_1_0,
    /// tls_cipher_policy_1_1 or tls_cipher_policy_1_2 for that version and newer ones;
    /// tls_cipher_policy_1_2_strict with forward secrecy only; tls_cipher_policy_1_2_strict_with_1_3
    /// with TLS 1.3 besides. Default: tls_cipher_policy_1_0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TlsPolicy")]
    pub tls_policy: Option<TlsPolicy>,

    /// What TCPSSL listeners agree on with callers about HTTP (ALPN): HTTP1Only, HTTP2Only,
    /// HTTP2Preferred, HTTP2Optional, or None for nothing. Default: None.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NlbAlpn")]
    pub alpn: Option<NlbAlpn>,

    /// Tells backends the caller's address by the PROXY protocol, version 2. Backends that do not
    /// expect it fail. Default: no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<NlbProxyProtocol>,

    /// How long a connection may be without traffic: 10s to 15m, and with a UDP listener to 20s. Default:
    /// 15m, of UDP 20s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "between_10s_and_15m")]
    pub idle_timeout: Option<Duration>,

    /// New connections that a listener takes in a second, in each zone. Default: as many as come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections_per_second: Option<i32>,

    /// How a backend is chosen: WeightedRoundRobin, one after the other by weight; RoundRobin, without
    /// weight; SourceHash, by the caller's address; TupleHash, by addresses and ports of both sides;
    /// QUICHash, by the id of a QUIC connection, if all listeners are UDP; WeightedLeastConnections, the
    /// one with the fewest connections for its weight. Default: WeightedRoundRobin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NlbScheduler")]
    pub scheduler: Option<NlbScheduler>,

    /// Lets the connections of a backend that goes end by themselves. Default: no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_drain: Option<NlbConnectionDrain>,

    /// Whether backends see the caller's address as that of the connection: Preserved or Replaced.
    /// Default: the cloud's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NlbClientAddress")]
    pub client_address: Option<NlbClientAddress>,

    /// How backends are checked. Default: by TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<NlbHealthCheck>,

    /// What requests are sent to. Default: as the cloud controller manager is set up, with a weight of
    /// 100 each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backends: Option<SlbBackends>,
}

/// A network load balancer that others made.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct NlbExisting {
    /// Its id. It must not have been made by a cloud controller manager. It may be in another VPC than
    /// the cluster. Example: nlb-83ckzc8d4xlp8o.
    #[schemars(length(min = 5, max = 64), regex(pattern = "^nlb-[a-z0-9]+$"))]
    pub id: String,

    /// Keep: its listeners are left as they are, and none is made. You make those that send requests
    /// to the server groups of the Service. Override: the ports of the Service get listeners; one that
    /// is there already on the same port is taken over, and is deleted with the Service. Default: Keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ExistingListeners")]
    pub listeners: Option<ExistingListeners>,

    /// Keep: the load balancer itself is left as it is (addressType, name, zoneMappings, tags and the
    /// like), and what is set of it here must be so. Manage: it is set as given here. Default: Keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ExistingInstance")]
    pub instance: Option<ExistingInstance>,
}

impl NlbExisting {
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

/// A zone of a network load balancer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.eipId) || has(self.privateAddress)")
    .message("eipId needs privateAddress: the cloud controller manager reads the two by their place")
    .reason(Reason::FieldValueRequired).field_path(".privateAddress"))]
pub struct NlbZoneMapping {
    /// The zone. Example: cn-beijing-g.
    #[schemars(length(min = 1, max = 32), regex(pattern = crate::schema::REGION_OR_ZONE))]
    pub zone_id: String,

    /// Id of the vswitch there that the address is taken from. Example: vsw-2zeqgkyib34gw1fxxxxxx.
    #[schemars(length(min = 5, max = 64), regex(pattern = "^vsw-[a-z0-9]+$"))]
    pub vswitch_id: String,

    /// The IPv4 address out of that vswitch. Example: 192.168.0.23. Default: the cloud chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 7, max = 15),
        regex(pattern = "^[0-9]{1,3}(\\.[0-9]{1,3}){3}$")
    )]
    pub private_address: Option<String>,

    /// Id of the elastic address of an Internet load balancer there. Example: eip-2zexxxxxxxxxx.
    /// Default: the cloud makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 5, max = 64), regex(pattern = "^eip-[a-z0-9]+$"))]
    pub eip_id: Option<String>,
}

/// Versions of the Internet Protocol of a network load balancer.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NlbIpVersion {
    /// Version 4.
    IPv4,
    /// Versions 4 and 6.
    DualStack,
}

fn security_groups(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 4,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "maxLength": 64, "pattern": "^sg-[a-z0-9]+$"},
    })
}

fn between_10s_and_15m(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::seconds("10s", "15m")
}
