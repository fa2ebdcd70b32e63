//! Elastic IP addresses, as far as load balancers use them.

use serde_json::{Value, json};

use super::Eip;
use super::describe::{among, equals};
use crate::api::{Answer, ApiError, Request};
use crate::sts::wire_time;
use crate::world::World;

pub(super) fn describe(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = params.paging(10, 100)?;
    let hits: Vec<Value> = world
        .vpc
        .eips
        .values()
        .filter(|eip| among(params, "AllocationId", &eip.allocation_id))
        .filter(|eip| {
            among(params, "EipAddress", &eip.address) && equals(params, "EipName", &eip.name)
        })
        .filter(|eip| {
            equals(
                params,
                "AssociatedInstanceId",
                eip.instance_id.as_deref().unwrap_or_default(),
            )
        })
        .filter(|eip| equals(params, "AssociatedInstanceType", instance_type(eip)))
        .filter(|eip| equals(params, "Status", status(eip)))
        .map(|eip| view(world, eip))
        .collect();
    Ok(json!({
        "EipAddresses": {"EipAddress": paging.slice(&hits)},
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": hits.len(),
    }))
}

pub(super) fn allocate(world: &mut World, request: &Request) -> Answer {
    let allocation_id = world.ids.resource(&format!("eip-{}", world.region_mark()));
    let address = world.slb.next_internet_address();
    let eip = Eip {
        allocation_id: allocation_id.clone(),
        address: address.clone(),
        name: request.params.filled("Name").unwrap_or_default().to_owned(),
        instance_id: None,
        created: request.now,
    };
    world.vpc.eips.insert(allocation_id.clone(), eip);
    Ok(
        json!({"AllocationId": allocation_id, "EipAddress": address, "ResourceGroupId": "rg-default"}),
    )
}

/// Only intranet load balancers take one.
pub(super) fn associate(world: &mut World, request: &Request) -> Answer {
    let instance = request.params.required("InstanceId")?;
    let balancer = world.slb.load_balancers.get(instance).ok_or_else(|| {
        ApiError::not_found(
            "InvalidInstanceId.NotFound",
            "The specified instance does not exist.",
        )
    })?;
    if balancer.value.address_type != "intranet" {
        return Err(ApiError::bad_request(
            "InvalidInstanceType.NotSupport",
            "The specified instance has an internet address and takes no EIP.",
        ));
    }
    if world
        .vpc
        .eips
        .values()
        .any(|eip| eip.instance_id.as_deref() == Some(instance))
    {
        return Err(ApiError::bad_request(
            "BIND_INSTANCE_HAVE_PORTMAP_OR_BIND_EIP",
            "The specified instance has been bound to an EIP.",
        ));
    }
    let eip = find(world, request)?;
    if eip.instance_id.is_some() {
        return Err(incorrect_status());
    }
    eip.instance_id = Some(instance.to_owned());
    Ok(json!({}))
}

pub(super) fn unassociate(world: &mut World, request: &Request) -> Answer {
    let eip = find(world, request)?;
    if eip.instance_id.is_none() {
        return Err(incorrect_status());
    }
    eip.instance_id = None;
    Ok(json!({}))
}

pub(super) fn release(world: &mut World, request: &Request) -> Answer {
    let eip = find(world, request)?;
    if eip.instance_id.is_some() {
        return Err(incorrect_status());
    }
    let id = eip.allocation_id.clone();
    world.vpc.eips.remove(&id);
    Ok(json!({}))
}

fn find<'a>(world: &'a mut World, request: &Request) -> Result<&'a mut Eip, ApiError> {
    let id = request.params.required("AllocationId")?;
    world.vpc.eips.get_mut(id).ok_or_else(|| {
        ApiError::not_found(
            "InvalidAllocationId.NotFound",
            "The specified EIP does not exist.",
        )
    })
}

fn incorrect_status() -> ApiError {
    ApiError::bad_request(
        "IncorrectEipStatus",
        "The current EIP status does not support this operation.",
    )
}

fn status(eip: &Eip) -> &'static str {
    if eip.instance_id.is_some() {
        "InUse"
    } else {
        "Available"
    }
}

fn instance_type(eip: &Eip) -> &'static str {
    if eip.instance_id.is_some() {
        "SlbInstance"
    } else {
        ""
    }
}

fn view(world: &World, eip: &Eip) -> Value {
    json!({
        "AllocationId": eip.allocation_id,
        "AllocationTime": wire_time(eip.created),
        "IpAddress": eip.address,
        "Name": eip.name,
        "InstanceId": eip.instance_id.as_deref().unwrap_or_default(),
        "InstanceType": instance_type(eip),
        "InstanceRegionId": if eip.instance_id.is_some() { world.region.as_str() } else { "" },
        "Status": status(eip),
        "RegionId": world.region,
        "Bandwidth": "5",
        "ChargeType": "PostPaid",
        "InternetChargeType": "PayByTraffic",
        "ResourceGroupId": "rg-default",
    })
}
