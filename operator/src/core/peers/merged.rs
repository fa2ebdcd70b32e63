//! The settings of a gateway that bindings share, out of what all of them say.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use crds::v1alpha1::{LoadBalancerSettings, NlbField, SettingsField};

use super::{Outcome, Peer, wants};
use crate::core::merge::{self, Contribution};
use crate::core::settings::{Kind, Scene, Settings};
use crate::core::validate::{Gateway, Validated};

/// Settings as the ledger's `fields` record them, which name their kind.
pub(super) fn recorded(fields: &BTreeMap<String, String>) -> Settings {
    let block = format!("{}.", NlbField::All.path());
    match fields.keys().any(|path| path.starts_with(&block)) {
        true => Settings::Nlb(read(fields)),
        false => Settings::Slb(read(fields)),
    }
}

fn read<S: LoadBalancerSettings>(fields: &BTreeMap<String, String>) -> S {
    let mut settings = S::default();
    for field in S::Field::EACH {
        if let Some(text) = fields.get(field.path()) {
            field.read(&mut settings, text);
        }
    }
    settings
}

/// What all bindings want of the gateway's settings. Those of another kind say nothing.
fn contributions<S: Kind>(
    binding: &Validated,
    gateway: &Gateway,
    peers: &[impl Borrow<Peer>],
) -> Vec<Contribution<S>> {
    let service = (
        gateway.service.namespace.clone(),
        gateway.service.name.clone(),
    );
    let of = |settings: &Settings| S::of(settings).cloned().unwrap_or_default();
    peers
        .iter()
        .map(Borrow::borrow)
        .filter(|peer: &&Peer| peer.service.as_ref() == Some(&service))
        .map(|peer| Contribution {
            binding: peer.binding.clone(),
            created: peer.created,
            settings: match wants(peer, binding) {
                true => of(&peer.settings),
                false => of(&peer.recorded),
            },
            recorded: of(&peer.recorded),
            holds: peer.holds.clone(),
        })
        .collect()
}

/// The id of the load balancer of others that the settings of a binding's gateway name, before it is
/// known whether they can take effect.
pub fn existing(binding: &Validated, peers: &[impl Borrow<Peer>]) -> Option<String> {
    let gateway = binding.gateway.as_ref()?;
    let merged = match &gateway.class_settings {
        Settings::Slb(class) => unjudged(class, binding, gateway, peers),
        Settings::Nlb(class) => unjudged(class, binding, gateway, peers),
    };
    merged.existing().map(str::to_owned)
}

fn unjudged<S: Kind>(
    class: &S,
    binding: &Validated,
    gateway: &Gateway,
    peers: &[impl Borrow<Peer>],
) -> Settings {
    let contributions = contributions(binding, gateway, peers);
    merge::merge(class, &contributions, "").settings.into()
}

/// Notes what a binding gets of the settings of its gateway.
pub(super) fn settings(
    binding: &Validated,
    gateway: &Gateway,
    peers: &[impl Borrow<Peer>],
    scene: Scene<'_>,
    outcome: &mut Outcome,
) {
    match &gateway.class_settings {
        Settings::Slb(class) => of_kind(class, (binding, gateway), peers, scene, outcome),
        Settings::Nlb(class) => of_kind(class, (binding, gateway), peers, scene, outcome),
    }
}

fn of_kind<S: Kind>(
    class: &S,
    (binding, gateway): (&Validated, &Gateway),
    peers: &[impl Borrow<Peer>],
    scene: Scene<'_>,
    outcome: &mut Outcome,
) {
    let contributions: Vec<Contribution<S>> = contributions(binding, gateway, peers);
    let judge = |settings: &S| scene.judge(&settings.clone().into());
    let mut merged = merge::merge_sound(class, &contributions, &gateway.object(), judge);
    outcome.holds = merged.held.remove(&binding.binding).unwrap_or_default();
    outcome.conflicts = merged
        .conflicts
        .remove(&binding.binding)
        .unwrap_or_default();
    outcome.shares.refused = merged.refused.remove(&binding.binding);
    outcome.shares.settings = merged.settings.into();
}
