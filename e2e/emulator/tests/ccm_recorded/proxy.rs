//! Stands between a cloud controller manager and the emulator, passes every call on, and writes it
//! down. It answers for the one product that the emulator does not speak for: that of the servers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alicloud_emulator::calls::is_mutating;
use alicloud_emulator::ccm::describe_network_interfaces;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use crate::names::{Names, call_line, lane};

/// The version of the product of the servers, which the emulator does not speak for.
const SERVERS: &str = "2014-05-26";

/// What was called since it was last taken.
#[derive(Debug, Default, Clone)]
pub struct Calls {
    /// What each touches, and the call.
    pub writes: Vec<(String, String)>,
    pub reads: BTreeMap<String, u32>,
}

struct Inner {
    target: String,
    http: reqwest::Client,
    calls: Mutex<Calls>,
    names: Mutex<Names>,
    last: Mutex<Instant>,
}

/// A proxy that is up.
#[derive(Clone)]
pub struct Proxy {
    inner: Arc<Inner>,
    pub url: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Before `target`, the URL of an emulator.
    pub async fn before(target: String) -> Self {
        let inner = Arc::new(Inner {
            target,
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            calls: Mutex::default(),
            names: Mutex::default(),
            last: Mutex::new(Instant::now()),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let app = axum::Router::new().fallback(pass).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { inner, url }
    }

    /// What identifiers are called in the recording.
    pub fn names(&self) -> MutexGuard<'_, Names> {
        lock(&self.inner.names)
    }

    /// What was called since the last time.
    pub fn take(&self) -> Calls {
        std::mem::take(&mut lock(&self.inner.calls))
    }

    /// A look at it without taking it.
    pub fn peek(&self) -> Calls {
        lock(&self.inner.calls).clone()
    }

    /// When the last call came.
    pub fn last_call(&self) -> Instant {
        *lock(&self.inner.last)
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: http::Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("a body");
    *lock(&inner.last) = Instant::now();
    let sent = sent(&parts, &body);
    if sent
        .get("Version")
        .is_some_and(|version| version == SERVERS)
    {
        return answer(
            StatusCode::OK,
            describe_network_interfaces(&sent).to_string().into(),
        );
    }
    let (status, headers, answered) = forward(&inner, &parts, body).await;
    note(&inner, &sent, status, &answered);
    let mut response = answer(status, answered);
    if let Some(kind) = headers.get("content-type") {
        response.headers_mut().insert("content-type", kind.clone());
    }
    response
}

fn answer(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    response
}

async fn forward(inner: &Inner, parts: &Parts, body: Bytes) -> (StatusCode, HeaderMap, Bytes) {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers.clone();
    headers.remove("content-length");
    let sent = inner
        .http
        .request(parts.method.clone(), format!("{}{path}", inner.target))
        .headers(headers)
        .body(body)
        .send()
        .await
        .expect("the emulator answers");
    let (status, headers) = (sent.status(), sent.headers().clone());
    (status, headers, sent.bytes().await.expect("an answer"))
}

/// Parameters of a call of either family, action and version among them.
fn sent(parts: &Parts, body: &[u8]) -> BTreeMap<String, String> {
    let query = parts.uri.query().unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body));
    let mut all: BTreeMap<String, String> = pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    for (name, header) in [("Action", "x-acs-action"), ("Version", "x-acs-version")] {
        let value = parts
            .headers
            .get(header)
            .and_then(|value| value.to_str().ok());
        if let Some(value) = value {
            all.entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }
    all
}

fn note(inner: &Inner, sent: &BTreeMap<String, String>, status: StatusCode, answered: &[u8]) {
    let answer: Value = serde_json::from_slice(answered).unwrap_or_default();
    let outcome = match status.is_success() {
        true => "ok",
        false => answer["Code"].as_str().unwrap_or("?"),
    };
    let mut names = lock(&inner.names);
    names.learn(sent, &answer);
    let line = names.plain(&call_line(sent, outcome));
    let mut calls = lock(&inner.calls);
    if is_mutating(sent.get("Action").map_or("", String::as_str)) {
        calls.writes.push((lane(sent, &names), line));
    } else {
        let count = calls.reads.entry(line).or_default();
        // How often one has to ask for a job is a matter of time.
        *count = if sent
            .get("Action")
            .is_some_and(|action| action == "GetJobStatus")
        {
            1
        } else {
            *count + 1
        };
    }
}
