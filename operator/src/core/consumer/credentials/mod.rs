//! The credentials that a consumer is to have: from its list and what its Secrets hold to values,
//! to what has to be made, and to what is missing.

mod recover;
mod secret;

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::Credential;
use crds::v1alpha1::{
    ConsumerCredential, CredentialKind, CredentialType, GatewayConsumerSpec, Reason,
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::core::problem::Problem;

pub use recover::{Found, Recovery, recover};
pub use secret::{Entry, SecretState};

/// One kind of one credential in the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Name of the credential.
    pub credential: String,
    /// Its kind.
    pub kind: CredentialKind,
}

/// A generated credential, or a part of one, that its Secret lacks.
#[derive(Clone, Debug)]
pub struct Gap {
    /// Which.
    pub slot: Slot,
    /// The Secret.
    pub secret: String,
    /// The id that the Secret has, of a key pair.
    pub key_id: Option<String>,
    /// The secret that the Secret has, of a key pair.
    pub key_secret: Option<SecretString>,
}

impl Gap {
    /// Whether one half of the key pair is there.
    fn is_half(&self) -> bool {
        self.key_id.is_some() || self.key_secret.is_some()
    }

    /// It cannot be closed now.
    pub fn unwritten(&self, why: &str) -> Problem {
        let (credential, secret) = (&self.slot.credential, &self.secret);
        Problem::retry(
            Reason::SecretNotFound,
            format!("credential \"{credential}\": Secret \"{secret}\" lacks it, and {why}"),
        )
    }
}

/// The credentials that a consumer is to have.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    /// Those that are valid and known, in the order of the list.
    pub values: Vec<(Slot, Credential)>,
    /// Those that have reached their end, as far as they are known.
    pub ended: Vec<Credential>,
    /// Those that are still to be made, or taken from the cloud; those that can be told best come
    /// first.
    pub gaps: Vec<Gap>,
    /// Kinds of which a valid credential is not known: nothing can be said about what else the
    /// cloud has of them.
    pub unclear: BTreeSet<CredentialKind>,
    /// Every kind in the list, also of credentials that have reached their end.
    pub kinds: BTreeSet<CredentialKind>,
    /// What stands in the way.
    pub problems: Vec<Problem>,
    /// When the next credential reaches its end.
    pub next_end: Option<Timestamp>,
}

/// Works out the credentials of a consumer. `secrets` are the states of their Secrets, by name of
/// the credential.
pub fn outlook(
    spec: &GatewayConsumerSpec,
    secrets: &BTreeMap<String, SecretState>,
    now: Timestamp,
) -> Outlook {
    let mut outlook = Outlook::default();
    let mut ended = Vec::new();
    for credential in &spec.credentials {
        outlook.kinds.extend(&credential.kinds);
        let state = secrets
            .get(&credential.name)
            .unwrap_or(&SecretState::Absent);
        match credential.until.as_ref().map(|until| until.0) {
            Some(until) if until <= now => {
                ended.push(format!("\"{}\" ({until})", credential.name));
                let known = credential.kinds.iter();
                let known = known.filter_map(|kind| state.value(*kind).ok());
                outlook.ended.extend(known);
                continue;
            }
            Some(until) => {
                outlook.next_end = Some(outlook.next_end.map_or(until, |end| end.min(until)));
            }
            None => {}
        }
        for kind in &credential.kinds {
            outlook.look(credential, *kind, state);
        }
    }
    outlook.gaps.sort_by_key(|gap| !gap.is_half());
    if ended.len() == spec.credentials.len() && !ended.is_empty() {
        outlook.problems.push(Problem::blocked(
            Reason::GrantExpired,
            format!(
                "every credential has reached its end: {}. Nobody can call with it any more. Add a credential, or move until.",
                ended.join(", ")
            ),
        ));
    }
    outlook
}

impl Outlook {
    fn look(&mut self, credential: &ConsumerCredential, kind: CredentialKind, state: &SecretState) {
        let slot = Slot {
            credential: credential.name.clone(),
            kind,
        };
        match state.value(kind) {
            Ok(value) => self.values.push((slot, value)),
            Err(lack) => match credential.type_ {
                CredentialType::Generated if lack.may_be_made() => {
                    let (key_id, key_secret) = state.halves(kind);
                    self.gaps.push(Gap {
                        slot,
                        secret: credential.secret_ref.name.clone(),
                        key_id,
                        key_secret,
                    });
                }
                _ => {
                    self.unclear.insert(kind);
                    self.complain(lack.problem(credential));
                }
            },
        }
    }

    /// A Secret that is missing is missing for each kind: once is enough.
    fn complain(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// A gap is closed.
    pub fn close(&mut self, slot: Slot, value: Credential) {
        self.gaps.retain(|gap| gap.slot != slot);
        self.values.push((slot, value));
    }

    /// A gap stays open.
    pub fn leave_open(&mut self, slot: &Slot) {
        self.gaps.retain(|gap| gap.slot != *slot);
        self.unclear.insert(slot.kind);
    }

    /// A value could not be written into its Secret, so it does not count.
    pub fn withdraw(&mut self, slot: &Slot) {
        self.values.retain(|(of, _)| of != slot);
        self.unclear.insert(slot.kind);
    }

    /// Every value, also of those that have reached their end.
    pub fn known(&self) -> impl Iterator<Item = &Credential> {
        let values = self.values.iter().map(|(_, value)| value);
        values.chain(&self.ended)
    }

    /// The names of the valid and known credentials, by kind; kinds of which there is none too.
    pub fn names(&self) -> BTreeMap<CredentialKind, BTreeSet<String>> {
        let mut names: BTreeMap<_, BTreeSet<String>> = self
            .kinds
            .iter()
            .map(|kind| (*kind, BTreeSet::new()))
            .collect();
        for (slot, _) in &self.values {
            let of_kind = names.entry(slot.kind).or_default();
            of_kind.insert(slot.credential.clone());
        }
        names
    }
}

/// The kind of a credential.
pub fn kind_of(credential: &Credential) -> CredentialKind {
    match credential {
        Credential::ApiKey(_) => CredentialKind::APIKey,
        Credential::KeyPair { .. } => CredentialKind::KeyPair,
    }
}

/// Whether two credentials are the same.
pub fn same(one: &Credential, other: &Credential) -> bool {
    match (one, other) {
        (Credential::ApiKey(one), Credential::ApiKey(other)) => same_secret(one, other),
        (
            Credential::KeyPair { id, secret },
            Credential::KeyPair {
                id: other_id,
                secret: other_secret,
            },
        ) => id == other_id && same_secret(secret, other_secret),
        _ => false,
    }
}

fn same_secret(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests;
