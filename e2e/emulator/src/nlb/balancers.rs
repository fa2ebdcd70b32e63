//! Creating and deleting load balancers, and moving them.

use std::net::Ipv4Addr;

use serde_json::json;

use super::model::{LoadBalancer, ZoneMapping};
use super::{jobs, not_found};
use crate::alb::node::Node;
use crate::alb::{errors, tags, texts};
use crate::api::{Answer, ApiError, Request};
use crate::vpc::AddressError;
use crate::world::{Visible, World};

/// Load balancers in a region.
const BALANCERS_MAX: usize = 60;

/// A zone as asked for.
struct Wish {
    vswitch_id: String,
    zone_id: String,
    private: Option<Ipv4Addr>,
    allocation_id: Option<String>,
}

pub(super) fn create(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let token = request.params.filled("ClientToken").map(str::to_owned);
    if let Some(id) = token.as_ref().and_then(|token| world.nlb.tokens.get(token)) {
        return Ok(json!({"LoadbalancerId": id}));
    }
    let wishes = wishes(world, &root, root.required("VpcId")?)?;
    let mut balancer = described(&root, request)?;
    let count = world.nlb.load_balancers.len() + 1;
    if count > BALANCERS_MAX {
        return Err(errors::quota("LoadBalancersNum", count, BALANCERS_MAX));
    }
    balancer.id = world.ids.resource("nlb-");
    balancer.dns_name = format!("{}.{}.nlb.aliyuncs.com", balancer.id, world.region);
    balancer.zone_mappings = settle_in(world, &balancer, wishes)?;
    balancer.settled = request.now + world.nlb.settling;
    let id = balancer.id.clone();
    let visible = Visible::new(balancer, request.visible_from);
    world.nlb.load_balancers.insert(id.clone(), visible);
    if let Some(token) = token {
        world.nlb.tokens.insert(token, id.clone());
    }
    let job = jobs::start(world, request);
    Ok(json!({"LoadbalancerId": id, "JobId": job}))
}

/// All that the parameters alone decide.
fn described(root: &Node, request: &Request) -> Result<LoadBalancer, ApiError> {
    let name = root.text("LoadBalancerName").unwrap_or("auto_named_nlb");
    if !texts::is_name(name) {
        return Err(errors::illegal("LoadBalancerName"));
    }
    root.required("AddressType")?;
    let address_type = root.one_in_any_case("AddressType", &["Internet", "Intranet"])?;
    let version = root.one_of("AddressIpVersion", &["ipv4", "DualStack"])?;
    let package = root.text("BandwidthPackageId").unwrap_or_default();
    if !package.is_empty() && address_type != Some("Internet") {
        return Err(errors::denied("AddressTypeNotSupport"));
    }
    let protection = root.get("DeletionProtectionConfig");
    let protected = match protection {
        Some(config) => config.bool("Enabled")?.unwrap_or_default(),
        None => false,
    };
    let modification = root.get("ModificationProtectionConfig");
    let states = ["NonProtection", "ConsoleProtection"];
    let status = match modification {
        Some(config) => config.one_of("Status", &states)?,
        None => None,
    };
    let reason = modification.and_then(|config| config.text("Reason"));
    Ok(LoadBalancer {
        id: String::new(),
        name: name.to_owned(),
        dns_name: String::new(),
        address_type: address_type.unwrap_or_default().to_owned(),
        address_ip_version: version.unwrap_or("ipv4").to_owned(),
        ipv6_address_type: "Intranet".to_owned(),
        vpc_id: root.required("VpcId")?.to_owned(),
        resource_group_id: root
            .text("ResourceGroupId")
            .unwrap_or("rg-default")
            .to_owned(),
        zone_mappings: Vec::new(),
        deletion_protection: protected,
        modification_protection: status.unwrap_or("NonProtection").to_owned(),
        modification_protection_reason: reason.unwrap_or_default().to_owned(),
        security_group_ids: Vec::new(),
        bandwidth_package_id: package.to_owned(),
        cross_zone: true,
        tags: tags::of_node(root)?,
        created: request.now,
        settled: request.now,
    })
}

/// The zones asked for: two at least, each once, each with a vswitch of its own in the VPC.
fn wishes(world: &World, root: &Node, vpc_id: &str) -> Result<Vec<Wish>, ApiError> {
    if !world.vpc.vpcs.contains_key(vpc_id) {
        return Err(not_found("vpc", vpc_id));
    }
    let items = root.items("ZoneMappings");
    if !(2..=10).contains(&items.len()) {
        return Err(errors::illegal("ZoneMappings"));
    }
    let mut wishes: Vec<Wish> = Vec::new();
    for item in items {
        let (vswitch_id, zone_id) = (item.required("VSwitchId")?, item.required("ZoneId")?);
        let vswitch = world.vpc.vswitches.get(vswitch_id);
        let vswitch = vswitch.ok_or_else(|| not_found("vSwitch", vswitch_id))?;
        if vswitch.vpc_id != vpc_id {
            return Err(errors::mismatch("VpcId", vswitch_id, vpc_id));
        }
        if vswitch.zone_id != zone_id {
            return Err(errors::mismatch("ZoneId", vswitch_id, zone_id));
        }
        if wishes.iter().any(|wish| wish.zone_id == zone_id) {
            return Err(errors::illegal("ZoneMappings"));
        }
        let private = item.text("PrivateIPv4Address");
        let private = private.map(|text| {
            text.parse()
                .map_err(|_| errors::illegal("PrivateIPv4Address"))
        });
        wishes.push(Wish {
            vswitch_id: vswitch_id.to_owned(),
            zone_id: zone_id.to_owned(),
            private: private.transpose()?,
            allocation_id: item.text("AllocationId").map(str::to_owned),
        });
    }
    Ok(wishes)
}

/// Takes addresses in all zones, or in none.
fn settle_in(
    world: &mut World,
    balancer: &LoadBalancer,
    wishes: Vec<Wish>,
) -> Result<Vec<ZoneMapping>, ApiError> {
    let before = world.vpc.clone();
    let mut mappings = Vec::new();
    for wish in wishes {
        match settle_in_zone(world, balancer, wish) {
            Ok(mapping) => mappings.push(mapping),
            Err(refusal) => {
                world.vpc = before;
                return Err(refusal);
            }
        }
    }
    Ok(mappings)
}

fn settle_in_zone(
    world: &mut World,
    balancer: &LoadBalancer,
    wish: Wish,
) -> Result<ZoneMapping, ApiError> {
    let Some(vswitch) = world.vpc.vswitches.get_mut(&wish.vswitch_id) else {
        return Err(not_found("vSwitch", &wish.vswitch_id));
    };
    let private = vswitch.allocate(wish.private, &balancer.id);
    let private = private.map_err(|error| match error {
        AddressError::Exhausted => errors::resource_quota("VSwitchIpNum", &wish.vswitch_id, 1, 0),
        AddressError::Outside | AddressError::Taken => errors::illegal("PrivateIPv4Address"),
    })?;
    let (public_address, allocation_id) = match balancer.address_type.as_str() {
        "Internet" => public(world, balancer, wish.allocation_id)?,
        _ if wish.allocation_id.is_some() => return Err(errors::illegal("AllocationId")),
        _ => (String::new(), String::new()),
    };
    Ok(ZoneMapping {
        vswitch_id: wish.vswitch_id,
        zone_id: wish.zone_id,
        private_address: private.to_string(),
        public_address,
        allocation_id,
    })
}

/// The elastic address that is named and free, or one that the product makes by itself.
fn public(
    world: &mut World,
    balancer: &LoadBalancer,
    wanted: Option<String>,
) -> Result<(String, String), ApiError> {
    let Some(id) = wanted else {
        let id = world.ids.resource("eip-");
        return Ok((world.slb.next_internet_address(), id));
    };
    let eip = world.vpc.eips.get_mut(&id);
    let eip = eip.ok_or_else(|| not_found("eip", &id))?;
    if eip
        .instance_id
        .as_ref()
        .is_some_and(|of| *of != balancer.id)
    {
        return Err(errors::in_use("eip", &id));
    }
    eip.instance_id = Some(balancer.id.clone());
    Ok((eip.address.clone(), id))
}

fn move_out(world: &mut World, id: &str) {
    for vswitch in world.vpc.vswitches.values_mut() {
        vswitch.release(id);
    }
    for eip in world.vpc.eips.values_mut() {
        if eip.instance_id.as_deref() == Some(id) {
            eip.instance_id = None;
        }
    }
}

/// The load balancer of `LoadBalancerId`, to be changed. One that is being changed is not.
pub(super) fn changeable<'a>(
    world: &'a mut World,
    request: &Request,
) -> Result<&'a mut LoadBalancer, ApiError> {
    let id = request.params.required("LoadBalancerId")?;
    let settling = world.nlb.settling;
    let found = world.nlb.load_balancers.get_mut(id);
    let balancer = found.map(|found| &mut found.value);
    let balancer = balancer.ok_or_else(|| not_found("loadBalancer", id))?;
    match balancer.status(request.now, settling) {
        "Active" => Ok(balancer),
        _ => Err(errors::incorrect_status("loadBalancer", id)),
    }
}

pub(super) fn changed(world: &mut World, request: &Request, id: &str) -> Answer {
    let settled = request.now + world.nlb.settling;
    if let Some(balancer) = world.nlb.load_balancers.get_mut(id) {
        balancer.value.settled = settled;
    }
    let job = jobs::start(world, request);
    Ok(json!({ "JobId": job }))
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let balancer = changeable(world, request)?;
    if balancer.deletion_protection {
        return Err(errors::denied("DeletionProtection"));
    }
    let id = balancer.id.clone();
    move_out(world, &id);
    let nlb = &mut world.nlb;
    nlb.load_balancers.remove(&id);
    nlb.tokens.retain(|_, made| *made != id);
    nlb.listeners
        .retain(|_, listener| listener.value.load_balancer_id != id);
    let job = jobs::start(world, request);
    Ok(json!({ "JobId": job }))
}

pub(super) fn update_zones(world: &mut World, request: &Request) -> Answer {
    let balancer = changeable(world, request)?.clone();
    let root = Node::of(&request.params);
    let wishes = wishes(world, &root, &balancer.vpc_id)?;
    let before = world.vpc.clone();
    move_out(world, &balancer.id);
    let mappings = settle_in(world, &balancer, wishes).inspect_err(|_| world.vpc = before)?;
    changeable(world, request)?.zone_mappings = mappings;
    changed(world, request, &balancer.id)
}

pub(super) fn update_address_type(world: &mut World, request: &Request) -> Answer {
    let kind = request
        .params
        .one_of("AddressType", &["Internet", "Intranet"])?;
    let kind = kind.unwrap_or_default().to_owned();
    let mut balancer = changeable(world, request)?.clone();
    if kind == balancer.address_type {
        return Err(errors::illegal("AddressType"));
    }
    balancer.address_type = kind;
    let mut mappings = std::mem::take(&mut balancer.zone_mappings);
    for mapping in &mut mappings {
        (mapping.public_address, mapping.allocation_id) = match balancer.address_type.as_str() {
            "Internet" => public(world, &balancer, None)?,
            _ => (String::new(), String::new()),
        };
    }
    let kept = changeable(world, request)?;
    kept.address_type = balancer.address_type;
    kept.zone_mappings = mappings;
    // A shared bandwidth is that of public addresses.
    if kept.address_type == "Intranet" {
        kept.bandwidth_package_id.clear();
    }
    changed(world, request, &balancer.id)
}
