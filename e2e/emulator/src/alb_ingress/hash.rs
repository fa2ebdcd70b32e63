//! The hash by which the controller tells whether it applied an object as it is.

use k8s_openapi::api::networking::v1::Ingress;
use serde_json::{Value, json};
use sha2::{Digest, Sha224};

use super::yaml;

/// The hash of an Ingress: of its spec, annotations and time of deletion.
pub(super) fn of_ingress(ingress: &Ingress) -> String {
    of(json!([
        ingress.spec,
        ingress.metadata.annotations,
        ingress.metadata.deletion_timestamp,
    ]))
}

/// The hash of an AlbConfig, likewise.
pub(super) fn of_albconfig(spec: &Value, annotations: &Value, deletion: &Value) -> String {
    of(json!([spec, annotations, deletion]))
}

fn of(mut value: Value) -> String {
    without_zeros(&mut value);
    hex::encode(Sha224::digest(yaml::write(&value)))
}

/// Members that are zero go, at any depth; items of a list only at the top.
fn without_zeros(value: &mut Value) {
    if let Value::Array(items) = value {
        items.iter_mut().for_each(within);
        items.retain(|item| !is_zero(item));
    }
}

fn within(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !is_zero(member));
            members.values_mut().for_each(within);
        }
        Value::Array(items) => items.iter_mut().for_each(within),
        _ => {}
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ingress(annotations: Value) -> Ingress {
        let spec = json!({"ingressClassName": "alb", "rules": [{"host": "a.example.com"}]});
        serde_json::from_value(json!({"metadata": {"annotations": annotations}, "spec": spec}))
            .unwrap()
    }

    #[test]
    fn labels_do_not_count_and_annotations_do() {
        let plain = of_ingress(&ingress(json!({})));
        assert_eq!(plain.len(), 56);
        assert_eq!(plain, of_ingress(&ingress(json!({"empty": ""}))));
        let mut labelled = ingress(json!({}));
        labelled.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        assert_eq!(plain, of_ingress(&labelled));
        assert_ne!(plain, of_ingress(&ingress(json!({"a": "b"}))));
    }

    #[test]
    fn the_hash_is_that_of_the_text() {
        let text = "- ingressClassName: alb\n  rules:\n  - host: a.example.com\n";
        let expected = hex::encode(Sha224::digest(text));
        assert_eq!(of_ingress(&ingress(json!({}))), expected);
    }
}
