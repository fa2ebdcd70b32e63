//! The signature of a consumer: `X-Ca-Key`, `X-Ca-Signature` (document "Request signatures").
//!
//! ```text
//! METHOD \n Accept \n Content-MD5 \n Content-Type \n Date \n
//! name:value \n            for each name in X-Ca-Signature-Headers, sorted
//! path?name=value&name     query and form, decoded, sorted; an empty value leaves the name alone
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha1::Sha1;
use sha2::Sha256;

use super::Runtime;
use super::failure::Failure;
use super::incoming::Incoming;
use crate::cloudapi::{AppKey, Definition};

/// How far a timestamp may be from now, in milliseconds.
const WINDOW: i64 = 15 * 60 * 1000;

/// Headers that have a place of their own in the text to sign, or none.
const NOT_LISTED: [&str; 6] = [
    "x-ca-signature",
    "x-ca-signature-headers",
    "accept",
    "content-md5",
    "content-type",
    "date",
];

/// Checks signature, time and nonce.
pub(super) fn check(
    incoming: &Incoming,
    definition: &Definition,
    key: &AppKey,
    runtime: &Runtime,
    now: Timestamp,
) -> Result<(), Failure> {
    let given = incoming.header("x-ca-signature");
    if given.is_empty() {
        return Err(Failure::header_missing("X-Ca-Signature"));
    }
    check_time(incoming, now)?;
    let nonce = incoming.header("x-ca-nonce");
    if nonce.is_empty() && definition.force_nonce_check {
        return Err(Failure::nonce_missing());
    }
    let text = string_to_sign(incoming);
    let method = method(incoming, definition)?;
    let signature = STANDARD
        .decode(given)
        .map_err(|_| Failure::signature(&text))?;
    if !verifies(method, key.secret.as_bytes(), text.as_bytes(), &signature) {
        return Err(Failure::signature(&text));
    }
    match nonce.is_empty() || runtime.first_use(&format!("{}/{nonce}", key.key), now) {
        true => Ok(()),
        false => Err(Failure::nonce_used()),
    }
}

fn check_time(incoming: &Incoming, now: Timestamp) -> Result<(), Failure> {
    let text = incoming.header("x-ca-timestamp");
    if text.is_empty() {
        return Ok(());
    }
    let moment: i64 = text
        .parse()
        .map_err(|_| Failure::header_invalid("X-Ca-Timestamp", "is no number of milliseconds"))?;
    match now.as_millisecond().abs_diff(moment) > WINDOW.unsigned_abs() {
        true => Err(Failure::timestamp()),
        false => Ok(()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Sha1,
    Sha256,
}

/// The method of the request, if the API allows it; HMAC-SHA256 unless told otherwise.
fn method(incoming: &Incoming, definition: &Definition) -> Result<Method, Failure> {
    let allowed = definition
        .settings
        .get("AllowSignatureMethod")
        .map_or("HmacSHA256", String::as_str);
    let wanted = match incoming.header("x-ca-signature-method") {
        "" => "HmacSHA256",
        name => name,
    };
    let refused =
        || Failure::header_invalid("X-Ca-Signature-Method", "is not allowed for this API");
    if !allowed
        .split(',')
        .any(|known| known.trim().eq_ignore_ascii_case(wanted))
    {
        return Err(refused());
    }
    match wanted.to_ascii_lowercase().as_str() {
        "hmacsha256" => Ok(Method::Sha256),
        "hmacsha1" => Ok(Method::Sha1),
        _ => Err(refused()),
    }
}

fn verifies(method: Method, secret: &[u8], text: &[u8], signature: &[u8]) -> bool {
    match method {
        Method::Sha256 => Hmac::<Sha256>::new_from_slice(secret)
            .is_ok_and(|mac| mac.chain_update(text).verify_slice(signature).is_ok()),
        Method::Sha1 => Hmac::<Sha1>::new_from_slice(secret)
            .is_ok_and(|mac| mac.chain_update(text).verify_slice(signature).is_ok()),
    }
}

fn string_to_sign(incoming: &Incoming) -> String {
    let mut text = format!("{}\n", incoming.method);
    for name in ["accept", "content-md5", "content-type", "date"] {
        text.push_str(incoming.header(name));
        text.push('\n');
    }
    let listed = incoming.header("x-ca-signature-headers");
    let mut names: Vec<&str> = listed
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    for name in names
        .into_iter()
        .filter(|name| !NOT_LISTED.contains(&name.to_ascii_lowercase().as_str()))
    {
        text.push_str(&format!("{name}:{}\n", incoming.header(name)));
    }
    text.push_str(&incoming.path);
    let mut pairs = incoming.query_pairs();
    pairs.extend(incoming.form_pairs());
    // Of a repeated name only the first value counts.
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs.dedup_by(|later, first| later.0 == first.0);
    for (index, (name, value)) in pairs.iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(name);
        if !value.is_empty() {
            text.push_str(&format!("={value}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    async fn incoming(request: http::request::Builder, body: &'static str) -> Incoming {
        Incoming::read(request.body(Body::from(body)).unwrap(), false)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_text_to_sign_follows_the_document() {
        let request = http::Request::post("/http2test/test?param1=test&flag&a=%E4%BD%A0")
            .header("accept", "application/json; charset=utf-8")
            .header(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            )
            .header("x-ca-timestamp", "1525872629832")
            .header("x-ca-key", "203753385")
            .header("x-ca-nonce", "c9f15cbf")
            .header(
                "x-ca-signature-headers",
                "x-ca-timestamp,x-ca-key,x-ca-nonce",
            );
        let incoming = incoming(request, "username=xiaoming&password=123456789").await;
        assert_eq!(
            string_to_sign(&incoming),
            "POST\napplication/json; charset=utf-8\n\napplication/x-www-form-urlencoded; charset=utf-8\n\n\
             x-ca-key:203753385\nx-ca-nonce:c9f15cbf\nx-ca-timestamp:1525872629832\n\
             /http2test/test?a=你&flag&param1=test&password=123456789&username=xiaoming"
        );
    }
}
