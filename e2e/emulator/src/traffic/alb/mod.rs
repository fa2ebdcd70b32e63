//! Traffic of an application load balancer: listener, rules by priority, server group, server.
//!
//! A request says in the header `x-emulated-alb` to which load balancer it was sent, by DNS name or
//! address, with a port if that is not the usual one; its `Host` is then free. A client that takes the
//! emulator for its HTTP proxy says the same by the place in the request line.
//!
//! A load balancer may also be given [listeners](crate::Running::open) of its own.
//!
//! Not played: rules for answers, mirroring, CORS, sticky sessions, HTTP/2, health checks (a server
//! that does not take the connection is passed over).

mod act;
mod certificates;
mod choose;
mod conditions;
mod forward;
mod place;
mod websocket;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;

use super::incoming::Incoming;
use crate::alb::{Direction, Listener, Rule};
use crate::state::AppState;
use crate::world::World;
use act::Outcome;
use websocket::Opening;

pub(crate) use certificates::tls;
pub use place::{Place, place};

/// The header that says to which load balancer a request was sent.
pub const PLACE_HEADER: &str = "x-emulated-alb";

/// The header of an answer that comes from the emulated network or load balancer and not from a
/// server; it says why.
pub const REASON_HEADER: &str = "x-emulated-alb-reason";

/// What is to be done with a request, decided under the lock.
struct Decision {
    outcome: Outcome,
    timeout: std::time::Duration,
}

/// Serves one request to a load balancer; `secure` says whether it came over TLS.
pub async fn serve(state: AppState, place: Place, mut request: Request, secure: bool) -> Response {
    let opening = Opening::of(&mut request);
    let incoming = match Incoming::read(request, secure).await {
        Ok(incoming) => incoming,
        Err(_) => return own(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"),
    };
    let decision = decide(&state, &place, &incoming);
    match decision {
        Ok(Decision { outcome, timeout }) => match outcome {
            Outcome::Answer(response) => response,
            Outcome::Forward(outgoing) => forward::send(&state, *outgoing, opening, timeout).await,
        },
        Err((status, reason)) => own(status, reason),
    }
}

/// The listener and rule, and what they make of the request.
fn decide(
    state: &AppState,
    place: &Place,
    incoming: &Incoming,
) -> Result<Decision, (StatusCode, &'static str)> {
    let world = state.world();
    let now = Timestamp::now();
    let listener = listener(&world, place, incoming.secure, now)?;
    let rule = rule(&world, listener, incoming, now);
    tracing::debug!(listener = %listener.id, rule = rule.map(|rule| rule.id.as_str()), "a request to a load balancer");
    let outcome = act::carry_out(&world, state.traffic(), listener, rule, incoming, now);
    let seconds = u64::try_from(listener.request_timeout).unwrap_or(60);
    Ok(Decision {
        outcome,
        timeout: std::time::Duration::from_secs(seconds),
    })
}

fn listener<'a>(
    world: &'a World,
    place: &Place,
    secure: bool,
    now: Timestamp,
) -> Result<&'a Listener, (StatusCode, &'static str)> {
    let refused = |reason| Err((StatusCode::BAD_GATEWAY, reason));
    let Some(balancer) = place.balancer(world) else {
        return refused("no such load balancer");
    };
    if balancer.status(now, world.alb.settling) == "Provisioning" {
        return refused("the load balancer is not there yet");
    }
    let mut listeners = world.alb.listeners.values().map(|listener| &listener.value);
    let found = listeners.find(|listener| {
        listener.load_balancer_id == balancer.id
            && listener.port == place.port
            && listener.protocol != "QUIC"
    });
    match found {
        None => refused("connection refused: no listener on this port"),
        Some(listener) if listener.stopped => {
            refused("connection refused: the listener is stopped")
        }
        Some(listener) if (listener.protocol == "HTTPS") != secure => {
            refused("the listener speaks the other of HTTP and HTTPS")
        }
        Some(listener) => Ok(listener),
    }
}

/// The first rule whose conditions are all met. A rule counts as soon as it is made.
fn rule<'a>(
    world: &'a World,
    listener: &Listener,
    incoming: &Incoming,
    now: Timestamp,
) -> Option<&'a Rule> {
    let mut rules = world.alb.rules_of(&listener.id).into_iter();
    rules.find(|rule| {
        rule.direction == Direction::Request
            && rule.status(now, world.alb.settling) != "Provisioning"
            && rule
                .conditions
                .iter()
                .all(|condition| conditions::met(condition, incoming))
    })
}

/// An answer of the load balancer itself.
fn own(status: StatusCode, reason: &'static str) -> Response {
    let mut response = Response::new(Body::from(format!("{reason}\n")));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(REASON_HEADER, HeaderValue::from_static(reason));
    response
}
