//! What the controllers know of the cluster: one watch and one in-memory store for each kind.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, GatewayConsumer};
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PartialObjectMeta};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, reflector::store::Writer};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use tokio::sync::watch;

use crate::health::Gate;
use crate::supervise::payload_text;

/// Objects in a page of a list.
const PAGE: u32 = 100;

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
    listed: watch::Receiver<BTreeSet<&'static str>>,
}

impl Stores {
    /// Labels of a namespace; none if it is not known.
    pub fn namespace_labels(&self, namespace: &str) -> BTreeMap<String, String> {
        self.namespaces
            .get(&ObjectRef::new(namespace))
            .map(|namespace| namespace.labels().clone())
            .unwrap_or_default()
    }

    /// Waits until every store holds its whole list once, or its kind is known to be missing.
    ///
    /// Not by the stores' own `wait_until_ready`, which has been seen to sleep for ever where
    /// several tasks wait for one store.
    pub async fn ready(&self) {
        let mut listed = self.listed.clone();
        // An error means that the watches have ended, and with them the process.
        let _ = listed
            .wait_for(|listed| AWAITED.iter().all(|kind| listed.contains(kind)))
            .await;
    }
}

/// The watches that controllers wait for.
pub const AWAITED: [&str; 6] = [
    "GatewayBindings",
    "GatewayBindingClasses",
    "GatewayConsumers",
    "Services",
    "Namespaces",
    "Knative Routes",
];

/// Tells that a store holds its whole list.
#[derive(Clone)]
pub struct Listed(watch::Sender<BTreeSet<&'static str>>);

impl Listed {
    /// The list of this kind is whole.
    pub fn done(&self, kind: &'static str) {
        self.0.send_modify(|listed| {
            listed.insert(kind);
        });
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
    /// For [`Stores::ready`].
    pub listed: Listed,
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
    let (listed, listed_reader) = watch::channel(BTreeSet::new());
    let stores = Stores {
        bindings,
        classes,
        consumers,
        services,
        namespaces,
        routes: routes_writer.as_reader(),
        listed: listed_reader,
    };
    let writers = Writers {
        bindings: bindings_writer,
        classes: classes_writer,
        consumers: consumers_writer,
        services: services_writer,
        namespaces: namespaces_writer,
        routes: routes_writer,
        listed: Listed(listed),
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
    /// The cluster does not have the kind: Knative may not be installed.
    NoSuchKind,
}

/// Takes off an object what nobody here reads: who owns which field, and kubectl's copy of it. A
/// store of thousands is several times smaller for it.
pub fn lighten<K: ResourceExt>(object: &mut K) {
    object.managed_fields_mut().clear();
    let annotations = object.annotations_mut();
    annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
}

/// Leaves of a Route what a binding needs: its URL and whether it is ready.
pub fn lighten_route(route: &mut DynamicObject) {
    lighten(route);
    route.labels_mut().clear();
    route.annotations_mut().clear();
    let status = route.data.get("status");
    let url = status.and_then(|status| status.get("url")).cloned();
    let conditions = status.and_then(|status| status.get("conditions")?.as_array().cloned());
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition.get("type").and_then(|value| value.as_str()) == Some("Ready"));
    route.data = serde_json::json!({"status": {"url": url, "conditions": Vec::from_iter(ready)}});
}

/// Keeps a store up to date for ever and tells what was seen, after the store has it.
pub async fn keep<W, K>(
    api: Api<W>,
    read: fn(W) -> K,
    writer: Writer<K>,
    gate: Option<Gate>,
    lighten: fn(&mut K),
    mut tell: impl FnMut(Seen<'_, K>),
) where
    W: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K: Resource + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Default,
{
    let stream = watcher(api, in_pages()).map_ok(move |event| match event {
        Event::Apply(object) => Event::Apply(read(object)),
        Event::Delete(object) => Event::Delete(read(object)),
        Event::InitApply(object) => Event::InitApply(read(object)),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    });
    keep_stream(stream, writer, gate, lighten, &mut tell).await;
}

/// [`keep`] for one object, or for the few that a selector chooses.
pub async fn keep_some<K>(
    api: Api<K>,
    which: watcher::Config,
    writer: Writer<K>,
    lighten: fn(&mut K),
    tell: &mut impl FnMut(Seen<'_, K>),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    keep_stream(watcher(api, which), writer, None, lighten, tell).await;
}

/// [`keep`] for kinds whose type is only known when the process runs.
pub async fn keep_with<K>(
    api: Api<K>,
    writer: Writer<K>,
    gate: Option<Gate>,
    lighten: fn(&mut K),
    tell: &mut impl FnMut(Seen<'_, K>),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let stream = watcher(api, in_pages());
    keep_stream(stream, writer, gate, lighten, tell).await;
}

/// Lists come in pages, since a page is in memory as it was sent and whole before it is lightened. After
/// a start that is the most memory that is ever needed.
fn in_pages() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

async fn keep_stream<K>(
    stream: impl Stream<Item = watcher::Result<Event<K>>>,
    writer: Writer<K>,
    gate: Option<Gate>,
    lighten: fn(&mut K),
    tell: &mut impl FnMut(Seen<'_, K>),
) where
    K: Resource + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let stream = stream.default_backoff().modify(lighten).reflect(writer);
    let mut stream = std::pin::pin!(stream);
    // What one object does to those who look must not end the watch of all.
    let mut tell = |seen: Seen<'_, K>| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| tell(seen))) {
            let panic = payload_text(&*panic);
            tracing::error!(
                panic,
                "looking at what a watch saw panicked; this is a defect"
            );
        }
    };
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
            Err(watcher::Error::InitialListFailed(kube::Error::Api(status)))
                if status.is_not_found() =>
            {
                tell(Seen::NoSuchKind);
            }
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
