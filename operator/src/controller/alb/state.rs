//! What this controller knows of the cluster.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Endpoints};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};

use super::children::is_made_by_us;
use super::complaints::Complaints;
use super::vswitches::Answers;
use crate::controller::latest::Latest;
use crate::core::alb::kingress::KIngress;
use crate::core::alb::network::{NAME, NAMESPACE, Network};
use crate::core::alb::pace::Pace;
use crate::core::alb::placeholder::{holding, is_placeholder};
use crate::core::alb::seats::Seats;

/// How long it takes at the most until Knative Ingresses are listed, where they can be.
const LISTING: Duration = Duration::from_secs(30);

/// A Knative Ingress, by namespace and name.
pub type Name = (String, String);

/// Stores, and what was written lately. Empty as long as no class has an ALB.
pub struct State {
    /// Every Knative Ingress.
    pub kingresses: Store<KIngress>,
    /// Every Ingress: which of them are ours, and who else is on our load balancers.
    pub ingresses: Store<Ingress>,
    /// What stands before the pods of each revision. Empty where Serving is not installed.
    pub scaling: Store<DynamicObject>,
    /// Addresses of the gateways that splits may go through.
    pub slices: Store<EndpointSlice>,
    /// The copies of them that we made.
    pub endpoints: Store<Endpoints>,
    network: Store<ConfigMap>,
    /// Ingresses that we wrote.
    pub written: Latest<Ingress>,
    /// Knative Ingresses whose status we wrote, and companions.
    pub reported: Latest<KIngress>,
    /// What the ALB Ingress controller complains of.
    pub complaints: Complaints,
    /// One AlbConfig and IngressClass is looked after at a time, and not before it is due again.
    pub ensured: tokio::sync::Mutex<HashMap<String, (String, Instant)>>,
    /// What the cloud said of vswitches.
    pub vswitches: Answers,
    listed: AtomicBool,
    writes: AtomicBool,
    since: Instant,
    /// Something may have to be done about the places that are kept.
    pub untidy: tokio::sync::Notify,
    seats: Mutex<Seats>,
    pace: Mutex<Pace>,
    /// By namespace and name, since when.
    troubled: Mutex<HashMap<String, HashMap<String, Instant>>>,
    writers: Mutex<Option<Writers>>,
}

/// The writing ends of [`State`].
pub struct Writers {
    /// See [`State::kingresses`].
    pub kingresses: Writer<KIngress>,
    /// See [`State::ingresses`].
    pub ingresses: Writer<Ingress>,
    /// See [`State::scaling`].
    pub scaling: Writer<DynamicObject>,
    /// See [`State::slices`].
    pub slices: Writer<EndpointSlice>,
    /// See [`State::endpoints`].
    pub endpoints: Writer<Endpoints>,
    /// The ConfigMap `config-network`.
    pub network: Writer<ConfigMap>,
}

/// The kind that says whether the activator stands before a revision.
pub fn serverless_service() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk(
            "networking.internal.knative.dev",
            "v1alpha1",
            "ServerlessService",
        ),
        "serverlessservices",
    )
}

/// Nothing is known yet.
impl Default for State {
    fn default() -> Self {
        let (kingresses, kingresses_writer) = reflector::store();
        let (ingresses, ingresses_writer) = reflector::store();
        let (slices, slices_writer) = reflector::store();
        let (endpoints, endpoints_writer) = reflector::store();
        let (network, network_writer) = reflector::store();
        let scaling_writer = Writer::new(serverless_service());
        Self {
            kingresses,
            ingresses,
            scaling: scaling_writer.as_reader(),
            slices,
            endpoints,
            network,
            written: Latest::default(),
            reported: Latest::default(),
            complaints: Complaints::default(),
            ensured: tokio::sync::Mutex::default(),
            vswitches: Answers::default(),
            listed: AtomicBool::default(),
            writes: AtomicBool::default(),
            since: Instant::now(),
            untidy: tokio::sync::Notify::new(),
            seats: Mutex::default(),
            pace: Mutex::default(),
            troubled: Mutex::default(),
            writers: Mutex::new(Some(Writers {
                kingresses: kingresses_writer,
                ingresses: ingresses_writer,
                scaling: scaling_writer,
                slices: slices_writer,
                endpoints: endpoints_writer,
                network: network_writer,
            })),
        }
    }
}

impl State {
    /// The writing ends; the first who asks gets them.
    pub fn writers(&self) -> Option<Writers> {
        lock(&self.writers).take()
    }

    /// Every Knative Ingress is known, or that there is no such kind.
    pub fn listed(&self) {
        self.listed.store(true, Ordering::Release);
    }

    /// Whether that is so.
    pub fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Acquire)
    }

    /// Whether it can be told by now which Knative Ingresses there are: after a while also if they could
    /// not be listed.
    pub fn is_known(&self) -> bool {
        self.is_listed() || self.since.elapsed() > LISTING
    }

    /// What `config-network` says.
    pub fn network(&self) -> Network {
        let found = self.network.get(&ObjectRef::new(NAME).within(NAMESPACE));
        let data = found.as_ref().and_then(|found| found.data.as_ref());
        data.map(Network::read).unwrap_or_default()
    }

    /// An Ingress, the newer of what we wrote and what the store has.
    pub fn ingress(&self, namespace: &str, name: &str) -> Option<std::sync::Arc<Ingress>> {
        match self.ingresses.get(&ObjectRef::new(name).within(namespace)) {
            Some(stored) => Some(self.written.newest(stored)),
            None => self.written.written(namespace, name),
        }
    }

    /// The places on the load balancers.
    pub fn seats(&self) -> MutexGuard<'_, Seats> {
        lock(&self.seats)
    }

    /// When Ingresses were written.
    pub fn pace(&self) -> MutexGuard<'_, Pace> {
        lock(&self.pace)
    }

    /// An Ingress is gone.
    pub fn gone(&self, name: &Name) {
        self.seats().gone(name);
        self.pace().gone(name);
        self.untidy.notify_one();
    }

    /// A placeholder is gone.
    pub fn released(&self, placeholder: &Ingress) {
        let holding = holding(placeholder).unwrap_or_default();
        if let Some(order) = holding.order {
            self.seats().released(&holding.instance, order);
        }
    }

    /// An Ingress was seen: it has a place.
    pub fn seat(&self, ingress: &Ingress) {
        let is_going = ingress.metadata.deletion_timestamp.is_some();
        if is_going || !self.seat_in(&mut self.seats(), ingress) {
            self.gone(&name_of(ingress));
        }
    }

    /// Only a process that writes knows of places more than the Ingresses say. This one begins to.
    pub fn begin(&self) {
        let mut seats = self.seats();
        if self.writes.swap(true, Ordering::AcqRel) {
            return;
        }
        *seats = Seats::default();
        for ingress in self.ingresses.state() {
            if ingress.metadata.deletion_timestamp.is_none() {
                self.seat_in(&mut seats, &ingress);
            }
        }
    }

    /// Whether it has a class, and with it a place.
    fn seat_in(&self, seats: &mut Seats, ingress: &Ingress) -> bool {
        let Some(holding) = holding(ingress) else {
            return false;
        };
        let (namespace, name) = name_of(ingress);
        if is_placeholder(ingress) {
            if let Some(order) = holding.order {
                seats.holds(&namespace, &holding.instance, order, holding.extent);
            }
        } else if is_made_by_us(ingress) {
            seats.found((namespace, name), holding);
        } else {
            seats.seen((namespace, name), holding);
        }
        true
    }

    /// Notes whether something that may come keeps a Knative Ingress from being served.
    pub fn trouble(&self, ingress: &KIngress, troubled: bool) {
        let (namespace, name) = name_of(ingress);
        let mut all = lock(&self.troubled);
        if troubled {
            let here = all.entry(namespace).or_default();
            here.entry(name).or_insert_with(Instant::now);
        } else if let Some(here) = all.get_mut(&namespace) {
            here.remove(&name);
            if here.is_empty() {
                all.remove(&namespace);
            }
        }
    }

    /// How long that has been so of a Knative Ingress.
    pub fn troubled_for(&self, ingress: &KIngress) -> Duration {
        let (namespace, name) = name_of(ingress);
        let all = lock(&self.troubled);
        let since = all.get(&namespace).and_then(|here| here.get(&name));
        since.map_or(Duration::ZERO, Instant::elapsed)
    }

    /// The Knative Ingresses of a namespace for which that is so.
    pub fn troubled_in(&self, namespace: &str) -> Vec<Name> {
        let all = lock(&self.troubled);
        let here = all.get(namespace).into_iter().flatten();
        here.map(|(name, _)| (namespace.to_owned(), name.clone()))
            .collect()
    }
}

/// Namespace and name.
pub fn name_of(object: &impl ResourceExt) -> Name {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
