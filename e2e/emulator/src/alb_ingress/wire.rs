//! Rules as parameters of `CreateRules` and `UpdateRulesAttribute`.

use super::compare::{Ids, id};
use super::model::{Act, Ask, WantedRule};

/// Flat parameters.
pub(super) type Flat = Vec<(String, String)>;

/// What is empty is not sent.
fn said(flat: Flat) -> Flat {
    flat.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// A whole rule below a prefix such as `Rules.1`.
pub(super) fn rule(prefix: &str, rule: &WantedRule, name: &str, priority: i64, ids: &Ids) -> Flat {
    let mut flat = vec![
        (format!("{prefix}.RuleName"), name.to_owned()),
        (format!("{prefix}.Priority"), priority.to_string()),
    ];
    if !rule.direction.is_empty() {
        flat.push((format!("{prefix}.Direction"), rule.direction.clone()));
    }
    flat.extend(actions(prefix, &rule.actions, ids));
    flat.extend(conditions(prefix, &rule.conditions));
    flat
}

pub(super) fn actions(prefix: &str, actions: &[Act], ids: &Ids) -> Flat {
    let mut flat = Flat::new();
    for (act, order) in actions.iter().zip(1..) {
        let prefix = format!("{prefix}.RuleActions.{order}");
        flat.push((format!("{prefix}.Order"), order.to_string()));
        flat.extend(action(&prefix, act, ids));
    }
    said(flat)
}

fn action(prefix: &str, act: &Act, ids: &Ids) -> Flat {
    let (kind, members): (&str, Flat) = match act {
        Act::Forward(targets) => {
            let mut members = Flat::new();
            for ((target, weight), number) in targets.iter().zip(1..) {
                let tuple = format!("ServerGroupTuples.{number}");
                members.push((format!("{tuple}.ServerGroupId"), id(target, ids)));
                members.push((format!("{tuple}.Weight"), weight.to_string()));
            }
            ("ForwardGroup", members)
        }
        Act::FixedResponse {
            content,
            content_type,
            http_code,
        } => (
            "FixedResponse",
            texts([
                ("Content", content),
                ("ContentType", content_type),
                ("HttpCode", http_code),
            ]),
        ),
        Act::Redirect(to) => (
            "Redirect",
            texts([
                ("Host", &to.host),
                ("HttpCode", &to.http_code),
                ("Path", &to.path),
                ("Port", &to.port),
                ("Protocol", &to.protocol),
                ("Query", &to.query),
            ]),
        ),
        // `CoverEnabled` is never sent.
        Act::InsertHeader {
            key,
            value,
            value_type,
        } => (
            "InsertHeader",
            texts([("Key", key), ("Value", value), ("ValueType", value_type)]),
        ),
        Act::RemoveHeader(key) => ("RemoveHeader", texts([("Key", key)])),
        Act::Rewrite { host, path, query } => (
            "Rewrite",
            texts([("Host", host), ("Path", path), ("Query", query)]),
        ),
        Act::TrafficLimit { qps, per_ip_qps } => {
            let both = [("QPS", qps), ("PerIpQps", per_ip_qps)].into_iter();
            let given = both.filter(|(_, limit)| **limit > 0);
            let given = given.map(|(name, limit)| (name.to_owned(), limit.to_string()));
            ("TrafficLimit", given.collect())
        }
        Act::TrafficMirror {
            target_type,
            groups,
        } => {
            let mut members = texts([("TargetType", target_type)]);
            members.extend(groups.iter().zip(1..).map(|(id, number)| {
                let tuple = format!("MirrorGroupConfig.ServerGroupTuples.{number}");
                (format!("{tuple}.ServerGroupId"), id.clone())
            }));
            ("TrafficMirror", members)
        }
        Act::Cors(settings) => {
            let mut members = Flat::new();
            for (name, values) in settings {
                match name.as_str() {
                    "AllowCredentials" | "MaxAge" => {
                        let first = values.first().cloned().unwrap_or_default();
                        members.push((name.clone(), first));
                    }
                    _ => members.extend(numbered(name, values)),
                }
            }
            ("Cors", members)
        }
    };
    let mut flat = vec![(format!("{prefix}.Type"), kind.to_owned())];
    let config = match kind {
        "ForwardGroup" => "ForwardGroupConfig".to_owned(),
        kind => format!("{kind}Config"),
    };
    let members = members.into_iter();
    flat.extend(members.map(|(name, value)| (format!("{prefix}.{config}.{name}"), value)));
    flat
}

fn texts<const N: usize>(members: [(&str, &String); N]) -> Flat {
    let members = members.into_iter();
    members
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

fn numbered(name: &str, values: &[String]) -> Flat {
    let values = values.iter().zip(1..);
    values
        .map(|(value, number)| (format!("{name}.{number}"), value.clone()))
        .collect()
}

pub(super) fn conditions(prefix: &str, conditions: &[Ask]) -> Flat {
    let mut flat = Flat::new();
    for (ask, number) in conditions.iter().zip(1..) {
        let prefix = format!("{prefix}.RuleConditions.{number}");
        let config = format!("{prefix}.{}Config", ask.kind);
        flat.push((format!("{prefix}.Type"), ask.kind.clone()));
        if !ask.key.is_empty() {
            flat.push((format!("{config}.Key"), ask.key.clone()));
        }
        flat.extend(numbered(&format!("{config}.Values"), &ask.values));
        for ((key, value), number) in ask.pairs.iter().zip(1..) {
            flat.push((format!("{config}.Values.{number}.Key"), key.clone()));
            flat.push((format!("{config}.Values.{number}.Value"), value.clone()));
        }
    }
    said(flat)
}
