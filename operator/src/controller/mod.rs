//! The controllers: watches fill stores, changes fill queues, and each queue has a reconciler.

pub mod audit;
pub mod binding;
pub mod class;
pub mod cloud;
pub mod consumer;
pub mod context;
pub mod latest;
pub mod orphans;
pub mod peers;
pub mod queue;
pub mod service;
pub mod stores;
pub mod tries;
pub mod triggers;
pub mod writes;

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;

use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Resource};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::runtime::Runtime;
use crate::supervise::{Stage, Supervisor};
use context::Context;
use latest::Latest;
use orphans::{Fates, Orphans};
use peers::Peers;
use queue::Ended;
use stores::{Seen, Writers, all, keep, keep_with, knative_route, lighten, lighten_route};
use triggers::{Queues, Triggers};

/// Starts all watches and controllers as supervised tasks.
pub fn spawn(runtime: Runtime, supervisor: &mut Supervisor) {
    let (stores, writers) = stores::stores();
    let (bindings, binding_requests) = unbounded_channel();
    let (consumers, consumer_requests) = unbounded_channel();
    let (classes, class_requests) = unbounded_channel();
    let peers = Peers::new(stores.clone());
    let services = Latest::default();
    let queues = Queues {
        bindings,
        consumers: consumers.clone(),
        classes,
    };
    let fates = Fates::default();
    let triggers = Triggers::new(
        stores.clone(),
        peers.clone(),
        services.clone(),
        fates.clone(),
        queues,
    );
    watch(&runtime, writers, &triggers, supervisor);

    let context = Arc::new(Context::new(runtime, stores.clone(), peers, services));
    let queue = (stores.bindings, binding_requests);
    control(
        binding::KIND,
        &context,
        queue,
        binding::reconcile,
        supervisor,
    );
    consumer::watch_secrets(&context, consumers, supervisor);
    let queue = (stores.consumers, consumer_requests);
    let reconcile = consumer::reconciler();
    control(consumer::KIND, &context, queue, reconcile, supervisor);
    let queue = (stores.classes, class_requests);
    let reconcile = class::reconciler(Orphans::new(fates));
    control(class::KIND, &context, queue, reconcile, supervisor);
}

/// Starts one controller. Every replica watches; the one that leads works its queue.
fn control<K, F>(
    kind: &'static str,
    context: &Arc<Context>,
    (store, requests): (Store<K>, UnboundedReceiver<ObjectRef<K>>),
    reconcile: impl Fn(Arc<K>, Arc<Context>) -> F + Clone + Send + 'static,
    supervisor: &mut Supervisor,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    F: Future<Output = Ended> + Send + 'static,
{
    let context = context.clone();
    supervisor.spawn(Stage::Work, format!("{kind} controller"), async move {
        let runtime = &context.runtime;
        tokio::select! {
            () = runtime.shutdown.cancelled() => return Ok::<_, Infallible>(()),
            () = runtime.leadership.until_leader() => {}
        }
        context.stores.ready().await;
        queue::run(kind, context, store, requests, reconcile).await;
        Ok(())
    });
}

fn watch(runtime: &Runtime, writers: Writers, triggers: &Triggers, supervisor: &mut Supervisor) {
    let client = &runtime.client;
    macro_rules! watch {
        ($name:literal, $writer:ident, $see:ident, $lighten:expr) => {
            let gate = runtime.readiness.gate(concat!("watch of ", $name));
            let triggers = triggers.clone();
            let api = all(client);
            let writer = writers.$writer;
            let listed = writers.listed.clone();
            let stop = runtime.shutdown.clone();
            supervisor.spawn(Stage::Work, concat!("watch of ", $name), async move {
                let watching = keep(api, writer, Some(gate), $lighten, move |seen| {
                    if matches!(seen, Seen::Listed) {
                        listed.done($name);
                    }
                    triggers.$see(seen);
                });
                stop.run_until_cancelled(watching).await;
                Ok::<_, Infallible>(())
            });
        };
    }
    watch!("GatewayBindings", bindings, binding, lighten);
    watch!("GatewayBindingClasses", classes, class, lighten);
    watch!("GatewayConsumers", consumers, consumer, lighten);
    // Which annotations of a Service are ours is read off its managed fields.
    watch!("Services", services, service, |_| {});
    watch!("Namespaces", namespaces, namespace, lighten);

    // Knative may come later or never: nothing waits for its Routes if the kind is not there.
    let routes = Api::all_with(client.clone(), &knative_route());
    let triggers = triggers.clone();
    let stop = runtime.shutdown.clone();
    supervisor.spawn(Stage::Work, "watch of Knative Routes", async move {
        let mut tell = move |seen: Seen<'_, _>| {
            if matches!(seen, Seen::Listed | Seen::NoSuchKind) {
                writers.listed.done("Knative Routes");
            }
            triggers.route(seen);
        };
        let watching = keep_with(routes, writers.routes, None, lighten_route, &mut tell);
        stop.run_until_cancelled(watching).await;
        Ok::<_, Infallible>(())
    });
}
