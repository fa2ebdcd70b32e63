//! JSON given as text in a request parameter.
//!
//! Clients disagree on the case of the first letter of a key (`requestPath` and `RequestPath` are
//! both accepted by the product) and on whether a number is sent as a number or as text. Both are
//! made equal here, before the typed structures see them.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::errors;
use crate::api::ApiError;

/// Members whose value is an integer.
const INTEGERS: [&str; 8] = [
    "ServiceTimeout",
    "MockStatusCode",
    "MaxLength",
    "MinLength",
    "MaxValue",
    "MinValue",
    "DocOrder",
    "Port",
];

/// Members whose value is a boolean.
const FLAGS: [&str; 2] = ["EscapePathParam", "OnlyBusinessPath"];

/// Reads one JSON object; `parameter` is the name that an error reports.
pub(super) fn object<T: DeserializeOwned>(parameter: &str, text: &str) -> Result<T, ApiError> {
    let value = parse(parameter, text)?;
    if !value.is_object() {
        return Err(errors::invalid_format(
            parameter,
            "a JSON object is expected",
        ));
    }
    serde_json::from_value(value).map_err(|e| errors::invalid_format(parameter, &e.to_string()))
}

/// Reads a JSON array of objects; absent or blank text is an empty list.
pub(super) fn list<T: DeserializeOwned>(
    parameter: &str,
    text: Option<&str>,
) -> Result<Vec<T>, ApiError> {
    let Some(text) = text.filter(|t| !t.trim().is_empty()) else {
        return Ok(Vec::new());
    };
    let value = parse(parameter, text)?;
    if !value.is_array() {
        return Err(errors::invalid_format(
            parameter,
            "a JSON array is expected",
        ));
    }
    serde_json::from_value(value).map_err(|e| errors::invalid_format(parameter, &e.to_string()))
}

fn parse(parameter: &str, text: &str) -> Result<Value, ApiError> {
    serde_json::from_str(text)
        .map(canonical)
        .map_err(|e| errors::invalid_format(parameter, &e.to_string()))
}

/// The same value with upper-camel keys, typed scalars and no nulls.
fn canonical(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        Value::Object(members) => {
            let mut result = Map::new();
            for (key, member) in members {
                let key = upper_first(&key);
                if let Some(member) = typed(&key, canonical(member)) {
                    result.insert(key, member);
                }
            }
            Value::Object(result)
        }
        other => other,
    }
}

/// The member with the type its name demands; none if it says nothing.
fn typed(key: &str, value: Value) -> Option<Value> {
    if value.is_null() {
        return None;
    }
    if INTEGERS.contains(&key) {
        return match &value {
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(
                text.trim()
                    .parse::<i64>()
                    .map_or(value.clone(), Value::from),
            ),
            _ => Some(value),
        };
    }
    if FLAGS.contains(&key) {
        return match &value {
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(Value::Bool(text.eq_ignore_ascii_case("true"))),
            _ => Some(value),
        };
    }
    Some(match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::String(if flag { "TRUE" } else { "FALSE" }.to_owned()),
        other => other,
    })
}

fn upper_first(key: &str) -> String {
    let mut letters = key.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_scalars_are_made_equal() {
        let lower = parse(
            "P",
            r#"{"serviceTimeout":"10000","vpcConfig":{"name":"a","port":80},"mock":false,"x":null}"#,
        );
        let upper = parse(
            "P",
            r#"{"ServiceTimeout":10000,"VpcConfig":{"Name":"a","Port":"80"},"Mock":"FALSE"}"#,
        );
        assert_eq!(lower.ok(), upper.ok());
    }

    #[test]
    fn a_wrong_shape_names_the_parameter() {
        let error = list::<Value>("RequestParameters", Some("{}")).unwrap_err();
        assert_eq!(error.code, "InvalidFormatRequestParameters");
        assert!(
            list::<Value>("RequestParameters", Some(" "))
                .unwrap()
                .is_empty()
        );
    }
}
