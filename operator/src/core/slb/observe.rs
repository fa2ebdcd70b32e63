//! Settings against what the load balancer really is.

use crds::v1alpha1::{Reason, SlbField, SlbInstanceCharge, SlbSettings, Switch};

use super::annotations::{address_type, ip_version};
use super::check::Fault;
use crate::core::observed::LoadBalancerState;

/// Refuses a change of what a load balancer keeps for life. The cloud controller manager would
/// answer it with a permanent failure (or, for the vswitch, ignore it), so it is never written.
pub(super) fn check_immutable(settings: &SlbSettings, actual: &LoadBalancerState) -> Option<Fault> {
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
    for (path, wanted, actual_value) in checks {
        if let Some(wanted) = wanted
            && !actual_value.is_empty()
            && wanted != actual_value
        {
            return immutable(
                path,
                format!(
                    "wanted \"{wanted}\", but load balancer {} has \"{actual_value}\" and it cannot change once the load balancer exists. Go back to \"{actual_value}\", or delete the gateway's Service so that a new load balancer (with a new address) is made.",
                    actual.id
                ),
            );
        }
    }
    spec_again(settings, actual)
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

/// The first setting that the load balancer does not show yet.
pub fn unsettled(settings: &SlbSettings, actual: &LoadBalancerState) -> Option<&'static str> {
    let billing = settings.billing.as_ref();
    let protection = settings.protection.as_ref();
    let switch = |switch: Switch| {
        if switch == Switch::Enabled {
            "on"
        } else {
            "off"
        }
    };
    let modification = |switch: Switch| match switch {
        Switch::Enabled => "ConsoleProtection",
        Switch::Disabled => "NonProtection",
    };
    let differs = |wanted: Option<&str>, is: &str| {
        wanted.is_some_and(|wanted| !is.is_empty() && wanted != is)
    };
    let instance = billing.map(|billing| word(&billing.instance));
    let spec = billing.and_then(|billing| Some(word(billing.spec.as_ref()?)));
    let bandwidth = billing.and_then(|billing| billing.bandwidth_mbps);
    let tags = settings.tags.iter().flatten();
    let mut tags = tags.map(|(key, value)| actual.tags.get(key) == Some(value));
    let late = [
        (
            SlbField::Name,
            settings
                .name
                .as_deref()
                .is_some_and(|name| name != actual.name),
        ),
        (
            SlbField::Billing,
            differs(instance.as_deref(), &actual.instance_charge)
                || differs(spec.as_deref(), &actual.spec)
                || bandwidth.is_some_and(|wanted| i64::from(wanted) != actual.bandwidth),
        ),
        (SlbField::Tags, !tags.all(|there| there)),
        (
            SlbField::Protection,
            differs(
                protection.and_then(|p| p.deletion).map(switch),
                &actual.delete_protection,
            ) || differs(
                protection.and_then(|p| p.modification).map(modification),
                &actual.modification_protection,
            ),
        ),
    ];
    let first = late.into_iter().find(|(_, late)| *late);
    first.map(|(field, _)| field.path())
}

fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
