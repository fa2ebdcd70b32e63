//! A load balancer that others made. The cloud controller manager takes it without a question, and
//! with it, if that is asked for, listeners that serve somebody else; so everything that it would
//! answer with a permanent failure, or do that cannot be undone, is found before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{OnDelete, Reason, SlbExisting, SlbField, SlbSettings};

use super::check::Fault;
use super::scene::Scene;
use super::table::{self, Level};
use super::{PREFIX, observe, said, tags};
use crate::core::balancer::LoadBalancer;
use crate::core::desired::ServiceShape;
use crate::core::foresee::is_later;
use crate::core::observed::{ExistingLoadBalancer, ListenerState, LoadBalancerState, ServiceState};
use crate::core::problem::Problem;
use crate::core::settings::Settings;

/// Tags of load balancers that a cloud controller manager made; any value counts.
const MADE_BY_CCM: [&str; 2] = ["kubernetes.do.not.delete", "ack.aliyun.com"];
/// Annotation, without its prefix, that names one.
pub(super) const ID: &str = "id";
/// Annotation, without its prefix, that takes listeners over.
pub(super) const OVERRIDE: &str = "force-override-listeners";

/// The id of an existing load balancer that a Service says to use, in either form.
pub fn named(service: &ServiceState) -> Option<&str> {
    said(ID, service).map(String::as_str)
}

/// Whether annotations that we write name an existing load balancer.
pub fn names_one(annotations: &BTreeMap<String, String>) -> bool {
    annotations.contains_key(&format!("{PREFIX}{ID}"))
}

/// Settings that have no effect on a load balancer that others made, or one that nobody consented to.
pub fn check(settings: &SlbSettings) -> Option<Fault> {
    let existing = settings.existing.as_ref()?;
    let set = |level: Level| {
        let mut set = SlbField::EACH.iter().copied();
        set.find(|field| field.is_set(settings) && table::level(*field) == level)
    };
    let fault = |field: SlbField, why: &str| {
        Some(Fault {
            reason: Reason::InvalidSpec,
            path: field.path(),
            why: format!("{why} {}.", existing.id),
        })
    };
    if settings.on_delete == Some(OnDelete::Preserve) {
        let why = "it would have no effect, since a load balancer that others made is never deleted. Remove it, or give up";
        return fault(SlbField::OnDelete, why);
    }
    if let Some(field) = set(Level::Listener).filter(|_| !existing.overrides_listeners()) {
        let why = "it would have no effect, since existing.listeners is Keep. Remove it, or consent with existing.listeners: Override to taking over the listeners of";
        return fault(field, why);
    }
    if let Some(field) = set(Level::Instance).filter(|_| !existing.manages_instance()) {
        let why = "it would change a load balancer that others made, and existing.instance is Keep. Remove it, or consent with existing.instance: Manage to changes of";
        return fault(field, why);
    }
    None
}

/// What keeps settings from being written to a Service, as far as they name an existing load balancer,
/// or the Service does. What is not known of it keeps nothing.
pub(super) fn judge(settings: &SlbSettings, scene: &Scene<'_>) -> Option<Fault> {
    let Some(existing) = &settings.existing else {
        return scene.service.and_then(unsaid);
    };
    if let Some(fault) = scene.service.and_then(|service| moved(existing, service)) {
        return Some(fault);
    }
    let found = scene.existing.filter(|found| found.id == existing.id)?;
    let actual = found.state.as_ref().and_then(LoadBalancer::classic);
    let Some(actual) = actual else {
        let why = "there is no such load balancer in this region. Correct the id.";
        return Some(unusable(existing, why));
    };
    let why = not_reusable(actual)
        .or_else(|| tags_lost(settings, actual))
        .or_else(|| {
            let listeners = actual.listeners.as_deref();
            let overrides = existing.overrides_listeners().then_some(());
            overrides.and_then(|()| takes_over(listeners, found, scene.shape, of_another))
        });
    match why {
        Some(why) => Some(unusable(existing, &why)),
        None => observe::check_existing(settings, actual),
    }
}

fn unusable(existing: &SlbExisting, why: &str) -> Fault {
    Fault {
        reason: Reason::LoadBalancerUnusable,
        path: "slb.existing.id",
        why: format!("\"{}\": {why}", existing.id),
    }
}

fn immutable(path: &'static str, why: String) -> Option<Fault> {
    Some(Fault {
        reason: Reason::Immutable,
        path,
        why,
    })
}

pub(in crate::core) fn is_published(service: &ServiceState) -> bool {
    service.load_balancer_id.is_some() || service.address.is_some()
}

/// A Service that uses an existing load balancer, and settings that say nothing of it: they would be
/// written to what others made, without anybody's consent.
fn unsaid(service: &ServiceState) -> Option<Fault> {
    let id = named(service)?;
    let ours = service
        .our_annotations
        .iter()
        .any(|key| *key == format!("{PREFIX}{ID}"));
    if ours && !is_published(service) {
        return None; // It was a mistake, and is taken back.
    }
    immutable(
        "slb.existing",
        format!(
            "the Service uses load balancer {id}, which others made, and the settings do not say so. Nothing is written to it. Add existing: {{id: {id}}}; a Service that has an address cannot leave its load balancer, which would stay with server groups that nobody removes."
        ),
    )
}

/// A load balancer cannot be named, or another one, once the Service has an address.
fn moved(existing: &SlbExisting, service: &ServiceState) -> Option<Fault> {
    let comes = service.load_balancer_id.as_deref().is_some_and(is_later);
    if !is_published(service) || comes {
        return None;
    }
    let has = service.load_balancer_id.as_deref().or(named(service));
    if has == Some(existing.id.as_str()) {
        return given_back(existing, service);
    }
    let has = has.unwrap_or("another load balancer");
    immutable(
        "slb.existing.id",
        format!(
            "wanted \"{}\", but the Service has an address of {has}, and the cloud controller manager moves no Service to another load balancer: it would fail for ever, and deleting the Service then would leave {has} behind, billed. Go back to what it was, or make another Service for {}.",
            existing.id, existing.id
        ),
    )
}

/// Listeners that were made or taken over cannot be left again: nobody would delete them, and they
/// would keep the Service from being deleted.
fn given_back(existing: &SlbExisting, service: &ServiceState) -> Option<Fault> {
    let overrides = service.annotations.get(&format!("{PREFIX}{OVERRIDE}"));
    if existing.overrides_listeners() || overrides.is_none_or(|value| value != "true") {
        return None;
    }
    immutable(
        "slb.existing.listeners",
        format!(
            "wanted \"Keep\", but the listeners of the Service on load balancer {} were made with Override, and nobody would delete them any more. Go back to Override, or delete the Service first.",
            existing.id
        ),
    )
}

/// Why the cloud controller manager would refuse it, or could not let go of it.
fn not_reusable(actual: &LoadBalancerState) -> Option<String> {
    made_by_ccm(&actual.tags).or_else(|| {
        (actual.ip_version == "ipv6").then(|| {
            "it is an IPv6 one, which the cloud controller manager can take but never let go: a Service with it cannot be deleted. Name an IPv4 one.".to_owned()
        })
    })
}

/// Why no cloud controller manager would take a load balancer, by its tags.
pub(in crate::core) fn made_by_ccm(tags: &BTreeMap<String, String>) -> Option<String> {
    let tag = MADE_BY_CCM
        .into_iter()
        .find(|tag| tags.contains_key(*tag))?;
    Some(format!(
        "it carries the tag {tag}: a cloud controller manager made it, for another Service or for the cluster itself, and none takes it for this one. Name a load balancer that was made in the console."
    ))
}

/// Once it has tags to set, the cloud controller manager removes all others.
fn tags_lost(settings: &SlbSettings, actual: &LoadBalancerState) -> Option<String> {
    let wanted = settings.tags.as_ref()?;
    let lost = tags::lost(wanted, &actual.tags)?;
    Some(format!(
        "slb.tags would take the tags {lost} from it: the cloud controller manager removes all that it is not told. Add them to slb.tags, or remove slb.tags."
    ))
}

/// Listeners are taken over from nobody but those who made them by hand. `owner` reads from a
/// listener's description which other Service it was made for.
pub(in crate::core) fn takes_over(
    listeners: Option<&[ListenerState]>,
    found: &ExistingLoadBalancer,
    shape: Option<&ServiceShape>,
    owner: impl Fn(&ListenerState, &(String, String)) -> Option<String>,
) -> Option<String> {
    let ports: BTreeSet<u16> = shape
        .iter()
        .flat_map(|shape| &shape.ports)
        .filter_map(|port| u16::try_from(port.port).ok())
        .collect();
    let held = listeners
        .into_iter()
        .flatten()
        .filter(|listener| ports.contains(&listener.port))
        .find_map(|listener| Some((listener.port, owner(listener, &found.of)?)));
    let shared = || {
        found.services.iter().find_map(|(other, serves)| {
            let port = serves.iter().find(|port| ports.contains(port))?;
            Some((*port, format!("Service {other}")))
        })
    };
    let (port, owner) = held.or_else(shared)?;
    Some(format!(
        "its listener of port {port} is that of {owner}. Taking it over would cut off what is behind it, and deleting either Service would delete it. Use other ports, or another load balancer."
    ))
}

/// The other Service that a cloud controller manager made a listener for:
/// `k8s/<port>/<service>/<namespace>/<cluster>`.
fn of_another(listener: &ListenerState, (namespace, name): &(String, String)) -> Option<String> {
    let parts: Vec<&str> = listener.description.split('/').collect();
    match parts.as_slice() {
        ["k8s", _, service, space, cluster]
            if (*space, *service) != (namespace.as_str(), name.as_str()) =>
        {
            Some(format!("Service {space}/{service} of cluster {cluster}"))
        }
        _ => None,
    }
}

/// Why no request comes through: listeners are kept, and there is none for this port.
pub fn without_listener(settings: &Settings, actual: &LoadBalancer, port: u16) -> Option<Problem> {
    let listeners = actual.listeners()?;
    let serves = |listener: &ListenerState| {
        let last = listener.last_port.max(listener.port);
        (listener.port..=last).contains(&port)
    };
    if !settings.keeps_listeners() || listeners.iter().any(serves) {
        return None;
    }
    Some(Problem::waiting(
        Reason::WaitingForLoadBalancer,
        format!(
            "load balancer {} has no listener on port {port}, and none is made, since {}.existing.listeners is Keep. Make one in the console that sends requests to the server group of the Service, or set listeners: Override.",
            actual.id(),
            settings.block()
        ),
    ))
}

/// What of a load balancer that others made annotations are about to change, as the annotations that
/// would put it back.
pub fn standing(actual: &LoadBalancerState) -> Vec<(String, String)> {
    let known = [
        ("name", actual.name.clone()),
        ("delete-protection", actual.delete_protection.clone()),
        (
            "modification-protection",
            actual.modification_protection.clone(),
        ),
        ("spec", actual.spec.clone()),
        ("charge-type", actual.traffic_charge.clone()),
        (
            "bandwidth",
            match actual.bandwidth {
                1.. => actual.bandwidth.to_string(),
                _ => String::new(),
            },
        ),
    ];
    known
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (format!("{PREFIX}{key}"), value))
        .collect()
}

#[cfg(test)]
mod tests;
