//! Applying YAML, as `kubectl apply --server-side` does.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{self, ApiCapabilities, ApiResource, Scope},
    runtime::{conditions, wait::await_condition},
};

use crate::files::FileError;

/// The field manager of [`apply_yaml`] and [`install_crds`].
pub const FIELD_MANAGER: &str = "kubectl";

/// How long a definition may take to be established and served.
const ESTABLISH_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Why a manifest was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not YAML.
    #[error("not valid YAML: {0}")]
    Yaml(serde_saphyr::Error),
    /// A document is no Kubernetes object.
    #[error("document {document} is no Kubernetes object: {cause}")]
    NoObject {
        /// Its number, from 1.
        document: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// A document lacks a field every object needs.
    #[error("document {document} has no {field}")]
    Missing {
        /// Its number, from 1.
        document: usize,
        /// The field.
        field: &'static str,
    },
    /// The API server refused it or does not know its kind.
    #[error("{object}: {cause}")]
    Refused {
        /// Kind, namespace and name.
        object: String,
        /// What the API server said.
        cause: Box<kube::Error>,
    },
    /// A definition was not established in time.
    #[error("the CustomResourceDefinition {name} was not established within {} s: {reason}", ESTABLISH_LIMIT.as_secs())]
    NotEstablished {
        /// Its name.
        name: String,
        /// What went wrong, or that nothing happened.
        reason: String,
    },
}

/// An object of a manifest.
struct Manifest {
    kind: GroupVersionKind,
    object: DynamicObject,
}

impl Manifest {
    fn is_definition(&self) -> bool {
        self.kind.group == "apiextensions.k8s.io" && self.kind.kind == "CustomResourceDefinition"
    }

    fn describe(&self) -> String {
        match &self.object.metadata.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind.kind, self.object.name_any()),
            None => format!("{} {}", self.kind.kind, self.object.name_any()),
        }
    }
}

/// Applies the definitions of these files and waits until all are established.
///
/// # Errors
/// As [`apply_yaml`].
pub async fn install_crds(
    client: Client,
    files: &[PathBuf],
) -> Result<Vec<DynamicObject>, ApplyError> {
    let mut text = String::new();
    for file in files {
        text.push_str(&read(file)?);
        text.push_str("\n---\n");
    }
    apply_yaml(client, &text).await
}

fn read(file: &Path) -> Result<String, FileError> {
    fs::read_to_string(file).map_err(FileError::at("read", file))
}

/// Applies every document of a YAML text: definitions and namespaces first, then the others in
/// their order once the definitions are established. Objects without a namespace go to `default`.
/// Returns them as the API server has them.
///
/// # Errors
/// At the first document that is no object, or that the API server refuses; those before it stay.
pub async fn apply_yaml(client: Client, text: &str) -> Result<Vec<DynamicObject>, ApplyError> {
    apply_yaml_as(client, FIELD_MANAGER, text).await
}

/// As [`apply_yaml`], under the name of another field manager.
///
/// # Errors
/// As [`apply_yaml`].
pub async fn apply_yaml_as(
    client: Client,
    field_manager: &str,
    text: &str,
) -> Result<Vec<DynamicObject>, ApplyError> {
    let (definitions, others): (Vec<_>, Vec<_>) =
        parse(text)?.into_iter().partition(Manifest::is_definition);
    let (namespaces, others): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|manifest| manifest.kind.group.is_empty() && manifest.kind.kind == "Namespace");

    let mut applier = Applier {
        client: client.clone(),
        params: PatchParams::apply(field_manager).force(),
        known: HashMap::new(),
        // A kind that has only just been defined may take a moment to be served.
        patience: if definitions.is_empty() {
            Duration::ZERO
        } else {
            ESTABLISH_LIMIT
        },
    };
    let mut applied = Vec::new();
    for definition in &definitions {
        applied.push(applier.apply(definition).await?);
    }
    for definition in &definitions {
        established(&client, &definition.object.name_any()).await?;
    }
    for manifest in namespaces.iter().chain(&others) {
        applied.push(applier.apply(manifest).await?);
    }
    Ok(applied)
}

fn parse(text: &str) -> Result<Vec<Manifest>, ApplyError> {
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple(text).map_err(ApplyError::Yaml)?;
    let mut manifests = Vec::new();
    for (index, value) in documents
        .into_iter()
        .enumerate()
        .filter(|(_, value)| !value.is_null())
    {
        let document = index + 1;
        let missing = |field| ApplyError::Missing { document, field };
        let object: DynamicObject = serde_json::from_value(value)
            .map_err(|cause| ApplyError::NoObject { document, cause })?;
        let types = object
            .types
            .as_ref()
            .ok_or_else(|| missing("apiVersion and kind"))?;
        let kind = GroupVersionKind::try_from(types).map_err(|_| missing("valid apiVersion"))?;
        if object.metadata.name.is_none() {
            return Err(missing("metadata.name"));
        }
        manifests.push(Manifest { kind, object });
    }
    Ok(manifests)
}

struct Applier {
    client: Client,
    params: PatchParams,
    known: HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)>,
    patience: Duration,
}

impl Applier {
    async fn apply(&mut self, manifest: &Manifest) -> Result<DynamicObject, ApplyError> {
        let refused = |cause| ApplyError::Refused {
            object: manifest.describe(),
            cause: Box::new(cause),
        };
        let (resource, capabilities) = self.discover(&manifest.kind).await.map_err(refused)?;
        let api: Api<DynamicObject> = match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => {
                let namespace = manifest
                    .object
                    .metadata
                    .namespace
                    .as_deref()
                    .unwrap_or("default");
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
        };
        let patch = Patch::Apply(&manifest.object);
        api.patch(&manifest.object.name_any(), &self.params, &patch)
            .await
            .map_err(refused)
    }

    async fn discover(
        &mut self,
        kind: &GroupVersionKind,
    ) -> Result<(ApiResource, ApiCapabilities), kube::Error> {
        if let Some(known) = self.known.get(kind) {
            return Ok(known.clone());
        }
        let deadline = Instant::now() + self.patience;
        let found = loop {
            match discovery::pinned_kind(&self.client, kind).await {
                Ok(found) => break found,
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        };
        self.known.insert(kind.clone(), found.clone());
        Ok(found)
    }
}

async fn established(client: &Client, name: &str) -> Result<(), ApplyError> {
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    let wait = await_condition(definitions, name, conditions::is_crd_established());
    let reason = match tokio::time::timeout(ESTABLISH_LIMIT, wait).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it has no condition Established=True".to_owned(),
    };
    Err(ApplyError::NotEstablished {
        name: name.to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_documents_are_passed_over() {
        let text =
            "# only a comment\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n";
        let manifests = parse(text).unwrap();
        assert_eq!(manifests.len(), 1);
        assert_eq!(manifests[0].describe(), "Namespace a");
    }

    #[test]
    fn what_is_no_object_is_named_by_its_number() {
        let message = |text: &str| parse(text).err().expect("an error").to_string();
        let good = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n";
        assert_eq!(
            message(&format!("{good}kind: Namespace\nmetadata: {{name: b}}")),
            "document 2 has no apiVersion and kind"
        );
        assert_eq!(
            message("apiVersion: v1\nkind: Namespace\nmetadata: {}"),
            "document 1 has no metadata.name"
        );
        assert!(
            message("just text").starts_with("document 1 is no Kubernetes object"),
            "{}",
            message("just text")
        );
        assert!(
            message("a: [").starts_with("not valid YAML"),
            "{}",
            message("a: [")
        );
    }
}
