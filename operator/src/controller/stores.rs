//! What the controllers know of the cluster: one watch and one in-memory store for each kind.

use std::hash::{DefaultHasher, Hash, Hasher};

use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, GatewayConsumer};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PartialObjectMeta};
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, reflector::store::Writer};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

use crate::health::Gate;

/// The stores. Clones share them.
#[derive(Clone)]
pub struct Stores {
    /// Every binding.
    pub bindings: Store<GatewayBinding>,
    /// Every class.
    pub classes: Store<GatewayBindingClass>,
    /// Every consumer.
    pub consumers: Store<GatewayConsumer>,
    /// Every Service: gateways are among them.
    pub services: Store<Service>,
    /// Every namespace, for its labels.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    /// Every Knative Route, for its host. Empty where Knative is not installed.
    pub routes: Store<DynamicObject>,
}

impl Stores {
    /// Waits until every store but that of Knative's Routes holds its whole list once.
    pub async fn ready(&self) {
        // An error means that the watch has ended, and with it the process.
        let _ = self.bindings.wait_until_ready().await;
        let _ = self.classes.wait_until_ready().await;
        let _ = self.consumers.wait_until_ready().await;
        let _ = self.services.wait_until_ready().await;
        let _ = self.namespaces.wait_until_ready().await;
    }
}

/// The writing ends of [`Stores`].
pub struct Writers {
    /// See [`Stores::bindings`].
    pub bindings: Writer<GatewayBinding>,
    /// See [`Stores::classes`].
    pub classes: Writer<GatewayBindingClass>,
    /// See [`Stores::consumers`].
    pub consumers: Writer<GatewayConsumer>,
    /// See [`Stores::services`].
    pub services: Writer<Service>,
    /// See [`Stores::namespaces`].
    pub namespaces: Writer<PartialObjectMeta<Namespace>>,
    /// See [`Stores::routes`].
    pub routes: Writer<DynamicObject>,
}

/// The kind whose host name a binding exposes.
pub fn knative_route() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("serving.knative.dev", "v1", "Route"),
        "routes",
    )
}

/// Empty stores.
pub fn stores() -> (Stores, Writers) {
    let (bindings, bindings_writer) = reflector::store();
    let (classes, classes_writer) = reflector::store();
    let (consumers, consumers_writer) = reflector::store();
    let (services, services_writer) = reflector::store();
    let (namespaces, namespaces_writer) = reflector::store();
    let routes_writer = Writer::new(knative_route());
    let stores = Stores {
        bindings,
        classes,
        consumers,
        services,
        namespaces,
        routes: routes_writer.as_reader(),
    };
    let writers = Writers {
        bindings: bindings_writer,
        classes: classes_writer,
        consumers: consumers_writer,
        services: services_writer,
        namespaces: namespaces_writer,
        routes: routes_writer,
    };
    (stores, writers)
}

/// What a watch saw.
#[derive(Debug)]
pub enum Seen<'a, K> {
    /// The store holds the whole list, for the first time or again.
    Listed,
    /// An object appeared or changed.
    Changed(&'a K),
    /// An object is gone.
    Gone(&'a K),
}

/// Keeps a store up to date for ever and tells what was seen, after the store has it.
pub async fn keep<K>(
    api: Api<K>,
    writer: Writer<K>,
    gate: Option<Gate>,
    mut tell: impl FnMut(Seen<'_, K>),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Default,
{
    keep_with(api, writer, gate, &mut tell).await;
}

/// [`keep`] for kinds whose type is only known when the process runs.
pub async fn keep_with<K>(
    api: Api<K>,
    writer: Writer<K>,
    gate: Option<Gate>,
    tell: &mut impl FnMut(Seen<'_, K>),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let stream = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer);
    let mut stream = std::pin::pin!(stream);
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::InitDone) => {
                if let Some(gate) = &gate {
                    gate.open();
                }
                tell(Seen::Listed);
            }
            Ok(Event::Apply(object)) => tell(Seen::Changed(&object)),
            Ok(Event::Delete(object)) => tell(Seen::Gone(&object)),
            Ok(Event::Init | Event::InitApply(_)) => {}
            // The watcher tries again by itself, with backoff.
            Err(error) => tracing::debug!(%error, "watch interrupted"),
        }
    }
}

/// What of an object's own changes is worth a pass: not its status, which the pass itself writes.
pub fn fingerprint(object: &impl ResourceExt) -> u64 {
    let mut hasher = DefaultHasher::new();
    let meta = object.meta();
    meta.uid.hash(&mut hasher);
    meta.generation.hash(&mut hasher);
    meta.finalizers.hash(&mut hasher);
    meta.annotations.hash(&mut hasher);
    meta.labels.hash(&mut hasher);
    meta.deletion_timestamp.is_some().hash(&mut hasher);
    hasher.finish()
}

/// All Services of the cluster, and so on, as APIs.
pub fn all<K>(client: &Client) -> Api<K>
where
    K: Resource,
    K::DynamicType: Default,
{
    Api::all(client.clone())
}
