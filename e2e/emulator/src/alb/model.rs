//! The objects of the application load balancer product.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::errors;
use super::repeat::Repeat;
use super::rule_model::{Rule, RuleWrite, Tuple};
use crate::api::ApiError;
use crate::world::Visible;

/// All application load balancers and what hangs on them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// Load balancers by id (`alb-…`).
    pub load_balancers: BTreeMap<String, Visible<LoadBalancer>>,
    /// Listeners by id (`lsn-…`).
    pub listeners: BTreeMap<String, Visible<Listener>>,
    /// Forwarding rules by id (`rule-…`).
    pub rules: BTreeMap<String, Visible<Rule>>,
    /// Server groups by id (`sgp-…`).
    pub server_groups: BTreeMap<String, Visible<ServerGroup>>,
    /// The latest asynchronous jobs.
    pub jobs: VecDeque<Job>,
    /// Client tokens, by action and token, and what each was used for.
    pub tokens: BTreeMap<String, Repeat>,
    /// The same keys, oldest first.
    pub token_order: VecDeque<String>,
    /// How long something takes from a write until it is as it was asked to be; not part of what is
    /// saved.
    #[serde(skip)]
    pub settling: SignedDuration,
    /// What the call in hand did to rules; goes to the call log.
    #[serde(skip)]
    pub rule_writes: Vec<RuleWrite>,
}

/// An application load balancer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancer {
    /// `alb-…`
    pub id: String,
    /// Its name, not unique.
    pub name: String,
    /// Where it is reached; resolves to its addresses in all zones.
    pub dns_name: String,
    /// `Internet` or `Intranet`.
    pub address_type: String,
    /// `Fixed` or `Dynamic`.
    pub address_allocated_mode: String,
    /// `IPv4` or `DualStack`.
    pub address_ip_version: String,
    /// `Basic`, `Standard` or `StandardWithWaf`.
    pub edition: String,
    /// Its VPC.
    pub vpc_id: String,
    /// `rg-…`
    pub resource_group_id: String,
    /// `PostPay`.
    pub pay_type: String,
    /// Its zones, two at least.
    pub zone_mappings: Vec<ZoneMapping>,
    /// When deletion protection was switched on, if it is.
    pub deletion_protected_since: Option<Timestamp>,
    /// `ConsoleProtection` or `NonProtection`.
    pub modification_protection: String,
    /// Why, if it is protected.
    pub modification_protection_reason: String,
    /// Project and store of the access log, if there is one.
    pub access_log: Option<(String, String)>,
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
    /// Its address there.
    pub address: String,
    /// Its address within the VPC.
    pub intranet_address: String,
}

/// A listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// `lsn-…`
    pub id: String,
    /// Its load balancer.
    pub load_balancer_id: String,
    /// 1 to 65535.
    pub port: u16,
    /// `HTTP`, `HTTPS` or `QUIC`.
    pub protocol: String,
    /// Where requests go that match no rule.
    pub default_actions: Vec<Tuple>,
    /// Its description.
    pub description: String,
    /// Seconds an idle connection stays open.
    pub idle_timeout: i64,
    /// Seconds a backend may take to answer.
    pub request_timeout: i64,
    /// Whether answers are compressed.
    pub gzip: bool,
    /// Whether HTTP/2 is spoken.
    pub http2: bool,
    /// The TLS security policy; empty without TLS.
    pub security_policy_id: String,
    /// The default certificate first.
    pub certificates: Vec<String>,
    /// Certificates of authorities, if clients have to show one.
    pub ca_certificates: Vec<String>,
    /// Whether clients have to show a certificate.
    pub ca_enabled: bool,
    /// `XForwardedForConfig`, `QuicConfig` and `LogConfig` as they are shown.
    pub more: BTreeMap<String, Value>,
    /// Whether it was stopped.
    pub stopped: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
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
    /// The name of a Kubernetes Service, where one stands behind it.
    pub service_name: String,
    /// `Instance`, `Ip` or `Fc`.
    pub kind: String,
    /// `HTTP`, `HTTPS` or `gRPC`.
    pub protocol: String,
    /// `Wrr`, `Wlc`, `Sch` or `Uch`.
    pub scheduler: String,
    /// Its VPC.
    pub vpc_id: String,
    /// `rg-…`
    pub resource_group_id: String,
    /// Whether connections to servers are kept.
    pub upstream_keepalive: bool,
    /// Its other settings as they are shown, by the name of the parameter.
    pub more: BTreeMap<String, Value>,
    /// Its servers.
    pub servers: Vec<Server>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
    /// When the last change is through.
    pub settled: Timestamp,
}

/// A server of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// The id of the instance or network interface, or an address.
    pub id: String,
    /// Its address.
    pub ip: String,
    /// `Ecs`, `Eni`, `Eci`, `Ip` or `Fc`.
    pub kind: String,
    /// Its port.
    pub port: u16,
    /// 0 to 100; 0 takes no requests.
    pub weight: u32,
    /// Its description.
    pub description: String,
}

/// An asynchronous job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: String,
    /// The action that started it.
    pub api: String,
    /// `loadbalancer`, `listener`, `rule` or `servergroup`.
    pub resource_type: String,
    /// What it is about.
    pub resource_id: String,
    /// When it began.
    pub created: Timestamp,
    /// When it ends.
    pub done: Timestamp,
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
    /// `Provisioning`, `Configuring`, `Running` or `Stopped`.
    pub fn status(&self, now: Timestamp, settling: SignedDuration) -> &'static str {
        match (now >= self.settled, self.stopped) {
            (true, false) => "Running",
            (true, true) => "Stopped",
            (false, _) if self.settled <= self.created + settling => "Provisioning",
            (false, _) => "Configuring",
        }
    }
}

impl ServerGroup {
    /// `Provisioning`, `Configuring` or `Available`.
    pub fn status(&self, now: Timestamp, settling: SignedDuration) -> &'static str {
        match now >= self.settled {
            true => "Available",
            false if self.settled <= self.created + settling => "Provisioning",
            false => "Configuring",
        }
    }
}

impl State {
    /// The load balancers that use a server group, by a listener or a rule.
    pub fn users_of(&self, server_group_id: &str) -> Vec<String> {
        let by_listeners = self.listeners.values().map(|listener| &listener.value);
        let by_listeners = by_listeners
            .filter(|listener| {
                let mut tuples = listener.default_actions.iter();
                tuples.any(|tuple| tuple.server_group_id == server_group_id)
            })
            .map(|listener| listener.load_balancer_id.clone());
        let by_rules = self.rules.values().map(|rule| &rule.value);
        let by_rules = by_rules
            .filter(|rule| rule.server_groups().any(|id| id == server_group_id))
            .map(|rule| rule.load_balancer_id.clone());
        let mut users: Vec<String> = by_listeners.chain(by_rules).collect();
        users.sort();
        users.dedup();
        users
    }

    /// The rules of a listener, the first to be tried first.
    pub fn rules_of(&self, listener_id: &str) -> Vec<&Rule> {
        let rules = self.rules.values().map(|rule| &rule.value);
        let mut rules: Vec<&Rule> = rules
            .filter(|rule| rule.listener_id == listener_id)
            .collect();
        rules.sort_by_key(|rule| rule.priority);
        rules
    }
}

impl State {
    pub(super) fn load_balancer(&self, id: &str) -> Result<&LoadBalancer, ApiError> {
        let found = self.load_balancers.get(id).map(|found| &found.value);
        found.ok_or_else(|| errors::not_found("LoadBalancer", id))
    }

    pub(super) fn listener(&self, id: &str) -> Result<&Listener, ApiError> {
        let found = self.listeners.get(id).map(|found| &found.value);
        found.ok_or_else(|| errors::not_found("Listener", id))
    }

    pub(super) fn rule(&self, id: &str) -> Result<&Rule, ApiError> {
        let found = self.rules.get(id).map(|found| &found.value);
        found.ok_or_else(|| errors::not_found("Rule", id))
    }

    pub(super) fn server_group(&self, id: &str) -> Result<&ServerGroup, ApiError> {
        let found = self.server_groups.get(id).map(|found| &found.value);
        found.ok_or_else(|| errors::not_found("ServerGroup", id))
    }
}
