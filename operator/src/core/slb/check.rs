//! Settings that the cloud would refuse, or the cloud controller manager ignore or choke on. They are
//! refused before anything is written, since one of them may block a Service with all its listeners.

use crds::v1alpha1::{
    AddressType, IpVersion, PublishedAddress, SlbListener, SlbProtocol, SlbSettings,
    SlbTrafficCharge,
};
use k8s_openapi::api::core::v1::ServicePort;

use super::existing;

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its path, without the leading `spec`.
    pub path: &'static str,
    /// What is wrong with it, by which rule, and what to do.
    pub why: String,
}

fn fault(path: &'static str, why: impl Into<String>) -> Option<Fault> {
    Some(Fault {
        path,
        why: why.into(),
    })
}

/// The first thing that is wrong with settings by themselves.
pub fn check(settings: &SlbSettings) -> Option<Fault> {
    existing::check(settings)
        .or_else(|| by_address_type(settings))
        .or_else(|| redirects(listeners(settings)))
        .or_else(|| certificate(settings))
        .or_else(|| without_effect(settings))
}

/// The first listener of a port that the Service does not have.
pub fn check_ports(settings: &SlbSettings, ports: &[ServicePort]) -> Option<Fault> {
    let mut listeners = listeners(settings).iter();
    let has = |port: u16| ports.iter().any(|one| one.port == i32::from(port));
    let stray = listeners.find(|listener| !has(listener.port))?;
    let ports: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
    fault(
        "slb.listeners",
        format!(
            "the Service has no port {}; it has {}. Correct the port, or add it to the Service.",
            stray.port,
            ports.join(", ")
        ),
    )
}

fn listeners(settings: &SlbSettings) -> &[SlbListener] {
    settings.listeners.as_deref().unwrap_or_default()
}

fn by_address_type(settings: &SlbSettings) -> Option<Fault> {
    let (path, what, needs) = match settings.address_type? {
        AddressType::Internet => {
            if settings.vswitch_id.is_some() {
                ("slb.vswitchId", "an address out of a vswitch", "Intranet")
            } else if settings.address.is_some() {
                ("slb.address", "a chosen address", "Intranet")
            } else if settings.published_address == Some(PublishedAddress::EIP) {
                ("slb.publishedAddress", "an elastic address", "Intranet")
            } else {
                return None;
            }
        }
        AddressType::Intranet => {
            let traffic = settings
                .billing
                .as_ref()
                .and_then(|billing| billing.traffic);
            if settings.ip_version == Some(IpVersion::IPv6) {
                ("slb.ipVersion", "IPv6", "Internet")
            } else if traffic == Some(SlbTrafficCharge::PayByBandwidth) {
                ("slb.billing.traffic", "PayByBandwidth", "Internet")
            } else {
                return None;
            }
        }
    };
    let has = match needs {
        "Intranet" => "Internet",
        _ => "Intranet",
    };
    fault(
        path,
        format!(
            "{what} is for addressType: {needs} alone, and this load balancer is {has}. Remove it, or use another gateway."
        ),
    )
}

fn redirects(listeners: &[SlbListener]) -> Option<Fault> {
    let is_https = |port: u16| {
        let mut listeners = listeners.iter();
        listeners.any(|to| to.port == port && to.protocol == SlbProtocol::Https)
    };
    let mut redirects = listeners
        .iter()
        .filter_map(|listener| Some((listener.port, listener.redirect_to?)));
    let (from, to) = redirects.find(|(_, to)| !is_https(*to))?;
    fault(
        "slb.listeners",
        format!(
            "port {from} redirects to {to}, which is no HTTPS listener of this list. Add {{port: {to}, protocol: HTTPS}}, or correct redirectTo."
        ),
    )
}

fn certificate(settings: &SlbSettings) -> Option<Fault> {
    let https = listeners(settings)
        .iter()
        .find(|listener| listener.protocol == SlbProtocol::Https);
    match (https, &settings.certificate) {
        (Some(listener), None) => fault(
            "slb.certificate",
            format!(
                "the HTTPS listener of port {} needs a certificate. Give slb.certificate.id.",
                listener.port
            ),
        ),
        (None, Some(_)) => fault(
            "slb.certificate",
            "no listener speaks HTTPS, so the certificate would have no effect. Add a listener with protocol: HTTPS, or remove the certificate.",
        ),
        (None, None) if settings.tls_policy.is_some() => fault(
            "slb.tlsPolicy",
            "no listener speaks HTTPS, so the policy would have no effect. Add a listener with protocol: HTTPS, or remove the policy.",
        ),
        _ => None,
    }
}

/// Settings that no listener knows. Ports that are not listed speak TCP or UDP.
fn without_effect(settings: &SlbSettings) -> Option<Fault> {
    let requests = listeners(settings)
        .iter()
        .any(|listener| matches!(listener.protocol, SlbProtocol::Http | SlbProtocol::Https));
    let persistence = settings.session_persistence.as_ref();
    let cookies = persistence.is_some_and(|persistence| {
        persistence.inserted_cookie.is_some() || persistence.server_cookie.is_some()
    });
    let timeouts = settings.timeouts.as_ref();
    let of_requests =
        timeouts.is_some_and(|timeouts| timeouts.idle.is_some() || timeouts.request.is_some());
    let path = if requests {
        return None;
    } else if cookies {
        "slb.sessionPersistence"
    } else if of_requests {
        "slb.timeouts"
    } else {
        return None;
    };
    fault(
        path,
        "only HTTP and HTTPS listeners know it, and there is none. Add one to slb.listeners, or remove it.",
    )
}
