//! Virtual private cloud, version 2016-04-28.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    pub cidr: String,
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
    pub cidr: String,
    /// Addresses handed out to load balancers.
    #[serde(default)]
    pub used: BTreeMap<String, String>,
}

/// An elastic IP address.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Eip {
    /// `eip-…`
    pub allocation_id: String,
    /// The public address.
    pub address: String,
    /// The load balancer it is bound to.
    pub instance_id: Option<String>,
}

impl State {
    /// One VPC with a vswitch in each of three zones.
    pub fn with_one_vpc(region: &str, ids: &mut Ids) -> Self {
        let mark = region_mark(region);
        let mut state = Self::default();
        let vpc_id = ids.resource(&format!("vpc-{mark}"));
        for (zone, third) in [("f", 0), ("g", 1), ("h", 2)] {
            let id = ids.resource(&format!("vsw-{mark}"));
            let vswitch = VSwitch {
                id: id.clone(),
                name: format!("default-{zone}"),
                vpc_id: vpc_id.clone(),
                zone_id: format!("{region}-{zone}"),
                cidr: format!("10.0.{third}.0/24"),
                used: BTreeMap::new(),
            };
            state.vswitches.insert(id, vswitch);
        }
        let vpc = Vpc {
            id: vpc_id.clone(),
            name: "default".to_owned(),
            cidr: "10.0.0.0/8".to_owned(),
        };
        state.vpcs.insert(vpc_id, vpc);
        state
    }
}

/// Carries out one action.
pub fn handle(_world: &mut World, request: &Request) -> Answer {
    Err(request.not_emulated())
}
