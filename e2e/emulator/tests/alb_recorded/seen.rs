//! What is to be seen of a controller's work, in a form that can be compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::names::Names;
use super::relay::Call;

/// What one step brought.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) step: String,
    /// Changing calls in order.
    pub(super) calls: Vec<Value>,
    /// Actions of other calls.
    pub(super) reads: BTreeSet<String>,
    /// What came in the cloud (`+`) and went (`-`).
    pub(super) cloud: Vec<String>,
    /// The same of the objects in the cluster.
    pub(super) cluster: Vec<String>,
    /// Events, each once.
    pub(super) events: BTreeSet<String>,
}

/// What was seen since an AlbConfig failed: tries of the same come late, in steps that follow.
#[derive(Default)]
pub(super) struct Failing(Option<Seen>);

impl Failing {
    /// A step without what is only another try.
    pub(super) fn taken_off(&self, mut seen: Seen) -> Seen {
        if let Some(tried) = &self.0 {
            let is_late =
                |event: &String| event.contains(" Warning ") && tried.events.contains(event);
            seen.calls.retain(|call| !tried.calls.contains(call));
            seen.reads.retain(|action| !tried.reads.contains(action));
            seen.events.retain(|event| !is_late(event));
        }
        seen
    }

    /// Takes note of a step.
    pub(super) fn note(&mut self, seen: &Seen) {
        let told = |kind: &str| {
            let mut events = seen.events.iter();
            events.any(|event| event.starts_with("AlbConfig/") && event.contains(kind))
        };
        if told(" Normal ") && !told(" Warning ") {
            self.0 = None;
            return;
        }
        let tried = self.0.get_or_insert_default();
        tried.calls.extend(seen.calls.iter().cloned());
        tried.reads.extend(seen.reads.iter().cloned());
        tried.events.extend(seen.events.iter().cloned());
    }
}

/// What is asked of products that the emulator does not have, and its stand-in does without.
const ELSEWHERE: [&str; 3] = [
    "CreateSSLCertificateWithName",
    "DescribeNetworkInterfaces",
    "DescribeSSLCertificateList",
];

/// The calls of a step.
pub(super) fn calls(calls: &[Call], names: &Names) -> (Vec<Value>, BTreeSet<String>) {
    let calls = calls.iter();
    let (writes, reads): (Vec<&Call>, Vec<&Call>) = calls
        .filter(|call| !ELSEWHERE.contains(&call.action.as_str()))
        .partition(|call| alicloud_emulator::calls::is_mutating(&call.action));
    let reads = reads.into_iter().map(|call| call.action.clone()).collect();
    let mut lanes: Vec<(u32, String, Value)> = Vec::new();
    let mut block = (0, "");
    for call in writes {
        let (kind, subject) = lane(call, names);
        // Server groups are made side by side, and so are listeners, and rules of different ones.
        if kind.is_empty() || kind != block.1 {
            block = (block.0 + 1, kind);
        }
        lanes.push((block.0, subject, view(call, names)));
    }
    lanes.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    let mut shown: Vec<Value> = Vec::new();
    for (_, _, call) in lanes {
        // The same again is another pass or another try, of which there may be more or fewer.
        if !shown.contains(&call) {
            shown.push(call);
        }
    }
    (shown, reads)
}

fn lane(call: &Call, names: &Names) -> (&'static str, String) {
    let sent = |name: &str| call.parameters.get(name).map_or("", String::as_str);
    let name = |id: &str| names.name(id).to_owned();
    match call.action.as_str() {
        "CreateServerGroup" => {
            let id = call.answer["ServerGroupId"].as_str().unwrap_or_default();
            ("groups", name(id))
        }
        "TagResources" if sent("ResourceType").eq_ignore_ascii_case("servergroup") => {
            ("groups", name(sent("ResourceId.1")))
        }
        action if action.contains("Server") => ("groups", name(sent("ServerGroupId"))),
        "CreateListener" => ("new listeners", sent("ListenerPort").to_owned()),
        "DeleteListener" => ("old listeners", name(sent("ListenerId"))),
        "CreateRules" => ("rules", name(sent("ListenerId"))),
        "UpdateRulesAttribute" | "DeleteRules" => {
            let first = [sent("Rules.1.RuleId"), sent("RuleIds.1")].concat();
            let rule = name(&first);
            let listener = rule.split_once(" of ").map_or("", |(_, listener)| listener);
            ("rules", format!("<{listener}"))
        }
        _ => ("", String::new()),
    }
}

fn view(call: &Call, names: &Names) -> Value {
    let mut parameters: BTreeMap<&str, String> = BTreeMap::new();
    let mut tags = BTreeMap::new();
    for (name, value) in &call.parameters {
        let value = names.text(value);
        // The order of tags means nothing.
        if let Some(key) = name
            .strip_prefix("Tag.")
            .and_then(|name| name.strip_suffix(".Key"))
        {
            let text = call.parameters.get(&format!("Tag.{key}.Value"));
            tags.insert(value, text.map(|text| names.text(text)));
        } else if !name.starts_with("Tag.") {
            parameters.insert(name, value);
        }
    }
    if !tags.is_empty() {
        parameters.insert("Tag", json!(tags).to_string());
    }
    match call.outcome.as_str() {
        "ok" => json!([call.action, parameters]),
        refused => json!([call.action, parameters, refused]),
    }
}

/// Everything in the cloud, one line each.
pub(super) fn cloud(alb: &alicloud_emulator::alb::State, names: &Names) -> BTreeSet<String> {
    let state = serde_json::to_value(alb).expect("the state is JSON");
    let mut lines = BTreeSet::new();
    for kind in ["loadBalancers", "listeners", "rules", "serverGroups"] {
        let all = state[kind].as_object();
        for object in all.into_iter().flat_map(|all| all.values()) {
            let mut object = object.get("value").unwrap_or(object).clone();
            if let Some(members) = object.as_object_mut() {
                members.retain(|name, _| {
                    !["created", "settled", "deletionProtectedSince", "tags"]
                        .contains(&name.as_str())
                });
                for zone in members
                    .get_mut("zoneMappings")
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .flatten()
                {
                    zone["address"].take();
                    zone["intranetAddress"].take();
                }
            }
            lines.insert(names.text(&format!("{kind} {object}")));
        }
    }
    lines
}

/// What is new and what is gone.
pub(super) fn difference(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    let gone = before.difference(now).map(|line| format!("- {line}"));
    let new = now.difference(before).map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}
