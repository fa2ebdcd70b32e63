//! What the controllers share.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, GatewayConsumer};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::cloud::Clouds;
use super::latest::Latest;
use super::stores::Stores;
use crate::core::class;
use crate::core::peers::{self, Peer};
use crate::core::validate;
use crate::runtime::Runtime;

/// What the controllers share.
pub struct Context {
    /// The process.
    pub runtime: Runtime,
    /// The cluster as it is known.
    pub stores: Stores,
    /// The accounts of the classes.
    pub clouds: Clouds,
    /// Bindings we wrote.
    pub bindings: Latest<GatewayBinding>,
    /// Consumers we wrote.
    pub consumers: Latest<GatewayConsumer>,
    /// Classes we wrote.
    pub classes: Latest<GatewayBindingClass>,
    /// Services we wrote.
    pub services: Latest<Service>,
    peers: Mutex<HashMap<String, (String, Arc<Peer>)>>,
    checked: Mutex<HashMap<String, String>>,
}

impl Context {
    /// For a process with these stores.
    pub fn new(runtime: Runtime, stores: Stores) -> Self {
        Self {
            clouds: Clouds::new(runtime.clone()),
            runtime,
            stores,
            bindings: Latest::default(),
            consumers: Latest::default(),
            classes: Latest::default(),
            services: Latest::default(),
            peers: Mutex::default(),
            checked: Mutex::default(),
        }
    }

    /// Labels of a namespace; none if it is not known.
    pub fn namespace_labels(&self, namespace: &str) -> BTreeMap<String, String> {
        self.stores
            .namespaces
            .get(&ObjectRef::new(namespace))
            .map(|namespace| namespace.labels().clone())
            .unwrap_or_default()
    }

    /// Whether this shard serves a class.
    pub fn serves(&self, class: &GatewayBindingClass) -> bool {
        let shard = class
            .labels()
            .get("gatewaybinding.dev/shard")
            .map_or("", String::as_str);
        shard == self.runtime.args.shard
    }

    /// What every binding contributes to what is shared. Worked out anew only for those that
    /// changed.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        let classes = self.stores.classes.state();
        let mut known = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut peers = Vec::new();
        for stored in self.stores.bindings.state() {
            let binding = self.bindings.newest(stored);
            let Some(uid) = binding.uid() else { continue };
            let class = class::resolve(&binding, classes.iter().map(AsRef::as_ref));
            let labels = self.namespace_labels(&binding.namespace().unwrap_or_default());
            let version = format!(
                "{:?}/{:?}/{labels:?}",
                binding.resource_version(),
                class
                    .as_ref()
                    .map(|class| (class.uid(), class.metadata.generation))
                    .ok()
            );
            if let Some((_, peer)) = known.get(&uid).filter(|(of, _)| *of == version) {
                peers.push(peer.clone());
                continue;
            }
            let validated = class.and_then(|class| validate::validate(&binding, class, &labels));
            let peer = Arc::new(peers::peer(&binding, validated.as_ref()));
            known.insert(uid, (version, peer.clone()));
            peers.push(peer);
        }
        peers
    }

    /// Whether a check on request (annotation `reconcile-at`) is due; each value counts once.
    pub fn check_requested(&self, object: &impl ResourceExt) -> bool {
        let Some(uid) = object.uid() else {
            return false;
        };
        let Some(wanted) = object.annotations().get(crds::keys::RECONCILE_AT) else {
            return false;
        };
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        checked.insert(uid, wanted.clone()).as_ref() != Some(wanted)
    }

    /// Forgets a binding that is gone.
    pub fn forget(&self, uid: &str) {
        self.bindings.forget(uid);
        self.peers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(uid);
        self.checked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(uid);
    }
}
