//! The fields that a step sets, for programs.

use cloud_adapter::gateway::model::Environment;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Operation, Step};
use crate::core::diff::FieldChange;
use crate::core::foresee::{LATER, known_later};
use crate::core::key::ObjectKey;

/// The fields that a step sets: those that change, or all of something that is created. Selector and
/// ports of a new Service are left open unless its shape is known.
pub fn fields(step: &Step, shape_is_known: bool) -> Vec<FieldChange> {
    if let ObjectKey::Service { .. } = step.key
        && !step.changes.is_empty()
    {
        return step.changes.iter().map(service_change).collect();
    }
    if !step.changes.is_empty() {
        return step.changes.clone();
    }
    let mut fields = Vec::new();
    leaves(String::new(), &created(step, shape_is_known), &mut fields);
    fields
}

/// All that a creation sets; nothing for anything else.
fn created(step: &Step, shape_is_known: bool) -> Value {
    let environment = environment(&step.key);
    match &step.operation {
        Operation::CreateService { shape, annotations } => {
            let mut object = Map::new();
            for (key, value) in annotations {
                object.insert(annotation(key), value.clone().into());
            }
            object.insert("spec.type".to_owned(), "LoadBalancer".into());
            let (selector, ports) = if shape_is_known {
                (value(&shape.selector), value(&shape.ports))
            } else {
                (LATER.into(), LATER.into())
            };
            object.insert("spec.selector".to_owned(), selector);
            object.insert("spec.ports".to_owned(), ports);
            Value::Object(object)
        }
        Operation::CreateGroup(spec) => value(spec),
        Operation::CreateBackend(spec) => value(spec),
        Operation::CreateApi(spec) => value(spec),
        Operation::CreatePolicy(spec) => value(spec),
        Operation::Deploy { .. } => json!({ "environment": environment }),
        Operation::Attach { policy } => json!({ "environment": environment, "policy": policy }),
        Operation::Grant { until, .. } => {
            let consumer = match &step.key {
                ObjectKey::Grant { consumer, .. } => Some(consumer.to_string()),
                _ => None,
            };
            json!({ "environment": environment, "consumer": consumer, "until": until })
        }
        _ => Value::Null,
    }
}

fn environment(key: &ObjectKey) -> Option<Environment> {
    match key {
        ObjectKey::Deployment { environment, .. }
        | ObjectKey::Attachment { environment, .. }
        | ObjectKey::Grant { environment, .. } => Some(*environment),
        _ => None,
    }
}

fn value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn annotation(key: &str) -> String {
    format!("metadata.annotations[{key}]")
}

/// The plan compares a Service's annotations by their keys, and its selector and ports by name.
fn service_change(change: &FieldChange) -> FieldChange {
    if change.path.starts_with("slb.") {
        return change.clone(); // Of its load balancer.
    }
    let shape =
        change.path == "ports" || change.path == "selector" || change.path.starts_with("selector.");
    let path = if shape {
        format!("spec.{}", change.path)
    } else {
        annotation(&change.path)
    };
    FieldChange {
        path,
        ..change.clone()
    }
}

fn leaves(path: String, value: &Value, fields: &mut Vec<FieldChange>) {
    match value {
        Value::Null => {}
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                leaves(path, value, fields);
            }
        }
        value => {
            let value = match value.as_str() {
                Some(text) => known_later(text).into(),
                None => value.clone(),
            };
            fields.push(FieldChange {
                path,
                from: None,
                to: Some(value),
            });
        }
    }
}
