//! JSON as Go's standard library reads it into structures: the case of names does not count, unknown
//! names are passed over, `null` leaves the zero value, and a value of another type is an error.

use serde_json::{Map, Value};

use super::failure::Unreadable;

/// A structure being read, and its Go type, for messages.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    members: &'a Map<String, Value>,
    of: &'static str,
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The whole text as JSON.
pub(super) fn parse(text: &str) -> Result<Value, Unreadable> {
    serde_json::from_str(text).map_err(|error| Unreadable::Error(complaint(text, &error)))
}

/// What Go says of a text that is no JSON.
pub(super) fn complaint(text: &str, error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let line = text.lines().nth(error.line().saturating_sub(1));
    let rest = line.and_then(|line| line.get(error.column().saturating_sub(1)..));
    match rest.and_then(|rest| rest.chars().next()) {
        Some(sign) if error.to_string().starts_with("expected value") => {
            format!("invalid character '{sign}' looking for beginning of value")
        }
        _ => format!("invalid character in JSON: {error}"),
    }
}

/// The items of a list; none for `null`.
pub(super) fn list<'a>(value: &'a Value, go_type: &str) -> Result<&'a [Value], Unreadable> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        other => Err(Unreadable::Error(format!(
            "json: cannot unmarshal {} into Go value of type {go_type}",
            kind(other)
        ))),
    }
}

static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

/// A structure.
pub(super) fn object<'a>(value: &'a Value, of: &'static str) -> Result<Reader<'a>, Unreadable> {
    match value {
        Value::Null => Ok(Reader {
            members: &EMPTY,
            of,
        }),
        Value::Object(members) => Ok(Reader { members, of }),
        other => Err(Unreadable::Error(format!(
            "json: cannot unmarshal {} into Go value of type {of}",
            kind(other)
        ))),
    }
}

impl<'a> Reader<'a> {
    /// The member by its name, exactly or else but for case; of several, the last counts.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        let found = self.members.get(name);
        let mut alike = self.members.iter().rev();
        let found = found.or_else(|| {
            let alike = alike.find(|(other, _)| other.eq_ignore_ascii_case(name));
            alike.map(|(_, value)| value)
        });
        found.filter(|value| !value.is_null())
    }

    fn mismatch(&self, name: &str, value: &Value, go_type: &str) -> Unreadable {
        Unreadable::Error(format!(
            "json: cannot unmarshal {} into Go struct field {}.{name} of type {go_type}",
            kind(value),
            self.of
        ))
    }

    /// A pointer to a structure: absent is not the same as empty.
    pub(super) fn pointer(
        &self,
        name: &str,
        of: &'static str,
    ) -> Result<Option<Reader<'a>>, Unreadable> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Reader { members, of })),
            Some(other) => Err(self.mismatch(name, other, of)),
        }
    }

    /// A structure by value: absent is empty.
    pub(super) fn inner(&self, name: &str, of: &'static str) -> Result<Reader<'a>, Unreadable> {
        let empty = Reader {
            members: &EMPTY,
            of,
        };
        Ok(self.pointer(name, of)?.unwrap_or(empty))
    }

    pub(super) fn text(&self, name: &str) -> Result<String, Unreadable> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(self.mismatch(name, other, "string")),
        }
    }

    pub(super) fn int(&self, name: &str) -> Result<i64, Unreadable> {
        match self.get(name) {
            None => Ok(0),
            Some(value) => value
                .as_i64()
                .ok_or_else(|| self.mismatch(name, value, "int")),
        }
    }

    pub(super) fn bool(&self, name: &str) -> Result<bool, Unreadable> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(self.mismatch(name, other, "bool")),
        }
    }

    pub(super) fn items(&self, name: &str, go_type: &str) -> Result<&'a [Value], Unreadable> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.mismatch(name, other, go_type)),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Unreadable> {
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Null => Ok(String::new()),
            other => Err(self.mismatch(name, other, "string")),
        };
        self.items(name, "[]string")?.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_match_whatever_their_case_and_types_must_fit() {
        let value = json!({"TYPE": "x", "servicePort": "80", "weight": null, "more": 1});
        let reader = object(&value, "configcache.Action").expect("an object");
        assert_eq!(reader.text("Type"), Ok("x".to_owned()));
        assert_eq!(reader.int("weight"), Ok(0));
        let refusal = reader.int("servicePort").expect_err("a string");
        let words = "json: cannot unmarshal string into Go struct field configcache.Action.servicePort of type int";
        assert_eq!(refusal.to_string(), words);
        let refusal = list(&value, "[]configcache.Action").expect_err("no list");
        let words = "json: cannot unmarshal object into Go value of type []configcache.Action";
        assert_eq!(refusal.to_string(), words);
    }
}
