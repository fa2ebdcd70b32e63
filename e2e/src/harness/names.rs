//! Names instead of what differs from run to run: ids, uids, addresses, times, secrets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Members whose values are generated anew in each run. A number of deployment or listener order
/// is none of them.
const GENERATED: [&str; 14] = [
    // CCM's over the whole Service, cluster address and node ports included.
    "service.beta.kubernetes.io/hash",
    "code",
    "key",
    "secret",
    "version",
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "healthCheckNodePort",
    "serverId",
    "resourceVersion",
    "lastTransitionTime",
    "generation",
    "observedGeneration",
];

/// What stands for what. Longer ids are replaced first, so that none is taken for part of another.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    by_id: Vec<(String, String)>,
}

impl Names {
    /// The names of the objects of the cloud, given by place (`/product/kind/id`), and of objects
    /// of the cluster, given with their uids.
    pub(super) fn of(cloud: &BTreeMap<String, Value>, uids: &[(String, String)]) -> Self {
        let mut pairs = BTreeSet::new();
        for (name, uid) in uids {
            pairs.insert((uid.clone(), format!("{{uid of {name}}}")));
            // CCM names a load balancer by the uid of its Service, without dashes and cut.
            let mut balancer = format!("a{}", uid.replace('-', ""));
            balancer.truncate(32);
            pairs.insert((balancer, format!("{{load balancer name of {name}}}")));
        }
        let names = Self::new(pairs.clone());
        for (place, object) in cloud {
            let object = inner(object);
            let Some(kind) = kind(place) else { continue };
            // An API's name is part of its definition.
            let name = object.get("name").or(object.pointer("/definition/name"));
            let Some(name) = name.and_then(Value::as_str) else {
                continue;
            };
            let name = names.text(name);
            if let Some(id) = object.get("id").and_then(plain) {
                pairs.insert((id, format!("{{{kind} {name}}}")));
            }
            if let Some(address) = object.get("address").and_then(plain) {
                pairs.insert((address, format!("{{address of {name}}}")));
            }
        }
        Self::new(pairs)
    }

    fn new(pairs: BTreeSet<(String, String)>) -> Self {
        let mut by_id: Vec<_> = pairs.into_iter().filter(|(id, _)| id.len() > 3).collect();
        by_id.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
        Self { by_id }
    }

    /// A text with names in it.
    pub(super) fn text(&self, text: &str) -> String {
        if text.parse::<k8s_openapi::jiff::Timestamp>().is_ok() {
            return "(time)".to_owned();
        }
        let named = self.by_id.iter().fold(text.to_owned(), |text, (id, name)| {
            if text.contains(id.as_str()) {
                text.replace(id.as_str(), name)
            } else {
                text
            }
        });
        without_digests(&named)
    }

    /// A value with names in it.
    pub(super) fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Number(number) => {
                let text = number.to_string();
                let name = self.by_id.iter().find(|(id, _)| *id == text);
                name.map_or_else(|| value.clone(), |(_, name)| Value::String(name.clone()))
            }
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => Value::Object(self.members(members)),
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    fn members(&self, members: &Map<String, Value>) -> Map<String, Value> {
        let named = members.iter().map(|(name, value)| {
            let generated = GENERATED.contains(&name.as_str()) && !self.stands_for_something(value);
            let value = if generated {
                Value::String("(generated)".to_owned())
            } else {
                self.value(value)
            };
            (self.text(name), value)
        });
        named.collect()
    }

    /// Containers (a ledger's `key` is a plain text with a path in it) are looked into.
    fn stands_for_something(&self, value: &Value) -> bool {
        value.is_object() || value.as_str().is_some_and(|text| text.contains('/'))
    }
}

/// An object without the moment from which reads see it.
pub(super) fn inner(object: &Value) -> &Value {
    match object {
        Value::Object(members) if members.len() == 2 && members.contains_key("since") => {
            members.get("value").unwrap_or(object)
        }
        other => other,
    }
}

/// `groups` of `/cloudapi/groups/79c9…`; also of what has no id, as `/cloudapi/grants {…}`.
pub(super) fn kind(place: &str) -> Option<&str> {
    let rest = place.split('/').nth(2)?;
    rest.split(' ').next()
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Digests cover ids, so they differ with them.
fn without_digests(text: &str) -> String {
    const MARK: &str = "sha256:";
    let mut parts = text.split(MARK);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("sha256:(digest)");
        shown.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_named() {
        let cloud = BTreeMap::from([
            (
                "/cloudapi/apps/532164604".to_owned(),
                json!({"since": "2026-11-21T04:22:58Z", "value": {"id": 532_164_604, "name": "knative"}}),
            ),
            (
                "/slb/loadBalancers/lb-1".to_owned(),
                json!({"since": "2026-11-21T04:22:58Z",
                       "value": {"id": "lb-1", "name": "a5d517a753b59", "address": "10.0.1.1"}}),
            ),
        ]);
        let uids = [("Service a/b".to_owned(), "5d517a75-3b59".to_owned())];
        let names = Names::of(&cloud, &uids);
        let balancer = "{load balancer name of Service a/b}";
        assert_eq!(
            names.value(&json!({
                "appId": 532_164_604, "at": "2026-11-21T04:22:58.77Z", "code": "0123",
                "applied": "sha256:0123abcd, really", "on": {"10.0.1.1": "lb-1"}, "port": 80,
            })),
            json!({
                "appId": "{apps knative}", "at": "(time)", "code": "(generated)",
                "applied": "sha256:(digest), really", "port": 80,
                "on": {format!("{{address of {balancer}}}"): format!("{{loadBalancers {balancer}}}")},
            })
        );
    }

    #[test]
    fn kinds_are_found_in_places() {
        assert_eq!(kind("/cloudapi/groups/79c9"), Some("groups"));
        assert_eq!(kind("/cloudapi/grants {\"a/b\": 1}"), Some("grants"));
        assert_eq!(kind("x"), None);
    }
}
