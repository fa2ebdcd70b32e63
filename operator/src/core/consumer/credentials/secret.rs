//! What a Secret holds of a credential.

use cloud_adapter::gateway::model::Credential;
use crds::v1alpha1::{ConsumerCredential, CredentialKind, CredentialType, Reason};
use secrecy::{ExposeSecret, SecretString};

use crate::core::problem::Problem;

/// The longest value that is sent to the cloud.
const LONGEST: usize = 128;

/// An entry of a Secret.
#[derive(Clone, Debug)]
pub enum Entry {
    /// There is none, or it is empty.
    Missing,
    /// It cannot be a credential; why not.
    Unusable(&'static str),
    /// Its text, without surrounding white space, which files and editors leave at the end.
    Text(SecretString),
}

impl Entry {
    /// The entry as it was read.
    pub fn read(bytes: Option<&[u8]>) -> Self {
        let Some(text) = bytes.map(std::str::from_utf8) else {
            return Self::Missing;
        };
        let Ok(text) = text.map(str::trim) else {
            return Self::Unusable("is not text");
        };
        if text.is_empty() {
            Self::Missing
        } else if text.len() > LONGEST {
            Self::Unusable("has more than 128 characters")
        } else if !text.chars().all(|c| c.is_ascii_graphic()) {
            Self::Unusable("has a space, a line break or a character outside of ASCII")
        } else {
            Self::Text(text.into())
        }
    }

    fn text(&self) -> Option<&SecretString> {
        match self {
            Self::Text(text) => Some(text),
            Self::Missing | Self::Unusable(_) => None,
        }
    }
}

/// The Secret of a credential.
#[derive(Clone, Debug)]
pub enum SecretState {
    /// There is none.
    Absent,
    /// There is one that the operator did not make, and the credential is a generated one.
    Foreign,
    /// It could not be read.
    Unreadable(Problem),
    /// It is there.
    Present {
        /// The entry with the API key.
        api_key: Entry,
        /// The entry with the id of the key pair.
        key_id: Entry,
        /// The entry with the secret of the key pair.
        key_secret: Entry,
    },
}

/// Why a Secret does not have a credential.
#[derive(Clone, Debug)]
pub(super) enum Lack {
    Absent,
    Foreign,
    Unreadable(Problem),
    Entry(Part, Option<&'static str>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    ApiKey,
    KeyId,
    KeySecret,
}

impl SecretState {
    /// The credential of a kind.
    pub(super) fn value(&self, kind: CredentialKind) -> Result<Credential, Lack> {
        let (api_key, key_id, key_secret) = match self {
            Self::Absent => return Err(Lack::Absent),
            Self::Foreign => return Err(Lack::Foreign),
            Self::Unreadable(problem) => return Err(Lack::Unreadable(problem.clone())),
            Self::Present {
                api_key,
                key_id,
                key_secret,
            } => (api_key, key_id, key_secret),
        };
        match kind {
            CredentialKind::APIKey => Ok(Credential::ApiKey(need(api_key, Part::ApiKey)?)),
            CredentialKind::KeyPair => {
                // What cannot be mended is told before what can.
                for (entry, part) in [(key_id, Part::KeyId), (key_secret, Part::KeySecret)] {
                    if let Entry::Unusable(why) = entry {
                        return Err(Lack::Entry(part, Some(why)));
                    }
                }
                let id = need(key_id, Part::KeyId)?;
                Ok(Credential::KeyPair {
                    id: id.expose_secret().to_owned(),
                    secret: need(key_secret, Part::KeySecret)?,
                })
            }
        }
    }

    /// Id and secret of a key pair, as far as they are there.
    pub(super) fn halves(&self, kind: CredentialKind) -> (Option<String>, Option<SecretString>) {
        match (self, kind) {
            (
                Self::Present {
                    key_id, key_secret, ..
                },
                CredentialKind::KeyPair,
            ) => {
                let id = key_id.text().map(|id| id.expose_secret().to_owned());
                (id, key_secret.text().cloned())
            }
            _ => (None, None),
        }
    }
}

fn need(entry: &Entry, part: Part) -> Result<SecretString, Lack> {
    match entry {
        Entry::Text(text) => Ok(text.clone()),
        Entry::Missing => Err(Lack::Entry(part, None)),
        Entry::Unusable(why) => Err(Lack::Entry(part, Some(why))),
    }
}

impl Lack {
    /// Whether writing the Secret, or an entry that it lacks, is the answer.
    pub(super) fn may_be_made(&self) -> bool {
        matches!(self, Self::Absent | Self::Entry(_, None))
    }

    /// What to tell about it.
    pub(super) fn problem(self, credential: &ConsumerCredential) -> Problem {
        let name = &credential.name;
        let secret = &credential.secret_ref.name;
        let stays = "What the cloud has stays until then.";
        match self {
            Self::Unreadable(problem) => problem,
            Self::Absent => Problem::unresolved(
                Reason::SecretNotFound,
                format!(
                    "credential \"{name}\": there is no Secret \"{secret}\" in the consumer's namespace. Create it with {}. {stays}",
                    entries(credential)
                ),
            ),
            Self::Foreign => Problem::unresolved(
                Reason::SecretNotOwned,
                format!(
                    "credential \"{name}\": Secret \"{secret}\" exists and was not made by the operator for this consumer, so it is not written. Name another one in secretRef, or delete it, or take its content with type: Imported. {stays}"
                ),
            ),
            Self::Entry(part, why) => {
                let entry = entry_name(credential, part);
                let (what, advice) = match (why, credential.type_) {
                    (None, _) => ("is missing or empty", "Add it"),
                    (Some(why), CredentialType::Imported) => (why, "Correct it"),
                    (Some(why), CredentialType::Generated) => {
                        (why, "Remove the entry and it is made again")
                    }
                };
                Problem::unresolved(
                    Reason::SecretInvalid,
                    format!(
                        "credential \"{name}\": entry \"{entry}\" of Secret \"{secret}\" {what}. {advice}. {stays}"
                    ),
                )
            }
        }
    }
}

fn entry_name(credential: &ConsumerCredential, part: Part) -> &str {
    match part {
        Part::ApiKey => credential.api_key_entry(),
        Part::KeyId => credential.key_id_entry(),
        Part::KeySecret => credential.key_secret_entry(),
    }
}

fn entries(credential: &ConsumerCredential) -> String {
    let parts = credential.kinds.iter().flat_map(|kind| match kind {
        CredentialKind::APIKey => vec![Part::ApiKey],
        CredentialKind::KeyPair => vec![Part::KeyId, Part::KeySecret],
    });
    let names: Vec<String> = parts
        .map(|part| format!("\"{}\"", entry_name(credential, part)))
        .collect();
    let noun = if names.len() == 1 { "entry" } else { "entries" };
    format!("{noun} {}", names.join(", "))
}
