use std::collections::BTreeSet;
use std::convert::Infallible;
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Mutex;

use axum::http::{Method, Request, Response};
use crds::v1alpha1::GatewayBinding;
use kube::client::Body;
use kube::runtime::watcher::Event;
use kube::{Client, ResourceExt};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::args::RunArgs;
use crate::backoff::{Backoff, BackoffConfig};
use crate::controller::binding::{KIND, tell_panic};
use crate::controller::guard::Guard;
use crate::controller::peers::Peers;
use crate::controller::stores::{Writers, stores};
use crate::controller::triggers::Written;
use crate::events::Events;
use crate::health::Readiness;
use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(20);
const POISONED: &str = "b-7";

fn binding(number: usize) -> GatewayBinding {
    serde_json::from_value(json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
        "metadata": {"name": format!("b-{number}"), "namespace": "n", "uid": format!("u-{number}"), "resourceVersion": "1"},
        "spec": {"serviceRef": {"kind": "KnativeService", "name": "s"}},
    }))
    .unwrap()
}

/// Statuses that were written, by name of the binding.
type Statuses = Arc<Mutex<Vec<(String, Value)>>>;

/// An API server that takes statuses.
fn api_server(statuses: Statuses) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let statuses = statuses.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap();
            let mut object: Value = serde_json::from_slice(&body).unwrap_or_default();
            if parts.method == Method::PATCH && parts.uri.path().ends_with("/status") {
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                let status = object["status"].clone();
                statuses.lock().unwrap().push((name, status));
                object["metadata"]["namespace"] = json!("n");
                object["metadata"]["resourceVersion"] = json!("2");
                object["spec"] = json!({"serviceRef": {"kind": "KnativeService", "name": "s"}});
            }
            let body = Body::from(object.to_string().into_bytes());
            Ok::<_, Infallible>(Response::new(body))
        }
    });
    Client::new(service, "n")
}

struct World {
    context: Arc<Context>,
    writers: Writers,
    statuses: Statuses,
}

/// A process that works on eight bindings at once, of so many that are there.
fn world(bindings: usize) -> World {
    let statuses = Statuses::default();
    let client = api_server(statuses.clone());
    let args = RunArgs {
        concurrency: NonZeroU16::new(8).unwrap(),
        ..RunArgs::default_for(Path::new("none"))
    };
    let (events, _) = Events::new(client.clone(), "test", Leadership::never());
    let runtime = Runtime {
        client,
        args: Arc::new(args),
        metrics: Metrics::new(&mut Registry::default()),
        readiness: Readiness::default(),
        leadership: Leadership::always(),
        backoff: Backoff::new(BackoffConfig {
            base: Duration::from_millis(10),
            ..BackoffConfig::default()
        }),
        events,
        shutdown: CancellationToken::new(),
    };
    let (stores, mut writers) = stores();
    writers.bindings.apply_watcher_event(&Event::Init);
    for number in 0..bindings {
        let event = Event::InitApply(binding(number));
        writers.bindings.apply_watcher_event(&event);
    }
    writers.bindings.apply_watcher_event(&Event::InitDone);
    let peers = Peers::new(stores.clone(), Guard::new(queue().0));
    World {
        context: Arc::new(Context::new(runtime, stores, peers, Written::default())),
        writers,
        statuses,
    }
}

/// Looks until it is so.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    waited.unwrap_or_else(|_| panic!("{what} did not come about"));
}

#[tokio::test]
async fn a_pass_that_panics_is_told_on_its_object_and_the_others_go_on() {
    const ALL: usize = 200;
    let World {
        context,
        writers: _writers,
        statuses,
    } = world(ALL);
    let passes: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = passes.clone();
    let reconcile = move |binding: Arc<GatewayBinding>, _: Arc<Context>| {
        let seen = seen.clone();
        async move {
            let name = binding.name_any();
            seen.lock().unwrap().push(name.clone());
            assert_ne!(name, POISONED, "a decision that panics");
            Ended::Converged { within: None }
        }
    };
    let (asker, requests) = queue();
    let work = Work {
        kind: KIND,
        reconcile,
        tell: tell_panic,
    };
    let store = context.stores.bindings.clone();
    let running = tokio::spawn(run(work, context.clone(), store, requests));
    for number in 0..ALL {
        asker.edited(ObjectRef::from_obj(&binding(number)));
    }
    let of_poisoned = || {
        let passes = passes.lock().unwrap();
        passes.iter().filter(|name| *name == POISONED).count()
    };
    until("a third try of the poisoned one", || of_poisoned() >= 3).await;
    let others: BTreeSet<String> = passes.lock().unwrap().iter().cloned().collect();
    assert_eq!(others.len(), ALL);
    let number = passes.lock().unwrap().len();
    assert_eq!(
        number - of_poisoned(),
        ALL - 1,
        "the others took one pass each"
    );
    let key = ObjectKey::of(KIND, &binding(7));
    assert!(context.runtime.backoff.next(&key, None) <= Duration::from_secs(1));
    assert_eq!(context.runtime.backoff.failing(), 1);

    let statuses = statuses.lock().unwrap().clone();
    let [(name, status)] = statuses.as_slice() else {
        panic!("told otherwise than once: {statuses:?}");
    };
    assert_eq!(name, POISONED);
    let conditions = status["conditions"].as_array().unwrap();
    let ready = conditions
        .iter()
        .find(|condition| condition["type"] == "Ready");
    let ready = ready.unwrap();
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&json!("False"), &json!("InternalError"))
    );
    assert!(!status.to_string().contains("a decision that panics"));

    context.runtime.shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn an_edit_does_not_wait_for_checks_that_hang() {
    let World {
        context,
        writers: _writers,
        ..
    } = world(30);
    let checking: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let edited: Arc<Mutex<Vec<String>>> = Arc::default();
    let (checks, edits) = (checking.clone(), edited.clone());
    let reconcile = move |binding: Arc<GatewayBinding>, _: Arc<Context>| {
        let (checks, edits) = (checks.clone(), edits.clone());
        async move {
            if is_edit() {
                edits.lock().unwrap().push(binding.name_any());
                return Ended::Done;
            }
            checks.lock().unwrap().insert(binding.name_any());
            std::future::pending().await
        }
    };
    let (asker, requests) = queue();
    let work = Work {
        kind: KIND,
        reconcile,
        tell: |_, _| std::future::ready(()),
    };
    let store = context.stores.bindings.clone();
    let running = tokio::spawn(run(work, context, store, requests));
    for number in 0..20 {
        asker.check(ObjectRef::from_obj(&binding(number)));
    }
    until("a check in every place there is for them", || {
        checking.lock().unwrap().len() == 6
    })
    .await;
    for number in 20..30 {
        asker.edited(ObjectRef::from_obj(&binding(number)));
    }
    until("every edit", || edited.lock().unwrap().len() == 10).await;
    assert_eq!(checking.lock().unwrap().len(), 6);
    running.abort();
}
