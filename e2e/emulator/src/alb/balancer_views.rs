//! What is shown of load balancers.

use serde_json::{Value, json};

use super::model::{LoadBalancer, ZoneMapping};
use super::pages::{self, among};
use super::tags;
use crate::api::{Answer, Request};
use crate::sts::wire_time;
use crate::world::World;

pub(super) fn attribute(world: &World, request: &Request) -> Answer {
    let id = request.params.required("LoadBalancerId")?;
    let seen = world.alb.load_balancers.get(id);
    let balancer = seen
        .and_then(|balancer| balancer.seen(request.now))
        .ok_or_else(|| super::errors::not_found("LoadBalancer", id))?;
    let mut view = view(world, request, balancer);
    let zones = balancer.zone_mappings.iter().map(zone_view);
    view["RegionId"] = json!(world.region);
    view["ZoneMappings"] = json!(zones.collect::<Vec<Value>>());
    view["LoadBalancerOperationLocks"] = json!([]);
    Ok(view)
}

fn zone_view(zone: &ZoneMapping) -> Value {
    json!({
        "VSwitchId": zone.vswitch_id,
        "ZoneId": zone.zone_id,
        "Status": "Active",
        "LoadBalancerAddresses": [{
            "Address": zone.address,
            "IntranetAddress": zone.intranet_address,
        }],
    })
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let ids = pages::wanted(request, "LoadBalancerIds", 20)?;
    let names = pages::wanted(request, "LoadBalancerNames", 10)?;
    let vpcs = pages::wanted(request, "VpcIds", 10)?;
    let equals = |name: &str, value: &str| params.filled(name).is_none_or(|one| one == value);
    let fits = |balancer: &&LoadBalancer| {
        let status = balancer.status(request.now, world.alb.settling);
        let mut zones = balancer.zone_mappings.iter();
        among(&ids, &balancer.id)
            && among(&names, &balancer.name)
            && among(&vpcs, &balancer.vpc_id)
            && equals("AddressType", &balancer.address_type)
            && equals("AddressIpVersion", &balancer.address_ip_version)
            && equals("DNSName", &balancer.dns_name)
            && equals("PayType", &balancer.pay_type)
            && equals("ResourceGroupId", &balancer.resource_group_id)
            && equals("LoadBalancerStatus", status)
            && zones.any(|zone| equals("ZoneId", &zone.zone_id))
            && tags::matches(request, &balancer.tags)
    };
    let seen = world.alb.load_balancers.values();
    let seen = seen.filter_map(|balancer| balancer.seen(request.now));
    let views = seen
        .filter(fits)
        .map(|balancer| view(world, request, balancer));
    pages::page(request, "LoadBalancers", views.collect())
}

fn view(world: &World, request: &Request, balancer: &LoadBalancer) -> Value {
    let log = balancer.access_log.as_ref();
    let log = log.map(|(project, store)| json!({"LogProject": project, "LogStore": store}));
    let protected = balancer.deletion_protected_since;
    json!({
        "LoadBalancerId": balancer.id,
        "LoadBalancerName": balancer.name,
        "LoadBalancerStatus": balancer.status(request.now, world.alb.settling),
        "LoadBalancerBussinessStatus": "Normal",
        "LoadBalancerEdition": balancer.edition,
        "LoadBalancerBillingConfig": {"PayType": balancer.pay_type},
        "DNSName": balancer.dns_name,
        "AddressType": balancer.address_type,
        "AddressAllocatedMode": balancer.address_allocated_mode,
        "AddressIpVersion": balancer.address_ip_version,
        "Ipv6AddressType": "Intranet",
        "VpcId": balancer.vpc_id,
        "ResourceGroupId": balancer.resource_group_id,
        "CreateTime": wire_time(balancer.created),
        "AccessLogConfig": log.unwrap_or_else(|| json!({})),
        "DeletionProtectionConfig": {
            "Enabled": protected.is_some(),
            "EnabledTime": protected.map(wire_time).unwrap_or_default(),
        },
        "ModificationProtectionConfig": {
            "Status": balancer.modification_protection,
            "Reason": balancer.modification_protection_reason,
        },
        "Tags": tags::view(&balancer.tags),
    })
}

pub(super) fn zones(world: &World) -> Value {
    let zones = world.vpc.zones().into_iter();
    let zones = zones.map(|zone| json!({"ZoneId": zone, "LocalName": zone}));
    json!({"Zones": zones.collect::<Vec<Value>>()})
}

pub(super) fn regions(world: &World) -> Value {
    let region = &world.region;
    json!({"Regions": [{
        "RegionId": region,
        "LocalName": region,
        "RegionEndpoint": format!("alb.{region}.aliyuncs.com"),
    }]})
}
