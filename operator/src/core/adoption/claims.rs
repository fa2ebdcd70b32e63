//! Who adopts what: of two that want the same, one has it.

use cloud_adapter::gateway::model::{ApiId, ConsumerId, GroupId, PolicyId, Watched};
use crds::v1alpha1::NamespacedName;

use crate::core::key::ObjectKey;
use crate::core::ledger::Ledger;

/// Something that is adopted, in every class and account: the cloud's ids are unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Adopted {
    Group(String),
    Backend(String),
    Policy(String),
    Api(String),
}

/// What is looked after, of what others made: what is to be adopted, and what the ledger knows.
pub fn watched(wanted: &[Adopted], ledger: &Ledger) -> Watched {
    let mut watched = Watched::default();
    let recorded = ledger.entries.keys().filter_map(Adopted::of);
    for what in wanted.iter().cloned().chain(recorded) {
        match what {
            Adopted::Group(id) => drop(watched.groups.insert(GroupId(id))),
            Adopted::Policy(id) => drop(watched.policies.insert(PolicyId(id))),
            Adopted::Api(id) => drop(watched.apis.insert(ApiId(id))),
            // Lists have all of them.
            Adopted::Backend(_) => {}
        }
    }
    let grants = ledger
        .entries
        .iter()
        .filter(|(key, _)| matches!(key, ObjectKey::Grant { .. }));
    let consumers = grants.filter_map(|(_, entry)| entry.id.clone().map(ConsumerId));
    watched.consumers.extend(consumers);
    watched
}

impl Adopted {
    /// What a key adopts, if it does.
    pub fn of(key: &ObjectKey) -> Option<Self> {
        let id = key.adopted_id()?.to_owned();
        match key {
            ObjectKey::Group { .. } => Some(Self::Group(id)),
            ObjectKey::Backend { .. } => Some(Self::Backend(id)),
            ObjectKey::Policy { .. } => Some(Self::Policy(id)),
            ObjectKey::Api(_) => Some(Self::Api(id)),
            _ => None,
        }
    }
}

/// A binding's claim to something adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What.
    pub what: Adopted,
    /// The class of the binding.
    pub class: String,
    /// Whether its ledger has it.
    pub holds: bool,
    /// A digest of what it says about it; none: nothing.
    pub says: Option<String>,
}

impl Claim {
    /// Whether two bindings cannot both have it. A class adopts groups and backends for all of its
    /// bindings; a policy may be used by several that do not say different things about it.
    pub fn excludes(&self, other: &Self) -> bool {
        let says_otherwise = || matches!((&self.says, &other.says), (Some(a), Some(b)) if a != b);
        self.what == other.what
            && match self.what {
                Adopted::Api(_) => true,
                Adopted::Group(_) | Adopted::Backend(_) => self.class != other.class,
                Adopted::Policy(_) => self.class != other.class || says_otherwise(),
            }
    }
}

/// Who has something that a binding wants to adopt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The binding.
    pub binding: NamespacedName,
    /// Its class.
    pub class: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_share_what() {
        let claim = |what: &Adopted, class: &str, says: Option<&str>| Claim {
            what: what.clone(),
            class: class.into(),
            holds: false,
            says: says.map(str::to_owned),
        };
        let [api, group, policy] =
            [Adopted::Api, Adopted::Group, Adopted::Policy].map(|what| what("1".into()));
        for (what, class, says, excluded) in [
            (&api, "a", None, true),
            (&group, "a", None, false),
            (&group, "b", None, true),
            (&policy, "a", None, false),
            (&policy, "a", Some("x"), false),
            (&policy, "a", Some("y"), true),
            (&policy, "b", None, true),
        ] {
            let mine = claim(what, "a", Some("x"));
            let other = claim(what, class, says);
            assert_eq!(mine.excludes(&other), excluded, "{other:?}");
            assert_eq!(other.excludes(&mine), excluded, "{other:?}");
        }
        let other = claim(&Adopted::Api("2".into()), "a", None);
        assert!(!claim(&api, "a", None).excludes(&other));
    }
}
