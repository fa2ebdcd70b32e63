//! From a Knative Ingress to the forwarding rules that serve it, or to why ALB cannot.

use std::collections::BTreeMap;

use crds::v1alpha1::{AlbVisibility, Reason};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::gray::{GrayRule, Target};
use super::hop::{self, Hop};
use super::kingress::{Path, Rule, Spec, Split, Tls, Visibility};
use super::pack::child;
use super::refusal::Refusal;
use super::rule::{Forward, Group, MAX_GROUPS, takes_host};
use crate::core::validate::listed;

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
                forwards.push(gray_rule(gray, path, source, cluster)?);
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

/// Whether a rule of ALB has no means for a split at all.
fn is_beyond_rules(splits: &[Split]) -> bool {
    let serving: Vec<&Split> = splits.iter().filter(|split| split.percent > 0).collect();
    splits.len() > MAX_GROUPS || common_headers(&serving).is_none()
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

/// The Services of splits, each with its share.
pub(super) fn groups(
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
fn headers_of_splits(
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

fn gray_rule(
    gray: &GrayRule,
    sibling: &Path,
    source: &Source,
    cluster: &dyn Cluster,
) -> Result<Forward, Refusal> {
    let at = &gray.at;
    let splits = match &gray.to {
        Target::Revision(revision) => vec![of_revision(revision, at, sibling, source, cluster)?],
        Target::Tag(tag) => {
            let path = source.of_tag(tag).ok_or_else(|| {
                let tags = listed(source.tags.keys().map(String::as_str));
                let message = format!("{at}: Knative Service \"{}\" has no tag \"{tag}\"; it has {tags}. What was served before stays.", source.service);
                Refusal::new(Reason::RevisionNotFound, message)
            })?;
            path.splits.clone()
        }
    };
    let path = Path {
        splits,
        ..Path::default()
    };
    let forward = Forward {
        is_gray: true,
        headers: gray.headers.clone(),
        cookies: gray.cookies.clone(),
        // Kourier knows nothing of these rules.
        ..straight(&path, at, cluster).map_err(|refusal| of_split_tag(&gray.to, refusal))?
    };
    forward.check(at)?;
    Ok(forward)
}

/// Knative lets a tag stand for one target only, so its requests are split while a gradual roll-out of a
/// new revision goes on, and at no other time.
fn of_split_tag(to: &Target, refusal: Refusal) -> Refusal {
    match to {
        Target::Tag(tag) if refusal.reason == Reason::SplitNeedsActivator => Refusal {
            message: format!(
                "{} Requests for tag \"{tag}\" are split only until the roll-out of its newest revision has ended: wait for that, or choose a revision by its name.",
                refusal.message
            ),
            ..refusal
        },
        _ => refusal,
    }
}

/// A revision without a share is not in the Knative Ingress: it is reached by its own Service.
fn of_revision(
    revision: &str,
    at: &str,
    sibling: &Path,
    source: &Source,
    cluster: &dyn Cluster,
) -> Result<Split, Refusal> {
    if cluster.service(revision).is_none() {
        let revisions = cluster.revisions(&source.service);
        return Err(Refusal::new(
            Reason::RevisionNotFound,
            format!(
                "{at}: Knative Service \"{}\" has no revision \"{revision}\"; it has {}. A revision is kept as long as the traffic of the Knative Service lists it. What was served before stays.",
                source.service,
                listed(revisions.iter().map(String::as_str))
            ),
        ));
    }
    let beside = sibling.splits.first();
    Ok(Split {
        service_namespace: source.namespace.clone(),
        service_name: revision.to_owned(),
        service_port: beside.map_or(IntOrString::Int(80), |split| split.service_port.clone()),
        percent: 100,
        append_headers: [
            (REVISION_HEADER.to_owned(), revision.to_owned()),
            (NAMESPACE_HEADER.to_owned(), source.namespace.clone()),
        ]
        .into(),
    })
}

/// A host that stands for another one, as of a DomainMapping. The Service it names is only another
/// name for a load balancer, so what serves that other host is put in its place.
fn mapped(path: &Path, at: &str, cluster: &dyn Cluster) -> Result<Vec<Forward>, Refusal> {
    let host = &path.rewrite_host;
    let way = cluster.hop();
    let adorn = |mut forward: Forward| {
        if hop::is_hop(&forward, &way) {
            // It does this itself.
            return Ok(forward);
        }
        forward.rewrite_host = Some(host.clone());
        let set = path.append_headers.iter();
        forward
            .insert
            .extend(set.map(|(name, value)| (name.clone(), value.clone())));
        forward.check(at)?;
        Ok(forward)
    };
    let Some(target) = cluster.serving(host) else {
        let names_pods = |split: &Split| {
            let backing = cluster.service(&split.service_name);
            backing.is_some_and(|backing| !backing.is_external_name)
        };
        if path.splits.iter().all(names_pods) {
            return Ok(vec![adorn(forward(path, at, cluster)?)?]);
        }
        return Err(Refusal::new(
            Reason::ServiceNotFound,
            format!(
                "{at}: no Knative Ingress of this class serves \"{host}\", which it stands for. It is waited for."
            ),
        ));
    };
    if !is_for_everybody(path) {
        return Err(Refusal::unsupported(format!(
            "{at}: a path or headers together with rewriteHost. Map the whole host."
        )));
    }
    let mut forwards = Vec::new();
    for rule in target
        .spec
        .rules
        .iter()
        .filter(|rule| rule.hosts.contains(host))
    {
        if rule
            .http
            .paths
            .iter()
            .any(|path| !path.rewrite_host.is_empty())
        {
            return Err(Refusal::unsupported(format!(
                "{at}: \"{host}\" stands for another host itself. Map the host of a Knative Service."
            )));
        }
        for forward in at_host(host, rule, &target, cluster)? {
            forwards.push(adorn(forward)?);
        }
    }
    Ok(forwards)
}

#[cfg(test)]
pub(crate) mod tests;
