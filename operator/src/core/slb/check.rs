//! Settings that the cloud would refuse, or the cloud controller manager ignore or choke on. They are
//! refused before anything is written, since one of them may block a Service with all its listeners.

use std::net::Ipv4Addr;

use crds::v1alpha1::{
    AddressType, IpVersion, PublishedAddress, Reason, SlbInstanceCharge, SlbListener, SlbProtocol,
    SlbScheduler, SlbSettings, SlbTrafficCharge,
};

use super::existing;

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From the closed set.
    pub reason: Reason,
    /// Its path, without the leading `spec`.
    pub path: &'static str,
    /// What is wrong with it, by which rule, and what to do.
    pub why: String,
}

pub(super) fn fault(path: &'static str, why: impl Into<String>) -> Option<Fault> {
    Some(Fault {
        reason: Reason::InvalidSpec,
        path,
        why: why.into(),
    })
}

/// The first thing that is wrong with settings by themselves.
pub fn check(settings: &SlbSettings) -> Option<Fault> {
    malformed(settings)
        .or_else(|| existing::check(settings))
        .or_else(|| by_address_type(settings))
        .or_else(|| billing(settings))
        .or_else(|| published_twice(settings))
        .or_else(|| redirects(listeners(settings)))
        .or_else(|| certificate(settings))
        .or_else(|| scheduler(settings))
        .or_else(|| without_effect(settings))
        .or_else(|| check_timeout(settings))
}

/// What the API server's patterns let pass.
fn malformed(settings: &SlbSettings) -> Option<Fault> {
    if let Some(name) = settings.name.as_ref().filter(|name| name.len() > 80) {
        return Some(Fault {
            reason: Reason::NameTooLong,
            path: "slb.name",
            why: format!(
                "\"{name}\" has {} characters, a load balancer's name has at most 80. Shorten it.",
                name.len()
            ),
        });
    }
    let address = settings.address.as_ref()?;
    if address.parse::<Ipv4Addr>().is_ok() {
        return None;
    }
    fault(
        "slb.address",
        format!("\"{address}\" is no IPv4 address. Correct it."),
    )
}

/// The same as the rules of the definitions, which may be older than the operator.
fn billing(settings: &SlbSettings) -> Option<Fault> {
    let billing = settings.billing.as_ref()?;
    let by_bandwidth = billing.traffic == Some(SlbTrafficCharge::PayByBandwidth);
    let by_spec = billing.instance == SlbInstanceCharge::PayBySpec;
    if !by_spec && (billing.spec.is_some() || by_bandwidth) {
        return fault(
            "slb.billing",
            "spec and PayByBandwidth are sold with instance: PayBySpec alone; with PayByCLCU the cloud controller manager ignores them. Remove them.",
        );
    }
    if billing.bandwidth_mbps.is_some() != by_bandwidth {
        return fault(
            "slb.billing",
            "bandwidthMbps and traffic: PayByBandwidth only count together. Give both, or none.",
        );
    }
    None
}

fn published_twice(settings: &SlbSettings) -> Option<Fault> {
    settings.published_hostname.as_ref()?;
    if settings.published_address != Some(PublishedAddress::EIP) {
        return None;
    }
    fault(
        "slb.publishedHostname",
        "a host name is published in place of any address, so publishedAddress: EIP would have no effect. Remove one of them.",
    )
}

pub(super) fn listeners(settings: &SlbSettings) -> &[SlbListener] {
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
    let is_https = |port: i32| {
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
        (None, None) => {
            let path = if settings.tls_policy.is_some() {
                "slb.tlsPolicy"
            } else if settings.http2.is_some() {
                "slb.http2"
            } else {
                return None;
            };
            fault(
                path,
                "no listener speaks HTTPS, so it would have no effect. Add a listener with protocol: HTTPS, or remove it.",
            )
        }
        _ => None,
    }
}

/// One listener that does not know the scheduler would keep all of the Service from being served.
fn scheduler(settings: &SlbSettings) -> Option<Fault> {
    let (knows, by): (fn(SlbProtocol) -> bool, _) = match settings.scheduler? {
        SlbScheduler::RoundRobin | SlbScheduler::WeightedRoundRobin => return None,
        SlbScheduler::SourceHash | SlbScheduler::TupleHash => (
            |protocol| matches!(protocol, SlbProtocol::Tcp | SlbProtocol::Udp),
            "TCP and UDP",
        ),
        SlbScheduler::QuicHash => (|protocol| protocol == SlbProtocol::Udp, "UDP"),
    };
    let other = listeners(settings)
        .iter()
        .find(|listener| !knows(listener.protocol))?;
    fault(
        "slb.scheduler",
        format!(
            "only {by} listeners know it, and the scheduler is that of all listeners: port {} speaks something else. Choose RoundRobin or WeightedRoundRobin, or use another gateway.",
            other.port
        ),
    )
}

/// The load balancer takes the interval for a timeout that is shorter.
fn check_timeout(settings: &SlbSettings) -> Option<Fault> {
    let check = settings.health_check.as_ref()?;
    let seconds = |duration: kube::core::Duration| std::time::Duration::from(duration).as_secs();
    let timeout = seconds(check.timeout?);
    let interval = check.interval.map_or(2, seconds);
    if timeout >= interval {
        return None;
    }
    fault(
        "slb.healthCheck.timeout",
        format!(
            "{timeout}s is less than the interval of {interval}s, and the load balancer would take the interval instead. Raise the timeout or lower the interval."
        ),
    )
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
    } else if settings.forwarded_headers.is_some() {
        "slb.forwardedHeaders"
    } else {
        return None;
    };
    fault(
        path,
        "only HTTP and HTTPS listeners know it, and there is none. Add one to slb.listeners, or remove it.",
    )
}
