//! What the controllers share.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crds::v1alpha1::{
    GatewayBinding, GatewayBindingClass, GatewayBindingStatus, GatewayConsumer,
    GatewayConsumerStatus,
};
use k8s_openapi::api::core::v1::Service;
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};

use super::alb;
use super::audit::Audits;
use super::cloud::Clouds;
use super::guard::Guard;
use super::handled::Handled;
use super::higress;
use super::latest::Latest;
use super::peers::Peers;
use super::queue;
use super::stores::Stores;
use super::tries::Tries;
use super::triggers::Written;
use super::writes;
use crate::args::SecretNamespaces;
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
    /// What the cloud controller manager had dealt with when we wrote to Services.
    pub handled: Handled,
    /// What bindings contribute to what they share.
    pub peers: Peers,
    /// What may go in one go.
    pub guard: Guard,
    /// When what is trusted is read all the same.
    pub audits: Audits,
    /// Changes that do not last.
    pub tries: Tries,
    /// What the layer on ALB knows.
    pub alb: alb::state::State,
    /// What is known of each Higress.
    pub higress: higress::state::State,
    checked: Mutex<HashMap<String, String>>,
    begun: Mutex<HashSet<String>>,
}

impl Context {
    /// For a process with these stores.
    pub fn new(runtime: Runtime, stores: Stores, peers: Peers, written: Written) -> Self {
        let Written { bindings, services } = written;
        Self {
            clouds: Clouds::new(runtime.clone()),
            alb: alb::state::State::default(),
            runtime,
            stores,
            bindings,
            consumers: Latest::default(),
            classes: Latest::default(),
            services,
            handled: Handled::default(),
            guard: peers.guard().clone(),
            peers,
            audits: Audits::default(),
            tries: Tries::default(),
            higress: higress::state::State::default(),
            checked: Mutex::default(),
            begun: Mutex::default(),
        }
    }

    /// Whether this shard serves a class.
    pub fn serves(&self, class: &GatewayBindingClass) -> bool {
        let shard = class
            .labels()
            .get(crds::keys::SHARD)
            .map_or("", String::as_str);
        shard == self.runtime.args.shard
    }

    /// The APIs by which Secrets are looked for, with their namespace: one for each namespace of
    /// `--secret-namespaces`, or one for all.
    pub fn secrets<K>(&self) -> Vec<(Option<String>, Api<K>)>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        let client = &self.runtime.client;
        match &self.runtime.args.secret_namespaces {
            SecretNamespaces::All => vec![(None, Api::all(client.clone()))],
            SecretNamespaces::Only(namespaces) => namespaces
                .iter()
                .map(|namespace| {
                    let api = Api::namespaced(client.clone(), namespace);
                    (Some(namespace.clone()), api)
                })
                .collect(),
        }
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

    /// The age up to which what is known of the cloud is good enough for the pass in hand. An edit
    /// goes by what is known rather than wait for a list that a check has begun.
    pub fn max_age(&self) -> Duration {
        let interval = self.runtime.args.drift_interval;
        if queue::is_edit() {
            interval.saturating_mul(2)
        } else {
            interval
        }
    }

    /// Reads with [`Context::max_age`]. A check that waits, perhaps long, for a list is overtaken by an
    /// edit of the same object: it goes by what is known from then on, as the edit does after it.
    pub async fn read<T, F: Future<Output = T>>(&self, read: impl Fn(Duration) -> F) -> T {
        if !queue::is_edit() {
            tokio::select! {
                biased;
                got = read(self.max_age()) => return got,
                () = queue::edited() => {}
            }
        }
        read(self.max_age()).await
    }

    /// This process put the finalizer on an object: it is a new one.
    pub fn begin(&self, object: &impl ResourceExt) {
        self.begun().extend(object.uid());
    }

    /// Whether an object without a status had one: our finalizer is older than this process, so
    /// something may have been claimed for it.
    pub fn has_lost_status(&self, object: &(impl ResourceExt + MayBeBlank)) -> bool {
        let uid = object.uid().unwrap_or_default();
        object.is_blank() && writes::is_held(object) && !self.begun().contains(&uid)
    }

    fn begun(&self) -> MutexGuard<'_, HashSet<String>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.begun().remove(uid);
        self.bindings.forget(uid);
        self.peers.remove(uid);
        self.tries.forget(uid);
        self.audits.forget(uid);
        self.checked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(uid);
    }
}

/// Whose status may say nothing of what was claimed.
pub trait MayBeBlank {
    /// Whether it does not.
    fn is_blank(&self) -> bool;
}

impl MayBeBlank for GatewayBinding {
    fn is_blank(&self) -> bool {
        let status = self.status.as_ref();
        status.is_none_or(GatewayBindingStatus::is_blank)
    }
}

impl MayBeBlank for GatewayConsumer {
    fn is_blank(&self) -> bool {
        let status = self.status.as_ref();
        status.is_none_or(GatewayConsumerStatus::is_blank)
    }
}
