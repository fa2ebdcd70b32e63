//! Signature version 1.0, HMAC-SHA1 over all parameters, as the cloud controller manager, Terraform,
//! the `aliyun` command line and the legacy SDKs send it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::encoding::{canonical_query, encode};
use super::wire::Wire;
use crate::api::ApiError;

pub(super) fn verify(wire: &Wire, secret: &str) -> Result<(), ApiError> {
    if wire
        .param("SignatureMethod")
        .is_some_and(|method| method != "HMAC-SHA1")
    {
        return Err(ApiError::bad_request(
            "InvalidSignatureMethod",
            "The SignatureMethod is not supported: use HMAC-SHA1 or ACS3-HMAC-SHA256.",
        ));
    }
    let given = wire.param("Signature").unwrap_or_default();
    let to_sign = string_to_sign(
        &wire.method,
        wire.merged().filter(|(name, _)| *name != "Signature"),
    );
    let expected = sign(secret, &to_sign);
    if bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
        Ok(())
    } else {
        Err(super::authenticate::mismatch(&to_sign))
    }
}

/// The query string of a call with `Signature` added; `params` must hold all others.
pub fn sign_query(method: &str, params: &[(String, String)], secret: &str) -> String {
    let pairs = || {
        params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    };
    let signature = sign(secret, &string_to_sign(method, pairs()));
    format!(
        "{}&Signature={}",
        canonical_query(pairs()),
        encode(&signature)
    )
}

fn string_to_sign<'a>(method: &str, params: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    format!("{method}&%2F&{}", encode(&canonical_query(params)))
}

fn sign(secret: &str, to_sign: &str) -> String {
    // HMAC takes keys of any length, so this cannot fail; an empty signature would match nothing.
    Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes()).map_or_else(
        |_| String::new(),
        |mut mac| {
            mac.update(to_sign.as_bytes());
            STANDARD.encode(mac.finalize().into_bytes())
        },
    )
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    const PARAMS: &str = "AccessKeyId=testid&Action=DescribeApiGroups&Format=JSON&PageNumber=1&PageSize=50\
        &RegionId=cn-hangzhou&SignatureMethod=HMAC-SHA1&SignatureNonce=n1&SignatureType=\
        &SignatureVersion=1.0&Timestamp=2026-11-20T00%3A00%3A00Z&Version=2016-07-14";
    const SIGNATURE: &str = "Signature=h9A7t5EGwxAbadDIYWxBNfuJnBw%3D";

    fn wire(query: &str, form: &str) -> Wire {
        let request = http::Request::builder()
            .method("POST")
            .uri(format!("/?{query}"))
            .header("content-type", "application/x-www-form-urlencoded");
        let (parts, ()) = request.body(()).expect("a valid request").into_parts();
        Wire::new(&parts, Bytes::copy_from_slice(form.as_bytes()))
    }

    #[test]
    fn the_vector_verifies_wherever_its_parameters_are() {
        assert_eq!(
            verify(&wire(&format!("{PARAMS}&{SIGNATURE}"), ""), "testsecret"),
            Ok(())
        );
        assert_eq!(verify(&wire(PARAMS, SIGNATURE), "testsecret"), Ok(()));
        assert_eq!(verify(&wire(SIGNATURE, PARAMS), "testsecret"), Ok(()));
    }

    #[test]
    fn a_changed_parameter_is_refused() {
        let changed = PARAMS.replace("PageSize=50", "PageSize=51");
        let refusal = verify(&wire(&changed, SIGNATURE), "testsecret").expect_err("changed");
        assert_eq!(refusal.code, "SignatureDoesNotMatch");
    }

    #[test]
    fn signing_gives_the_vector() {
        let params: Vec<_> = form_urlencoded::parse(PARAMS.as_bytes())
            .into_owned()
            .collect();
        assert!(sign_query("POST", &params, "testsecret").ends_with(SIGNATURE));
    }
}
