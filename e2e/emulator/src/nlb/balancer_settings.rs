//! What of a load balancer changes in place.

use super::balancers::{changeable, changed};
use super::not_found;
use crate::alb::{errors, texts};
use crate::api::{Answer, Request};
use crate::world::World;

/// Security groups of a load balancer.
const SECURITY_GROUPS_MAX: usize = 4;

pub(super) fn update(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let name = params.filled("LoadBalancerName");
    if name.is_some_and(|name| !texts::is_name(name)) {
        return Err(errors::illegal("LoadBalancerName"));
    }
    let cross_zone = params.bool("CrossZoneEnabled")?;
    let balancer = changeable(world, request)?;
    if let Some(name) = name {
        name.clone_into(&mut balancer.name);
    }
    if let Some(on) = cross_zone {
        balancer.cross_zone = on;
    }
    let id = balancer.id.clone();
    changed(world, request, &id)
}

pub(super) fn protect(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let deletion = params.bool("DeletionProtectionEnabled")?;
    let states = ["NonProtection", "ConsoleProtection"];
    let modification = params.one_of("ModificationProtectionStatus", &states)?;
    let reason = params.filled("ModificationProtectionReason");
    let balancer = changeable(world, request)?;
    if let Some(on) = deletion {
        balancer.deletion_protection = on;
    }
    if let Some(status) = modification {
        status.clone_into(&mut balancer.modification_protection);
        let reason = reason.filter(|_| status == "ConsoleProtection");
        balancer.modification_protection_reason = reason.unwrap_or_default().to_owned();
    }
    Ok(serde_json::json!({}))
}

pub(super) fn join(world: &mut World, request: &Request) -> Answer {
    let ids = request.params.strings("SecurityGroupIds");
    let balancer = changeable(world, request)?;
    for id in ids {
        if balancer.security_group_ids.contains(&id) {
            return Err(errors::conflict("SecurityGroup", &id, &balancer.id));
        }
        balancer.security_group_ids.push(id);
    }
    let count = balancer.security_group_ids.len();
    if count > SECURITY_GROUPS_MAX {
        balancer.security_group_ids.truncate(SECURITY_GROUPS_MAX);
        let name = "SecurityGroupsNum";
        return Err(errors::resource_quota(
            name,
            &balancer.id,
            count,
            SECURITY_GROUPS_MAX,
        ));
    }
    let id = balancer.id.clone();
    changed(world, request, &id)
}

pub(super) fn leave(world: &mut World, request: &Request) -> Answer {
    let ids = request.params.strings("SecurityGroupIds");
    let balancer = changeable(world, request)?;
    let groups = &mut balancer.security_group_ids;
    if let Some(id) = ids.iter().find(|id| !groups.contains(id)) {
        return Err(not_found("securityGroup", id));
    }
    groups.retain(|group| !ids.contains(group));
    let id = balancer.id.clone();
    changed(world, request, &id)
}

pub(super) fn attach(world: &mut World, request: &Request) -> Answer {
    let package = request.params.required("BandwidthPackageId")?.to_owned();
    let balancer = changeable(world, request)?;
    if balancer.address_type != "Internet" {
        return Err(errors::denied("AddressTypeNotSupport"));
    }
    if !balancer.bandwidth_package_id.is_empty() {
        return Err(errors::in_use("loadBalancer", &balancer.id));
    }
    balancer.bandwidth_package_id = package;
    let id = balancer.id.clone();
    changed(world, request, &id)
}

pub(super) fn detach(world: &mut World, request: &Request) -> Answer {
    let package = request.params.required("BandwidthPackageId")?;
    let balancer = changeable(world, request)?;
    if balancer.bandwidth_package_id != package {
        return Err(not_found("bandwidthPackage", package));
    }
    balancer.bandwidth_package_id.clear();
    let id = balancer.id.clone();
    changed(world, request, &id)
}

pub(super) fn ipv6(world: &mut World, request: &Request, kind: &str) -> Answer {
    let balancer = changeable(world, request)?;
    if balancer.address_ip_version != "DualStack" {
        return Err(errors::denied("AddressIpVersionNotSupport"));
    }
    kind.clone_into(&mut balancer.ipv6_address_type);
    let id = balancer.id.clone();
    changed(world, request, &id)
}
