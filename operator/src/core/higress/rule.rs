//! What one binding asks of one plugin, in the operator's words. No secret is in it: who may call is a
//! name, so a rule can be kept in a ledger.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{HigressPlugin, NamespacedName};
use serde::{Deserialize, Serialize};

use super::config::{
    CorsConfig, CustomResponseConfig, IpRestrictionConfig, KeyRateLimitConfig, RequestBlockConfig,
};
use super::scope::Scope;

/// What a binding asks for, by plugin.
pub type Rules = BTreeMap<HigressPlugin, Rule>;

/// What one binding asks of one plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// Everybody may call: the plugin is kept away.
    Open,
    /// Consumers that may call, with a key.
    Key(Placement, Callers),
    /// Consumers that may call, with a key pair.
    Pair(Callers),
    /// Issuers whose tokens are accepted.
    Tokens(Vec<Issuer>),
    /// Limits.
    Limit(KeyRateLimitConfig),
    /// Addresses.
    Addresses(IpRestrictionConfig),
    /// Other origins.
    Cors(CorsConfig),
    /// Requests that are refused.
    Block(RequestBlockConfig),
    /// An answer of the gateway's own.
    Response(CustomResponseConfig),
}

/// Where a key stands. The plugin has one setting of it for all its rules, so rules with another one
/// are in another object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Placement {
    /// In the query string, else in a header.
    pub in_query: bool,
    /// Names of the parameter or header.
    pub names: BTreeSet<String>,
}

/// Consumers that may call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callers {
    /// Those that may.
    pub allow: BTreeSet<NamespacedName>,
    /// Those that are known, and refused.
    pub deny: BTreeSet<NamespacedName>,
}

/// Whose tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Name in the plugin, unique in the cluster.
    pub name: String,
    /// What its tokens have as `iss`.
    pub issuer: String,
    /// Its public keys.
    pub jwks: String,
}

/// What a binding asks for, and for which requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The requests.
    pub scope: Scope,
    /// What is asked for.
    pub rules: Rules,
}

/// Whether a plugin guards access, so that without it no request may pass.
pub const fn is_guard(plugin: HigressPlugin) -> bool {
    !matches!(plugin, HigressPlugin::Cors | HigressPlugin::CustomResponse)
}
