//! What somebody else changed about a consumer, told from what its own spec and Secrets changed.
//!
//! The ledger keeps a digest of what was last applied. If the same is wanted now and something is to
//! be done all the same, then somebody else did something. No value of a credential goes into a
//! digest, not even hashed: a short one could be guessed. The versions of the Secrets stand for them.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::CredentialKind;
use serde_json::Value;

use super::claims::{Claim, Claims};
use super::credentials::{Gap, Slot, kind_of};
use super::steps::{App, Step, Wish};
use crate::core::diff::FieldChange;
use crate::core::{diff, names, writers};

/// Digest of all that an app is to be. `secrets` are the versions of the Secrets with its
/// credentials.
pub fn app_digest(wish: &Wish<'_>, secrets: &str) -> String {
    let names: BTreeMap<String, BTreeSet<String>> = wish
        .outlook
        .names()
        .into_iter()
        .map(|(kind, names)| (format!("{kind:?}"), names))
        .collect();
    names::digest(&(&wish.spec, names, secrets))
}

/// Digest of what a Secret is to hold: the kinds of each credential that it is for.
pub fn secret_digest(holds: &[(&str, &[CredentialKind])]) -> String {
    names::digest(&holds)
}

/// Whether what a claim is to be now is what was last applied to it.
pub fn is_applied(claims: &Claims, claim: &Claim, digest: &str) -> bool {
    let entry = claims.entries.get(claim);
    entry.is_some_and(|entry| entry.applied.as_deref() == Some(digest))
}

/// What is different about an app, as its steps show.
pub fn of_app(claim: &Claim, app: Option<&App>, wish: &Wish<'_>, steps: &[Step]) -> String {
    let Some(app) = app else {
        return format!("{claim} is gone");
    };
    let changes = changes(app, wish, steps);
    let fields: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    format!("{claim} ({})", fields.join(", "))
}

/// The fields that steps change. Of a credential only which one it is.
pub fn changes(app: &App, wish: &Wish<'_>, steps: &[Step]) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let credential = |path: String, is_wanted: bool| {
        let there = |is: bool| Some(Value::from(if is { "there" } else { "missing" }));
        FieldChange {
            path,
            from: there(!is_wanted),
            to: there(is_wanted),
        }
    };
    for step in steps {
        match step {
            Step::Create(_) => {}
            Step::Update => changes.extend(diff::fields(&app.spec, &wish.spec)),
            Step::Add(
                Slot {
                    credential: of,
                    kind,
                },
                _,
            ) => {
                changes.push(credential(format!("{kind:?} of credential \"{of}\""), true));
            }
            Step::Remove(found) => {
                let kind = kind_of(found);
                changes.push(credential(
                    format!("{kind:?} that no credential lists"),
                    false,
                ));
            }
        }
    }
    changes.dedup();
    changes
}

/// What is said of fields that do not keep what is written to them.
pub fn unkept(claim: &Claim, changes: &[FieldChange]) -> String {
    // Fields of an app are single words, and credentials are told in several.
    let action = if changes.iter().any(|change| change.path.contains(' ')) {
        "CreateAppCode, DeleteAppCode, CreateAppKey and DeleteAppKey"
    } else {
        "ModifyApp"
    };
    let fields = changes
        .iter()
        .map(|change| writers::unkept(&claim.to_string(), change, &writers::unnamed(action)));
    fields.collect::<Vec<_>>().join("; ")
}

/// What is different about a Secret that lacks something.
pub fn of_secret(claim: &Claim, exists: bool, gaps: &[&Gap]) -> String {
    if !exists {
        return format!("{claim} is gone");
    }
    let lacking: Vec<String> = gaps
        .iter()
        .map(|gap| {
            format!(
                "{:?} of credential \"{}\"",
                gap.slot.kind, gap.slot.credential
            )
        })
        .collect();
    format!("{claim} ({})", lacking.join(", "))
}

#[cfg(test)]
mod tests {
    use cloud_adapter::gateway::model::{ConsumerSpec, Credential};

    use super::*;
    use crate::core::consumer::claims::{AppKey, Location};
    use crate::core::consumer::credentials::Outlook;

    fn claim() -> Claim {
        Claim::App(AppKey {
            location: Location {
                account: "1".into(),
                region: "r".into(),
            },
            name: "acme".into(),
        })
    }

    fn slot() -> Slot {
        Slot {
            credential: "first".into(),
            kind: CredentialKind::APIKey,
        }
    }

    fn outlook(value: &str) -> Outlook {
        Outlook {
            values: vec![(slot(), Credential::ApiKey(value.into()))],
            kinds: BTreeSet::from([CredentialKind::APIKey]),
            ..Outlook::default()
        }
    }

    fn wish(outlook: &Outlook) -> Wish<'_> {
        Wish {
            spec: ConsumerSpec {
                name: "acme".into(),
                description: "d".into(),
                disabled: false,
            },
            kinds: outlook.kinds.clone(),
            leaving: None,
            outlook,
        }
    }

    #[test]
    fn a_digest_moves_with_what_is_wanted_and_tells_nothing_of_values() {
        let (one, other) = (outlook("hush-1"), outlook("hush-2"));
        let digest = app_digest(&wish(&one), "7");
        assert_eq!(digest, app_digest(&wish(&other), "7"));
        assert_ne!(digest, app_digest(&wish(&one), "8"));
        let mut disabled = wish(&one);
        disabled.spec.disabled = true;
        assert_ne!(digest, app_digest(&disabled, "7"));
        assert_ne!(digest, app_digest(&wish(&Outlook::default()), "7"));

        let mut claims = Claims::default();
        assert!(!is_applied(&claims, &claim(), &digest));
        claims.claim(&claim()).applied = Some(digest.clone());
        assert!(is_applied(&claims, &claim(), &digest));
        assert!(!is_applied(&claims, &claim(), "another"));
    }

    #[test]
    fn what_is_different_is_named_without_a_value() {
        let outlook = outlook("hush-1");
        let wish = wish(&outlook);
        let app = App {
            spec: ConsumerSpec {
                disabled: true,
                ..wish.spec.clone()
            },
            credentials: None,
        };
        let steps = [
            Step::Update,
            Step::Add(slot(), Credential::ApiKey("hush-1".into())),
            Step::Remove(Credential::ApiKey("hush-2".into())),
        ];
        assert_eq!(
            of_app(&claim(), Some(&app), &wish, &steps),
            "classic/Consumer/acme@1/r (disabled, APIKey of credential \"first\", APIKey that no credential lists)"
        );
        assert_eq!(
            of_app(&claim(), None, &wish, &[]),
            "classic/Consumer/acme@1/r is gone"
        );
    }
}
