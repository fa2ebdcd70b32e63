//! The rules of one listener, from all of its Ingresses in their order.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressRule};
use kube::ResourceExt;

use super::actions;
use super::conditions::{self, Spot};
use super::failure::{Failure, Unreadable};
use super::groups::GroupBook;
use super::model::{Act, GroupRef, WantedRule};
use super::names::{self, annotation, either, key};
use super::ports;

/// A canary with a weight: the server groups that take their share of a host and path.
type Canaries<'a> = BTreeMap<String, Vec<(&'a Ingress, String, i64, i64)>>;

/// Rules of a listener. The first Ingress decides which parser reads all of them.
pub(super) fn of_listener(
    book: &mut GroupBook,
    port: i64,
    protocol: &str,
    ingresses: &[&Ingress],
) -> Result<Vec<WantedRule>, Failure> {
    if ingresses.first().is_some_and(|first| is_of_old(first)) {
        return legacy(book, port, ingresses);
    }
    array(book, port, protocol, ingresses)
}

fn is_of_old(ingress: &Ingress) -> bool {
    let prefix = format!("{}actions", names::PREFIX);
    let mut actions = ingress.annotations().iter();
    names::is_knative(ingress)
        && actions.any(|(name, text)| name.starts_with(&prefix) && !text.starts_with('['))
}

fn paths(ingress: &Ingress) -> Vec<(&IngressRule, &HTTPIngressPath)> {
    let rules = ingress
        .spec
        .iter()
        .flat_map(|spec| spec.rules.iter().flatten());
    rules
        .flat_map(|rule| {
            let paths = rule.http.iter().flat_map(|http| &http.paths);
            paths.map(move |path| (rule, path))
        })
        .collect()
}

fn spot<'a>(rule: &'a IngressRule, path: &'a HTTPIngressPath) -> Spot<'a> {
    let service = path.backend.service.as_ref();
    Spot {
        host: rule.host.as_deref().unwrap_or_default(),
        path: path.path.as_deref().unwrap_or_default(),
        path_type: &path.path_type,
        backend: service.map_or("", |service| service.name.as_str()),
    }
}

fn place(spot: &Spot<'_>) -> String {
    format!("{}-{}", spot.host, spot.path)
}

/// The number of a backend's port, 0 where it is named.
fn backend_port(path: &HTTPIngressPath) -> i64 {
    let service = path.backend.service.as_ref();
    let port = service.and_then(|service| service.port.as_ref());
    port.and_then(|port| port.number).map_or(0, i64::from)
}

fn leaves_it_to_the_annotation(path: &HTTPIngressPath) -> bool {
    let service = path.backend.service.as_ref();
    let port = service.and_then(|service| service.port.as_ref());
    port.and_then(|port| port.name.as_deref()) == Some(names::USE_ANNOTATION)
}

/// The parser of old: one object each; what cannot be read is left out in silence.
fn legacy(
    book: &mut GroupBook,
    port: i64,
    ingresses: &[&Ingress],
) -> Result<Vec<WantedRule>, Failure> {
    let mut rules = Vec::new();
    for ingress in ingresses {
        for (rule, path) in paths(ingress) {
            match legacy_rule(book, port, ingress, &spot(rule, path)) {
                Ok(rule) => rules.push(rule),
                Err(Unreadable::Error(error)) => {
                    tracing::debug!(ingress = %key(ingress), %error, "a rule is left out");
                }
                Err(panic) => return Err(panic.of(&key(ingress))),
            }
        }
    }
    Ok(rules)
}

fn legacy_rule(
    book: &mut GroupBook,
    port: i64,
    ingress: &Ingress,
    spot: &Spot<'_>,
) -> Result<WantedRule, Unreadable> {
    let text = annotation(ingress, &format!("actions.{}", spot.backend)).unwrap_or_default();
    let mut actions = Vec::new();
    if !text.is_empty() {
        let mut groups = |service: &str, port| book.group(ingress, service, port);
        actions.push(actions::legacy(text, &mut groups)?);
        if annotation(ingress, "ssl-redirect") == Some("true") && port != 443 {
            actions = vec![actions::to_https()];
        }
    }
    Ok(WantedRule {
        conditions: conditions::legacy(ingress, spot)?,
        actions,
        direction: String::new(),
    })
}

/// The parser of arrays: what cannot be read stops the whole AlbConfig.
fn array(
    book: &mut GroupBook,
    port: i64,
    protocol: &str,
    ingresses: &[&Ingress],
) -> Result<Vec<WantedRule>, Failure> {
    let mut canaries: Canaries<'_> = BTreeMap::new();
    let mut without_canary = BTreeSet::new();
    for ingress in ingresses {
        if either(ingress, "canary") != "true" {
            without_canary.extend(
                paths(ingress)
                    .iter()
                    .map(|(rule, path)| place(&spot(rule, path))),
            );
            continue;
        }
        canary_shares(ingress, &mut canaries).map_err(|error| error.of(&key(ingress)))?;
    }
    let mut rules = Vec::new();
    for ingress in ingresses {
        if either(ingress, "canary") == "true" && !either(ingress, "canary-weight").is_empty() {
            continue;
        }
        for (rule, path) in paths(ingress) {
            let spot = spot(rule, path);
            let secured = ports::is_tls(ingress, protocol, spot.host);
            let elsewhere = (protocol == "HTTPS" && !secured) || (protocol == "HTTP" && secured);
            if !spot.host.is_empty() && !ports::is_forced(ingress) && elsewhere {
                continue;
            }
            let place = place(&spot);
            if !without_canary.contains(&place) {
                continue;
            }
            let shares = canaries.get(&place).map(Vec::as_slice).unwrap_or_default();
            let made = array_rule(book, ingress, path, &spot, shares, port == 443);
            rules.push(made.map_err(|error| error.of(&key(ingress)))?);
        }
    }
    Ok(rules)
}

fn canary_shares<'a>(ingress: &'a Ingress, canaries: &mut Canaries<'a>) -> Result<(), Unreadable> {
    let custom = |part: &str| {
        let prefix = format!("{}{part}.", names::PREFIX);
        ingress
            .annotations()
            .keys()
            .any(|name| name.starts_with(&prefix))
    };
    if custom("conditions") {
        return Err(Unreadable::Error(format!(
            "{} can't exist Canary and customize condition at the same time",
            key(ingress)
        )));
    }
    let by_other_means = [
        "canary-by-header",
        "canary-by-header-value",
        "canary-by-cookie",
    ];
    if by_other_means
        .iter()
        .any(|name| !either(ingress, name).is_empty())
    {
        return Ok(());
    }
    let weight: i64 = either(ingress, "canary-weight").parse().unwrap_or_default();
    if weight == 0 {
        return Ok(());
    }
    if custom("actions") {
        return Err(Unreadable::Error(format!(
            "{} can't exist CanaryWeight and annotation forwardAction at the same time",
            key(ingress)
        )));
    }
    for (rule, path) in paths(ingress) {
        let spot = spot(rule, path);
        let share = (ingress, spot.backend.to_owned(), backend_port(path), weight);
        canaries.entry(place(&spot)).or_default().push(share);
    }
    Ok(())
}

fn array_rule(
    book: &mut GroupBook,
    ingress: &Ingress,
    path: &HTTPIngressPath,
    spot: &Spot<'_>,
    shares: &[(&Ingress, String, i64, i64)],
    on_443: bool,
) -> Result<WantedRule, Unreadable> {
    let actions = array_actions(book, ingress, path, spot, shares, on_443)?;
    let conditions = conditions::array(ingress, spot)?;
    let direction = annotation(ingress, &format!("rule-direction.{}", spot.backend));
    let direction = match direction {
        None => "Request",
        Some(direction @ ("Request" | "Response")) => direction,
        Some(other) => {
            return Err(Unreadable::Error(format!(
                "readDirection Failed(unknown direction type): {other}"
            )));
        }
    };
    Ok(WantedRule {
        conditions,
        actions,
        direction: direction.to_owned(),
    })
}

fn array_actions(
    book: &mut GroupBook,
    ingress: &Ingress,
    path: &HTTPIngressPath,
    spot: &Spot<'_>,
    shares: &[(&Ingress, String, i64, i64)],
    on_443: bool,
) -> Result<Vec<Act>, Unreadable> {
    let own = |name: &str| annotation(ingress, name).unwrap_or_default();
    let (qps, per_ip) = (own("traffic-limit-qps"), own("traffic-limit-ip-qps"));
    let mut all = Vec::new();
    if !qps.is_empty() || !per_ip.is_empty() {
        all.push(actions::traffic_limit(qps, per_ip)?);
    }
    if own("enable-cors") == "true" {
        all.push(actions::cors_of(|name| {
            annotation(ingress, name).map(str::to_owned)
        }));
    }
    if let Some(text) = annotation(ingress, &format!("actions.{}", spot.backend)) {
        let mut groups = |service: &str, port| book.group(ingress, service, port);
        for (act, kind) in actions::array(text, &mut groups)? {
            if kind == "trafficlimit" && !(qps.is_empty() && per_ip.is_empty()) {
                return Err(Unreadable::Error(format!(
                    "{} can't exist action trafficlimit and annotation traffic-limit-qps at the same time",
                    key(ingress)
                )));
            }
            all.push(act);
        }
    }
    if let Some(target) = annotation(ingress, "rewrite-target") {
        all.push(Act::Rewrite {
            host: "${host}".to_owned(),
            path: target.to_owned(),
            query: "${query}".to_owned(),
        });
    }
    if either(ingress, "ssl-redirect") == "true" && !on_443 {
        all.retain(|act| {
            let kept = matches!(
                act,
                Act::InsertHeader { .. }
                    | Act::RemoveHeader(_)
                    | Act::TrafficLimit { .. }
                    | Act::Cors(_)
            );
            kept
        });
        all.push(actions::to_https());
        return Ok(all);
    }
    if !leaves_it_to_the_annotation(path) {
        let shares = match either(ingress, "canary") {
            "true" => &[],
            _ => shares,
        };
        all.push(own_forward(book, ingress, path, spot, shares)?);
    }
    in_order(all)
}

/// The backend itself, and canaries beside it.
fn own_forward(
    book: &mut GroupBook,
    ingress: &Ingress,
    path: &HTTPIngressPath,
    spot: &Spot<'_>,
    shares: &[(&Ingress, String, i64, i64)],
) -> Result<Act, Unreadable> {
    let taken: i64 = shares.iter().map(|(_, _, _, weight)| weight).sum();
    let mut targets: Vec<(GroupRef, i64)> = Vec::new();
    if shares.is_empty() || taken != 100 {
        let group = book.group(ingress, spot.backend, backend_port(path))?;
        targets.push((group, 100 - taken));
    }
    for (canary, service, port, weight) in shares {
        targets.push((book.group(canary, service, *port)?, *weight));
    }
    Ok(Act::Forward(targets))
}

/// Limits first, then what changes requests, then the one action that ends them.
fn in_order(all: Vec<Act>) -> Result<Vec<Act>, Unreadable> {
    let rank = |act: &Act| match act {
        Act::TrafficLimit { .. } => 0,
        Act::Forward(_) | Act::Redirect(_) | Act::FixedResponse { .. } => 2,
        _ => 1,
    };
    let finals: Vec<&str> = all
        .iter()
        .filter_map(|act| match act {
            Act::Forward(_) => Some("ForwardGroup"),
            Act::Redirect(_) => Some("Redirect"),
            Act::FixedResponse { .. } => Some("FixedResponse"),
            _ => None,
        })
        .collect();
    if finals.len() > 1 {
        return Err(Unreadable::Error(format!(
            "multi finalType action find: [{}]",
            finals.join(" ")
        )));
    }
    let mut ordered = all;
    ordered.sort_by_key(rank);
    Ok(ordered)
}
