//! The Secrets of a consumer. They are read when they are needed and never kept; one that the
//! operator did not make is never written.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::Credential;
use crds::keys::{self, consumer_secret};
use crds::v1alpha1::{ConsumerCredential, CredentialType, GatewayConsumer, Reason};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::controller::cloud::{Trouble, refusal};
use crate::core::consumer;
use crate::core::consumer::credentials::{Entry, Gap, SecretState};
use crate::core::problem::Problem;
use crate::leader::Leadership;

/// The Secrets of one consumer.
pub(super) struct Secrets<'a> {
    consumer: &'a GatewayConsumer,
    api: Api<Secret>,
    leadership: Leadership,
}

/// The versions of Secrets, by name: one is another after each change of its Secret.
pub(super) type Versions = BTreeMap<String, String>;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Created,
    Filled,
}

impl<'a> Secrets<'a> {
    /// Of this consumer.
    pub(super) fn new(
        client: &Client,
        leadership: &Leadership,
        consumer: &'a GatewayConsumer,
    ) -> Self {
        let namespace = consumer.namespace().unwrap_or_default();
        Self {
            consumer,
            api: Api::namespaced(client.clone(), &namespace),
            leadership: leadership.clone(),
        }
    }

    /// The states of the Secrets, by name of the credential, and the versions of the Secrets.
    pub(super) async fn states(&self) -> (BTreeMap<String, SecretState>, Versions) {
        let mut read: BTreeMap<&str, Result<Option<Secret>, Problem>> = BTreeMap::new();
        let credentials = &self.consumer.spec.credentials;
        for credential in credentials {
            let name = credential.secret_ref.name.as_str();
            if !read.contains_key(name) {
                read.insert(name, self.get(name).await);
            }
        }
        let states = credentials.iter().map(|credential| {
            let state = match read.get(credential.secret_ref.name.as_str()) {
                Some(Ok(Some(secret))) => self.state(credential, secret),
                Some(Err(problem)) => SecretState::Unreadable(problem.clone()),
                Some(Ok(None)) | None => SecretState::Absent,
            };
            (credential.name.clone(), state)
        });
        let versions = read.iter().map(|(name, secret)| {
            let version = match secret {
                Ok(Some(secret)) => version(secret),
                Ok(None) => "absent".to_owned(),
                Err(_) => "unreadable".to_owned(),
            };
            ((*name).to_owned(), version)
        });
        (states.collect(), versions.collect())
    }

    fn state(&self, credential: &ConsumerCredential, secret: &Secret) -> SecretState {
        if credential.type_ == CredentialType::Generated && !self.is_ours(secret) {
            return SecretState::Foreign;
        }
        let entry = |key: &str| {
            let data = secret.data.as_ref();
            let bytes = data.and_then(|data| data.get(key));
            Entry::read(bytes.map(|bytes| bytes.0.as_slice()))
        };
        SecretState::Present {
            api_key: entry(credential.api_key_entry()),
            key_id: entry(credential.key_id_entry()),
            key_secret: entry(credential.key_secret_entry()),
        }
    }

    /// The credentials in a Secret that the operator wrote, also one that is no longer listed.
    pub(super) async fn own(&self, name: &str) -> Result<Vec<Credential>, Trouble> {
        let Some(secret) = self.get(name).await?.filter(|secret| self.is_ours(secret)) else {
            return Ok(Vec::new());
        };
        let entry = |key: &str| {
            let bytes = secret.data.as_ref()?.get(key)?;
            match Entry::read(Some(bytes.0.as_slice())) {
                Entry::Text(text) => Some(text),
                Entry::Missing | Entry::Unusable(_) => None,
            }
        };
        let key = entry(consumer_secret::API_KEY).map(Credential::ApiKey);
        let id = entry(consumer_secret::KEY_ID);
        let pair = id.zip(entry(consumer_secret::KEY_SECRET));
        let pair = pair.map(|(id, secret)| Credential::KeyPair {
            id: id.expose_secret().to_owned(),
            secret,
        });
        Ok(key.into_iter().chain(pair).collect())
    }

    /// Writes what a Secret of ours lacks: the Secret itself, or entries. What is there stays.
    /// Returns what was done, and the version that came of it.
    pub(super) async fn write(
        &self,
        name: &str,
        parts: &[(Gap, Credential)],
    ) -> Result<(Written, String), Trouble> {
        let entries = lacking(parts);
        self.ensure_leading()?;
        let (written, secret) = match self.get(name).await? {
            None => (Written::Created, self.create(name, entries).await?),
            Some(secret) if self.is_ours(&secret) => {
                (Written::Filled, self.fill(&secret, entries).await?)
            }
            Some(_) => return Err(Trouble::from(not_ours(name))),
        };
        Ok((written, version(&secret)))
    }

    async fn create(
        &self,
        name: &str,
        entries: BTreeMap<&'static str, String>,
    ) -> Result<Secret, Trouble> {
        let data = entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes())));
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(label(keys::MANAGED_BY, keys::FIELD_MANAGER)),
                annotations: Some(label(keys::CREATED_FOR, &self.owner())),
                owner_references: Some(vec![self.owner_reference()]),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".to_owned()),
            data: Some(data.collect()),
            ..Secret::default()
        };
        let params = PostParams {
            field_manager: Some(keys::FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        match self.api.create(&params, &secret).await {
            Ok(secret) => Ok(secret),
            // Looked at again by the next pass, and judged as it then is.
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                Err(Trouble::from(Problem::retry(
                    Reason::Pending,
                    format!("Secret \"{name}\" has just been made by somebody else."),
                )))
            }
            Err(error) => Err(Trouble::from(failed(name, &error))),
        }
    }

    /// Adds entries. The resource version makes it fail where somebody wrote meanwhile.
    async fn fill(
        &self,
        secret: &Secret,
        entries: BTreeMap<&'static str, String>,
    ) -> Result<Secret, Trouble> {
        let name = secret.name_any();
        let data: BTreeMap<&str, ByteString> = entries
            .into_iter()
            .filter(|(key, _)| !has(secret, key))
            .map(|(key, value)| (key, ByteString(value.into_bytes())))
            .collect();
        let patch = json!({
            "metadata": {"uid": secret.uid(), "resourceVersion": secret.resource_version()},
            "data": data,
        });
        let params = PatchParams {
            field_manager: Some(keys::FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let written = self.api.patch(&name, &params, &Patch::Merge(patch)).await;
        written.map_err(|error| Trouble::from(failed(&name, &error)))
    }

    /// Deletes a Secret if the operator made it for this consumer; returns whether it did.
    pub(super) async fn delete(&self, name: &str) -> Result<bool, Trouble> {
        let Some(secret) = self.get(name).await? else {
            return Ok(false);
        };
        if !self.is_ours(&secret) || secret.metadata.deletion_timestamp.is_some() {
            return Ok(false);
        }
        self.ensure_leading()?;
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: secret.uid(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match self.api.delete(name, &params).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
            Err(error) => Err(Trouble::from(failed(name, &error))),
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Secret>, Problem> {
        let found = self.api.get_opt(name).await;
        found.map_err(|error| failed(name, &error))
    }

    fn ensure_leading(&self) -> Result<(), Trouble> {
        let leading = self.leadership.ensure_leading();
        leading.map_err(|error| Trouble::from(Problem::retry(Reason::Pending, error.to_string())))
    }

    fn owner(&self) -> String {
        consumer::owner(&consumer::name_of(self.consumer))
    }

    fn is_ours(&self, secret: &Secret) -> bool {
        is_ours(secret, &self.owner())
    }

    /// Blocks nothing: that would take the permission to update finalizers.
    fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: GatewayConsumer::api_version(&()).into_owned(),
            kind: GatewayConsumer::kind(&()).into_owned(),
            name: self.consumer.name_any(),
            uid: self.consumer.uid().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: None,
        }
    }
}

fn is_ours(secret: &Secret, owner: &str) -> bool {
    let says = |map: &BTreeMap<String, String>, key: &str, value: &str| {
        map.get(key).is_some_and(|found| found == value)
    };
    says(secret.labels(), keys::MANAGED_BY, keys::FIELD_MANAGER)
        && says(secret.annotations(), keys::CREATED_FOR, owner)
}

/// UID and resource version: a Secret that was made anew is another one.
fn version(secret: &Secret) -> String {
    format!(
        "{}/{}",
        secret.uid().unwrap_or_default(),
        secret.resource_version().unwrap_or_default()
    )
}

/// Whether an entry is there and not blank.
fn has(secret: &Secret, key: &str) -> bool {
    let data = secret.data.as_ref();
    let bytes = data.and_then(|data| data.get(key));
    !matches!(
        Entry::read(bytes.map(|bytes| bytes.0.as_slice())),
        Entry::Missing
    )
}

/// The entries that gaps are closed with; halves of key pairs that are there are not among them.
fn lacking(parts: &[(Gap, Credential)]) -> BTreeMap<&'static str, String> {
    let mut entries = BTreeMap::new();
    for (gap, credential) in parts {
        match credential {
            Credential::ApiKey(key) => {
                entries.insert(consumer_secret::API_KEY, key.expose_secret().to_owned());
            }
            Credential::KeyPair { id, secret } => {
                if gap.key_id.is_none() {
                    entries.insert(consumer_secret::KEY_ID, id.clone());
                }
                if gap.key_secret.is_none() {
                    let secret = secret.expose_secret().to_owned();
                    entries.insert(consumer_secret::KEY_SECRET, secret);
                }
            }
        }
    }
    entries
}

fn label(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

fn not_ours(name: &str) -> Problem {
    Problem::unresolved(
        Reason::SecretNotOwned,
        format!(
            "Secret \"{name}\" exists and was not made by the operator for this consumer, so it is not written. Name another one in secretRef, or delete it, or take its content with type: Imported."
        ),
    )
}

fn failed(name: &str, error: &kube::Error) -> Problem {
    let refusal = refusal(error, "the namespace to rbac.secretNamespaces");
    let problem = format!("Secret \"{name}\": {}", refusal.message);
    Problem {
        condition: crds::v1alpha1::ConditionType::ResolvedRefs,
        ..Problem::retry(refusal.reason, problem)
    }
}

#[cfg(test)]
mod tests;
