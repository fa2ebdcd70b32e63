//! An object by kind, namespace and name.

use std::fmt;

use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject},
};

/// Which object is meant.
#[derive(Clone, Debug)]
pub struct Target {
    resource: ApiResource,
    namespace: Option<String>,
    name: String,
}

impl Target {
    /// An object of a known type; without a namespace for what is cluster-wide.
    pub fn of<K: Resource<DynamicType = ()>>(namespace: Option<&str>, name: &str) -> Self {
        Self {
            resource: ApiResource::erase::<K>(&()),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// The object that this is.
    pub fn for_object(resource: ApiResource, object: &DynamicObject) -> Self {
        Self {
            resource,
            namespace: object.metadata.namespace.clone(),
            name: object.metadata.name.clone().unwrap_or_default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.resource.kind
    }

    /// The API it is reached by.
    pub fn api(&self, client: Client) -> Api<DynamicObject> {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &self.resource),
            None => Api::all_with(client, &self.resource),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(
                formatter,
                "{} {namespace}/{}",
                self.resource.kind, self.name
            ),
            None => write!(formatter, "{} {}", self.resource.kind, self.name),
        }
    }
}
