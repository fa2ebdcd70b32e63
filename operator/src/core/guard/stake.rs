//! What one binding or consumer has at stake.

use std::collections::BTreeSet;

use crds::keys;
use crds::v1alpha1::{DeletionPolicy, GatewayBinding, GatewayConsumer};
use kube::ResourceExt;

use super::{Thing, Things};
use crate::core::consumer::claims::{Claim, Claims, Location};
use crate::core::key::{ApiKey, ObjectKey};
use crate::core::ledger::Ledger;
use crate::core::peers;
use crate::core::problem::Problem;
use crate::core::unreadable;
use crate::core::validate::Validated;

/// What one binding or consumer claims, and what of it is to stay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stake {
    /// What its ledger names.
    pub claimed: Things,
    /// What it wants, claimed or not.
    pub kept: BTreeSet<Thing>,
}

impl Stake {
    /// That of a binding. What an operator would not touch now is kept: that of an invalid binding,
    /// of one that only plans or is suspended, of one that goes and leaves everything in place.
    pub fn of_binding(
        binding: &GatewayBinding,
        ledger: &Ledger,
        validated: Result<&Validated, &Problem>,
    ) -> Self {
        let claimed = things(ledger);
        let kept = if is_left(binding, validated) {
            claimed.keys().cloned().collect()
        } else if let (None, Ok(validated)) = (&binding.metadata.deletion_timestamp, validated) {
            kept(ledger, &wanted(validated))
        } else {
            BTreeSet::new()
        };
        Self { claimed, kept }
    }

    /// That of a consumer in one place. That nobody names it any more is found by its pass.
    pub fn of_consumer(consumer: &GatewayConsumer, place: &Location) -> Self {
        let claims = Claims::of(consumer);
        let here = claims.apps().filter(|(app, _)| app.location == *place);
        let claimed: Things = here
            .map(|(app, entry)| {
                let thing = Thing::named(Claim::App(app.clone()));
                (thing, entry.id.clone().unwrap_or_default())
            })
            .collect();
        let deleting = consumer.metadata.deletion_timestamp.is_some();
        let goes = deleting && !is_detached(consumer);
        let kept = claimed.keys().filter(|_| !goes).cloned().collect();
        Self { claimed, kept }
    }
}

fn things(ledger: &Ledger) -> Things {
    let mut things = Things::new();
    for (key, entry) in &ledger.entries {
        let Some(thing) = Thing::of(key) else {
            continue;
        };
        let id = entry.id.clone().unwrap_or_default();
        if matches!(key, ObjectKey::Deployment { .. }) {
            things.entry(thing).or_default();
        } else {
            things.insert(thing, id);
        }
    }
    things
}

fn is_detached(object: &impl ResourceExt) -> bool {
    let annotation = object.annotations().get(keys::DETACH);
    annotation.is_some_and(|value| value == "true")
}

/// Whether nothing that a binding claims would be touched.
fn is_left(binding: &GatewayBinding, validated: Result<&Validated, &Problem>) -> bool {
    if !binding.is_carried_out() || unreadable::why(binding).is_some() {
        return true;
    }
    if binding.metadata.deletion_timestamp.is_none() {
        return validated.is_err();
    }
    let policy = validated.map_or_else(
        |_| binding.spec.deletion_policy(None),
        |validated| validated.deletion_policy,
    );
    policy == DeletionPolicy::Retain || is_detached(binding)
}

/// What is wanted, but for APIs of which a claimed part is not.
fn kept(ledger: &Ledger, wanted: &BTreeSet<ObjectKey>) -> BTreeSet<Thing> {
    let mut kept: BTreeSet<Thing> = wanted.iter().filter_map(Thing::of).collect();
    for key in ledger.entries.keys().filter(|key| !wanted.contains(*key)) {
        if let Some(thing) = Thing::of(key) {
            kept.remove(&thing);
        }
    }
    kept
}

/// What a valid binding wants of what counts.
pub(super) fn wanted(validated: &Validated) -> BTreeSet<ObjectKey> {
    let mut wanted = peers::wanted_shared(validated);
    if let Some(exposure) = &validated.exposure {
        for api in &exposure.apis {
            let api = ApiKey {
                group: exposure.group.name.clone(),
                name: api.name.clone(),
            };
            let deployments = exposure.environments.iter().map(|environment| {
                let (api, environment) = (api.clone(), *environment);
                ObjectKey::Deployment { api, environment }
            });
            wanted.extend(deployments);
            wanted.insert(ObjectKey::Api(api));
        }
    }
    wanted
}
