//! All that is there, for comparing before with after.

use std::collections::BTreeMap;

use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams},
    discovery::{Discovery, verbs},
};
use serde_json::Value;

use super::{World, WorldError};

/// Members of the cloud's state that are no objects: counters, caches, what was once.
const NO_OBJECTS: [&str; 7] = [
    "/ids",
    "/sts",
    "/slb/clientTokens",
    "/slb/internetAddresses",
    "/cloudapi/appListCalls",
    "/cloudapi/history",
    "/cloudapi/tasks",
];

impl World {
    /// Every object of the cluster, as `Kind.group namespace/name`, with its resource version.
    /// Without Leases, which are there to be written, and Events, which only tell.
    ///
    /// # Errors
    /// If a kind cannot be listed.
    pub async fn objects(&self) -> Result<BTreeMap<String, String>, WorldError> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |source| WorldError::Kube {
                what,
                source: Box::new(source),
            }
        };
        let kinds = Discovery::new(self.client()).run().await;
        let kinds = kinds.map_err(failed("discover the kinds of the cluster"))?;
        let kinds = kinds
            .groups()
            .flat_map(|group| group.recommended_resources());
        let mut objects = BTreeMap::new();
        for (resource, capabilities) in kinds {
            let skipped = ["Lease", "Event", "ComponentStatus"].contains(&resource.kind.as_str());
            if skipped || !capabilities.supports_operation(verbs::LIST) {
                continue;
            }
            let api = Api::<DynamicObject>::all_with(self.client(), &resource);
            let list = api.list(&ListParams::default()).await;
            for object in list.map_err(failed(&format!("list {}", resource.plural)))? {
                let namespace = object.namespace().unwrap_or_default();
                let name = format!("{} {namespace}/{}", kind(&resource), object.name_any());
                objects.insert(name, object.resource_version().unwrap_or_default());
            }
        }
        Ok(objects)
    }

    /// Every object of the cloud, by its place in the emulator's state.
    ///
    /// # Errors
    /// If the emulator does not answer as it should.
    pub async fn cloud_objects(&self) -> Result<BTreeMap<String, Value>, WorldError> {
        let state = self.cloud.state().await?;
        let mut objects = BTreeMap::new();
        for product in ["cloudapi", "slb", "vpc"] {
            let kinds = state.get(product).and_then(Value::as_object);
            for (kind, all) in kinds.into_iter().flatten() {
                let place = format!("/{product}/{kind}");
                if NO_OBJECTS.contains(&place.as_str()) {
                    continue;
                }
                match all {
                    Value::Object(all) => objects.extend(
                        all.iter()
                            .map(|(id, object)| (format!("{place}/{id}"), object.clone())),
                    ),
                    Value::Array(all) => objects.extend(
                        all.iter()
                            .map(|object| (format!("{place} {object}"), object.clone())),
                    ),
                    other => {
                        objects.insert(place, other.clone());
                    }
                }
            }
        }
        Ok(objects)
    }
}

fn kind(resource: &ApiResource) -> String {
    if resource.group.is_empty() {
        resource.kind.clone()
    } else {
        format!("{}.{}", resource.kind, resource.group)
    }
}
