//! Rules of a listener, told apart by their priority: first the new ones, then changes from the last
//! to the first, then what is to go; nine a call.

use serde_json::Value;

use super::compare::{Ids, same_actions, same_conditions};
use super::failure::Failure;
use super::listeners::until_running;
use super::model::{WantedListener, WantedRule};
use super::tracking::Stack;
use super::wire;
use crate::ccm::{Args, text};

/// Rules that one call carries.
const BATCH: usize = 9;

const BUSY: [&str; 3] = [
    "IncorrectStatus.Listener",
    "VipStatusNotSupport",
    "IncorrectStatus.Rule",
];

/// Brings the rules of a listener in line.
pub(super) async fn apply(
    stack: &Stack<'_>,
    listener_id: &str,
    wanted: &WantedListener,
    groups: &Ids,
) -> Result<(), Failure> {
    let args = Args::default().with("ListenerId", listener_id);
    let mut listed = stack.list("ListRules", args, "Rules").await?;
    let mut new = Vec::new();
    let mut known = Vec::new();
    for (rule, priority) in wanted.rules.iter().zip(1_i64..) {
        let name = format!("rule-{}-{priority}", wanted.port);
        // The parser of old gives no direction, so its rules match none that is there.
        let place = listed.iter().position(|shown| {
            shown["Priority"] == priority && text(shown, "Direction") == rule.direction
        });
        match place.map(|place| listed.remove(place)) {
            Some(shown) => known.push((rule, name, shown)),
            None => new.push((rule, name, priority)),
        }
    }
    // As texts are sorted, so 10 comes before 1.
    new.sort_by_key(|(rule, _, priority)| format!("{priority}{}", rule.direction));
    create(stack, listener_id, &new, groups).await?;
    if !listed.is_empty() {
        known.reverse();
    }
    update(stack, listener_id, &known, groups).await?;
    delete(stack, &listed).await
}

async fn create(
    stack: &Stack<'_>,
    listener_id: &str,
    new: &[(&WantedRule, String, i64)],
    groups: &Ids,
) -> Result<(), Failure> {
    for batch in new.chunks(BATCH) {
        let mut args = Args::default().with("ListenerId", listener_id);
        for ((rule, name, priority), number) in batch.iter().zip(1..) {
            let prefix = format!("Rules.{number}");
            args = args.and(wire::rule(&prefix, rule, name, *priority, groups));
        }
        stack.retried("CreateRules", args, &BUSY).await?;
    }
    Ok(())
}

async fn update(
    stack: &Stack<'_>,
    listener_id: &str,
    known: &[(&WantedRule, String, Value)],
    groups: &Ids,
) -> Result<(), Failure> {
    let mut changes = Vec::new();
    for (rule, name, shown) in known {
        let other_name = text(shown, "RuleName") != name;
        let other_actions = !same_actions(&rule.actions, &shown["RuleActions"], groups);
        let other_conditions = !same_conditions(&rule.conditions, &shown["RuleConditions"]);
        if other_name || other_actions || other_conditions {
            changes.push((
                rule,
                name,
                shown,
                [other_name, other_actions, other_conditions],
            ));
        }
    }
    for (batch, number) in changes.rchunks(BATCH).zip(1..) {
        let mut args = Args::default();
        for ((rule, name, shown, other), number) in batch.iter().zip(1..) {
            let prefix = format!("Rules.{number}");
            args = args.with(&format!("{prefix}.RuleId"), text(shown, "RuleId"));
            let [other_name, other_actions, other_conditions] = other;
            if *other_name {
                args = args.with(&format!("{prefix}.RuleName"), name);
            }
            if *other_actions {
                args = args.and(wire::actions(&prefix, &rule.actions, groups));
            }
            if *other_conditions {
                args = args.and(wire::conditions(&prefix, &rule.conditions));
            }
        }
        stack.retried("UpdateRulesAttribute", args, &BUSY).await?;
        if number * BATCH < changes.len() {
            until_running(stack, listener_id).await?;
        }
    }
    Ok(())
}

async fn delete(stack: &Stack<'_>, surplus: &[Value]) -> Result<(), Failure> {
    for batch in surplus.chunks(BATCH) {
        let ids = batch.iter().zip(1..);
        let args = ids.fold(Args::default(), |args, (shown, number)| {
            args.with(&format!("RuleIds.{number}"), text(shown, "RuleId"))
        });
        stack.retried("DeleteRules", args, &BUSY).await?;
    }
    Ok(())
}
