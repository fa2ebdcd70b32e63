//! What a rule may not be, seen together with what there is: quotas, uniqueness, what it refers to.

use super::errors;
use super::model::{LoadBalancer, State};
use super::rule_model::{Action, Rule, Step};
use super::texts;
use crate::api::ApiError;

/// Wildcards in all conditions of a rule.
const WILDCARDS_MAX: usize = 10;

/// Server groups of a forwarding action.
const GROUPS_MAX: usize = 5;

/// Times that one server group may be used.
const ATTACHED_MAX: usize = 100;

/// What an edition allows.
struct Limits {
    rules: usize,
    conditions: usize,
    actions: usize,
}

fn limits(edition: &str) -> Limits {
    match edition {
        "Basic" => Limits {
            rules: 40,
            conditions: 5,
            actions: 3,
        },
        _ => Limits {
            rules: 100,
            conditions: 10,
            actions: 5,
        },
    }
}

/// Looks at one rule by itself and at what it refers to.
pub(super) fn rule(state: &State, balancer: &LoadBalancer, rule: &Rule) -> Result<(), ApiError> {
    let limits = limits(&balancer.edition);
    let conditions = rule.conditions.len();
    if conditions > limits.conditions {
        let name = "RuleMatchEvaluationsNum";
        return Err(errors::quota(name, conditions, limits.conditions));
    }
    if rule.actions.len() > limits.actions {
        let name = "RuleActionsNum";
        return Err(errors::quota(name, rule.actions.len(), limits.actions));
    }
    let wildcards: usize = rule
        .conditions
        .iter()
        .map(|condition| {
            let values = condition.values.iter().map(|value| texts::wildcards(value));
            let pairs = condition.pairs.iter();
            let pairs =
                pairs.map(|pair| texts::wildcards(&pair.key) + texts::wildcards(&pair.value));
            values.chain(pairs).sum::<usize>()
        })
        .sum();
    if wildcards > WILDCARDS_MAX {
        return Err(errors::quota("RuleWildcardsNum", wildcards, WILDCARDS_MAX));
    }
    actions(&rule.actions)?;
    for id in rule.server_groups() {
        let group = state
            .server_groups
            .get(id)
            .map(|group| &group.value)
            .ok_or_else(|| errors::not_found("ServerGroup", id))?;
        if group.vpc_id != balancer.vpc_id {
            return Err(errors::mismatch("VpcId", &balancer.id, id));
        }
    }
    one_protocol(state, rule)
}

/// One final action, which comes last; the rest in an order of their own.
fn actions(actions: &[Action]) -> Result<(), ApiError> {
    let mut orders: Vec<u32> = actions.iter().map(|action| action.order).collect();
    orders.sort_unstable();
    orders.dedup();
    let finals = actions.iter().filter(|action| action.step.is_final());
    let last = actions.iter().max_by_key(|action| action.order);
    if orders.len() != actions.len() {
        return Err(errors::illegal("RuleActions.Order"));
    }
    if finals.count() != 1 || !last.is_some_and(|last| last.step.is_final()) {
        return Err(errors::illegal("RuleActions"));
    }
    let is = |test: fn(&Step) -> bool| actions.iter().filter(|action| test(&action.step)).count();
    let rewrites = is(|step| matches!(step, Step::Rewrite { .. }));
    let forwards = is(|step| matches!(step, Step::ForwardGroup { .. }));
    if rewrites > 1 {
        return Err(errors::illegal("RewriteConfig"));
    }
    if rewrites == 1 && forwards == 0 {
        return Err(errors::denied("RewriteMissingForwardGroup"));
    }
    let mut inserted: Vec<String> = Vec::new();
    for action in actions {
        match &action.step {
            Step::InsertHeader { key, .. } => {
                let key = key.to_ascii_lowercase();
                if inserted.contains(&key) {
                    return Err(errors::illegal("InsertHeaderConfig"));
                }
                inserted.push(key);
            }
            Step::ForwardGroup { tuples, .. } if tuples.len() > GROUPS_MAX => {
                return Err(errors::illegal("ServerGroupTuples"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn one_protocol(state: &State, rule: &Rule) -> Result<(), ApiError> {
    let of = |id: &str| Some(state.server_groups.get(id)?.value.protocol.clone());
    let mirrors = rule.actions.iter().find_map(|action| match &action.step {
        Step::TrafficMirror { server_groups } => Some(server_groups),
        _ => None,
    });
    for action in &rule.actions {
        let Step::ForwardGroup { tuples, .. } = &action.step else {
            continue;
        };
        let mut protocols: Vec<Option<String>> = tuples
            .iter()
            .map(|tuple| of(&tuple.server_group_id))
            .collect();
        protocols.sort();
        protocols.dedup();
        if protocols.len() > 1 {
            return Err(errors::denied("ProtocolMustSameForForwardGroupAction"));
        }
        let mirrored = |id: &String| mirrors.is_some_and(|mirrors| mirrors.contains(id));
        if tuples.iter().any(|tuple| mirrored(&tuple.server_group_id)) {
            return Err(errors::denied("SameGroupForForwardAndMirrorAction"));
        }
    }
    Ok(())
}

/// Looks at all rules of a load balancer together, as they would be after the call.
pub(super) fn together(state: &State, balancer: &LoadBalancer) -> Result<(), ApiError> {
    let of_balancer = || {
        let rules = state.rules.values().map(|rule| &rule.value);
        rules.filter(|rule| rule.load_balancer_id == balancer.id)
    };
    let limit = limits(&balancer.edition).rules;
    let count = of_balancer().count();
    if count > limit {
        let name = "LoadBalancerRulesNum";
        return Err(errors::resource_quota(name, &balancer.id, count, limit));
    }
    let mut places: Vec<_> = of_balancer()
        .map(|rule| (&rule.listener_id, rule.direction, rule.priority, &rule.id))
        .collect();
    places.sort();
    for pair in places.windows(2) {
        if let [one, other] = pair
            && (one.0, one.1, one.2) == (other.0, other.1, other.2)
        {
            return Err(errors::conflict("Priority", one.3, other.3));
        }
    }
    let mut groups: Vec<&str> = of_balancer().flat_map(Rule::server_groups).collect();
    groups.sort_unstable();
    for same in groups.chunk_by(|one, other| one == other) {
        if let [id, ..] = same
            && same.len() > ATTACHED_MAX
        {
            let name = "ServerGroupAttachedNum";
            return Err(errors::resource_quota(name, id, same.len(), ATTACHED_MAX));
        }
    }
    Ok(())
}
