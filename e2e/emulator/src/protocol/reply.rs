//! Answers and error bodies.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::api::ApiError;

/// A success: the handler's object plus `RequestId`.
pub fn ok_response(answer: Value, request_id: &str) -> Response {
    let mut object = match answer {
        Value::Object(object) => object,
        _ => serde_json::Map::new(),
    };
    object.insert("RequestId".to_owned(), Value::from(request_id));
    response(StatusCode::OK, &Value::Object(object), request_id)
}

/// A refusal with the body all products share; `host` is the Host the client called.
pub fn error_response(error: &ApiError, request_id: &str, host: &str) -> Response {
    let mut body = json!({
        "RequestId": request_id,
        "HostId": host,
        "Code": error.code,
        "Message": error.message,
        "Recommend": format!("https://api.aliyun.com/troubleshoot?q={}", error.code),
    });
    if let Some(detail) = &error.access_denied {
        body["AccessDeniedDetail"] = detail.clone();
    }
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = response(status, &body, request_id);
    if let Some(wait) = error.retry_after {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        response
            .headers_mut()
            .insert("x-acs-retry-after", HeaderValue::from(millis));
    }
    response
}

fn response(status: StatusCode, body: &Value, request_id: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json;charset=utf-8"),
    );
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-acs-request-id", id);
    }
    response
}
