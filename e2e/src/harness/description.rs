//! The description of a scenario: what the world must look like once its manifests are applied.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Footprint;

/// Written by hand, one file a scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Description {
    /// The folder of `examples/` with the manifests.
    pub(super) example: String,
    /// Objects by place. At each place that is named here there are as many as are listed, and
    /// each has at least the members that are listed.
    pub(super) objects: BTreeMap<String, Vec<Value>>,
    /// Requests through the front door of the API gateway.
    #[serde(default)]
    pub(super) requests: Vec<Request>,
}

/// A request and its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Request {
    /// Namespace and name of the binding whose first URL says the host.
    pub(super) binding: String,
    /// Path and query.
    pub(super) path: String,
    /// Namespace and name of the Secret with the API key, if one is sent.
    #[serde(default)]
    pub(super) caller: Option<String>,
    /// Status of the answer.
    pub(super) status: u16,
    /// Its body, if that matters.
    #[serde(default)]
    pub(super) body: Option<String>,
}

impl Description {
    /// Nothing if the objects are as described, else what is not.
    pub(super) fn check(&self, footprint: &Footprint) -> Result<(), String> {
        let mut problems = Vec::new();
        for (place, wanted) in &self.objects {
            let found = footprint.at(place);
            if found.len() != wanted.len() {
                problems.push(format!(
                    "{place}: {} instead of {}",
                    found.len(),
                    wanted.len()
                ));
            }
            for object in wanted {
                if !found.iter().any(|found| has(found, object)) {
                    let found = serde_json::to_string_pretty(found).unwrap_or_default();
                    problems.push(format!("{place}: none has {object} among {found}"));
                }
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems.join("\n"))
        }
    }
}

/// Whether a value has at least these members; lists are compared item by item.
fn has(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| has(found.get(name).unwrap_or(&Value::Null), wanted)),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && found
                    .iter()
                    .zip(wanted)
                    .all(|(found, wanted)| has(found, wanted))
        }
        (found, wanted) => found == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_are_not_named_are_free() {
        let found = json!({"name": "a", "tags": {"x": 1, "y": 2}, "list": [{"p": 1, "q": 2}]});
        assert!(has(&found, &json!({"tags": {"x": 1}, "list": [{"q": 2}]})));
        assert!(!has(&found, &json!({"tags": {"x": 2}})));
        assert!(!has(&found, &json!({"list": []})));
        assert!(has(&found, &json!({"other": null})));
    }
}
