//! Hosts that stand for another one.

use crds::v1alpha1::Reason;

use super::{Cluster, at_host, forward, is_for_everybody};
use crate::core::alb::hop;
use crate::core::alb::kingress::{Path, Split};
use crate::core::alb::refusal::Refusal;
use crate::core::alb::rule::Forward;

/// A host that stands for another one, as of a DomainMapping. The Service it names is only another
/// name for a load balancer, so what serves that other host is put in its place.
pub(super) fn mapped(
    path: &Path,
    at: &str,
    cluster: &dyn Cluster,
) -> Result<Vec<Forward>, Refusal> {
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
