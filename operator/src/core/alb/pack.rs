//! Rules of many hosts in as few as ALB allows, in the order in which they are asked.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::kingress::{Spec, Tls};
use super::refusal::Refusal;
use super::rule::{Forward, MAX_VALUES};
use super::translate::{Child, HostRule, Placement};

/// Packs hosts with the same rules into one rule, as far as ALB's limits go.
pub(super) fn child(
    placement: Placement,
    hosts: Vec<(String, Vec<Forward>)>,
    spec: &Spec,
) -> Result<Child, Refusal> {
    let names: BTreeSet<&str> = hosts.iter().map(|(host, _)| host.as_str()).collect();
    let (tls, redirected) = certificates(&names, spec)?;
    let mut packs: Vec<(Vec<Forward>, Vec<String>)> = Vec::new();
    for (host, mut forwards) in hosts {
        forwards.sort_by_key(precedence);
        match packs.iter_mut().find(|(known, _)| *known == forwards) {
            Some((_, hosts)) => hosts.push(host),
            None => packs.push((forwards, vec![host])),
        }
    }
    let mut rules = Vec::new();
    for (forwards, hosts) in packs {
        let most = forwards.iter().map(Forward::values).max().unwrap_or(1);
        for hosts in hosts.chunks(MAX_VALUES.saturating_sub(most).max(1)) {
            rules.extend(forwards.iter().map(|forward| HostRule {
                hosts: hosts.to_vec(),
                forward: forward.clone(),
            }));
        }
    }
    Ok(Child {
        placement,
        rules,
        tls,
        redirected,
    })
}

/// The longest path comes first; for one path, what was chosen for a revision in the written order,
/// then what asks for more headers.
fn precedence(forward: &Forward) -> (Reverse<usize>, Reverse<bool>, Reverse<usize>) {
    let headers = if forward.is_gray {
        0
    } else {
        forward.headers.len()
    };
    let path = forward.path.len();
    (Reverse(path), Reverse(forward.is_gray), Reverse(headers))
}

/// The certificates for some of the hosts, and whether requests without TLS are sent to HTTPS.
fn certificates(hosts: &BTreeSet<&str>, spec: &Spec) -> Result<(Vec<Tls>, bool), Refusal> {
    let mut tls = Vec::new();
    for entry in &spec.tls {
        let mut entry = entry.clone();
        entry.hosts.retain(|host| hosts.contains(host.as_str()));
        if !entry.hosts.is_empty() {
            tls.push(entry);
        }
    }
    let redirected = spec.http_option == "Redirected" && !tls.is_empty();
    let covered = |host: &&&str| tls.iter().any(|tls| tls.hosts.iter().any(|h| h == **host));
    let open = hosts.iter().find(|host| !covered(host));
    if let (true, Some(host)) = (redirected, open) {
        return Err(Refusal::unsupported(format!(
            "httpOption is Redirected, and host \"{host}\" has no certificate: ALB's Ingress controller would send its requests to HTTPS as well. Give it one, or set http-protocol: Enabled in config-network."
        )));
    }
    Ok((tls, redirected))
}
