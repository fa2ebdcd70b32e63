//! The controllers: watches fill stores, changes fill queues, and each queue has a reconciler.

pub mod alb;
pub mod audit;
pub mod binding;
pub mod class;
pub mod class_users;
pub mod cloud;
pub mod consumer;
pub mod context;
pub mod guard;
pub mod handled;
pub mod higress;
pub mod knative;
pub mod latest;
pub mod line;
mod newest_event;
pub mod orphans;
pub mod peers;
pub mod queue;
pub mod relations;
pub mod service;
pub mod stores;
pub mod tries;
pub mod triggers;
pub mod writes;

use std::convert::{Infallible, identity};
use std::fmt::Debug;
use std::sync::Arc;

use kube::runtime::reflector::Store;
use kube::{Api, Resource};

use crate::core::unreadable::Readable;
use crate::runtime::Runtime;
use crate::supervise::{Stage, Supervisor};
use alb::signals::Signals;
use context::Context;
use guard::Guard;
use higress::wakes::Wakes;
use orphans::{Fates, Orphans};
use peers::Peers;
use queue::{Ended, Requests, Work, queue};
use stores::{Seen, Writers, all, keep, keep_with, knative_route, lighten, lighten_route};
use triggers::{Queues, Triggers, Written};

/// Starts all watches and controllers as supervised tasks.
pub fn spawn(runtime: Runtime, supervisor: &mut Supervisor) {
    let (stores, writers) = stores::stores();
    let (bindings, binding_requests) = queue();
    let (consumers, consumer_requests) = queue();
    let (classes, class_requests) = queue();
    let guard = Guard::new(classes.clone());
    let peers = Peers::new(stores.clone(), guard.clone());
    let written = Written::default();
    let signals = Signals::default();
    let higress = Wakes::default();
    let queues = Queues {
        bindings: bindings.clone(),
        consumers: consumers.clone(),
        classes: classes.clone(),
        alb: signals.clone(),
        higress: higress.clone(),
    };
    let fates = Fates::default();
    let triggers = Triggers::new(
        stores.clone(),
        peers.clone(),
        guard,
        written.clone(),
        fates.clone(),
        queues,
    );
    watch(&runtime, writers, &triggers, supervisor);

    let mut context = Context::new(runtime, stores.clone(), peers, written);
    context.higress = higress::state::State::new(higress, bindings.clone());
    let context = Arc::new(context);
    let work = Work {
        kind: binding::KIND,
        reconcile: binding::reconcile,
        tell: binding::tell_panic,
    };
    control(
        work,
        &context,
        stores.bindings,
        binding_requests,
        supervisor,
    );
    alb::spawn(&context, &signals, bindings, classes, supervisor);
    higress::spawn(&context, supervisor);
    consumer::watch_secrets(&context, consumers, supervisor);
    let work = Work {
        kind: consumer::KIND,
        reconcile: consumer::reconciler(),
        tell: consumer::tell_panic,
    };
    control(
        work,
        &context,
        stores.consumers,
        consumer_requests,
        supervisor,
    );
    let work = Work {
        kind: class::KIND,
        reconcile: class::reconciler(Orphans::new(fates)),
        tell: class::tell_panic,
    };
    control(work, &context, stores.classes, class_requests, supervisor);
}

/// Starts one controller. Every replica watches; the one that leads works its queue.
fn control<K, R, F, T, G>(
    work: Work<R, T>,
    context: &Arc<Context>,
    store: Store<K>,
    requests: Requests<K>,
    supervisor: &mut Supervisor,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    R: Fn(Arc<K>, Arc<Context>) -> F + Send + Sync + 'static,
    F: Future<Output = Ended> + Send + 'static,
    T: Fn(Arc<K>, Arc<Context>) -> G + Send + Sync + 'static,
    G: Future<Output = ()> + Send + 'static,
{
    let context = context.clone();
    let name = format!("{} controller", work.kind);
    supervisor.spawn(Stage::Work, name, async move {
        let runtime = &context.runtime;
        tokio::select! {
            () = runtime.shutdown.cancelled() => return Ok::<_, Infallible>(()),
            () = runtime.leadership.until_leader() => {}
        }
        context.stores.ready().await;
        queue::run(work, context, store, requests).await;
        Ok(())
    });
}

fn watch(runtime: &Runtime, writers: Writers, triggers: &Triggers, supervisor: &mut Supervisor) {
    let client = &runtime.client;
    macro_rules! watch {
        ($name:literal, $read:expr, $writer:ident, $see:ident, $lighten:expr) => {
            let gate = runtime.readiness.gate(concat!("watch of ", $name));
            let triggers = triggers.clone();
            let api = all(client);
            let writer = writers.$writer;
            let listed = writers.listed.clone();
            let stop = runtime.shutdown.clone();
            supervisor.spawn(Stage::Work, concat!("watch of ", $name), async move {
                let watching = keep(api, $read, writer, Some(gate), $lighten, move |seen| {
                    let whole = matches!(seen, Seen::Listed);
                    triggers.$see(seen);
                    // Passes may begin: all that is derived from the list is there.
                    if whole {
                        listed.done($name);
                    }
                });
                stop.run_until_cancelled(watching).await;
                Ok::<_, Infallible>(())
            });
        };
    }
    watch!(
        "GatewayBindings",
        Readable::into_inner,
        bindings,
        binding,
        lighten
    );
    watch!(
        "GatewayBindingClasses",
        Readable::into_inner,
        classes,
        class,
        lighten
    );
    watch!(
        "GatewayConsumers",
        Readable::into_inner,
        consumers,
        consumer,
        lighten
    );
    // Which annotations of a Service are ours is read off its managed fields.
    watch!("Services", identity, services, service, |_| {});
    watch!("Namespaces", identity, namespaces, namespace, lighten);

    // Knative may come later or never: nothing waits for its Routes if the kind is not there.
    let routes = Api::all_with(client.clone(), &knative_route());
    let gate = runtime.readiness.gate("watch of Knative Routes");
    let triggers = triggers.clone();
    let stop = runtime.shutdown.clone();
    supervisor.spawn(Stage::Work, "watch of Knative Routes", async move {
        let mut tell = move |seen: Seen<'_, _>| {
            let whole = matches!(seen, Seen::Listed | Seen::NoSuchKind);
            triggers.route(seen);
            if whole {
                writers.listed.done("Knative Routes");
                gate.open();
            }
        };
        let watching = keep_with(routes, writers.routes, None, lighten_route, &mut tell);
        stop.run_until_cancelled(watching).await;
        Ok::<_, Infallible>(())
    });
}
