//! Lists that come back short.

use serde_json::Value;

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
