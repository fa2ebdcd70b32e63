//! The manifests that a plan is made for, and what stands beside them in the files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, GatewayConsumer};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::read::{self, Document, ManifestError, Place};
use super::schema;
use crate::core::key::ConsumerKey;

/// Namespace of a manifest that names none, as with kubectl.
const DEFAULT_NAMESPACE: &str = "default";

/// Namespace and name.
pub(super) type Name = (String, String);

/// What the files hold, as far as a plan can use it.
#[derive(Clone, Debug, Default)]
pub(in crate::commands) struct Manifests {
    /// In the order of the files.
    pub(in crate::commands) bindings: Vec<GatewayBinding>,
    pub(in crate::commands) classes: Vec<GatewayBindingClass>,
    pub(super) consumers: BTreeMap<ConsumerKey, GatewayConsumer>,
    pub(super) services: BTreeMap<Name, Service>,
    /// Labels of namespaces.
    pub(super) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Knative Services and Routes with their host name, if they have one yet.
    pub(super) knative: BTreeMap<Name, Option<String>>,
    /// What a person should know about how the files were read.
    pub(super) notes: Vec<String>,
}

/// Reads the manifests in files, directories and, for `-`, standard input.
///
/// # Errors
///
/// All that is wrong with them, not only the first.
pub(in crate::commands) fn load(paths: &[PathBuf]) -> Result<Manifests, Vec<ManifestError>> {
    let (documents, errors) = read::documents(paths);
    let mut loader = Loader {
        errors,
        ..Loader::default()
    };
    for document in documents {
        loader.document(document);
    }
    loader.finish()
}

impl Manifests {
    /// Those that stand in no file yet.
    ///
    /// # Errors
    ///
    /// All that is wrong with them, not only the first.
    pub(in crate::commands) fn of(objects: Vec<Value>) -> Result<Self, Vec<ManifestError>> {
        let mut loader = Loader::default();
        for (index, object) in objects.into_iter().enumerate() {
            loader.document(Document::printed(index, object));
        }
        loader.finish()
    }
}

#[derive(Default)]
struct Loader {
    manifests: Manifests,
    errors: Vec<ManifestError>,
    /// Where each object was seen.
    seen: BTreeMap<String, Place>,
}

/// An object's head.
struct Head {
    group: String,
    version: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Head {
    fn name(&self) -> Name {
        (self.namespace.clone(), self.name.clone())
    }

    fn is_cluster_scoped(&self) -> bool {
        matches!(
            (self.group.as_str(), self.kind.as_str()),
            (crds::GROUP, "GatewayBindingClass") | ("", "Namespace")
        )
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_cluster_scoped() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

impl Loader {
    fn finish(self) -> Result<Manifests, Vec<ManifestError>> {
        if self.errors.is_empty() {
            Ok(self.manifests)
        } else {
            Err(self.errors)
        }
    }

    fn error(&mut self, place: &Place, message: impl Into<String>) {
        self.errors.push(ManifestError::invalid(place, message));
    }

    fn document(&mut self, Document { place, mut value }: Document) {
        let head = match head(&value) {
            Ok(head) => head,
            Err(message) => return self.error(&place, message),
        };
        let ours = head.group == crds::GROUP;
        let used = matches!(
            (head.group.as_str(), head.kind.as_str()),
            ("", "Service" | "Namespace") | ("serving.knative.dev", "Service" | "Route")
        );
        if !ours && !used {
            let note = format!("{place}: {head} is of no concern to a plan and is ignored.");
            return self.manifests.notes.push(note);
        }
        if let Some(first) = self.first(&head, &place) {
            let message = format!(
                "{head} stands in {first} as well. Remove one of them: applied in this order, the second would win."
            );
            return self.error(&place, message);
        }
        if ours && !self.is_sound(&head, &place, &mut value) {
            return;
        }
        self.keep(&head, &place, &value);
    }

    /// Where an object of this name was seen before.
    fn first(&mut self, head: &Head, place: &Place) -> Option<Place> {
        let key = format!("{}/{head}", head.group);
        match self.seen.get(&key) {
            Some(first) => Some(first.clone()),
            None => {
                self.seen.insert(key, place.clone());
                None
            }
        }
    }

    /// Checks an object of ours as the API server would.
    fn is_sound(&mut self, head: &Head, place: &Place, value: &mut Value) -> bool {
        if head.version != crds::VERSION {
            let message = format!(
                "{head}: apiVersion: there is no version \"{}\" of {}. Use {}/{}.",
                head.version,
                crds::GROUP,
                crds::GROUP,
                crds::VERSION
            );
            self.error(place, message);
            return false;
        }
        if !schema::is_known(&head.kind) {
            let kinds: Vec<&str> = schema::kinds().collect();
            let message = format!(
                "{head}: kind: {} has no kind \"{}\". It has {}.",
                crds::GROUP,
                head.kind,
                kinds.join(", ")
            );
            self.error(place, message);
            return false;
        }
        self.forget_status(head, place, value);
        let found = schema::violations(&head.kind, value);
        for violation in &found {
            self.error(place, format!("{head}: {violation}"));
        }
        found.is_empty()
    }

    /// What the API server alone writes says nothing about what is wanted.
    fn forget_status(&mut self, head: &Head, place: &Place, value: &mut Value) {
        let Some(object) = value.as_object_mut() else {
            return;
        };
        if object.remove("status").is_some() {
            let note = format!("{place}: the status of {head} is ignored.");
            self.manifests.notes.push(note);
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("deletionTimestamp");
        }
    }

    fn keep(&mut self, head: &Head, place: &Place, value: &Value) {
        match (head.group.as_str(), head.kind.as_str()) {
            (crds::GROUP, "GatewayBinding") => {
                if let Some(mut binding) = self.typed::<GatewayBinding>(head, place, value) {
                    binding.metadata.namespace = Some(head.namespace.clone());
                    self.manifests.bindings.push(binding);
                }
            }
            (crds::GROUP, "GatewayBindingClass") => {
                let class = self.typed(head, place, value);
                self.manifests.classes.extend(class);
            }
            (crds::GROUP, "GatewayConsumer") => {
                let (namespace, name) = head.name();
                if let Some(consumer) = self.typed(head, place, value) {
                    let key = ConsumerKey { namespace, name };
                    self.manifests.consumers.insert(key, consumer);
                }
            }
            ("", "Service") => {
                if let Some(service) = self.typed(head, place, value) {
                    self.manifests.services.insert(head.name(), service);
                }
            }
            ("", _) => {
                let namespace: Option<k8s_openapi::api::core::v1::Namespace> =
                    self.typed(head, place, value);
                if let Some(namespace) = namespace {
                    let labels = namespace.labels().clone();
                    self.manifests.namespaces.insert(head.name.clone(), labels);
                }
            }
            _ => {
                let known = self.manifests.knative.entry(head.name()).or_default();
                *known = known.take().or_else(|| knative_host(value));
            }
        }
    }

    fn typed<T: DeserializeOwned>(
        &mut self,
        head: &Head,
        place: &Place,
        value: &Value,
    ) -> Option<T> {
        serde_path_to_error::deserialize(value)
            .map_err(|error| {
                let message = format!(
                    "{head}: {}: {}. Correct the field.",
                    error.path(),
                    error.inner()
                );
                self.error(place, message);
            })
            .ok()
    }
}

fn head(value: &Value) -> Result<Head, String> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").unwrap_or_default().to_owned();
    let api_version = text("/apiVersion").unwrap_or_default();
    if kind.is_empty() || api_version.is_empty() {
        return Err(
            "apiVersion and kind: at least one is missing or no text, so this is no Kubernetes object. Give both."
                .to_owned(),
        );
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let name = text("/metadata/name").unwrap_or_default().to_owned();
    if group == crds::GROUP && !is_object_name(&name) {
        return Err(format!(
            "{kind}: metadata.name: \"{name}\" is not the name of an object, which has 1 to 253 lower-case letters, digits, dashes and dots, and begins and ends with a letter or digit. Give it one; generateName cannot be planned for."
        ));
    }
    Ok(Head {
        group: group.to_owned(),
        version: version.to_owned(),
        kind,
        namespace: text("/metadata/namespace")
            .unwrap_or(DEFAULT_NAMESPACE)
            .to_owned(),
        name,
    })
}

fn is_object_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = |label: &str| {
        label.chars().all(|c| plain(c) || c == '-')
            && label.starts_with(plain)
            && label.ends_with(plain)
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Host of the `status.url` that Knative gives to its Services and Routes.
fn knative_host(value: &Value) -> Option<String> {
    let url = value.pointer("/status/url")?.as_str()?;
    let (_, rest) = url.split_once("://")?;
    let host = rest.split('/').next().unwrap_or_default();
    (!host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_host_is_that_of_the_url() {
        let with = |url: &str| knative_host(&json!({"status": {"url": url}}));
        assert_eq!(
            with("http://a.b.example.com").as_deref(),
            Some("a.b.example.com")
        );
        assert_eq!(with("https://a.b/").as_deref(), Some("a.b"));
        assert_eq!(with("a.b"), None);
        assert_eq!(knative_host(&json!({})), None);
    }

    #[test]
    fn names_are_those_that_the_api_server_takes() {
        for name in ["a", "a-b.c9", &"a".repeat(253)] {
            assert!(is_object_name(name), "{name}");
        }
        for name in ["", "A", "a_b", "-a", "a-", "a..b", &"a".repeat(254)] {
            assert!(!is_object_name(name), "{name}");
        }
    }
}
