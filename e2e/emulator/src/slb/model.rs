//! The objects of the load balancer product.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::health::Endpoint;
use crate::world::Visible;

/// All load balancers and what hangs on them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// Load balancers by id (`lb-…`).
    pub load_balancers: BTreeMap<String, Visible<LoadBalancer>>,
    /// VServer groups by id (`rsp-…`).
    pub server_groups: BTreeMap<String, VServerGroup>,
    /// Access control lists by id (`acl-…`).
    pub access_control_lists: BTreeMap<String, AccessControlList>,
    /// Server certificates by id; there are those that a fixture put here.
    pub server_certificates: BTreeMap<String, ServerCertificate>,
    /// What the last probe of each endpoint found; not part of what is saved.
    #[serde(skip)]
    pub health: BTreeMap<Endpoint, bool>,
    /// `CreateLoadBalancer` client tokens and the load balancer each made.
    pub client_tokens: BTreeMap<String, String>,
    /// Whether load balancers by specification may be bought; not part of what is saved.
    #[serde(skip)]
    pub sells_pay_by_spec: bool,
    /// Internet addresses handed out so far.
    pub internet_addresses: u32,
}

/// A load balancer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancer {
    /// `lb-…`
    pub id: String,
    /// Its name, not unique.
    pub name: String,
    /// Its one address.
    pub address: String,
    /// `internet` or `intranet`.
    pub address_type: String,
    /// `ipv4` or `ipv6`.
    pub ip_version: String,
    /// The VPC of an intranet one.
    pub vpc_id: Option<String>,
    /// The vswitch of an intranet one.
    pub vswitch_id: Option<String>,
    /// Primary zone.
    pub master_zone_id: String,
    /// Secondary zone.
    pub slave_zone_id: String,
    /// `PayByCLCU` or `PayBySpec`.
    pub instance_charge_type: String,
    /// `paybytraffic` or `paybybandwidth`.
    pub internet_charge_type: String,
    /// Mbit/s, meaningful with `paybybandwidth` only.
    pub bandwidth: i64,
    /// Size, meaningful with `PayBySpec` only.
    pub spec: Option<String>,
    /// `active`, `inactive` or `locked`.
    pub status: String,
    /// Whether `DeleteLoadBalancer` is refused.
    pub delete_protection: bool,
    /// `ConsoleProtection` or `NonProtection`.
    pub modification_protection: String,
    /// Why it is protected.
    pub modification_protection_reason: Option<String>,
    /// `rg-…`
    pub resource_group_id: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
    /// Its listeners, one per port and protocol.
    pub listeners: Vec<Listener>,
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Layer 4, TCP.
    Tcp,
    /// Layer 4, UDP.
    Udp,
    /// Layer 7, plain.
    Http,
    /// Layer 7, TLS ends here.
    Https,
}

/// Whether a listener takes connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListenerStatus {
    /// It does.
    Running,
    /// It does not: never started, or stopped.
    Stopped,
}

/// A listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Its port.
    pub port: u16,
    /// What it speaks.
    pub protocol: Protocol,
    /// Whether it takes connections.
    pub status: ListenerStatus,
    /// Where it sends them; none on a forwarding listener.
    pub server_group_id: Option<String>,
    /// Free text.
    pub description: String,
    /// All other settings by their parameter name, defaults included.
    pub settings: BTreeMap<String, String>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Domains with a certificate of their own, by the ids of these entries.
    #[serde(default)]
    pub domain_extensions: BTreeMap<String, DomainExtension>,
}

/// A domain of an HTTPS listener with a certificate of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DomainExtension {
    /// The domain; `*.` before it stands for one label.
    pub domain: String,
    /// The server certificate.
    pub server_certificate_id: String,
}

/// A vServer group.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VServerGroup {
    /// `rsp-…`
    pub id: String,
    /// Its name, not unique.
    pub name: String,
    /// The load balancer it belongs to.
    pub load_balancer_id: String,
    /// Its servers.
    pub backends: Vec<Backend>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
}

/// A server of a vServer group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backend {
    /// `i-…` of an ECS instance, `eni-…` of a network interface.
    pub server_id: String,
    /// The address where traffic goes (that of the pod for `eni`).
    pub server_ip: String,
    /// The port where traffic goes.
    pub port: u16,
    /// 0 to 100; 0 takes no traffic.
    pub weight: u32,
    /// `ecs` or `eni`.
    pub kind: String,
    /// Free text.
    pub description: String,
}

/// Addresses that listeners allow or refuse.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessControlList {
    /// `acl-…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// `ipv4` or `ipv6`.
    pub ip_version: String,
    /// Ranges and the comment on each.
    pub entries: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
}

/// A certificate that HTTPS listeners may use.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerCertificate {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The common name of its subject.
    pub common_name: String,
    /// When it was uploaded.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

impl Protocol {
    /// As the API spells it in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl ListenerStatus {
    /// As the API spells it in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

impl State {
    /// A public address nobody has had: from the ranges kept for documentation first, then from
    /// the one kept for benchmarks.
    pub(crate) fn next_internet_address(&mut self) -> String {
        let number = self.internet_addresses;
        self.internet_addresses += 1;
        let (block, host) = (number / 254, number % 254 + 1);
        match block {
            0 => format!("203.0.113.{host}"),
            1 => format!("198.51.100.{host}"),
            2 => format!("192.0.2.{host}"),
            block => format!("198.{}.{}.{host}", 18 + (block / 256) % 2, block % 256),
        }
    }

    /// The listener that takes connections to `port` of a load balancer; UDP is not considered.
    pub fn listener(&self, load_balancer_id: &str, port: u16) -> Option<&Listener> {
        let balancer = &self.load_balancers.get(load_balancer_id)?.value;
        balancer
            .listeners
            .iter()
            .find(|listener| listener.port == port && listener.protocol != Protocol::Udp)
    }

    /// The servers behind a listener, those of weight 0 included.
    pub fn backends(&self, listener: &Listener) -> &[Backend] {
        listener
            .server_group_id
            .as_ref()
            .and_then(|id| self.server_groups.get(id))
            .map_or(&[], |group| group.backends.as_slice())
    }
}
