//! Objects of which the cloud says something that cannot be read. They are neither as wanted nor
//! otherwise, and not gone: nothing is planned about them, and that is told.

use cloud_adapter::gateway::model::{ConsumerId, GrantKey, Inventory, Kind};
use crds::v1alpha1::Reason;

use crate::core::key::{ApiKey, ObjectKey};
use crate::core::observed::Lookup;
use crate::core::problem::Problem;

/// What else the object under a key depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends<'a> {
    /// Name of the policy that is attached.
    pub(super) policy: Option<&'a str>,
    /// The consumer that is permitted.
    pub(super) consumer: Option<&'a ConsumerId>,
}

/// What keeps a step on the object under a key from being planned. `api` is the API of the key
/// under the name it has now.
pub(super) fn unreadable(
    key: &ObjectKey,
    api: Option<&ApiKey>,
    ends: Ends<'_>,
    inventory: &Inventory,
) -> Option<Problem> {
    if inventory.unreadable.is_empty() {
        return None;
    }
    let api = api.and_then(|api| inventory.api(&api.group, &api.name));
    let mut subjects: Vec<(Kind, String)> = Vec::new();
    subjects.extend(api.map(|api| (Kind::Apis, api.id.0.clone())));
    let policy = |name: &str| Some((Kind::Policies, inventory.policy(name)?.id.0.clone()));
    match key {
        ObjectKey::Group { name } => {
            let group = inventory.group(name);
            subjects.extend(group.map(|group| (Kind::Groups, group.id.0.clone())));
        }
        ObjectKey::Backend { name } => {
            let seen = inventory.backend(name).map(|seen| seen.spec.name.as_str());
            subjects.push((Kind::Backends, seen.unwrap_or(name).to_owned()));
        }
        ObjectKey::Policy { name } => subjects.extend(policy(name)),
        ObjectKey::Attachment { .. } => subjects.extend(ends.policy.and_then(policy)),
        ObjectKey::Grant { environment, .. } => {
            if let Some(consumer) = ends.consumer {
                subjects.push((Kind::Consumers, consumer.0.clone()));
                let grant = api.map(|api| GrantKey {
                    api: api.id.clone(),
                    environment: *environment,
                    consumer: consumer.clone(),
                });
                subjects.extend(grant.map(|grant| (Kind::Grants, grant.id())));
            }
        }
        _ => {}
    }
    subjects
        .into_iter()
        .find_map(|(kind, id)| about(inventory, kind, &id))
}

/// What is said about an object, if something of it cannot be read.
pub(crate) fn about(inventory: &Inventory, kind: Kind, id: &str) -> Option<Problem> {
    let why = inventory.unreadable.get(&(kind, id.to_owned()))?;
    let what = match kind {
        Kind::Groups => "API group",
        Kind::Backends => "VPC authorization",
        Kind::Apis => "API",
        Kind::Consumers => "app",
        Kind::Policies => "plugin",
        Kind::Grants => "permission",
        Kind::Attachments => "attachment",
    };
    Some(Problem::waiting(
        Reason::CloudUnreachable,
        format!(
            "what the cloud says of {what} {id} cannot be read ({why}), so it is left as it is. It is looked at again by itself; if this lasts, look at it in the console."
        ),
    ))
}
