//! Differences, field by field, between what is wanted and what is there.

use serde::Serialize;
use serde_json::Value;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Dotted path, for example `backend.timeoutMs`.
    pub path: String,
    /// What is there; none: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What is wanted; none: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// Every leaf in which `wanted` differs from `seen`, in the order of the paths.
pub fn fields<T: Serialize>(seen: &T, wanted: &T) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let seen = serde_json::to_value(seen).unwrap_or(Value::Null);
    let wanted = serde_json::to_value(wanted).unwrap_or(Value::Null);
    walk(String::new(), Some(&seen), Some(&wanted), &mut changes);
    changes
}

fn walk(path: String, seen: Option<&Value>, wanted: Option<&Value>, out: &mut Vec<FieldChange>) {
    let absent = |value: Option<&Value>| value.is_none_or(Value::is_null);
    if seen == wanted || (absent(seen) && absent(wanted)) {
        return;
    }
    if let (Some(Value::Object(seen)), Some(Value::Object(wanted))) = (seen, wanted) {
        let mut keys: Vec<&String> = seen.keys().chain(wanted.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            walk(path, seen.get(key), wanted.get(key), out);
        }
        return;
    }
    out.push(FieldChange {
        path,
        from: seen.filter(|value| !value.is_null()).cloned(),
        to: wanted.filter(|value| !value.is_null()).cloned(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn leaves_are_named_by_their_path() {
        let seen = json!({"a": 1, "b": {"c": "x", "d": null}, "gone": true});
        let wanted = json!({"a": 1, "b": {"c": "y"}, "new": [1]});
        let changes = fields(&seen, &wanted);
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["b.c", "gone", "new"]);
        assert_eq!(changes[0].from, Some(json!("x")));
        assert_eq!(changes[0].to, Some(json!("y")));
        assert_eq!(changes[1].to, None);
    }

    #[test]
    fn equal_values_do_not_differ() {
        let value = json!({"a": {"b": [1, 2]}});
        assert_eq!(fields(&value, &value), []);
    }
}
