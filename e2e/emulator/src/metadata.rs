//! Where programs find temporary keys: the credentials URI and the instance metadata service.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::dispatch::json_response;
use crate::ids::Ids;
use crate::state::AppState;
use crate::sts::{Grant, issue, wire_time};

/// The RAM role of the emulated instance.
pub(crate) const INSTANCE_ROLE: &str = "KubernetesWorkerRole";

/// Metadata tokens and when they end.
#[derive(Debug, Default)]
pub(crate) struct MetadataTokens {
    valid: HashMap<String, Instant>,
}

impl MetadataTokens {
    fn hand_out(&mut self, lifetime: Duration) -> String {
        let now = Instant::now();
        self.valid.retain(|_, end| *end > now);
        let token = Ids::new(format!("{:032x}", rand::random::<u128>())).secret(56);
        self.valid.insert(token.clone(), now + lifetime);
        token
    }

    fn knows(&self, token: &str) -> bool {
        self.valid
            .get(token)
            .is_some_and(|end| *end > Instant::now())
    }
}

/// `GET /_emulator/credentials[?seconds=N]`, the format of `ALIBABA_CLOUD_CREDENTIALS_URI`.
pub(crate) fn credentials_uri(state: &AppState, query: &str) -> Response {
    let asked = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "seconds");
    let seconds = match asked.map(|(_, value)| value.parse::<i64>()) {
        None => 3600,
        Some(Ok(seconds)) if (0..=86_400).contains(&seconds) => seconds,
        Some(_) => {
            let body = json!({"Code": "InvalidSeconds", "Message": "seconds must be a number from 0 to 86400"});
            return json_response(StatusCode::BAD_REQUEST, &body);
        }
    };
    json_response(StatusCode::OK, &keys(state, "credentials-uri", seconds))
}

/// The metadata service below `/_emulator/imds`; `path` begins with `/latest`.
pub(crate) fn instance_metadata(
    state: &AppState,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Response {
    if path == "/latest/api/token" {
        return token(state, method, headers);
    }
    let token = headers
        .get("x-aliyun-ecs-metadata-token")
        .and_then(|value| value.to_str().ok());
    if !token.is_some_and(|token| state.metadata_tokens().knows(token)) {
        return StatusCode::FORBIDDEN.into_response();
    }
    match path
        .strip_prefix("/latest/meta-data/ram/security-credentials")
        .map(|rest| rest.trim_matches('/'))
    {
        Some("") => INSTANCE_ROLE.into_response(),
        Some(INSTANCE_ROLE) => json_response(StatusCode::OK, &keys(state, INSTANCE_ROLE, 6 * 3600)),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn token(state: &AppState, method: &Method, headers: &HeaderMap) -> Response {
    if method != Method::PUT {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let lifetime = headers
        .get("x-aliyun-ecs-metadata-token-ttl-seconds")
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        .filter(|seconds| (1..=21_600).contains(seconds));
    match lifetime {
        Some(seconds) => state
            .metadata_tokens()
            .hand_out(Duration::from_secs(seconds))
            .into_response(),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn keys(state: &AppState, role: &str, seconds: i64) -> Value {
    let now = Timestamp::now();
    let mut world = state.world();
    let grant = Grant {
        role_arn: format!("acs:ram::{}:role/{}", world.account_id, role.to_lowercase()),
        session_name: role.to_owned(),
        expires: now + SignedDuration::from_secs(seconds),
    };
    let (id, session) = issue(&mut world, grant, now);
    drop(world);
    state.mark_changed();
    json!({
        "Code": "Success",
        "AccessKeyId": id,
        "AccessKeySecret": session.secret,
        "SecurityToken": session.token,
        "LastUpdated": wire_time(now),
        "Expiration": wire_time(session.expires),
    })
}
