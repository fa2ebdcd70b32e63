//! What a Service with a network load balancer says in annotations, as settings; and what of it says
//! nothing, or something dangerous. The annotations are read as those of classic ones are.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crds::v1alpha1::{
    AddressType, ExistingInstance, ExistingListeners, NlbAlpn, NlbCertificate, NlbClientAddress,
    NlbConnectionDrain, NlbExisting, NlbField, NlbHealthCheck, NlbIpVersion, NlbListener,
    NlbPortRange, NlbPrivateLinkDetail, NlbProtocol, NlbProxyProtocol, NlbScheduler, NlbSettings,
    NlbZoneMapping, SlbHealthCheckMethod, SlbHealthCheckType, Switch,
};

use super::check::check;
use super::state::NlbState;
use super::table;
use crate::core::slb::Reading;
use crate::core::slb::read::Reader;

/// Reads all annotations; `actual` is what the load balancer is, where nothing is said.
pub fn read(
    annotations: &BTreeMap<String, String>,
    actual: Option<&NlbState>,
) -> Reading<NlbSettings> {
    let mut reader = Reader::of(annotations);
    let mut settings = instance(&mut reader);
    if let (None, Some(actual)) = (&settings.existing, actual) {
        let types = [AddressType::Intranet, AddressType::Internet];
        let mut types = types.into_iter();
        let is = types.find(|one| {
            let word = super::annotations::address_type(*one);
            actual.address_type.eq_ignore_ascii_case(word)
        });
        settings.address_type = settings.address_type.or(is);
    }
    listeners(&mut reader, &mut settings);
    server_groups(&mut reader, &mut settings);
    let overrides = settings
        .existing
        .as_ref()
        .map(NlbExisting::overrides_listeners);
    if let Some(overrides) = overrides {
        let manages = reader.consented(&mut settings, table::ANNOTATIONS, overrides);
        if let Some(existing) = settings.existing.as_mut().filter(|_| manages) {
            existing.instance = Some(ExistingInstance::Manage);
        }
    }
    reader.rest(table::UNWRITTEN, "network");
    if settings.zone_mappings.is_none() && settings.existing.is_none() {
        let why = "no zones can be read, and without two of them the cloud controller manager makes nothing. Add zoneMappings.";
        reader.note("zone-maps", why);
    } else {
        let rows = table::ANNOTATIONS;
        reader.contradictions(&mut settings, rows, NlbField::Listeners, check);
    }
    let findings = reader.findings();
    Reading { settings, findings }
}

/// The same words in any case.
fn any_case<T: Copy>(reader: &mut Reader<'_>, name: &str, words: &[(&str, T)]) -> Option<T> {
    let said = reader.peek(name).unwrap_or_default();
    let known = words
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(said));
    match known {
        Some((_, value)) => {
            reader.take(name);
            Some(*value)
        }
        None => reader.one_of(name, words),
    }
}

fn instance(reader: &mut Reader<'_>) -> NlbSettings {
    let types = [
        ("intranet", AddressType::Intranet),
        ("internet", AddressType::Internet),
    ];
    let versions = [
        ("ipv4", NlbIpVersion::IPv4),
        ("DualStack", NlbIpVersion::DualStack),
    ];
    let existing = reader.named().map(|(id, overrides)| NlbExisting {
        id,
        listeners: overrides.then_some(ExistingListeners::Override),
        instance: None,
    });
    let groups = reader.take("security-group-ids");
    NlbSettings {
        address_type: any_case(reader, "address-type", &types),
        existing,
        name: reader.take("name").map(str::to_owned),
        zone_mappings: zones(reader),
        ip_version: any_case(reader, "ip-version", &versions),
        ipv6_address_type: any_case(reader, "ipv6-address-type", &types),
        resource_group_id: reader.take("resource-group-id").map(str::to_owned),
        tags: reader.tags(),
        security_group_ids: groups.map(ids),
        bandwidth_package_id: reader.take("bandwidth-package-id").map(str::to_owned),
        cross_zone: reader.switch("cross-zone-enabled"),
        on_delete: reader.on_delete(),
        ..NlbSettings::default()
    }
}

fn ids(said: &str) -> Vec<String> {
    let ids = said.split(',').map(str::trim);
    let ids = ids.filter(|id| !id.is_empty());
    ids.map(str::to_owned).collect()
}

fn zones(reader: &mut Reader<'_>) -> Option<Vec<NlbZoneMapping>> {
    let said = reader.take("zone-maps")?;
    let zone = |one: &str| {
        let mut parts = one.split(':').map(|part| part.trim().to_owned());
        let mut part = || parts.next().filter(|part| !part.is_empty());
        Some(NlbZoneMapping {
            zone_id: part()?,
            vswitch_id: part()?,
            private_address: part(),
            eip_id: part(),
        })
    };
    let zones: Option<Vec<NlbZoneMapping>> = said.split(',').map(zone).collect();
    if zones.is_none() {
        reader.leave("zone-maps", &format!("\"{said}\" cannot be read (zone:vswitch, with an address and an elastic address if wanted), and keeps the cloud controller manager from doing anything for the Service, backends included."));
    }
    let mut zones = zones?;
    for zone in &mut zones {
        if zone.private_address.is_none() && zone.eip_id.take().is_some() {
            reader.note("zone-maps", &format!("settings name the elastic address of zone {} only beside its privateAddress; it stays as it is until the zones change. Add both.", zone.zone_id));
        }
    }
    Some(zones)
}

fn listeners(reader: &mut Reader<'_>, settings: &mut NlbSettings) {
    settings.listeners = protocols(reader);
    settings.certificate = certificate(reader);
    settings.tls_policy = reader.word("tls-cipher-policy");
    let policy = reader.word("alpn-policy");
    settings.alpn = match reader.switch("alpn") {
        Some(Switch::Enabled) => policy,
        Some(Switch::Disabled) => Some(NlbAlpn::None),
        None => None,
    };
    if settings.alpn != policy && policy.is_some() {
        reader.leave("alpn-policy", "it is dead without alpn on.");
    }
    settings.proxy_protocol = proxy_protocol(reader);
    settings.idle_timeout = reader.seconds("idle-timeout");
    settings.max_connections_per_second = reader.number("cps");
}

fn protocols(reader: &mut Reader<'_>) -> Option<Vec<NlbListener>> {
    let ranges = reader.take("listener-port-range");
    let Some(said) = reader.take("protocol-port") else {
        if ranges.is_some() {
            let why = "settings name a listener of a range by its protocol, and protocol-port does not say it.";
            reader.leave("listener-port-range", why);
        }
        return None;
    };
    let listener = |pair: &str| {
        let (protocol, port) = pair.split_once(':')?;
        let protocol = match protocol.to_lowercase().as_str() {
            "tcp" => NlbProtocol::Tcp,
            "udp" => NlbProtocol::Udp,
            "tcpssl" => NlbProtocol::TcpSsl,
            _ => return None,
        };
        Some(NlbListener {
            port: port.parse().ok()?,
            protocol,
            range: None,
        })
    };
    let listeners: Option<Vec<NlbListener>> = said.split(',').map(listener).collect();
    let Some(mut listeners) = listeners else {
        reader.leave("protocol-port", &format!("\"{said}\" cannot be read (protocol:port, of tcp, udp and tcpssl, without blanks), and keeps the cloud controller manager from doing anything for the Service, backends included."));
        return None;
    };
    for one in ranges.into_iter().flat_map(|said| said.split(',')) {
        let range = range(one);
        let of = range.and_then(|(_, port)| listeners.iter_mut().find(|one| one.port == port));
        match (of, range) {
            (Some(listener), Some((range, _))) => listener.range = Some(range),
            _ => reader.leave(
                "listener-port-range",
                &format!("\"{one}\" is no range of a listener that protocol-port names."),
            ),
        }
    }
    listeners.sort_by_key(|listener| listener.port);
    Some(listeners)
}

/// `1000-2000:80`
fn range(said: &str) -> Option<(NlbPortRange, i32)> {
    let (ports, port) = said.split_once(':')?;
    let (first, last) = ports.split_once('-')?;
    let range = NlbPortRange {
        first: first.parse().ok()?,
        last: last.parse().ok()?,
    };
    Some((range, port.parse().ok()?))
}

fn certificate(reader: &mut Reader<'_>) -> Option<NlbCertificate> {
    let additional = reader.take("additional-cert-ids").map(ids);
    let checks_clients = reader.switch("cacert") == Some(Switch::Enabled);
    let authority = reader.take("cacert-id").map(str::to_owned);
    if authority.is_some() && !checks_clients {
        reader.leave("cacert-id", "it is dead without cacert on.");
    }
    let Some(id) = reader.take("cert-id").map(str::to_owned) else {
        for name in ["additional-cert-ids", "cacert", "cacert-id"] {
            if reader.peek(name).is_some() {
                reader.leave(name, "it goes with cert-id, which is not there.");
            }
        }
        return None;
    };
    Some(NlbCertificate {
        id,
        additional_ids: additional.filter(|ids| !ids.is_empty()),
        client_authority_id: authority.filter(|_| checks_clients),
    })
}

fn proxy_protocol(reader: &mut Reader<'_>) -> Option<NlbProxyProtocol> {
    let details = [
        ("ppv2-pvl-vpc-id-enabled", NlbPrivateLinkDetail::VPCId),
        ("ppv2-pvl-ep-id-enabled", NlbPrivateLinkDetail::EndpointId),
        (
            "ppv2-pvl-eps-id-enabled",
            NlbPrivateLinkDetail::EndpointServiceId,
        ),
    ];
    let version2 = reader.switch("proxy-protocol");
    let mut said = Vec::new();
    for (name, detail) in details {
        match (reader.switch(name), version2) {
            (Some(Switch::Enabled), Some(Switch::Enabled)) => said.push(detail),
            (Some(Switch::Enabled), _) => {
                reader.leave(name, "it is dead without proxy-protocol on.")
            }
            _ => {}
        }
    }
    Some(NlbProxyProtocol {
        version2: version2?,
        private_link: (!said.is_empty()).then_some(said),
    })
}

fn server_groups(reader: &mut Reader<'_>, settings: &mut NlbSettings) {
    let schedulers = [
        ("Wrr", NlbScheduler::WeightedRoundRobin),
        ("rr", NlbScheduler::RoundRobin),
        ("sch", NlbScheduler::SourceHash),
        ("tch", NlbScheduler::TupleHash),
        ("qch", NlbScheduler::QuicHash),
        ("Wlc", NlbScheduler::WeightedLeastConnections),
    ];
    settings.scheduler = any_case(reader, "scheduler", &schedulers);
    let drains = reader.switch("connection-drain") == Some(Switch::Enabled);
    let timeout = reader.seconds("connection-drain-timeout");
    if drains != timeout.is_some() {
        let (name, why) = match drains {
            true => ("connection-drain", "it needs connection-drain-timeout."),
            false => (
                "connection-drain-timeout",
                "it is dead without connection-drain on.",
            ),
        };
        reader.leave(name, why);
    }
    settings.connection_drain = timeout
        .filter(|_| drains)
        .map(|timeout| NlbConnectionDrain { timeout });
    let preserved = reader.switch("preserve-client-ip");
    settings.client_address = preserved.map(|preserved| match preserved {
        Switch::Enabled => NlbClientAddress::Preserved,
        Switch::Disabled => NlbClientAddress::Replaced,
    });
    settings.health_check = health_check(reader);
    settings.backends = reader.backends();
}

/// Nothing of a check is read unless its flag says on.
fn health_check(reader: &mut Reader<'_>) -> Option<NlbHealthCheck> {
    const PARTS: [&str; 10] = [
        "health-check-type",
        "health-check-uri",
        "health-check-domain",
        "health-check-method",
        "health-check-httpcode",
        "health-check-connect-port",
        "health-check-interval",
        "health-check-connect-timeout",
        "healthy-threshold",
        "unhealthy-threshold",
    ];
    let flag = reader.switch("health-check-flag");
    if flag != Some(Switch::Enabled) {
        for name in PARTS {
            if reader.take(name).is_some() {
                reader.leave(name, "it is dead without health-check-flag on.");
            }
        }
        return flag.map(|_| check_of(SlbHealthCheckType::None));
    }
    let types = [
        ("tcp", SlbHealthCheckType::Tcp),
        ("http", SlbHealthCheckType::Http),
    ];
    let methods = [
        ("head", SlbHealthCheckMethod::Head),
        ("get", SlbHealthCheckMethod::Get),
    ];
    let type_ = any_case(reader, "health-check-type", &types);
    let type_ = type_.unwrap_or(SlbHealthCheckType::Tcp);
    let http = type_ == SlbHealthCheckType::Http;
    let path = reader.take("health-check-uri").filter(|_| http);
    let host = reader.take("health-check-domain");
    let host = host.filter(|host| http && *host != "$SERVER_IP");
    let method = any_case(reader, "health-check-method", &methods).filter(|_| http);
    let port = reader.number("health-check-connect-port");
    Some(NlbHealthCheck {
        path: path.map(str::to_owned),
        host: host.map(str::to_owned),
        method,
        status_codes: reader.status_codes().filter(|_| http),
        port: port.filter(|port| *port != 0),
        interval: reader.seconds("health-check-interval"),
        timeout: reader.seconds("health-check-connect-timeout"),
        healthy_threshold: reader.number("healthy-threshold"),
        unhealthy_threshold: reader.number("unhealthy-threshold"),
        ..check_of(type_)
    })
}

fn check_of(type_: SlbHealthCheckType) -> NlbHealthCheck {
    NlbHealthCheck {
        type_,
        path: None,
        host: None,
        method: None,
        status_codes: None,
        port: None,
        interval: None,
        timeout: None,
        healthy_threshold: None,
        unhealthy_threshold: None,
    }
}
