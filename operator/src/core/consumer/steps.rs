//! The steps that bring a consumer in the cloud to what is wanted.

use std::collections::BTreeSet;

use cloud_adapter::gateway::model::{
    Consumer, ConsumerId, ConsumerSpec, Credential, Inventory, Kind, Marker,
};
use crds::v1alpha1::{CredentialKind, Reason};

use super::claims::{AppKey, Claims};
use super::credentials::{Outlook, Slot, kind_of, same};
use crate::core::plan::odd;
use crate::core::problem::{Problem, Severity};

/// What is wanted of an app.
pub struct Wish<'a> {
    /// What it is to say.
    pub spec: ConsumerSpec,
    /// The credentials.
    pub outlook: &'a Outlook,
    /// Kinds that are looked after: listed, or put there before.
    pub kinds: BTreeSet<CredentialKind>,
    /// Of an adopted app: what the operator added to it and is no longer listed. Nothing else that is
    /// not listed is looked at. None: the operator made the app.
    pub leaving: Option<Vec<Credential>>,
}

/// An app as it is.
#[derive(Clone, Debug)]
pub struct App {
    /// What it says.
    pub spec: ConsumerSpec,
    /// Its credentials; none: they were not read, since nothing says that they moved.
    pub credentials: Option<Vec<Credential>>,
}

/// One change in the cloud.
#[derive(Clone, Debug)]
pub enum Step {
    /// Makes the app with the first credential of each kind.
    Create(Vec<(Slot, Credential)>),
    /// Brings name, description and whether it is disabled to what is wanted.
    Update,
    /// Adds a credential.
    Add(Slot, Credential),
    /// Removes a credential that is no longer listed, or has reached its end.
    Remove(Credential),
}

impl Step {
    /// The action, for events and metrics.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update | Self::Add(..) | Self::Remove(_) => "update",
        }
    }
}

/// The steps to what is wanted. Disabling comes first. A key pair whose secret changed makes room
/// for itself; other removals follow the additions, so that an app is never left without.
pub fn steps(wish: &Wish<'_>, app: Option<&App>) -> Vec<Step> {
    let values = &wish.outlook.values;
    let Some(app) = app else {
        let mut first: Vec<(Slot, Credential)> = Vec::new();
        for (slot, value) in values {
            if first.iter().all(|(other, _)| other.kind != slot.kind) {
                first.push((slot.clone(), value.clone()));
            }
        }
        // An app without a credential of ours could not be called with by anybody.
        return if first.is_empty() {
            Vec::new()
        } else {
            vec![Step::Create(first)]
        };
    };
    let mut steps = Vec::new();
    if app.spec != wish.spec {
        steps.push(Step::Update);
    }
    let Some(present) = &app.credentials else {
        return steps;
    };
    let (mut room, mut rest) = (Vec::new(), Vec::new());
    for credential in present.iter().filter(|found| obsolete(found, wish)) {
        let in_the_way = values.iter().any(|(_, value)| same_id(value, credential));
        let removals = if in_the_way { &mut room } else { &mut rest };
        removals.push(Step::Remove(credential.clone()));
    }
    steps.append(&mut room);
    let mut there: Vec<&Credential> = present.iter().collect();
    for (slot, value) in values {
        if there.iter().all(|found| !same(found, value)) {
            steps.push(Step::Add(slot.clone(), value.clone()));
            there.push(value);
        }
    }
    steps.append(&mut rest);
    steps
}

fn obsolete(found: &Credential, wish: &Wish<'_>) -> bool {
    let kind = kind_of(found);
    let outlook = wish.outlook;
    let is_valid = outlook.values.iter().any(|(_, value)| same(value, found));
    let has_ended = outlook.ended.iter().any(|ended| same(ended, found));
    let replaced = outlook
        .values
        .iter()
        .any(|(_, value)| same_id(value, found));
    let unlisted = match &wish.leaving {
        Some(leaving) => leaving.iter().any(|added| same(added, found)),
        None => wish.kinds.contains(&kind) && !outlook.unclear.contains(&kind),
    };
    !is_valid && (has_ended || replaced || unlisted)
}

/// Two key pairs with one id: the cloud has ids once only.
fn same_id(one: &Credential, other: &Credential) -> bool {
    matches!((one, other), (Credential::KeyPair { id, .. }, Credential::KeyPair { id: other, .. }) if id == other)
}

/// The app that the marker says is this consumer's, whatever it is called; or what has its name.
pub fn find<'a>(
    inventory: &'a Inventory,
    key: &AppKey,
    marker: &Marker,
    claims: &Claims,
) -> Result<Option<&'a Consumer>, Problem> {
    let id = claims.apps().find(|(app, _)| *app == key);
    let id = id.and_then(|(_, entry)| entry.id.as_deref());
    // One whose marker or name cannot be read is still known by its id.
    let known = id.and_then(|id| inventory.consumers.get(&ConsumerId::from(id)));
    let named = inventory.consumers.values();
    let named = named.filter(|consumer| consumer.spec.name == key.name);
    let candidates = ours(inventory, marker)
        .into_iter()
        .chain(known)
        .chain(named);
    for consumer in candidates {
        if let Some(problem) = odd::about(inventory, Kind::Consumers, consumer.id.as_str()) {
            return Err(problem);
        }
    }
    if let Some(ours) = ours(inventory, marker) {
        return Ok(Some(ours));
    }
    let mut consumers = inventory.consumers.values();
    let Some(other) = consumers.find(|consumer| consumer.spec.name == key.name) else {
        return Ok(None);
    };
    let problem = Problem::blocked(
        Reason::NotOwned,
        format!(
            "an app \"{}\" (id {}) exists in {} and nothing proves that it was made for this consumer, so it is not touched. Rename or delete it there, or adopt it with spec.existing: [{{accountId: \"{}\", regionId: {}, id: \"{}\"}}].",
            key.name, other.id, key.location, key.location.account, key.location.region, other.id
        ),
    );
    // Claimed and without an id: an earlier attempt may have made it, and its tags are still to
    // show.
    let attempted = claims
        .apps()
        .any(|(app, entry)| app == key && entry.id.is_none());
    if attempted && other.marker.is_none() {
        return Err(Problem {
            severity: Severity::Retry,
            ..problem
        });
    }
    Err(problem)
}

/// The app that the marker says is this consumer's.
pub fn ours<'a>(inventory: &'a Inventory, marker: &Marker) -> Option<&'a Consumer> {
    let mut consumers = inventory.consumers.values();
    consumers.find(|consumer| consumer.marker.as_ref() == Some(marker))
}

#[cfg(test)]
mod tests;
