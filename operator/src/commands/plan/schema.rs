//! What the API server would refuse in an object of ours: structure and bounds by the schema of
//! its CustomResourceDefinition, and the rules in it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use kube::core::cel::Validator;
use serde_json::Value;

use super::keyed;

/// Schemas by kind.
static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    crds::generate::all()
        .into_iter()
        .filter_map(|definition| {
            let kind = definition.spec.names.kind;
            let version = definition.spec.versions.into_iter().next()?;
            let schema = version.schema?.open_api_v3_schema?;
            Some((kind, serde_json::to_value(schema).ok()?))
        })
        .collect()
});

/// Longest value that a message repeats.
const MAX_VALUE: usize = 60;

/// Whether a kind is one of ours.
pub(super) fn is_known(kind: &str) -> bool {
    SCHEMAS.contains_key(kind)
}

/// Our kinds.
pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
    SCHEMAS.keys().map(String::as_str)
}

/// All that the API server would refuse in an object of one of our kinds: each with the field, the
/// value and the rule.
pub(super) fn violations(kind: &str, object: &Value) -> Vec<String> {
    let Some(schema) = SCHEMAS.get(kind) else {
        return Vec::new();
    };
    let strict = strict(schema);
    let structure = match jsonschema::draft4::options()
        .should_validate_formats(true)
        .build(&strict)
    {
        Ok(structure) => structure,
        Err(error) => return vec![format!("the schema of {kind} cannot be used: {error}")],
    };
    let mut found: Vec<String> = structure
        .iter_errors(object)
        .flat_map(|error| describe(&error, &strict))
        .collect();
    found.extend(keyed::repeated(schema, object));
    // Like the API server, ask no rule about what has the wrong shape.
    if found.is_empty()
        && let Err(errors) = Validator::new().validate(schema, object, None)
    {
        found.extend(errors.iter().map(|error| {
            let path = error.field_path.trim_start_matches('.');
            match path {
                "" => format!("{}.", error.message),
                path => format!("{path}: {}.", error.message),
            }
        }));
    }
    found
}

fn describe(error: &jsonschema::ValidationError<'_>, schema: &Value) -> Vec<String> {
    let path = dotted(error.instance_path().as_str());
    let value = shown(&path, error.instance());
    let at = |keyword: &str| parent(schema, error.schema_path().as_str(), keyword);
    let help = description(at(error.kind().keyword()));
    let line = |text: String| vec![format!("{path}: {text}{help}")];
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = known_fields(at("additionalProperties"));
            unexpected
                .iter()
                .map(|field| {
                    format!(
                        "{}: there is no such field. Fields here: {known}.",
                        join(&path, field)
                    )
                })
                .collect()
        }
        ValidationErrorKind::Required { property } => {
            let field = property.as_str().unwrap_or_default();
            let property = at("required").and_then(|schema| schema.get("properties")?.get(field));
            let path = join(&path, field);
            vec![format!(
                "{path}: is required and missing. Add it.{}",
                description(property)
            )]
        }
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
            let options: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
            vec![format!(
                "{path}: {value} is not one of {}. Use one of them.",
                options.join(", ")
            )]
        }
        ValidationErrorKind::Type {
            kind: TypeKind::Single(type_),
        } => line(format!(
            "is {}, and has to be of type {type_}.",
            kind_of(error.instance())
        )),
        ValidationErrorKind::Pattern { pattern } => {
            line(format!("{value} does not match {pattern}."))
        }
        ValidationErrorKind::MaxLength { limit } => {
            let length = error
                .instance()
                .as_str()
                .unwrap_or_default()
                .chars()
                .count();
            line(format!(
                "{value} has {length} characters, and may have at most {limit}."
            ))
        }
        ValidationErrorKind::MinLength { limit } => line(format!(
            "{value} is too short: it has to have at least {limit} characters."
        )),
        ValidationErrorKind::MaxItems { limit } => {
            line(format!("has more than {limit} entries. Remove some."))
        }
        ValidationErrorKind::MinItems { limit } => line(format!(
            "has to have at least {limit} entries. Add one, or leave the field out where it is optional."
        )),
        ValidationErrorKind::Minimum { limit } => line(format!(
            "{value} is below {}, the least allowed.",
            whole(limit)
        )),
        ValidationErrorKind::Maximum { limit } => line(format!(
            "{value} is above {}, the most allowed.",
            whole(limit)
        )),
        ValidationErrorKind::Format { format } => line(format!("{value} is not a {format}.")),
        _ => line(format!("{}.", error.masked_with("the value"))),
    }
}

/// The schema that a violated keyword belongs to.
fn parent<'a>(schema: &'a Value, schema_path: &str, keyword: &str) -> Option<&'a Value> {
    let pointer = schema_path.strip_suffix(keyword)?.strip_suffix('/')?;
    schema.pointer(pointer)
}

/// A field's description, for people who got it wrong.
fn description(schema: Option<&Value>) -> String {
    schema
        .and_then(|schema| schema.get("description")?.as_str())
        .map(|text| format!(" What it is: {text}"))
        .unwrap_or_default()
}

fn known_fields(schema: Option<&Value>) -> String {
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
    let names: Vec<&str> = properties
        .into_iter()
        .flat_map(|properties| properties.keys().map(String::as_str))
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// A bound without the `.0` that a schema gives to whole numbers.
fn whole(limit: &Value) -> String {
    let text = limit.to_string();
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A value for a message: short, and never one of a credential, where somebody may have written
/// the secret itself.
fn shown(path: &str, value: &Value) -> String {
    if path.contains("credentials") {
        return "the value".to_owned();
    }
    let text = value.to_string();
    if text.chars().count() <= MAX_VALUE {
        return text;
    }
    let start: String = text.chars().take(MAX_VALUE).collect();
    format!("{start}…")
}

/// `/spec/routes/0/path` as people write it: `spec.routes[0].path`.
fn dotted(pointer: &str) -> String {
    pointer
        .split('/')
        .skip(1)
        .fold(String::new(), |path, segment| {
            let segment = segment.replace("~1", "/").replace("~0", "~");
            if segment.parse::<usize>().is_ok() {
                format!("{path}[{segment}]")
            } else {
                join(&path, &segment)
            }
        })
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

/// The same schema, refusing fields that it does not know, as kubectl has the API server do. It
/// says nothing about `metadata`, which is Kubernetes' own.
fn strict(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    if let Some(properties) = properties {
        for name in ["apiVersion", "kind", "metadata"] {
            properties.insert(name.to_owned(), serde_json::json!({}));
        }
    }
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if object.get("type") == Some(&"object".into()) && !object.contains_key("additionalProperties")
    {
        object.insert("additionalProperties".to_owned(), false.into());
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
    }
    for inner in ["items", "additionalProperties"] {
        object.get_mut(inner).map(close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn consumer(credential: Value) -> Vec<String> {
        let object = json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayConsumer",
            "metadata": {"name": "c"}, "spec": {"credentials": [credential]},
        });
        violations("GatewayConsumer", &object)
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        let base = json!({"name": "a", "type": "Generated", "kinds": ["APIKey"], "secretRef": {"name": "s"}});
        assert_eq!(consumer(base.clone()), Vec::<String>::new());
        for (field, value) in [
            ("secretRef", json!("hunter2")),
            ("secretRef", json!({"name": "Hunter2!"})),
            ("kinds", json!(["hunter2"])),
            ("until", json!("hunter2")),
            ("apiKey", json!("hunter2")),
        ] {
            let mut credential = base.clone();
            credential[field] = value;
            let found = consumer(credential).join("\n");
            assert!(found.contains(field), "{found}");
            assert!(!found.to_lowercase().contains("hunter2"), "{found}");
        }
    }

    #[test]
    fn paths_are_written_as_people_write_them() {
        assert_eq!(dotted("/spec/routes/0/path"), "spec.routes[0].path");
        assert_eq!(dotted("/spec/a~1b"), "spec.a/b");
        assert_eq!(dotted(""), "");
    }
}
