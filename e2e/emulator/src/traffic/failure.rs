//! What the gateway itself answers: six-character codes in `X-Ca-Error-Code`, the words in
//! `X-Ca-Error-Message`, a request id on every answer (document "Error codes for API Gateway
//! instances of the VPC type").

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};

/// An answer of the gateway in place of the backend's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(super) fn invalid_domain(host: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "I404DO",
            format!("Invalid Domain `{host}`"),
        )
    }

    pub(super) fn internet_disabled() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "A403IN",
            "Access from internet is disabled",
        )
    }

    pub(super) fn invalid_stage(stage: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "I400SG",
            format!("Invalid Stage `{stage}`"),
        )
    }

    pub(super) fn api_not_found(method: &str, path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "I404NF",
            format!("API not found with `{method} {path}`"),
        )
    }

    pub(super) fn protocol(protocol: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "I403PT",
            format!("Invalid protocol {protocol} unsupported"),
        )
    }

    pub(super) fn body_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "I413RL",
            "Request body too Large",
        )
    }

    pub(super) fn url_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "I413UL",
            "Request URL too Large",
        )
    }

    pub(super) fn header_invalid(name: &str, reason: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "I400HD",
            format!("Invalid Header `{name}` {reason}"),
        )
    }

    pub(super) fn header_missing(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "I400MH",
            format!("Header `{name}` is Required"),
        )
    }

    pub(super) fn parameter_missing(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "I400MP",
            format!("Parameter `{name}` is required"),
        )
    }

    pub(super) fn parameter_invalid(name: &str, reason: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "I400IP",
            format!("Invalid parameter `{name}`: {reason}"),
        )
    }

    pub(super) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "A400MA",
            "Need authorization, `X-Ca-Key` or `Authorization: APPCODE ...` is required",
        )
    }

    pub(super) fn app_code() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "A400AC", "Invalid AppCode")
    }

    pub(super) fn app_key() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "A400IK", "Invalid AppKey")
    }

    /// The text that the gateway signed, with `#` for line ends as headers cannot carry them.
    pub(super) fn signature(string_to_sign: &str) -> Self {
        let shown = string_to_sign.replace('\n', "#");
        Self::new(
            StatusCode::FORBIDDEN,
            "A403IS",
            format!("Invalid Signature, Server StringToSign:`{shown}`"),
        )
    }

    pub(super) fn timestamp() -> Self {
        Self::new(StatusCode::FORBIDDEN, "S403TE", "X-Ca-Timestamp is expired")
    }

    pub(super) fn nonce_missing() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "I400NC", "X-Ca-Nonce is required")
    }

    pub(super) fn nonce_used() -> Self {
        Self::new(StatusCode::FORBIDDEN, "S403NU", "Nonce Used")
    }

    pub(super) fn unauthorized(reason: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "I403AA",
            format!("Unauthorized: {reason}"),
        )
    }

    pub(super) fn grant_expired() -> Self {
        Self::new(StatusCode::FORBIDDEN, "A403EP", "Authorization is expired")
    }

    pub(super) fn address() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "A403IP",
            "Access denied by IP Control Policy",
        )
    }

    pub(super) fn domain_throttled(host: &str) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "T429ID",
            format!(
                "Throttled by INNER DOMAIN Flow Control, {host} is a test domain, only 1000 requests per day"
            ),
        )
    }

    /// A limit of a plugin, or of a classic policy.
    pub(super) fn throttled(by_plugin: bool, what: &str) -> Self {
        let code = if by_plugin { "T429PR" } else { "T429PA" };
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            code,
            format!("Throttled by {what} Flow Control"),
        )
    }

    pub(super) fn vpc(reason: &str) -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "X504VE",
            format!("Backend service vpc mapped failed: {reason}"),
        )
    }

    pub(super) fn connect(reason: &str) -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "D504CO",
            format!("Backend service connect failed `{reason}`"),
        )
    }

    pub(super) fn tls(reason: &str) -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "D504CS",
            format!("Backend http ssl connect failed `{reason}`"),
        )
    }

    pub(super) fn timed_out() -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "D504TO",
            "Backend service request timeout",
        )
    }

    pub(super) fn broken_answer(reason: &str) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "N502RE",
            format!("Backend service response failed `{reason}`"),
        )
    }

    /// Something that the cloud carries and this emulator does not: refused rather than let through.
    pub(super) fn not_emulated(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "E501NE",
            format!("This emulator does not carry traffic through {what}"),
        )
    }

    pub(super) fn internal(reason: &str) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "X500ER",
            format!("Service Internal Error: {reason}"),
        )
    }

    fn into_response(self) -> Response {
        tracing::debug!(code = self.code, message = %self.message, "a request was refused");
        let mut response = Response::new(Body::from(self.message.clone()));
        *response.status_mut() = self.status;
        put(&mut response, "x-ca-error-code", self.code);
        put(&mut response, "x-ca-error-message", &self.message);
        put(&mut response, "content-type", "text/plain; charset=utf-8");
        response
    }
}

/// The final answer, with its request id.
pub(super) fn finish(outcome: Result<Response, Failure>, request_id: &str) -> Response {
    let mut response = outcome.unwrap_or_else(Failure::into_response);
    put(&mut response, "x-ca-request-id", request_id);
    response
}

/// Sets a header; characters that a header cannot carry become `?`.
fn put(response: &mut Response, name: &'static str, value: &str) {
    let safe: String = value
        .chars()
        .map(|c| if (' '..='~').contains(&c) { c } else { '?' })
        .collect();
    if let Ok(value) = HeaderValue::from_str(&safe) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}
