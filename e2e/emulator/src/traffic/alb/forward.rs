//! The request to a server, and its answer.

use std::net::SocketAddr;
use std::time::Duration;

use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};

use super::act::Outgoing;
use super::own;
use super::websocket::Opening;
use crate::state::AppState;
use crate::traffic::forward::passed_on;

/// Sends a request to the first server that takes the connection. What opens a WebSocket keeps the
/// connection if the server agrees.
pub(super) async fn send(
    state: &AppState,
    mut outgoing: Outgoing,
    opening: Option<Opening>,
    timeout: Duration,
) -> Response {
    if opening.is_some() {
        let upgrade = HeaderValue::from_static("upgrade");
        outgoing.headers.insert(CONNECTION, upgrade);
    }
    let answer = tokio::time::timeout(timeout, to_any(state, &outgoing, opening)).await;
    answer.unwrap_or_else(|_| {
        own(
            StatusCode::GATEWAY_TIMEOUT,
            "the server did not answer in time",
        )
    })
}

async fn to_any(state: &AppState, outgoing: &Outgoing, opening: Option<Opening>) -> Response {
    for (address, port) in &outgoing.servers {
        let place = SocketAddr::new(*address, *port);
        let url = format!("http://{place}{}", outgoing.path_and_query);
        let request = state
            .http()
            .request(outgoing.method.clone(), url)
            .headers(outgoing.headers.clone())
            .body(outgoing.body.clone());
        match request.send().await {
            Ok(answer) => {
                if let Some(opening) = opening
                    && answer.status() == StatusCode::SWITCHING_PROTOCOLS
                {
                    return opening.join(answer, state.stopping().clone());
                }
                let broken = |_| own(StatusCode::BAD_GATEWAY, "the server's answer broke off");
                return passed_on(answer).await.unwrap_or_else(broken);
            }
            // Nothing was sent yet, so the next server may be tried.
            Err(error) if error.is_connect() => {
                tracing::debug!(%place, %error, "a server did not take the connection");
            }
            Err(_) => {
                return own(
                    StatusCode::BAD_GATEWAY,
                    "the server broke the connection off",
                );
            }
        }
    }
    own(StatusCode::BAD_GATEWAY, "no server takes connections")
}
