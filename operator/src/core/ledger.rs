//! The ledger of a binding: what it has claimed, read from and written to its status.

use std::collections::BTreeMap;

use crds::v1alpha1::{GatewayBinding, LedgerEntry};

use super::key::ObjectKey;
use super::plan::{Operation, Plan, Step};

/// What a binding has claimed, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Entries that this version understands.
    pub entries: BTreeMap<ObjectKey, LedgerEntry>,
    /// Entries that it does not (a newer version's, or a hand edit's): kept as they are.
    pub unknown: Vec<LedgerEntry>,
}

impl Ledger {
    /// The ledger in a binding's status.
    pub fn of(binding: &GatewayBinding) -> Self {
        let entries = binding.status.iter().flat_map(|status| &status.ledger);
        Self::read(entries)
    }

    fn read<'a>(entries: impl Iterator<Item = &'a LedgerEntry>) -> Self {
        let mut ledger = Self::default();
        for entry in entries {
            match entry.key.parse() {
                Ok(key) => {
                    ledger.entries.insert(key, entry.clone());
                }
                Err(_) => ledger.unknown.push(entry.clone()),
            }
        }
        ledger
    }

    /// As status spells it, in the order of the keys' text.
    pub fn write(&self) -> Vec<LedgerEntry> {
        let mut entries: Vec<LedgerEntry> = self
            .entries
            .values()
            .chain(&self.unknown)
            .cloned()
            .collect();
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        entries
    }

    /// Notes, before anything is done, what was there of adopted APIs and what becomes ours, and which
    /// publications a change of their drafts calls for: what runs does not tell all of its draft.
    pub fn foresee(&mut self, plan: &Plan) {
        for key in &plan.found {
            if let Some(entry) = self.entries.get_mut(key) {
                entry.adopted = true;
            }
        }
        for step in &plan.steps {
            match (&step.key, &step.operation) {
                (key, Operation::Attach { .. }) => {
                    if let Some(entry) = self.entries.get_mut(key) {
                        entry.adopted = false;
                    }
                }
                (ObjectKey::Api(changed), Operation::AmendApi(_)) => {
                    for (key, entry) in &mut self.entries {
                        let runs =
                            matches!(key, ObjectKey::Deployment { api, .. } if api == changed);
                        if runs && plan.claims.contains(key) {
                            entry.fields.insert(OWED.to_owned(), "pending".to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// A step is done.
    pub fn done(&mut self, step: &Step) {
        if let Some(entry) = self.entries.get_mut(&step.key)
            && matches!(
                step.operation,
                Operation::Deploy { .. } | Operation::Redeploy { .. }
            )
        {
            entry.fields.remove(OWED);
        }
    }

    /// Adds an entry for a key that has none; returns whether there was none.
    pub fn claim(&mut self, key: &ObjectKey, place: &Place) -> bool {
        if let Some(entry) = self.entries.get_mut(key) {
            // It was claimed while the account did not answer.
            if !matches!(key, ObjectKey::Service { .. }) && entry.account.is_none() {
                entry.account.clone_from(&place.account);
                entry.region.clone_from(&place.region);
            }
            return false;
        }
        let mut entry = LedgerEntry {
            key: key.to_string(),
            kind: key.kind().to_owned(),
            shared: key.is_shared(),
            adopted: key.adopted_id().is_some(),
            ..LedgerEntry::default()
        };
        match key {
            ObjectKey::Service { namespace, name } => {
                entry.namespace = Some(namespace.clone());
                entry.name = Some(name.clone());
            }
            _ => {
                entry.account = place.account.clone();
                entry.region = place.region.clone();
            }
        }
        self.entries.insert(key.clone(), entry);
        true
    }
}

/// Field of a publication's entry while its draft has changed and it has not been made anew.
const OWED: &str = "publication";

/// Whether a publication has still to be made after a change of its draft.
pub fn is_owed(entry: &LedgerEntry) -> bool {
    entry.fields.contains_key(OWED)
}

/// Where cloud objects are.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Account id.
    pub account: Option<String>,
    /// Region id.
    pub region: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_kept() {
        let newer = LedgerEntry {
            key: "alb/Listener/1".into(),
            kind: "Listener".into(),
            ..LedgerEntry::default()
        };
        let mut ledger = Ledger::read([newer.clone()].iter());
        let key = ObjectKey::Group { name: "g".into() };
        assert!(ledger.claim(&key, &Place::default()));
        assert!(!ledger.claim(&key, &Place::default()));
        assert_eq!(ledger.entries[&key].account, None);
        let place = Place {
            account: Some("1".into()),
            region: Some("r".into()),
        };
        ledger.claim(&key, &place);
        assert_eq!(ledger.entries[&key].account.as_deref(), Some("1"));
        let written = ledger.write();
        assert!(written.contains(&newer));
        assert_eq!(Ledger::read(written.iter()), ledger);
    }
}
