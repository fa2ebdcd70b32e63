//! Entries that a list of an object must not have twice: the API server refuses them by the list's
//! type, which JSON schema has no word for.

use serde_json::Value;

/// Repeated entries in the lists of an object.
pub(super) fn repeated(schema: &Value, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(schema, object, "", &mut found);
    found
}

fn walk(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(schema) = schema.get("properties").and_then(|all| all.get(name)) {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    walk(schema, value, &path, found);
                }
            }
        }
        Value::Array(entries) => {
            list(schema, entries, path, found);
            if let Some(schema) = schema.get("items") {
                for (index, entry) in entries.iter().enumerate() {
                    walk(schema, entry, &format!("{path}[{index}]"), found);
                }
            }
        }
        _ => {}
    }
}

fn list(schema: &Value, entries: &[Value], path: &str, found: &mut Vec<String>) {
    let keys: Vec<&str> = match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => Vec::new(),
        Some("map") => schema
            .get("x-kubernetes-list-map-keys")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
        _ => return,
    };
    let identity = |entry: &Value| -> Value {
        match keys.as_slice() {
            [] => entry.clone(),
            keys => keys.iter().map(|key| entry.get(*key).cloned()).collect(),
        }
    };
    let identities: Vec<Value> = entries.iter().map(identity).collect();
    for (index, identity) in identities.iter().enumerate() {
        let first = identities.iter().position(|other| other == identity);
        if let Some(first) = first.filter(|first| *first != index) {
            let what = match keys.as_slice() {
                [] => "value".to_owned(),
                keys => keys.join(" and "),
            };
            found.push(format!(
                "{path}[{index}]: has the same {what} as {path}[{first}]. Keep one of them."
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_stands_twice_is_found_by_the_lists_type() {
        let schema = json!({"properties": {
            "set": {"x-kubernetes-list-type": "set"},
            "map": {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": {"properties": {"set": {"x-kubernetes-list-type": "set"}}}},
            "free": {"x-kubernetes-list-type": "atomic"},
        }});
        let object = json!({
            "set": ["a", "b", "a"], "free": [1, 1],
            "map": [{"name": "x", "v": 1}, {"name": "x", "v": 2}, {"name": "y", "set": [3, 3]}],
        });
        let found = repeated(&schema, &object);
        assert_eq!(
            found,
            [
                "map[1]: has the same name as map[0]. Keep one of them.",
                "map[2].set[1]: has the same value as map[2].set[0]. Keep one of them.",
                "set[2]: has the same value as set[0]. Keep one of them.",
            ]
        );
    }
}
