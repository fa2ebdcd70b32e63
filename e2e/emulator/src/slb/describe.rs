//! Reads of load balancers.

use serde::Deserialize;
use serde_json::{Value, json};

use super::find;
use super::tags::{matches_tags, tag_view};
use crate::api::{Answer, ApiError, Params, Request};
use crate::slb::LoadBalancer;
use crate::sts::wire_time;
use crate::world::World;

/// Ids or names that one call may ask for.
const VALUES_MAX: usize = 10;

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = params.paging(50, 100)?;
    let legacy_tags = legacy_tags(params)?;
    for name in ["LoadBalancerId", "LoadBalancerName"] {
        if params
            .filled(name)
            .is_some_and(|value| value.split(',').count() > VALUES_MAX)
        {
            return Err(params.invalid(name));
        }
    }
    let hits: Vec<&LoadBalancer> = world
        .slb
        .load_balancers
        .values()
        .filter_map(|balancer| balancer.seen(request.now))
        .filter(|balancer| matches(params, balancer) && matches_tags(request, &balancer.tags))
        .filter(|balancer| {
            legacy_tags.iter().all(|tag| {
                balancer
                    .tags
                    .get(&tag.key)
                    .is_some_and(|value| *value == tag.value)
            })
        })
        .collect();
    let page: Vec<Value> = paging
        .slice(&hits)
        .into_iter()
        .map(|balancer| list_view(world, balancer))
        .collect();
    Ok(json!({
        "LoadBalancers": {"LoadBalancer": page},
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": hits.len(),
    }))
}

pub(super) fn attribute(world: &World, request: &Request) -> Answer {
    let balancer = find::seen_load_balancer(world, request)?;
    let mut view = common_view(world, balancer);
    view["InternetChargeType"] = json!(balancer.internet_charge_type);
    view["BackendServers"] = json!({"BackendServer": []});
    let ports: Vec<u16> = balancer
        .listeners
        .iter()
        .map(|listener| listener.port)
        .collect();
    view["ListenerPorts"] = json!({"ListenerPort": ports});
    let old: Vec<Value> = balancer
        .listeners
        .iter()
        .map(|listener| json!({"ListenerPort": listener.port, "ListenerProtocol": listener.protocol.name()}))
        .collect();
    // The misspelt member is the older one; both are answered.
    view["ListenerPortsAndProtocal"] = json!({"ListenerPortAndProtocal": old});
    let new: Vec<Value> = balancer
        .listeners
        .iter()
        .map(|listener| {
            json!({
                "ListenerPort": listener.port,
                "ListenerProtocol": listener.protocol.name(),
                "ListenerForward": listener.settings.get("ListenerForward").map_or("off", String::as_str),
                "ForwardPort": listener.settings.get("ForwardPort").and_then(|port| port.parse::<u16>().ok()),
                "Description": listener.description,
            })
        })
        .collect();
    view["ListenerPortsAndProtocol"] = json!({"ListenerPortAndProtocol": new});
    Ok(view)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LegacyTag {
    #[serde(rename = "TagKey")]
    key: String,
    #[serde(rename = "TagValue", default)]
    value: String,
}

/// `Tags` is a JSON list of `{"TagKey","TagValue"}`.
fn legacy_tags(params: &Params) -> Result<Vec<LegacyTag>, ApiError> {
    match params.filled("Tags") {
        None => Ok(Vec::new()),
        Some(json) => serde_json::from_str(json).map_err(|_| params.invalid("Tags")),
    }
}

fn matches(params: &Params, balancer: &LoadBalancer) -> bool {
    let equals = |name: &str, value: &str| params.filled(name).is_none_or(|wanted| wanted == value);
    let among = |name: &str, value: &str| {
        params
            .filled(name)
            .is_none_or(|list| list.split(',').any(|one| one.trim() == value))
    };
    among("LoadBalancerId", &balancer.id)
        && among("LoadBalancerName", &balancer.name)
        && equals("Address", &balancer.address)
        && equals("AddressType", &balancer.address_type)
        && equals("AddressIPVersion", &balancer.ip_version)
        && equals("NetworkType", balancer.network_type())
        && equals("LoadBalancerStatus", &balancer.status)
        && equals("VpcId", balancer.vpc_id.as_deref().unwrap_or_default())
        && equals(
            "VSwitchId",
            balancer.vswitch_id.as_deref().unwrap_or_default(),
        )
        && equals("MasterZoneId", &balancer.master_zone_id)
        && equals("SlaveZoneId", &balancer.slave_zone_id)
        && equals("InternetChargeType", &balancer.internet_charge_type)
        && equals("ResourceGroupId", &balancer.resource_group_id)
}

fn list_view(world: &World, balancer: &LoadBalancer) -> Value {
    let mut view = common_view(world, balancer);
    let number = if balancer.internet_charge_type == "paybybandwidth" {
        "3"
    } else {
        "4"
    };
    view["InternetChargeType"] = json!(number);
    view["InternetChargeTypeAlias"] = json!(balancer.internet_charge_type);
    view
}

fn common_view(world: &World, balancer: &LoadBalancer) -> Value {
    json!({
        "LoadBalancerId": balancer.id,
        "LoadBalancerName": balancer.name,
        "LoadBalancerStatus": balancer.status,
        "LoadBalancerSpec": balancer.spec.as_deref().unwrap_or_default(),
        "Address": balancer.address,
        "AddressType": balancer.address_type,
        "AddressIPVersion": balancer.ip_version,
        "NetworkType": balancer.network_type(),
        "VpcId": balancer.vpc_id.as_deref().unwrap_or_default(),
        "VSwitchId": balancer.vswitch_id.as_deref().unwrap_or_default(),
        "MasterZoneId": balancer.master_zone_id,
        "SlaveZoneId": balancer.slave_zone_id,
        "RegionId": world.region,
        "RegionIdAlias": world.region,
        "ResourceGroupId": balancer.resource_group_id,
        "Bandwidth": balancer.bandwidth,
        "InstanceChargeType": balancer.instance_charge_type,
        "PayType": "PayOnDemand",
        "DeleteProtection": if balancer.delete_protection { "on" } else { "off" },
        "ModificationProtectionStatus": balancer.modification_protection,
        "ModificationProtectionReason": balancer.modification_protection_reason.as_deref().unwrap_or_default(),
        "CreateTime": wire_time(balancer.created),
        "CreateTimeStamp": balancer.created.as_millisecond(),
        "Tags": {"Tag": tag_view(&balancer.tags)},
    })
}

impl LoadBalancer {
    /// Intranet ones are in a VPC; internet ones are reported as classic.
    pub(super) fn network_type(&self) -> &'static str {
        if self.vpc_id.is_some() {
            "vpc"
        } else {
            "classic"
        }
    }
}
