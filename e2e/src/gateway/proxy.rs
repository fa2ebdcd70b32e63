//! One request through the gateway.

use std::sync::{Arc, PoisonError, RwLock};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, uri::PathAndQuery},
    response::{IntoResponse as _, Response},
};
use hyper_util::client::legacy::{Client, connect::HttpConnector};

use super::{Backends, PathRoute, Routes, Upstream};

/// Headers that speak of one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What the gateway knows at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) routes: Routes,
    pub(super) backends: Backends,
}

/// The snapshot in force and the connections to backends.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    snapshot: Arc<RwLock<Arc<Snapshot>>>,
    client: Client<HttpConnector, Body>,
}

impl Proxy {
    pub(super) fn new(client: Client<HttpConnector, Body>) -> Self {
        Self {
            snapshot: Arc::default(),
            client,
        }
    }

    pub(super) fn publish(&self, snapshot: Snapshot) {
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Handles any request.
pub(super) async fn handle(State(proxy): State<Proxy>, mut request: Request) -> Response {
    let Some(host) = host(&request) else {
        return respond(StatusCode::BAD_REQUEST, "");
    };
    let snapshot = proxy.snapshot();
    let Some(route) = snapshot
        .routes
        .find(&host, request.uri().path(), request.headers())
    else {
        return respond(StatusCode::NOT_FOUND, "");
    };
    let Some(upstream) = route.upstream(rand::random()) else {
        return respond(StatusCode::SERVICE_UNAVAILABLE, "no healthy upstream");
    };
    let ready = snapshot
        .backends
        .ready(&upstream.namespace, &upstream.service, &upstream.port);
    let Some(address) = pick(ready) else {
        return respond(StatusCode::SERVICE_UNAVAILABLE, "no healthy upstream");
    };
    if prepare(&mut request, &address.to_string(), &host, route, upstream).is_err() {
        return respond(StatusCode::BAD_REQUEST, "");
    }
    match proxy.client.request(request).await {
        Ok(mut response) => {
            remove_hop_by_hop(response.headers_mut());
            response.into_response()
        }
        Err(error) => {
            tracing::debug!(%address, %error, "no answer from the backend");
            respond(
                StatusCode::SERVICE_UNAVAILABLE,
                "upstream connect error or disconnect/reset before headers",
            )
        }
    }
}

fn pick<T>(among: &[T]) -> Option<&T> {
    among.get(rand::random_range(0..among.len().max(1)))
}

fn host(request: &Request) -> Option<String> {
    let header = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let host = request
        .uri()
        .authority()
        .map(|authority| authority.as_str())
        .or(header)?;
    (!host.is_empty()).then(|| host.to_owned())
}

/// Makes the request that came the one to send.
fn prepare(
    request: &mut Request,
    address: &str,
    host: &str,
    route: &PathRoute,
    upstream: &Upstream,
) -> Result<(), axum::http::Error> {
    let path = request
        .uri()
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::builder()
        .scheme("http")
        .authority(address)
        .path_and_query(path)
        .build()?;
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    let host = route.rewrite_host.as_deref().unwrap_or(host);
    headers.insert(header::HOST, HeaderValue::try_from(host)?);
    for (name, value) in &upstream.headers {
        headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(())
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn respond(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::SERVER, "istio-envoy")], body).into_response()
}
