//! The traffic path: front door of the API Gateway, VPC access, SLB listener, server group,
//! endpoint.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::state::AppState;
use crate::world::World;

/// What the traffic path remembers between requests without persisting it, such as counters.
#[derive(Debug, Default)]
pub struct Runtime {}

/// Whether `host` (the Host header without its port) is a domain of an API group, so that the
/// request is traffic and no API call.
pub fn is_front_door(_world: &World, _host: &str) -> bool {
    false
}

/// Serves one request of a consumer; `secure` says whether it came over TLS.
pub async fn serve(_state: AppState, _request: Request, _secure: bool) -> Response {
    StatusCode::NOT_FOUND.into_response()
}
