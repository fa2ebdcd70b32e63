//! Holds every answer that a test gets against the response of the action as the vendor's SDK
//! declares it: known members, right nesting, right types.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

/// Responses by action.
static RESPONSES: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let table: Value = serde_json::from_str(include_str!("../../openapi/cloudapi.json")).unwrap();
    let actions = table["actions"].as_object().unwrap();
    actions
        .iter()
        .map(|(action, schema)| (action.clone(), schema["response"].clone()))
        .collect()
});

/// Panics with all that is wrong.
pub(super) fn check(action: &str, answer: &Value) {
    let declared = RESPONSES
        .get(action)
        .unwrap_or_else(|| panic!("{action} is no action"));
    let mut wrong = Vec::new();
    compare(action, answer, declared, &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}\nin {answer:#}");
}

fn compare(path: &str, value: &Value, declared: &Value, wrong: &mut Vec<String>) {
    match (declared, value) {
        (Value::Object(declared), Value::Object(members)) => {
            for (name, member) in members {
                match declared.get(name) {
                    Some(declared) => compare(&format!("{path}.{name}"), member, declared, wrong),
                    None => wrong.push(format!("{path}.{name} is not declared")),
                }
            }
        }
        (Value::Array(declared), Value::Array(items)) => {
            for (declared, item) in declared.iter().cycle().zip(items) {
                compare(&format!("{path}[]"), item, declared, wrong);
            }
        }
        (Value::String(kind), value) => {
            let fits = match kind.as_str() {
                "str" => value.is_string(),
                "int" => value.is_i64() || value.is_u64(),
                "bool" => value.is_boolean(),
                other => panic!("{path} is declared as {other}"),
            };
            if !fits {
                wrong.push(format!("{path} should be {kind}: {value}"));
            }
        }
        _ => wrong.push(format!("{path} has another shape than {declared}")),
    }
}
