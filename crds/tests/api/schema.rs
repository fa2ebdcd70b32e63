//! Properties that the schemas of all kinds have.

use serde_json::{Map, Value, json};

use crate::check::schema;

const KINDS: [&str; 3] = ["GatewayBinding", "GatewayBindingClass", "GatewayConsumer"];

/// Collects the paths of the nodes of all schemas for which `complaint` has something to say.
fn complaints(
    complaint: impl Fn(&str, &Map<String, Value>) -> Option<&'static str>,
) -> Vec<String> {
    let mut found = Vec::new();
    for kind in KINDS {
        walk(kind, schema(kind), &mut |path, node| {
            found.extend(complaint(path, node).map(|text| format!("{path}: {text}")));
        });
    }
    found
}

fn walk(path: &str, node: &Value, visit: &mut impl FnMut(&str, &Map<String, Value>)) {
    let Some(node) = node.as_object() else { return };
    visit(path, node);
    for (name, property) in node
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        walk(&format!("{path}.{name}"), property, visit);
    }
    if let Some(items) = node.get("items") {
        walk(&format!("{path}[]"), items, visit);
    }
    if let Some(values) = node.get("additionalProperties") {
        walk(&format!("{path}{{}}"), values, visit);
    }
}

#[test]
fn every_list_map_and_string_is_bounded() {
    let found = complaints(|_, node| match node.get("type").and_then(Value::as_str) {
        Some("array") if !node.contains_key("maxItems") => Some("a list without maxItems"),
        Some("string") if !node.contains_key("maxLength") && !node.contains_key("enum") => {
            Some("a string without maxLength")
        }
        Some("object")
            if node.contains_key("additionalProperties") && !node.contains_key("maxProperties") =>
        {
            Some("a map without maxProperties")
        }
        Some("integer")
            if node
                .get("format")
                .is_some_and(|format| format != "int32" && format != "int64") =>
        {
            Some("an integer that is neither int32 nor int64")
        }
        _ => None,
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_list_says_how_it_merges() {
    let found = complaints(|_, node| {
        let is_list = node.get("type").is_some_and(|type_| type_ == "array");
        (is_list && !node.contains_key("x-kubernetes-list-type"))
            .then_some("a list without a list type")
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_keys_of_lists_are_required() {
    let found = complaints(|_, node| {
        let keys = node.get("x-kubernetes-list-map-keys")?.as_array()?;
        let required = node["items"].get("required").and_then(Value::as_array);
        let missing = keys
            .iter()
            .any(|key| !required.is_some_and(|required| required.contains(key)));
        missing.then_some("a key of the list may be left out")
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn nothing_may_be_null() {
    assert_eq!(
        complaints(|_, node| node.get("nullable").map(|_| "may be null")),
        Vec::<String>::new()
    );
}

#[test]
fn no_default_is_written_into_an_object() {
    // A new object is one that nobody has looked at; see docs/adr/0014-unobserved-status.md.
    let unobserved = json!({"observedGeneration": -1});
    for kind in KINDS {
        assert_eq!(schema(kind)["properties"]["status"]["default"], unobserved);
    }
    assert_eq!(
        complaints(|path, node| match node.get("default") {
            Some(_) if !path.ends_with(".status") => Some("has a default"),
            _ => None,
        }),
        Vec::<String>::new()
    );
}

#[test]
fn every_field_is_described() {
    let found = complaints(|path, node| {
        // What a list or a map holds is described by the list or the map; so is an enum in it.
        let is_element = path.ends_with(']') || path.ends_with('}');
        let description = node
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match () {
            () if is_element => None,
            () if description.is_empty() => Some("not described"),
            () if !description.ends_with(['.', '}']) => Some("the description is no sentence"),
            () if description.contains('`') || description.contains("Option<") => {
                Some("the description speaks of Rust")
            }
            () => None,
        }
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_choice_is_explained() {
    let mut found = Vec::new();
    for kind in KINDS {
        walk(kind, schema(kind), &mut |path, node| {
            let choices = node.get("enum").or_else(|| node.get("items")?.get("enum"));
            let description = node
                .get("description")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let missing = choices
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .filter(|choice| !description.contains(choice))
                .map(|choice| format!("{path}: {choice} is not explained"));
            if !path.ends_with(']') && !path.contains(".status.") {
                found.extend(missing);
            }
        });
    }
    assert_eq!(found, Vec::<String>::new());
}
