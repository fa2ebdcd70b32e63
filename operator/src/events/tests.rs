use super::*;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Request, Response};
use k8s_openapi::jiff::Timestamp;
use kube::client::Body;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(5);

/// An API server that takes Events, and passes on what was sent to it.
fn api_server(answering: Arc<AtomicBool>) -> (kube::Client, mpsc::UnboundedReceiver<Value>) {
    let (sender, received) = mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (sender, answering) = (sender.clone(), answering.clone());
        async move {
            let bytes = request.into_body().collect_bytes().await.unwrap();
            let event: Value = serde_json::from_slice(&bytes).unwrap();
            let ok = answering.load(Ordering::SeqCst);
            sender.send(event).unwrap();
            let (status, body) = if ok {
                (201, bytes.to_vec())
            } else {
                (500, b"no".to_vec())
            };
            let response = Response::builder().status(status).body(Body::from(body));
            Ok::<_, Infallible>(response.unwrap())
        }
    });
    (kube::Client::new(service, "default"), received)
}

struct World {
    events: Events,
    received: mpsc::UnboundedReceiver<Value>,
    answering: Arc<AtomicBool>,
    shutdown: CancellationToken,
    writer: tokio::task::JoinHandle<Result<(), Infallible>>,
}

fn world(leadership: Leadership) -> World {
    let answering = Arc::new(AtomicBool::new(true));
    let (client, received) = api_server(answering.clone());
    let (events, writer) = Events::new(client, "operator-0", leadership);
    let shutdown = CancellationToken::new();
    let writer = tokio::spawn(writer.run(shutdown.clone()));
    World {
        events,
        received,
        answering,
        shutdown,
        writer,
    }
}

impl World {
    async fn next(&mut self) -> Value {
        let next = tokio::time::timeout(PATIENCE, self.received.recv()).await;
        next.expect("no event arrived in time")
            .expect("the API server is gone")
    }

    /// All that arrives until the writer has drained its queue.
    async fn rest(mut self) -> Vec<Value> {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.writer).await;
        ended
            .expect("the writer did not end in time")
            .unwrap()
            .unwrap();
        let mut rest = Vec::new();
        while let Ok(event) = self.received.try_recv() {
            rest.push(event);
        }
        rest
    }
}

fn object(uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("gatewaybinding.dev/v1alpha1".into()),
        kind: Some("GatewayBinding".into()),
        namespace: Some("default".into()),
        name: Some("helloworld".into()),
        uid: Some(uid.into()),
        ..ObjectReference::default()
    }
}

fn created(note: &str) -> Happening {
    Happening {
        severity: Severity::Normal,
        reason: "CreatedApi".into(),
        action: "Create".into(),
        note: note.into(),
    }
}

fn condition(type_: &str, status: &str, reason: &str) -> Condition {
    Condition {
        type_: type_.into(),
        status: status.into(),
        reason: reason.into(),
        message: format!("{type_} is {status}"),
        last_transition_time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            Timestamp::UNIX_EPOCH,
        ),
        observed_generation: Some(1),
    }
}

#[tokio::test]
async fn an_event_carries_what_was_said_within_the_limits() {
    let mut world = world(Leadership::always());
    world
        .events
        .publish(&object("1"), created(&"网".repeat(1000)));
    let event = world.next().await;
    assert_eq!(event["reason"], "CreatedApi");
    assert_eq!(event["action"], "Create");
    assert_eq!(event["type"], "Normal");
    assert_eq!(event["reportingController"], REPORTER);
    assert_eq!(event["reportingInstance"], "operator-0");
    assert_eq!(event["regarding"]["name"], "helloworld");
    let note = event["note"].as_str().unwrap();
    assert!(
        note.len() <= 1024 && note.ends_with('…'),
        "{} bytes",
        note.len()
    );
}

#[tokio::test]
async fn the_same_is_told_once_per_object_until_something_else_happens() {
    let world = world(Leadership::always());
    for note in ["a", "a", "b", "b", "a"] {
        world.events.publish(&object("1"), created(note));
    }
    world.events.publish(&object("2"), created("a"));
    world.events.forget("2");
    world.events.publish(&object("2"), created("a"));
    let events = world.rest().await;
    let told: Vec<_> = events
        .iter()
        .map(|e| {
            (
                e["note"].as_str().unwrap(),
                e["regarding"]["uid"].as_str().unwrap(),
                e["series"]["count"].as_u64(),
            )
        })
        .collect();
    // What is told again after something else is folded into a series, under its own note.
    let expected = [
        ("a", "1", None),
        ("b", "1", None),
        ("a", "1", Some(2)),
        ("a", "2", None),
        ("a", "2", Some(2)),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn only_conditions_that_flip_are_told() {
    let world = world(Leadership::always());
    let before = [
        condition("Accepted", "True", "Accepted"),
        condition("Programmed", "False", "WaitingForLoadBalancer"),
        condition("Verified", "True", "Verified"),
    ];
    let after = [
        condition("Accepted", "True", "Accepted"),
        condition("ResolvedRefs", "False", "RouteNotFound"),
        condition("Programmed", "True", "Programmed"),
        condition("Verified", "False", "ProbeFailed"),
        condition("Ready", "False", "Pending"),
        condition("Reconciling", "True", "Reconciling"),
        condition("Stalled", "True", "QuotaExceeded"),
    ];
    world.events.transitions(&object("1"), &before, &after);
    world.events.transitions(&object("1"), &after, &after);
    let events: Vec<_> = world.rest().await;
    let told = |event: &Value| {
        ["type", "action", "reason"].map(|field| event[field].as_str().unwrap().to_owned())
    };
    let expected = [
        ["Warning", "ResolvedRefs", "RouteNotFound"],
        ["Normal", "Programmed", "Programmed"],
        ["Warning", "Verified", "ProbeFailed"],
        ["Warning", "Stalled", "QuotaExceeded"],
    ];
    let told: Vec<_> = events.iter().map(told).collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_refused_event_is_dropped_and_the_next_one_is_written() {
    let mut world = world(Leadership::always());
    world.answering.store(false, Ordering::SeqCst);
    world.events.publish(&object("1"), created("refused"));
    assert_eq!(world.next().await["note"], "refused");
    world.answering.store(true, Ordering::SeqCst);
    world.events.publish(&object("1"), created("taken"));
    assert_eq!(world.next().await["note"], "taken");
}

#[tokio::test]
async fn nothing_is_written_without_the_lease_and_a_full_queue_does_not_block() {
    let world = world(Leadership::never());
    for i in 0..QUEUE * 2 {
        world.events.publish(&object("1"), created(&i.to_string()));
    }
    assert_eq!(world.rest().await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_writer_waits_to_be_stopped_also_when_no_publisher_is_left() {
    let world = world(Leadership::always());
    drop(world.events);
    // The channel is closed now; a writer that ended by itself would be a failed task.
    tokio::task::yield_now().await;
    assert!(!world.writer.is_finished());
    world.shutdown.cancel();
    let ended = tokio::time::timeout(PATIENCE, world.writer).await;
    ended
        .expect("the writer did not end in time")
        .unwrap()
        .unwrap();
}
