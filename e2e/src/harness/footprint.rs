//! What a scenario has left in cluster and cloud, comparable between runs.

use std::collections::BTreeMap;

use crds::{GatewayBinding, GatewayBindingClass, GatewayConsumer, keys};
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::{
    Api, Resource, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde_json::{Value, json};

use super::{
    HarnessError,
    names::{Names, inner, kind},
};
use crate::world::{World, WorldError};

/// Objects by place: `cloud groups`, `cluster Service`. Those of one place are sorted, and one that
/// is there twice is there twice here as well.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Footprint(BTreeMap<String, Vec<Value>>);

impl Footprint {
    /// What is there now: all of the cloud, and in the cluster our kinds and what the operator
    /// wrote to, without anything that differs between two runs of the same.
    ///
    /// # Errors
    /// If cluster or cloud do not answer.
    pub async fn of(world: &World) -> Result<Self, HarnessError> {
        let cloud = world.cloud_objects().await?;
        let cluster = ours(world).await?;
        let uids: Vec<_> = cluster
            .iter()
            .map(|object| (title(object), object.uid().unwrap_or_default()))
            .collect();
        let names = Names::of(&cloud, &uids);
        let mut footprint = Self::default();
        for (place, object) in &cloud {
            let kind = kind(place).unwrap_or(place);
            footprint.add(format!("cloud {kind}"), names.value(inner(object)));
        }
        for object in &cluster {
            let kind = object.types.as_ref().map_or("", |types| &types.kind);
            footprint.add(format!("cluster {kind}"), names.value(&shown(object)));
        }
        for objects in footprint.0.values_mut() {
            objects.sort_by_key(Value::to_string);
        }
        Ok(footprint)
    }

    fn add(&mut self, place: String, object: Value) {
        self.0.entry(place).or_default().push(object);
    }

    /// The objects of a place.
    pub fn at(&self, place: &str) -> &[Value] {
        self.0.get(place).map_or(&[], Vec::as_slice)
    }

    /// The same without the user's own objects, in which a person may have changed something.
    pub(super) fn of_others(&self) -> Self {
        let places = self.0.iter();
        let others = places.filter(|(place, _)| !place.starts_with("cluster Gateway"));
        Self(
            others
                .map(|(place, objects)| (place.clone(), objects.clone()))
                .collect(),
        )
    }

    /// Every place at which there is something.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Nothing if it is the same, else the differences, each with its place.
    ///
    /// # Errors
    /// The differences.
    pub fn compare(&self, expected: &Self) -> Result<(), String> {
        let mut places: Vec<_> = self.0.keys().chain(expected.0.keys()).collect();
        places.sort();
        places.dedup();
        let mut differences = Vec::new();
        for place in places {
            let (is, should) = (self.at(place), expected.at(place));
            if is.len() != should.len() {
                differences.push(format!("{place}: {} instead of {}", is.len(), should.len()));
            }
            let more = is.iter().filter(|object| !should.contains(object));
            let fewer = should.iter().filter(|object| !is.contains(object));
            match (more.clone().count(), fewer.clone().count()) {
                (1, 1) => {
                    for (is, should) in more.zip(fewer) {
                        differ(place, should, is, &mut differences);
                    }
                }
                _ => {
                    differences.extend(more.map(|object| format!("{place}: there is {object}")));
                    differences.extend(fewer.map(|object| format!("{place}: missing is {object}")));
                }
            }
        }
        if differences.is_empty() {
            Ok(())
        } else {
            Err(differences.join("\n"))
        }
    }
}

/// Where two values differ.
fn differ(path: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let names = expected.keys().chain(found.keys());
            let names: std::collections::BTreeSet<_> = names.collect();
            for name in names {
                let member = |of: &serde_json::Map<String, Value>| of.get(name).cloned();
                let (expected, found) = (member(expected), member(found));
                differ(
                    &format!("{path}.{name}"),
                    &expected.unwrap_or_default(),
                    &found.unwrap_or_default(),
                    differences,
                );
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                differ(&format!("{path}[{index}]"), expected, found, differences);
            }
        }
        (expected, found) if expected == found => {}
        (expected, found) => {
            differences.push(format!("{path}: {found} instead of {expected}"));
        }
    }
}

/// Objects of our kinds, and Services and Secrets that the operator made or wrote to.
pub(super) async fn ours(world: &World) -> Result<Vec<DynamicObject>, HarnessError> {
    let mut objects = Vec::new();
    for resource in [
        ApiResource::erase::<GatewayBindingClass>(&()),
        ApiResource::erase::<GatewayBinding>(&()),
        ApiResource::erase::<GatewayConsumer>(&()),
    ] {
        objects.extend(list(world, &resource).await?);
    }
    for resource in [
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<Secret>(&()),
    ] {
        let all = list(world, &resource).await?;
        objects.extend(all.into_iter().filter(written_by_operator));
    }
    Ok(objects)
}

async fn list(world: &World, resource: &ApiResource) -> Result<Vec<DynamicObject>, HarnessError> {
    let api = Api::<DynamicObject>::all_with(world.client(), resource);
    let list = api.list(&ListParams::default()).await;
    let list = list.map_err(|source| WorldError::Kube {
        what: format!("list {}", resource.plural),
        source: Box::new(source),
    })?;
    let types = kube::api::TypeMeta {
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
    };
    let typed = list.into_iter().map(|mut object| {
        object.types = Some(types.clone());
        object
    });
    Ok(typed.collect())
}

fn written_by_operator(object: &DynamicObject) -> bool {
    let managers = object.managed_fields().iter();
    let mut managers = managers.filter_map(|entry| entry.manager.as_deref());
    object.labels().contains_key(keys::MANAGED_BY)
        || managers.any(|manager| manager == keys::FIELD_MANAGER)
}

fn title(object: &DynamicObject) -> String {
    let kind = object.types.as_ref().map_or("", |types| &types.kind);
    let namespace = object.namespace().unwrap_or_default();
    format!("{kind} {namespace}/{}", object.name_any())
}

/// An object with all that a user wrote or can see, but for the bookkeeping of the API server. Of
/// a Secret only the names of its entries.
fn shown(object: &DynamicObject) -> Value {
    let owners = object.owner_references().iter();
    let owners: Vec<_> = owners
        .map(|owner| format!("{} {}", owner.kind, owner.name))
        .collect();
    let mut value = object.data.clone();
    for member in ["data", "stringData"] {
        if let Some(entries) = value.get_mut(member).and_then(Value::as_object_mut) {
            for entry in entries.values_mut() {
                *entry = json!("(secret)");
            }
        }
    }
    // The version of what was last compared comes with the first comparison, which may be one drift
    // interval later where reads lag behind writes.
    let ledger = value
        .pointer_mut("/status/ledger")
        .and_then(Value::as_array_mut);
    for entry in ledger.into_iter().flatten() {
        if let Value::Object(entry) = entry {
            entry.remove("version");
        }
    }
    if let Value::Object(members) = &mut value {
        members.insert(
            "metadata".to_owned(),
            json!({
                "name": object.name_any(),
                "namespace": object.namespace(),
                "labels": object.labels(),
                "annotations": object.annotations(),
                "finalizers": object.finalizers(),
                "owners": owners,
                "deleting": object.meta().deletion_timestamp.is_some(),
            }),
        );
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footprint(objects: &[Value]) -> Footprint {
        Footprint(BTreeMap::from([(
            "cloud apis".to_owned(),
            objects.to_vec(),
        )]))
    }

    #[test]
    fn differences_are_told_with_their_place() {
        let (a, b) = (json!({"name": "a", "n": 1}), json!({"name": "a", "n": 2}));
        let expected = footprint(std::slice::from_ref(&a));
        assert_eq!(expected.compare(&expected), Ok(()));
        let changed = footprint(&[b]).compare(&expected).unwrap_err();
        assert_eq!(changed, "cloud apis.n: 2 instead of 1");
        let doubled = footprint(&[a.clone(), a]).compare(&expected).unwrap_err();
        assert_eq!(doubled, "cloud apis: 2 instead of 1");
        let gone = Footprint::default().compare(&expected).unwrap_err();
        assert!(
            gone.contains("0 instead of 1") && gone.contains("missing is"),
            "{gone}"
        );
    }
}
