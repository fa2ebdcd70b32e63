//! Settings of listeners and server groups as text, under the names by which the API shows them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Settings by name; one within another is `Outer.Inner`. What is shown as nothing is left out.
pub type Settings = BTreeMap<String, String>;

/// Texts and numbers as they are, a list as its items with commas between them.
pub(crate) fn settings(shown: &Map<String, Value>) -> Settings {
    let mut settings = Settings::new();
    collect("", shown, &mut settings);
    settings
}

fn collect(path: &str, shown: &Map<String, Value>, settings: &mut Settings) {
    for (name, value) in shown {
        let name = format!("{path}{name}");
        if let Value::Object(inner) = value {
            collect(&format!("{name}."), inner, settings);
        } else if let Some(text) = text(value).filter(|text| !text.is_empty()) {
            settings.insert(name, text);
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(on) => Some(on.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(text).collect();
            Some(items?.join(","))
        }
        Value::Object(_) | Value::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_shown_is_text_and_nothing_is_left_out() {
        let shown = json!({
            "Scheduler": "rr", "IdleTimeout": 15, "CaEnabled": false, "Cookie": "", "Gone": null,
            "AclIds": ["acl-1", "acl-2"], "None": [], "Tags": [{"TagKey": "a"}],
            "HealthCheck": {"HealthCheckEnabled": true, "HealthCheckHttpCode": ["http_2xx"]},
        });
        let expected = [
            ("AclIds", "acl-1,acl-2"),
            ("CaEnabled", "false"),
            ("HealthCheck.HealthCheckEnabled", "true"),
            ("HealthCheck.HealthCheckHttpCode", "http_2xx"),
            ("IdleTimeout", "15"),
            ("Scheduler", "rr"),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(settings(shown.as_object().unwrap()), expected.into());
    }
}
