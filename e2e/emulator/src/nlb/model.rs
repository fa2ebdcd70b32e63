//! The objects of the network load balancer product.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::not_found;
use crate::alb::Server;
use crate::api::ApiError;
use crate::world::Visible;

/// All network load balancers and what hangs on them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// Load balancers by id (`nlb-…`).
    pub load_balancers: BTreeMap<String, Visible<LoadBalancer>>,
    /// Listeners by id (`lsn-…`).
    pub listeners: BTreeMap<String, Visible<Listener>>,
    /// Server groups by id (`sgp-…`).
    pub server_groups: BTreeMap<String, Visible<ServerGroup>>,
    /// The latest jobs, and when each ends.
    pub jobs: VecDeque<(String, Timestamp)>,
    /// Load balancers by the client token that made them.
    pub tokens: BTreeMap<String, String>,
    /// How long something takes from a write until it is as it was asked to be; not part of what is
    /// saved.
    #[serde(skip)]
    pub settling: SignedDuration,
}

/// A network load balancer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancer {
    /// `nlb-…`
    pub id: String,
    /// Its name, not unique.
    pub name: String,
    /// Where it is reached.
    pub dns_name: String,
    /// `Internet` or `Intranet`.
    pub address_type: String,
    /// `ipv4` or `DualStack`.
    pub address_ip_version: String,
    /// `Internet` or `Intranet`, of its addresses of version 6.
    pub ipv6_address_type: String,
    /// Its VPC.
    pub vpc_id: String,
    /// `rg-…`
    pub resource_group_id: String,
    /// Its zones, two at least.
    pub zone_mappings: Vec<ZoneMapping>,
    /// Whether deletion protection is on.
    pub deletion_protection: bool,
    /// `ConsoleProtection` or `NonProtection`.
    pub modification_protection: String,
    /// Why, if it is protected.
    pub modification_protection_reason: String,
    /// Its security groups.
    pub security_group_ids: Vec<String>,
    /// `cbwp-…`; empty without one.
    pub bandwidth_package_id: String,
    /// Whether servers in other zones are sent to.
    pub cross_zone: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
    /// When the last change is through.
    pub settled: Timestamp,
}

/// A zone of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneMapping {
    /// Its vswitch there.
    pub vswitch_id: String,
    /// The zone.
    pub zone_id: String,
    /// Its address within the VPC.
    pub private_address: String,
    /// Its public address; empty for an Intranet load balancer.
    pub public_address: String,
    /// `eip-…` of the public one.
    pub allocation_id: String,
}

/// A listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// `lsn-…`
    pub id: String,
    /// Its load balancer.
    pub load_balancer_id: String,
    /// 1 to 65535; 0 for a range.
    pub port: u16,
    /// The first and the last port of a range; 0 without one.
    pub range: (u16, u16),
    /// `TCP`, `UDP` or `TCPSSL`.
    pub protocol: String,
    /// Its description.
    pub description: String,
    /// Where connections go.
    pub server_group_id: String,
    /// Its other settings as they are shown, by the name of the parameter.
    pub more: BTreeMap<String, Value>,
    /// The default certificate first.
    pub certificates: Vec<String>,
    /// Certificates of authorities.
    pub ca_certificates: Vec<String>,
    /// Whether it was stopped.
    pub stopped: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When the last change is through.
    pub settled: Timestamp,
}

/// A server group.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerGroup {
    /// `sgp-…`
    pub id: String,
    /// Its name, not unique.
    pub name: String,
    /// `Instance` or `Ip`.
    pub kind: String,
    /// `TCP`, `UDP` or `TCPSSL`.
    pub protocol: String,
    /// Its VPC.
    pub vpc_id: String,
    /// `rg-…`
    pub resource_group_id: String,
    /// Its other settings as they are shown, by the name of the parameter.
    pub more: BTreeMap<String, Value>,
    /// Its servers.
    pub servers: Vec<Server>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When the last change is through.
    pub settled: Timestamp,
}

impl LoadBalancer {
    /// `Provisioning`, `Configuring` or `Active`.
    pub fn status(&self, now: Timestamp, settling: SignedDuration) -> &'static str {
        match now >= self.settled {
            true => "Active",
            false if self.settled <= self.created + settling => "Provisioning",
            false => "Configuring",
        }
    }
}

impl Listener {
    /// `Configuring`, `Running` or `Stopped`.
    pub fn status(&self, now: Timestamp) -> &'static str {
        match (now >= self.settled, self.stopped) {
            (false, _) => "Configuring",
            (true, false) => "Running",
            (true, true) => "Stopped",
        }
    }

    /// The ports that it takes, the first and the last.
    pub fn ports(&self) -> (u16, u16) {
        match self.port {
            0 => self.range,
            port => (port, port),
        }
    }

    /// Whether it takes a port of the same transport that another one takes.
    pub fn collides(&self, other: &Self) -> bool {
        let ((first, last), (begins, ends)) = (self.ports(), other.ports());
        (self.protocol == "UDP") == (other.protocol == "UDP") && first <= ends && begins <= last
    }
}

impl State {
    pub(super) fn load_balancer(&self, id: &str) -> Result<&LoadBalancer, ApiError> {
        let found = self.load_balancers.get(id).map(|found| &found.value);
        found.ok_or_else(|| not_found("loadBalancer", id))
    }

    pub(super) fn listener(&self, id: &str) -> Result<&Listener, ApiError> {
        let found = self.listeners.get(id).map(|found| &found.value);
        found.ok_or_else(|| not_found("listener", id))
    }

    pub(super) fn server_group(&self, id: &str) -> Result<&ServerGroup, ApiError> {
        let found = self.server_groups.get(id).map(|found| &found.value);
        found.ok_or_else(|| not_found("serverGroup", id))
    }

    /// The load balancers and listeners that use a server group.
    pub fn users_of(&self, group_id: &str) -> (Vec<String>, Vec<String>) {
        let listeners = self.listeners.values().map(|listener| &listener.value);
        let users = listeners.filter(|listener| listener.server_group_id == group_id);
        let users: Vec<&Listener> = users.collect();
        let mut balancers: Vec<String> = users
            .iter()
            .map(|listener| listener.load_balancer_id.clone())
            .collect();
        balancers.sort();
        balancers.dedup();
        let listeners = users.iter().map(|listener| listener.id.clone());
        (balancers, listeners.collect())
    }
}
