//! Rules that send chosen requests to a revision, or to what a tag stands for.

use crds::v1alpha1::Reason;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Cluster, NAMESPACE_HEADER, REVISION_HEADER, Source, straight};
use crate::core::alb::gray::{GrayRule, Target};
use crate::core::alb::kingress::{Path, Split};
use crate::core::alb::refusal::Refusal;
use crate::core::alb::rule::Forward;
use crate::core::validate::listed;

/// The rule for chosen requests, beside the path that all others take.
pub(super) fn of_revision_or_tag(
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
