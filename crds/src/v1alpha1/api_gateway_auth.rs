//! Who may call through an API Gateway.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConsumerRef, NamespacedName};

/// Who may call: known consumers, or everybody.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.consumer) || has(self.jwt) || has(self.anonymous)")
    .message("say who may call: consumer or jwt for known callers, or anonymous: {} for everybody")
    .reason(Reason::FieldValueRequired))]
#[x_kube(validation = Rule::new("!has(self.anonymous) || !(has(self.consumer) || has(self.jwt))")
    .message("anonymous lets everybody in and must stand alone")
    .reason(Reason::FieldValueForbidden).field_path(".anonymous"))]
pub struct Auth {
    /// Callers are known by a credential of a GatewayConsumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<ConsumerAuth>,

    /// Callers send a token that one of these issuers signed. With consumer given too, both must
    /// hold. Higress only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtAuth>,

    /// Everybody may call, without a credential: write anonymous: {}. Stands alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<Anonymous>,
}

/// Lets everybody in. Has no settings.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct Anonymous {}

/// Callers that are known by a credential.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.apiKey) || has(self.signature) || has(self.basic)")
    .message("say how callers prove who they are: apiKey, signature, basic or more of them")
    .reason(Reason::FieldValueRequired))]
pub struct ConsumerAuth {
    /// A caller may send an API key. With signature given too, it may use either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<ApiKeyAuth>,

    /// A caller may sign its requests with a key pair: write signature: {}. With apiKey given too, it
    /// may use either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureAuth>,

    /// A caller may send name and password of HTTP's basic authentication, which are the id and the
    /// secret of a key pair: write basic: {}. Higress only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,

    /// The consumers that may call. An empty list means nobody.
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub allow: Vec<AllowedConsumer>,

    /// Consumers that are known and refused all the same: they get 403, where one that is not known
    /// may get 401. Higress only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub deny: Option<Vec<DeniedConsumer>>,
}

/// How a caller sends an API key.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyAuth {
    /// Where the key may stand: Header, Query. With the classic API Gateway the header is
    /// "Authorization: APPCODE KEY" and the query parameter is AppCode; it has no way to accept
    /// Query alone.
    #[serde(rename = "in")]
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub in_: Vec<ApiKeyLocation>,

    /// Names of the header or query parameter that the key stands in. Higress only, where it is
    /// required. Example: apikey.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 4),
        inner(length(min = 1, max = 64), regex(pattern = "^[-_A-Za-z0-9]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub names: Option<Vec<String>>,
}

/// Where an API key may stand.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum ApiKeyLocation {
    /// In a header.
    Header,
    /// In the query string.
    Query,
}

/// Requests signed with a key pair. Has no settings.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureAuth {}

/// Name and password of HTTP's basic authentication. Has no settings.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct BasicAuth {}

/// Callers that send a signed token.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct JwtAuth {
    /// Whose tokens are accepted.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub issuers: Vec<JwtIssuer>,
}

/// Whose tokens are accepted.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct JwtIssuer {
    /// Name of this entry.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// What the claim iss of its tokens is. Example: https://idp.example.com.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[!-~]+$"))]
    pub issuer: String,

    /// Its public keys, as a JSON Web Key Set. Keys of kind oct are secrets and are refused.
    #[schemars(length(min = 2, max = 8192))]
    pub jwks: String,
}

/// A consumer that is known and refused.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DeniedConsumer {
    /// Name of this entry, unique within the list. Also the name of the GatewayConsumer, in the
    /// binding's namespace, unless consumerRef names another.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// The GatewayConsumer, if it has another name than this entry or lives in another namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_ref: Option<ConsumerRef>,
}

impl DeniedConsumer {
    /// Namespace and name of the GatewayConsumer, seen from a binding in `namespace`.
    #[must_use]
    pub fn consumer(&self, namespace: &str) -> NamespacedName {
        named(&self.name, self.consumer_ref.as_ref(), namespace)
    }
}

fn named(entry: &str, reference: Option<&ConsumerRef>, namespace: &str) -> NamespacedName {
    NamespacedName {
        namespace: reference
            .and_then(|reference| reference.namespace.as_deref())
            .unwrap_or(namespace)
            .to_owned(),
        name: reference
            .map_or(entry, |reference| &reference.name)
            .to_owned(),
    }
}

/// A consumer that may call.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AllowedConsumer {
    /// Name of this entry, unique within the list. Also the name of the GatewayConsumer, in the
    /// binding's namespace, unless consumerRef names another.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// The GatewayConsumer, if it has another name than this entry or lives in another namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_ref: Option<ConsumerRef>,

    /// When the permission ends, with time zone. Default: never. Example: 2027-01-01T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub until: Option<Time>,
}

impl AllowedConsumer {
    /// Namespace and name of the GatewayConsumer, seen from a binding in `namespace`.
    #[must_use]
    pub fn consumer(&self, namespace: &str) -> NamespacedName {
        named(&self.name, self.consumer_ref.as_ref(), namespace)
    }
}
