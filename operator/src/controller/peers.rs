//! What every binding contributes to what bindings share, indexed by what is shared. Kept up to
//! date as bindings, classes and namespaces change, so that a pass looks only at those it shares
//! something with.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloud_adapter::gateway::model::{Method, Path};
use crds::v1alpha1::{GatewayBinding, NamespacedName};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::guard::Guard;
use super::latest::version;
use super::relations::{Relations, Ties, Uids, leave};
use super::stores::Stores;
use crate::core::adoption::Adopted;
use crate::core::guard::Stake;
use crate::core::key::ObjectKey;
use crate::core::peers::{self, Peer};
use crate::core::problem::Problem;
use crate::core::references::References;
use crate::core::settings::Scene;
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
    uid: Arc<str>,
    version: u64,
    peer: Arc<Peer>,
    stake: Stake,
    ties: Ties,
}

/// Bindings that share a gateway, by what they say of it: of those that say the same the oldest count.
type Sharers = BTreeMap<String, BTreeSet<Sharer>>;

/// Of so many that say the same of a gateway a pass looks at the oldest. The first one's word is that
/// of all; the second is for its own pass, which may leave out the first.
const SPEAKERS: usize = 2;

#[derive(Default)]
struct Index {
    versions: HashMap<Arc<str>, u64>,
    peers: HashMap<Arc<str>, Arc<Peer>>,
    relations: Relations,
    by_service: HashMap<(String, String), Sharers>,
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
        let uid = Arc::from(binding.uid()?);
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
        let mut peer = catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|panic| {
            let (name, panic) = (owner_of(binding), payload_text(&*panic));
            tracing::error!(
                binding = name,
                panic,
                "a decision panicked; this is a defect"
            );
            peers::peer(binding, Err(&Problem::defect()))
        });
        // The guard keeps it.
        let stake = std::mem::take(&mut peer.stake);
        let peer = Arc::new(peer);
        let version = version(binding);
        let ties = Ties::of(binding);
        Some(Contribution {
            uid,
            version,
            peer,
            stake,
            ties,
        })
    }

    fn put(&self, index: &mut Index, contributions: impl IntoIterator<Item = Contribution>) {
        for contribution in contributions {
            let Contribution {
                uid,
                version,
                peer,
                stake,
                ties,
            } = contribution;
            // A watch may bring an older version than the one we wrote.
            let known = index.versions.get(&uid);
            if known.is_some_and(|known| *known > version) {
                continue;
            }
            index.remove(&uid);
            index.versions.insert(uid.clone(), version);
            let class = peer.class.as_deref();
            self.guard.binding(&uid, class, stake);
            index.relations.put(&uid, ties);
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
        let gone: Vec<Arc<str>> = index.peers.keys().cloned().collect();
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

    /// Bindings that name a consumer or claim a permission of it.
    pub fn of_consumer(&self, consumer: &NamespacedName) -> Vec<ObjectRef<GatewayBinding>> {
        self.lock().relations.of_consumer(consumer)
    }

    /// One of each that say the same of where a consumer is to be.
    pub fn speakers(&self, consumer: &NamespacedName) -> Vec<ObjectRef<GatewayBinding>> {
        self.lock().relations.speakers(consumer)
    }

    /// Bindings that wait for what one of this class may have had.
    pub fn losers(&self, class: Option<&str>) -> Vec<ObjectRef<GatewayBinding>> {
        self.lock().relations.losers(class)
    }

    /// One binding that goes on to share a gateway.
    pub fn heir(&self, service: &NamespacedName) -> Option<ObjectRef<GatewayBinding>> {
        let service = (service.namespace.clone(), service.name.clone());
        let index = self.lock();
        let oldest = index.by_service.get(&service)?.values();
        let mut oldest = oldest.filter_map(BTreeSet::first);
        let heir = oldest.find(|sharer| sharer.peer.live)?;
        index.relations.reference(&heir.uid)
    }

    /// What a binding gets of what it shares, given what it refers to.
    pub fn shares(&self, validated: &Validated, references: &References) -> Outcome {
        let peers = self.of(validated);
        peers::shares(validated, &peers, Scene::of(references))
    }

    /// The id of the load balancer of others that the settings of a binding's gateway name.
    pub fn existing(&self, validated: &Validated) -> Option<String> {
        peers::existing(validated, &self.of(validated))
    }

    /// Those that a binding shares something with, itself among them.
    fn of(&self, validated: &Validated) -> Vec<Arc<Peer>> {
        let index = self.lock();
        let service = validated.gateway.iter().map(|gateway| {
            let service = &gateway.service;
            (service.namespace.clone(), service.name.clone())
        });
        let sharers = service.filter_map(|service| index.by_service.get(&service));
        let speakers = sharers
            .flat_map(BTreeMap::values)
            .flat_map(|alike| alike.iter().take(SPEAKERS));
        let mut uids: BTreeSet<&Arc<str>> = speakers.map(|sharer| &sharer.uid).collect();
        let own = index.live.get(&owner(&validated.binding));
        uids.extend(own.into_iter().flatten());
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
    fn insert(&mut self, uid: Arc<str>, peer: Arc<Peer>) {
        if let Some(service) = &peer.service {
            let sharers = self.by_service.entry(service.clone()).or_default();
            let alike = sharers.entry(peer.says_of_gateway()).or_default();
            alike.insert(Sharer::new(&uid, &peer));
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
        self.relations.remove(uid);
        let Some((uid, peer)) = self.peers.remove_entry(uid) else {
            return;
        };
        self.leave_gateway(&uid, &peer);
        let uid = &*uid;
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

    fn leave_gateway(&mut self, uid: &Arc<str>, peer: &Arc<Peer>) {
        let Some(service) = &peer.service else { return };
        let Some(sharers) = self.by_service.get_mut(service) else {
            return;
        };
        let says = peer.says_of_gateway();
        if let Some(alike) = sharers.get_mut(&says) {
            alike.remove(&Sharer::new(uid, peer));
            if alike.is_empty() {
                sharers.remove(&says);
            }
        }
        if sharers.is_empty() {
            self.by_service.remove(service);
        }
    }
}

/// One of those that share a gateway, in the order in which what they say counts.
struct Sharer {
    uid: Arc<str>,
    peer: Arc<Peer>,
}

impl Sharer {
    fn new(uid: &Arc<str>, peer: &Arc<Peer>) -> Self {
        Self {
            uid: uid.clone(),
            peer: peer.clone(),
        }
    }
}

impl Ord for Sharer {
    fn cmp(&self, other: &Self) -> Ordering {
        fn rank(sharer: &Sharer) -> (Timestamp, &NamespacedName, &str) {
            (sharer.peer.created, &sharer.peer.binding, &sharer.uid)
        }
        rank(self).cmp(&rank(other))
    }
}

impl PartialOrd for Sharer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sharer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Sharer {}

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
