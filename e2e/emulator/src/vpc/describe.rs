//! Reads of VPCs, vswitches, zones and regions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{VSwitch, Vpc};
use crate::api::{Answer, ApiError, Params, Request};
use crate::sts::wire_time;
use crate::world::World;

/// The most items on a page, and how many without a `PageSize`.
const PAGE_MAX: usize = 50;
const PAGE_DEFAULT: usize = 10;

pub(super) fn vpcs(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = params.paging(PAGE_DEFAULT, PAGE_MAX)?;
    let hits: Vec<Value> = world
        .vpc
        .vpcs
        .values()
        .filter(|vpc| among(params, "VpcId", &vpc.id) && equals(params, "VpcName", &vpc.name))
        .filter(|vpc| has_tags(params, &vpc.tags))
        .map(|vpc| vpc_view(world, vpc))
        .collect();
    Ok(json!({
        "Vpcs": {"Vpc": paging.slice(&hits)},
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": hits.len(),
    }))
}

pub(super) fn vpc_attribute(world: &World, request: &Request) -> Answer {
    let id = request.params.required("VpcId")?;
    let vpc = world.vpc.vpcs.get(id).ok_or_else(|| {
        ApiError::not_found("InvalidVpcId.NotFound", "The specified VPC does not exist.")
    })?;
    Ok(vpc_view(world, vpc))
}

pub(super) fn vswitches(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    if params.filled("RegionId").is_none() && params.filled("VpcId").is_none() {
        return Err(params.missing("RegionId"));
    }
    let paging = params.paging(PAGE_DEFAULT, PAGE_MAX)?;
    let hits: Vec<Value> = world
        .vpc
        .vswitches
        .values()
        .filter(|vswitch| {
            among(params, "VSwitchId", &vswitch.id) && equals(params, "VpcId", &vswitch.vpc_id)
        })
        .filter(|vswitch| equals(params, "ZoneId", &vswitch.zone_id))
        .filter(|vswitch| {
            equals(params, "VSwitchName", &vswitch.name) && has_tags(params, &vswitch.tags)
        })
        .map(|vswitch| vswitch_view(world, vswitch))
        .collect();
    Ok(json!({
        "VSwitches": {"VSwitch": paging.slice(&hits)},
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": hits.len(),
    }))
}

pub(super) fn vswitch_attributes(world: &World, request: &Request) -> Answer {
    let id = request.params.required("VSwitchId")?;
    let vswitch = world.vpc.vswitches.get(id).ok_or_else(|| {
        ApiError::not_found(
            "InvalidVSwitchId.NotFound",
            "The specified VSwitch does not exist.",
        )
    })?;
    Ok(vswitch_view(world, vswitch))
}

pub(super) fn zones(world: &World) -> Value {
    let zones: Vec<Value> = world
        .vpc
        .zones()
        .iter()
        .map(|zone| json!({"ZoneId": zone, "LocalName": zone, "ZoneType": "AvailabilityZone"}))
        .collect();
    json!({"Zones": {"Zone": zones}})
}

pub(super) fn regions(world: &World) -> Value {
    let region = &world.region;
    json!({"Regions": {"Region": [{
        "RegionId": region,
        "LocalName": region,
        "RegionEndpoint": format!("vpc.{region}.aliyuncs.com"),
    }]}})
}

fn vpc_view(world: &World, vpc: &Vpc) -> Value {
    let vswitches: Vec<&str> = world
        .vpc
        .vswitches
        .values()
        .filter(|vswitch| vswitch.vpc_id == vpc.id)
        .map(|vswitch| vswitch.id.as_str())
        .collect();
    json!({
        "VpcId": vpc.id,
        "VpcName": vpc.name,
        "Description": "",
        "CidrBlock": vpc.cidr.to_string(),
        "CreationTime": wire_time(vpc.created),
        "Status": "Available",
        "IsDefault": false,
        "RegionId": world.region,
        "OwnerId": world.account_id.parse::<i64>().unwrap_or_default(),
        "ResourceGroupId": "rg-default",
        "VSwitchIds": {"VSwitchId": vswitches},
        "SecondaryCidrBlocks": {"SecondaryCidrBlock": []},
        "UserCidrs": {"UserCidr": []},
        "Tags": {"Tag": tag_view(&vpc.tags)},
    })
}

fn vswitch_view(world: &World, vswitch: &VSwitch) -> Value {
    json!({
        "VSwitchId": vswitch.id,
        "VSwitchName": vswitch.name,
        "Description": "",
        "VpcId": vswitch.vpc_id,
        "ZoneId": vswitch.zone_id,
        "CidrBlock": vswitch.cidr.to_string(),
        "AvailableIpAddressCount": vswitch.available(),
        "CreationTime": wire_time(vswitch.created),
        "Status": "Available",
        "IsDefault": false,
        "OwnerId": world.account_id.parse::<i64>().unwrap_or_default(),
        "ResourceGroupId": "rg-default",
        "Tags": {"Tag": tag_view(&vswitch.tags)},
    })
}

fn tag_view(tags: &BTreeMap<String, String>) -> Vec<Value> {
    tags.iter()
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect()
}

pub(super) fn equals(params: &Params, name: &str, value: &str) -> bool {
    params.filled(name).is_none_or(|wanted| wanted == value)
}

/// A filter that takes several values, separated by commas.
pub(super) fn among(params: &Params, name: &str, value: &str) -> bool {
    params
        .filled(name)
        .is_none_or(|wanted| wanted.split(',').any(|one| one.trim() == value))
}

fn has_tags(params: &Params, tags: &BTreeMap<String, String>) -> bool {
    params.list("Tag").iter().all(|wanted| {
        let value = wanted.get("Key").and_then(|key| tags.get(key));
        value.is_some_and(|value| {
            wanted
                .get("Value")
                .is_none_or(|wanted| wanted.is_empty() || wanted == value)
        })
    })
}
