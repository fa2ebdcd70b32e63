//! A stand-in for the API server's validation: structure and bounds by JSON schema, rules by CEL.

use std::{collections::BTreeSet, sync::LazyLock};

use kube::core::cel::Validator;
use serde_json::Value;

/// A change to a manifest as a JSON merge patch in YAML, where `null` takes a field away.
pub(crate) type Patch = &'static str;

static DEFINITIONS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    crds::generate::all()
        .iter()
        .map(|definition| serde_json::to_value(definition).unwrap())
        .collect()
});

/// The schema of a kind, as the API server gets it.
pub(crate) fn schema(kind: &str) -> &'static Value {
    DEFINITIONS
        .iter()
        .find(|definition| definition["spec"]["names"]["kind"] == kind)
        .and_then(|definition| definition.pointer("/spec/versions/0/schema/openAPIV3Schema"))
        .unwrap_or_else(|| panic!("no schema for {kind}"))
}

/// The documents of a file of fixtures.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("fixtures are valid YAML")
}

/// The object of this kind in the first scenario.
pub(crate) fn base(kind: &str) -> Value {
    documents(include_str!("../fixtures/knative-behind-api-gateway.yaml"))
        .into_iter()
        .find(|document| document["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind} among the fixtures"))
}

/// The object after a change.
pub(crate) fn patched(mut object: Value, patch: &str) -> Value {
    let patch: Value = serde_saphyr::from_str(patch).expect("a patch is valid YAML");
    json_patch::merge(&mut object, &patch);
    object
}

/// Everything that is wrong with an object, or with the change of an object that was there.
pub(crate) fn violations(object: &Value, old: Option<&Value>) -> Vec<String> {
    let schema = schema(object["kind"].as_str().expect("an object has a kind"));
    let structure = jsonschema::draft4::new(&strict(schema)).expect("the schema is valid");
    let mut found: Vec<String> = structure
        .iter_errors(object)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    // The API server does not run rules on what has the wrong shape either.
    if found.is_empty()
        && let Err(errors) = Validator::new().validate(schema, object, old)
    {
        found.extend(
            errors
                .iter()
                .map(|error| format!("{}: {}", error.field_path, error.message)),
        );
    }
    found
}

/// The same schema, refusing fields that it does not know, as kubectl has the API server do.
fn strict(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let root = schema.as_object_mut().expect("a schema is an object");
    for name in ["apiVersion", "kind", "metadata"] {
        root["properties"][name] = serde_json::json!({});
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

/// Fails unless each change of the base object is accepted.
pub(crate) fn accepted(kind: &str, cases: &[(&str, Patch)]) {
    for (what, patch) in cases {
        let found = violations(&patched(base(kind), patch), None);
        assert!(found.is_empty(), "{what} is refused: {found:#?}");
    }
}

/// Fails unless each change of the base object is refused, for the one reason given.
pub(crate) fn refused(kind: &str, cases: &[(&str, Patch, &str)]) {
    for (what, patch, expected) in cases {
        assert_refused(
            what,
            &violations(&patched(base(kind), patch), None),
            expected,
        );
    }
}

/// Fails unless each update, from the base object with the one change to it with the other, is
/// answered as expected: `None` for accepted.
pub(crate) fn updates(kind: &str, cases: &[(&str, Patch, Patch, Option<&str>)]) {
    for (what, before, after, expected) in cases {
        let old = patched(base(kind), before);
        let found = violations(&patched(base(kind), after), Some(&old));
        match expected {
            Some(expected) => assert_refused(what, &found, expected),
            None => assert!(found.is_empty(), "{what} is refused: {found:#?}"),
        }
    }
}

/// One mistake may break more than one bound, but nothing else may be wrong with the case.
pub(crate) fn assert_refused(what: &str, found: &[String], expected: &str) {
    assert!(!found.is_empty(), "{what} is accepted");
    let others: Vec<_> = found
        .iter()
        .filter(|message| !message.contains(expected))
        .collect();
    assert!(
        others.is_empty(),
        "{what} is refused not only with {expected:?} but with {others:#?}"
    );
}

/// Fails unless the expected messages cover every rule of the kind.
pub(crate) fn every_rule_is_broken_by(
    kind: &str,
    expected: impl IntoIterator<Item = &'static str>,
) {
    let mut messages = BTreeSet::new();
    collect_messages(schema(kind), &mut messages);
    let expected: Vec<&str> = expected.into_iter().collect();
    messages.retain(|message| !expected.iter().any(|expected| message.contains(expected)));
    assert!(
        messages.is_empty(),
        "no case breaks these rules of {kind}: {messages:#?}"
    );
}

fn collect_messages(schema: &Value, messages: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            for rule in object
                .get("x-kubernetes-validations")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                messages.insert(
                    rule["message"]
                        .as_str()
                        .expect("a rule has a message")
                        .to_owned(),
                );
            }
            object
                .values()
                .for_each(|value| collect_messages(value, messages));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| collect_messages(value, messages)),
        _ => {}
    }
}
