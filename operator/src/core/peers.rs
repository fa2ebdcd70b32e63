//! What the bindings of one class want of the things they share, and who gets it.

mod instances;
mod merged;

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{Method, Path};
use crds::v1alpha1::{DeletionPolicy, FieldConflict, GatewayBinding, NamespacedName};
use jiff::Timestamp;
use kube::ResourceExt;

use super::adoption::{Adopted, Claim, Holder};
use super::desire::{self, Shares};
use super::guard::Stake;
use super::key::{ApiKey, ObjectKey};
use super::ledger::Ledger;
use super::problem::Problem;
use super::settings::{Scene, Settings};
use super::unreadable;
use super::validate::Validated;
use super::{names, throttling};

pub use merged::existing;

/// What one binding contributes to what it shares with others.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// The binding.
    pub binding: NamespacedName,
    /// When it was created.
    pub created: Timestamp,
    /// Namespace and name of its gateway's Service.
    pub service: Option<(String, String)>,
    /// Name of its gateway in the class.
    pub gateway: Option<String>,
    /// Whether it is recorded to have the Service.
    pub has_service: bool,
    /// Whether it is not on its way out.
    pub live: bool,
    /// Whether what it wants may be written. Of one that only plans, or is suspended, the others
    /// see what it has.
    pub applies: bool,
    /// What it wants of the gateway.
    pub settings: Settings,
    /// What it is recorded to hold of the gateway.
    pub recorded: Settings,
    /// Fields of the gateway that it is recorded to hold.
    pub holds: BTreeSet<String>,
    /// Paths it wants: group, method, path, and whether it has an API there already.
    pub paths: Vec<(String, Method, Path, bool)>,
    /// All that it claims or will claim among what is shared. Nothing for a binding on its way
    /// out: the last of several that go together takes the shared objects along.
    pub shared: BTreeSet<ObjectKey>,
    /// Its class, as far as that is known.
    pub class: Option<String>,
    /// What it has at stake, for the guard against mass changes.
    pub stake: Stake,
    /// What it adopts. Nothing for a binding on its way out.
    pub adopts: Vec<Claim>,
}

impl Peer {
    /// What decides, beside its age, what others get of the gateway they share with it.
    pub fn says_of_gateway(&self) -> String {
        let Self {
            live,
            applies,
            settings,
            recorded,
            holds,
            ..
        } = self;
        format!("{live} {applies} {settings:?} {recorded:?} {holds:?}")
    }
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
        gateway: binding
            .status
            .as_ref()
            .and_then(|status| status.gateway.clone()),
        has_service: service_entry.is_some(),
        live: binding.metadata.deletion_timestamp.is_none(),
        applies: binding.is_carried_out(),
        settings: Settings::default(),
        recorded: Settings::default(),
        holds: BTreeSet::new(),
        paths: Vec::new(),
        shared: ledger
            .entries
            .keys()
            .filter(|key| key.is_shared())
            .cloned()
            .collect(),
        class: class_of(binding, validated),
        stake: Stake::of_binding(binding, &ledger, validated),
        adopts: Vec::new(),
    };
    if let Some((ObjectKey::Service { namespace, name }, entry)) = service_entry {
        peer.service = Some((namespace.clone(), name.clone()));
        peer.holds = entry.fields.keys().cloned().collect();
        peer.recorded = merged::recorded(&entry.fields);
        peer.settings = peer.recorded.clone();
    }
    if binding.metadata.deletion_timestamp.is_some() {
        peer.settings = Settings::default();
        peer.recorded = Settings::default();
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
        peer.adopts = recorded_adoptions(binding, &ledger);
        return peer;
    };
    peer.adopts = adoptions(validated, &ledger);
    let claimed = peer.shared.clone();
    if let Some(gateway) = &validated.gateway {
        let service = &gateway.service;
        let place = Some((service.namespace.clone(), service.name.clone()));
        peer.has_service &= peer.service == place;
        peer.service = place;
        peer.gateway = Some(gateway.name.clone());
        peer.settings = gateway.settings.clone();
    }
    peer.shared.extend(wanted_shared(validated));
    if let Some(exposure) = &validated.exposure {
        let group = &exposure.group.name;
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

fn class_of(binding: &GatewayBinding, validated: Result<&Validated, &Problem>) -> Option<String> {
    let status = binding.status.as_ref();
    let known = || {
        binding
            .spec
            .class_name
            .clone()
            .or_else(|| status?.class_name.clone())
    };
    validated.map_or_else(|_| known(), |validated| Some(validated.class.clone()))
}

/// What a valid binding wants of what bindings can share.
pub fn wanted_shared(validated: &Validated) -> BTreeSet<ObjectKey> {
    let mut wanted = BTreeSet::new();
    if let Some(gateway) = &validated.gateway {
        wanted.insert(ObjectKey::Service {
            namespace: gateway.service.namespace.clone(),
            name: gateway.service.name.clone(),
        });
    }
    if let Some(exposure) = &validated.exposure {
        let name = exposure.group.name.clone();
        wanted.insert(ObjectKey::Group { name });
        if let Some(gateway) = &validated.gateway {
            let (_, name) = desire::backend_of(validated, gateway);
            wanted.insert(ObjectKey::Backend { name });
        }
        let own = |limits| throttling::policy_name(limits, &validated.cluster, &validated.class);
        let policy = exposure.adopted_policy.clone();
        if let Some(name) = policy.or_else(|| exposure.limits.as_ref().map(own)) {
            wanted.insert(ObjectKey::Policy { name });
        }
    }
    wanted
}

/// What a binding that cannot be understood has adopted: it keeps it.
fn recorded_adoptions(binding: &GatewayBinding, ledger: &Ledger) -> Vec<Claim> {
    let status = binding.status.as_ref();
    let class = status.and_then(|status| status.class_name.clone());
    let claim = |key| {
        Some(Claim {
            what: Adopted::of(key)?,
            class: class.clone().unwrap_or_default(),
            holds: true,
            says: None,
        })
    };
    ledger.entries.keys().filter_map(claim).collect()
}

/// The keys of all that a valid binding wants to adopt.
fn adoption_keys(validated: &Validated) -> Vec<ObjectKey> {
    let Some(exposure) = &validated.exposure else {
        return Vec::new();
    };
    let group = exposure.group.name.clone();
    let mut keys: Vec<ObjectKey> = exposure
        .apis
        .iter()
        .map(|api| {
            ObjectKey::Api(ApiKey {
                group: group.clone(),
                name: api.name.clone(),
            })
        })
        .collect();
    keys.push(ObjectKey::Group { name: group });
    if let Some(gateway) = &validated.gateway {
        let (_, name) = desire::backend_of(validated, gateway);
        keys.push(ObjectKey::Backend { name });
    }
    let policy = exposure.adopted_policy.clone();
    keys.extend(policy.map(|name| ObjectKey::Policy { name }));
    keys.retain(|key| key.adopted_id().is_some());
    keys
}

fn adoptions(validated: &Validated, ledger: &Ledger) -> Vec<Claim> {
    let limits = validated.exposure.iter();
    let limits = limits
        .filter_map(|exposure| exposure.limits.as_ref())
        .next();
    let claim = |key: &ObjectKey| {
        let what = Adopted::of(key)?;
        let says = matches!(what, Adopted::Policy(_))
            .then_some(limits)
            .flatten();
        Some(Claim {
            what,
            class: validated.class.clone(),
            holds: ledger.entries.contains_key(key),
            says: says.map(|limits| names::digest(&format!("{limits:?}"))),
        })
    };
    adoption_keys(validated).iter().filter_map(claim).collect()
}

/// What a valid binding wants to adopt.
pub fn wants_to_adopt(validated: &Validated) -> Vec<Adopted> {
    adoption_keys(validated)
        .iter()
        .filter_map(Adopted::of)
        .collect()
}

/// What of that another binding has.
fn adopted_elsewhere(
    binding: &Validated,
    peers: &[impl std::borrow::Borrow<Peer>],
) -> BTreeMap<Adopted, Holder> {
    let peers = || peers.iter().map(std::borrow::Borrow::borrow);
    let is_mine = |peer: &&Peer| peer.binding == binding.binding;
    let Some(mine) = peers().find(is_mine) else {
        return BTreeMap::new();
    };
    let rank = |peer: &Peer, claim: &Claim| (!claim.holds, peer.created, peer.binding.clone());
    let mut elsewhere = BTreeMap::new();
    for claim in &mine.adopts {
        let others = peers().filter(|peer| !is_mine(peer));
        let rivals = others.flat_map(|peer| peer.adopts.iter().map(move |other| (peer, other)));
        let first = rivals
            .filter(|(peer, other)| claim.excludes(other) && (other.holds || peer.applies))
            .min_by_key(|(peer, other)| rank(peer, other));
        if let Some((peer, other)) = first
            && rank(peer, other) < rank(mine, claim)
        {
            let holder = Holder {
                binding: peer.binding.clone(),
                class: other.class.clone(),
            };
            elsewhere.insert(claim.what.clone(), holder);
        }
    }
    elsewhere
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

/// What `binding` gets, given all bindings of its class, itself among them. `scene` is where settings
/// of its gateway are to take effect.
pub fn shares(
    binding: &Validated,
    peers: &[impl std::borrow::Borrow<Peer>],
    scene: Scene<'_>,
) -> Outcome {
    let mut outcome = Outcome::default();
    if let Some(gateway) = &binding.gateway {
        merged::settings(binding, gateway, peers, scene, &mut outcome);
        outcome.shares.used_up = instances::used_up(binding, gateway, peers);
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
    outcome.shares.adopted_elsewhere = adopted_elsewhere(binding, peers);
    outcome
}

/// Whether what a peer wants counts for a binding. A plan is made as if it were to be carried out.
fn wants(peer: &Peer, binding: &Validated) -> bool {
    peer.applies || peer.binding == binding.binding
}
