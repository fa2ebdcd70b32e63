//! The traffic path: front door of the API Gateway, VPC authorization, load balancer, listener,
//! server group, server.
//!
//! Every hop is looked up in the emulated objects at the time of the request; what is missing or
//! stopped there fails here as it does in the cloud.

mod address;
mod admit;
pub mod alb;
mod backend;
mod consumer;
mod failure;
mod forward;
mod incoming;
mod parameters;
mod path;
mod route;
mod runtime;
mod signature;
mod throttle;
pub mod tls;

#[cfg(test)]
mod chain_tests;
#[cfg(test)]
mod guard_tests;
#[cfg(test)]
mod testing;

use axum::extract::Request;
use axum::response::Response;
use jiff::Timestamp;

use crate::state::AppState;
use crate::world::World;
use admit::Admitted;
use failure::Failure;
use incoming::Incoming;

pub use runtime::Runtime;

/// What the public second-level domains of all groups end in.
const PUBLIC_SUFFIX: &str = ".alicloudapi.com";

/// Whether `host` (the Host header without its port) is a domain of an API group, so that the
/// request is traffic and no API call.
pub fn is_front_door(world: &World, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host.ends_with(PUBLIC_SUFFIX)
        || world
            .cloudapi
            .groups
            .values()
            .any(|group| route::custom_domain(&group.value, &host).is_some())
}

/// Serves one request of a consumer; `secure` says whether it came over TLS.
///
/// The address of the client is taken from the extension
/// [`axum::extract::ConnectInfo`]`<`[`std::net::SocketAddr`]`>` of the request; loopback without it.
pub async fn serve(state: AppState, request: Request, secure: bool) -> Response {
    let request_id = crate::ids::Ids::new(format!("{:032x}", rand::random::<u128>())).uuid();
    let outcome = exchange(&state, request, secure, &request_id).await;
    failure::finish(outcome, &request_id)
}

async fn exchange(
    state: &AppState,
    request: Request,
    secure: bool,
    request_id: &str,
) -> Result<Response, Failure> {
    let incoming = Incoming::read(request, secure).await?;
    let now = Timestamp::now();
    // The lock is held for this decision only, never while talking to a backend.
    let admitted = admit::admit(&state.world(), state.traffic(), &incoming, now)?;
    tracing::debug!(api = %admitted.api_id, stage = %admitted.stage, "a request was admitted");
    match admitted.service().is_mock() {
        true => forward::mocked(&admitted),
        false => send(state, &incoming, &admitted, request_id, now).await,
    }
}

async fn send(
    state: &AppState,
    incoming: &Incoming,
    admitted: &Admitted,
    request_id: &str,
    now: Timestamp,
) -> Result<Response, Failure> {
    let target = backend::target(&state.world(), state.traffic(), admitted)?;
    let outgoing = parameters::outgoing(incoming, admitted, &target, request_id, now)?;
    forward::forward(state.http(), &target, outgoing, admitted.timeout()).await
}
