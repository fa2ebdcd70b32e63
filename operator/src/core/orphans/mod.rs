//! Orphans: what carries our mark of ownership and belongs to nobody. Its binding or consumer went
//! without cleaning up: somebody removed a finalizer, restored an older backup, or forced a
//! namespace out of existence.
//!
//! ```text
//! find → memory (over several sweeps) → going (what nothing depends on) → the plan of a deletion
//! ```
//!
//! Being found is no proof: what `deletionPolicy: Retain` left looks the same. The proof is a
//! [`fate`].

pub mod fate;
pub mod find;
pub mod going;
pub mod memory;
#[cfg(test)]
mod tests;

use crds::v1alpha1::OrphanCause;

use super::observed::ServiceState;

/// Kind of a thing that carries a mark, in the order of removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Api,
    Policy,
    Backend,
    Consumer,
    Group,
    Service,
    Secret,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Api,
        Self::Policy,
        Self::Backend,
        Self::Consumer,
        Self::Group,
        Self::Service,
        Self::Secret,
    ];

    /// The neutral word for it, as ledgers, status and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Policy => "Policy",
            Self::Backend => "Backend",
            Self::Consumer => "Consumer",
            Self::Group => "Group",
            Self::Service => "Service",
            Self::Secret => "Secret",
        }
    }

    /// The kind that a word stands for; none: a newer version's.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What tells one thing from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Its kind.
    pub kind: Kind,
    /// Its id in the cloud, or the UID of a Kubernetes object.
    pub id: String,
}

/// A thing that carries our mark and belongs to nobody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    /// What it is.
    pub id: Id,
    /// Its name, for people.
    pub name: String,
    /// The owner in its mark.
    pub owner: String,
    /// As a ledger would spell it.
    pub key: String,
}

/// A Service that an operator of this project made.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkedService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The owner in its mark.
    pub owner: String,
    /// How it is.
    pub state: ServiceState,
}

/// A Secret with generated credentials that Kubernetes will not remove by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedSecret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The owner in its mark.
    pub owner: String,
    /// Its UID.
    pub uid: String,
}

/// An orphan as it is shown and judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What it is.
    pub id: Id,
    /// Its name, for people.
    pub name: String,
    /// The owner in its mark.
    pub owner: String,
    /// How it lost its owner.
    pub cause: OrphanCause,
    /// Whether it was found often enough, now or as status remembers it.
    pub confirmed: bool,
    /// What depends on it.
    pub needed_by: Option<String>,
}
