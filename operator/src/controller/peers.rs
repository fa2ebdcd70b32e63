//! What every binding contributes to what bindings share, indexed by what is shared. Kept up to
//! date as bindings, classes and namespaces change, so that a pass looks only at those it shares
//! something with.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloud_adapter::gateway::model::{Method, Path};
use crds::v1alpha1::{GatewayBinding, NamespacedName, SlbExisting};
use kube::ResourceExt;

use super::guard::Guard;
use super::latest::version;
use super::stores::Stores;
use crate::core::adoption::Adopted;
use crate::core::key::ObjectKey;
use crate::core::peers::{self, Peer};
use crate::core::problem::Problem;
use crate::core::references::References;
use crate::core::slb::Scene;
use crate::core::validate::{Validated, owner, validate};
use crate::core::{class, peers::Outcome};
use crate::supervise::payload_text;

/// The index. Clones share it.
#[derive(Clone)]
pub struct Peers {
    stores: Stores,
    guard: Guard,
    index: Arc<Mutex<Index>>,
}

/// What a binding in this version contributes.
struct Contribution {
    uid: String,
    version: u64,
    peer: Arc<Peer>,
}

type Uids = BTreeSet<String>;

#[derive(Default)]
struct Index {
    versions: HashMap<String, u64>,
    peers: HashMap<String, Arc<Peer>>,
    by_service: HashMap<(String, String), Uids>,
    /// By class and gateway.
    by_gateway: HashMap<(String, String), Uids>,
    by_path: HashMap<(String, Method, Path), Uids>,
    by_key: HashMap<ObjectKey, Uids>,
    by_adopted: HashMap<Adopted, Uids>,
    /// Owners, as markers spell them, of bindings that are not on their way out.
    live: HashMap<String, Uids>,
}

impl Peers {
    /// Nobody is known yet.
    pub fn new(stores: Stores, guard: Guard) -> Self {
        Self {
            stores,
            guard,
            index: Arc::default(),
        }
    }

    /// A binding appeared or changed, in the cluster or by a write of ours.
    pub fn update(&self, binding: &GatewayBinding) {
        let contribution = self.contribution(binding);
        self.put(&mut self.lock(), contribution);
    }

    fn contribution(&self, binding: &GatewayBinding) -> Option<Contribution> {
        let uid = binding.uid()?;
        let classes = self.stores.classes.state();
        let labels = self
            .stores
            .namespace_labels(&binding.namespace().unwrap_or_default());
        let classes = classes.iter().map(AsRef::as_ref);
        // This runs within the watch: a binding at which it panics counts as an invalid one, with its
        // last good contribution, and holds up no other.
        let decide = || {
            let validated = class::resolve(binding, classes)
                .and_then(|class| validate(binding, class, &labels));
            peers::peer(binding, validated.as_ref())
        };
        let peer = Arc::new(
            catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|panic| {
                let (name, panic) = (owner_of(binding), payload_text(&*panic));
                tracing::error!(
                    binding = name,
                    panic,
                    "a decision panicked; this is a defect"
                );
                peers::peer(binding, Err(&Problem::defect()))
            }),
        );
        let version = version(binding);
        Some(Contribution { uid, version, peer })
    }

    fn put(&self, index: &mut Index, contributions: impl IntoIterator<Item = Contribution>) {
        for Contribution { uid, version, peer } in contributions {
            // A watch may bring an older version than the one we wrote.
            let known = index.versions.get(&uid);
            if known.is_some_and(|known| *known > version) {
                continue;
            }
            index.remove(&uid);
            index.versions.insert(uid.clone(), version);
            let class = peer.class.as_deref();
            self.guard.binding(&uid, class, peer.stake.clone());
            index.insert(uid, peer);
        }
    }

    /// A binding is gone.
    pub fn remove(&self, uid: &str) {
        self.lock().remove(uid);
        self.guard.gone(uid);
    }

    /// Everything is looked at anew: a list was taken.
    pub fn rebuild(&self) {
        let bindings = self.stores.bindings.state();
        let all = bindings
            .iter()
            .filter_map(|binding| self.contribution(binding));
        let all: Vec<Contribution> = all.collect();
        // At once, so that nobody decides on half of it.
        let mut index = self.lock();
        let gone: Vec<String> = index.peers.keys().cloned().collect();
        *index = Index::default();
        self.put(&mut index, all);
        for uid in gone.iter().filter(|uid| !index.peers.contains_key(*uid)) {
            self.guard.gone(uid);
        }
    }

    /// The class or the namespace of these bindings changed.
    pub fn update_where(&self, concerned: impl Fn(&GatewayBinding) -> bool) {
        let mut bindings = self.stores.bindings.state();
        bindings.retain(|binding| concerned(binding));
        let all = bindings
            .iter()
            .filter_map(|binding| self.contribution(binding));
        let all: Vec<Contribution> = all.collect();
        self.put(&mut self.lock(), all);
    }

    /// The guard against mass changes, which knows what bindings have at stake.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// What a binding gets of what it shares, given what it refers to.
    pub fn shares(&self, validated: &Validated, references: &References) -> Outcome {
        let peers = self.of(validated);
        peers::shares(validated, &peers, Scene::of(references))
    }

    /// The load balancer of others that the settings of a binding's gateway name.
    pub fn existing(&self, validated: &Validated) -> Option<SlbExisting> {
        peers::existing(validated, &self.of(validated))
    }

    /// Those that a binding shares something with, itself among them.
    fn of(&self, validated: &Validated) -> Vec<Arc<Peer>> {
        let index = self.lock();
        let service = validated.gateway.iter().map(|gateway| {
            let service = &gateway.service;
            (service.namespace.clone(), service.name.clone())
        });
        let mut uids: BTreeSet<&String> = service
            .filter_map(|service| index.by_service.get(&service))
            .flatten()
            .collect();
        if let Some(gateway) = &validated.gateway
            && gateway.per_binding.is_some()
        {
            let place = (validated.class.clone(), gateway.name.clone());
            uids.extend(index.by_gateway.get(&place).into_iter().flatten());
        }
        if let Some(exposure) = &validated.exposure {
            for api in &exposure.apis {
                let path = (exposure.group.name.clone(), api.method, api.path.clone());
                uids.extend(index.by_path.get(&path).into_iter().flatten());
            }
        }
        let adopted = peers::wants_to_adopt(validated);
        let adopters = adopted.iter().filter_map(|what| index.by_adopted.get(what));
        uids.extend(adopters.flatten());
        uids.into_iter()
            .filter_map(|uid| index.peers.get(uid).cloned())
            .collect()
    }

    /// Whether another binding than this one uses a shared object.
    pub fn in_use(&self, key: &ObjectKey, but: &NamespacedName) -> bool {
        let index = self.lock();
        let users = index.by_key.get(key).into_iter().flatten();
        users
            .filter_map(|uid| index.peers.get(uid))
            .any(|peer| peer.binding != *but)
    }

    /// Whether any binding uses a shared object, or is about to.
    pub fn is_used(&self, key: &ObjectKey) -> bool {
        self.lock().by_key.contains_key(key)
    }

    /// Whether the owner in a marker is a binding that exists and is not on its way out.
    pub fn is_live(&self, owner: &str) -> bool {
        self.lock().live.contains_key(owner)
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn insert(&mut self, uid: String, peer: Arc<Peer>) {
        if let Some(service) = &peer.service {
            let users = self.by_service.entry(service.clone()).or_default();
            users.insert(uid.clone());
        }
        if let Some(place) = gateway_of(&peer) {
            self.by_gateway
                .entry(place)
                .or_default()
                .insert(uid.clone());
        }
        for (group, method, path, _) in &peer.paths {
            let place = (group.clone(), *method, path.clone());
            self.by_path.entry(place).or_default().insert(uid.clone());
        }
        for key in &peer.shared {
            self.by_key
                .entry(key.clone())
                .or_default()
                .insert(uid.clone());
        }
        for claim in &peer.adopts {
            let users = self.by_adopted.entry(claim.what.clone()).or_default();
            users.insert(uid.clone());
        }
        if peer.live {
            let owner = owner(&peer.binding);
            self.live.entry(owner).or_default().insert(uid.clone());
        }
        self.peers.insert(uid, peer);
    }

    fn remove(&mut self, uid: &str) {
        self.versions.remove(uid);
        let Some(peer) = self.peers.remove(uid) else {
            return;
        };
        if let Some(service) = &peer.service {
            leave(&mut self.by_service, service, uid);
        }
        if let Some(place) = gateway_of(&peer) {
            leave(&mut self.by_gateway, &place, uid);
        }
        for (group, method, path, _) in &peer.paths {
            leave(
                &mut self.by_path,
                &(group.clone(), *method, path.clone()),
                uid,
            );
        }
        for key in &peer.shared {
            leave(&mut self.by_key, key, uid);
        }
        for claim in &peer.adopts {
            leave(&mut self.by_adopted, &claim.what, uid);
        }
        leave(&mut self.live, &owner(&peer.binding), uid);
    }
}

fn owner_of(binding: &GatewayBinding) -> String {
    owner(&NamespacedName {
        namespace: binding.namespace().unwrap_or_default(),
        name: binding.name_any(),
    })
}

/// Class and name of a binding's gateway.
fn gateway_of(peer: &Peer) -> Option<(String, String)> {
    Some((peer.class.clone()?, peer.gateway.clone()?))
}

fn leave<K: Eq + Hash>(index: &mut HashMap<K, Uids>, key: &K, uid: &str) {
    if let Some(users) = index.get_mut(key) {
        users.remove(uid);
        if users.is_empty() {
            index.remove(key);
        }
    }
}
