//! From a Knative Ingress to the forwarding rules that serve it, or to why ALB cannot.

use std::collections::BTreeMap;

use crds::v1alpha1::{AlbVisibility, Reason};

use super::gray::GrayRule;
use super::hop::{self, Hop};
use super::kingress::{Path, Rule, Spec, Tls, Visibility};
use super::pack::child;
use super::refusal::Refusal;
use super::rule::{Forward, MAX_GROUPS, takes_host};

mod mapped;
mod revisions;
mod splits;

use mapped::mapped;
use revisions::of_revision_or_tag;
pub(super) use splits::groups;
use splits::{headers_of_splits, is_beyond_rules};

/// Header by which the activator knows the revision.
pub const REVISION_HEADER: &str = "Knative-Serving-Revision";
/// Header by which the activator knows the revision's namespace.
pub const NAMESPACE_HEADER: &str = "Knative-Serving-Namespace";

/// A Service of the namespace, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backing {
    /// Its ports, with their names.
    pub ports: Vec<(String, u16)>,
    /// Whether it is only another name for a host.
    pub is_external_name: bool,
    /// What may stand before its pods.
    pub activator: Activator,
}

/// Whether the activator may stand in place of a Service's pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activator {
    /// It is not a revision's, as far as is known.
    #[default]
    Unknown,
    /// It is a revision that always has pods, and capacity enough by itself.
    Never,
    /// It is one that will be so, and is just starting.
    StillThere,
    /// It is a revision that may be scaled to zero, or lack capacity.
    Possible,
}

/// What a Knative Ingress is translated from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Its namespace.
    pub namespace: String,
    /// The Knative Service it is for, by its label; else its own name.
    pub service: String,
    /// What it asks for.
    pub spec: Spec,
    /// Its tags, each with its hosts.
    pub tags: BTreeMap<String, Vec<String>>,
    /// Rules that send chosen requests to a revision, in the order of precedence.
    pub gray: Vec<GrayRule>,
}

/// What is known of the namespace.
pub trait Cluster {
    /// A Service.
    fn service(&self, name: &str) -> Option<Backing>;
    /// The revisions of a Knative Service.
    fn revisions(&self, service: &str) -> Vec<String>;
    /// The Knative Ingress that serves a host.
    fn serving(&self, host: &str) -> Option<Source>;
    /// The way within the cluster for splits that ALB cannot serve by itself.
    fn hop(&self) -> Hop;
}

/// On which of the load balancers something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Placement {
    /// Those with a public address.
    Internet,
    /// Those in the VPC.
    Intranet,
}

/// What becomes one Ingress of the ALB Ingress controller.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Where it goes.
    pub placement: Placement,
    /// Its rules, the first that matches wins.
    pub rules: Vec<HostRule>,
    /// Its certificates.
    pub tls: Vec<Tls>,
    /// Whether requests without TLS are sent to HTTPS.
    pub redirected: bool,
}

/// A rule with its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRule {
    /// The hosts, one or more.
    pub hosts: Vec<String>,
    /// What happens there.
    pub forward: Forward,
}

/// What a Knative Ingress becomes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Translation {
    /// One Ingress for each placement that is needed.
    pub children: Vec<Child>,
    /// Short names that ALB cannot hold. They are served under their longer names only.
    pub left_out: Vec<String>,
}

/// Turns a Knative Ingress into rules.
pub fn translate(
    source: &Source,
    visibility: AlbVisibility,
    cluster: &dyn Cluster,
) -> Result<Translation, Refusal> {
    let mut left_out = Vec::new();
    let mut placed: BTreeMap<Placement, Vec<(String, Vec<Forward>)>> = BTreeMap::new();
    let has_public = source
        .spec
        .rules
        .iter()
        .any(|rule| rule.visibility == Visibility::ExternalIP);
    for rule in &source.spec.rules {
        let together = visibility == AlbVisibility::Combined && has_public;
        let placement = if rule.visibility == Visibility::ExternalIP || together {
            Placement::Internet
        } else {
            Placement::Intranet
        };
        for host in &rule.hosts {
            if !takes_host(host) {
                left_out.push(alias(host, rule)?);
                continue;
            }
            let forwards = at_host(host, rule, source, cluster)?;
            let hosts = placed.entry(placement).or_default();
            match hosts.iter_mut().find(|(other, _)| other == host) {
                Some((_, known)) => known.extend(forwards),
                None => hosts.push((host.clone(), forwards)),
            }
        }
    }
    let child = |(placement, hosts)| child(placement, hosts, &source.spec);
    let children = placed.into_iter().map(child).collect::<Result<_, _>>()?;
    Ok(Translation { children, left_out })
}

/// A host that ALB does not take may be left out if it is only short for another one.
fn alias(host: &str, rule: &Rule) -> Result<String, Refusal> {
    let longer = format!("{host}.");
    let is_alias = |other: &String| other.starts_with(&longer) && takes_host(other);
    if rule.visibility == Visibility::ClusterLocal && rule.hosts.iter().any(is_alias) {
        return Ok(host.to_owned());
    }
    Err(Refusal::unsupported(format!(
        "host \"{host}\": ALB takes hosts of 3 to 128 lower-case letters, digits, dots and hyphens, with a dot, and only letters after the last one. Change the name, or the domain in config-domain."
    )))
}

/// The rules of one host that come from one of the Ingress' rules.
fn at_host(
    host: &str,
    rule: &Rule,
    source: &Source,
    cluster: &dyn Cluster,
) -> Result<Vec<Forward>, Refusal> {
    let mut forwards = Vec::new();
    for path in &rule.http.paths {
        let at = format!("host \"{host}\", path \"{}\"", path.path);
        if !path.rewrite_host.is_empty() {
            forwards.extend(mapped(path, &at, cluster)?);
            continue;
        }
        if is_for_everybody(path) && !source.is_tag_host(host) {
            for gray in &source.gray {
                forwards.push(of_revision_or_tag(gray, path, source, cluster)?);
            }
        }
        forwards.push(forward(path, &at, cluster)?);
    }
    Ok(forwards)
}

/// Whether a path is where all requests go that nothing else is said about.
fn is_for_everybody(path: &Path) -> bool {
    path.path.is_empty() && path.headers.is_empty()
}

impl Source {
    fn is_tag_host(&self, host: &str) -> bool {
        self.tags.values().flatten().any(|other| other == host)
    }

    /// The path that serves a tag.
    fn of_tag(&self, tag: &str) -> Option<&Path> {
        let hosts = self.tags.get(tag)?;
        let serves = |rule: &&Rule| rule.hosts.iter().any(|host| hosts.contains(host));
        let rule = self.spec.rules.iter().find(serves)?;
        rule.http.paths.iter().find(|path| is_for_everybody(path))
    }
}

/// The rule for a path: straight to its Services, or through the hop where that cannot be.
fn forward(path: &Path, at: &str, cluster: &dyn Cluster) -> Result<Forward, Refusal> {
    match (straight(path, at, cluster), cluster.hop()) {
        (Err(refusal), Hop::Through(service))
            if refusal.reason == Reason::SplitNeedsActivator || is_beyond_rules(&path.splits) =>
        {
            hop::forward(path, at, &service, cluster)
        }
        (forward, _) => forward,
    }
}

fn straight(path: &Path, at: &str, cluster: &dyn Cluster) -> Result<Forward, Refusal> {
    let mut insert = path.append_headers.clone();
    insert.extend(headers_of_splits(&path.splits, at, cluster)?);
    if path.splits.len() > MAX_GROUPS {
        return Err(Refusal::unsupported(format!(
            "{at}: a split over {} Services, ALB takes {MAX_GROUPS}. Use fewer revisions{}.",
            path.splits.len(),
            cluster.hop().way_out()
        )));
    }
    let headers = path.headers.iter();
    let forward = Forward {
        is_gray: false,
        path: path.path.clone(),
        headers: headers
            .map(|(name, value)| (name.clone(), value.exact.clone()))
            .collect(),
        cookies: Vec::new(),
        insert,
        rewrite_host: None,
        groups: groups(&path.splits, at, cluster)?,
    };
    forward.check(at)?;
    Ok(forward)
}

#[cfg(test)]
pub(crate) mod tests;
