//! The rules of a binding in its ledger. They are written there before Higress gets them, and they are
//! what Higress gets: a binding that is not valid any more keeps what was last found good.

use std::collections::BTreeSet;

use crds::v1alpha1::{GatewayBinding, LedgerEntry};

use super::rule::Part;

/// Kind of the entry, one for each Higress.
const KIND: &str = "HigressRules";
/// The field, and how its further ones begin.
const FIELD: &str = "rules";
/// Characters of a field at the most: its definition takes 8192.
const LONGEST: usize = 8000;
/// Fields of an entry at the most.
const MOST: usize = 64;

/// The entry for the Higress in a namespace, with rules or, while they are being taken away, without;
/// none if the rules are too large for a ledger.
pub fn entry(system: &str, part: Option<&Part>) -> Option<LedgerEntry> {
    let text = match part {
        Some(part) => serde_json::to_string(part).ok()?,
        None => String::new(),
    };
    let characters: Vec<char> = text.chars().collect();
    let pieces = characters.chunks(LONGEST);
    if pieces.len() > MOST {
        return None;
    }
    let fields = pieces.enumerate().map(|(index, piece)| {
        let name = format!("{FIELD}.{index:02}");
        (name, piece.iter().collect())
    });
    Some(LedgerEntry {
        key: key(system),
        kind: KIND.to_owned(),
        namespace: Some(system.to_owned()),
        fields: fields.collect(),
        ..LedgerEntry::default()
    })
}

/// The key of the entry for the Higress in a namespace.
pub fn key(system: &str) -> String {
    format!("kubernetes/{KIND}/{system}")
}

/// The namespaces of each Higress that a ledger has an entry for.
pub fn systems(binding: &GatewayBinding) -> BTreeSet<String> {
    let ledger = binding.status.iter().flat_map(|status| &status.ledger);
    let entries = ledger.filter(|entry| entry.kind == KIND);
    entries
        .filter_map(|entry| entry.namespace.clone())
        .collect()
}

/// The rules that a ledger has for the Higress in a namespace.
pub fn recorded(binding: &GatewayBinding, system: &str) -> Option<Part> {
    let mut ledger = binding.status.iter().flat_map(|status| &status.ledger);
    let key = key(system);
    let entry = ledger.find(|entry| entry.kind == KIND && entry.key == key)?;
    let text: String = entry.fields.values().map(String::as_str).collect();
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::higress::rule::{Issuer, Rule};
    use crate::core::higress::scope::Scope;
    use crds::v1alpha1::{GatewayBindingStatus, HigressPlugin};
    use serde_json::json;

    fn with(entry: LedgerEntry) -> GatewayBinding {
        let mut binding: GatewayBinding = serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": "hello", "namespace": "default"},
            "spec": {"serviceRef": {"kind": "KnativeService", "name": "hello"}},
        }))
        .unwrap();
        binding.status = Some(GatewayBindingStatus {
            ledger: vec![entry],
            ..GatewayBindingStatus::default()
        });
        binding
    }

    fn part(length: usize) -> Part {
        let issuer = Issuer {
            name: "值".repeat(length),
            issuer: "https://example.com".to_owned(),
            jwks: "{}".to_owned(),
        };
        Part {
            scope: Scope::of_ingress(
                ("default", "hello"),
                ["hello.example.com"],
                "higress-system",
            ),
            rules: [(HigressPlugin::JwtAuth, Rule::Tokens(vec![issuer]))].into(),
        }
    }

    #[test]
    fn rules_come_back_from_a_ledger_however_long_they_are() {
        for length in [1, 7_990, 8_000, 40_000] {
            let part = part(length);
            let entry = entry("higress-system", Some(&part)).unwrap();
            let fields = entry.fields.values();
            assert!(
                fields
                    .map(|field| field.chars().count())
                    .all(|count| count <= 8192)
            );
            let binding = with(entry);
            assert_eq!(recorded(&binding, "higress-system"), Some(part));
            assert_eq!(recorded(&binding, "other"), None);
            assert_eq!(systems(&binding), ["higress-system".to_owned()].into());
        }
        assert_eq!(entry("higress-system", Some(&part(600_000))), None);
    }

    #[test]
    fn an_entry_without_rules_is_still_one() {
        let binding = with(entry("higress-system", None).unwrap());
        assert_eq!(recorded(&binding, "higress-system"), None);
        assert_eq!(systems(&binding).len(), 1);
    }
}
