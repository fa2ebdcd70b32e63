//! What came of a step, and how two such differ.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Event, Service};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::names::Names;
use crate::proxy::Calls;

/// A scenario as it went with the real one.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub struct Recording {
    /// Who made it.
    pub ccm: String,
    pub scenario: String,
    pub steps: Vec<Seen>,
}

/// All that came of a step.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
pub struct Seen {
    pub say: String,
    /// Calls that change something: those that touch the same thing in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// Calls that only read, and how often each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<String, u32>,
    /// Finalizers, labels and status of the Service afterwards; `null` once it is gone.
    pub service: Value,
    /// Events, and how often each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<String, u32>,
    /// What is different in the cloud now, as a merge patch.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub cloud: Value,
}

impl Seen {
    pub fn of(
        say: &str,
        calls: Calls,
        service: Value,
        events: BTreeMap<String, u32>,
        cloud: Value,
    ) -> Self {
        let mut writes = calls.writes;
        writes.sort_by(|one, other| one.0.cmp(&other.0));
        Self {
            say: say.to_owned(),
            writes: writes.into_iter().map(|(_, line)| line).collect(),
            reads: calls.reads,
            service,
            events,
            cloud,
        }
    }
}

const HASH: &str = "service.beta.kubernetes.io/hash";

/// What a cloud controller manager writes to a Service.
pub fn of_service(service: Option<&Service>, names: &mut Names, hashes: &mut Vec<String>) -> Value {
    let Some(service) = service else {
        return Value::Null;
    };
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    if let Some(hash) = labels.get_mut(HASH) {
        // Which ones are equal counts.
        let known = hashes.iter().position(|known| known == hash);
        let number = known.unwrap_or_else(|| {
            hashes.push(hash.clone());
            hashes.len() - 1
        });
        *hash = format!("hash {}", number + 1);
    }
    let status = service.status.as_ref();
    let balancer = status.and_then(|status| status.load_balancer.as_ref());
    let seen = json!({
        "finalizers": service.metadata.finalizers,
        "labels": labels,
        "ingress": balancer.and_then(|balancer| balancer.ingress.as_ref()),
    });
    serde_json::from_str(&names.plain(&seen.to_string())).expect("names are plain")
}

/// Every event about a Service and how often it was told.
pub fn of_events(events: &[Event], service: &str, names: &Names) -> BTreeMap<String, u32> {
    let mut all = BTreeMap::new();
    let about = |event: &&Event| {
        let object = &event.involved_object;
        object.kind.as_deref() == Some("Service") && object.name.as_deref() == Some(service)
    };
    for event in events.iter().filter(about) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let component = event.source.as_ref().map(|source| text(&source.component));
        let component = component.unwrap_or_default();
        if !["service-controller", "nlb-controller"].contains(&component.as_str()) {
            continue;
        }
        let line = format!(
            "{component} {} {}: {}",
            text(&event.type_),
            text(&event.reason),
            text(&event.message)
        );
        let count = event.count.and_then(|count| u32::try_from(count).ok());
        *all.entry(names.plain(&line)).or_default() += count.unwrap_or(1);
    }
    all
}

/// Those of `now` that are not in `before`.
pub fn newer(now: &BTreeMap<String, u32>, before: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let known = |line: &str| before.get(line).copied().unwrap_or_default();
    now.iter()
        .map(|(line, count)| (line.clone(), count.saturating_sub(known(line))))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Load balancers of both kinds, without what differs from run to run.
pub fn of_cloud(world: &alicloud_emulator::world::World, names: &Names) -> Value {
    let mut slb = serde_json::to_value(&world.slb).expect("a state");
    let mut nlb = serde_json::to_value(&world.nlb).expect("a state");
    for (part, dropped) in [
        (
            &mut slb,
            ["clientTokens", "serverCertificates", "internetAddresses"],
        ),
        (&mut nlb, ["tokens", "jobs", "settling"]),
    ] {
        for member in dropped {
            part.as_object_mut().expect("an object").remove(member);
        }
    }
    let mut both = json!({"slb": slb, "nlb": nlb});
    timeless(&mut both);
    serde_json::from_str(&names.plain(&both.to_string())).expect("names are plain")
}

fn timeless(value: &mut Value) {
    match value {
        Value::Object(members) => {
            // Times, and what was free just then.
            for member in [
                "created",
                "since",
                "settled",
                "allocationId",
                "publicAddress",
                "privateAddress",
            ] {
                members.remove(member);
            }
            members.values_mut().for_each(timeless);
        }
        Value::Array(items) => {
            items.iter_mut().for_each(timeless);
            items.sort_by_key(Value::to_string);
        }
        _ => {}
    }
}

/// The merge patch that makes `new` of `old`; null if there is nothing to do.
pub fn patch(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return if old == new { Value::Null } else { new.clone() };
    };
    let mut changes = Map::new();
    for (name, value) in new {
        match old.get(name) {
            Some(before) if before == value => {}
            Some(before) => {
                changes.insert(name.clone(), patch(before, value));
            }
            None => {
                changes.insert(name.clone(), value.clone());
            }
        }
    }
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    changes.extend(gone.map(|name| (name.clone(), Value::Null)));
    match changes.is_empty() {
        true => Value::Null,
        false => Value::Object(changes),
    }
}
