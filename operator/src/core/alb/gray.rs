//! Rules that send chosen requests to a revision: from a binding, and from two annotations that
//! Alibaba Cloud's own layer reads.
//!
//! The first rule that matches wins: those of the binding as they are written, then the annotation for
//! headers, then the one for cookies, then the tags of Knative, then the split.

use std::collections::BTreeMap;

use crds::v1alpha1::{Reason, RevisionRule};

use super::loose;
use super::refusal::Refusal;

/// Annotation with header rules.
pub const HEADERS: &str = "alicloud.serving.knative.dev/headers";
/// Annotation with cookie rules.
pub const COOKIES: &str = "alicloud.serving.knative.dev/cookies";

/// Requests that go to a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrayRule {
    /// Where it is written, for messages.
    pub at: String,
    /// Where the requests go.
    pub to: Target,
    /// Headers that a request must have, all of them.
    pub headers: Vec<(String, String)>,
    /// Cookies that a request must have, all of them.
    pub cookies: Vec<(String, String)>,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To a revision.
    Revision(String),
    /// To the revision with a tag.
    Tag(String),
}

/// The rules of a binding.
pub fn of_binding(rules: &[RevisionRule]) -> Vec<GrayRule> {
    let rule = |rule: &RevisionRule| {
        let tag = rule.tag.clone().map(Target::Tag);
        let revision = || rule.revision.clone().map(Target::Revision);
        let headers = rule.headers.iter().flatten();
        let cookies = rule.cookies.iter().flatten();
        Some(GrayRule {
            at: format!("revisionRules \"{}\"", rule.name),
            to: tag.or_else(revision)?,
            headers: headers
                .map(|header| (header.name.clone(), header.value.clone()))
                .collect(),
            cookies: cookies
                .map(|cookie| (cookie.name.clone(), cookie.value.clone()))
                .collect(),
        })
    };
    rules.iter().filter_map(rule).collect()
}

/// The rules of the annotations.
pub fn of_annotations(annotations: &BTreeMap<String, String>) -> Result<Vec<GrayRule>, Refusal> {
    let mut rules = Vec::new();
    for (annotation, kind) in [(HEADERS, "headers"), (COOKIES, "cookies")] {
        let Some(text) = annotations.get(annotation) else {
            continue;
        };
        let entries = loose::parse(text, kind).map_err(|error| {
            let message = format!(
                "annotation {annotation}: {error}. Write it like [{{revision: NAME, {kind}: {{KEY: VALUE}}}}], in quotes. What was served before stays."
            );
            Refusal::new(Reason::InvalidSpec, message)
        })?;
        for entry in entries {
            let (headers, cookies) = if kind == "headers" {
                (entry.pairs, Vec::new())
            } else {
                (Vec::new(), entry.pairs)
            };
            rules.push(GrayRule {
                at: format!("annotation {annotation}"),
                to: Target::Revision(entry.revision),
                headers,
                cookies,
            });
        }
    }
    Ok(rules)
}
