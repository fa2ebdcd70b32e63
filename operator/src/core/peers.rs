//! What the bindings of one class want of the things they share, and who gets it.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{Method, Path};
use crds::v1alpha1::{
    DeletionPolicy, FieldConflict, GatewayBinding, NamespacedName, SlbField, SlbSettings,
};
use jiff::Timestamp;
use kube::ResourceExt;

use super::desire::{self, Shares};
use super::key::{ApiKey, ObjectKey};
use super::ledger::Ledger;
use super::merge::{self, Contribution};
use super::problem::Problem;
use super::throttling;
use super::unreadable;
use super::validate::{Gateway, Validated};

/// What one binding contributes to what it shares with others.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// The binding.
    pub binding: NamespacedName,
    /// When it was created.
    pub created: Timestamp,
    /// Namespace and name of its gateway's Service.
    pub service: Option<(String, String)>,
    /// Whether it is not on its way out.
    pub live: bool,
    /// Whether what it wants may be written. Of one that only plans, or is suspended, the others
    /// see what it has.
    pub applies: bool,
    /// What it wants of the gateway.
    pub settings: SlbSettings,
    /// What it is recorded to hold of the gateway.
    pub recorded: SlbSettings,
    /// Fields of the gateway that it is recorded to hold.
    pub holds: BTreeSet<String>,
    /// Paths it wants: group, method, path, and whether it has an API there already.
    pub paths: Vec<(String, Method, Path, bool)>,
    /// All that it claims or will claim among what is shared. Nothing for a binding on its way
    /// out: the last of several that go together takes the shared objects along.
    pub shared: BTreeSet<ObjectKey>,
}

/// What a binding contributes. That of an invalid one is its last good one, as its ledger has it:
/// it stays until the binding is mended or deleted, and its neighbours never wait for it.
pub fn peer(binding: &GatewayBinding, validated: Result<&Validated, &Problem>) -> Peer {
    let ledger = Ledger::of(binding);
    let service_entry = ledger
        .entries
        .iter()
        .find(|(key, _)| matches!(key, ObjectKey::Service { .. }));
    let mut peer = Peer {
        binding: NamespacedName {
            namespace: binding.namespace().unwrap_or_default(),
            name: binding.name_any(),
        },
        created: binding
            .creation_timestamp()
            .map(|time| time.0)
            .unwrap_or_default(),
        service: None,
        live: binding.metadata.deletion_timestamp.is_none(),
        applies: binding.is_carried_out(),
        settings: SlbSettings::default(),
        recorded: SlbSettings::default(),
        holds: BTreeSet::new(),
        paths: Vec::new(),
        shared: ledger
            .entries
            .keys()
            .filter(|key| key.is_shared())
            .cloned()
            .collect(),
    };
    if let Some((ObjectKey::Service { namespace, name }, entry)) = service_entry {
        peer.service = Some((namespace.clone(), name.clone()));
        peer.holds = entry.fields.keys().cloned().collect();
        peer.recorded = recorded(&entry.fields);
        peer.settings = peer.recorded.clone();
    }
    if binding.metadata.deletion_timestamp.is_some() {
        peer.settings = SlbSettings::default();
        peer.recorded = SlbSettings::default();
        let policy = validated.map_or_else(
            |_| binding.spec.deletion_policy(None),
            |v| v.deletion_policy,
        );
        // What cannot be read is not removed either, so it goes on to use what it claims.
        if policy == DeletionPolicy::Delete && unreadable::why(binding).is_none() {
            peer.shared.clear();
        }
        return peer;
    }
    let Ok(validated) = validated else {
        return peer;
    };
    let claimed = peer.shared.clone();
    if let Some(gateway) = &validated.gateway {
        let service = &gateway.service;
        peer.service = Some((service.namespace.clone(), service.name.clone()));
        peer.settings = gateway.settings.clone();
        peer.shared.insert(ObjectKey::Service {
            namespace: service.namespace.clone(),
            name: service.name.clone(),
        });
    }
    if let Some(exposure) = &validated.exposure {
        let group = &exposure.group.name;
        peer.shared.insert(ObjectKey::Group {
            name: group.clone(),
        });
        if let Some(gateway) = &validated.gateway {
            let (_, name) = desire::backend_of(validated, gateway);
            peer.shared.insert(ObjectKey::Backend { name });
        }
        if let Some(limits) = &exposure.limits {
            let name = throttling::policy_name(limits, &validated.cluster, &validated.class);
            peer.shared.insert(ObjectKey::Policy { name });
        }
        for api in &exposure.apis {
            let key = ObjectKey::Api(ApiKey {
                group: group.clone(),
                name: api.name.clone(),
            });
            let holds = ledger
                .entries
                .get(&key)
                .is_some_and(|entry| entry.id.is_some());
            peer.paths
                .push((group.clone(), api.method, api.path.clone(), holds));
        }
    }
    if !peer.applies {
        peer.shared = claimed;
    }
    peer
}

/// Settings as the ledger's `fields` record them.
fn recorded(fields: &BTreeMap<String, String>) -> SlbSettings {
    let mut settings = SlbSettings::default();
    for field in SlbField::EACH {
        if let Some(text) = fields.get(field.path()) {
            field.read(&mut settings, text);
        }
    }
    settings
}

/// What a binding gets of what it shares.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// For `desire`.
    pub shares: Shares,
    /// Fields of the gateway that this binding holds, with their values: for its ledger.
    pub holds: BTreeMap<String, String>,
    /// Fields that it wanted and another binding holds.
    pub conflicts: Vec<FieldConflict>,
}

/// What `binding` gets, given all bindings of its class, itself among them.
pub fn shares(binding: &Validated, peers: &[impl std::borrow::Borrow<Peer>]) -> Outcome {
    let mut outcome = Outcome::default();
    if let Some(gateway) = &binding.gateway {
        settings(binding, gateway, peers, &mut outcome);
    }
    if let Some(exposure) = &binding.exposure {
        let claims = |method, path: &Path| {
            let path = path.clone();
            peers.iter().filter_map(move |peer| {
                let peer: &Peer = peer.borrow();
                let claim = peer.paths.iter().find(|(group, m, p, _)| {
                    *group == exposure.group.name && *m == method && *p == path
                })?;
                if !claim.3 && !wants(peer, binding) {
                    return None;
                }
                Some((!claim.3, peer.created, &peer.binding))
            })
        };
        for api in &exposure.apis {
            let holder = claims(api.method, &api.path)
                .min()
                .map(|(_, _, holder)| holder);
            if let Some(holder) = holder.filter(|holder| **holder != binding.binding) {
                let place = (api.method, api.path.clone());
                outcome.shares.taken.insert(place, holder.clone());
            }
        }
    }
    outcome
}

/// Whether what a peer wants counts for a binding. A plan is made as if it were to be carried out.
fn wants(peer: &Peer, binding: &Validated) -> bool {
    peer.applies || peer.binding == binding.binding
}

fn settings(
    binding: &Validated,
    gateway: &Gateway,
    peers: &[impl std::borrow::Borrow<Peer>],
    outcome: &mut Outcome,
) {
    let service = (
        gateway.service.namespace.clone(),
        gateway.service.name.clone(),
    );
    let contributions: Vec<Contribution> = peers
        .iter()
        .map(std::borrow::Borrow::borrow)
        .filter(|peer: &&Peer| peer.service.as_ref() == Some(&service))
        .map(|peer| Contribution {
            binding: peer.binding.clone(),
            created: peer.created,
            settings: match wants(peer, binding) {
                true => peer.settings.clone(),
                false => peer.recorded.clone(),
            },
            holds: peer.holds.clone(),
        })
        .collect();
    let mut merged = merge::merge(&gateway.class_settings, &contributions, &gateway.object());
    for (path, holder) in &merged.holders {
        let value = SlbField::EACH
            .iter()
            .find(|field| field.path() == *path)
            .and_then(|field| field.value(&merged.settings));
        if let (true, Some(value)) = (*holder == binding.binding, value) {
            outcome.holds.insert((*path).to_owned(), value);
        }
    }
    outcome.conflicts = merged
        .conflicts
        .remove(&binding.binding)
        .unwrap_or_default();
    outcome.shares.settings = merged.settings;
}
