//! What a load balancer costs by: specification or use, bandwidth or traffic.

use serde_json::json;

use super::find;
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

const SPECS: [&str; 7] = [
    "slb.s1.small",
    "slb.s2.small",
    "slb.s2.medium",
    "slb.s3.small",
    "slb.s3.medium",
    "slb.s3.large",
    "slb.s4.large",
];

const BY_USE: &str = "PayByCLCU";
const BY_SPEC: &str = "PayBySpec";

/// The charges a load balancer starts with.
pub(super) struct Charge {
    pub(super) instance: String,
    pub(super) internet: String,
    pub(super) bandwidth: i64,
    pub(super) spec: Option<String>,
}

/// Under `PayByCLCU` a specification is ignored and an internet load balancer is paid by traffic.
pub(super) fn initial_charge(world: &World, request: &Request) -> Result<Charge, ApiError> {
    let params = &request.params;
    let instance = params
        .one_of("InstanceChargeType", &[BY_USE, BY_SPEC])?
        .unwrap_or(BY_USE);
    let internet = params.one_of("InternetChargeType", &["paybytraffic", "paybybandwidth"])?;
    let internet = internet.unwrap_or("paybytraffic");
    let bandwidth = params.int_between("Bandwidth", 1, 5120)?;
    let spec = params.one_of("LoadBalancerSpec", &SPECS)?;
    if instance == BY_SPEC && !world.slb.sells_pay_by_spec {
        return Err(ApiError::bad_request(
            "PayBySpecHaltSales",
            "The pay-by-specification instance has been discontinued.",
        ));
    }
    let by_bandwidth = internet == "paybybandwidth";
    if by_bandwidth && instance == BY_USE && params.filled("AddressType") != Some("intranet") {
        return Err(ApiError::bad_request(
            "InvalidParameter",
            "The specified InternetChargeType must be paybytraffic when InstanceChargeType is PayByCLCU.",
        ));
    }
    Ok(Charge {
        instance: instance.to_owned(),
        internet: internet.to_owned(),
        bandwidth: bandwidth.unwrap_or(if by_bandwidth { 1 } else { 5120 }),
        spec: (instance == BY_SPEC).then(|| spec.unwrap_or("slb.s1.small").to_owned()),
    })
}

pub(super) fn modify_spec(world: &mut World, request: &Request) -> Answer {
    let spec = request.params.one_of("LoadBalancerSpec", &SPECS)?;
    let spec = spec.ok_or_else(|| request.params.missing("LoadBalancerSpec"))?;
    let balancer = find::load_balancer(world, request)?;
    if balancer.instance_charge_type != BY_SPEC {
        return Err(ApiError::bad_request(
            "OperationDenied.PayByCLCU",
            "The operation is not allowed because the instanceChargeType of loadbalancer is PayByCLCU.",
        ));
    }
    balancer.spec = Some(spec.to_owned());
    Ok(json!({}))
}

pub(super) fn modify_instance_charge_type(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let sells = world.slb.sells_pay_by_spec;
    let wanted = params.one_of("InstanceChargeType", &[BY_USE, BY_SPEC])?;
    let wanted = wanted.ok_or_else(|| params.missing("InstanceChargeType"))?;
    let spec = params.one_of("LoadBalancerSpec", &SPECS)?;
    let balancer = find::load_balancer(world, request)?;
    if wanted == BY_SPEC && balancer.instance_charge_type != BY_SPEC && !sells {
        return Err(ApiError::forbidden(
            "Forbidden.ModifyInstanceChargeType",
            "User does not have permission modify InstanceChargeType to spec.",
        ));
    }
    balancer.spec = (wanted == BY_SPEC).then(|| spec.unwrap_or("slb.s1.small").to_owned());
    if wanted == BY_USE && balancer.address_type == "internet" {
        "paybytraffic".clone_into(&mut balancer.internet_charge_type);
    }
    wanted.clone_into(&mut balancer.instance_charge_type);
    Ok(json!({}))
}

pub(super) fn modify_internet_spec(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let charge = params.one_of("InternetChargeType", &["paybytraffic", "paybybandwidth"])?;
    let bandwidth = params.int_between("Bandwidth", 1, 5120)?;
    let balancer = find::load_balancer(world, request)?;
    if balancer.address_type != "internet" {
        return Err(ApiError::bad_request(
            "OperationUnsupported.Intranet",
            "The operation is not supported by an intranet load balancer.",
        ));
    }
    if charge == Some("paybybandwidth") && balancer.instance_charge_type == BY_USE {
        return Err(ApiError::bad_request(
            "OperationDenied.PayByCLCU",
            "The operation is not allowed because the instanceChargeType of loadbalancer is PayByCLCU.",
        ));
    }
    if let Some(charge) = charge {
        charge.clone_into(&mut balancer.internet_charge_type);
    }
    if let Some(bandwidth) = bandwidth {
        balancer.bandwidth = bandwidth;
    }
    Ok(json!({}))
}
