//! The text of a `trafficControl` plugin.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::gateway::model::{ConsumerId, Throttling, Window};

/// The plugin type.
pub const KIND: &str = "trafficControl";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    unit: String,
    #[serde(alias = "ApiDefault")]
    api_default: u64,
    user_default: Option<u64>,
    app_default: Option<u64>,
    #[serde(default)]
    specials: Vec<Special>,
    /// Modes and whatever else the product may know.
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Special {
    #[serde(rename = "type")]
    kind: String,
    policies: Vec<Limit>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    /// Written as a number or as a string.
    key: Value,
    value: u64,
}

/// JSON, which the product accepts as well as YAML.
pub(super) fn render(limits: &Throttling) -> String {
    let mut wire = Map::new();
    wire.insert("unit".to_owned(), json!(unit(limits.window)));
    wire.insert("apiDefault".to_owned(), json!(limits.api));
    if let Some(account) = limits.account {
        wire.insert("userDefault".to_owned(), json!(account));
    }
    if let Some(consumer) = limits.consumer {
        wire.insert("appDefault".to_owned(), json!(consumer));
    }
    if !limits.consumers.is_empty() {
        let policies: Vec<Limit> = limits
            .consumers
            .iter()
            .map(|(id, value)| Limit {
                key: key(id),
                value: *value,
            })
            .collect();
        let special = Special {
            kind: "APP".to_owned(),
            policies,
        };
        wire.insert("specials".to_owned(), json!([special]));
    }
    Value::Object(wire).to_string()
}

/// An app id is a number.
fn key(id: &ConsumerId) -> Value {
    id.as_str()
        .parse::<u64>()
        .map_or_else(|_| json!(id.as_str()), |number| json!(number))
}

/// None for text that says more than [`Throttling`] can, or cannot be read. JSON is YAML, so one
/// reader does for both.
pub(super) fn parse(text: &str) -> Option<Throttling> {
    let wire: Wire = serde_saphyr::from_str(text).ok()?;
    let usual = wire.other.iter().all(|(name, value)| match name.as_str() {
        // The defaults of the product.
        "controlMode" => value == "FIX_WINDOW",
        "blockingMode" => value == "QUICK_RETURN",
        _ => value.is_null(),
    });
    if !usual {
        return None;
    }
    let mut consumers = std::collections::BTreeMap::new();
    for special in wire.specials {
        if special.kind != "APP" && !special.policies.is_empty() {
            return None;
        }
        for limit in special.policies {
            let id = match limit.key {
                Value::String(id) => id,
                Value::Number(id) => id.to_string(),
                _ => return None,
            };
            consumers.insert(ConsumerId(id), limit.value);
        }
    }
    Some(Throttling {
        window: window(&wire.unit)?,
        api: wire.api_default,
        account: wire.user_default,
        consumer: wire.app_default,
        consumers,
    })
}

fn unit(window: Window) -> &'static str {
    match window {
        Window::Second => "SECOND",
        Window::Minute => "MINUTE",
        Window::Hour => "HOUR",
        Window::Day => "DAY",
    }
}

fn window(unit: &str) -> Option<Window> {
    [Window::Second, Window::Minute, Window::Hour, Window::Day]
        .into_iter()
        .find(|window| self::unit(*window).eq_ignore_ascii_case(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Throttling {
        Throttling {
            window: Window::Minute,
            api: 1000,
            account: None,
            consumer: Some(60),
            consumers: [(ConsumerId::from("10123123"), 10)].into(),
        }
    }

    #[test]
    fn comes_back_as_it_was_written() {
        assert_eq!(parse(&render(&limits())), Some(limits()));
        let plain = Throttling {
            consumer: None,
            account: Some(70),
            consumers: Default::default(),
            ..limits()
        };
        assert_eq!(parse(&render(&plain)), Some(plain));
    }

    #[test]
    fn reads_the_form_of_the_console() {
        let text = "---\nunit: MINUTE\napiDefault: 1000\nappDefault: 60\ncontrolMode: FIX_WINDOW\n\
                    specials:\n  - type: \"APP\"\n    policies:\n      - key: 10123123\n        value: 10\n";
        assert_eq!(parse(text), Some(limits()));
    }

    #[test]
    fn what_it_cannot_say_is_not_read() {
        for text in [
            "unit: MINUTE\napiDefault: 1\nspecials: [{type: USER, policies: [{key: 1, value: 1}]}]",
            "unit: MINUTE\napiDefault: 1\ncontrolMode: SLIDING",
            "unit: FORTNIGHT\napiDefault: 1",
            "unit: MINUTE",
            "[",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
