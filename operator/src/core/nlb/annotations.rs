//! Settings as the annotations that the cloud controller manager reads.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    AddressType, NlbAlpn, NlbCertificate, NlbClientAddress, NlbHealthCheck, NlbIpVersion,
    NlbListener, NlbPrivateLinkDetail, NlbProtocol, NlbProxyProtocol, NlbScheduler, NlbSettings,
    NlbZoneMapping, OnDelete, SlbHealthCheckType, Switch,
};

use super::table;
use crate::core::slb::annotations::{
    Writer, consented, on_off, pairs, seconds, status_codes, word,
};

/// The annotations for these settings, in the current key form.
pub fn annotations(settings: &NlbSettings) -> BTreeMap<String, String> {
    let mut writer = Writer::default();
    instance(&mut writer, settings);
    listeners(&mut writer, settings);
    server_groups(&mut writer, settings);
    if let Some(existing) = &settings.existing {
        let consent = (existing.manages_instance(), existing.overrides_listeners());
        consented(table::ANNOTATIONS, &mut writer.0, consent);
    }
    writer.0
}

fn instance(writer: &mut Writer, settings: &NlbSettings) {
    writer.set_if("address-type", settings.address_type.map(address_type));
    if let Some(existing) = &settings.existing {
        writer.set("id", &existing.id);
        if existing.overrides_listeners() {
            writer.set("force-override-listeners", "true");
        }
    }
    writer.set_if("name", settings.name.as_ref());
    writer.set_if("zone-maps", settings.zone_mappings.as_deref().map(zones));
    writer.set_if("ip-version", settings.ip_version.map(ip_version));
    let ipv6 = settings.ipv6_address_type.map(address_type);
    writer.set_if("ipv6-address-type", ipv6);
    writer.set_if("resource-group-id", settings.resource_group_id.as_ref());
    writer.set_if(
        "additional-resource-tags",
        settings.tags.as_ref().map(pairs),
    );
    let groups = settings.security_group_ids.as_ref();
    writer.set_if("security-group-ids", groups.map(|ids| ids.join(",")));
    let package = settings.bandwidth_package_id.as_ref();
    writer.set_if("bandwidth-package-id", package);
    writer.set_if("cross-zone-enabled", settings.cross_zone.map(on_off));
    // Any value preserves, so the other choice is said by saying nothing.
    if settings.on_delete == Some(OnDelete::Preserve) {
        writer.set("preserve-lb-on-delete", "true");
    }
}

fn listeners(writer: &mut Writer, settings: &NlbSettings) {
    if let Some(listeners) = &settings.listeners {
        protocols(writer, listeners);
    }
    if let Some(of) = &settings.certificate {
        certificate(writer, of);
    }
    writer.set_if("tls-cipher-policy", settings.tls_policy.map(word));
    match settings.alpn {
        Some(NlbAlpn::None) => writer.set("alpn", "off"),
        Some(policy) => {
            writer.set("alpn", "on");
            writer.set("alpn-policy", word(policy));
        }
        None => {}
    }
    if let Some(protocol) = &settings.proxy_protocol {
        proxy_protocol(writer, protocol);
    }
    writer.set_if("idle-timeout", settings.idle_timeout.as_ref().map(seconds));
    writer.set_if("cps", settings.max_connections_per_second);
}

fn protocols(writer: &mut Writer, listeners: &[NlbListener]) {
    let mut listeners: Vec<&NlbListener> = listeners.iter().collect();
    listeners.sort_by_key(|listener| listener.port);
    let protocols: Vec<String> = listeners
        .iter()
        .map(|listener| format!("{}:{}", protocol(listener.protocol), listener.port))
        .collect();
    writer.set("protocol-port", protocols.join(","));
    let ranges: Vec<String> = listeners
        .iter()
        .filter_map(|listener| {
            let range = listener.range?;
            Some(format!("{}-{}:{}", range.first, range.last, listener.port))
        })
        .collect();
    if !ranges.is_empty() {
        writer.set("listener-port-range", ranges.join(","));
    }
}

fn certificate(writer: &mut Writer, certificate: &NlbCertificate) {
    writer.set("cert-id", &certificate.id);
    let additional = certificate.additional_ids.as_ref();
    writer.set_if("additional-cert-ids", additional.map(|ids| ids.join(",")));
    if let Some(authority) = &certificate.client_authority_id {
        writer.set("cacert", "on");
        writer.set("cacert-id", authority);
    }
}

/// What is said of PrivateLink is a whole: what is not listed is off.
fn proxy_protocol(writer: &mut Writer, protocol: &NlbProxyProtocol) {
    writer.set("proxy-protocol", on_off(protocol.version2));
    let Some(details) = &protocol.private_link else {
        return;
    };
    let switches = [
        ("ppv2-pvl-vpc-id-enabled", NlbPrivateLinkDetail::VPCId),
        ("ppv2-pvl-ep-id-enabled", NlbPrivateLinkDetail::EndpointId),
        (
            "ppv2-pvl-eps-id-enabled",
            NlbPrivateLinkDetail::EndpointServiceId,
        ),
    ];
    for (name, detail) in switches {
        let switch = match details.contains(&detail) {
            true => Switch::Enabled,
            false => Switch::Disabled,
        };
        writer.set(name, on_off(switch));
    }
}

fn server_groups(writer: &mut Writer, settings: &NlbSettings) {
    writer.set_if("scheduler", settings.scheduler.map(scheduler));
    if let Some(drain) = &settings.connection_drain {
        writer.set("connection-drain", "on");
        writer.set("connection-drain-timeout", seconds(&drain.timeout));
    }
    let preserved = settings.client_address.map(|address| match address {
        NlbClientAddress::Preserved => "on",
        NlbClientAddress::Replaced => "off",
    });
    writer.set_if("preserve-client-ip", preserved);
    if let Some(check) = &settings.health_check {
        health_check(writer, check);
    }
    if let Some(backends) = &settings.backends {
        writer.backends(backends);
    }
}

/// Nothing of a check is read unless its flag says on.
fn health_check(writer: &mut Writer, check: &NlbHealthCheck) {
    if check.type_ == SlbHealthCheckType::None {
        writer.set("health-check-flag", "off");
        return;
    }
    writer.set("health-check-flag", "on");
    writer.set("health-check-type", word(check.type_));
    if check.type_ == SlbHealthCheckType::Http {
        writer.set("health-check-uri", check.path.as_deref().unwrap_or("/"));
        writer.set_if("health-check-domain", check.host.as_ref());
        writer.set_if("health-check-method", check.method.map(word));
        let codes = check.status_codes.as_deref().map(status_codes);
        writer.set_if("health-check-httpcode", codes);
    }
    writer.set_if("health-check-connect-port", check.port);
    let interval = check.interval.as_ref().map(seconds);
    writer.set_if("health-check-interval", interval);
    let timeout = check.timeout.as_ref().map(seconds);
    writer.set_if("health-check-connect-timeout", timeout);
    writer.set_if("healthy-threshold", check.healthy_threshold);
    writer.set_if("unhealthy-threshold", check.unhealthy_threshold);
}

/// `zone:vswitch[:address[:eip]],…`, in the order of zones.
fn zones(mappings: &[NlbZoneMapping]) -> String {
    let mut mappings: Vec<&NlbZoneMapping> = mappings.iter().collect();
    mappings.sort_by_key(|mapping| &mapping.zone_id);
    let parts = mappings.into_iter().map(|mapping| {
        let own = [Some(&mapping.zone_id), Some(&mapping.vswitch_id)];
        let more = [mapping.private_address.as_ref(), mapping.eip_id.as_ref()];
        let parts = own.into_iter().chain(more).flatten();
        parts.map(String::as_str).collect::<Vec<&str>>().join(":")
    });
    parts.collect::<Vec<String>>().join(",")
}

/// An address type, in the lower case that the cloud controller manager's documents have.
pub(super) fn address_type(type_: AddressType) -> &'static str {
    match type_ {
        AddressType::Intranet => "intranet",
        AddressType::Internet => "internet",
    }
}

pub(super) fn ip_version(version: NlbIpVersion) -> &'static str {
    match version {
        NlbIpVersion::IPv4 => "ipv4",
        NlbIpVersion::DualStack => "DualStack",
    }
}

fn protocol(protocol: NlbProtocol) -> &'static str {
    match protocol {
        NlbProtocol::Tcp => "tcp",
        NlbProtocol::Udp => "udp",
        NlbProtocol::TcpSsl => "tcpssl",
    }
}

/// In the spelling of the API, whose two conventions are not ours.
fn scheduler(scheduler: NlbScheduler) -> &'static str {
    match scheduler {
        NlbScheduler::WeightedRoundRobin => "Wrr",
        NlbScheduler::RoundRobin => "rr",
        NlbScheduler::SourceHash => "sch",
        NlbScheduler::TupleHash => "tch",
        NlbScheduler::QuicHash => "qch",
        NlbScheduler::WeightedLeastConnections => "Wlc",
    }
}
