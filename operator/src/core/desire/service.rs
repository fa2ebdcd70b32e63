//! The gateway's Service, and what its load balancer lacks.

use crds::v1alpha1::{CreateFrom, ForeignFields, Reason};
use k8s_openapi::api::core::v1::ServicePort;

use super::{Shares, Wanted};
use crate::core::ccm;
use crate::core::desired::{Desired, ServiceDesired, ServiceShape};
use crate::core::diff::FieldChange;
use crate::core::key::ObjectKey;
use crate::core::problem::Problem;
use crate::core::references::References;
use crate::core::settings::{Scene, Settings};
use crate::core::slb::{self, Fault, existing};
use crate::core::validate::{Gateway, Validated};

/// Wants the Service of a gateway, or says why it stays as it is.
pub(super) fn service(
    gateway: &Gateway,
    references: &References,
    shares: &Shares,
    wanted: &mut Wanted,
) {
    let service = &gateway.service;
    let key = ObjectKey::Service {
        namespace: service.namespace.clone(),
        name: service.name.clone(),
    };
    if let Some(fault) = &shares.refused {
        wanted.problems.push(unsound(gateway, references, fault));
    }
    let desired = match refusal(gateway, references, &shares.settings) {
        Err(problem) => {
            wanted.problems.extend(problem);
            wanted.push(key, Desired::Undecided);
            return;
        }
        Ok(missing) => {
            wanted.problems.extend(missing);
            ServiceDesired {
                annotations: match &references.service {
                    Some(state) => shares.settings.completed(state),
                    None => shares.settings.annotations(),
                },
                create: references
                    .source
                    .clone()
                    .filter(|_| service.create_from.is_some()),
                takeover: service.foreign_fields() == ForeignFields::Takeover,
                drift: drift(references, &shares.settings),
            }
        }
    };
    wanted.push(key, Desired::Service(desired));
}

/// Why a binding's settings cannot take effect. The others on the gateway have theirs all the same.
fn unsound(gateway: &Gateway, references: &References, fault: &Fault) -> Problem {
    let own = gateway.class_settings.under(&gateway.settings);
    let with = match Scene::of(references).judge(&own) {
        Some(_) => String::new(),
        None => format!(
            " So it is together with the settings of other bindings on {}.",
            gateway.object()
        ),
    };
    told(
        fault.reason,
        format!("spec.{}: {}{with}", fault.path, fault.why),
    )
}

/// What a person has to do, or what may come by itself.
fn told(reason: Reason, message: String) -> Problem {
    match reason {
        Reason::LoadBalancerUnusable => Problem::unresolved(reason, message),
        _ => Problem::blocked(reason, message),
    }
}

/// Why nothing is written to the Service; without a word where that is told elsewhere. Or what is
/// missing although it can be written.
fn refusal(
    gateway: &Gateway,
    references: &References,
    settings: &Settings,
) -> Result<Option<Problem>, Option<Problem>> {
    let service = &gateway.service;
    let state = references.service.as_ref();
    let missing = |name: &str, path: &str, what: &str| {
        Problem::unresolved(
            Reason::ServiceNotFound,
            format!(
                "gateway \"{}\": there is no Service {}/{name} ({path}). Create it, or correct {what}.",
                gateway.name, service.namespace
            ),
        )
    };
    let scene = Scene::of(references);
    if let Some(fault) = scene.judge(settings) {
        let message = format!("{}: {}", fault.path, fault.why);
        return Err(Some(told(fault.reason, message)));
    }
    if !scene.knows(settings) {
        return Err(None);
    }
    if let Some(problem) = unmanaged(gateway, references) {
        return Err(Some(problem));
    }
    let class = "the class";
    let block = settings.block();
    match (&service.create_from, state) {
        (Some(source), state) if references.source.is_none() => {
            let path = format!("{block}.service.createFrom in the class");
            let problem = Some(missing(&source.name, &path, class));
            state.map_or(Err(problem.clone()), |_| Ok(problem))
        }
        (Some(source), _) => match references
            .source
            .as_ref()
            .and_then(|shape| not_there(source, shape))
        {
            Some(port) => Err(Some(Problem::unresolved(
                Reason::ServiceInvalid,
                format!(
                    "gateway \"{}\": Service {}/{} has no port {port} ({block}.service.createFrom.ports in the class). Add the port there, or correct the class.",
                    gateway.name, service.namespace, source.name
                ),
            ))),
            None => Ok(None),
        },
        (None, None) if gateway.per_binding.is_some() => {
            Err(Some(missing(&service.name, "spec.serviceRef", "the name")))
        }
        (None, None) => Err(Some(missing(
            &service.name,
            &format!("{block}.service in the class"),
            class,
        ))),
        _ => Ok(None),
    }
}

/// The first port that is to be copied and that the Service to be copied lacks.
fn not_there(wish: &CreateFrom, copied: &ServiceShape) -> Option<i32> {
    let has = |port: &&i32| copied.ports.iter().any(|one| one.port == **port);
    wish.ports.iter().flatten().find(|port| !has(port)).copied()
}

/// Why the cloud controller manager would not look at the gateway's Service.
fn unmanaged(gateway: &Gateway, references: &References) -> Option<Problem> {
    let service = references.service.as_ref()?;
    let why = gateway.class_settings.unmanaged(service)?;
    let message = format!(
        "Service {}/{} of gateway \"{}\" {why}",
        gateway.service.namespace, gateway.service.name, gateway.name
    );
    Some(Problem::unresolved(Reason::ServiceInvalid, message))
}

/// What somebody changed of the load balancer, past the Service. While the cloud controller manager says
/// that it fails, it tries again by itself.
fn drift(references: &References, settings: &Settings) -> Vec<FieldChange> {
    match (&references.service, &references.load_balancer) {
        (Some(service), Some(actual))
            if service.settled && service.warning.is_none() && actual.is_usable() =>
        {
            settings.drift(actual, &service.shape.ports)
        }
        _ => Vec::new(),
    }
}

/// What keeps the load balancer from being what the settings say. It is the cloud controller
/// manager's work, seen through its label and address on the Service and through the cloud itself.
pub(super) fn load_balancer_problem(
    binding: &Validated,
    gateway: &Gateway,
    references: &References,
    settings: &Settings,
) -> Option<Problem> {
    let name = format!("{}/{}", gateway.service.namespace, gateway.service.name);
    let waiting = |what: &str| {
        let message =
            format!("Service {name}: waiting for the cloud controller manager to {what}.");
        Some(Problem::waiting(Reason::WaitingForLoadBalancer, message))
    };
    let Some(service) = &references.service else {
        return waiting("make its load balancer");
    };
    if let Some(why) = slb::untyped(service) {
        let message = format!("Service {name} {why}");
        return Some(Problem::unresolved(Reason::ServiceInvalid, message));
    }
    let is_there = service.load_balancer_id.is_some()
        && service.address.is_some()
        && (references.load_balancer.as_ref()).is_some_and(|actual| !actual.is_changing());
    let complaint = service.warning.as_ref();
    if let Some(complaint) = complaint.filter(|one| is_there || ccm::is_in_the_way(one)) {
        let (reason, advice) = ccm::meaning(complaint);
        let said = ccm::words(&complaint.message);
        let message =
            format!("Service {name}: the cloud controller manager reports: {said} {advice}");
        return Some(Problem::waiting(reason, message.trim_end()));
    }
    if service.load_balancer_id.is_none() || service.address.is_none() {
        return waiting("make its load balancer");
    }
    let Some(actual) = &references.load_balancer else {
        return waiting("make its load balancer");
    };
    if actual.is_changing() {
        let message = format!(
            "load balancer {} is {}: waiting for the cloud to be done with it.",
            actual.id(),
            actual.status()
        );
        return Some(Problem::waiting(Reason::WaitingForLoadBalancer, message));
    }
    if !actual.is_usable() {
        return Some(Problem::waiting(
            Reason::LoadBalancerFailed,
            format!(
                "load balancer {} is {}. It has to be {}: look at it in the console.",
                actual.id(),
                actual.status(),
                actual.usable_status()
            ),
        ));
    }
    let ports: &[ServicePort] = &service.shape.ports;
    // What is not so although it was dealt with has a step of its own.
    let late = settings.drift(actual, ports);
    if let Some(change) = late.first().filter(|_| !service.settled) {
        return waiting(&format!(
            "bring {} to load balancer {}",
            change.path,
            actual.id()
        ));
    }
    existing::without_listener(settings, actual, super::port(binding))
}
