//! What our own writes did to an inventory.

use crate::gateway::model::*;

/// One object as it is after a write of ours, or its absence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Change {
    PutGroup(Group),
    DeleteGroup(GroupId),
    PutBackend(Backend),
    DeleteBackend(BackendName),
    PutApi(Box<Api>),
    DeleteApi(ApiId),
    PutConsumer(Consumer),
    DeleteConsumer(ConsumerId),
    PutGrant(Grant),
    DeleteGrant(GrantKey),
    PutPolicy(Policy),
    DeletePolicy(PolicyId),
    PutAttachment(Attachment),
    DeleteAttachment(Attachment),
}

/// Which object a change is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Group(GroupId),
    Backend(BackendName),
    Api(ApiId),
    Consumer(ConsumerId),
    Grant(GrantKey),
    Policy(PolicyId),
    Attachment(Attachment),
}

impl Change {
    /// The list that shows it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::PutGroup(_) | Self::DeleteGroup(_) => Kind::Groups,
            Self::PutBackend(_) | Self::DeleteBackend(_) => Kind::Backends,
            Self::PutApi(_) | Self::DeleteApi(_) => Kind::Apis,
            Self::PutConsumer(_) | Self::DeleteConsumer(_) => Kind::Consumers,
            Self::PutGrant(_) | Self::DeleteGrant(_) => Kind::Grants,
            Self::PutPolicy(_) | Self::DeletePolicy(_) => Kind::Policies,
            Self::PutAttachment(_) | Self::DeleteAttachment(_) => Kind::Attachments,
        }
    }

    pub(super) fn subject(&self) -> Subject {
        match self {
            Self::PutGroup(group) => Subject::Group(group.id.clone()),
            Self::DeleteGroup(id) => Subject::Group(id.clone()),
            Self::PutBackend(backend) => Subject::Backend(backend.spec.name.clone()),
            Self::DeleteBackend(name) => Subject::Backend(name.clone()),
            Self::PutApi(api) => Subject::Api(api.id.clone()),
            Self::DeleteApi(id) => Subject::Api(id.clone()),
            Self::PutConsumer(consumer) => Subject::Consumer(consumer.id.clone()),
            Self::DeleteConsumer(id) => Subject::Consumer(id.clone()),
            Self::PutGrant(grant) => Subject::Grant(grant.key.clone()),
            Self::DeleteGrant(key) => Subject::Grant(key.clone()),
            Self::PutPolicy(policy) => Subject::Policy(policy.id.clone()),
            Self::DeletePolicy(id) => Subject::Policy(id.clone()),
            Self::PutAttachment(at) | Self::DeleteAttachment(at) => Subject::Attachment(at.clone()),
        }
    }

    /// The write came after the list: it wins.
    pub(super) fn apply(&self, inventory: &mut Inventory) {
        match self.clone() {
            Self::PutGroup(group) => drop(inventory.groups.insert(group.id.clone(), group)),
            Self::DeleteGroup(id) => drop(inventory.groups.remove(&id)),
            Self::PutBackend(backend) => {
                drop(
                    inventory
                        .backends
                        .insert(backend.spec.name.clone(), backend),
                );
            }
            Self::DeleteBackend(name) => drop(inventory.backends.remove(&name)),
            Self::PutApi(api) => inventory.apis.insert(*api),
            Self::DeleteApi(id) => inventory.apis.remove(&id),
            Self::PutConsumer(consumer) => {
                drop(inventory.consumers.insert(consumer.id.clone(), consumer));
            }
            Self::DeleteConsumer(id) => drop(inventory.consumers.remove(&id)),
            Self::PutGrant(grant) => drop(inventory.grants.insert(grant.key.clone(), grant)),
            Self::DeleteGrant(key) => drop(inventory.grants.remove(&key)),
            Self::PutPolicy(policy) => drop(inventory.policies.insert(policy.id.clone(), policy)),
            Self::DeletePolicy(id) => drop(inventory.policies.remove(&id)),
            Self::PutAttachment(at) => drop(inventory.attachments.insert(at)),
            Self::DeleteAttachment(at) => drop(inventory.attachments.remove(&at)),
        }
    }

    /// The list came after the write but may not show it yet: what was made is not missing, what
    /// was deleted is not there. What the list does show is as the list says.
    pub(super) fn apply_where_unseen(&self, inventory: &mut Inventory) {
        let seen = match self {
            Self::PutGroup(group) => inventory.groups.contains_key(&group.id),
            Self::PutBackend(backend) => inventory.backends.contains_key(&backend.spec.name),
            Self::PutApi(api) => inventory.apis.contains_key(&api.id),
            Self::PutConsumer(consumer) => inventory.consumers.contains_key(&consumer.id),
            Self::PutGrant(grant) => inventory.grants.contains_key(&grant.key),
            Self::PutPolicy(policy) => inventory.policies.contains_key(&policy.id),
            Self::PutAttachment(at) => inventory.attachments.contains(at),
            _ => false,
        };
        if !seen {
            self.apply(inventory);
        }
    }
}
