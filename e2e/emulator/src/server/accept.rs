//! Connections, with or without TLS, and where their requests go.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::dispatch::{Dropped, api_call};
use crate::state::AppState;
use crate::traffic::alb::Place;
use crate::{control, traffic};

/// The largest body of an API call; the cloud takes less.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// How long open connections may finish when the emulator stops.
const GRACE: Duration = Duration::from_secs(2);

/// Serves until the emulator stops: HTTP, and TLS for clients that begin with it. With a place, all
/// that comes is for that load balancer.
pub(super) async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    state: AppState,
    place: Option<Place>,
) {
    let stopping = state.stopping().clone();
    let connections = TaskTracker::new();
    while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                let entrance = (tls.clone(), place.clone());
                connections.spawn(connection(stream, peer, entrance, state.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!("connections were still open at the end");
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    (tls, place): (TlsAcceptor, Option<Place>),
    state: AppState,
) {
    // Small answers leave at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    match traffic::tls::accept(stream, &tls).await {
        Ok((stream, secure)) => http(stream, (peer, place), state, secure).await,
        Err(error) => tracing::debug!(%error, "the TLS handshake failed"),
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (peer, place): (SocketAddr, Option<Place>),
    state: AppState,
    secure: bool,
) {
    let stopping = state.stopping().clone();
    let service = service_fn(|mut request: http::Request<Incoming>| {
        // The front door tells callers apart by their address.
        request.extensions_mut().insert(ConnectInfo(peer));
        route(state.clone(), place.clone(), request, secure)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Traffic goes by the Host header; what is left is the emulator's own or an API call.
async fn route(
    state: AppState,
    place: Option<Place>,
    request: http::Request<Incoming>,
    secure: bool,
) -> Result<Response, Dropped> {
    let place = place.or_else(|| traffic::alb::place(&state.world(), &request, secure));
    if let Some(place) = place {
        let request = request.map(Body::new);
        return Ok(traffic::alb::serve(state, place, request, secure).await);
    }
    let host = host_name(&request);
    if traffic::is_front_door(&state.world(), &host) {
        return Ok(traffic::serve(state, request.map(Body::new), secure).await);
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(Body::new(body), BODY_LIMIT).await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    match parts.uri.path().strip_prefix("/_emulator/") {
        Some(path) => Ok(control::respond(&state, &parts, path, &body)),
        None => api_call(&state, &parts, body).await,
    }
}

/// The Host header without its port, lower case.
fn host_name<B>(request: &http::Request<B>) -> String {
    let header = request
        .headers()
        .get(http::header::HOST)
        .and_then(|value| value.to_str().ok());
    let host = header
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
        .unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(host: &str) -> String {
        host_name(
            &http::Request::builder()
                .header("host", host)
                .body(())
                .expect("a valid request"),
        )
    }

    #[test]
    fn hosts_lose_their_port_and_case() {
        assert_eq!(named("A.Example.com:8080"), "a.example.com");
        assert_eq!(named("127.0.0.1:80"), "127.0.0.1");
        assert_eq!(named("[::1]"), "[::1]");
        assert_eq!(named("[::1]:80"), "[::1]");
        assert_eq!(named("plain"), "plain");
    }
}
