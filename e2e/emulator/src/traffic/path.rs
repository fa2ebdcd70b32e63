//! The path towards the backend.

use crate::cloudapi::{Definition, PathMatch};

/// The service path with its parameters and its `/*` filled in from the request.
pub(super) fn outgoing(definition: &Definition, matched: &PathMatch) -> String {
    let template = &definition.service.service_path;
    let (prefix, wildcard) = match template.strip_suffix("/*") {
        Some(prefix) => (prefix, true),
        None => (template.as_str(), false),
    };
    let mut path = String::new();
    for segment in prefix.split('/').skip(1) {
        path.push('/');
        match segment.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
            Some(name) => path.push_str(&value(definition, matched, name)),
            None => path.push_str(segment),
        }
    }
    if wildcard {
        path.push('/');
        path.push_str(matched.rest.as_deref().unwrap_or_default());
    }
    if path.is_empty() {
        "/".to_owned()
    } else {
        path
    }
}

/// The value of a path parameter of the backend: that of the request parameter mapped to it.
fn value(definition: &Definition, matched: &PathMatch, service_name: &str) -> String {
    let mapped = definition
        .service_parameters_map
        .iter()
        .find(|entry| entry.service_parameter_name == service_name);
    let name = mapped.map_or(service_name, |entry| entry.request_parameter_name.as_str());
    matched
        .parameters
        .iter()
        .find(|(known, _)| known == name)
        .map_or_else(String::new, |(_, value)| value.clone())
}
