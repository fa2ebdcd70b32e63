//! Settings against the Service that they are for and the load balancer that it has: what can be told
//! only there, and is refused before anything is written.

use crds::v1alpha1::{
    ExternalTrafficPolicy, NlbGateway, NlbProtocol, NlbScheduler, NlbSettings, Reason,
};
use k8s_openapi::api::core::v1::ServicePort;

use super::annotations::ip_version;
use super::check::{check, fault, listeners};
use super::existing;
use super::state::NlbState;
use crate::core::desired::ServiceShape;
use crate::core::observed::{ExistingLoadBalancer, ServiceState};
use crate::core::slb::annotations::seconds;
use crate::core::slb::{Fault, key, said, tags};

/// Where settings are to take effect; what is not known is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scene<'a> {
    /// The Service.
    pub service: Option<&'a ServiceState>,
    /// What the Service is, or will be once it is made.
    pub shape: Option<&'a ServiceShape>,
    /// Its load balancer.
    pub load_balancer: Option<&'a NlbState>,
    /// The load balancer of others that settings name.
    pub existing: Option<&'a ExistingLoadBalancer>,
}

impl Scene<'_> {
    /// The first thing that keeps settings from taking effect here.
    pub fn judge(&self, settings: &NlbSettings) -> Option<Fault> {
        check(settings)
            .or_else(|| existing::judge(settings, self))
            .or_else(|| immutable(settings, self.load_balancer?))
            .or_else(|| left_zones(settings, self.load_balancer?))
            .or_else(|| ports(settings, &self.shape?.ports))
            .or_else(|| idle(settings, &self.shape?.ports))
            .or_else(|| weight(settings, self.shape?))
            .or_else(|| foreign_tags(settings, self.service?, self.load_balancer?))
    }
}

/// Why the cloud controller manager would make no network load balancer for a Service, and what to do.
pub fn unmanaged(service: &ServiceState) -> Option<String> {
    const CLASS: &str = "service.beta.kubernetes.io/class";
    let wanted = NlbGateway::LOAD_BALANCER_CLASS;
    match service.class.as_deref() {
        Some(class) if class == wanted => {}
        Some(class) => {
            return Some(format!(
                "has loadBalancerClass \"{class}\", and a network load balancer is for Services with \"{wanted}\". It cannot be changed: make another Service."
            ));
        }
        None => {
            return Some(format!(
                "has no loadBalancerClass, and a network load balancer is for Services with \"{wanted}\". It can be given only as long as the Service is not of type LoadBalancer: make another Service, or let the operator make it (createFrom)."
            ));
        }
    }
    let says = |key: &str| service.annotations.get(key);
    if says(CLASS).is_some_and(|class| !class.is_empty()) {
        return Some(format!(
            "has the annotation {CLASS}, with which the cloud controller manager neither changes nor cleans up its load balancer: deleting it would hang. Remove the annotation."
        ));
    }
    let tunnel = key("tunnel-type");
    says(&tunnel).map(|_| {
        format!(
            "has the annotation {tunnel}, with which the cloud controller manager leaves it to others. Remove the annotation."
        )
    })
}

pub(super) fn fixed(path: &'static str, why: String) -> Option<Fault> {
    Some(Fault {
        reason: Reason::Immutable,
        path,
        why,
    })
}

/// Refuses a change of what a load balancer keeps for life.
pub(super) fn immutable(settings: &NlbSettings, actual: &NlbState) -> Option<Fault> {
    let checks = [
        (
            "nlb.ipVersion",
            settings.ip_version.map(ip_version),
            &actual.ip_version,
        ),
        (
            "nlb.resourceGroupId",
            settings.resource_group_id.as_deref(),
            &actual.resource_group_id,
        ),
    ];
    let differs = checks.into_iter().find_map(|(path, wanted, is)| {
        let other = |wanted: &&str| !is.is_empty() && !wanted.eq_ignore_ascii_case(is);
        Some((path, wanted.filter(other)?, is))
    });
    let (path, wanted, is) = differs?;
    fixed(
        path,
        format!(
            "wanted \"{wanted}\", but load balancer {} has \"{is}\" and it cannot change once the load balancer exists. Go back to \"{is}\", or delete the gateway's Service so that a new load balancer (with another host name) is made.",
            actual.id
        ),
    )
}

/// The cloud controller manager compares zones only where one is wanted that is not there. A list that
/// merely lacks one would leave it in place without a word.
fn left_zones(settings: &NlbSettings, actual: &NlbState) -> Option<Fault> {
    let wanted = settings.zone_mappings.as_ref()?;
    let is = |id: &str, vswitch: &str| {
        let mut zones = wanted.iter();
        zones.any(|zone| zone.zone_id == id && zone.vswitch_id == vswitch)
    };
    let there = |id: &str, vswitch: &str| {
        let mut zones = actual.zones.iter();
        zones.any(|zone| zone.id == id && zone.vswitch_id == vswitch)
    };
    let adds = wanted
        .iter()
        .any(|zone| !there(&zone.zone_id, &zone.vswitch_id));
    if adds {
        return None; // All of them are sent then.
    }
    let left: Vec<&str> = actual
        .zones
        .iter()
        .filter(|zone| !is(&zone.id, &zone.vswitch_id))
        .map(|zone| zone.id.as_str())
        .collect();
    if left.is_empty() {
        return None;
    }
    fault(
        "nlb.zoneMappings",
        format!(
            "load balancer {} is in {} besides, and the cloud controller manager does not notice a zone that is only taken out. Put it back; or take it out in the console first, or name another zone in its place.",
            actual.id,
            left.join(", ")
        ),
    )
}

/// The first listener that its port of the Service cannot have.
fn ports(settings: &NlbSettings, ports: &[ServicePort]) -> Option<Fault> {
    let transport = |port: &ServicePort| port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
    for listener in listeners(settings) {
        let Some(port) = ports.iter().find(|port| port.port == listener.port) else {
            let ports: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
            return fault(
                "nlb.listeners",
                format!(
                    "the Service has no port {}; it has {}. Correct the port, or add it to the Service.",
                    listener.port,
                    ports.join(", ")
                ),
            );
        };
        let transport = transport(port);
        let udp = listener.protocol == NlbProtocol::Udp;
        if udp != (transport == "UDP") {
            return fault(
                "nlb.listeners",
                format!(
                    "port {} of the Service is {transport}, and its listener would send it something else. Correct the protocol.",
                    listener.port
                ),
            );
        }
    }
    let other = ports.iter().find(|port| transport(port) != "UDP")?;
    if settings.scheduler != Some(NlbScheduler::QuicHash) {
        return None;
    }
    fault(
        "nlb.scheduler",
        format!(
            "only UDP listeners know QUICHash, and the scheduler is that of all of them: port {} of the Service is another one. Choose another scheduler, or use another gateway.",
            other.port
        ),
    )
}

/// The longest that UDP listeners take, in seconds.
const UDP_IDLE_MAX: u64 = 20;

/// The setting is that of all listeners, and the cloud refuses it for one.
fn idle(settings: &NlbSettings, ports: &[ServicePort]) -> Option<Fault> {
    let idle = seconds(settings.idle_timeout.as_ref()?);
    let is_udp = |port: &&ServicePort| port.protocol.as_deref() == Some("UDP");
    let port = ports.iter().find(is_udp)?;
    if idle <= UDP_IDLE_MAX {
        return None;
    }
    fault(
        "nlb.idleTimeout",
        format!(
            "{idle}s is the setting of all listeners, and one of UDP takes {UDP_IDLE_MAX}s at most: port {} is UDP. Lower it, or use another gateway.",
            port.port
        ),
    )
}

fn weight(settings: &NlbSettings, shape: &ServiceShape) -> Option<Fault> {
    settings.backends.as_ref()?.weight?;
    if shape.external_traffic_policy != ExternalTrafficPolicy::Local {
        return None;
    }
    fault(
        "nlb.backends.weight",
        "the Service has externalTrafficPolicy: Local, with which nodes weigh as much as they have pods. Remove the weight, or make it Cluster.",
    )
}

/// The first tags that are given take every other tag away. Later ones are drift like any other.
fn foreign_tags(
    settings: &NlbSettings,
    service: &ServiceState,
    actual: &NlbState,
) -> Option<Fault> {
    let wanted = settings.tags.as_ref()?;
    if said("additional-resource-tags", service).is_some() {
        return None;
    }
    let lost = tags::lost(wanted, &actual.tags)?;
    Some(Fault {
        reason: Reason::ForeignField,
        path: "nlb.tags",
        why: format!(
            "load balancer {} has tags that somebody else gave it ({lost}), and once nlb.tags is set the cloud controller manager removes every other one. Add them to nlb.tags, or remove them in the console.",
            actual.id,
        ),
    })
}
