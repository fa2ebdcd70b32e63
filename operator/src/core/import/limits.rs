//! Plugins of type `trafficControl` as limits; other plugins are told.

use std::collections::BTreeSet;

use cloud_adapter::gateway::model::{ApiId, Policy, PolicyRules, Throttling};
use serde_json::{Value, json};

use super::apis::Part;
use super::callers::Callers;
use super::{Exposure, Seen};

/// A list of limits holds that many.
const LIMITS: usize = 32;
/// A limit is that high at the most.
const HIGHEST: u64 = 100_000_000;

/// The block `throttling`.
pub(super) fn throttling(
    seen: &Seen<'_>,
    exposure: &Exposure<'_>,
    all: &[Exposure<'_>],
    callers: &Callers<'_>,
    notes: &mut Vec<String>,
) -> Option<Value> {
    let part = exposure.parts.first()?;
    let policy = part.policy?;
    let mut block = json!({"existing": {"id": policy.id}});
    let title = format!("plugin \"{}\" ({})", policy.spec.name, policy.id);
    let sharing = all.iter().filter(|other| uses(other, policy)).count();
    if sharing > 1 {
        notes.push(format!(
            "Several bindings share {title}, so it acts as it is. To change it, give limits in one of them."
        ));
        return Some(block);
    }
    match &policy.spec.rules {
        PolicyRules::Throttling(rules) => match limits(rules, part, callers) {
            Some(limits) => {
                let strangers = rules.consumers.keys();
                let strangers = strangers.filter(|id| !part.permissions.contains_key(id));
                let strangers: Vec<&str> = strangers.map(|id| id.as_str()).collect();
                if !strangers.is_empty() {
                    notes.push(format!(
                        "Limits of {title} for apps that the binding does not let in stay as they are: {}.",
                        strangers.join(", ")
                    ));
                }
                block["limits"] = limits;
            }
            None => notes.push(format!(
                "The limits of {title} are not ones that a binding can have, so it acts as it is."
            )),
        },
        PolicyRules::Other { .. } => notes.push(format!(
            "{title} says more than a binding can, so it acts as it is."
        )),
    }
    let acts_elsewhere = acts_on(seen, policy)
        .into_iter()
        .any(|api| !exposure.parts.iter().any(|part| part.api.id == *api));
    if acts_elsewhere {
        notes.push(format!(
            "A change of its limits also reaches the other APIs that {title} acts on."
        ));
    }
    Some(block)
}

fn uses(exposure: &Exposure<'_>, policy: &Policy) -> bool {
    let part = exposure.parts.first();
    part.and_then(|part| part.policy)
        .is_some_and(|used| used.id == policy.id)
}

fn acts_on<'a>(seen: &Seen<'a>, policy: &Policy) -> BTreeSet<&'a ApiId> {
    let attachments = seen.inventory.attachments.iter();
    let acting = attachments.filter(|attachment| attachment.policy == policy.id);
    acting.map(|attachment| &attachment.api).collect()
}

/// The list; none if a binding with it would be refused.
fn limits(rules: &Throttling, part: &Part<'_>, callers: &Callers<'_>) -> Option<Value> {
    let per = rules.window;
    let limit = |name: &str, scope: &str, requests: u64| json!({"name": name, "scope": scope, "requests": requests, "per": per});
    let mut limits = vec![limit("total", "API", rules.api)];
    limits.extend(
        rules
            .account
            .map(|requests| limit("each-account", "Account", requests)),
    );
    limits.extend(
        rules
            .consumer
            .map(|requests| limit("each-caller", "Consumer", requests)),
    );
    let mut highest = rules.consumer;
    for (id, requests) in &rules.consumers {
        let entry = callers
            .entry(id)
            .filter(|_| part.permissions.contains_key(id));
        if let Some(entry) = entry {
            let mut one = limit(&format!("of-{entry}"), "Consumer", *requests);
            one["consumer"] = json!(entry);
            limits.push(one);
            highest = highest.max(Some(*requests));
        }
    }
    let account = rules.account.unwrap_or(rules.api);
    let ordered = highest.is_none_or(|highest| highest <= account) && account <= rules.api;
    let each = rules
        .consumers
        .values()
        .chain(&rules.consumer)
        .chain(&rules.account);
    let mut each = each.chain([&rules.api]);
    let bounded = each.all(|requests| (1..=HIGHEST).contains(requests));
    (ordered && bounded && limits.len() <= LIMITS).then(|| limits.into())
}

/// Plugins of other kinds that act on what is imported: they stay, and no manifest has them.
pub(super) fn others(seen: &Seen<'_>, parts: &[Part<'_>], left: &mut Vec<String>) {
    for attachment in &seen.inventory.attachments {
        let part = parts.iter().find(|part| part.api.id == attachment.api);
        let policy = seen.inventory.policies.get(&attachment.policy);
        let (Some(part), Some(policy)) = (part, policy) else {
            continue;
        };
        if let PolicyRules::Other { kind, .. } = &policy.spec.rules
            && !policy.spec.rules.limits_requests()
        {
            left.push(format!(
                "Plugin \"{}\" ({}) of type {kind}, which acts on API \"{}\" ({}) in {:?}.",
                policy.spec.name, policy.id, part.api.name, part.api.id, attachment.environment
            ));
        }
    }
}
