//! A request as it came in, with its body read.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request};
use http::{HeaderMap, Method};

use super::failure::Failure;

/// The largest body on the shared instance.
const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// The largest request line.
const URL_LIMIT: usize = 8 * 1024;

/// A request of a consumer.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) method: Method,
    /// The path as it was sent.
    pub(super) path: String,
    /// The query as it was sent.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The Host header in lower case without its port.
    pub(super) host: String,
    /// The Host header as it was sent.
    pub(super) host_header: String,
    pub(super) client: IpAddr,
    pub(super) secure: bool,
}

impl Incoming {
    pub(super) async fn read(request: Request, secure: bool) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        if parts
            .uri
            .path_and_query()
            .is_some_and(|line| line.as_str().len() > URL_LIMIT)
        {
            return Err(Failure::url_too_large());
        }
        let body = axum::body::to_bytes(body, BODY_LIMIT)
            .await
            .map_err(|_| Failure::body_too_large())?;
        let header = parts
            .headers
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok());
        let authority = parts.uri.authority().map(http::uri::Authority::as_str);
        let host_header = header.or(authority).unwrap_or_default().to_owned();
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(address)| address.ip());
        Ok(Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
            host: without_port(&host_header).to_ascii_lowercase(),
            host_header,
            client: peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            secure,
        })
    }

    /// The text of a header; empty if it is absent or not text.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Names and values of the query, decoded, in the order they came.
    pub(super) fn query_pairs(&self) -> Vec<(String, String)> {
        pairs(self.query.as_bytes())
    }

    /// Names and values of a form body, decoded; empty for any other body.
    pub(super) fn form_pairs(&self) -> Vec<(String, String)> {
        match self
            .header("content-type")
            .to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded")
        {
            true => pairs(&self.body),
            false => Vec::new(),
        }
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
