//! Creating, changing and deleting load balancers.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::json;

use super::errors;
use super::jobs;
use super::model::{LoadBalancer, ZoneMapping};
use super::node::Node;
use super::tags;
use super::texts;
use crate::api::{Answer, ApiError, Request};
use crate::vpc::AddressError;
use crate::world::{Visible, World};

/// Load balancers in a region.
const BALANCERS_MAX: usize = 60;

/// A zone as asked for: vswitch, zone, address.
type ZoneWish = (String, String, Option<Ipv4Addr>);

pub(super) fn create(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let wishes = zone_wishes(world, &root, root.required("VpcId")?)?;
    let mut balancer = described(&root, request)?;
    if world.alb.load_balancers.len() >= BALANCERS_MAX {
        let count = world.alb.load_balancers.len() + 1;
        return Err(errors::quota("LoadBalancersNum", count, BALANCERS_MAX));
    }
    balancer.id = world.ids.resource("alb-");
    balancer.dns_name = dns_name(world, &balancer.id);
    balancer.zone_mappings = settle_in(world, &balancer, wishes)?;
    balancer.settled = request.now + world.alb.settling;
    let id = balancer.id.clone();
    let visible = Visible::new(balancer, request.visible_from);
    world.alb.load_balancers.insert(id.clone(), visible);
    jobs::start(world, request, "loadbalancer", &id);
    Ok(json!({ "LoadBalancerId": id }))
}

fn dns_name(world: &World, id: &str) -> String {
    format!("{id}.{}.alb.aliyuncs.com", world.region)
}

/// All that the parameters alone decide.
fn described(root: &Node, request: &Request) -> Result<LoadBalancer, ApiError> {
    let name = root.text("LoadBalancerName").unwrap_or("auto_named_alb");
    if !texts::is_name(name) {
        return Err(errors::illegal("LoadBalancerName"));
    }
    let pick = |name: &str, allowed: &[&str]| -> Result<String, ApiError> {
        let picked = root.one_of(name, allowed)?.or(allowed.first().copied());
        Ok(picked.unwrap_or_default().to_owned())
    };
    root.required("AddressType")?;
    root.required("LoadBalancerEdition")?;
    let billing = root
        .get("LoadBalancerBillingConfig")
        .ok_or_else(|| errors::missing("LoadBalancerBillingConfig"))?;
    billing.required("PayType")?;
    let pay_type = billing.one_of("PayType", &["PostPay"])?;
    let (protection, reason) = modification_protection(root)?;
    let protected = root.bool("DeletionProtectionEnabled")? == Some(true);
    Ok(LoadBalancer {
        id: String::new(),
        name: name.to_owned(),
        dns_name: String::new(),
        address_type: pick("AddressType", &["Internet", "Intranet"])?,
        address_allocated_mode: pick("AddressAllocatedMode", &["Dynamic", "Fixed"])?,
        address_ip_version: pick("AddressIpVersion", &["IPv4", "DualStack"])?,
        edition: pick("LoadBalancerEdition", &EDITIONS)?,
        vpc_id: root.required("VpcId")?.to_owned(),
        resource_group_id: root
            .text("ResourceGroupId")
            .unwrap_or("rg-default")
            .to_owned(),
        pay_type: pay_type.unwrap_or_default().to_owned(),
        zone_mappings: Vec::new(),
        deletion_protected_since: protected.then_some(request.now),
        modification_protection: protection,
        modification_protection_reason: reason,
        access_log: None,
        tags: tags::of_node(root)?,
        created: request.now,
        settled: request.now,
    })
}

const EDITIONS: [&str; 3] = ["Standard", "Basic", "StandardWithWaf"];

fn modification_protection(root: &Node) -> Result<(String, String), ApiError> {
    let config = root.get("ModificationProtectionConfig");
    let states = ["NonProtection", "ConsoleProtection"];
    let status = match config {
        Some(config) => config.one_of("Status", &states)?,
        None => None,
    };
    let reason = config.and_then(|config| config.text("Reason"));
    let status = status.unwrap_or("NonProtection");
    if reason.is_some_and(|reason| status == "NonProtection" || !texts::is_name(reason)) {
        return Err(errors::illegal("ModificationProtectionConfig.Reason"));
    }
    Ok((status.to_owned(), reason.unwrap_or_default().to_owned()))
}

/// The zones asked for: two at least, each once, each with a vswitch of its own in the VPC.
fn zone_wishes(world: &World, root: &Node, vpc_id: &str) -> Result<Vec<ZoneWish>, ApiError> {
    if !world.vpc.vpcs.contains_key(vpc_id) {
        return Err(errors::not_found("Vpc", vpc_id));
    }
    let items = root.items("ZoneMappings");
    if !(2..=10).contains(&items.len()) {
        return Err(errors::illegal("ZoneMappings"));
    }
    let mut wishes: Vec<ZoneWish> = Vec::new();
    for item in items {
        let vswitch_id = item.required("VSwitchId")?;
        let zone_id = item.required("ZoneId")?;
        let vswitch = world
            .vpc
            .vswitches
            .get(vswitch_id)
            .ok_or_else(|| errors::not_found("VSwitch", vswitch_id))?;
        if vswitch.vpc_id != vpc_id {
            return Err(errors::mismatch("VpcId", vswitch_id, vpc_id));
        }
        if vswitch.zone_id != zone_id {
            return Err(errors::mismatch("ZoneId", vswitch_id, zone_id));
        }
        if wishes.iter().any(|(_, zone, _)| zone == zone_id) {
            return Err(errors::illegal("ZoneMappings"));
        }
        let address = item
            .text("IntranetAddress")
            .map(|text| text.parse().map_err(|_| errors::illegal("IntranetAddress")));
        wishes.push((
            vswitch_id.to_owned(),
            zone_id.to_owned(),
            address.transpose()?,
        ));
    }
    Ok(wishes)
}

/// Takes addresses in all zones, or in none.
fn settle_in(
    world: &mut World,
    balancer: &LoadBalancer,
    wishes: Vec<ZoneWish>,
) -> Result<Vec<ZoneMapping>, ApiError> {
    let before = world.vpc.clone();
    let mut mappings = Vec::new();
    for (vswitch_id, zone_id, wanted) in wishes {
        let Some(vswitch) = world.vpc.vswitches.get_mut(&vswitch_id) else {
            return Err(errors::not_found("VSwitch", &vswitch_id));
        };
        let intranet_address = match vswitch.allocate(wanted, &balancer.id) {
            Ok(address) => address.to_string(),
            Err(error) => {
                world.vpc = before;
                return Err(match error {
                    AddressError::Exhausted => {
                        errors::resource_quota("VSwitchIpNum", &vswitch_id, 1, 0)
                    }
                    AddressError::Outside | AddressError::Taken => {
                        errors::illegal("IntranetAddress")
                    }
                });
            }
        };
        let address = match balancer.address_type.as_str() {
            "Internet" => world.slb.next_internet_address(),
            _ => intranet_address.clone(),
        };
        mappings.push(ZoneMapping {
            vswitch_id,
            zone_id,
            address,
            intranet_address,
        });
    }
    Ok(mappings)
}

fn leave(world: &mut World, id: &str) {
    for vswitch in world.vpc.vswitches.values_mut() {
        vswitch.release(id);
    }
}

/// The load balancer of `LoadBalancerId`, to be changed. One that is being changed is not.
fn changeable<'a>(
    world: &'a mut World,
    request: &Request,
    name: &str,
) -> Result<&'a mut LoadBalancer, ApiError> {
    let id = request.params.required(name)?;
    let settling = world.alb.settling;
    let found = world.alb.load_balancers.get_mut(id);
    let balancer = found.map(|found| &mut found.value);
    let balancer = balancer.ok_or_else(|| errors::not_found("LoadBalancer", id))?;
    match balancer.status(request.now, settling) {
        "Active" => Ok(balancer),
        _ => Err(errors::incorrect_status("LoadBalancer", id)),
    }
}

fn changed(world: &mut World, request: &Request, id: &str) -> Answer {
    let settled: Timestamp = request.now + world.alb.settling;
    if let Some(balancer) = world.alb.load_balancers.get_mut(id) {
        balancer.value.settled = settled;
    }
    let job = jobs::start(world, request, "loadbalancer", id);
    Ok(json!({ "JobId": job }))
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let balancer = changeable(world, request, "LoadBalancerId")?;
    if balancer.deletion_protected_since.is_some() {
        return Err(errors::denied("DeletionProtectionEnabled"));
    }
    let id = balancer.id.clone();
    leave(world, &id);
    let alb = &mut world.alb;
    alb.load_balancers.remove(&id);
    alb.listeners
        .retain(|_, listener| listener.value.load_balancer_id != id);
    alb.rules
        .retain(|_, rule| rule.value.load_balancer_id != id);
    let job = jobs::start(world, request, "loadbalancer", &id);
    Ok(json!({ "JobId": job }))
}

pub(super) fn update_attribute(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let name = root.text("LoadBalancerName");
    if name.is_some_and(|name| !texts::is_name(name)) {
        return Err(errors::illegal("LoadBalancerName"));
    }
    let protection = match root.get("ModificationProtectionConfig") {
        Some(_) => Some(modification_protection(&root)?),
        None => None,
    };
    let balancer = changeable(world, request, "LoadBalancerId")?;
    if let Some(name) = name {
        name.clone_into(&mut balancer.name);
    }
    if let Some((status, reason)) = protection {
        balancer.modification_protection = status;
        balancer.modification_protection_reason = reason;
    }
    let id = balancer.id.clone();
    changed(world, request, &id)
}

pub(super) fn update_edition(world: &mut World, request: &Request) -> Answer {
    let edition = request.params.one_of("LoadBalancerEdition", &EDITIONS)?;
    let edition = edition.unwrap_or_default().to_owned();
    let balancer = changeable(world, request, "LoadBalancerId")?;
    // Only upwards: Basic, Standard, StandardWithWaf.
    let rank = |edition: &str| {
        ["Basic", "Standard", "StandardWithWaf"]
            .iter()
            .position(|known| *known == edition)
    };
    if rank(&edition) < rank(&balancer.edition) {
        return Err(errors::denied("LoadBalancerEditionDowngrade"));
    }
    balancer.edition = edition;
    let id = balancer.id.clone();
    changed(world, request, &id).map(|_| json!({}))
}

pub(super) fn update_zones(world: &mut World, request: &Request) -> Answer {
    let balancer = changeable(world, request, "LoadBalancerId")?.clone();
    let root = Node::of(&request.params);
    let wishes = zone_wishes(world, &root, &balancer.vpc_id)?;
    let before = world.vpc.clone();
    leave(world, &balancer.id);
    let mappings = settle_in(world, &balancer, wishes).inspect_err(|_| world.vpc = before)?;
    changeable(world, request, "LoadBalancerId")?.zone_mappings = mappings;
    changed(world, request, &balancer.id)
}

pub(super) fn update_address_type(world: &mut World, request: &Request) -> Answer {
    let kinds = ["Internet", "Intranet"];
    let kind = request.params.one_of("AddressType", &kinds)?;
    let kind = kind.unwrap_or_default().to_owned();
    let balancer = changeable(world, request, "LoadBalancerId")?.clone();
    if kind == balancer.address_type {
        return Err(errors::illegal("AddressType"));
    }
    let mut mappings = balancer.zone_mappings.clone();
    for mapping in &mut mappings {
        mapping.address = match kind.as_str() {
            "Internet" => world.slb.next_internet_address(),
            _ => mapping.intranet_address.clone(),
        };
    }
    let kept = changeable(world, request, "LoadBalancerId")?;
    kept.address_type = kind;
    kept.zone_mappings = mappings;
    changed(world, request, &balancer.id)
}

pub(super) fn protect(world: &mut World, request: &Request, on: bool) -> Answer {
    let now = request.now;
    let balancer = changeable(world, request, "ResourceId")?;
    balancer.deletion_protected_since = match (on, balancer.deletion_protected_since) {
        (true, Some(since)) => Some(since),
        (true, None) => Some(now),
        (false, _) => None,
    };
    Ok(json!({}))
}

pub(super) fn access_log(world: &mut World, request: &Request, on: bool) -> Answer {
    let log = match on {
        true => Some((
            request.params.required("LogProject")?.to_owned(),
            request.params.required("LogStore")?.to_owned(),
        )),
        false => None,
    };
    let balancer = changeable(world, request, "LoadBalancerId")?;
    if on && balancer.access_log.is_some() {
        return Err(errors::denied("AccessLogEnabled"));
    }
    balancer.access_log = log;
    let id = balancer.id.clone();
    let answer = changed(world, request, &id)?;
    Ok(if on { answer } else { json!({}) })
}
