//! Signature version 3 (`ACS3-HMAC-SHA256`) of RPC-style requests, as a pure function.
//!
//! The nonce and the date are inputs: the cloud refuses a signed request that it has seen before
//! (`SignatureNonceUsed`), so every attempt is signed anew.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// Content type of a request with a form body; signed when there is one.
pub const FORM_CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// Whose key signs.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// AccessKey id; sent in clear.
    pub access_key_id: &'a str,
    /// AccessKey secret; never sent.
    pub secret: &'a SecretString,
    /// Token of temporary credentials; sent and signed.
    pub security_token: Option<&'a SecretString>,
}

/// The parts of a request that its signature covers. The path of an RPC request is always `/`.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Host, with the port where it is not the scheme's own.
    pub host: &'a str,
    /// The API action.
    pub action: &'a str,
    /// The API version.
    pub version: &'a str,
    /// UTC, `2026-11-20T00:00:00Z`.
    pub date: &'a str,
    /// Unique to this attempt.
    pub nonce: &'a str,
    /// The query as sent, from [`encode`].
    pub query: &'a str,
    /// The form body as sent, from [`encode`]; empty for none.
    pub body: &'a str,
}

/// Encodes parameters as RFC 3986 `key=value` pairs, sorted by key: both the canonical query and
/// what is sent, so that the two cannot differ.
pub fn encode(parameters: &BTreeMap<String, String>) -> String {
    let mut pairs: Vec<(String, String)> = parameters
        .iter()
        .map(|(key, value)| (percent(key), percent(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join("&")
}

/// One string, RFC 3986.
pub fn percent(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The headers to send with `request`: all that are signed except `host`, and `authorization`.
pub fn headers(request: &Request<'_>, key: &Key<'_>) -> BTreeMap<&'static str, String> {
    let mut headers = signed_headers(request, key);
    let canonical = canonical_request(request, &headers);
    let names = names(&headers);
    let signature = signature(&canonical, key.secret);
    headers.insert(
        "authorization",
        format!(
            "{ALGORITHM} Credential={},SignedHeaders={names},Signature={signature}",
            key.access_key_id
        ),
    );
    headers.remove("host");
    headers
}

fn signed_headers(request: &Request<'_>, key: &Key<'_>) -> BTreeMap<&'static str, String> {
    let mut headers = BTreeMap::from([
        ("host", request.host.to_owned()),
        ("x-acs-action", request.action.to_owned()),
        ("x-acs-version", request.version.to_owned()),
        ("x-acs-date", request.date.to_owned()),
        ("x-acs-signature-nonce", request.nonce.to_owned()),
        ("x-acs-content-sha256", sha256_hex(request.body)),
    ]);
    if !request.body.is_empty() {
        headers.insert("content-type", FORM_CONTENT_TYPE.to_owned());
    }
    if let Some(token) = key.security_token {
        headers.insert("x-acs-accesskey-id", key.access_key_id.to_owned());
        headers.insert("x-acs-security-token", token.expose_secret().to_owned());
    }
    headers
}

fn names(headers: &BTreeMap<&'static str, String>) -> String {
    headers.keys().copied().collect::<Vec<_>>().join(";")
}

fn canonical_request(request: &Request<'_>, headers: &BTreeMap<&'static str, String>) -> String {
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{}\n", value.trim()))
        .collect();
    format!(
        "{}\n/\n{}\n{lines}\n{}\n{}",
        request.method,
        request.query,
        names(headers),
        sha256_hex(request.body),
    )
}

fn signature(canonical_request: &str, secret: &SecretString) -> String {
    let to_sign = format!("{ALGORITHM}\n{}", sha256_hex(canonical_request));
    // HMAC takes keys of any length, so the error arm is never reached; an empty signature would
    // be refused by the cloud.
    match Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) {
        Ok(mut mac) => {
            mac.update(to_sign.as_bytes());
            hex::encode(mac.finalize().into_bytes())
        }
        Err(_) => String::new(),
    }
}

fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    /// The example in the vendor's description of the signature.
    #[test]
    fn published_vector() {
        let query = encode(&map(&[
            (
                "ImageId",
                "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
            ),
            ("RegionId", "cn-shanghai"),
        ]));
        let request = Request {
            method: "POST",
            host: "ecs.cn-shanghai.aliyuncs.com",
            action: "RunInstances",
            version: "2014-05-26",
            date: "2023-10-26T10:22:32Z",
            nonce: "3156853299f313e23d1673dc12e1703d",
            query: &query,
            body: "",
        };
        let secret = SecretString::from("YourAccessKeySecret");
        let key = Key {
            access_key_id: "YourAccessKeyId",
            secret: &secret,
            security_token: None,
        };
        let canonical = canonical_request(&request, &signed_headers(&request, &key));
        assert_eq!(
            sha256_hex(&canonical),
            "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"
        );
        assert_eq!(
            headers(&request, &key)["authorization"],
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;\
             x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,\
             Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    /// Reserved characters, a form body and temporary credentials; computed by an independent
    /// implementation in another language.
    #[test]
    fn vector_with_form_and_token() {
        let query = encode(&map(&[
            ("Tag.1.Value", "v*~"),
            ("Tag.1.Key", "k"),
            ("ApiName", "a b"),
            ("GroupId", "g1"),
        ]));
        assert_eq!(
            query,
            "ApiName=a%20b&GroupId=g1&Tag.1.Key=k&Tag.1.Value=v%2A~"
        );
        let body = encode(&map(&[("RequestParameters", r#"[{"x":"y+z *~"}]"#)]));
        assert_eq!(
            body,
            "RequestParameters=%5B%7B%22x%22%3A%22y%2Bz%20%2A~%22%7D%5D"
        );
        let secret = SecretString::from("testsecret");
        let token = SecretString::from("tok");
        let request = Request {
            method: "POST",
            host: "127.0.0.1:18080",
            action: "CreateApi",
            version: "2016-07-14",
            date: "2026-11-20T00:00:00Z",
            nonce: "n1",
            query: &query,
            body: &body,
        };
        let key = Key {
            access_key_id: "testid",
            secret: &secret,
            security_token: Some(&token),
        };
        let headers = headers(&request, &key);
        assert_eq!(
            headers["x-acs-content-sha256"],
            "6c1b545bb8b2c8c55cbb3a18f7cbc231d046298a8a725b50abfdbb66fbe5493f"
        );
        assert!(
            headers["authorization"].ends_with(
                "Signature=0a535db92a85b8b66b84134189bb928596e9ea2a879127e8ff0fbb927552c319"
            ),
            "{}",
            headers["authorization"]
        );
        assert!(!headers.contains_key("host"));
    }

    #[test]
    fn sorts_by_the_encoded_key() {
        assert_eq!(
            encode(&map(&[("B", "2"), ("A.10", "x"), ("A.1", "y"), ("ä", "ü")])),
            "%C3%A4=%C3%BC&A.1=y&A.10=x&B=2"
        );
    }
}
