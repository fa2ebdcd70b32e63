//! The emulator's own endpoints below `/_emulator/`; none of them asks for a key.

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::dispatch::json_response;
use crate::faults::{Injector, Plan};
use crate::metadata;
use crate::ram::{Policies, Policy, PolicyError};
use crate::state::AppState;
use crate::world::World;

/// Answers one request; `path` is what follows `/_emulator/`.
pub(crate) fn respond(state: &AppState, parts: &Parts, path: &str, body: &Bytes) -> Response {
    if let Some(rest) = path.strip_prefix("imds") {
        return metadata::instance_metadata(state, &parts.method, rest, &parts.headers);
    }
    match (&parts.method, path) {
        (&Method::GET, "health") => json_response(StatusCode::OK, &json!({"status": "ok"})),
        (&Method::GET, "credentials") => {
            metadata::credentials_uri(state, parts.uri.query().unwrap_or_default())
        }
        (&Method::GET, "state") => dump(state),
        (&Method::PUT, "state") => restore(state, body),
        (&Method::GET, "calls") => calls(state),
        (&Method::DELETE, "calls") => {
            state.calls().clear();
            StatusCode::NO_CONTENT.into_response()
        }
        (&Method::GET, "faults") => shown(state.faults().plan()),
        (&Method::POST, "faults") => set_faults(state, body),
        (&Method::GET, "ram") => shown(&*state.ram()),
        (&Method::PUT, "ram") => set_policies(state, body),
        (_, "health" | "credentials" | "state" | "calls" | "faults" | "ram") => problem(
            StatusCode::METHOD_NOT_ALLOWED,
            &format!("{} is not possible here", parts.method),
        ),
        _ => problem(
            StatusCode::NOT_FOUND,
            "there are health, state, calls, faults, ram, credentials and imds below /_emulator/",
        ),
    }
}

fn dump(state: &AppState) -> Response {
    shown(&*state.world())
}

fn shown(value: &impl serde::Serialize) -> Response {
    match serde_json::to_value(value) {
        Ok(value) => json_response(StatusCode::OK, &value),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Puts another world in place, for instance an earlier dump.
fn restore(state: &AppState, body: &Bytes) -> Response {
    match serde_json::from_slice::<World>(body) {
        Ok(mut world) => {
            let mut current = state.world();
            world.slb.sells_pay_by_spec = current.slb.sells_pay_by_spec;
            world.alb.settling = current.alb.settling;
            *current = world;
            drop(current);
            state.mark_changed();
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => problem(
            StatusCode::BAD_REQUEST,
            &format!("not a state of this emulator: {error}"),
        ),
    }
}

fn calls(state: &AppState) -> Response {
    let calls = state.calls().to_vec();
    let lines: String = calls
        .iter()
        .filter_map(|call| serde_json::to_string(call).ok())
        .map(|line| line + "\n")
        .collect();
    let mut response = Response::new(Body::from(lines));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    response
}

fn set_faults(state: &AppState, body: &Bytes) -> Response {
    match Plan::parse(body) {
        Ok(plan) => {
            *state.faults() = Injector::new(plan);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(message) => problem(StatusCode::BAD_REQUEST, &message),
    }
}

/// Replaces all policies: an object from the id of a key, or the ARN of a role, to its policy.
fn set_policies(state: &AppState, body: &Bytes) -> Response {
    let read = || -> Result<Policies, PolicyError> {
        let policies: Policies = serde_json::from_slice(body)?;
        policies.values().try_for_each(Policy::check)?;
        Ok(policies)
    };
    match read() {
        Ok(policies) => {
            *state.ram() = policies;
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn problem(status: StatusCode, message: &str) -> Response {
    json_response(status, &Value::from_iter([("error", message)]))
}
