//! One attempt of one call: sign, send, read the answer.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use crate::call::RpcCall;
use crate::credentials::Credentials;
use crate::error::{CloudError, Effect, ErrorClass};
use crate::error_codes::{classify, effect};
use crate::operations::Operation;
use crate::sign::{self, Key, Request};

/// Random and unique to one attempt.
pub(crate) fn nonce() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// What an attempt gave, with the request id wherever there was one.
pub(crate) struct Attempt {
    pub(crate) result: Result<Value, CloudError>,
    pub(crate) request_id: Option<String>,
}

pub(crate) async fn attempt(
    http: &reqwest::Client,
    base_url: &str,
    call: &RpcCall,
    credentials: &Credentials,
    now: Timestamp,
    timeout: Duration,
) -> Attempt {
    let operation = call.operation;
    let request = match build(http, base_url, call, credentials, now) {
        Ok(request) => request.timeout(timeout),
        Err(error) => return error.into(),
    };
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return transport_error(operation, error).into(),
    };
    let status = answer.status().as_u16();
    let retry_after = retry_after(answer.headers());
    let body = match answer.bytes().await {
        Ok(body) => body,
        Err(error) => return transport_error(operation, error).into(),
    };
    read(operation, status, retry_after, &body)
}

fn build(
    http: &reqwest::Client,
    base_url: &str,
    call: &RpcCall,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<reqwest::RequestBuilder, CloudError> {
    let query = sign::encode(&call.query);
    let body = sign::encode(&call.form);
    let address = if query.is_empty() {
        format!("{base_url}/")
    } else {
        format!("{base_url}/?{query}")
    };
    let url = Url::parse(&address).map_err(|error| {
        let message = format!("the endpoint {base_url:?} is not a URL: {error}");
        failure(
            call.operation,
            ErrorClass::Invalid,
            "InvalidEndpoint",
            message,
            Effect::None,
        )
    })?;
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let signed = Request {
        method: "POST",
        host: &host,
        action: call.operation.action(),
        version: call.operation.product().version(),
        date: &now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        nonce: &nonce(),
        query: &query,
        body: &body,
    };
    let key = Key {
        access_key_id: &credentials.access_key_id,
        secret: &credentials.secret,
        security_token: credentials.security_token.as_ref(),
    };
    let mut request = http.post(url).header("accept", "application/json");
    for (name, value) in sign::headers(&signed, &key) {
        request = request.header(name, value);
    }
    Ok(request.body(body))
}

fn read(operation: Operation, status: u16, retry_after: Option<Duration>, body: &[u8]) -> Attempt {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "PascalCase", default)]
    struct ErrorBody {
        code: Option<String>,
        message: Option<String>,
        access_denied_detail: Option<DeniedDetail>,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "PascalCase", default)]
    struct DeniedDetail {
        auth_action: Option<String>,
    }
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let request_id = value
        .as_ref()
        .and_then(|value| value.get("RequestId"))
        .and_then(Value::as_str)
        .map(str::to_owned);
    let value = match value {
        Some(value @ Value::Object(_)) if (200..300).contains(&status) => {
            return Attempt {
                result: Ok(value),
                request_id,
            };
        }
        other => other.unwrap_or_default(),
    };
    let error: ErrorBody = serde_json::from_value(value).unwrap_or_default();
    let message = error.message.unwrap_or_default();
    let mut failed = match error.code {
        Some(code) => {
            let class = classify(&code, &message, status);
            let effect = effect(&code, class, status);
            let action = error
                .access_denied_detail
                .and_then(|detail| detail.auth_action)
                .or_else(|| missing(operation, &code));
            let message = words(&code, message, action);
            failure(operation, class, &code, message, effect)
        }
        // Something between us and the cloud answered, or the answer was cut.
        None => {
            let class = classify("", "", status);
            let class = if class == ErrorClass::Unknown {
                ErrorClass::Unavailable
            } else {
                class
            };
            let message = format!("status {status} with a body that is not the cloud's JSON");
            failure(
                operation,
                class,
                "UnreadableAnswer",
                message,
                effect("", class, status),
            )
        }
    };
    failed.request_id = request_id.clone();
    failed.retry_after = retry_after;
    Attempt {
        result: Err(failed),
        request_id,
    }
}

/// The permission that a refusal without details is about: an action is one permission.
fn missing(operation: Operation, code: &str) -> Option<String> {
    let codes = [
        "Forbidden.RAM",
        "NoPermission",
        "Forbidden",
        "ImplicitDeny",
        "ExplicitDeny",
    ];
    codes
        .contains(&code)
        .then(|| operation.ram_action())
        .flatten()
}

/// The cloud's message, but for those that repeat the request (parameters, perhaps secret, and what
/// changes with each attempt).
fn words(code: &str, message: String, missing: Option<String>) -> String {
    match (code, missing) {
        ("SignatureDoesNotMatch" | "IncompleteSignature", _) => {
            "the cloud computes another signature: the AccessKey secret does not belong to the \
             AccessKey id"
                .to_owned()
        }
        ("InvalidTimeStamp.Expired", _) => {
            "this machine's clock is more than 15 minutes off the cloud's".to_owned()
        }
        (_, Some(action)) => format!("{message} (the permission {action} is missing)"),
        _ => message,
    }
}

/// `x-acs-retry-after` in milliseconds, or the standard `retry-after` in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    number("x-acs-retry-after")
        .map(Duration::from_millis)
        .or_else(|| number("retry-after").map(Duration::from_secs))
}

/// Of the URL only scheme and host are told: its query may hold a secret.
fn transport_error(operation: Operation, error: reqwest::Error) -> CloudError {
    let (code, effect) = if error.is_builder() || error.is_connect() {
        ("Transport", Effect::None)
    } else if error.is_timeout() {
        ("Timeout", Effect::Unknown)
    } else {
        ("Transport", Effect::Unknown)
    };
    let place = error.url().map(|url| url.origin().ascii_serialization());
    let error = error.without_url();
    let cause = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    let message = cause.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    let message = match place {
        Some(place) => format!("{place} cannot be reached: {message}"),
        None => message,
    };
    failure(operation, ErrorClass::Unavailable, code, message, effect)
}

pub(crate) fn failure(
    operation: Operation,
    class: ErrorClass,
    code: &str,
    message: impl Into<String>,
    effect: Effect,
) -> CloudError {
    CloudError {
        class,
        operation: operation.to_string(),
        code: code.to_owned(),
        message: message.into(),
        request_id: None,
        retry_after: None,
        effect,
    }
}

impl From<CloudError> for Attempt {
    fn from(error: CloudError) -> Self {
        Self {
            result: Err(error),
            request_id: None,
        }
    }
}
