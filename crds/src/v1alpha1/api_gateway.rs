//! How a binding is published on an API Gateway: routes, callers, limits.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{KubeSchema, core::Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConsumerRef, Existing};

/// Publishes the service on an API Gateway.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BindingApiGateway {
    /// Name of one of the apiGateways of the class. Default: the one that the defaults of the class
    /// name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub gateway: Option<String>,

    /// Name of one of the groups of that API gateway. Default: the one that the defaults of the class
    /// name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub group: Option<String>,

    /// Environments to publish to. Default: Release.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub environments: Option<Vec<EnvironmentRef>>,

    /// Protocols that callers may use: HTTP, HTTPS. Default: HTTPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub protocols: Option<Vec<Protocol>>,

    /// Paths that are published. A path and method can be published once in a group. Default: one
    /// route with the prefix /NAMESPACE/NAME of the binding, which is replaced
    /// with / on the way to the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new("self.all(r, !has(r.existing) || self.exists_one(o, has(o.existing) && o.existing.id == r.existing.id))")
            .message("two routes name the same existing API: an API has one path")
    )]
    pub routes: Option<Vec<Route>>,

    /// Who may call. Nobody is let in by leaving this out: it is required.
    pub auth: Auth,

    /// Limits on the rate of requests. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling: Option<Throttling>,

    /// How the API Gateway talks to the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<Backend>,
}

impl BindingApiGateway {
    /// Environments to publish to.
    #[must_use]
    pub fn environments(&self) -> Vec<Environment> {
        self.environments.as_ref().map_or_else(
            || vec![Environment::Release],
            |environments| {
                environments
                    .iter()
                    .map(|environment| environment.name)
                    .collect()
            },
        )
    }

    /// Protocols that callers may use.
    #[must_use]
    pub fn protocols(&self) -> Vec<Protocol> {
        self.protocols
            .clone()
            .unwrap_or_else(|| vec![Protocol::HTTPS])
    }

    /// The published paths, with the default one of the binding `namespace/name` if none is given.
    #[must_use]
    pub fn routes(&self, namespace: &str, name: &str) -> Vec<Route> {
        self.routes
            .clone()
            .unwrap_or_else(|| vec![Route::default_for(namespace, name)])
    }

    /// How long the API Gateway waits for the service's answer.
    #[must_use]
    pub fn backend_timeout(&self) -> std::time::Duration {
        self.backend
            .as_ref()
            .and_then(|backend| backend.timeout)
            .map_or(Backend::DEFAULT_TIMEOUT, Into::into)
    }
}

/// An environment of an API Gateway.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum Environment {
    /// For trying out.
    Test,
    /// For a last look before the release.
    Pre,
    /// For production.
    Release,
}

/// Names an environment.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentRef {
    /// The environment: Test, Pre or Release.
    pub name: Environment,
}

/// A protocol that callers may use.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum Protocol {
    /// Unencrypted.
    HTTP,
    /// Encrypted.
    HTTPS,
}

/// An HTTP method.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum Method {
    /// GET
    GET,
    /// POST
    POST,
    /// PUT
    PUT,
    /// DELETE
    DELETE,
    /// PATCH
    PATCH,
    /// HEAD
    HEAD,
    /// OPTIONS
    OPTIONS,
}

/// A published path.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.existing) || !has(self.methods) || self.methods.size() == 1")
    .message("a route with existing is one API: leave methods out for any method, or give one")
    .reason(Reason::FieldValueInvalid).field_path(".methods"))]
pub struct Route {
    /// Name of the route, unique within the binding. Part of the name of the API in the cloud, where
    /// a new name means a new API.
    #[schemars(length(min = 1, max = 32), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// The path that callers use.
    pub path: RoutePath,

    /// Methods that callers may use: GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub methods: Option<Vec<Method>>,

    /// An API of the group that was made in the cloud console: it becomes the API of this route and
    /// keeps its id, its name and all that the binding has no word for; protocols and the timeout of
    /// the backend too, where the binding does not give them. Nothing of it is ever deleted. The class
    /// must let bindings adopt APIs. Default: the operator makes an API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,
}

impl Route {
    /// Name of the route that a binding without routes has.
    pub const DEFAULT_NAME: &str = "default";

    /// The route of a binding that names none: `/<namespace>/<name>`, replaced with `/`.
    #[must_use]
    pub fn default_for(namespace: &str, name: &str) -> Self {
        Self {
            name: Self::DEFAULT_NAME.to_owned(),
            path: RoutePath {
                exact: None,
                prefix: Some(format!("/{namespace}/{name}")),
                replace_with: Some("/".to_owned()),
            },
            methods: None,
            existing: None,
        }
    }
}

/// The path of a route: this one path, or everything below it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[x_kube(validation = Rule::new("has(self.exact) != has(self.prefix)")
    .message("give exactly one of exact and prefix")
    .reason(Reason::FieldValueInvalid))]
#[x_kube(validation = Rule::new("[has(self.exact) ? self.exact : '/', has(self.prefix) ? self.prefix : '/', has(self.replaceWith) ? self.replaceWith : '/'].all(p, !p.contains('//') && !p.matches('/[.]{1,2}(/|$)'))")
    .message("a path must not contain //, /./ or /../")
    .reason(Reason::FieldValueInvalid))]
pub struct RoutePath {
    /// This path and no other. Starts with /. Example: /status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = crate::schema::URL_PATH))]
    pub exact: Option<String>,

    /// This path and everything below it. Starts with /. The prefix / takes a whole group for one
    /// binding. Example: /shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = crate::schema::URL_PATH))]
    pub prefix: Option<String>,

    /// What the service sees instead of the exact path or the prefix. Starts with /. Default: the
    /// path as the caller sent it. Example: /.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = crate::schema::URL_PATH))]
    pub replace_with: Option<String>,
}

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
    pub fn consumer(&self, namespace: &str) -> super::NamespacedName {
        named(&self.name, self.consumer_ref.as_ref(), namespace)
    }
}

fn named(entry: &str, reference: Option<&ConsumerRef>, namespace: &str) -> super::NamespacedName {
    super::NamespacedName {
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
    pub fn consumer(&self, namespace: &str) -> super::NamespacedName {
        named(&self.name, self.consumer_ref.as_ref(), namespace)
    }
}

/// Limits on the rate of requests.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.limits) || has(self.existing)")
    .message("say which limits: give limits, or existing for a policy that was made in the cloud console, or both")
    .reason(Reason::FieldValueRequired))]
pub struct Throttling {
    /// A throttling policy that was made in the cloud console, with the classic API Gateway a plugin
    /// of type trafficControl. Without limits it acts as it is; with limits it is brought to them, for
    /// every API that it acts on. It is never deleted. The class must let bindings adopt policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,

    /// The limits. All of them hold; a request above any of them is answered with 429. The classic
    /// API Gateway wants the same unit of time in all of them, and no limit for a consumer above that
    /// for an account, nor one for an account above that for the API.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub limits: Vec<Limit>,
}

/// A limit on the rate of requests.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.consumer) || self.scope == 'Consumer'")
    .message("consumer may be given with scope: Consumer only")
    .reason(Reason::FieldValueForbidden).field_path(".consumer"))]
#[x_kube(validation = Rule::new("has(self.header) == (self.scope == 'Header') && has(self.parameter) == (self.scope == 'Parameter')")
    .message("header goes with scope: Header, parameter with scope: Parameter, and each is required there")
    .reason(Reason::FieldValueInvalid))]
#[x_kube(validation = Rule::new("has(self.value) == (self.scope == 'Header' || self.scope == 'Parameter')")
    .message("value goes with scope: Header and scope: Parameter, and is required there")
    .reason(Reason::FieldValueInvalid).field_path(".value"))]
pub struct Limit {
    /// Name of the limit, unique within the binding.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// What is counted together: API for all requests to a route, Account for those of all consumers
    /// of one cloud account, Consumer for those of each consumer. Header and Parameter, which are
    /// Higress' own, for requests whose header or query parameter has a certain value.
    pub scope: LimitScope,

    /// With scope Consumer: the entry of allow that this limit is for, instead of the one for every
    /// consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub consumer: Option<String>,

    /// With scope Header: name of the header. Example: x-ca-key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub header: Option<String>,

    /// With scope Parameter: name of the query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub parameter: Option<String>,

    /// With scope Header or Parameter: the whole value. A number needs quotes. Example: "123456".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[!-~]+$"))]
    pub value: Option<String>,

    /// Number of requests in the unit of time, 1 to 100000000.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub requests: i64,

    /// Unit of time: Second, Minute, Hour or Day.
    pub per: RateUnit,
}

/// What a limit counts together.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum LimitScope {
    /// All requests to a route.
    API,
    /// The requests of all consumers of one cloud account.
    Account,
    /// The requests of each consumer.
    Consumer,
    /// The requests whose header has a certain value.
    Header,
    /// The requests whose query parameter has a certain value.
    Parameter,
}

/// A unit of time.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum RateUnit {
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// One hour.
    Hour,
    /// One day.
    Day,
}

/// How the API Gateway talks to the service.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Backend {
    /// How long the API Gateway waits for the answer. The classic one takes whole seconds, at most
    /// 30s. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::duration")]
    pub timeout: Option<Duration>,
}

impl Backend {
    /// How long the API Gateway waits for an answer if a binding says nothing.
    pub const DEFAULT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
}
