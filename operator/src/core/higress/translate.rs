//! What a binding asks of Higress, as rules of its plugins. What no plugin can do is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crds::v1alpha1::{
    AddressSource, ApiKeyAuth, ApiKeyLocation, Auth, BindingHigress, BlockedRequests,
    ClientAddressRules, ConsumerAuth, Cors, CorsCredentials, CustomResponse, HigressAdapter,
    HigressPlugin, JwtAuth, LetterCase, Limit, LimitScope, NamespacedName, RateUnit, Reason,
    Throttling,
};
use serde_json::Value;

use super::config::{
    CorsConfig, CustomResponseConfig, IpRestrictionConfig, KeyRateLimitConfig, LimitKey,
    RequestBlockConfig,
};
use super::rule::{Callers, Issuer, Placement, Rule, Rules, is_guard};
use crate::core::problem::Problem;

/// The rules of a binding.
///
/// # Errors
/// What Higress cannot do, or could not be relied on to do.
pub fn rules(
    wish: &BindingHigress,
    binding: &NamespacedName,
    adapter: HigressAdapter,
) -> Result<Rules, Problem> {
    let mut rules = Rules::new();
    if let Some(found) = &wish.auth {
        auth(found, binding, &mut rules)?;
    }
    if let Some(found) = &wish.throttling {
        rules.insert(HigressPlugin::KeyRateLimit, limits(found)?);
    }
    if let Some(found) = &wish.client_addresses {
        rules.insert(HigressPlugin::IpRestriction, addresses(found)?);
    }
    if let Some(found) = &wish.cors {
        rules.insert(HigressPlugin::Cors, cors(found));
    }
    if let Some(found) = &wish.blocked_requests {
        rules.insert(HigressPlugin::RequestBlock, blocked(found));
    }
    if let Some(found) = &wish.response {
        rules.insert(HigressPlugin::CustomResponse, response(found));
    }
    scoped(&rules, adapter)?;
    Ok(rules)
}

/// With Istio's objects Higress' routes have no names, and a rule for a host does not hold for the same
/// host in capital letters, which Envoy serves all the same.
fn scoped(rules: &Rules, adapter: HigressAdapter) -> Result<(), Problem> {
    let mut rules = rules.iter();
    let guard = rules.find(|(plugin, rule)| is_guard(**plugin) && **rule != Rule::Open);
    match (adapter, guard) {
        (HigressAdapter::IstioCRDs, Some((plugin, _))) => Err(unsupported(
            "",
            &format!(
                "{} cannot be relied on with adapter: IstioCRDs, where a request with the host in capital letters would slip past it. Use a gateway with adapter: KIngress",
                plugin.name()
            ),
        )),
        _ => Ok(()),
    }
}

fn auth(auth: &Auth, binding: &NamespacedName, rules: &mut Rules) -> Result<(), Problem> {
    if auth.anonymous.is_some() {
        rules.insert(HigressPlugin::KeyAuth, Rule::Open);
        rules.insert(HigressPlugin::JwtAuth, Rule::Open);
    }
    if let Some(consumer) = &auth.consumer {
        let (plugin, rule) = consumers(consumer, binding)?;
        rules.insert(plugin, rule);
    }
    if let Some(jwt) = &auth.jwt {
        rules.insert(HigressPlugin::JwtAuth, tokens(jwt, binding)?);
    }
    Ok(())
}

fn consumers(
    auth: &ConsumerAuth,
    binding: &NamespacedName,
) -> Result<(HigressPlugin, Rule), Problem> {
    if let Some(entry) = auth.allow.iter().find(|entry| entry.until.is_some()) {
        return Err(unsupported(
            &format!(".auth.consumer.allow[{}].until", entry.name),
            "a permission that ends by itself is not made on Higress. Give the credential of the consumer an end, or remove the entry when its time is over",
        ));
    }
    let allow = auth
        .allow
        .iter()
        .map(|entry| entry.consumer(&binding.namespace));
    let deny = auth.deny.iter().flatten();
    let deny = deny.map(|entry| entry.consumer(&binding.namespace));
    let callers = Callers {
        allow: allow.collect(),
        deny: deny.collect(),
    };
    if let Some(both) = callers.allow.intersection(&callers.deny).next() {
        return Err(invalid(
            ".auth.consumer.deny",
            &format!("GatewayConsumer {both} is allowed and denied. Keep one of them"),
        ));
    }
    match (&auth.api_key, &auth.signature, &auth.basic) {
        (Some(api_key), None, None) => Ok((
            HigressPlugin::KeyAuth,
            Rule::Key(placement(api_key)?, callers),
        )),
        (None, Some(_), None) => Ok((HigressPlugin::HmacAuth, Rule::Pair(callers))),
        (None, None, Some(_)) => Ok((HigressPlugin::BasicAuth, Rule::Pair(callers))),
        _ => Err(unsupported(
            ".auth.consumer",
            "a plugin of Higress for each of apiKey, signature and basic would demand them all, where any one is to do. Give exactly one",
        )),
    }
}

fn placement(api_key: &ApiKeyAuth) -> Result<Placement, Problem> {
    let names: BTreeSet<String> = api_key.names.iter().flatten().cloned().collect();
    if names.is_empty() {
        return Err(invalid(
            ".auth.consumer.apiKey.names",
            "Higress has no name of its own for the header or parameter of a key. Give one",
        ));
    }
    let places: BTreeSet<ApiKeyLocation> = api_key.in_.iter().copied().collect();
    if places.len() != 1 {
        return Err(unsupported(
            ".auth.consumer.apiKey.in",
            "the plugin key-auth reads the header alone where both are asked for. Give Header or Query",
        ));
    }
    Ok(Placement {
        in_query: places.contains(&ApiKeyLocation::Query),
        names,
    })
}

fn tokens(jwt: &JwtAuth, binding: &NamespacedName) -> Result<Rule, Problem> {
    let mut issuers = Vec::new();
    for issuer in &jwt.issuers {
        let path = format!(".auth.jwt.issuers[{}].jwks", issuer.name);
        public_keys(&issuer.jwks).map_err(|why| invalid(&path, why))?;
        issuers.push(Issuer {
            name: format!("{}/{}/{}", binding.namespace, binding.name, issuer.name),
            issuer: issuer.issuer.clone(),
            jwks: issuer.jwks.clone(),
        });
    }
    issuers.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Rule::Tokens(issuers))
}

/// A set that the plugin cannot read makes it forget the issuer; a secret key has no place in a spec.
fn public_keys(jwks: &str) -> Result<(), &'static str> {
    let parsed: Value = serde_json::from_str(jwks)
        .map_err(|_| "it is not JSON. Give a JSON Web Key Set: {\"keys\": [...]}")?;
    let keys = parsed.get("keys").and_then(Value::as_array);
    let keys = keys.filter(|keys| !keys.is_empty());
    let Some(keys) = keys else {
        return Err("it has no keys. Give a JSON Web Key Set: {\"keys\": [...]}");
    };
    let kind = |key: &Value| key.get("kty").and_then(Value::as_str).map(str::to_owned);
    for key in keys {
        match kind(key).as_deref() {
            Some("RSA" | "EC" | "OKP") if key.get("d").is_none() => {}
            Some("RSA" | "EC" | "OKP") => {
                return Err(
                    "it has a private key, which belongs to the issuer alone. Give the public one",
                );
            }
            Some("oct") => {
                return Err(
                    "it has a secret key (kty oct), which a spec would show to everybody. Use a public key",
                );
            }
            _ => {
                return Err(
                    "it has a key whose kty is none of RSA, EC and OKP. Correct kty, or leave that key out",
                );
            }
        }
    }
    Ok(())
}

fn limits(throttling: &Throttling) -> Result<Rule, Problem> {
    let mut by: Option<(LimitScope, &str)> = None;
    let mut keys: BTreeMap<&str, LimitKey> = BTreeMap::new();
    for limit in &throttling.limits {
        let path = format!(".throttling.limits[{}]", limit.name);
        let (name, value) = keyed(limit, &path)?;
        if *by.get_or_insert((limit.scope, name)) != (limit.scope, name) {
            return Err(unsupported(
                &path,
                "a rule of the plugin key-rate-limit counts by one header or one parameter. Use the same in all limits of the binding",
            ));
        }
        if keys.insert(value, limit_key(limit, value)).is_some() {
            return Err(unsupported(
                &path,
                "the plugin key-rate-limit takes one limit for a value, and another entry limits the same. Keep one of them",
            ));
        }
    }
    let Some((scope, name)) = by else {
        return Err(invalid(
            ".throttling.limits",
            "it is empty. Give a limit, or leave throttling out",
        ));
    };
    let given = |wanted| (scope == wanted).then(|| name.to_ascii_lowercase());
    Ok(Rule::Limit(KeyRateLimitConfig {
        limit_by_header: given(LimitScope::Header),
        limit_by_param: (scope == LimitScope::Parameter).then(|| name.to_owned()),
        limit_keys: keys.into_values().collect(),
    }))
}

/// What a limit counts by. A header with the consumer's name could be added by the consumer itself, so
/// it is no base for a limit.
fn keyed<'a>(limit: &'a Limit, path: &str) -> Result<(&'a str, &'a str), Problem> {
    let name = match limit.scope {
        LimitScope::Header => limit.header.as_deref(),
        LimitScope::Parameter => limit.parameter.as_deref(),
        LimitScope::API | LimitScope::Account | LimitScope::Consumer => {
            return Err(unsupported(
                &format!("{path}.scope"),
                "the plugin key-rate-limit counts by the value of a header or parameter. Use scope: Header or Parameter",
            ));
        }
    };
    name.zip(limit.value.as_deref())
        .ok_or_else(|| invalid(path, "scope: Header needs header and value, scope: Parameter needs parameter and value. Give both"))
}

fn limit_key(limit: &Limit, value: &str) -> LimitKey {
    let requests = u64::try_from(limit.requests).ok();
    let given = |unit| requests.filter(|_| limit.per == unit);
    LimitKey {
        key: value.to_owned(),
        query_per_second: given(RateUnit::Second),
        query_per_minute: given(RateUnit::Minute),
        query_per_hour: given(RateUnit::Hour),
        query_per_day: given(RateUnit::Day),
    }
}

fn addresses(wish: &ClientAddressRules) -> Result<Rule, Problem> {
    for (field, list) in [("allow", &wish.allow), ("deny", &wish.deny)] {
        let mut list = list.iter().flatten();
        if let Some(wrong) = list.find(|text| !is_network(text)) {
            return Err(invalid(
                &format!(".clientAddresses.{field}"),
                &format!(
                    "\"{wrong}\" is neither an address such as 10.0.0.1 nor a network such as 10.0.0.0/8. Correct it"
                ),
            ));
        }
    }
    let from_header = wish.source == Some(AddressSource::Header);
    let source = if from_header {
        "header"
    } else {
        "origin-source"
    };
    Ok(Rule::Addresses(IpRestrictionConfig {
        ip_source_type: source.to_owned(),
        ip_header_name: from_header.then(|| "x-forwarded-for".to_owned()),
        allow: sorted(wish.allow.as_ref()),
        deny: sorted(wish.deny.as_ref()),
    }))
}

fn is_network(text: &str) -> bool {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= longest))
}

fn cors(wish: &Cors) -> Rule {
    let methods = wish.methods.as_ref().map(|methods| {
        let names = methods.iter().map(|method| format!("{method:?}"));
        names.collect::<Vec<String>>()
    });
    Rule::Cors(CorsConfig {
        allow_origins: sorted(Some(&wish.origins)).unwrap_or_default(),
        allow_methods: sorted(methods.as_ref()),
        allow_headers: sorted(wish.headers.as_ref()),
        expose_headers: sorted(wish.exposed_headers.as_ref()),
        allow_credentials: wish.credentials == Some(CorsCredentials::Allow),
        max_age: wish.max_age_seconds,
    })
}

fn blocked(wish: &BlockedRequests) -> Rule {
    Rule::Block(RequestBlockConfig {
        block_urls: sorted(wish.urls.as_ref()),
        block_headers: sorted(wish.headers.as_ref()),
        case_sensitive: wish.letter_case == Some(LetterCase::Sensitive),
        blocked_code: wish.status.unwrap_or(403),
    })
}

fn response(wish: &CustomResponse) -> Rule {
    let headers = wish.headers.as_ref().map(|headers| {
        let texts = headers.iter();
        let texts = texts.map(|header| format!("{}={}", header.name, header.value));
        texts.collect::<Vec<String>>()
    });
    Rule::Response(CustomResponseConfig {
        status_code: wish.status,
        headers: sorted(headers.as_ref()),
        body: wish.body.clone(),
        enable_on_status: sorted(wish.on_status.as_ref()),
    })
}

/// The same set in one order, whichever the spec has it in.
fn sorted<T: Ord + Clone>(list: Option<&Vec<T>>) -> Option<Vec<T>> {
    list.map(|list| {
        let set: BTreeSet<T> = list.iter().cloned().collect();
        set.into_iter().collect()
    })
}

fn unsupported(path: &str, why: &str) -> Problem {
    Problem::rejected(Reason::Unsupported, format!("spec.higress{path}: {why}."))
}

fn invalid(path: &str, why: &str) -> Problem {
    Problem::rejected(Reason::InvalidSpec, format!("spec.higress{path}: {why}."))
}
