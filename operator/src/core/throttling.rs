//! Request limits: what the classic API gateway can do with them, and the policy they become.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::{ConsumerId, PolicyRules, PolicySpec, Throttling, Window};
use crds::v1alpha1::{self as api, Limit, LimitScope, RateUnit, Reason};

use super::exposure::Allowed;
use super::key::ConsumerKey;
use super::names;
use super::problem::Problem;

/// A binding's limits, with consumers by their Kubernetes names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Window of every limit.
    pub window: Window,
    /// All requests together.
    pub api: u64,
    /// All consumers of one cloud account together.
    pub account: Option<u64>,
    /// Each consumer.
    pub consumer: Option<u64>,
    /// Single consumers, instead of `consumer`.
    pub consumers: BTreeMap<ConsumerKey, u64>,
}

const PATH: &str = "spec.apiGateway.throttling.limits";

/// Checks limits against the product's rules (CloudAPI plugin `trafficControl`): one window,
/// a limit for the API, and consumer ≤ account ≤ API.
pub fn validate(throttling: &api::Throttling, allow: &[Allowed]) -> Result<Limits, Problem> {
    let Some(first) = throttling.limits.first() else {
        return Err(Problem::rejected(
            Reason::InvalidSpec,
            format!("{PATH} is empty: give a limit, or leave throttling out."),
        ));
    };
    let api_limit = throttling
        .limits
        .iter()
        .find(|limit| limit.scope == LimitScope::API);
    let Some(api_limit) = api_limit else {
        return Err(Problem::rejected(
            Reason::Unsupported,
            format!(
                "{PATH}: the classic API gateway needs a limit with scope: API beside the others. Add one."
            ),
        ));
    };
    let mut limits = Limits {
        window: window(first.per),
        api: requests(api_limit),
        account: None,
        consumer: None,
        consumers: BTreeMap::new(),
    };
    let mut api_seen = None;
    for limit in &throttling.limits {
        if limit.per != first.per {
            return Err(Problem::rejected(
                Reason::Unsupported,
                format!(
                    "{PATH}: \"{}\" is per {:?} and \"{}\" per {:?}; the classic API gateway has one window for all limits of an API. Use the same.",
                    first.name, first.per, limit.name, limit.per
                ),
            ));
        }
        let slot = match (limit.scope, &limit.consumer) {
            (LimitScope::Header | LimitScope::Parameter, _) => {
                return Err(Problem::rejected(
                    Reason::Unsupported,
                    format!(
                        "{PATH}[{}].scope: {:?} is more than the classic API gateway can do: it counts by API, Account and Consumer. Use one of these.",
                        limit.name, limit.scope
                    ),
                ));
            }
            (LimitScope::API, _) => &mut api_seen,
            (LimitScope::Account, _) => &mut limits.account,
            (LimitScope::Consumer, None) => &mut limits.consumer,
            (LimitScope::Consumer, Some(entry)) => {
                let consumer = allowed(allow, limit, entry)?;
                if limits.consumers.insert(consumer, requests(limit)).is_some() {
                    return Err(twice(limit));
                }
                continue;
            }
        };
        if slot.replace(requests(limit)).is_some() {
            return Err(twice(limit));
        }
    }
    ordered(&limits)?;
    Ok(limits)
}

fn allowed(allow: &[Allowed], limit: &Limit, entry: &str) -> Result<ConsumerKey, Problem> {
    allow
        .iter()
        .find(|allowed| allowed.name == entry)
        .map(|allowed| allowed.consumer.clone())
        .ok_or_else(|| {
            Problem::rejected(
                Reason::InvalidSpec,
                format!("{PATH}[{}].consumer: \"{entry}\" is not the name of an entry in spec.apiGateway.auth.consumer.allow. Name one of them.", limit.name),
            )
        })
}

fn twice(limit: &Limit) -> Problem {
    Problem::rejected(
        Reason::InvalidSpec,
        format!(
            "{PATH}: \"{}\" limits what another entry already limits (scope {:?}). Keep one of them.",
            limit.name, limit.scope
        ),
    )
}

fn ordered(limits: &Limits) -> Result<(), Problem> {
    let Limits {
        api,
        account,
        consumer,
        ..
    } = limits;
    let highest_consumer = limits.consumers.values().chain(consumer).max();
    let too_high = [
        ("Account", *account, "API", Some(*api)),
        ("Consumer", highest_consumer.copied(), "Account", *account),
        ("Consumer", highest_consumer.copied(), "API", Some(*api)),
    ]
    .into_iter()
    .find(|(_, narrow, _, wide)| matches!((narrow, wide), (Some(narrow), Some(wide)) if narrow > wide));
    match too_high {
        None => Ok(()),
        Some((narrow, value, wide, bound)) => Err(Problem::rejected(
            Reason::InvalidSpec,
            format!(
                "{PATH}: the limit of scope {narrow} ({}) is above that of scope {wide} ({}); the classic API gateway wants Consumer ≤ Account ≤ API. Lower the one or raise the other.",
                value.unwrap_or_default(),
                bound.unwrap_or_default()
            ),
        )),
    }
}

fn requests(limit: &Limit) -> u64 {
    u64::try_from(limit.requests).unwrap_or_default()
}

fn window(unit: RateUnit) -> Window {
    match unit {
        RateUnit::Second => Window::Second,
        RateUnit::Minute => Window::Minute,
        RateUnit::Hour => Window::Hour,
        RateUnit::Day => Window::Day,
    }
}

/// Name of the policy for these limits. It follows from their content.
pub fn policy_name(limits: &Limits, cluster: &str, class: &str) -> String {
    names::policy_name(cluster, class, &describe(limits))
}

/// The policy for these limits. Its name follows from its content, so that bindings with equal
/// limits share one. A consumer that has no id yet is left out: until it has one it cannot call.
pub fn policy(
    limits: &Limits,
    (cluster, class): (&str, &str),
    ids: &BTreeMap<ConsumerKey, ConsumerId>,
) -> PolicySpec {
    let content = describe(limits);
    PolicySpec {
        name: policy_name(limits, cluster, class),
        description: cut(
            &format!("gatewaybinding.dev cluster {cluster}: {content}"),
            180,
        ),
        rules: PolicyRules::Throttling(rules(limits, ids)),
    }
}

/// The rules of a policy for these limits. See [`policy`] for consumers without an id.
pub fn rules(limits: &Limits, ids: &BTreeMap<ConsumerKey, ConsumerId>) -> Throttling {
    let consumers = limits.consumers.iter();
    Throttling {
        window: limits.window,
        api: limits.api,
        account: limits.account,
        consumer: limits.consumer,
        consumers: consumers
            .filter_map(|(consumer, requests)| Some((ids.get(consumer)?.clone(), *requests)))
            .collect(),
    }
}

fn describe(limits: &Limits) -> String {
    let mut text = format!("{} requests", limits.api);
    if let Some(account) = limits.account {
        text.push_str(&format!(", {account} an account"));
    }
    if let Some(consumer) = limits.consumer {
        text.push_str(&format!(", {consumer} a consumer"));
    }
    for (consumer, requests) in &limits.consumers {
        text.push_str(&format!(", {requests} {consumer}"));
    }
    text.push_str(&format!(" per {:?}", limits.window));
    text
}

fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(limits: serde_json::Value) -> Result<Limits, Reason> {
        let throttling: api::Throttling =
            serde_json::from_value(json!({ "limits": limits })).unwrap();
        let allow = [Allowed {
            name: "acme".into(),
            consumer: ConsumerKey {
                namespace: "partners".into(),
                name: "acme-mobile".into(),
            },
            until: None,
        }];
        validate(&throttling, &allow).map_err(|problem| problem.reason)
    }

    #[test]
    fn limits_of_the_product_are_kept() {
        let total = json!({"name": "total", "scope": "API", "requests": 100, "per": "Minute"});
        let each = json!({"name": "each", "scope": "Consumer", "requests": 60, "per": "Minute"});
        let acme = json!({"name": "acme", "scope": "Consumer", "consumer": "acme", "requests": 80, "per": "Minute"});
        let limits = check(json!([total, each, acme])).unwrap();
        assert_eq!((limits.api, limits.consumer), (100, Some(60)));
        assert_eq!(limits.consumers.len(), 1);

        let second = json!({"name": "s", "scope": "Consumer", "requests": 1, "per": "Second"});
        assert_eq!(check(json!([total, second])), Err(Reason::Unsupported));
        assert_eq!(check(json!([each])), Err(Reason::Unsupported));
        let high = json!({"name": "h", "scope": "Consumer", "requests": 101, "per": "Minute"});
        assert_eq!(check(json!([total, high])), Err(Reason::InvalidSpec));
        let again = json!({"name": "again", "scope": "API", "requests": 5, "per": "Minute"});
        assert_eq!(check(json!([total, again])), Err(Reason::InvalidSpec));
        let unknown = json!({"name": "u", "scope": "Consumer", "consumer": "who", "requests": 1, "per": "Minute"});
        assert_eq!(check(json!([total, unknown])), Err(Reason::InvalidSpec));
    }

    #[test]
    fn equal_limits_share_a_policy() {
        let limits = json!([{"name": "a", "scope": "API", "requests": 100, "per": "Minute"}]);
        let other_name = json!([{"name": "b", "scope": "API", "requests": 100, "per": "Minute"}]);
        let policy = |limits| {
            policy(
                &check(limits).unwrap(),
                ("c1f0", "production"),
                &BTreeMap::new(),
            )
        };
        assert_eq!(policy(limits), policy(other_name));
    }
}
