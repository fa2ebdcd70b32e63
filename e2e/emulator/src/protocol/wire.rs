//! A call as it came over the wire.

use axum::body::Bytes;
use http::{HeaderMap, header};

/// Method, host, query, form and headers of one call.
#[derive(Debug, Clone)]
pub struct Wire {
    /// `GET` or `POST`.
    pub method: String,
    /// The request's path; `/` for all RPC calls.
    pub path: String,
    /// The decoded query string.
    pub query: Vec<(String, String)>,
    /// The decoded form body, empty when the body is none.
    pub form: Vec<(String, String)>,
    /// All headers.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Bytes,
}

impl Wire {
    /// Decodes the parts of a request.
    pub fn new(parts: &http::request::Parts, body: Bytes) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let is_form = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| {
                kind.to_ascii_lowercase()
                    .starts_with("application/x-www-form-urlencoded")
            });
        let form = if is_form { decode(&body) } else { Vec::new() };
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: decode(query.as_bytes()),
            form,
            headers: parts.headers.clone(),
            body,
        }
    }

    /// A header as text, empty ones counting as absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .filter(|value| !value.is_empty())
    }

    /// Query and form merged; where both have a name, the form's value counts.
    pub fn merged(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query
            .iter()
            .chain(&self.form)
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A parameter from query or form, empty ones counting as absent.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.merged()
            .filter(|(key, value)| *key == name && !value.is_empty())
            .last()
            .map(|(_, value)| value)
    }
}

fn decode(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}
