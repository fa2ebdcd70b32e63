//! The objects `WasmPlugin` (`extensions.higress.io/v1alpha1`): one for each plugin, with the rules of
//! all bindings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crds::v1alpha1::{HigressGateway, HigressPlugin, NamespacedName};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::config::{
    AllowConfig, BasicAuthConfig, HmacAuthConfig, JwtAuthConfig, JwtConsumer, KeyAuthConfig,
    KeyConsumer, NOBODY, PairConsumer,
};
use super::merge::{Merged, Placed};
use super::rule::{Callers, Placement, Rule, is_guard};
use crate::core::names;

/// Bytes of JSON that one object has at the most. The API server takes 1.5 MiB in one request, and an
/// object carries fields of its own besides.
pub const MOST_BYTES: usize = 900 * 1024;

/// Objects that the rules of one plugin are spread over at the most. A binding's rule is bounded by its
/// definition, so this is far above what a cluster can hold.
const MOST_SHARDS: usize = 1024;

/// Where images of plugins are, and which.
const REGISTRY: &str = "oci://higress-registry.cn-hangzhou.cr.aliyuncs.com/plugins";
const VERSION: &str = "1.0.0";

/// A consumer whose credentials are known.
#[derive(Clone, Debug)]
pub struct Caller {
    /// When it was created: of two with the same credential the older one has it.
    pub created: Timestamp,
    /// Its credentials, all valid side by side, so that one is replaced without a gap.
    pub credentials: Vec<Credential>,
}

/// A credential.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A key.
    Key(SecretString),
    /// A key pair.
    Pair {
        /// Its id.
        id: String,
        /// Its secret.
        secret: SecretString,
    },
}

/// All consumers that are there and may call.
pub type Known = BTreeMap<NamespacedName, Caller>;

/// An object `WasmPlugin`. It holds credentials in clear text, since the plugin has no other way to get
/// them; it shows them to nobody here.
#[derive(Clone, PartialEq)]
pub struct PluginObject {
    /// Its name.
    pub name: String,
    /// The plugin.
    pub plugin: HigressPlugin,
    /// Its spec.
    pub spec: Value,
}

impl fmt::Debug for PluginObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = names::digest(&self.spec);
        write!(f, "WasmPlugin {} ({digest})", self.name)
    }
}

/// The objects for all rules.
///
/// Rules keep their object while it has room: the number of objects of a plugin only doubles, and then
/// half of the rules of each move to a new one. Who writes them must write the new ones first, so that
/// a rule is in two objects for a moment rather than in none.
pub fn objects(
    merged: &Merged,
    known: &Known,
    gateway: &HigressGateway,
    most_bytes: usize,
) -> Vec<PluginObject> {
    let mut groups: BTreeMap<(HigressPlugin, Option<&Placement>), Vec<&Placed>> = BTreeMap::new();
    for placed in &merged.rules {
        let placement = match &placed.rule {
            Rule::Open => continue,
            Rule::Key(placement, _) => Some(placement),
            _ => None,
        };
        let group = groups.entry((placed.plugin, placement)).or_default();
        group.push(placed);
    }
    let groups = groups.into_iter();
    groups
        .flat_map(|((plugin, placement), rules)| {
            sharded(plugin, placement, &rules, known, gateway, most_bytes)
        })
        .collect()
}

fn sharded(
    plugin: HigressPlugin,
    placement: Option<&Placement>,
    rules: &[&Placed],
    known: &Known,
    gateway: &HigressGateway,
    most_bytes: usize,
) -> Vec<PluginObject> {
    let mut count = 1;
    loop {
        let mut shards: BTreeMap<usize, Vec<&Placed>> = BTreeMap::new();
        for placed in rules {
            let shard = spread(placed) & (count - 1);
            shards.entry(shard).or_default().push(placed);
        }
        let objects: Vec<PluginObject> = shards
            .into_iter()
            .map(|(shard, rules)| PluginObject {
                name: name(plugin, placement, shard),
                plugin,
                spec: spec(plugin, placement, &rules, known, gateway),
            })
            .collect();
        let fits = |object: &PluginObject| object.spec.to_string().len() <= most_bytes;
        if count >= MOST_SHARDS || objects.iter().all(fits) {
            return objects;
        }
        count *= 2;
    }
}

/// Where a rule goes, whatever others there are.
fn spread(placed: &Placed) -> usize {
    let first = placed.scope.routes.first().or(placed.scope.hosts.first());
    let hash = Sha256::digest(first.map(String::as_str).unwrap_or_default().as_bytes());
    let low = hash.iter().take(4);
    low.fold(0, |sum, byte| sum * 256 + usize::from(*byte))
}

fn name(plugin: HigressPlugin, placement: Option<&Placement>, shard: usize) -> String {
    let plugin = plugin.name();
    match placement {
        Some(placement) => {
            let place = names::short_hash(&format!("{placement:?}"));
            format!("gatewaybinding-{plugin}-{place}-{shard}")
        }
        None => format!("gatewaybinding-{plugin}-{shard}"),
    }
}

fn spec(
    plugin: HigressPlugin,
    placement: Option<&Placement>,
    rules: &[&Placed],
    known: &Known,
    gateway: &HigressGateway,
) -> Value {
    let (phase, priority) = order(plugin);
    let (url, sha256) = image(plugin, gateway);
    let mut spec = Map::new();
    spec.insert("url".to_owned(), json!(url));
    spec.insert("imagePullPolicy".to_owned(), json!("IfNotPresent"));
    spec.insert("phase".to_owned(), json!(phase));
    spec.insert("priority".to_owned(), json!(priority));
    let strategy = if is_guard(plugin) {
        "FAIL_CLOSE"
    } else {
        "FAIL_OPEN"
    };
    spec.insert("failStrategy".to_owned(), json!(strategy));
    if let Some(sha256) = sha256 {
        spec.insert("sha256".to_owned(), json!(sha256));
    }
    let plugins = gateway.plugins.as_ref();
    if let Some(secret) = plugins.and_then(|plugins| plugins.pull_secret.as_ref()) {
        spec.insert("imagePullSecret".to_owned(), json!(secret));
    }
    let default = default_config(plugin, placement, rules, known);
    spec.insert("defaultConfigDisable".to_owned(), json!(default.is_none()));
    if let Some(default) = default {
        spec.insert("defaultConfig".to_owned(), default);
    }
    spec.insert("matchRules".to_owned(), match_rules(rules, known));
    Value::Object(spec)
}

/// Phase and priority. Other origins come first, since what a browser asks beforehand carries no
/// credential; an answer of the gateway's own last, so that guards hold for it too.
const fn order(plugin: HigressPlugin) -> (&'static str, i32) {
    match plugin {
        HigressPlugin::Cors => ("AUTHN", 400),
        HigressPlugin::JwtAuth => ("AUTHN", 340),
        HigressPlugin::HmacAuth => ("AUTHN", 330),
        HigressPlugin::BasicAuth => ("AUTHN", 320),
        HigressPlugin::KeyAuth => ("AUTHN", 310),
        HigressPlugin::RequestBlock => ("AUTHN", 220),
        HigressPlugin::IpRestriction => ("AUTHN", 210),
        HigressPlugin::KeyRateLimit => ("UNSPECIFIED_PHASE", 10),
        HigressPlugin::CustomResponse => ("UNSPECIFIED_PHASE", 5),
    }
}

fn image(plugin: HigressPlugin, gateway: &HigressGateway) -> (String, Option<&str>) {
    let plugins = gateway.plugins.as_ref();
    let mut images = plugins
        .and_then(|plugins| plugins.images.as_ref())
        .into_iter()
        .flatten();
    if let Some(image) = images.find(|image| image.name == plugin) {
        return (image.url.clone(), image.sha256.as_deref());
    }
    let registry = plugins.and_then(|plugins| plugins.registry.as_deref());
    let version = plugins.and_then(|plugins| plugins.version.as_deref());
    let url = format!(
        "{}/{}:{}",
        registry.unwrap_or(REGISTRY),
        plugin.name(),
        version.unwrap_or(VERSION)
    );
    (url, None)
}

/// Rules for routes come before those for hosts: a route is what the request was found to be for. Both
/// matchers take the first rule that matches.
fn match_rules(rules: &[&Placed], known: &Known) -> Value {
    let mut by_route = Vec::new();
    let mut by_host = Vec::new();
    for placed in rules {
        let config = config(&placed.rule, known);
        if !placed.scope.routes.is_empty() {
            by_route.push(json!({
                "ingress": placed.scope.routes, "config": config, "configDisable": false,
            }));
        }
        if !placed.scope.hosts.is_empty() {
            by_host.push(json!({
                "domain": placed.scope.domains(), "config": config, "configDisable": false,
            }));
        }
    }
    by_route.append(&mut by_host);
    Value::Array(by_route)
}

fn config(rule: &Rule, known: &Known) -> Value {
    match rule {
        Rule::Open => Value::Null,
        Rule::Key(_, callers) => allow(callers, known, |one| matches!(one, Credential::Key(_))),
        Rule::Pair(callers) => allow(callers, known, |one| matches!(one, Credential::Pair { .. })),
        Rule::Tokens(issuers) => json!(AllowConfig {
            allow: issuers.iter().map(|issuer| issuer.name.clone()).collect(),
        }),
        Rule::Limit(config) => json!(config),
        Rule::Addresses(config) => json!(config),
        Rule::Cors(config) => json!(config),
        Rule::Block(config) => json!(config),
        Rule::Response(config) => json!(config),
    }
}

/// Whom of those that may call the plugin can know. If nobody is left, nobody may call: a rule whose
/// consumers vanished is no open door.
fn allow(callers: &Callers, known: &Known, fits: impl Fn(&Credential) -> bool) -> Value {
    let there = |name: &&NamespacedName| {
        let caller = known.get(*name);
        caller.is_some_and(|caller| caller.credentials.iter().any(&fits))
    };
    let mut allow: Vec<String> = callers
        .allow
        .iter()
        .filter(there)
        .map(ToString::to_string)
        .collect();
    if allow.is_empty() {
        allow.push(NOBODY.to_owned());
    }
    json!(AllowConfig { allow })
}

fn default_config(
    plugin: HigressPlugin,
    placement: Option<&Placement>,
    rules: &[&Placed],
    known: &Known,
) -> Option<Value> {
    let global_auth = false;
    match plugin {
        HigressPlugin::KeyAuth => placement.map(|placement| {
            json!(KeyAuthConfig {
                global_auth,
                keys: placement.names.iter().cloned().collect(),
                in_query: placement.in_query,
                in_header: !placement.in_query,
                consumers: key_consumers(rules, known),
            })
        }),
        HigressPlugin::BasicAuth => Some(json!(BasicAuthConfig {
            global_auth,
            consumers: basic_consumers(rules, known),
        })),
        HigressPlugin::HmacAuth => Some(json!(HmacAuthConfig {
            global_auth,
            consumers: pair_consumers(rules, known),
        })),
        HigressPlugin::JwtAuth => Some(json!(JwtAuthConfig {
            global_auth,
            consumers: issuers(rules),
        })),
        _ => None,
    }
}

/// Those that the rules name, the oldest first.
fn callers<'a>(rules: &[&'a Placed], known: &'a Known) -> Vec<(&'a NamespacedName, &'a Caller)> {
    let named: BTreeSet<&NamespacedName> = rules
        .iter()
        .filter_map(|placed| match &placed.rule {
            Rule::Key(_, callers) | Rule::Pair(callers) => Some(callers),
            _ => None,
        })
        .flat_map(|callers| callers.allow.iter().chain(&callers.deny))
        .collect();
    let mut found: Vec<(&NamespacedName, &Caller)> = named
        .into_iter()
        .filter_map(|name| known.get_key_value(name))
        .collect();
    found.sort_by_key(|(name, caller)| (caller.created, *name));
    found
}

/// The plugins refuse their whole configuration if a credential is there twice, so the older consumer
/// has it. Names may be there twice: that is how a consumer has two keys.
fn unique<T: Ord>(found: impl Iterator<Item = (String, T)>, placeholder: T) -> Vec<T> {
    let mut seen = BTreeSet::new();
    let mut list: Vec<T> = found
        .filter(|(credential, _)| seen.insert(credential.clone()))
        .map(|(_, consumer)| consumer)
        .collect();
    list.sort();
    if list.is_empty() {
        // A list that is empty is refused too. No rule allows the name of this one.
        list.push(placeholder);
    }
    list
}

/// Name and credential of a consumer that is no one's and may nothing.
const PLACEHOLDER: &str = "gatewaybinding.dev/placeholder";

fn key_consumers(rules: &[&Placed], known: &Known) -> Vec<KeyConsumer> {
    let found = callers(rules, known)
        .into_iter()
        .flat_map(|(name, caller)| {
            caller.credentials.iter().filter_map(move |one| match one {
                Credential::Key(key) => Some((name.to_string(), key.expose_secret().to_owned())),
                Credential::Pair { .. } => None,
            })
        });
    let found =
        found.map(|(name, credential)| (credential.clone(), KeyConsumer { name, credential }));
    unique(
        found,
        KeyConsumer {
            name: PLACEHOLDER.to_owned(),
            credential: PLACEHOLDER.to_owned(),
        },
    )
}

/// Pairs of those that the rules name: name, id, secret.
fn pairs<'a>(
    rules: &[&'a Placed],
    known: &'a Known,
) -> impl Iterator<Item = (String, &'a str, &'a str)> {
    callers(rules, known)
        .into_iter()
        .flat_map(|(name, caller)| {
            caller.credentials.iter().filter_map(move |one| match one {
                Credential::Pair { id, secret } => {
                    Some((name.to_string(), id.as_str(), secret.expose_secret()))
                }
                Credential::Key(_) => None,
            })
        })
}

fn basic_consumers(rules: &[&Placed], known: &Known) -> Vec<KeyConsumer> {
    // A colon ends the name, so with one in it another name would be meant.
    let found = pairs(rules, known).filter(|(_, id, _)| !id.contains(':'));
    let found = found.map(|(name, id, secret)| {
        let credential = format!("{id}:{secret}");
        (credential.clone(), KeyConsumer { name, credential })
    });
    unique(
        found,
        KeyConsumer {
            name: PLACEHOLDER.to_owned(),
            credential: format!("{PLACEHOLDER}:{PLACEHOLDER}"),
        },
    )
}

fn pair_consumers(rules: &[&Placed], known: &Known) -> Vec<PairConsumer> {
    let found = pairs(rules, known).map(|(name, id, secret)| {
        let consumer = PairConsumer {
            name,
            key: id.to_owned(),
            secret: secret.to_owned(),
        };
        (id.to_owned(), consumer)
    });
    unique(
        found,
        PairConsumer {
            name: PLACEHOLDER.to_owned(),
            key: PLACEHOLDER.to_owned(),
            secret: PLACEHOLDER.to_owned(),
        },
    )
}

fn issuers(rules: &[&Placed]) -> Vec<JwtConsumer> {
    let found = rules.iter().filter_map(|placed| match &placed.rule {
        Rule::Tokens(issuers) => Some(issuers),
        _ => None,
    });
    let consumers: BTreeSet<JwtConsumer> = found
        .flatten()
        .map(|issuer| JwtConsumer {
            name: issuer.name.clone(),
            issuer: issuer.issuer.clone(),
            jwks: issuer.jwks.clone(),
        })
        .collect();
    consumers.into_iter().collect()
}
