//! The configuration that each plugin documents, as types: a number where a plugin wants a text would
//! switch the plugin off.

use serde::{Deserialize, Serialize};

/// Whom no credential belongs to: an empty list is refused by the plugins, and this one lets nobody in.
pub const NOBODY: &str = "gatewaybinding.dev/nobody";

/// A rule of the plugins that know callers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AllowConfig {
    /// Names of consumers that may call. Never empty.
    pub allow: Vec<String>,
}

/// What `key-auth` has for all its rules.
#[derive(Clone, Debug, Serialize)]
pub struct KeyAuthConfig {
    /// Whether requests without a rule need a key. They do not.
    pub global_auth: bool,
    /// Names of the header or parameter.
    pub keys: Vec<String>,
    /// Where it stands. The plugin reads the header alone if both are true.
    pub in_query: bool,
    /// Where it stands.
    pub in_header: bool,
    /// Everybody who is known.
    pub consumers: Vec<KeyConsumer>,
}

/// A consumer of `key-auth`, once for each of its keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct KeyConsumer {
    /// Its name.
    pub name: String,
    /// Its key, or `NAME:PASSWORD` with `basic-auth`.
    pub credential: String,
}

/// What `basic-auth` has for all its rules.
#[derive(Clone, Debug, Serialize)]
pub struct BasicAuthConfig {
    /// Whether requests without a rule need a credential. They do not.
    pub global_auth: bool,
    /// Everybody who is known.
    pub consumers: Vec<KeyConsumer>,
}

/// What `hmac-auth` has for all its rules.
#[derive(Clone, Debug, Serialize)]
pub struct HmacAuthConfig {
    /// Whether requests without a rule need a signature. They do not.
    pub global_auth: bool,
    /// Everybody who is known.
    pub consumers: Vec<PairConsumer>,
}

/// A consumer of `hmac-auth`, once for each of its key pairs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PairConsumer {
    /// Its name.
    pub name: String,
    /// Id of the key pair.
    pub key: String,
    /// Secret of the key pair.
    pub secret: String,
}

/// What `jwt-auth` has for all its rules.
#[derive(Clone, Debug, Serialize)]
pub struct JwtAuthConfig {
    /// Whether requests without a rule need a token. They do not.
    pub global_auth: bool,
    /// Everybody whose tokens are known.
    pub consumers: Vec<JwtConsumer>,
}

/// An issuer of `jwt-auth`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct JwtConsumer {
    /// Its name.
    pub name: String,
    /// What its tokens have as `iss`.
    pub issuer: String,
    /// Its public keys.
    pub jwks: String,
}

/// A rule of `key-rate-limit`: by one header or one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRateLimitConfig {
    /// Name of the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_by_header: Option<String>,
    /// Name of the parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_by_param: Option<String>,
    /// The limits, one for each value.
    pub limit_keys: Vec<LimitKey>,
}

/// The limit for one value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitKey {
    /// The value: always a text.
    pub key: String,
    /// Requests in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_per_second: Option<u64>,
    /// Requests in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_per_minute: Option<u64>,
    /// Requests in an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_per_hour: Option<u64>,
    /// Requests in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_per_day: Option<u64>,
}

/// A rule of `ip-restriction`: one of `allow` and `deny`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpRestrictionConfig {
    /// `origin-source` or `header`.
    pub ip_source_type: String,
    /// The header, with `header`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_header_name: Option<String>,
    /// Addresses that may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Addresses that may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny: Option<Vec<String>>,
}

/// A rule of `cors`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsConfig {
    /// Origins, or `*`.
    pub allow_origins: Vec<String>,
    /// Methods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_methods: Option<Vec<String>>,
    /// Headers of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_headers: Option<Vec<String>>,
    /// Headers of answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expose_headers: Option<Vec<String>>,
    /// Whether credentials may be sent.
    pub allow_credentials: bool,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i32>,
}

/// A rule of `request-block`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestBlockConfig {
    /// Texts of path and query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_urls: Option<Vec<String>>,
    /// Texts of headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_headers: Option<Vec<String>>,
    /// Whether capital letters count as others.
    pub case_sensitive: bool,
    /// Status of the refusal.
    pub blocked_code: i32,
}

/// A rule of `custom-response`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomResponseConfig {
    /// Status of the answer.
    pub status_code: i32,
    /// `NAME=VALUE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<String>>,
    /// Body of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Statuses of the service that it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_on_status: Option<Vec<i32>>,
}
