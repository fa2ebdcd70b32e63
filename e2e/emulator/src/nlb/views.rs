//! What is shown of load balancers and listeners.

use serde_json::{Value, json};

use super::model::{Listener, LoadBalancer, ZoneMapping};
use super::not_found;
use crate::alb::pages::{self, among};
use crate::alb::tags;
use crate::api::{Answer, Request};
use crate::sts::wire_time;
use crate::world::World;

pub(super) fn balancer(world: &World, request: &Request) -> Answer {
    let id = request.params.required("LoadBalancerId")?;
    let seen = world.nlb.load_balancers.get(id);
    let balancer = seen
        .and_then(|balancer| balancer.seen(request.now))
        .ok_or_else(|| not_found("loadBalancer", id))?;
    let mut view = balancer_view(world, request, balancer);
    // Lists call these `Key` and `Value`.
    let tags = balancer.tags.iter();
    let tags = tags.map(|(key, value)| json!({"TagKey": key, "TagValue": value}));
    view["Tags"] = tags.collect();
    Ok(view)
}

pub(super) fn balancers(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let ids = pages::wanted(request, "LoadBalancerIds", 20)?;
    let names = pages::wanted(request, "LoadBalancerNames", 20)?;
    let vpcs = pages::wanted(request, "VpcIds", 10)?;
    let equals = |name: &str, value: &str| params.filled(name).is_none_or(|one| one == value);
    let fits = |balancer: &&LoadBalancer| {
        among(&ids, &balancer.id)
            && among(&names, &balancer.name)
            && among(&vpcs, &balancer.vpc_id)
            && equals("AddressType", &balancer.address_type)
            && equals("AddressIpVersion", &balancer.address_ip_version)
            && equals("DNSName", &balancer.dns_name)
            && equals("ResourceGroupId", &balancer.resource_group_id)
            && tags::matches(request, &balancer.tags)
    };
    let seen = world.nlb.load_balancers.values();
    let seen = seen.filter_map(|balancer| balancer.seen(request.now));
    let views = seen
        .filter(fits)
        .map(|balancer| balancer_view(world, request, balancer));
    pages::page(request, "LoadBalancers", views.collect())
}

fn zone_view(zone: &ZoneMapping) -> Value {
    json!({
        "VSwitchId": zone.vswitch_id,
        "ZoneId": zone.zone_id,
        "Status": "Active",
        "LoadBalancerAddresses": [{
            "PrivateIPv4Address": zone.private_address,
            "PublicIPv4Address": zone.public_address,
            "AllocationId": zone.allocation_id,
        }],
    })
}

fn balancer_view(world: &World, request: &Request, balancer: &LoadBalancer) -> Value {
    let zones = balancer.zone_mappings.iter().map(zone_view);
    json!({
        "RegionId": world.region,
        "LoadBalancerId": balancer.id,
        "LoadBalancerName": balancer.name,
        "LoadBalancerType": "Network",
        "LoadBalancerStatus": balancer.status(request.now, world.nlb.settling),
        "LoadBalancerBusinessStatus": "Normal",
        "LoadBalancerBillingConfig": {"PayType": "PostPay"},
        "DNSName": balancer.dns_name,
        "AddressType": balancer.address_type,
        "AddressIpVersion": balancer.address_ip_version,
        "Ipv6AddressType": balancer.ipv6_address_type,
        "VpcId": balancer.vpc_id,
        "ResourceGroupId": balancer.resource_group_id,
        "CrossZoneEnabled": balancer.cross_zone,
        "BandwidthPackageId": balancer.bandwidth_package_id,
        "SecurityGroupIds": balancer.security_group_ids,
        "CreateTime": wire_time(balancer.created),
        "ZoneMappings": zones.collect::<Vec<Value>>(),
        "OperationLocks": [],
        "DeletionProtectionConfig": {"Enabled": balancer.deletion_protection},
        "ModificationProtectionConfig": {
            "Status": balancer.modification_protection,
            "Reason": balancer.modification_protection_reason,
        },
        "Tags": tags::view(&balancer.tags),
    })
}

pub(super) fn listener(world: &World, request: &Request) -> Answer {
    let listener = world.nlb.listener(request.params.required("ListenerId")?)?;
    Ok(listener_view(request, listener))
}

pub(super) fn listeners(world: &World, request: &Request) -> Answer {
    let ids = pages::wanted(request, "ListenerIds", 20)?;
    let balancers = pages::wanted(request, "LoadBalancerIds", 20)?;
    let seen = world.nlb.listeners.values();
    let seen = seen.filter_map(|listener| listener.seen(request.now));
    let protocol = request.params.filled("ListenerProtocol");
    let views = seen
        .filter(|listener| {
            among(&ids, &listener.id)
                && among(&balancers, &listener.load_balancer_id)
                && protocol.is_none_or(|one| one == listener.protocol)
                && tags::matches(request, &listener.tags)
        })
        .map(|listener| listener_view(request, listener));
    pages::page(request, "Listeners", views.collect())
}

fn listener_view(request: &Request, listener: &Listener) -> Value {
    let mut view = json!({
        "ListenerId": listener.id,
        "ListenerPort": listener.port,
        "ListenerProtocol": listener.protocol,
        "ListenerStatus": listener.status(request.now),
        "ListenerDescription": listener.description,
        "LoadBalancerId": listener.load_balancer_id,
        "ServerGroupId": listener.server_group_id,
        "CertificateIds": listener.certificates.first().into_iter().collect::<Vec<_>>(),
        "CaCertificateIds": listener.ca_certificates,
        "Tags": tags::view(&listener.tags),
    });
    if listener.port == 0 {
        view["StartPort"] = json!(listener.range.0.to_string());
        view["EndPort"] = json!(listener.range.1.to_string());
    }
    for (name, value) in &listener.more {
        view[name] = value.clone();
    }
    view
}

pub(super) fn certificates(world: &World, request: &Request) -> Answer {
    let listener = world.nlb.listener(request.params.required("ListenerId")?)?;
    let certificates = listener.certificates.iter().enumerate();
    let views = certificates.map(|(index, id)| {
        json!({
            "CertificateId": id,
            "CertificateType": "Server",
            "IsDefault": index == 0,
            "Status": "Associated",
        })
    });
    pages::page(request, "Certificates", views.collect())
}
