//! Creating and deleting load balancers.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::attributes::valid_name;
use super::charges::{Charge, initial_charge};
use super::find;
use super::tags::tags_of;
use crate::api::{Answer, ApiError, Request};
use crate::slb::LoadBalancer;
use crate::vpc::AddressError;
use crate::world::{Visible, World};

/// Where a load balancer answers.
struct Place {
    address: String,
    vpc_id: Option<String>,
    vswitch_id: Option<String>,
}

pub(super) fn create(world: &mut World, request: &Request) -> Answer {
    if let Some(existing) = made_by_token(world, request) {
        return Ok(view(existing));
    }
    let charge = initial_charge(world, request)?;
    let (master_zone_id, slave_zone_id) = zones(world, request)?;
    let mut balancer = described(request, charge, master_zone_id, slave_zone_id)?;
    balancer.id = world.ids.resource(&format!("lb-{}", world.region_mark()));
    let place = place(world, request, &balancer)?;
    balancer.address = place.address;
    balancer.vpc_id = place.vpc_id;
    balancer.vswitch_id = place.vswitch_id;
    let answer = view(&balancer);
    if let Some(token) = request.params.filled("ClientToken") {
        world
            .slb
            .client_tokens
            .insert(token.to_owned(), balancer.id.clone());
    }
    world.slb.load_balancers.insert(
        balancer.id.clone(),
        Visible::new(balancer, request.visible_from),
    );
    Ok(answer)
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let balancer = find::load_balancer(world, request)?;
    if balancer.delete_protection {
        return Err(ApiError::bad_request(
            "OperationDenied.DeleteProtectionIsOn",
            "The operation is not allowed because deletion protection of the load balancer is on.",
        ));
    }
    let id = balancer.id.clone();
    world.slb.load_balancers.remove(&id);
    world
        .slb
        .server_groups
        .retain(|_, group| group.load_balancer_id != id);
    for vswitch in world.vpc.vswitches.values_mut() {
        vswitch.release(&id);
    }
    for eip in world.vpc.eips.values_mut() {
        eip.instance_id.take_if(|instance| *instance == id);
    }
    Ok(json!({}))
}

/// The load balancer that an earlier call with the same `ClientToken` made.
fn made_by_token<'a>(world: &'a World, request: &Request) -> Option<&'a LoadBalancer> {
    let id = world
        .slb
        .client_tokens
        .get(request.params.filled("ClientToken")?)?;
    Some(&world.slb.load_balancers.get(id)?.value)
}

/// All that the parameters alone decide.
fn described(
    request: &Request,
    charge: Charge,
    master_zone_id: String,
    slave_zone_id: String,
) -> Result<LoadBalancer, ApiError> {
    let params = &request.params;
    let name = params
        .filled("LoadBalancerName")
        .unwrap_or("auto_named_slb");
    if !valid_name(name) {
        return Err(params.invalid("LoadBalancerName"));
    }
    let ip_version = params
        .one_of("AddressIPVersion", &["ipv4", "ipv6"])?
        .unwrap_or("ipv4");
    let address_type = params
        .one_of("AddressType", &["internet", "intranet"])?
        .unwrap_or("internet");
    if ip_version == "ipv6" && address_type == "intranet" {
        return Err(params.invalid("AddressIPVersion"));
    }
    let protection = params.one_of(
        "ModificationProtectionStatus",
        &["ConsoleProtection", "NonProtection"],
    )?;
    Ok(LoadBalancer {
        id: String::new(),
        name: name.to_owned(),
        address: String::new(),
        address_type: address_type.to_owned(),
        ip_version: ip_version.to_owned(),
        vpc_id: None,
        vswitch_id: None,
        master_zone_id,
        slave_zone_id,
        instance_charge_type: charge.instance,
        internet_charge_type: charge.internet,
        bandwidth: charge.bandwidth,
        spec: charge.spec,
        status: "active".to_owned(),
        delete_protection: params.one_of("DeleteProtection", &["on", "off"])? == Some("on"),
        modification_protection: protection.unwrap_or("NonProtection").to_owned(),
        modification_protection_reason: params
            .filled("ModificationProtectionReason")
            .map(str::to_owned),
        resource_group_id: params
            .filled("ResourceGroupId")
            .unwrap_or("rg-default")
            .to_owned(),
        tags: tags_of(request)?,
        created: request.now,
        listeners: Vec::new(),
    })
}

fn zones(world: &World, request: &Request) -> Result<(String, String), ApiError> {
    let params = &request.params;
    let known = world.vpc.zones();
    let pick = |name: &str, other_than: Option<&str>| match params.filled(name) {
        Some(zone) if !known.contains(&zone) => Err(params.invalid(name)),
        Some(zone) => Ok(zone.to_owned()),
        None => {
            let free = known.iter().find(|zone| Some(**zone) != other_than);
            Ok((*free.unwrap_or(&"")).to_owned())
        }
    };
    let master = pick("MasterZoneId", params.filled("SlaveZoneId"))?;
    let slave = pick("SlaveZoneId", Some(&master))?;
    if master == slave {
        return Err(params.invalid("SlaveZoneId"));
    }
    Ok((master, slave))
}

fn place(world: &mut World, request: &Request, balancer: &LoadBalancer) -> Result<Place, ApiError> {
    if balancer.address_type == "internet" {
        let address = match balancer.ip_version.as_str() {
            "ipv6" => format!("2001:db8::{:x}", world.slb.load_balancers.len() + 1),
            _ => world.slb.next_internet_address(),
        };
        return Ok(Place {
            address,
            vpc_id: None,
            vswitch_id: None,
        });
    }
    let params = &request.params;
    let wanted: Option<Ipv4Addr> = params
        .filled("Address")
        .map(|text| text.parse().map_err(|_| params.invalid("Address")))
        .transpose()?;
    let vswitch_id = params.required("VSwitchId")?;
    let vswitch = world.vpc.vswitches.get_mut(vswitch_id).ok_or_else(|| {
        ApiError::not_found(
            "InvalidVSwitchId.NotFound",
            "The specified VSwitchId does not exist.",
        )
    })?;
    if params
        .filled("VpcId")
        .is_some_and(|vpc| vpc != vswitch.vpc_id)
    {
        return Err(ApiError::bad_request(
            "NetworkConflict",
            "The specified VSwitchId does not belong to the specified VpcId.",
        ));
    }
    let address = vswitch
        .allocate(wanted, &balancer.id)
        .map_err(address_refused)?;
    Ok(Place {
        address: address.to_string(),
        vpc_id: Some(vswitch.vpc_id.clone()),
        vswitch_id: Some(vswitch.id.clone()),
    })
}

fn address_refused(error: AddressError) -> ApiError {
    match error {
        AddressError::Exhausted => ApiError::bad_request(
            "VSwitchAvailableIpNotExist",
            "The specified VSwitch has no available ip.",
        ),
        AddressError::Outside => ApiError::bad_request(
            "InvalidParameter",
            "The specified Address is not within the CIDR block of the VSwitch.",
        ),
        AddressError::Taken => {
            ApiError::bad_request("IpAddressInUse", "The specified Address is already in use.")
        }
    }
}

fn view(balancer: &LoadBalancer) -> Value {
    json!({
        "LoadBalancerId": balancer.id,
        "LoadBalancerName": balancer.name,
        "Address": balancer.address,
        "AddressIPVersion": balancer.ip_version,
        "NetworkType": balancer.network_type(),
        "VpcId": balancer.vpc_id.as_deref().unwrap_or_default(),
        "VSwitchId": balancer.vswitch_id.as_deref().unwrap_or_default(),
        "ResourceGroupId": balancer.resource_group_id,
    })
}
