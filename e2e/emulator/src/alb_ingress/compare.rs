//! Whether a rule in the cloud is as it should be, by the controller's own comparison: it holds an
//! inserted header to be another one always, and looks for the values of a header condition in the
//! wrong place, so that rules with either are written anew at every pass.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::model::{Act, Ask, GroupRef};

/// The ids of server groups, by resource id.
pub(super) type Ids = BTreeMap<String, String>;

/// Actions as the cloud would show them if they were equal; their order counts.
pub(super) fn same_actions(wanted: &[Act], shown: &Value, ids: &Ids) -> bool {
    let shown = shown.as_array().map(Vec::as_slice).unwrap_or_default();
    wanted.len() == shown.len()
        && wanted
            .iter()
            .zip(shown)
            .zip(1..)
            .all(|((wanted, shown), order)| {
                shown["Order"] == json!(order) && same_action(wanted, shown, ids)
            })
}

fn same_action(wanted: &Act, shown: &Value, ids: &Ids) -> bool {
    let is = |kind: &str| shown["Type"] == kind;
    let text = |config: &str, name: &str| {
        let value = shown[format!("{config}Config")].get(name);
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    match wanted {
        // The controller wants it to cover what was sent, and the cloud never shows that.
        Act::InsertHeader { .. } => false,
        Act::Forward(targets) => {
            let wanted: Vec<(String, i64)> = targets
                .iter()
                .map(|(target, weight)| (id(target, ids), *weight))
                .collect();
            is("ForwardGroup") && wanted == tuples(&shown["ForwardGroupConfig"])
        }
        Act::FixedResponse {
            content,
            content_type,
            http_code,
        } => {
            is("FixedResponse")
                && text("FixedResponse", "Content") == *content
                && text("FixedResponse", "ContentType") == *content_type
                && text("FixedResponse", "HttpCode") == *http_code
        }
        Act::Redirect(to) => {
            is("Redirect")
                && text("Redirect", "Host") == to.host
                && text("Redirect", "HttpCode") == to.http_code
                && text("Redirect", "Path") == to.path
                && text("Redirect", "Port") == to.port
                && text("Redirect", "Protocol") == to.protocol
                && text("Redirect", "Query") == to.query
        }
        Act::RemoveHeader(key) => is("RemoveHeader") && text("RemoveHeader", "Key") == *key,
        Act::Rewrite { host, path, query } => {
            is("Rewrite")
                && text("Rewrite", "Host") == *host
                && text("Rewrite", "Path") == *path
                && text("Rewrite", "Query") == *query
        }
        Act::TrafficLimit { qps, per_ip_qps } => {
            let shown = &shown["TrafficLimitConfig"];
            let number = |name: &str| shown[name].as_i64().unwrap_or_default();
            is("TrafficLimit") && number("QPS") == *qps && number("PerIpQps") == *per_ip_qps
        }
        Act::TrafficMirror { .. } => is("TrafficMirror"),
        Act::Cors(settings) => is("Cors") && same_cors(settings, &shown["CorsConfig"]),
    }
}

fn same_cors(settings: &BTreeMap<String, Vec<String>>, shown: &Value) -> bool {
    settings.iter().all(|(name, values)| match &shown[name] {
        Value::Array(items) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            items == *values
        }
        Value::String(text) => values.first() == Some(text),
        Value::Number(number) => values.first() == Some(&number.to_string()),
        _ => values.is_empty(),
    })
}

/// The id of a server group in the cloud; empty if it has none yet.
pub(super) fn id(target: &GroupRef, ids: &Ids) -> String {
    match target {
        GroupRef::Named(id) => id.clone(),
        GroupRef::Own(resource) => ids.get(resource).cloned().unwrap_or_default(),
    }
}

fn tuples(config: &Value) -> Vec<(String, i64)> {
    let tuples = config["ServerGroupTuples"].as_array();
    let tuples = tuples.into_iter().flatten();
    tuples
        .map(|tuple| {
            let id = tuple["ServerGroupId"].as_str().unwrap_or_default();
            (id.to_owned(), tuple["Weight"].as_i64().unwrap_or_default())
        })
        .collect()
}

/// Conditions, whose order counts too.
pub(super) fn same_conditions(wanted: &[Ask], shown: &Value) -> bool {
    let shown = shown.as_array().map(Vec::as_slice).unwrap_or_default();
    wanted.len() == shown.len()
        && wanted
            .iter()
            .zip(shown)
            .all(|(wanted, shown)| same_condition(wanted, shown))
}

fn same_condition(wanted: &Ask, shown: &Value) -> bool {
    let config = &shown[format!("{}Config", wanted.kind)];
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    if shown["Type"] != wanted.kind.as_str() {
        return false;
    }
    match wanted.kind.as_str() {
        "Host" | "Path" | "Method" | "SourceIp" => texts(&config["Values"]) == wanted.values,
        "Cookie" | "QueryString" => {
            let pairs = config["Values"].as_array().into_iter().flatten();
            let text =
                |pair: &Value, name: &str| pair[name].as_str().unwrap_or_default().to_owned();
            let pairs: Vec<(String, String)> = pairs
                .map(|pair| (text(pair, "Key"), text(pair, "Value")))
                .collect();
            pairs == wanted.pairs
        }
        // The values of the host condition are compared, and a header condition has none; what
        // concerns answers is not compared at all, so it never is the same.
        _ => false,
    }
}
