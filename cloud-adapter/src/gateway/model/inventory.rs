//! All that an account has in a region.

use std::collections::{BTreeMap, BTreeSet};

use imbl::{OrdMap, OrdSet};

use super::super::apis::{Apis, Before};
use super::*;

/// All that one account has in one region, as one consistent set of complete lists. The collections
/// share what they have in common with their clones, so that a copy for each reader costs little
/// however many objects there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Every group.
    pub groups: OrdMap<GroupId, Group>,
    /// Every backend.
    pub backends: OrdMap<BackendName, Backend>,
    /// Every API, with its definition where it has been read.
    pub apis: Apis,
    /// Every consumer.
    pub consumers: OrdMap<ConsumerId, Consumer>,
    /// The grants of the consumers that are ours or watched.
    pub grants: OrdMap<GrantKey, Grant>,
    /// Every policy.
    pub policies: OrdMap<PolicyId, Policy>,
    /// Where the policies that are ours or watched act; once an API is watched, where any throttling
    /// policy acts.
    pub attachments: OrdSet<Attachment>,
    /// Listed objects of which something could not be read.
    pub unreadable: Unreadable,
}

/// Things that others made and that are looked after all the same: what is known of them is what is
/// known of our own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Groups.
    pub groups: BTreeSet<GroupId>,
    /// APIs.
    pub apis: BTreeSet<ApiId>,
    /// Consumers.
    pub consumers: BTreeSet<ConsumerId>,
    /// Policies.
    pub policies: BTreeSet<PolicyId>,
}

/// Objects of which a list says something that cannot be read: by kind and id, a backend by name and
/// a grant by [`GrantKey::id`]; and what it is. Each is listed with what can be read of it, and must
/// neither be compared with what is wanted nor be taken for gone.
pub type Unreadable = BTreeMap<(Kind, String), String>;

impl Inventory {
    /// The policies of ours that act on an API.
    pub fn attachments_of(&self, api: &ApiId) -> impl Iterator<Item = &Attachment> {
        let from = Before(|attachment: &Attachment| api.cmp(&attachment.api));
        let attachments = self.attachments.range(from..);
        attachments.take_while(move |attachment| attachment.api == *api)
    }

    /// The grants of our consumers for an API.
    pub fn grants_of(&self, api: &ApiId) -> impl Iterator<Item = &Grant> {
        let from = Before(|key: &GrantKey| api.cmp(&key.api));
        let grants = self.grants.range(from..).map(|(_, grant)| grant);
        grants.take_while(move |grant| grant.key.api == *api)
    }
}

/// Kinds of an [`Inventory`], for asking that one be listed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Groups,
    Backends,
    Apis,
    Consumers,
    Grants,
    Policies,
    Attachments,
}
