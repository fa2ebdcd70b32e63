//! Secrets that were seen: their names are kept, their values only to search for.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use k8s_openapi::api::core::v1::Secret;
use serde::Serialize;

/// Shorter values are words, and found everywhere.
const SHORTEST: usize = 6;

/// What may be told of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Who names it.
    pub(crate) named_by: String,
    pub(crate) exists: bool,
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    pub(crate) type_: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) entries: Vec<String>,
    /// Whether the operator made it.
    pub(crate) made_by_operator: bool,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Seen {
    told: Vec<Told>,
    /// Values, each with what stands in its place.
    values: Vec<(String, String)>,
}

impl Seen {
    /// Keeps the names of a Secret, or that there is none.
    pub(crate) fn secret(&mut self, namespace: &str, name: &str, by: &str, secret: Option<Secret>) {
        let exists = secret.is_some();
        let secret = secret.unwrap_or_default();
        let labels = secret.metadata.labels.unwrap_or_default();
        let data = secret.data.unwrap_or_default();
        self.told.push(Told {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            named_by: by.to_owned(),
            exists,
            type_: secret.type_,
            entries: data.keys().cloned().collect(),
            made_by_operator: labels.contains_key(crds::keys::MANAGED_BY),
        });
        for (entry, value) in data {
            let place = format!("entry {entry} of Secret {namespace}/{name}");
            if let Ok(text) = String::from_utf8(value.0) {
                self.value(text.trim(), &place);
            }
        }
    }

    /// Has a value searched for, as it is and in base64.
    pub(crate) fn value(&mut self, value: &str, place: &str) {
        if value.len() < SHORTEST {
            return;
        }
        let place = format!("<{place}>");
        let forms = [
            value.to_owned(),
            STANDARD.encode(value),
            STANDARD_NO_PAD.encode(value),
        ];
        self.values.extend(forms.map(|form| (form, place.clone())));
        // A value that contains another one goes first.
        self.values
            .sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    }

    /// What may be told.
    pub(crate) fn told(&self) -> &[Told] {
        &self.told
    }

    /// The text without any of the values.
    pub(super) fn scrubbed(&self, text: String) -> String {
        self.values.iter().fold(text, |text, (value, place)| {
            if text.contains(value.as_str()) {
                text.replace(value.as_str(), place)
            } else {
                text
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    #[test]
    fn names_are_told_and_values_found() {
        let data = [("apiKey", "0123456789abcdef"), ("keyId", "short")];
        let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.into())));
        let secret = Secret {
            data: Some(data.into()),
            ..Secret::default()
        };
        let mut seen = Seen::default();
        seen.secret("shop", "keys", "GatewayConsumer shop/acme", Some(secret));
        seen.secret("shop", "gone", "GatewayConsumer shop/acme", None);
        let told = serde_json::to_string(seen.told()).unwrap();
        assert!(
            told.contains("apiKey") && !told.contains("0123456789abcdef"),
            "{told}"
        );
        assert!(!seen.told()[1].exists);
        for form in [
            "0123456789abcdef",
            "MDEyMzQ1Njc4OWFiY2RlZg==",
            "MDEyMzQ1Njc4OWFiY2RlZg",
        ] {
            let text = seen.scrubbed(format!("a {form} z, short"));
            assert_eq!(text, "a <entry apiKey of Secret shop/keys> z, short");
        }
    }
}
