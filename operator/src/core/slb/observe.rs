//! Settings against what the load balancer really is.

use crds::v1alpha1::{Reason, SlbInstanceCharge, SlbSettings};

use super::annotations::{address_type, ip_version, word};
use super::check::Fault;
use crate::core::observed::LoadBalancerState;

/// Refuses a change of what a load balancer keeps for life. The cloud controller manager would
/// answer it with a permanent failure (or, for the vswitch, ignore it), so it is never written.
pub(super) fn check_immutable(settings: &SlbSettings, actual: &LoadBalancerState) -> Option<Fault> {
    if let Some((path, wanted, is)) = for_life(settings, actual) {
        return immutable(
            path,
            format!(
                "wanted \"{wanted}\", but load balancer {} has \"{is}\" and it cannot change once the load balancer exists. Go back to \"{is}\", or delete the gateway's Service so that a new load balancer (with a new address) is made.",
                actual.id
            ),
        );
    }
    spec_again(settings, actual)
}

/// The same for a load balancer that others made: what is said of it must be so.
pub(super) fn check_existing(settings: &SlbSettings, actual: &LoadBalancerState) -> Option<Fault> {
    let charge = || {
        let wanted = word(settings.billing.as_ref()?.instance);
        let is = actual.instance_charge.clone();
        let differs = !is.is_empty() && wanted != is;
        differs.then_some(("slb.billing.instance", wanted, is))
    };
    let (path, wanted, is) = for_life(settings, actual).or_else(charge)?;
    Some(Fault {
        reason: Reason::LoadBalancerUnusable,
        path,
        why: format!(
            "wanted \"{wanted}\", but existing load balancer {} has \"{is}\", and that cannot be changed, or not be changed back. Set it to \"{is}\" or remove it, or name another load balancer.",
            actual.id
        ),
    })
}

/// The first setting that is another than the load balancer has for life, with both values.
fn for_life(
    settings: &SlbSettings,
    actual: &LoadBalancerState,
) -> Option<(&'static str, String, String)> {
    let zones = settings.zones.as_ref();
    let checks = [
        (
            "slb.addressType",
            settings.address_type.map(address_type),
            &actual.address_type,
        ),
        (
            "slb.zones.primary",
            zones.map(|zones| zones.primary.as_str()),
            &actual.primary_zone,
        ),
        (
            "slb.zones.backup",
            zones.and_then(|zones| zones.backup.as_deref()),
            &actual.backup_zone,
        ),
        (
            "slb.vswitchId",
            settings.vswitch_id.as_deref(),
            &actual.vswitch_id,
        ),
        ("slb.address", settings.address.as_deref(), &actual.address),
        (
            "slb.ipVersion",
            settings.ip_version.map(ip_version),
            &actual.ip_version,
        ),
        (
            "slb.resourceGroupId",
            settings.resource_group_id.as_deref(),
            &actual.resource_group_id,
        ),
    ];
    checks.into_iter().find_map(|(path, wanted, is)| {
        let differs = |wanted: &&str| !is.is_empty() && wanted != is;
        Some((path, wanted.filter(differs)?.to_owned(), is.clone()))
    })
}

fn immutable(path: &'static str, why: String) -> Option<Fault> {
    Some(Fault {
        reason: Reason::Immutable,
        path,
        why,
    })
}

/// Nobody can buy a fixed size for a load balancer that is billed by use.
fn spec_again(settings: &SlbSettings, actual: &LoadBalancerState) -> Option<Fault> {
    let wanted = settings.billing.as_ref()?.instance;
    if wanted != SlbInstanceCharge::PayBySpec || actual.instance_charge != "PayByCLCU" {
        return None;
    }
    immutable(
        "slb.billing.instance",
        format!(
            "wanted \"PayBySpec\", but load balancer {} is billed by use (PayByCLCU), and the cloud does not change that back. Set instance: PayByCLCU and remove spec, traffic and bandwidthMbps.",
            actual.id
        ),
    )
}
