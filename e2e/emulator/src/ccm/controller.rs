//! Watches and workers.

use std::collections::HashMap;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::annotations::Annotations;
use super::backends::{Cluster, is_ignored};
use super::cloud::Cloud;
use super::ensure::Pass;
use super::error::SyncError;
use super::events::Events;
use super::needs::{
    FINALIZER, NETWORK_FINALIZER, change, has_finalizer, is_network, wants_load_balancer,
};
use super::queue::{Key, Queue};
use super::service::Writer;
use super::{BackendMode, CloudConfig, Options, model};

/// Services under way at once.
const WORKERS: usize = 8;

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Something seen on a watch.
enum Seen {
    Service(Box<Service>),
    ServiceGone(Key),
    Endpoints(Box<EndpointSlice>),
    EndpointsGone(Box<EndpointSlice>),
    Node(Box<Node>),
    NodeGone(Box<Node>),
}

struct Controller {
    options: Options,
    cloud: Cloud,
    events: Events,
    network_events: Events,
    services: HashMap<Key, Service>,
    known_nodes: HashMap<String, Node>,
    known_slices: HashMap<Key, EndpointSlice>,
    queue: Queue,
}

/// Plays the cloud controller manager until `stopping` is cancelled.
pub async fn run(
    options: Options,
    config: CloudConfig,
    http: reqwest::Client,
    stopping: CancellationToken,
) {
    let client = options.client.clone();
    let services = watch_services(Api::all(client.clone()));
    let slices = watch_slices(Api::all(client.clone()));
    let nodes = watch_nodes(Api::all(client.clone()));
    let seen = futures::stream::select_all([services, slices, nodes]);
    let mut controller = Controller {
        cloud: Cloud::new(config, http),
        events: Events::new(client.clone(), "service-controller"),
        network_events: Events::new(client, "nlb-controller"),
        queue: Queue::new(options.retry_min, options.retry_max),
        options,
        services: HashMap::new(),
        known_nodes: HashMap::new(),
        known_slices: HashMap::new(),
    };
    stopping.run_until_cancelled(controller.work(seen)).await;
}

type SeenStream = std::pin::Pin<Box<dyn Stream<Item = Seen> + Send>>;

fn watch_services(api: Api<Service>) -> SeenStream {
    let events = watcher(api, watcher::Config::default()).default_backoff();
    Box::pin(logged(events).filter_map(async |event| match event {
        watcher::Event::Apply(service) | watcher::Event::InitApply(service) => {
            Some(Seen::Service(Box::new(service)))
        }
        watcher::Event::Delete(service) => Some(Seen::ServiceGone(key_of(&service))),
        watcher::Event::Init | watcher::Event::InitDone => None,
    }))
}

fn watch_slices(api: Api<EndpointSlice>) -> SeenStream {
    let events = watcher(api, watcher::Config::default()).default_backoff();
    Box::pin(logged(events).filter_map(async |event| match event {
        watcher::Event::Apply(slice) | watcher::Event::InitApply(slice) => {
            Some(Seen::Endpoints(Box::new(slice)))
        }
        watcher::Event::Delete(slice) => Some(Seen::EndpointsGone(Box::new(slice))),
        watcher::Event::Init | watcher::Event::InitDone => None,
    }))
}

fn watch_nodes(api: Api<Node>) -> SeenStream {
    let events = watcher(api, watcher::Config::default()).default_backoff();
    Box::pin(logged(events).filter_map(async |event| match event {
        watcher::Event::Apply(node) | watcher::Event::InitApply(node) => {
            Some(Seen::Node(Box::new(node)))
        }
        watcher::Event::Delete(node) => Some(Seen::NodeGone(Box::new(node))),
        watcher::Event::Init | watcher::Event::InitDone => None,
    }))
}

fn logged<K: Send>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
) -> impl Stream<Item = watcher::Event<K>> + Send {
    events
        .inspect_err(
            |error| tracing::warn!(%error, "a watch of the cloud controller stand-in broke off"),
        )
        .filter_map(async |event| event.ok())
}

fn key_of(service: &Service) -> Key {
    (service.namespace().unwrap_or_default(), service.name_any())
}

impl Controller {
    async fn work(&mut self, mut seen: impl Stream<Item = Seen> + Unpin) {
        let mut passes: JoinSet<(Key, Result<(), SyncError>)> = JoinSet::new();
        loop {
            while passes.len() < WORKERS {
                let Some(key) = self.queue.take(Instant::now()) else {
                    break;
                };
                passes.spawn(self.pass(key));
            }
            let wake = self.queue.next_due().filter(|_| passes.len() < WORKERS);
            tokio::select! {
                Some(event) = seen.next() => self.take_in(event).await,
                Some(done) = passes.join_next() => self.finish(done),
                () = sleep_until(wake) => {}
            }
        }
    }

    async fn take_in(&mut self, event: Seen) {
        match event {
            Seen::Service(service) => self.take_in_service(*service).await,
            Seen::ServiceGone(key) => {
                self.services.remove(&key);
            }
            Seen::Endpoints(slice) => self.take_in_slice(*slice, false),
            Seen::EndpointsGone(slice) => self.take_in_slice(*slice, true),
            Seen::Node(node) => self.take_in_node(*node, false),
            Seen::NodeGone(node) => self.take_in_node(*node, true),
        }
    }

    async fn take_in_service(&mut self, service: Service) {
        let key = key_of(&service);
        match self.services.insert(key.clone(), service.clone()) {
            // First sight, after a start: everything that has or wants a load balancer.
            None if has_finalizer(&service) || wants_load_balancer(&service) => {
                self.queue.add(key, soon())
            }
            None => {}
            Some(old) => {
                if let Some((reason, note)) = change(&old, &service) {
                    let events = self.events_of(is_network(&service));
                    events.told(&service, "Normal", reason, note).await;
                    self.queue.add(key, soon());
                }
            }
        }
    }

    /// A slice that is as it was does not count.
    fn take_in_slice(&mut self, slice: EndpointSlice, gone: bool) {
        let (Some(namespace), Some(service)) =
            (slice.namespace(), slice.labels().get(SERVICE_NAME).cloned())
        else {
            return;
        };
        let own_key = (namespace.clone(), slice.name_any());
        let old = match gone {
            true => self.known_slices.remove(&own_key),
            false => self.known_slices.insert(own_key, slice.clone()),
        };
        let is_same =
            |old: EndpointSlice| old.endpoints == slice.endpoints && old.ports == slice.ports;
        let key = (namespace, service);
        if !gone && old.is_some_and(is_same) {
            return;
        }
        if self.services.get(&key).is_some_and(wants_load_balancer) {
            self.queue.add(key, soon());
        }
    }

    /// Only what decides whether a node takes traffic counts, heartbeats do not; and only for Services
    /// whose servers are nodes.
    fn take_in_node(&mut self, node: Node, gone: bool) {
        let name = node.name_any();
        let old = match gone {
            true => self.known_nodes.remove(&name),
            false => self.known_nodes.insert(name, node.clone()),
        };
        let ignored = is_ignored(&node) && old.as_ref().is_none_or(is_ignored);
        if ignored || (!gone && old.is_some_and(|old| !node_changed(&old, &node))) {
            return;
        }
        for (key, service) in &self.services {
            let mode = model::mode(Annotations::of(service), self.options.backends);
            if wants_load_balancer(service) && mode == BackendMode::Ecs {
                self.queue.add(key.clone(), soon());
            }
        }
    }

    fn events_of(&self, network: bool) -> &Events {
        match network {
            true => &self.network_events,
            false => &self.events,
        }
    }

    fn pass(
        &self,
        key: Key,
    ) -> impl Future<Output = (Key, Result<(), SyncError>)> + Send + 'static {
        let network = self.services.get(&key).is_some_and(is_network);
        let finalizer = match network {
            true => NETWORK_FINALIZER,
            false => FINALIZER,
        };
        let (cloud, events, options) = (
            self.cloud.clone(),
            self.events_of(network).clone(),
            self.options.clone(),
        );
        async move {
            let cluster = match cluster(&options.client, &key).await {
                Ok(cluster) => cluster,
                Err(error) => return (key, Err(error.into())),
            };
            let pass = Pass {
                cloud: &cloud,
                events: &events,
                writer: Writer::new(options.client.clone(), &key.0, &key.1, finalizer),
                cluster,
                cluster_id: &options.cluster_id,
                backends: options.backends,
                network,
            };
            let outcome = pass.run().await;
            (key, outcome)
        }
    }

    fn finish(&mut self, done: Result<(Key, Result<(), SyncError>), tokio::task::JoinError>) {
        match done {
            Ok((key, outcome)) => {
                if let Err(error) = &outcome {
                    let service = ObjectRef::<Service>::new(&key.1).within(&key.0);
                    tracing::info!(%service, %error, "a service was not brought in line");
                }
                self.queue.done(key, outcome.is_ok(), Instant::now());
            }
            Err(error) => {
                tracing::error!(%error, "a pass of the cloud controller stand-in broke off")
            }
        }
    }
}

/// What changed at the same time is dealt with at once, in whatever order watches tell of it.
fn soon() -> Instant {
    const TOGETHER: Duration = Duration::from_millis(50);
    Instant::now() + TOGETHER
}

/// Endpoints and nodes as they are now, which CCM asks for each time too.
async fn cluster(client: &Client, (namespace, service): &Key) -> kube::Result<Cluster> {
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let of_service = ListParams::default().labels(&format!("{SERVICE_NAME}={service}"));
    let nodes: Api<Node> = Api::all(client.clone());
    let mut cluster = Cluster {
        slices: slices.list(&of_service).await?.items,
        nodes: nodes.list(&ListParams::default()).await?.items,
    };
    cluster.slices.sort_by_key(ResourceExt::name_any);
    cluster.nodes.sort_by_key(ResourceExt::name_any);
    Ok(cluster)
}

fn node_changed(old: &Node, new: &Node) -> bool {
    let ready = |node: &Node| {
        let conditions = node.status.as_ref()?.conditions.as_ref()?;
        let ready = conditions.iter().find(|one| one.type_ == "Ready")?;
        Some(ready.status.clone())
    };
    let ready = |node: &Node| ready(node).unwrap_or_else(|| "False".to_owned());
    let cordoned = |node: &Node| {
        let spec = node.spec.as_ref();
        spec.and_then(|spec| spec.unschedulable).unwrap_or_default()
    };
    let labels = |node: &Node| node.metadata.labels.clone().unwrap_or_default();
    labels(old) != labels(new) || cordoned(old) != cordoned(new) || ready(old) != ready(new)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
