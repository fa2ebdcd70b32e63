//! An API server that knows one kind, Lease, with the compare-and-swap of the real one.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response};
use k8s_openapi::api::coordination::v1::Lease;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;

/// How the server treats the calls it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// As it should.
    Answers,
    /// Refuses everything with 500.
    Fails,
    /// Never answers, and does nothing.
    Hangs,
    /// Carries out what it is asked and never answers.
    ActsAndHangs,
}

#[derive(Default)]
struct State {
    lease: Option<Lease>,
    version: u64,
}

/// Handle to the server; clones share its state.
#[derive(Clone)]
pub(crate) struct LeaseServer {
    state: Arc<Mutex<State>>,
    behaviour: watch::Sender<Behaviour>,
    calls: watch::Sender<Vec<Method>>,
}

impl LeaseServer {
    pub(crate) fn start() -> Self {
        Self {
            state: Arc::default(),
            behaviour: watch::Sender::new(Behaviour::Answers),
            calls: watch::Sender::default(),
        }
    }

    pub(crate) fn client(&self) -> kube::Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        kube::Client::new(service, "default")
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.behaviour.send_replace(behaviour);
    }

    pub(crate) fn lease(&self) -> Option<Lease> {
        self.state.lock().unwrap().lease.clone()
    }

    pub(crate) fn holder(&self) -> Option<String> {
        self.lease()?.spec?.holder_identity
    }

    /// Changes the lease as `kubectl edit` would.
    pub(crate) fn edit(&self, edit: impl FnOnce(&mut Option<Lease>)) {
        let mut state = self.state.lock().unwrap();
        edit(&mut state.lease);
        state.stamp();
    }

    pub(crate) fn calls(&self) -> Vec<Method> {
        self.calls.borrow().clone()
    }

    /// Waits until the calls so far satisfy `condition`.
    pub(crate) async fn until_calls(
        &self,
        what: &str,
        mut condition: impl FnMut(&[Method]) -> bool,
    ) {
        let mut calls = self.calls.subscribe();
        let wait = calls.wait_for(|calls| condition(calls));
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("{what}: not within {PATIENCE:?}; calls: {:?}", self.calls());
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let method = request.method().clone();
        let body = request.into_body().collect_bytes().await.unwrap();
        let behaviour = *self.behaviour.borrow();
        let (status, answer) = match behaviour {
            Behaviour::Answers | Behaviour::ActsAndHangs => {
                self.state.lock().unwrap().act(&method, &body)
            }
            Behaviour::Fails => failure(500, "InternalError"),
            Behaviour::Hangs => (0, Value::Null),
        };
        self.calls.send_modify(|calls| calls.push(method));
        if matches!(behaviour, Behaviour::Hangs | Behaviour::ActsAndHangs) {
            return std::future::pending().await;
        }
        let body = Body::from(answer.to_string().into_bytes());
        Response::builder().status(status).body(body).unwrap()
    }
}

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

impl State {
    fn act(&mut self, method: &Method, body: &[u8]) -> (u16, Value) {
        match (method, &self.lease) {
            (&Method::GET, Some(lease)) => (200, json!(lease)),
            (&Method::GET, None) => failure(404, "NotFound"),
            (&Method::POST, Some(_)) => failure(409, "AlreadyExists"),
            (&Method::POST, None) => self.store(201, body),
            (&Method::PUT, None) => failure(404, "NotFound"),
            (&Method::PUT, Some(lease)) => {
                let sent: Lease = serde_json::from_slice(body).unwrap();
                let sent = sent.metadata.resource_version;
                assert!(
                    sent.is_some(),
                    "an update without resourceVersion is not a swap"
                );
                if sent == lease.metadata.resource_version {
                    self.store(200, body)
                } else {
                    failure(409, "Conflict")
                }
            }
            (other, _) => panic!("unexpected {other}"),
        }
    }

    fn store(&mut self, status: u16, body: &[u8]) -> (u16, Value) {
        self.lease = Some(serde_json::from_slice(body).unwrap());
        self.stamp();
        (status, json!(self.lease))
    }

    fn stamp(&mut self) {
        self.version += 1;
        if let Some(lease) = &mut self.lease {
            lease.metadata.resource_version = Some(self.version.to_string());
        }
    }
}

fn failure(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code, "reason": reason, "message": reason, "metadata": {},
    });
    (code, status)
}
