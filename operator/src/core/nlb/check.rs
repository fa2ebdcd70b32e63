//! Settings that the cloud would refuse, or the cloud controller manager ignore or choke on. They are
//! refused before anything is written, since one of them may block a Service with all its listeners.

use std::net::Ipv4Addr;

use crds::v1alpha1::{
    AddressType, NlbField, NlbIpVersion, NlbListener, NlbProtocol, NlbScheduler, NlbSettings,
    NlbZoneMapping, OnDelete, Reason, SlbBackendType, Switch,
};

use super::table;
use crate::core::slb::Fault;
use crate::core::slb::table::Level;

pub(super) fn fault(path: &'static str, why: impl Into<String>) -> Option<Fault> {
    Some(Fault {
        reason: Reason::InvalidSpec,
        path,
        why: why.into(),
    })
}

/// The first thing that is wrong with settings by themselves.
pub fn check(settings: &NlbSettings) -> Option<Fault> {
    zones(settings)
        .or_else(|| existing(settings))
        .or_else(|| by_address_type(settings))
        .or_else(|| ipv6(settings))
        .or_else(|| certificate(settings))
        .or_else(|| scheduler(settings))
        .or_else(|| ranges(settings))
        .or_else(|| private_link(settings))
}

/// The zones of a new load balancer are asked for, and the cloud takes addresses of version 4.
fn zones(settings: &NlbSettings) -> Option<Fault> {
    let Some(zones) = &settings.zone_mappings else {
        return match settings.existing {
            Some(_) => None,
            None => fault(
                "nlb.zoneMappings",
                "an NLB is made in two zones at least, and the cloud controller manager chooses none. Give two zones, each with a vswitch.",
            ),
        };
    };
    if let Some(again) = repeated(zones) {
        return fault(
            "nlb.zoneMappings",
            format!(
                "zone {again} is there twice, and an NLB has one vswitch in each. Name another zone."
            ),
        );
    }
    let addresses = zones
        .iter()
        .filter_map(|zone| zone.private_address.as_ref());
    let address = addresses
        .into_iter()
        .find(|text| text.parse::<Ipv4Addr>().is_err())?;
    fault(
        "nlb.zoneMappings",
        format!("\"{address}\" is no IPv4 address. Correct it."),
    )
}

fn repeated(zones: &[NlbZoneMapping]) -> Option<&str> {
    let of = |index: usize| zones.get(..index).into_iter().flatten();
    let mut each = zones.iter().enumerate();
    let again = |(index, zone): &(usize, &NlbZoneMapping)| {
        of(*index).any(|before| before.zone_id == zone.zone_id)
    };
    each.find(again).map(|(_, zone)| zone.zone_id.as_str())
}

/// Settings that have no effect on a load balancer that others made, or one that nobody consented to.
fn existing(settings: &NlbSettings) -> Option<Fault> {
    let existing = settings.existing.as_ref()?;
    let set = |level: Level| {
        let mut set = NlbField::EACH.iter().copied();
        set.find(|field| field.is_set(settings) && table::level(*field) == level)
    };
    let id = &existing.id;
    if settings.on_delete == Some(OnDelete::Preserve) {
        return fault(
            NlbField::OnDelete.path(),
            format!(
                "it would have no effect, since a load balancer that others made is never deleted. Remove it, or give up {id}."
            ),
        );
    }
    if let Some(field) = set(Level::Listener).filter(|_| !existing.overrides_listeners()) {
        return fault(
            field.path(),
            format!(
                "it would have no effect, since existing.listeners is Keep. Remove it, or consent with existing.listeners: Override to taking over the listeners of {id}."
            ),
        );
    }
    let field = set(Level::Instance).filter(|_| !existing.manages_instance())?;
    fault(
        field.path(),
        format!(
            "it would change a load balancer that others made, and existing.instance is Keep. Remove it, or consent with existing.instance: Manage to changes of {id}."
        ),
    )
}

fn by_address_type(settings: &NlbSettings) -> Option<Fault> {
    if settings.address_type != Some(AddressType::Intranet) {
        return None;
    }
    let mut zones = settings.zone_mappings.iter().flatten();
    let (path, what) = if settings.bandwidth_package_id.is_some() {
        ("nlb.bandwidthPackageId", "a shared bandwidth")
    } else if zones.any(|zone| zone.eip_id.is_some()) {
        ("nlb.zoneMappings", "an elastic address")
    } else {
        return None;
    };
    fault(
        path,
        format!(
            "{what} is for addressType: Internet alone, and this load balancer is Intranet: it would be ignored. Remove it, or use another gateway."
        ),
    )
}

fn ipv6(settings: &NlbSettings) -> Option<Fault> {
    settings.ipv6_address_type?;
    // Of one that others made the version need not be said.
    if settings.ip_version == Some(NlbIpVersion::DualStack) || settings.existing.is_some() {
        return None;
    }
    fault(
        "nlb.ipv6AddressType",
        "only a DualStack load balancer has IPv6 addresses. Set ipVersion: DualStack, or remove it.",
    )
}

pub(super) fn listeners(settings: &NlbSettings) -> &[NlbListener] {
    settings.listeners.as_deref().unwrap_or_default()
}

fn certificate(settings: &NlbSettings) -> Option<Fault> {
    let tls = listeners(settings)
        .iter()
        .find(|listener| listener.protocol == NlbProtocol::TcpSsl);
    let useless = if settings.certificate.is_some() {
        "nlb.certificate"
    } else if settings.tls_policy.is_some() {
        "nlb.tlsPolicy"
    } else if settings.alpn.is_some() {
        "nlb.alpn"
    } else {
        ""
    };
    match (tls, &settings.certificate) {
        (Some(listener), None) => fault(
            "nlb.certificate",
            format!(
                "the TCPSSL listener of port {} needs a certificate. Give nlb.certificate.id.",
                listener.port
            ),
        ),
        (None, _) if !useless.is_empty() => fault(
            useless,
            "no listener speaks TCPSSL, so it would have no effect. Add a listener with protocol: TCPSSL, or remove it.",
        ),
        _ => None,
    }
}

fn scheduler(settings: &NlbSettings) -> Option<Fault> {
    if settings.scheduler != Some(NlbScheduler::QuicHash) {
        return None;
    }
    let mut listeners = listeners(settings).iter();
    let other = listeners.find(|listener| listener.protocol != NlbProtocol::Udp)?;
    fault(
        "nlb.scheduler",
        format!(
            "only UDP listeners know QUICHash, and the scheduler is that of all of them: port {} speaks something else. Choose another scheduler, or use another gateway.",
            other.port
        ),
    )
}

/// Listeners of one transport whose ports overlap block the whole Service, and only pods can be sent to
/// by a range.
fn ranges(settings: &NlbSettings) -> Option<Fault> {
    let listeners = listeners(settings);
    let ranged = listeners.iter().find(|listener| listener.range.is_some())?;
    let backends = settings.backends.as_ref();
    if backends.and_then(|backends| backends.type_) != Some(SlbBackendType::Pods) {
        return fault(
            "nlb.listeners",
            format!(
                "the listener of port {} takes a range of ports, which can be sent to pods alone. Set nlb.backends.type: Pods, or remove the range.",
                ranged.port
            ),
        );
    }
    let taken = |listener: &NlbListener| match listener.range {
        Some(range) => (range.first, range.last),
        None => (listener.port, listener.port),
    };
    let is_udp = |listener: &NlbListener| listener.protocol == NlbProtocol::Udp;
    for (index, one) in listeners.iter().enumerate() {
        let (first, last) = taken(one);
        let mut later = listeners.iter().skip(index + 1);
        let other = later.find(|other| {
            let (begins, ends) = taken(other);
            is_udp(one) == is_udp(other) && first <= ends && begins <= last
        });
        if let Some(other) = other {
            return fault(
                "nlb.listeners",
                format!(
                    "the listeners of ports {} and {} take the same ports. Make their ranges disjoint.",
                    one.port, other.port
                ),
            );
        }
    }
    None
}

fn private_link(settings: &NlbSettings) -> Option<Fault> {
    let protocol = settings.proxy_protocol.as_ref()?;
    if protocol.version2 == Switch::Enabled || protocol.private_link.is_none() {
        return None;
    }
    fault(
        "nlb.proxyProtocol.privateLink",
        "it is said by the PROXY protocol, which is Disabled. Set version2: Enabled, or remove it.",
    )
}
