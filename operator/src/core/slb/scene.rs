//! Settings against the Service that they are for and the load balancer that it has: what can be told
//! only there, and is refused before anything is written.

use std::collections::BTreeMap;

use crds::v1alpha1::{ExternalTrafficPolicy, Reason, SlbProtocol, SlbScheduler, SlbSettings};
use k8s_openapi::api::core::v1::ServicePort;

use super::check::{Fault, check, fault, listeners};
use super::observe::check_immutable;
use super::{existing, said, tags};
use crate::core::desired::ServiceShape;
use crate::core::observed::{ExistingLoadBalancer, LoadBalancerState, ServiceState};

/// Where settings are to take effect; what is not known is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scene<'a> {
    /// The Service.
    pub service: Option<&'a ServiceState>,
    /// What the Service is, or will be once it is made.
    pub shape: Option<&'a ServiceShape>,
    /// Its load balancer.
    pub load_balancer: Option<&'a LoadBalancerState>,
    /// The load balancer of others that settings name.
    pub existing: Option<&'a ExistingLoadBalancer>,
}

impl Scene<'_> {
    /// The first thing that keeps settings from taking effect here.
    pub fn judge(&self, settings: &SlbSettings) -> Option<Fault> {
        let actual = self.load_balancer;
        check(settings)
            .or_else(|| existing::judge(settings, self))
            .or_else(|| actual.and_then(|actual| check_immutable(settings, actual)))
            .or_else(|| check_ports(settings, &self.shape?.ports))
            .or_else(|| weight(settings, self.shape?))
            .or_else(|| hosts(settings, self.service?))
            .or_else(|| foreign_tags(settings, self.service?, actual?))
    }
}

/// Why a Service gets no load balancer as long as it is as it is. It can be annotated all the same, and
/// should be: the first load balancer that it gets then is the right one.
pub fn untyped(service: &ServiceState) -> Option<String> {
    (!service.type_.is_empty() && service.type_ != "LoadBalancer").then(|| {
        format!(
            "is of type {}, so it gets no load balancer. Make it type: LoadBalancer.",
            service.type_
        )
    })
}

/// Why the cloud controller manager would not look at a Service, and what to do.
pub fn unmanaged(service: &ServiceState) -> Option<String> {
    const CLASS: &str = "service.beta.kubernetes.io/class";
    let tunnel = super::key("tunnel-type");
    let says = |key: &str| service.annotations.get(key);
    if let Some(class) = &service.class {
        return Some(format!(
            "has loadBalancerClass \"{class}\", and a classic load balancer is for Services without one. It cannot be changed: make another Service."
        ));
    }
    if says(CLASS).is_some_and(|class| !class.is_empty()) {
        return Some(format!(
            "has the annotation {CLASS}, with which the cloud controller manager neither changes nor cleans up its load balancer: deleting it would hang. Remove the annotation."
        ));
    }
    if says(&tunnel).is_some() {
        return Some(format!(
            "has the annotation {tunnel}, with which the cloud controller manager leaves it to others. Remove the annotation."
        ));
    }
    None
}

/// The first listener that its port of the Service cannot have, and the first setting that no
/// listener knows.
fn check_ports(settings: &SlbSettings, ports: &[ServicePort]) -> Option<Fault> {
    stray(settings, ports).or_else(|| {
        let protocols: Vec<SlbProtocol> = ports
            .iter()
            .map(|port| {
                let mut listeners = listeners(settings).iter();
                let listener = listeners.find(|one| one.port == port.port);
                listener.map_or_else(|| own_protocol(port), |listener| listener.protocol)
            })
            .collect();
        unknown_to_all(settings, &protocols)
    })
}

fn own_protocol(port: &ServicePort) -> SlbProtocol {
    match port.protocol.as_deref() {
        Some("UDP") => SlbProtocol::Udp,
        _ => SlbProtocol::Tcp,
    }
}

fn stray(settings: &SlbSettings, ports: &[ServicePort]) -> Option<Fault> {
    let of = |number: i32| {
        let mut ports = ports.iter();
        ports.find(move |port| port.port == number)
    };
    for listener in listeners(settings) {
        let Some(port) = of(listener.port) else {
            let ports: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
            return fault(
                "slb.listeners",
                format!(
                    "the Service has no port {}; it has {}. Correct the port, or add it to the Service.",
                    listener.port,
                    ports.join(", ")
                ),
            );
        };
        let is_udp = own_protocol(port) == SlbProtocol::Udp;
        if is_udp != (listener.protocol == SlbProtocol::Udp) {
            let transport = if is_udp { "UDP" } else { "TCP" };
            return fault(
                "slb.listeners",
                format!(
                    "port {} of the Service is {transport}, and its listener would send it something else. Correct the protocol.",
                    listener.port
                ),
            );
        }
    }
    None
}

fn unknown_to_all(settings: &SlbSettings, protocols: &[SlbProtocol]) -> Option<Fault> {
    let is = |known: &[SlbProtocol]| protocols.iter().any(|one| known.contains(one));
    let persistence = settings.session_persistence.as_ref();
    let timeouts = settings.timeouts.as_ref();
    let quic = settings.scheduler == Some(SlbScheduler::QuicHash);
    if quic && protocols.iter().any(|one| *one != SlbProtocol::Udp) {
        return fault(
            "slb.scheduler",
            "only UDP listeners know QUICHash, and the scheduler is that of all listeners: the Service has other ports. Choose another scheduler, or use another gateway.",
        );
    }
    let (path, by) = if is(&[SlbProtocol::Tcp]) {
        return None;
    } else if persistence.is_some_and(|persistence| persistence.source_address.is_some()) {
        ("slb.sessionPersistence", "TCP")
    } else if timeouts.is_some_and(|timeouts| timeouts.established.is_some()) {
        ("slb.timeouts", "TCP")
    } else if is(&[SlbProtocol::Udp]) {
        return None;
    } else if settings.connection_drain.is_some() {
        ("slb.connectionDrain", "TCP and UDP")
    } else if settings.proxy_protocol.is_some() {
        ("slb.proxyProtocol", "TCP and UDP")
    } else {
        return None;
    };
    fault(
        path,
        format!("only {by} listeners know it, and the Service has none. Remove it."),
    )
}

fn weight(settings: &SlbSettings, shape: &ServiceShape) -> Option<Fault> {
    settings.backends.as_ref()?.weight?;
    if shape.external_traffic_policy != ExternalTrafficPolicy::Local {
        return None;
    }
    fault(
        "slb.backends.weight",
        "the Service has externalTrafficPolicy: Local, with which nodes weigh as much as they have pods. Remove the weight, or make it Cluster.",
    )
}

/// The cloud controller manager (v2.14.0) keeps the certificate that a host has, whatever it is told.
fn hosts(settings: &SlbSettings, service: &ServiceState) -> Option<Fault> {
    let said = said("domain-extensions", service)?;
    let pairs = said.split(',').filter_map(|pair| pair.split_once(':'));
    let before: BTreeMap<&str, &str> = pairs.collect();
    let wanted = settings.certificate.iter();
    let mut wanted = wanted.flat_map(|certificate| certificate.hosts.iter().flatten());
    let changed = |one: &&crds::v1alpha1::SlbHostCertificate| {
        before
            .get(one.host.as_str())
            .is_some_and(|id| *id != one.id)
    };
    let one = wanted.find(changed)?;
    Some(Fault {
        reason: Reason::Immutable,
        path: "slb.certificate.hosts",
        why: format!(
            "{} has a certificate, and the cloud controller manager does not change that of a host. Take the host out of the list, wait until that is done (it has certificate.id meanwhile), and put it back with \"{}\".",
            one.host, one.id
        ),
    })
}

/// The first tags that are given take every other tag away. Later ones are drift like any other.
fn foreign_tags(
    settings: &SlbSettings,
    service: &ServiceState,
    actual: &LoadBalancerState,
) -> Option<Fault> {
    let wanted = settings.tags.as_ref()?;
    if said("additional-resource-tags", service).is_some() {
        return None;
    }
    let lost = tags::lost(wanted, &actual.tags)?;
    Some(Fault {
        reason: Reason::ForeignField,
        path: "slb.tags",
        why: format!(
            "load balancer {} has tags that somebody else gave it ({lost}), and once slb.tags is set the cloud controller manager removes every other one. Add them to slb.tags, or remove them in the console.",
            actual.id,
        ),
    })
}
