//! What a network load balancer is.

use std::collections::BTreeMap;

use crate::core::observed::ListenerState;

/// A load balancer's attributes (NLB GetLoadBalancerAttribute), reduced to what decisions need. Words
/// are as the cloud writes them; what it left out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NlbState {
    /// `nlb-…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// The host name that it publishes.
    pub dns_name: String,
    /// `Internet` or `Intranet`.
    pub address_type: String,
    /// `ipv4` or `DualStack`.
    pub ip_version: String,
    /// `Internet` or `Intranet`, of its IPv6 addresses.
    pub ipv6_address_type: String,
    /// `vpc-…`
    pub vpc_id: String,
    /// `rg-…`
    pub resource_group_id: String,
    /// Whether backends in other zones are sent to.
    pub cross_zone: bool,
    /// `cbwp-…`; empty without a shared bandwidth.
    pub bandwidth_package_id: String,
    /// Its security groups.
    pub security_group_ids: Vec<String>,
    /// `Active`, `Provisioning`, `Configuring`, …
    pub status: String,
    /// Its zones, in their order.
    pub zones: Vec<Zone>,
    /// Tags, those of the cloud controller manager included.
    pub tags: BTreeMap<String, String>,
    /// Its listeners, in the order of their ports; none: they were not read.
    pub listeners: Option<Vec<ListenerState>>,
}

/// A zone of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// The zone.
    pub id: String,
    /// Its vswitch there.
    pub vswitch_id: String,
    /// Its IPv4 address there within the VPC.
    pub address: String,
}
