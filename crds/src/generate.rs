//! The CustomResourceDefinitions, as they are committed, installed and printed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use crate::{GatewayBinding, GatewayBindingClass, GatewayConsumer, UNOBSERVED};

/// First line of every generated file.
pub const HEADER: &str = "# Generated from the types of the crate `crds`. Do not edit; regenerate with\n\
                          #   UPDATE_GENERATED=1 cargo test -p crds --test generated\n";

/// A definition could not be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("cannot write CustomResourceDefinition {name:?} as YAML")]
pub struct GenerateError {
    name: String,
    source: serde_saphyr::ser::Error,
}

/// The definitions of all kinds: GatewayBinding, GatewayBindingClass, GatewayConsumer.
///
/// Use these rather than `GatewayBinding::crd()`, whose schema lets `null` stand for a missing field.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    let mut definitions = vec![
        GatewayBinding::crd(),
        GatewayBindingClass::crd(),
        GatewayConsumer::crd(),
    ];
    for version in definitions
        .iter_mut()
        .flat_map(|definition| &mut definition.spec.versions)
    {
        if let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
        {
            tidy(schema);
            unobserved(schema);
        }
    }
    definitions
}

/// One definition as a YAML document, with the header.
///
/// # Errors
///
/// When the definition cannot be written as YAML.
pub fn document(definition: &CustomResourceDefinition) -> Result<String, GenerateError> {
    let body = serde_saphyr::to_string(definition).map_err(|source| GenerateError {
        name: definition.metadata.name.clone().unwrap_or_default(),
        source,
    })?;
    Ok(format!("{HEADER}{body}"))
}

/// One definition as a template of the Helm chart `gatewaybinding-crds`. Helm upgrades it and leaves
/// it when the release is uninstalled, since every object of the kind would go with it.
///
/// # Errors
///
/// When the definition cannot be written as YAML.
pub fn chart_template(definition: &CustomResourceDefinition) -> Result<String, GenerateError> {
    let mut definition = definition.clone();
    let annotations = definition.metadata.annotations.get_or_insert_default();
    annotations.insert("helm.sh/resource-policy".to_owned(), "keep".to_owned());
    // Braces of a description are no template.
    Ok(document(&definition)?.replace("{{", r#"{{ "{{" }}"#))
}

/// All definitions as one stream of YAML documents.
///
/// # Errors
///
/// When a definition cannot be written as YAML.
pub fn yaml() -> Result<String, GenerateError> {
    let documents: Vec<String> = all().iter().map(document).collect::<Result<_, _>>()?;
    Ok(documents.join("---\n"))
}

/// Makes a derived schema say what we mean.
///
/// - An optional field may be missing, but not `null`: `deny: null` must not read as "no guard".
/// - The lines of a doc comment become paragraphs, since `kubectl explain` breaks lines itself.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(description) = &mut schema.description {
        *description = paragraphs(description);
    }
    for property in schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
    {
        tidy(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => tidy(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(tidy),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

/// Lets the API server say of a new object that nobody has looked at it. kstatus takes an object without
/// a status for done; a generation that is not the object's own tells it to wait.
fn unobserved(schema: &mut JSONSchemaProps) {
    let properties = schema.properties.as_mut();
    if let Some(status) = properties.and_then(|properties| properties.get_mut("status")) {
        status.default = Some(JSON(
            serde_json::json!({ "observedGeneration": UNOBSERVED }),
        ));
    }
}

/// Joins the lines of each paragraph; blank lines keep paragraphs apart.
fn paragraphs(text: &str) -> String {
    text.split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_paragraphs_kept() {
        assert_eq!(
            paragraphs("one\ntwo \n three\n\nfour\nfive"),
            "one two three\n\nfour five"
        );
    }
}
