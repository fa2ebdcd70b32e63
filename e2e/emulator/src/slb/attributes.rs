//! Name, state and protections of a load balancer.

use serde_json::json;

use super::find;
use crate::api::{Answer, Request};
use crate::world::World;

/// 1 to 80 characters: letters and digits of any language, `-`, `/`, `.`, `_`.
pub(super) fn valid_name(name: &str) -> bool {
    (1..=80).contains(&name.chars().count())
        && name
            .chars()
            .all(|letter| letter.is_alphanumeric() || "-/._".contains(letter))
}

pub(super) fn set_name(world: &mut World, request: &Request) -> Answer {
    let name = request.params.required("LoadBalancerName")?.to_owned();
    if !valid_name(&name) {
        return Err(request.params.invalid("LoadBalancerName"));
    }
    find::load_balancer(world, request)?.name = name;
    Ok(json!({}))
}

pub(super) fn set_status(world: &mut World, request: &Request) -> Answer {
    let status = request
        .params
        .one_of("LoadBalancerStatus", &["active", "inactive"])?;
    let status = status
        .ok_or_else(|| request.params.missing("LoadBalancerStatus"))?
        .to_owned();
    find::load_balancer(world, request)?.status = status;
    Ok(json!({}))
}

pub(super) fn set_delete_protection(world: &mut World, request: &Request) -> Answer {
    let value = request.params.one_of("DeleteProtection", &["on", "off"])?;
    let on = value.ok_or_else(|| request.params.missing("DeleteProtection"))? == "on";
    find::load_balancer(world, request)?.delete_protection = on;
    Ok(json!({}))
}

pub(super) fn set_modification_protection(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let status = params.one_of(
        "ModificationProtectionStatus",
        &["ConsoleProtection", "NonProtection"],
    )?;
    let status = status
        .ok_or_else(|| params.missing("ModificationProtectionStatus"))?
        .to_owned();
    let reason = params
        .filled("ModificationProtectionReason")
        .map(str::to_owned);
    let balancer = find::load_balancer(world, request)?;
    balancer.modification_protection_reason = reason.filter(|_| status == "ConsoleProtection");
    balancer.modification_protection = status;
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::valid_name;

    #[test]
    fn names_have_a_length_and_an_alphabet() {
        assert!(valid_name("k8s/80/istio.ingress_gateway-1"));
        assert!(valid_name("网关"));
        assert!(valid_name(&"a".repeat(80)));
        assert!(!valid_name(&"a".repeat(81)));
        assert!(!valid_name(""));
        assert!(!valid_name("a b"));
    }
}
