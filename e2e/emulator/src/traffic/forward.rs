//! The request to the backend and its answer, or the answer of a mock.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, StatusCode};

use super::admit::Admitted;
use super::backend::Target;
use super::failure::Failure;
use super::parameters::Outgoing;

/// Sends a request to the first server that takes the connection, within the time of the service.
pub(super) async fn forward(
    client: &reqwest::Client,
    target: &Target,
    outgoing: Outgoing,
    timeout: Duration,
) -> Result<Response, Failure> {
    let attempt = tokio::time::timeout(timeout, to_any(client, target, &outgoing));
    attempt.await.map_err(|_| Failure::timed_out())?
}

async fn to_any(
    client: &reqwest::Client,
    target: &Target,
    outgoing: &Outgoing,
) -> Result<Response, Failure> {
    let mut last = "no server behind the listener".to_owned();
    for (address, port) in &target.servers {
        let place = std::net::SocketAddr::new(*address, *port);
        let url = format!("http://{place}{}", outgoing.path_and_query);
        let request = client
            .request(outgoing.method.clone(), url)
            .headers(outgoing.headers.clone())
            .body(outgoing.body.clone());
        match request.send().await {
            Ok(answer) => return passed_on(answer).await,
            // Nothing was sent yet, so the next server may be tried, as health checks would have it.
            Err(error) if error.is_connect() => last = format!("{place}: {}", root(&error)),
            Err(error) => return Err(Failure::broken_answer(&root(&error))),
        }
    }
    match target.layer7 {
        // A load balancer that speaks HTTP answers by itself.
        true if target.servers.is_empty() => Ok(plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "503 Service Temporarily Unavailable",
        )),
        true => Ok(plain(StatusCode::BAD_GATEWAY, "502 Bad Gateway")),
        false => Err(Failure::connect(&last)),
    }
}

pub(super) async fn passed_on(answer: reqwest::Response) -> Result<Response, Failure> {
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let body = answer
        .bytes()
        .await
        .map_err(|error| Failure::broken_answer(&root(&error)))?;
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The answer of an API in mock mode.
pub(super) fn mocked(admitted: &Admitted) -> Result<Response, Failure> {
    let service = admitted.service();
    let code = service
        .mock_status_code
        .and_then(|code| u16::try_from(code).ok())
        .unwrap_or(200);
    let status =
        StatusCode::from_u16(code).map_err(|_| Failure::internal("the status of the mock"))?;
    let mut response = plain(status, &service.mock_result);
    for header in &service.mock_headers {
        let name = HeaderName::from_bytes(header.header_name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&header.header_value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

fn plain(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response
}

/// The innermost reason of an error.
fn root(error: &dyn std::error::Error) -> String {
    let mut reason = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}
