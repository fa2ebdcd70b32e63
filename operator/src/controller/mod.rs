//! The controllers: watches fill stores, changes fill queues, and each queue has a reconciler.

pub mod binding;
pub mod cloud;
pub mod context;
pub mod latest;
pub mod queue;
pub mod service;
pub mod stores;
pub mod triggers;

use std::convert::Infallible;
use std::sync::Arc;

use kube::Api;
use tokio::sync::mpsc::unbounded_channel;

use crate::runtime::Runtime;
use crate::supervise::{Stage, Supervisor};
use context::Context;
use stores::{Writers, all, keep, keep_with, knative_route};
use triggers::Triggers;

/// Starts all watches and controllers as supervised tasks.
pub fn spawn(runtime: Runtime, supervisor: &mut Supervisor) {
    let (stores, writers) = stores::stores();
    let (bindings, binding_requests) = unbounded_channel();
    let (consumers, _consumer_requests) = unbounded_channel();
    let (classes, _class_requests) = unbounded_channel();
    let triggers = Triggers::new(stores.clone(), bindings, consumers, classes);
    watch(&runtime, writers, &triggers, supervisor);

    let context = Arc::new(Context::new(runtime.clone(), stores.clone()));
    let lead = runtime.leadership.clone();
    let stop = runtime.shutdown.clone();
    let shared = context.clone();
    supervisor.spawn(Stage::Work, "GatewayBinding controller", async move {
        tokio::select! {
            () = stop.cancelled() => return Ok::<_, Infallible>(()),
            () = lead.until_leader() => {}
        }
        shared.stores.ready().await;
        queue::run(
            binding::KIND,
            shared.clone(),
            stores.bindings,
            binding_requests,
            binding::reconcile,
        )
        .await;
        Ok(())
    });
}

fn watch(runtime: &Runtime, writers: Writers, triggers: &Triggers, supervisor: &mut Supervisor) {
    let client = &runtime.client;
    macro_rules! watch {
        ($name:literal, $writer:ident, $api:expr, $see:ident) => {
            let gate = runtime.readiness.gate(concat!("watch of ", $name));
            let triggers = triggers.clone();
            let api = $api;
            let writer = writers.$writer;
            let stop = runtime.shutdown.clone();
            supervisor.spawn(Stage::Work, concat!("watch of ", $name), async move {
                let watching = keep(api, writer, Some(gate), move |seen| triggers.$see(seen));
                stop.run_until_cancelled(watching).await;
                Ok::<_, Infallible>(())
            });
        };
    }
    watch!("GatewayBindings", bindings, all(client), binding);
    watch!("GatewayBindingClasses", classes, all(client), class);
    watch!("GatewayConsumers", consumers, all(client), consumer);
    watch!("Services", services, all(client), service);
    watch!("Namespaces", namespaces, all(client), namespace);

    // Knative may come later or never: nothing waits for its Routes.
    let routes = Api::all_with(client.clone(), &knative_route());
    let triggers = triggers.clone();
    let stop = runtime.shutdown.clone();
    supervisor.spawn(Stage::Work, "watch of Knative Routes", async move {
        let mut tell = move |seen: stores::Seen<'_, _>| triggers.route(seen);
        let watching = keep_with(routes, writers.routes, None, &mut tell);
        stop.run_until_cancelled(watching).await;
        Ok::<_, Infallible>(())
    });
}
