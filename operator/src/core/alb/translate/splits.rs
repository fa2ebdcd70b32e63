//! The splits of a path: who answers, and the headers that say so to the activator.

use std::collections::BTreeMap;

use crds::v1alpha1::Reason;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Activator, Backing, Cluster, NAMESPACE_HEADER, REVISION_HEADER};
use crate::core::alb::hop::Hop;
use crate::core::alb::kingress::Split;
use crate::core::alb::refusal::Refusal;
use crate::core::alb::rule::{Group, MAX_GROUPS};
use crate::core::validate::listed;

/// Whether a rule of ALB has no means for a split at all.
pub(super) fn is_beyond_rules(splits: &[Split]) -> bool {
    let serving: Vec<&Split> = splits.iter().filter(|split| split.percent > 0).collect();
    splits.len() > MAX_GROUPS || common_headers(&serving).is_none()
}

/// The Services of splits, each with its share.
pub(in crate::core::alb) fn groups(
    splits: &[Split],
    at: &str,
    cluster: &dyn Cluster,
) -> Result<Vec<Group>, Refusal> {
    let group = |split: &Split| {
        let name = &split.service_name;
        let Some(backing) = cluster.service(name) else {
            return Err(Refusal::new(
                Reason::ServiceNotFound,
                format!("{at}: there is no Service \"{name}\". It is waited for."),
            ));
        };
        if backing.is_external_name {
            return Err(Refusal::unsupported(format!(
                "{at}: Service \"{name}\" is of type ExternalName, which ALB cannot forward to. Name a Service with pods."
            )));
        }
        let weight = u8::try_from(split.percent).unwrap_or(100);
        Ok(Group {
            service: name.clone(),
            port: port(&split.service_port, &backing, name, at)?,
            weight,
        })
    };
    splits.iter().map(group).collect()
}

/// ALB's Ingress controller reads port numbers only.
fn port(wanted: &IntOrString, backing: &Backing, service: &str, at: &str) -> Result<u16, Refusal> {
    let named = |name: &str| {
        let mut ports = backing.ports.iter();
        ports
            .find(|(other, _)| other == name)
            .map(|(_, port)| *port)
    };
    let port = match wanted {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(text) => text.parse().ok().or_else(|| named(text)),
    };
    port.filter(|port| *port > 0).ok_or_else(|| {
        let wanted = match wanted {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(text) => text.clone(),
        };
        Refusal::new(
            Reason::ServiceInvalid,
            format!("{at}: Service \"{service}\" has no port \"{wanted}\"."),
        )
    })
}

/// Headers that a rule has to set for its splits. ALB sets headers for a rule, whichever share a
/// request falls into.
pub(super) fn headers_of_splits(
    splits: &[Split],
    at: &str,
    cluster: &dyn Cluster,
) -> Result<BTreeMap<String, String>, Refusal> {
    let serving: Vec<&Split> = splits.iter().filter(|split| split.percent > 0).collect();
    let activator = |split: &Split| {
        let backing = cluster.service(&split.service_name);
        backing.map(|backing| backing.activator).unwrap_or_default()
    };
    match serving.as_slice() {
        // Whatever its settings, a revision is behind the activator while it starts.
        [only] => Ok(only.append_headers.clone()),
        several => headers_of_shares(several, at, activator, &cluster.hop()),
    }
}

fn headers_of_shares(
    serving: &[&Split],
    at: &str,
    activator: impl Fn(&Split) -> Activator,
    hop: &Hop,
) -> Result<BTreeMap<String, String>, Refusal> {
    let those = |state: Activator| -> Vec<&str> {
        let splits = serving.iter().filter(|split| activator(split) == state);
        splits.map(|split| split.service_name.as_str()).collect()
    };
    let starting = those(Activator::StillThere);
    let idle = those(Activator::Possible);
    if idle.is_empty() && !starting.is_empty() {
        return Err(Refusal::new(
            Reason::Pending,
            format!(
                "{at}: requests are to be split, and {} is starting behind the activator. It gets its share once it has pods of its own.",
                listed(starting.into_iter())
            ),
        ));
    }
    if !idle.is_empty() {
        return Err(Refusal::new(
            Reason::SplitNeedsActivator,
            format!(
                "{at}: requests are split, and {} may have no pods of its own at times: the activator in its place needs a header that says which revision a request is for, and ALB sets headers for a whole rule only. Annotate the revisions with autoscaling.knative.dev/min-scale: \"1\" or more and autoscaling.knative.dev/target-burst-capacity: \"0\", or send all requests to one revision{}. What was served before stays.",
                listed(idle.into_iter()),
                hop.way_out()
            ),
        ));
    }
    common_headers(serving).ok_or_else(|| {
        Refusal::unsupported(format!(
            "{at}: the splits set different headers, and ALB sets headers for a whole rule only. Set the same ones on all splits{}.",
            hop.way_out()
        ))
    })
}

/// The headers that all splits set, but for those of the activator; none if they differ.
fn common_headers(splits: &[&Split]) -> Option<BTreeMap<String, String>> {
    let mut all = splits.iter().map(|split| {
        let mut headers = split.append_headers.clone();
        headers.retain(|name, _| !is_for_activator(name));
        headers
    });
    let first = all.next().unwrap_or_default();
    all.all(|headers| headers == first).then_some(first)
}

fn is_for_activator(header: &str) -> bool {
    header.eq_ignore_ascii_case(REVISION_HEADER) || header.eq_ignore_ascii_case(NAMESPACE_HEADER)
}
