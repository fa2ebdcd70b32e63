//! Stands between a controller and the emulator: notes every call with all it said, and answers for
//! the products that the emulator does not have.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use alicloud_emulator::ccm::describe_network_interfaces;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What is not about the call itself, or differs each time.
const PROTOCOL: [&str; 13] = [
    "AccessKeyId",
    "Action",
    "ClientToken",
    "Format",
    "RegionId",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

const ECS: &str = "2014-05-26";
const CERTIFICATES: &str = "2020-06-19";

/// One call and its answer.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) action: String,
    pub(super) parameters: BTreeMap<String, String>,
    /// `ok`, or the code of the refusal.
    pub(super) outcome: String,
    pub(super) answer: Value,
}

#[derive(Clone)]
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    emulator: String,
    http: reqwest::Client,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Relay {
    /// Begins to listen; `emulator` is a URL.
    pub(super) async fn start(emulator: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let relay = Self {
            address: listener.local_addr().expect("its address"),
            emulator,
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            calls: Arc::default(),
        };
        let router = Router::new().fallback(pass_on).with_state(relay.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        relay
    }

    /// All calls so far, in the order in which they were answered.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn forwarded(&self, parts: http::request::Parts, body: Bytes) -> (u16, Value) {
        let query = parts.uri.query().unwrap_or_default();
        let mut request = self
            .http
            .request(parts.method, format!("{}/?{query}", self.emulator));
        for (name, value) in &parts.headers {
            if name == http::header::CONTENT_TYPE || name == http::header::ACCEPT {
                request = request.header(name, value);
            }
        }
        let answer = request
            .body(body)
            .send()
            .await
            .expect("the emulator answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    fn note(&self, mut parameters: BTreeMap<String, String>, status: u16, answer: &Value) {
        let action = parameters.get("Action").cloned().unwrap_or_default();
        parameters.retain(|name, _| !PROTOCOL.contains(&name.as_str()));
        let outcome = match status {
            200 => "ok",
            _ => answer["Code"].as_str().unwrap_or("?"),
        };
        let call = Call {
            action,
            parameters,
            outcome: outcome.to_owned(),
            answer: answer.clone(),
        };
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(call);
    }
}

async fn pass_on(State(relay): State<Relay>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("a body");
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let pairs = form_urlencoded::parse(query).chain(form_urlencoded::parse(&body));
    let parameters: BTreeMap<String, String> = pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let (status, answer) = match parameters.get("Version").map(String::as_str) {
        Some(ECS) => (200, describe_network_interfaces(&parameters)),
        Some(CERTIFICATES) => (200, certificates(&relay, &parameters)),
        _ => relay.forwarded(parts, body).await,
    };
    relay.note(parameters, status, &answer);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    (status, axum::Json(answer)).into_response()
}

/// The certificate product keeps what it is given, and numbers it.
fn certificates(relay: &Relay, parameters: &BTreeMap<String, String>) -> Value {
    let action = parameters
        .get("Action")
        .map(String::as_str)
        .unwrap_or_default();
    let calls = relay.calls();
    let kept = calls
        .iter()
        .filter(|call| call.action == "CreateSSLCertificateWithName");
    match action {
        "CreateSSLCertificateWithName" => {
            let number = kept.count() + 10_000_001;
            json!({"RequestId": "r", "CertIdentifier": format!("{number}-cn-hangzhou")})
        }
        _ => {
            let kept = kept.map(|call| {
                let (name, id) = (
                    call.parameters.get("CertName"),
                    &call.answer["CertIdentifier"],
                );
                json!({"CertName": name, "CertIdentifier": id})
            });
            let kept: Vec<Value> = kept.collect();
            json!({"RequestId": "r", "TotalCount": kept.len(), "CertMetaList": kept, "PageCount": 1})
        }
    }
}
