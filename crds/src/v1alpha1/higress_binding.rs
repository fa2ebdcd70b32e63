//! What a binding asks of Higress.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Auth, Method, Throttling};

/// What a binding asks of Higress, for all requests to its Knative Service.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.auth) || has(self.throttling) || has(self.clientAddresses) || has(self.cors) || has(self.blockedRequests) || has(self.response)")
    .message("higress asks for nothing: give auth, throttling, clientAddresses, cors, blockedRequests or response, or leave the whole block out")
    .reason(Reason::FieldValueRequired))]
#[x_kube(validation = Rule::new("!has(self.throttling) || !has(self.throttling.existing)")
    .message("throttling.existing names a policy of an API gateway: Higress has none")
    .reason(Reason::FieldValueForbidden).field_path(".throttling"))]
pub struct BindingHigress {
    /// Who may call. Default: authentication is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,

    /// Limits on the rate of requests, by the value of a header or parameter: scope Header or
    /// Parameter. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling: Option<Throttling>,

    /// Addresses that may call, or may not. Default: every address may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_addresses: Option<ClientAddressRules>,

    /// What pages of other origins may do. Default: it is left to the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,

    /// Requests that are refused by what they hold. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_requests: Option<BlockedRequests>,

    /// An answer of the gateway's own. Default: the service answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<CustomResponse>,
}

/// Addresses that may call, or may not.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.allow) != has(self.deny)")
    .message("give exactly one of allow and deny")
    .reason(Reason::FieldValueInvalid))]
pub struct ClientAddressRules {
    /// The only addresses that may call, each alone or with a prefix length. Example: 10.0.0.0/8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 100),
        inner(
            length(min = 2, max = 43),
            regex(pattern = "^[0-9a-fA-F.:]+(/[0-9]{1,3})?$")
        )
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allow: Option<Vec<String>>,

    /// The addresses that may not call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 100),
        inner(
            length(min = 2, max = 43),
            regex(pattern = "^[0-9a-fA-F.:]+(/[0-9]{1,3})?$")
        )
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub deny: Option<Vec<String>>,

    /// Where the address is read: Connection for the peer of the gateway, or Header for what a proxy
    /// in front of it says in X-Forwarded-For, which anybody else can say too. Default: Connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AddressSource")]
    pub source: Option<AddressSource>,
}

/// Where the address of a caller is read.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AddressSource {
    /// The peer of the gateway.
    #[default]
    Connection,
    /// The header X-Forwarded-For.
    Header,
}

/// What pages of other origins may do.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.credentials) || self.credentials != 'Allow' || !self.origins.exists(o, o == '*')")
    .message("credentials: Allow needs origins that are named: browsers refuse it with \"*\"")
    .reason(Reason::FieldValueInvalid).field_path(".credentials"))]
pub struct Cors {
    /// The origins whose pages may call, or "*" for all. Example: https://shop.example.com.
    #[schemars(
        length(min = 1, max = 32),
        inner(
            length(min = 1, max = 253),
            regex(pattern = "^([*]|https?://[-a-z0-9.]+(:[0-9]{1,5})?)$")
        )
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub origins: Vec<String>,

    /// Methods they may use, HEAD among them. Default: GET, PUT, POST, DELETE, PATCH, OPTIONS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub methods: Option<Vec<Method>>,

    /// Headers they may send. Default: the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 32),
        inner(length(min = 1, max = 64), regex(pattern = "^[-_A-Za-z0-9]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub headers: Option<Vec<String>>,

    /// Headers of the answer they may read. Default: the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 32),
        inner(length(min = 1, max = 64), regex(pattern = "^[-_A-Za-z0-9]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub exposed_headers: Option<Vec<String>>,

    /// Allow lets them send cookies and other credentials. Default: Omit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "CorsCredentials")]
    pub credentials: Option<CorsCredentials>,

    /// How many seconds a browser may remember this. Default: 1728000, which is 20 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_728_000))]
    pub max_age_seconds: Option<i32>,
}

/// Whether pages of other origins may send credentials.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CorsCredentials {
    /// They may.
    Allow,
    /// They may not.
    #[default]
    Omit,
}

/// Requests that are refused by what they hold.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.urls) || has(self.headers)")
    .message("blockedRequests blocks nothing: give urls or headers")
    .reason(Reason::FieldValueRequired))]
pub struct BlockedRequests {
    /// Texts that path and query must not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 200)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub urls: Option<Vec<String>>,

    /// Texts that no header, its name included, may hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 200)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub headers: Option<Vec<String>>,

    /// Whether capital letters count as others: Sensitive or Ignore. Default: Ignore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LetterCase")]
    pub letter_case: Option<LetterCase>,

    /// Status of the refusal. Default: 403.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 400, max = 599))]
    pub status: Option<i32>,
}

/// Whether capital letters count as others.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LetterCase {
    /// They do.
    Sensitive,
    /// They do not.
    #[default]
    Ignore,
}

/// An answer of the gateway's own.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CustomResponse {
    /// Its status.
    #[schemars(range(min = 200, max = 599))]
    pub status: i32,

    /// Its headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Option<Vec<ResponseHeader>>,

    /// Its body. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub body: Option<String>,

    /// The statuses of the service that it replaces. Default: it answers every request, and the
    /// service sees none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(range(min = 100, max = 599)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub on_status: Option<Vec<i32>>,
}

/// A header of an answer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ResponseHeader {
    /// Its name.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub name: String,

    /// Its value.
    #[schemars(length(min = 1, max = 512), regex(pattern = "^[!-~]([ -~]*[!-~])?$"))]
    pub value: String,
}
