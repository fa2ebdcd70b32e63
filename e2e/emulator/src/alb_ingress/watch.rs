//! What the controller sees of the cluster.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Endpoints, Secret, Service};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::members::Classes;
use super::servers::{Backends, key};

/// Something seen on a watch.
pub(super) enum Seen {
    Ingress(Box<Ingress>),
    IngressGone(Box<Ingress>),
    Class,
    /// A Service or its Endpoints.
    Backend((String, String)),
    AlbConfig(Box<DynamicObject>),
    Secret((String, String)),
}

pub(super) type SeenStream = Pin<Box<dyn Stream<Item = Seen> + Send>>;

/// The stores of all watches.
#[derive(Clone)]
pub(super) struct Stores {
    ingresses: Store<Ingress>,
    classes: Store<IngressClass>,
    services: Store<Service>,
    endpoints: Store<Endpoints>,
    secrets: Store<Secret>,
}

/// The kind AlbConfig.
pub(super) fn albconfig() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(
        "alibabacloud.com",
        "v1",
        "AlbConfig",
    ))
}

/// Begins to watch everything.
pub(super) fn start(client: &Client) -> (Stores, SeenStream) {
    let (ingresses, ingress_events) = reflect::<Ingress>(client, |event| match event {
        watcher::Event::Apply(ingress) | watcher::Event::InitApply(ingress) => {
            Some(Seen::Ingress(Box::new(ingress)))
        }
        watcher::Event::Delete(ingress) => Some(Seen::IngressGone(Box::new(ingress))),
        watcher::Event::Init | watcher::Event::InitDone => None,
    });
    let (classes, class_events) =
        reflect::<IngressClass>(client, |event| object(event).map(|_| Seen::Class));
    let (services, service_events) = reflect::<Service>(client, |event| {
        object(event).map(|service| Seen::Backend(key(&service)))
    });
    let (endpoints, endpoint_events) = reflect::<Endpoints>(client, |event| {
        object(event).map(|endpoints| Seen::Backend(key(&endpoints)))
    });
    let (secrets, secret_events) = reflect::<Secret>(client, |event| {
        object(event).map(|secret| Seen::Secret(key(&secret)))
    });
    let albconfigs: Api<DynamicObject> = Api::all_with(client.clone(), &albconfig());
    let albconfigs = logged(watcher(albconfigs, watcher::Config::default()).default_backoff());
    let albconfigs = albconfigs.filter_map(async |event| {
        object(event).map(|albconfig| Seen::AlbConfig(Box::new(albconfig)))
    });
    let stores = Stores {
        ingresses,
        classes,
        services,
        endpoints,
        secrets,
    };
    let streams: [SeenStream; 6] = [
        ingress_events,
        class_events,
        service_events,
        endpoint_events,
        secret_events,
        Box::pin(albconfigs),
    ];
    (stores, Box::pin(futures::stream::select_all(streams)))
}

fn object<K>(event: watcher::Event<K>) -> Option<K> {
    match event {
        watcher::Event::Apply(object)
        | watcher::Event::InitApply(object)
        | watcher::Event::Delete(object) => Some(object),
        watcher::Event::Init | watcher::Event::InitDone => None,
    }
}

fn reflect<K>(client: &Client, see: fn(watcher::Event<K>) -> Option<Seen>) -> (Store<K>, SeenStream)
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Default + Eq + Hash + Clone + Send + Sync,
{
    let (store, writer) = reflector::store();
    let events = watcher(Api::<K>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .reflect(writer);
    let seen = logged(events).filter_map(move |event| std::future::ready(see(event)));
    (store, Box::pin(seen))
}

fn logged<K: Send>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
) -> impl Stream<Item = watcher::Event<K>> + Send {
    events
        .inspect_err(
            |error| tracing::warn!(%error, "a watch of the ALB Ingress controller stand-in broke off"),
        )
        .filter_map(async |event| event.ok())
}

impl Stores {
    /// Whether all first lists are in.
    pub(super) fn ready(&self) -> bool {
        use futures::FutureExt;
        let ingresses = self.ingresses.wait_until_ready().now_or_never();
        let classes = self.classes.wait_until_ready().now_or_never();
        let services = self.services.wait_until_ready().now_or_never();
        let endpoints = self.endpoints.wait_until_ready().now_or_never();
        let secrets = self.secrets.wait_until_ready().now_or_never();
        [ingresses, classes, services, endpoints, secrets]
            .into_iter()
            .all(|outcome| matches!(outcome, Some(Ok(()))))
    }

    /// All Ingresses, by namespace and name.
    pub(super) fn ingresses(&self) -> Vec<Ingress> {
        let mut all: Vec<Ingress> = self
            .ingresses
            .state()
            .iter()
            .map(|ingress| ingress.as_ref().clone())
            .collect();
        all.sort_by_key(key);
        all
    }

    /// An Ingress as it is now.
    pub(super) fn ingress(&self, known: &Ingress) -> Option<Arc<Ingress>> {
        self.ingresses.get(&ObjectRef::from_obj(known))
    }

    pub(super) fn classes(&self) -> Classes {
        let classes = self.classes.state();
        classes
            .iter()
            .map(|class| (class.name_any(), class.as_ref().clone()))
            .collect()
    }

    pub(super) fn backends(&self) -> Backends {
        fn all<K: ResourceExt + Clone>(objects: &[Arc<K>]) -> BTreeMap<(String, String), K> {
            let objects = objects.iter();
            objects
                .map(|object| (key(object.as_ref()), object.as_ref().clone()))
                .collect()
        }
        Backends {
            services: all(&self.services.state()),
            endpoints: all(&self.endpoints.state()),
        }
    }

    /// The names of all Secrets, as `namespace/name`.
    pub(super) fn secrets(&self) -> std::collections::BTreeSet<String> {
        let secrets = self.secrets.state();
        secrets
            .iter()
            .map(|secret| {
                let (namespace, name) = key(secret.as_ref());
                format!("{namespace}/{name}")
            })
            .collect()
    }
}
