//! Lists that come back short.

use serde_json::{Value, json};

/// Cuts every list of an answer to its first `keep` items. Lists are members of the answer
/// (`Listeners`) or wrapped once more (`LoadBalancers.LoadBalancer`); totals are left as they are.
pub fn shorten_lists(answer: &mut Value, keep: usize) {
    let Value::Object(members) = answer else {
        return;
    };
    for value in members.values_mut() {
        match value {
            Value::Array(items) => items.truncate(keep),
            Value::Object(wrapper) if wrapper.len() == 1 => {
                if let Some(Value::Array(items)) = wrapper.values_mut().next() {
                    items.truncate(keep);
                }
            }
            _ => {}
        }
    }
}

/// Makes a member of one item of an answer's list something that it never is. Members that are
/// spoilt are named as in the answer, and so is the item, by the value of any member.
pub fn spoil_item(answer: &mut Value, id: &str, member: &str) {
    let is_it = |value: &Value| match value {
        Value::String(text) => text == id,
        Value::Number(number) => number.to_string() == id,
        _ => false,
    };
    match answer {
        Value::Array(items) => {
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                if item.values().any(is_it) {
                    item.insert(member.to_owned(), json!([{ "odd": true }]));
                }
            }
        }
        Value::Object(members) => {
            for value in members.values_mut() {
                spoil_item(value, id, member);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_item_is_spoilt() {
        let mut answer =
            json!({"Apps": {"AppItem": [{"AppId": 1, "N": "a"}, {"AppId": 2, "N": "b"}]}});
        spoil_item(&mut answer, "2", "N");
        let odd = json!([{"odd": true}]);
        assert_eq!(
            answer,
            json!({"Apps": {"AppItem": [{"AppId": 1, "N": "a"}, {"AppId": 2, "N": odd}]}})
        );
    }

    #[test]
    fn lists_get_short_and_totals_stay() {
        let mut answer =
            json!({"Apps": {"AppItem": [1, 2, 3]}, "Listeners": [1, 2], "TotalCount": 3});
        shorten_lists(&mut answer, 1);
        assert_eq!(
            answer,
            json!({"Apps": {"AppItem": [1]}, "Listeners": [1], "TotalCount": 3})
        );
    }
}
