//! Settings against what the load balancer really is, and cannot become.

use crds::v1alpha1::{Reason, SlbInstanceCharge, SlbSettings};

use super::annotations::{address_type, ip_version, word};
use crate::core::observed::LoadBalancerState;
use crate::core::problem::Problem;

/// Refuses a change of what a load balancer keeps for life. The cloud controller manager would
/// answer it with a permanent failure (or, for the vswitch, ignore it), so it is never written.
pub fn check_immutable(settings: &SlbSettings, actual: &LoadBalancerState) -> Result<(), Problem> {
    if let Some((field, wanted, is)) = for_life(settings, actual) {
        return Err(Problem::blocked(
            Reason::Immutable,
            format!(
                "slb.{field}: wanted \"{wanted}\", but load balancer {} has \"{is}\" and it cannot change once the load balancer exists. Go back to \"{is}\", or delete the gateway's Service so that a new load balancer (with a new address) is made.",
                actual.id
            ),
        ));
    }
    spec_again(settings, actual)
}

/// The same for a load balancer that others made: what is said of it must be so.
pub(super) fn check_existing(
    settings: &SlbSettings,
    actual: &LoadBalancerState,
) -> Result<(), Problem> {
    let charge = settings
        .billing
        .as_ref()
        .map(|billing| ("billing.instance", word(billing.instance)))
        .filter(|(_, wanted)| {
            !actual.instance_charge.is_empty() && *wanted != actual.instance_charge
        })
        .map(|(field, wanted)| (field, wanted, actual.instance_charge.clone()));
    match for_life(settings, actual).or(charge) {
        None => Ok(()),
        Some((field, wanted, is)) => Err(Problem::unresolved(
            Reason::LoadBalancerUnusable,
            format!(
                "slb.{field}: wanted \"{wanted}\", but existing load balancer {} has \"{is}\", and that cannot be changed, or not be changed back. Set it to \"{is}\" or remove it, or name another load balancer.",
                actual.id
            ),
        )),
    }
}

/// The first setting that is another than the load balancer has for life, with both values.
fn for_life(
    settings: &SlbSettings,
    actual: &LoadBalancerState,
) -> Option<(&'static str, String, String)> {
    let zones = settings.zones.as_ref();
    let checks = [
        (
            "addressType",
            settings.address_type.map(address_type),
            &actual.address_type,
        ),
        (
            "zones.primary",
            zones.map(|zones| zones.primary.as_str()),
            &actual.primary_zone,
        ),
        (
            "zones.backup",
            zones.and_then(|zones| zones.backup.as_deref()),
            &actual.backup_zone,
        ),
        (
            "vswitchId",
            settings.vswitch_id.as_deref(),
            &actual.vswitch_id,
        ),
        ("address", settings.address.as_deref(), &actual.address),
        (
            "ipVersion",
            settings.ip_version.map(ip_version),
            &actual.ip_version,
        ),
        (
            "resourceGroupId",
            settings.resource_group_id.as_deref(),
            &actual.resource_group_id,
        ),
    ];
    checks.into_iter().find_map(|(field, wanted, is)| {
        let differs = |wanted: &&str| !is.is_empty() && wanted != is;
        Some((field, wanted.filter(differs)?.to_owned(), is.clone()))
    })
}

/// Nobody can buy a fixed size for a load balancer that is billed by use.
fn spec_again(settings: &SlbSettings, actual: &LoadBalancerState) -> Result<(), Problem> {
    let wanted = settings.billing.as_ref().map(|billing| billing.instance);
    if wanted != Some(SlbInstanceCharge::PayBySpec) || actual.instance_charge != "PayByCLCU" {
        return Ok(());
    }
    Err(Problem::blocked(
        Reason::Immutable,
        format!(
            "slb.billing.instance: wanted \"PayBySpec\", but load balancer {} is billed by use (PayByCLCU), and the cloud does not change that back. Set instance: PayByCLCU and remove spec, traffic and bandwidthMbps.",
            actual.id
        ),
    ))
}
