//! The reference of the API, as it is committed in `docs/api-reference.md`.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use crate::generate;

const HEADER: &str = "<!-- Generated from the types of the crate `crds`. Do not edit; regenerate with
     UPDATE_GENERATED=1 cargo test -p crds --test generated -->

# API reference

Group `gatewaybinding.dev`, version `v1alpha1`. `kubectl explain gatewaybinding.spec` shows the same on a
cluster. A field with a bold type is required where the block it stands in is given. `[]` stands for each
item of a list, `{}` for each value of a map. The rules below a table are checked by the API server; each
has the words with which it refuses.
";

/// The reference of all kinds as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = HEADER.to_owned();
    for definition in generate::all() {
        kind(&definition, &mut text);
    }
    text
}

fn kind(definition: &CustomResourceDefinition, text: &mut String) {
    let names = &definition.spec.names;
    let short = names.short_names.iter().flatten().next();
    let _ = write!(text, "\n## {}\n\n", names.kind);
    let schemas = definition.spec.versions.iter();
    for schema in schemas.filter_map(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref())
    {
        let _ = writeln!(
            text,
            "{}\n\n{}, `kubectl get {}`{}.",
            schema.description.as_deref().unwrap_or_default(),
            definition.spec.scope,
            names.plural,
            short
                .map(|short| format!(", short `{short}`"))
                .unwrap_or_default()
        );
        for part in ["spec", "status"] {
            let found = schema.properties.as_ref().and_then(|all| all.get(part));
            if let Some(found) = found {
                block(&names.kind, part, found, text);
            }
        }
        let mut rules = Vec::new();
        collect_rules("", schema, false, &mut rules);
        write_rules(&rules, text);
    }
}

fn block(kind: &str, part: &str, schema: &JSONSchemaProps, text: &mut String) {
    let _ = write!(text, "\n### {part} of {kind}\n\n");
    text.push_str("| field | type | meaning |\n|---|---|---|\n");
    rows(part, schema, text);
    if part == "spec" {
        let mut rules = Vec::new();
        collect_rules(part, schema, true, &mut rules);
        write_rules(&rules, text);
    }
}

/// A row for each field below `schema`, in the order of their names.
fn rows(path: &str, schema: &JSONSchemaProps, text: &mut String) {
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        let required = schema.required.iter().flatten().any(|one| one == name);
        let type_ = type_of(field);
        let type_ = if required {
            format!("**{type_}**")
        } else {
            type_
        };
        let mut meaning = field.description.clone().unwrap_or_default();
        if meaning.is_empty() {
            meaning = below(field)
                .and_then(|(_, inner)| inner.description.clone())
                .unwrap_or_default();
        }
        let _ = writeln!(
            text,
            "| `{path}` | {type_} | {} |",
            cell(&[meaning, bounds(field)].join(" "))
        );
        rows(&path, field, text);
        if let Some((suffix, inner)) = below(field) {
            rows(&format!("{path}{suffix}"), inner, text);
        }
    }
}

/// The schema of a list's items or a map's values, and how its path goes on.
fn below(schema: &JSONSchemaProps) -> Option<(&'static str, &JSONSchemaProps)> {
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        return Some(("[]", items));
    }
    match &schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(values)) => Some(("{}", values)),
        _ => None,
    }
}

fn type_of(schema: &JSONSchemaProps) -> String {
    let own = schema.type_.as_deref().unwrap_or("any");
    match below(schema) {
        Some(("[]", items)) => format!("list of {}", type_of(items)),
        Some((_, values)) => format!("map of {}", type_of(values)),
        None => own.to_owned(),
    }
}

/// What the schema itself demands of a value.
fn bounds(schema: &JSONSchemaProps) -> String {
    let mut parts = Vec::new();
    if let Some(values) = &schema.enum_ {
        let words: Vec<String> = values
            .iter()
            .map(|value| format!("`{}`", value.0.as_str().unwrap_or_default()))
            .collect();
        parts.push(format!("One of {}.", words.join(", ")));
    }
    let range = |least: Option<i64>, most: Option<i64>, what: &str| match (least, most) {
        (Some(least), Some(most)) => Some(format!("{least} to {most} {what}.")),
        (Some(least), None) => Some(format!("At least {least} {what}.")),
        (None, Some(most)) => Some(format!("At most {most} {what}.")),
        (None, None) => None,
    };
    parts.extend(range(schema.min_items, schema.max_items, "items"));
    parts.extend(range(
        schema.min_properties,
        schema.max_properties,
        "entries",
    ));
    if schema.enum_.is_none() {
        parts.extend(range(schema.min_length, schema.max_length, "characters"));
    }
    match (schema.minimum, schema.maximum) {
        (Some(least), Some(most)) => parts.push(format!("From {least} to {most}.")),
        (Some(least), None) => parts.push(format!("From {least}.")),
        (None, Some(most)) => parts.push(format!("Up to {most}.")),
        (None, None) => {}
    }
    if let Some(pattern) = &schema.pattern {
        parts.push(format!("Pattern `{pattern}`."));
    }
    parts.join(" ")
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

/// The rules of a schema and, if `deep`, of all below it: where they hold, and their words.
fn collect_rules(
    path: &str,
    schema: &JSONSchemaProps,
    deep: bool,
    rules: &mut Vec<(String, String)>,
) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        rules.push((path.to_owned(), rule.message.clone().unwrap_or_default()));
    }
    if !deep {
        return;
    }
    for (name, field) in schema.properties.iter().flatten() {
        collect_rules(&format!("{path}.{name}"), field, deep, rules);
    }
    if let Some((suffix, inner)) = below(schema) {
        collect_rules(&format!("{path}{suffix}"), inner, deep, rules);
    }
}

fn write_rules(rules: &[(String, String)], text: &mut String) {
    if rules.is_empty() {
        return;
    }
    text.push('\n');
    for (path, message) in rules {
        let at = if path.is_empty() {
            String::new()
        } else {
            format!("`{path}`: ")
        };
        let _ = writeln!(text, "- {at}{message}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_type_and_words() {
        let text = markdown();
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        assert!(rows.len() > 100, "{} rows", rows.len());
        for row in rows {
            let cells: Vec<&str> = row.split(" | ").collect();
            let said = cells.get(2).is_some_and(|meaning| meaning.len() > 3);
            assert!(said, "{row}");
        }
    }

    #[test]
    fn bounds_and_rules_are_shown() {
        let text = markdown();
        for expected in [
            "| `spec.mode` | string |",
            "One of `Apply`, `Plan`, `Suspend`.",
            "- `spec`: className cannot be changed or removed once set",
            "| `spec.serviceRef` | **object** |",
            "`spec.apiGateway.routes[].path",
        ] {
            assert!(text.contains(expected), "no {expected:?}");
        }
    }
}
