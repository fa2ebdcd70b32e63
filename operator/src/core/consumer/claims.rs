//! What a consumer has claimed, read from and written to its status.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cloud_adapter::gateway::model::ConsumerId;
use crds::v1alpha1::{CredentialKind, GatewayConsumer, LedgerEntry};

use super::credentials::Slot;
use crate::core::key::id_of;

/// An account and a region in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Account id.
    pub account: String,
    /// Region id.
    pub region: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {}, region {}", self.account, self.region)
    }
}

/// Something that a consumer claims.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// The consumer in the cloud.
    App(AppKey),
    /// A Secret with a generated credential.
    Secret {
        /// Its namespace, that of the consumer.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// The consumer in the cloud, before the cloud has given it an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppKey {
    /// Where.
    pub location: Location,
    /// Its name there; of one that is adopted its id, as [`crate::core::key::by_id`] has it.
    pub name: String,
}

impl AppKey {
    /// Its id, if it is adopted.
    pub fn adopted(&self) -> Option<ConsumerId> {
        id_of(&self.name).map(ConsumerId::from)
    }
}

impl Claim {
    /// The neutral word for what this is: the ledger's `kind`, a metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::App(_) => "Consumer",
            Self::Secret { .. } => "Secret",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        match *parts.as_slice() {
            ["classic", "Consumer", place, region] => {
                let (name, account) = place.split_once('@')?;
                Some(Self::App(AppKey {
                    location: Location {
                        account: account.to_owned(),
                        region: region.to_owned(),
                    },
                    name: name.to_owned(),
                }))
            }
            ["kubernetes", "Secret", namespace, name] => Some(Self::Secret {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            _ => None,
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::App(AppKey { location, name }) => {
                let Location { account, region } = location;
                write!(f, "classic/{kind}/{name}@{account}/{region}")
            }
            Self::Secret { namespace, name } => write!(f, "kubernetes/{kind}/{namespace}/{name}"),
        }
    }
}

/// All that a consumer has claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Entries that this version understands.
    pub entries: BTreeMap<Claim, LedgerEntry>,
    unknown: Vec<LedgerEntry>,
}

impl Claims {
    /// The claims in a consumer's status.
    pub fn of(consumer: &GatewayConsumer) -> Self {
        let mut claims = Self::default();
        for entry in consumer.status.iter().flat_map(|status| &status.ledger) {
            match Claim::parse(&entry.key) {
                Some(claim) => {
                    claims.entries.insert(claim, entry.clone());
                }
                // A newer version's, or a hand edit's: kept as it is.
                None => claims.unknown.push(entry.clone()),
            }
        }
        claims
    }

    /// As status spells them, in the order of the keys' text.
    pub fn write(&self) -> Vec<LedgerEntry> {
        let entries = self.entries.values().chain(&self.unknown);
        let mut entries: Vec<LedgerEntry> = entries.cloned().collect();
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        entries
    }

    /// Adds an entry if there is none.
    pub fn claim(&mut self, claim: &Claim) -> &mut LedgerEntry {
        self.entries.entry(claim.clone()).or_insert_with(|| {
            let mut entry = LedgerEntry {
                key: claim.to_string(),
                kind: claim.kind().to_owned(),
                ..LedgerEntry::default()
            };
            match claim {
                Claim::App(app) => {
                    entry.account = Some(app.location.account.clone());
                    entry.region = Some(app.location.region.clone());
                    entry.id = app.adopted().map(|id| id.0);
                    entry.adopted = entry.id.is_some();
                    entry.name = (!entry.adopted).then(|| app.name.clone());
                }
                Claim::Secret { namespace, name } => {
                    entry.namespace = Some(namespace.clone());
                    entry.name = Some(name.clone());
                }
            }
            entry
        })
    }

    /// Removes an entry.
    pub fn release(&mut self, claim: &Claim) {
        self.entries.remove(claim);
    }

    /// The consumers in the cloud.
    pub fn apps(&self) -> impl Iterator<Item = (&AppKey, &LedgerEntry)> {
        self.entries
            .iter()
            .filter_map(|(claim, entry)| match claim {
                Claim::App(app) => Some((app, entry)),
                Claim::Secret { .. } => None,
            })
    }

    /// The names of the Secrets.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().filter_map(|claim| match claim {
            Claim::Secret { name, .. } => Some(name.as_str()),
            Claim::App(_) => None,
        })
    }

    /// The credentials of a kind that were put into an app, by name; none: the app is not claimed,
    /// so nothing is known.
    pub fn placed(&self, app: &AppKey, kind: CredentialKind) -> Option<BTreeSet<&str>> {
        let entry = self.entries.get(&Claim::App(app.clone()))?;
        let names = entry.fields.get(field(kind)).map(String::as_str);
        Some(names.unwrap_or_default().split_terminator(',').collect())
    }

    /// Notes which credentials are put into an app, by kind. A kind that is not given is no longer
    /// looked after there.
    pub fn place(&mut self, app: &AppKey, names: &BTreeMap<CredentialKind, BTreeSet<String>>) {
        let entry = self.claim(&Claim::App(app.clone()));
        let placed = [CredentialKind::APIKey, CredentialKind::KeyPair].map(field);
        entry
            .fields
            .retain(|name, _| !placed.contains(&name.as_str()));
        let names = names.iter().map(|(kind, names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            (field(*kind).to_owned(), names.join(","))
        });
        entry.fields.extend(names);
    }

    /// The credentials that were added to an adopted app, each with the Secret that the operator wrote
    /// it into, if it did. The others were there before.
    pub fn added(&self, app: &AppKey) -> BTreeMap<Slot, Option<String>> {
        let entry = self.entries.get(&Claim::App(app.clone()));
        let fields = entry.into_iter().flat_map(|entry| &entry.fields);
        let slots = fields.flat_map(|(name, values)| {
            let kind = [CredentialKind::APIKey, CredentialKind::KeyPair]
                .into_iter()
                .find(|kind| *name == added_field(*kind));
            let values = values.split_terminator(',').filter(move |_| kind.is_some());
            values.filter_map(move |value| {
                let (credential, secret) = value.split_once(':')?;
                let credential = credential.to_owned();
                let secret = (!secret.is_empty()).then(|| secret.to_owned());
                Some((
                    Slot {
                        credential,
                        kind: kind?,
                    },
                    secret,
                ))
            })
        });
        slots.collect()
    }

    /// Notes which credentials were, or are about to be, added to an adopted app.
    pub fn note_added(&mut self, app: &AppKey, added: &BTreeMap<Slot, Option<String>>) {
        let entry = self.claim(&Claim::App(app.clone()));
        for kind in [CredentialKind::APIKey, CredentialKind::KeyPair] {
            let of_kind = added.iter().filter(|(slot, _)| slot.kind == kind);
            let values: Vec<String> = of_kind
                .map(|(slot, secret)| {
                    format!("{}:{}", slot.credential, secret.as_deref().unwrap_or(""))
                })
                .collect();
            entry.fields.remove(&added_field(kind));
            if !values.is_empty() {
                entry.fields.insert(added_field(kind), values.join(","));
            }
        }
    }

    /// The kinds that are looked after in an app.
    pub fn placed_kinds(&self, app: &AppKey) -> BTreeSet<CredentialKind> {
        let entry = self.entries.get(&Claim::App(app.clone()));
        [CredentialKind::APIKey, CredentialKind::KeyPair]
            .into_iter()
            .filter(|kind| entry.is_some_and(|entry| entry.fields.contains_key(field(*kind))))
            .collect()
    }
}

fn field(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::APIKey => "APIKey",
        CredentialKind::KeyPair => "KeyPair",
    }
}

fn added_field(kind: CredentialKind) -> String {
    format!("added{}", field(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn app() -> AppKey {
        AppKey {
            location: Location {
                account: "1234567890123456".into(),
                region: "cn-beijing".into(),
            },
            name: "acme_1a2b3c4d".into(),
        }
    }

    fn secret() -> Claim {
        Claim::Secret {
            namespace: "partners".into(),
            name: "acme-2026.11".into(),
        }
    }

    #[test]
    fn a_claim_reads_back_as_it_was_written() {
        for claim in [Claim::App(app()), secret()] {
            assert_eq!(Claim::parse(&claim.to_string()), Some(claim));
        }
        assert_eq!(
            Claim::App(app()).to_string(),
            "classic/Consumer/acme_1a2b3c4d@1234567890123456/cn-beijing"
        );
        for text in ["", "classic/Consumer/x/cn-beijing", "classic/Group/g"] {
            assert_eq!(Claim::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_adopted_app_is_known_by_its_id_and_by_what_was_added() {
        let app = AppKey {
            name: crate::core::key::by_id("110"),
            ..app()
        };
        let mut claims = Claims::default();
        let slot = |credential: &str, kind| Slot {
            credential: credential.to_owned(),
            kind,
        };
        let added = BTreeMap::from([
            (slot("a", CredentialKind::APIKey), None),
            (
                slot("b", CredentialKind::APIKey),
                Some("acme-b.2".to_owned()),
            ),
            (
                slot("b", CredentialKind::KeyPair),
                Some("acme-b.2".to_owned()),
            ),
        ]);
        claims.note_added(&app, &added);
        claims.place(&app, &BTreeMap::new());
        let key = Claim::App(app.clone());
        let entry = &claims.entries[&key];
        assert_eq!((entry.adopted, entry.id.as_deref()), (true, Some("110")));
        assert_eq!(
            entry.key,
            "classic/Consumer/id:110@1234567890123456/cn-beijing"
        );
        assert_eq!(Claim::parse(&entry.key), Some(key));
        assert_eq!(claims.added(&app), added, "whatever else is noted");
        assert_eq!(claims.placed_kinds(&app), BTreeSet::new());
        claims.note_added(&app, &BTreeMap::new());
        assert_eq!(claims.added(&app), BTreeMap::new());
    }

    #[test]
    fn claims_survive_status_with_what_is_not_understood() {
        let mut claims = Claims::default();
        claims.claim(&secret());
        let names = BTreeMap::from([(
            CredentialKind::KeyPair,
            BTreeSet::from(["b".to_owned(), "a".to_owned()]),
        )]);
        claims.place(&app(), &names);
        claims.claim(&Claim::App(app())).id = Some("110".into());
        let mut ledger = claims.write();
        ledger.push(LedgerEntry {
            key: "apig/Consumer/cs-1".into(),
            kind: "Consumer".into(),
            ..LedgerEntry::default()
        });
        let consumer: GatewayConsumer = serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayConsumer",
            "metadata": {"name": "acme"}, "spec": {"credentials": []},
            "status": {"ledger": ledger},
        }))
        .unwrap();
        let read = Claims::of(&consumer);
        assert_eq!(read.entries, claims.entries);
        assert_eq!(read.write().len(), 3);
        assert_eq!(read.secrets().collect::<Vec<_>>(), ["acme-2026.11"]);
        assert_eq!(
            read.placed(&app(), CredentialKind::KeyPair),
            Some(BTreeSet::from(["a", "b"]))
        );
        assert_eq!(
            read.placed(&app(), CredentialKind::APIKey),
            Some(BTreeSet::new())
        );
        assert_eq!(
            read.placed_kinds(&app()),
            BTreeSet::from([CredentialKind::KeyPair])
        );
        assert_eq!(
            Claims::default().placed(&app(), CredentialKind::KeyPair),
            None
        );
    }
}
