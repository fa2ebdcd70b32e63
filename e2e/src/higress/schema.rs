//! The documented configuration of each plugin, and what it refuses.

use serde_json::{Map, Value};

/// Type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Number,
    Bool,
    Texts,
    Numbers,
    Objects(&'static [Field]),
}

/// A field: its name, its type, and whether it has to be there.
type Field = (&'static str, Type, bool);

const NAMED_CREDENTIAL: &[Field] = &[("name", Type::Text, true), ("credential", Type::Text, true)];
const KEY_PAIR: &[Field] = &[
    ("name", Type::Text, true),
    ("key", Type::Text, true),
    ("secret", Type::Text, true),
];
const ISSUER: &[Field] = &[
    ("name", Type::Text, true),
    ("jwks", Type::Text, true),
    ("issuer", Type::Text, true),
];
const LIMIT: &[Field] = &[
    ("key", Type::Text, true),
    ("query_per_second", Type::Number, false),
    ("query_per_minute", Type::Number, false),
    ("query_per_hour", Type::Number, false),
    ("query_per_day", Type::Number, false),
];
const ALLOW: &[Field] = &[("allow", Type::Texts, true)];

/// What a plugin has for all its rules; nothing where it has only rules.
fn shared(plugin: &str) -> Option<&'static [Field]> {
    Some(match plugin {
        "key-auth" => &[
            ("global_auth", Type::Bool, false),
            ("consumers", Type::Objects(NAMED_CREDENTIAL), true),
            ("keys", Type::Texts, true),
            ("in_query", Type::Bool, false),
            ("in_header", Type::Bool, false),
        ],
        "basic-auth" => &[
            ("global_auth", Type::Bool, false),
            ("consumers", Type::Objects(NAMED_CREDENTIAL), true),
        ],
        "hmac-auth" => &[
            ("global_auth", Type::Bool, false),
            ("consumers", Type::Objects(KEY_PAIR), true),
        ],
        "jwt-auth" => &[
            ("global_auth", Type::Bool, false),
            ("consumers", Type::Objects(ISSUER), true),
        ],
        _ => return None,
    })
}

/// What a rule of a plugin has.
fn rule(plugin: &str) -> Option<&'static [Field]> {
    Some(match plugin {
        "key-auth" | "basic-auth" | "hmac-auth" | "jwt-auth" => ALLOW,
        "key-rate-limit" => &[
            ("limit_by_header", Type::Text, false),
            ("limit_by_param", Type::Text, false),
            ("limit_keys", Type::Objects(LIMIT), true),
        ],
        "ip-restriction" => &[
            ("ip_source_type", Type::Text, false),
            ("ip_header_name", Type::Text, false),
            ("allow", Type::Texts, false),
            ("deny", Type::Texts, false),
            ("status", Type::Number, false),
            ("message", Type::Text, false),
        ],
        "cors" => &[
            ("allow_origins", Type::Texts, false),
            ("allow_methods", Type::Texts, false),
            ("allow_headers", Type::Texts, false),
            ("expose_headers", Type::Texts, false),
            ("allow_credentials", Type::Bool, false),
            ("max_age", Type::Number, false),
        ],
        "request-block" => &[
            ("block_urls", Type::Texts, false),
            ("block_headers", Type::Texts, false),
            ("case_sensitive", Type::Bool, false),
            ("blocked_code", Type::Number, false),
            ("blocked_message", Type::Text, false),
        ],
        "custom-response" => &[
            ("status_code", Type::Number, false),
            ("headers", Type::Texts, false),
            ("body", Type::Text, false),
            ("enable_on_status", Type::Numbers, false),
        ],
        _ => return None,
    })
}

/// Why a plugin refuses what it is given for all its rules.
pub(super) fn check_shared(plugin: &str, config: &Value) -> Result<(), String> {
    let fields = shared(plugin).ok_or("the plugin has nothing but rules")?;
    object(fields, config)?;
    let texts = |name: &str| config.get(name).and_then(Value::as_array);
    if texts("consumers").is_none_or(Vec::is_empty) {
        return Err("consumers cannot be empty".to_owned());
    }
    if plugin == "key-auth" {
        if texts("keys").is_none_or(Vec::is_empty) {
            return Err("keys cannot be empty".to_owned());
        }
        let on = |name: &str| config.get(name).and_then(Value::as_bool) == Some(true);
        if !on("in_query") && !on("in_header") {
            return Err("one of in_query and in_header must be true".to_owned());
        }
    }
    no_credential_twice(config)
}

fn no_credential_twice(config: &Value) -> Result<(), String> {
    let mut seen = std::collections::BTreeSet::new();
    let consumers = config.get("consumers").and_then(Value::as_array);
    for consumer in consumers.into_iter().flatten() {
        let credential = consumer.get("credential").or_else(|| consumer.get("key"));
        let credential = credential.and_then(Value::as_str).unwrap_or_default();
        if !credential.is_empty() && !seen.insert(credential) {
            return Err("a credential is there twice".to_owned());
        }
    }
    Ok(())
}

/// Why a plugin refuses one of its rules.
pub(super) fn check_rule(plugin: &str, config: &Value) -> Result<(), String> {
    let fields = rule(plugin).ok_or_else(|| format!("there is no plugin {plugin}"))?;
    object(fields, config)?;
    let given = |name: &str| config.get(name).is_some();
    match plugin {
        "key-auth" | "basic-auth" | "hmac-auth" | "jwt-auth" => {
            let allow = config.get("allow").and_then(Value::as_array);
            if allow.is_none_or(Vec::is_empty) {
                return Err("allow cannot be empty".to_owned());
            }
        }
        "key-rate-limit" => limits(config)?,
        "ip-restriction" if given("allow") == given("deny") => {
            return Err("one of allow and deny must be given".to_owned());
        }
        "request-block" if !given("block_urls") && !given("block_headers") => {
            return Err("there is no block rule".to_owned());
        }
        _ => {}
    }
    Ok(())
}

fn limits(config: &Value) -> Result<(), String> {
    if config.get("limit_by_header").is_some() == config.get("limit_by_param").is_some() {
        return Err("only one of limit_by_param and limit_by_header can be set".to_owned());
    }
    let keys = config.get("limit_keys").and_then(Value::as_array);
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
        return Err("no limit keys found".to_owned());
    };
    let windows = ["second", "minute", "hour", "day"];
    let limited = |key: &Value| {
        let limits = windows.map(|window| key.get(format!("query_per_{window}")));
        limits.into_iter().flatten().count() == 1
    };
    if !keys.iter().all(limited) {
        return Err("one of query_per_second, query_per_minute, query_per_hour and query_per_day must be set".to_owned());
    }
    Ok(())
}

fn object(fields: &[Field], value: &Value) -> Result<(), String> {
    let Some(found) = value.as_object() else {
        return Err("it is no object".to_owned());
    };
    if let Some(unknown) = unknown(fields, found) {
        return Err(format!("there is no field {unknown}"));
    }
    for (name, wanted, required) in fields {
        match found.get(*name) {
            None if *required => return Err(format!("{name} is missing")),
            None => {}
            Some(value) => typed(*wanted, value).map_err(|why| format!("{name}: {why}"))?,
        }
    }
    Ok(())
}

fn unknown<'a>(fields: &[Field], found: &'a Map<String, Value>) -> Option<&'a String> {
    found
        .keys()
        .find(|key| !fields.iter().any(|(name, ..)| name == key))
}

fn typed(wanted: Type, value: &Value) -> Result<(), String> {
    let all = |test: fn(&Value) -> bool| {
        let items = value.as_array();
        items.is_some_and(|items| items.iter().all(test))
    };
    let right = match wanted {
        Type::Text => value.as_str().is_some_and(|text| !text.is_empty()),
        Type::Number => value.is_u64(),
        Type::Bool => value.is_boolean(),
        Type::Texts => all(Value::is_string),
        Type::Numbers => all(Value::is_u64),
        Type::Objects(fields) => {
            let Some(items) = value.as_array() else {
                return Err("it is no list".to_owned());
            };
            return items.iter().try_for_each(|item| object(fields, item));
        }
    };
    if right {
        Ok(())
    } else {
        Err(format!("{value} is not of type {wanted:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_article_s_bare_number_is_refused() {
        let with = |key: Value| json!({"limit_by_header": "x-ca-key", "limit_keys": [{"key": key, "query_per_minute": 2}]});
        assert_eq!(check_rule("key-rate-limit", &with(json!("123456"))), Ok(()));
        assert!(check_rule("key-rate-limit", &with(json!(123_456))).is_err());
    }

    #[test]
    fn what_a_plugin_does_not_know_is_refused() {
        let refused = [
            ("key-auth", json!({"allow": []})),
            ("key-auth", json!({"allow": ["a"], "alow": ["b"]})),
            (
                "ip-restriction",
                json!({"allow": ["10.0.0.1"], "deny": ["10.0.0.2"]}),
            ),
            ("ip-restriction", json!({"allow": "10.0.0.1"})),
            ("request-block", json!({"blocked_code": 403})),
            ("custom-response", json!({"status_code": "503"})),
            ("no-such-plugin", json!({})),
        ];
        for (plugin, config) in refused {
            assert!(check_rule(plugin, &config).is_err(), "{plugin}: {config}");
        }
        let twice = json!({"consumers": [
            {"name": "a", "credential": "same"}, {"name": "b", "credential": "same"},
        ]});
        assert!(check_shared("basic-auth", &twice).is_err());
        assert!(check_shared("cors", &json!({})).is_err());
    }
}
