//! Objects of ours that this version cannot read: stored by a newer one, or under a schema that was
//! relaxed for a while. One of them must neither stop the watch of all others nor be taken for gone,
//! so something stands in for it: its metadata and status, with a spec that asks for nothing.

use std::borrow::Cow;

use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, GatewayConsumer, LedgerEntry, Reason};
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::problem::Problem;

/// Why an object cannot be read. It is noted in memory only, under names that the API server allows
/// for no annotation, so that nobody can write it.
const WHY: &str = "gatewaybinding.dev/(unreadable)";
/// That its status cannot be read either.
const WITHOUT_STATUS: &str = "gatewaybinding.dev/(unreadable status)";

/// A kind that something can stand in for.
pub trait StandIn: Resource<DynamicType = ()> + DeserializeOwned {
    /// A spec that asks for nothing.
    fn least() -> Value;
}

impl StandIn for GatewayBinding {
    fn least() -> Value {
        json!({"serviceRef": {"kind": "KnativeService", "name": "unreadable"}})
    }
}

impl StandIn for GatewayConsumer {
    fn least() -> Value {
        json!({"credentials": []})
    }
}

impl StandIn for GatewayBindingClass {
    fn least() -> Value {
        json!({})
    }
}

/// An object as it is in the cluster, or what stands in for it.
#[derive(Clone, Debug)]
pub struct Readable<K>(pub K);

impl<K> Readable<K> {
    /// The object, or what stands in for it.
    pub fn into_inner(self) -> K {
        self.0
    }
}

impl<'de, K: StandIn> Deserialize<'de> for Readable<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::deserialize(deserializer)?;
        match serde_path_to_error::deserialize(&object) {
            Ok(read) => Ok(Self(read)),
            Err(error) => stand_in(object, &told(&error))
                .map(Self)
                .map_err(D::Error::custom),
        }
    }
}

/// The field and what is wrong with it.
fn told(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let (path, problem) = (error.path().to_string(), error.inner());
    match path.as_str() {
        "" | "." => problem.to_string(),
        path => format!("{path}: {problem}"),
    }
}

fn stand_in<K: StandIn>(mut object: Value, why: &str) -> Result<K, serde_json::Error> {
    object["spec"] = K::least();
    if let Ok(mut read) = K::deserialize(&object) {
        note(&mut read, WHY, why);
        return Ok(read);
    }
    object["status"] = salvaged(&object["status"]);
    let mut read = K::deserialize(&object)?;
    note(&mut read, WHY, why);
    note(&mut read, WITHOUT_STATUS, why);
    Ok(read)
}

/// What can be read of a status that cannot be read whole: the class, and all claims.
fn salvaged(status: &Value) -> Value {
    let entries = status["ledger"].as_array().into_iter().flatten();
    let ledger: Vec<Value> = entries
        .filter_map(|entry| {
            if LedgerEntry::deserialize(entry).is_ok() {
                return Some(entry.clone());
            }
            let (key, kind) = (entry["key"].as_str()?, entry["kind"].as_str()?);
            Some(json!({"key": key, "kind": kind}))
        })
        .collect();
    match status["className"].as_str() {
        Some(class) => json!({"className": class, "ledger": ledger}),
        None => json!({ "ledger": ledger }),
    }
}

fn note(object: &mut impl ResourceExt, name: &str, text: &str) {
    let annotations = object.annotations_mut();
    annotations.insert(name.to_owned(), text.to_owned());
}

/// Why an object cannot be read; none: it can.
pub fn why(object: &impl ResourceExt) -> Option<&str> {
    object.annotations().get(WHY).map(String::as_str)
}

/// Whether the status of an object cannot be read, so that writing it would lose something.
pub fn has_unreadable_status(object: &impl ResourceExt) -> bool {
    object.annotations().contains_key(WITHOUT_STATUS)
}

/// What is said on an object that cannot be read.
pub fn problem(object: &impl ResourceExt) -> Option<Problem> {
    let why = why(object)?;
    Some(Problem::rejected(
        Reason::InvalidSpec,
        format!(
            "this version of the operator cannot read the object: {}. Correct it, or run the version that wrote it.",
            why.trim_end_matches('.')
        ),
    ))
}

impl<K: Resource> Resource for Readable<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(of: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(of)
    }
    fn group(of: &Self::DynamicType) -> Cow<'_, str> {
        K::group(of)
    }
    fn version(of: &Self::DynamicType) -> Cow<'_, str> {
        K::version(of)
    }
    fn plural(of: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(of)
    }
    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(spec: Value, status: Value) -> GatewayBinding {
        let object = json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": "b", "namespace": "n", "uid": "u"},
            "spec": spec, "status": status,
        });
        let read: Readable<GatewayBinding> = serde_json::from_value(object).unwrap();
        read.into_inner()
    }

    fn good() -> Value {
        json!({"serviceRef": {"kind": "KnativeService", "name": "s"}})
    }

    #[test]
    fn what_can_be_read_is_as_it_is() {
        let read = binding(good(), Value::Null);
        assert_eq!(read.spec.service_ref.name, "s");
        assert_eq!(why(&read), None);
        assert_eq!(problem(&read), None);
    }

    #[test]
    fn what_cannot_be_read_keeps_its_status_and_says_which_field_is_wrong() {
        let spec = json!({"serviceRef": {"kind": "Ingress", "name": "s"}});
        let entry = json!({"key": "classic/Group/g", "kind": "Group"});
        let read = binding(spec, json!({"className": "c", "ledger": [entry]}));
        let status = read.status.clone().unwrap();
        assert_eq!(status.class_name.as_deref(), Some("c"));
        assert_eq!(status.ledger[0].key, "classic/Group/g");
        assert!(!has_unreadable_status(&read));
        let message = problem(&read).unwrap().message;
        for word in ["spec.serviceRef.kind", "Ingress"] {
            assert!(message.contains(word), "no {word} in {message}");
        }
    }

    #[test]
    fn of_a_status_that_cannot_be_read_every_claim_counts() {
        let ledger = json!([
            {"key": "classic/Group/g", "kind": "Group", "id": "1"},
            {"key": "classic/Group/h", "kind": "Group", "fields": "of another version"},
        ]);
        let read = binding(
            good(),
            json!({"className": "c", "urls": 7, "ledger": ledger}),
        );
        assert!(has_unreadable_status(&read));
        let status = read.status.unwrap();
        assert_eq!(status.class_name.as_deref(), Some("c"));
        let keys: Vec<&str> = status.ledger.iter().map(|entry| &*entry.key).collect();
        assert_eq!(keys, ["classic/Group/g", "classic/Group/h"]);
    }

    #[test]
    fn every_kind_has_a_spec_that_asks_for_nothing() {
        fn stands<K: StandIn>() {
            let object = json!({"metadata": {"name": "x"}, "spec": "of another version"});
            let read: Readable<K> = serde_json::from_value(object).unwrap();
            assert!(why(&read).is_some(), "{}", K::kind(&()));
        }
        stands::<GatewayBinding>();
        stands::<GatewayBindingClass>();
        stands::<GatewayConsumer>();
    }
}
