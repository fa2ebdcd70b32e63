//! The kind `GatewayConsumer`: a caller of exposed services.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ConsumerNamespaces, ConsumerNamespacesFrom, DriftPolicy, ExistingConsumer, LedgerEntry,
    LocalSecretRef, UNOBSERVED,
};
use crate::keys::consumer_secret;

/// A caller of exposed services.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[kube(
    group = "gatewaybinding.dev",
    version = "v1alpha1",
    kind = "GatewayConsumer",
    plural = "gatewayconsumers",
    shortname = "gwc",
    category = "gatewaybinding-all",
    namespaced,
    status = "GatewayConsumerStatus",
    derive = "PartialEq",
    doc = "A caller of exposed services, with its credentials. Bindings name it in their list of allowed consumers; it is made in a cloud account when the first binding there names it.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Accounts", type_ = "string", priority = 1, json_path = ".status.accounts[*].account"),
    printcolumn(name = "Message", type_ = "string", priority = 1, json_path = ".status.conditions[?(@.type=='Ready')].message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 63")
        .message("the name of a consumer must have at most 63 characters: it becomes part of names in the cloud")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.credentials.all(c, c.type != 'Generated' || self.credentials.exists_one(d, d.secretRef.name == c.secretRef.name))")
    .message("a Secret that a Generated credential is written to must not be named by another credential")
    .reason(Reason::FieldValueInvalid).field_path(".credentials"))]
pub struct GatewayConsumerSpec {
    /// The namespaces whose bindings may name this consumer. Default: its own namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<ConsumerNamespaces>,

    /// Active, or Disabled to refuse it everywhere at once without forgetting it. Default: Active; an
    /// existing consumer stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ConsumerState")]
    pub state: Option<ConsumerState>,

    /// What happens when somebody else changed what the operator wrote: the consumer in the cloud, or
    /// a Secret with a generated credential. Enforce puts it back, Report says so in status and
    /// leaves it. Default: Enforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DriftPolicy")]
    pub drift_policy: Option<DriftPolicy>,

    /// Its credentials. All of them are valid side by side, so one is replaced without a gap by
    /// adding the new one, moving the callers, and removing the old one.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub credentials: Vec<ConsumerCredential>,

    /// Consumers that were made in the cloud console, by account and region: there the existing one is
    /// used. It keeps its name and every credential that is not listed here; a Generated credential
    /// takes over one that it has; it is never deleted. The class that leads into the account must let
    /// consumers be adopted. Default: the operator makes the consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["accountId".into(), "regionId".into()]))]
    pub existing: Option<Vec<ExistingConsumer>>,
}

impl GatewayConsumerSpec {
    /// Id of the consumer that was made in the console of an account and region.
    #[must_use]
    pub fn existing_in(&self, account: &str, region: &str) -> Option<&str> {
        let mut existing = self.existing.iter().flatten();
        let found = existing.find(|entry| entry.account_id == account && entry.region_id == region);
        found.map(|entry| entry.id.as_str())
    }

    /// Whether the consumer may call at all.
    #[must_use]
    pub fn state(&self) -> ConsumerState {
        self.state.unwrap_or_default()
    }

    /// What to do about what somebody else changed. A consumer belongs to no class, so no class has
    /// a default for it.
    #[must_use]
    pub fn drift_policy(&self) -> DriftPolicy {
        self.drift_policy.unwrap_or_default()
    }

    /// Which namespaces' bindings may name the consumer, besides its own.
    #[must_use]
    pub fn namespaces_from(&self) -> ConsumerNamespacesFrom {
        self.allowed_namespaces
            .as_ref()
            .map_or_else(ConsumerNamespacesFrom::default, |allowed| allowed.from)
    }
}

/// Whether a consumer may call at all.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConsumerState {
    /// It may, where bindings allow it.
    #[default]
    Active,
    /// It is refused everywhere.
    Disabled,
}

/// Who makes a credential.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialType {
    /// The operator, which writes it into the Secret.
    Generated,
    /// The user, whose Secret is only read.
    Imported,
}

/// A kind of credential.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum CredentialKind {
    /// A key that is sent along.
    APIKey,
    /// An id and a secret that requests are signed with.
    KeyPair,
}

/// A credential of a consumer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type == 'Imported' || !has(self.keys)")
    .message("keys may be given with type: Imported only; a Generated credential is written to apiKey, keyId and keySecret")
    .reason(Reason::FieldValueForbidden).field_path(".keys"))]
#[x_kube(validation = Rule::new("!has(self.keys) || !has(self.keys.apiKey) || self.kinds.exists(k, k == 'APIKey')")
    .message("keys.apiKey needs APIKey in kinds")
    .reason(Reason::FieldValueForbidden).field_path(".keys.apiKey"))]
#[x_kube(validation = Rule::new("!has(self.keys) || !(has(self.keys.keyId) || has(self.keys.keySecret)) || self.kinds.exists(k, k == 'KeyPair')")
    .message("keys.keyId and keys.keySecret need KeyPair in kinds")
    .reason(Reason::FieldValueForbidden).field_path(".keys"))]
pub struct ConsumerCredential {
    /// Name of the credential, unique within the consumer. Example: 2026-11.
    #[schemars(length(min = 1, max = 32), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// Generated: the operator makes the credential and writes it into the Secret, which must not
    /// exist before. Imported: the credential is taken from the Secret, which is never written.
    #[serde(rename = "type")]
    pub type_: CredentialType,

    /// APIKey for a key that is sent along, KeyPair for an id and a secret that requests are signed
    /// with, or both.
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub kinds: Vec<CredentialKind>,

    /// The Secret, in the namespace of the consumer.
    pub secret_ref: LocalSecretRef,

    /// Entries of an imported Secret, where they differ from apiKey, keyId and keySecret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<CredentialKeys>,

    /// When the credential stops being valid, with time zone. Default: never. Example:
    /// 2026-12-01T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub until: Option<Time>,
}

impl ConsumerCredential {
    /// Entry of the Secret that holds the API key.
    #[must_use]
    pub fn api_key_entry(&self) -> &str {
        let keys = self.keys.as_ref();
        keys.and_then(|keys| keys.api_key.as_deref())
            .unwrap_or(consumer_secret::API_KEY)
    }

    /// Entry of the Secret that holds the id of the key pair.
    #[must_use]
    pub fn key_id_entry(&self) -> &str {
        let keys = self.keys.as_ref();
        keys.and_then(|keys| keys.key_id.as_deref())
            .unwrap_or(consumer_secret::KEY_ID)
    }

    /// Entry of the Secret that holds the secret of the key pair.
    #[must_use]
    pub fn key_secret_entry(&self) -> &str {
        let keys = self.keys.as_ref();
        keys.and_then(|keys| keys.key_secret.as_deref())
            .unwrap_or(consumer_secret::KEY_SECRET)
    }
}

/// Entries of a Secret that hold a credential.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CredentialKeys {
    /// Entry with the API key. Default: apiKey.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::schema::SECRET_KEY))]
    pub api_key: Option<String>,

    /// Entry with the id of the key pair. Default: keyId.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::schema::SECRET_KEY))]
    pub key_id: Option<String>,

    /// Entry with the secret of the key pair. Default: keySecret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::schema::SECRET_KEY))]
    pub key_secret: Option<String>,
}

/// Where a consumer stands.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GatewayConsumerStatus {
    /// The generation of the consumer that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The state in effect: Active or Disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ConsumerState")]
    pub state: Option<ConsumerState>,

    /// The credentials that are valid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub credentials: Vec<PublishedCredential>,

    /// The cloud accounts it exists in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["account".into(), "region".into()]))]
    pub accounts: Vec<ConsumerAccount>,

    /// Accepted, ResolvedRefs, Programmed and Ready, which sums it up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,

    /// What the consumer has claimed in cluster and cloud, so that it can be cleaned up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["key".into()]))]
    pub ledger: Vec<LedgerEntry>,
}

impl GatewayConsumerStatus {
    /// Whether it is what the API server gives to an object that the operator has not written the
    /// status of, or whose status somebody removed.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        matches!(self.observed_generation, None | Some(UNOBSERVED)) && self.ledger.is_empty()
    }
}

/// A credential that is valid.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PublishedCredential {
    /// Name of the credential.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,

    /// Its kinds: APIKey, KeyPair.
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub kinds: Vec<CredentialKind>,
}

/// A cloud account that a consumer exists in.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerAccount {
    /// Id of the account.
    #[schemars(length(min = 1, max = 32))]
    pub account: String,

    /// Id of the region.
    #[schemars(length(min = 1, max = 32))]
    pub region: String,

    /// Id of the consumer there.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
}
