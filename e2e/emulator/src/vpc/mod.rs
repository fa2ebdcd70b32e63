//! Virtual private cloud, version 2016-04-28.

mod addresses;
mod cidr;
mod describe;
mod eips;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use addresses::AddressError;
pub use cidr::Cidr;

use crate::api::{Answer, Request};
use crate::ids::Ids;
use crate::world::{World, region_mark};

/// All networks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// VPCs by id.
    pub vpcs: BTreeMap<String, Vpc>,
    /// VSwitches by id.
    pub vswitches: BTreeMap<String, VSwitch>,
    /// Elastic IP addresses by allocation id.
    pub eips: BTreeMap<String, Eip>,
}

/// A VPC.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vpc {
    /// `vpc-…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// IPv4 range.
    pub cidr: Cidr,
    /// When it was made.
    pub created: Timestamp,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A vswitch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VSwitch {
    /// `vsw-…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// The VPC it is in.
    pub vpc_id: String,
    /// Its zone.
    pub zone_id: String,
    /// IPv4 range, `/24` in a fresh world.
    pub cidr: Cidr,
    /// When it was made.
    pub created: Timestamp,
    /// Addresses in use and the load balancer that holds each.
    #[serde(default)]
    pub used: BTreeMap<Ipv4Addr, String>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// An elastic IP address.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Eip {
    /// `eip-…`
    pub allocation_id: String,
    /// The public address.
    pub address: String,
    /// Its name.
    pub name: String,
    /// The load balancer it is bound to.
    pub instance_id: Option<String>,
    /// When it was allocated.
    pub created: Timestamp,
}

impl State {
    /// One VPC with a vswitch in each of three zones.
    pub fn with_one_vpc(region: &str, ids: &mut Ids) -> Self {
        let mark = region_mark(region);
        let created = Timestamp::UNIX_EPOCH;
        let mut state = Self::default();
        let vpc_id = ids.resource(&format!("vpc-{mark}"));
        for (zone, third) in [("f", 0), ("g", 1), ("h", 2)] {
            let id = ids.resource(&format!("vsw-{mark}"));
            let vswitch = VSwitch {
                id: id.clone(),
                name: format!("default-{zone}"),
                vpc_id: vpc_id.clone(),
                zone_id: format!("{region}-{zone}"),
                cidr: Cidr::new(Ipv4Addr::new(10, 0, third, 0), 24),
                created,
                used: BTreeMap::new(),
                tags: BTreeMap::new(),
            };
            state.vswitches.insert(id, vswitch);
        }
        let cidr = Cidr::new(Ipv4Addr::new(10, 0, 0, 0), 8);
        let vpc = Vpc {
            id: vpc_id.clone(),
            name: "default".to_owned(),
            cidr,
            created,
            tags: BTreeMap::new(),
        };
        state.vpcs.insert(vpc_id, vpc);
        state
    }

    /// The zones that have a vswitch, in order.
    pub fn zones(&self) -> Vec<&str> {
        let zones: std::collections::BTreeSet<&str> = self
            .vswitches
            .values()
            .map(|vswitch| vswitch.zone_id.as_str())
            .collect();
        zones.into_iter().collect()
    }
}

/// Carries out one action.
pub fn handle(world: &mut World, request: &Request) -> Answer {
    match request.action.as_str() {
        "DescribeVpcs" => describe::vpcs(world, request),
        "DescribeVpcAttribute" => describe::vpc_attribute(world, request),
        "DescribeVSwitches" => describe::vswitches(world, request),
        "DescribeVSwitchAttributes" => describe::vswitch_attributes(world, request),
        "DescribeZones" => Ok(describe::zones(world)),
        "DescribeRegions" => Ok(describe::regions(world)),
        "DescribeEipAddresses" => eips::describe(world, request),
        "AllocateEipAddress" => eips::allocate(world, request),
        "AssociateEipAddress" => eips::associate(world, request),
        "UnassociateEipAddress" => eips::unassociate(world, request),
        "ReleaseEipAddress" => eips::release(world, request),
        _ => Err(request.not_emulated()),
    }
}
