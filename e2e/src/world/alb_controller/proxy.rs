//! The HTTP proxy by which the real controller reaches the emulated cloud: whatever host it asks for is
//! the emulator, but for the two products that the emulator does not have.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use alicloud_emulator::ccm::describe_network_interfaces;
use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use form_urlencoded::parse;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// Versions by which products are told apart: ECS, and the certificate service.
const ECS: &str = "2014-05-26";
const CERTIFICATES: &str = "2020-06-19";

/// It listens until it is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

struct Behind {
    cloud: String,
    region: String,
    http: reqwest::Client,
    /// Names of the certificates that were uploaded.
    certificates: Mutex<Vec<String>>,
}

impl Proxy {
    pub(super) async fn start(cloud: String, region: String) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let http = reqwest::Client::builder().no_proxy().build();
        let behind = Behind {
            cloud,
            region,
            http: http.map_err(io::Error::other)?,
            certificates: Mutex::default(),
        };
        let router = Router::new().fallback(answer).with_state(Arc::new(behind));
        let serving = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { address, serving })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(behind): State<Arc<Behind>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let pairs = parse(query).chain(parse(&body));
    let parameters: BTreeMap<String, String> = pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let (status, answer) = match parameters.get("Version").map(String::as_str) {
        Some(ECS) => (StatusCode::OK, describe_network_interfaces(&parameters)),
        Some(CERTIFICATES) => (StatusCode::OK, behind.certificates(&parameters)),
        _ => match behind.forward(parts, body).await {
            Ok(answer) => answer,
            Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        },
    };
    (status, axum::Json(answer)).into_response()
}

impl Behind {
    async fn forward(&self, parts: Parts, body: Bytes) -> reqwest::Result<(StatusCode, Value)> {
        let query = parts.uri.query().unwrap_or_default();
        let url = format!("{}/?{query}", self.cloud);
        let mut request = self.http.request(parts.method, url);
        for name in [header::CONTENT_TYPE, header::ACCEPT] {
            if let Some(value) = parts.headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let answer = request.body(body).send().await?;
        Ok((answer.status(), answer.json().await?))
    }

    /// `CreateSSLCertificateWithName` keeps what it is given and numbers it, `DescribeSSLCertificateList`
    /// lists that.
    fn certificates(&self, parameters: &BTreeMap<String, String>) -> Value {
        let certificates = self.certificates.lock();
        let mut certificates = certificates.unwrap_or_else(PoisonError::into_inner);
        let id = |at: usize| format!("{}-{}", at + 1, self.region);
        if let Some(name) = parameters.get("CertName") {
            certificates.push(name.clone());
            return json!({"RequestId": "r", "CertIdentifier": id(certificates.len() - 1)});
        }
        let all = certificates.iter().enumerate();
        let all: Vec<Value> = all
            .map(|(at, name)| json!({"CertName": name, "CertIdentifier": id(at)}))
            .collect();
        json!({
            "RequestId": "r", "CurrentPage": 1, "PageCount": 1, "ShowSize": all.len(), "TotalCount": all.len(),
            "CertMetaList": all,
        })
    }
}
