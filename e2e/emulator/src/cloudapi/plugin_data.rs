//! The settings inside a plugin: YAML or JSON text, checked by type.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::errors;
use super::state::TrafficControl;
use crate::api::ApiError;

/// What a plugin does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the product's")]
pub enum PluginType {
    TrafficControl,
    IpControl,
    BackendSignature,
    JwtAuth,
    BasicAuth,
    Cors,
    Caching,
    Routing,
    AccessControl,
    ErrorMapping,
    CircuitBreaker,
    RemoteAuth,
    LogMask,
    Transformer,
}

impl PluginType {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrafficControl => "trafficControl",
            Self::IpControl => "ipControl",
            Self::BackendSignature => "backendSignature",
            Self::JwtAuth => "jwtAuth",
            Self::BasicAuth => "basicAuth",
            Self::Cors => "cors",
            Self::Caching => "caching",
            Self::Routing => "routing",
            Self::AccessControl => "accessControl",
            Self::ErrorMapping => "errorMapping",
            Self::CircuitBreaker => "circuitBreaker",
            Self::RemoteAuth => "remoteAuth",
            Self::LogMask => "logMask",
            Self::Transformer => "transformer",
        }
    }

    /// The type that a name means.
    pub fn of(name: &str) -> Option<Self> {
        serde_json::from_value(Value::from(name)).ok()
    }
}

/// How many calls are let through in a unit of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Length of the window.
    pub seconds: i64,
    /// All calls of an API.
    pub api: i64,
    /// Calls of one account.
    pub user: Option<i64>,
    /// Calls of one consumer.
    pub app: Option<i64>,
    /// Other limits for single consumers, by id.
    pub special_apps: BTreeMap<String, i64>,
    /// Other limits for single accounts, by id.
    pub special_users: BTreeMap<String, i64>,
}

/// Which addresses may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRule {
    /// Whether the items say who may call, or who may not.
    pub allow: bool,
    /// The place in `X-Forwarded-For` that holds the address, negative from the end; none takes the
    /// address of the connection.
    pub forwarded: Option<i64>,
    /// The addresses.
    pub items: Vec<Addresses>,
}

/// Addresses, for one consumer or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The ranges.
    pub blocks: Vec<IpNet>,
    /// The one consumer they hold for.
    pub app_id: Option<i64>,
}

/// Checks the settings of a plugin.
pub(super) fn check(kind: PluginType, text: &str) -> Result<(), ApiError> {
    let value = read(text)?;
    if !value.is_object() {
        return Err(bad("an object is expected"));
    }
    match kind {
        PluginType::TrafficControl => Limits::of_plugin(text).map(drop),
        PluginType::IpControl => AddressRule::of_plugin(text).map(drop),
        PluginType::BasicAuth => need(&value, &["users"]),
        PluginType::BackendSignature => need(&value, &["key", "secret"]),
        PluginType::JwtAuth => {
            need(&value, &["parameter", "parameterLocation"])?;
            match value.get("jwk").is_some() || value.get("jwks").is_some() {
                true => Ok(()),
                false => Err(bad("jwk or jwks is missing")),
            }
        }
        PluginType::Routing => need(&value, &["routes"]),
        _ => Ok(()),
    }
}

/// JSON if it is JSON, YAML otherwise.
fn read(text: &str) -> Result<Value, ApiError> {
    if text.len() > 50_000 {
        return Err(errors::length("PluginData", 50_000));
    }
    serde_json::from_str(text).or_else(|_| {
        serde_saphyr::from_str(text).map_err(|error| {
            let text = error.to_string();
            bad(&format!(
                "it is neither JSON nor YAML: {}",
                text.lines().next().unwrap_or_default()
            ))
        })
    })
}

fn need(value: &Value, members: &[&str]) -> Result<(), ApiError> {
    match members
        .iter()
        .find(|member| value.get(**member).is_none_or(Value::is_null))
    {
        Some(member) => Err(bad(&format!("{member} is missing"))),
        None => Ok(()),
    }
}

fn bad(rule: &str) -> ApiError {
    errors::invalid("PluginData", rule)
}

impl Limits {
    /// The settings of a `trafficControl` plugin.
    pub fn of_plugin(text: &str) -> Result<Self, ApiError> {
        let value = read(text)?;
        let unit = value
            .get("unit")
            .and_then(Value::as_str)
            .ok_or_else(|| bad("unit is missing"))?;
        let seconds = seconds(unit).ok_or_else(|| {
            bad(&format!(
                "unit \"{unit}\" is none of SECOND, MINUTE, HOUR, DAY"
            ))
        })?;
        let api = number(&value, "apiDefault")?.ok_or_else(|| bad("apiDefault is missing"))?;
        let (user, app) = (
            number(&value, "userDefault")?,
            number(&value, "appDefault")?,
        );
        let mut limits = Self {
            seconds,
            api,
            user,
            app,
            special_apps: BTreeMap::new(),
            special_users: BTreeMap::new(),
        };
        limits.check_order().map_err(|(_, rule)| bad(rule))?;
        for special in list(&value, "specials")? {
            let kind = special
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let target = match kind {
                "APP" => &mut limits.special_apps,
                "USER" => &mut limits.special_users,
                other => {
                    return Err(bad(&format!(
                        "specials type \"{other}\" is neither APP nor USER"
                    )));
                }
            };
            for policy in list(special, "policies")? {
                let key = policy
                    .get("key")
                    .and_then(text_of)
                    .ok_or_else(|| bad("a policy of specials has no key"))?;
                let value = number(policy, "value")?
                    .ok_or_else(|| bad("a policy of specials has no value"))?;
                target.insert(key, value);
            }
        }
        Ok(limits)
    }

    /// The same from a classic policy.
    pub fn of_control(control: &TrafficControl) -> Self {
        let special = |kind: &str| control.specials.get(kind).cloned().unwrap_or_default();
        Self {
            seconds: seconds(&control.unit).unwrap_or(1),
            api: control.api_default,
            user: control.user_default,
            app: control.app_default,
            special_apps: special("APP"),
            special_users: special("USER"),
        }
    }

    /// A consumer may not have more than its account, and that not more than the API; the noun of
    /// the limit that is wrong and the rule.
    pub(super) fn check_order(&self) -> Result<(), (&'static str, &'static str)> {
        let above = |lower: Option<i64>, upper: Option<i64>| matches!((lower, upper), (Some(l), Some(u)) if l > u);
        if above(self.user, Some(self.api)) {
            return Err(("UserDefault", "userDefault must not be above apiDefault"));
        }
        if above(self.app, self.user) || above(self.app, Some(self.api)) {
            return Err((
                "AppDefault",
                "appDefault must not be above userDefault and apiDefault",
            ));
        }
        Ok(())
    }
}

impl AddressRule {
    /// The settings of an `ipControl` plugin.
    pub fn of_plugin(text: &str) -> Result<Self, ApiError> {
        let value = read(text)?;
        let allow = match value.get("type").and_then(Value::as_str) {
            Some("ALLOW") => true,
            Some("REFUSE") => false,
            _ => return Err(bad("type must be ALLOW or REFUSE")),
        };
        let forwarded = match value.get("resource").and_then(Value::as_str) {
            None => None,
            Some(text) => {
                let index = text
                    .strip_prefix("XFF:")
                    .and_then(|index| index.parse().ok());
                Some(index.ok_or_else(|| {
                    bad(&format!("resource \"{text}\" is not of the form XFF:-1"))
                })?)
            }
        };
        let items: Vec<Addresses> = list(&value, "items")?
            .iter()
            .map(|item| addresses(item, allow))
            .collect::<Result<_, _>>()?;
        if items.is_empty() {
            return Err(bad("items is missing or empty"));
        }
        Ok(Self {
            allow,
            forwarded,
            items,
        })
    }
}

fn addresses(item: &Value, allow: bool) -> Result<Addresses, ApiError> {
    let mut blocks = Vec::new();
    for block in list(item, "blocks")? {
        let text = block.as_str().unwrap_or_default();
        let address = text
            .parse::<IpNet>()
            .or_else(|_| text.parse().map(|ip: std::net::IpAddr| IpNet::from(ip)));
        blocks.push(
            address.map_err(|_| bad(&format!("\"{text}\" of blocks is no address or range")))?,
        );
    }
    if blocks.is_empty() {
        return Err(bad("an item has no blocks"));
    }
    let app_id = item.get("appId").filter(|id| !id.is_null());
    if app_id.is_some() && !allow {
        return Err(bad("appId is allowed with type ALLOW only"));
    }
    let app_id = app_id.map(|id| {
        text_of(id)
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| bad("appId is no number"))
    });
    Ok(Addresses {
        blocks,
        app_id: app_id.transpose()?,
    })
}

fn list<'a>(value: &'a Value, member: &str) -> Result<&'a [Value], ApiError> {
    match value.get(member) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(bad(&format!("{member} must be a list"))),
    }
}

fn number(value: &Value, member: &str) -> Result<Option<i64>, ApiError> {
    match value.get(member).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(found) => match found.as_i64().filter(|number| *number > 0) {
            Some(number) => Ok(Some(number)),
            None => Err(bad(&format!("{member} must be a whole number above 0"))),
        },
    }
}

fn text_of(value: &Value) -> Option<String> {
    value
        .as_str()
        .map(str::to_owned)
        .or_else(|| value.as_i64().map(|number| number.to_string()))
}

/// The length of a unit of time.
pub(super) fn seconds(unit: &str) -> Option<i64> {
    Some(match unit {
        "SECOND" => 1,
        "MINUTE" => 60,
        "HOUR" => 3_600,
        "DAY" => 86_400,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_yaml_and_json() {
        let yaml = "unit: SECOND\napiDefault: 1000\nuserDefault: 30\nappDefault: 30\ncontrolMode: FIX_WINDOW\nspecials:\n  - type: \"APP\"\n    policies: [{key: 10123123, value: 10}]\n  - type: USER\n    policies: [{key: \"123455\", value: 100}]\n";
        let json = r#"{"unit":"SECOND","apiDefault":1000,"userDefault":30,"appDefault":30,"specials":[{"type":"APP","policies":[{"key":"10123123","value":10}]},{"type":"USER","policies":[{"key":123455,"value":100}]}]}"#;
        let limits = Limits::of_plugin(yaml).unwrap();
        assert_eq!(limits, Limits::of_plugin(json).unwrap());
        assert_eq!(limits.special_apps["10123123"], 10);
    }

    #[test]
    fn wrong_limits_say_what_is_wrong() {
        for (text, part) in [
            ("unit: WEEK\napiDefault: 1", "WEEK"),
            ("unit: DAY", "apiDefault is missing"),
            ("unit: DAY\napiDefault: 0", "above 0"),
            ("unit: DAY\napiDefault: 5\nuserDefault: 6", "userDefault"),
            (
                "unit: DAY\napiDefault: 5\nuserDefault: 3\nappDefault: 4",
                "appDefault",
            ),
            (
                "unit: DAY\napiDefault: 5\nspecials: [{type: IP, policies: []}]",
                "IP",
            ),
            ("- 1", "unit is missing"),
            ("a: [", "neither JSON nor YAML"),
        ] {
            let error = Limits::of_plugin(text).unwrap_err();
            assert_eq!(error.code, "InvalidPluginData", "{text}");
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
    }

    #[test]
    fn address_rules_are_read_and_checked() {
        let rule = AddressRule::of_plugin("type: ALLOW\nresource: \"XFF:-1\"\nitems:\n  - blocks: [\"61.3.9.0/24\", \"10.0.0.1\"]\n    appId: 219810\n").unwrap();
        assert_eq!(rule.forwarded, Some(-1));
        assert_eq!(rule.items[0].app_id, Some(219_810));
        assert_eq!(rule.items[0].blocks.len(), 2);
        for text in [
            "type: MAYBE\nitems: [{blocks: [\"10.0.0.1\"]}]",
            "type: ALLOW",
            "type: ALLOW\nitems: [{blocks: [x]}]",
            "type: REFUSE\nitems: [{blocks: [\"10.0.0.1\"], appId: 1}]",
            "type: ALLOW\nitems: [{blocks: []}]",
        ] {
            assert_eq!(
                AddressRule::of_plugin(text).unwrap_err().code,
                "InvalidPluginData",
                "{text}"
            );
        }
    }

    #[test]
    fn types_go_by_their_names() {
        assert_eq!(
            PluginType::of("trafficControl"),
            Some(PluginType::TrafficControl)
        );
        assert_eq!(
            PluginType::of("jwtAuth").map(PluginType::name),
            Some("jwtAuth")
        );
        assert_eq!(PluginType::of("TrafficControl"), None);
        assert!(
            check(
                PluginType::JwtAuth,
                "parameter: Authorization\nparameterLocation: header"
            )
            .is_err()
        );
    }
}
