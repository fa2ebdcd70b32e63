//! Signature V3, `ACS3-HMAC-SHA256`.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::encoding::canonical_query;
use super::wire::Wire;
use crate::api::ApiError;

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The parts of an `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization {
    pub(super) access_key_id: String,
    signed_headers: Vec<String>,
    signature: String,
}

impl Authorization {
    /// Parses the header; `None` when it names another algorithm.
    pub(super) fn parse(header: &str) -> Option<Result<Self, ApiError>> {
        let rest = header.strip_prefix(ALGORITHM)?;
        Some(Self::parse_fields(rest))
    }

    fn parse_fields(fields: &str) -> Result<Self, ApiError> {
        let mut credential = None;
        let mut signed = None;
        let mut signature = None;
        for field in fields.split(',') {
            match field.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value.to_owned()),
                Some(("SignedHeaders", value)) => {
                    signed = Some(value.split(';').map(str::to_owned).collect())
                }
                Some(("Signature", value)) => signature = Some(value.to_owned()),
                _ => {}
            }
        }
        match (credential, signed, signature) {
            (Some(access_key_id), Some(signed_headers), Some(signature)) => Ok(Self {
                access_key_id,
                signed_headers,
                signature,
            }),
            _ => Err(incomplete(
                "Authorization needs Credential, SignedHeaders and Signature",
            )),
        }
    }

    /// Recomputes the signature over the headers the client says it signed.
    pub(super) fn verify(&self, wire: &Wire, secret: &str) -> Result<(), ApiError> {
        self.check_coverage(wire)?;
        let body_hash = hex::encode(Sha256::digest(&wire.body));
        if wire.header("x-acs-content-sha256") != Some(body_hash.as_str()) {
            return Err(ApiError::bad_request(
                "InvalidContentSha256",
                "The header x-acs-content-sha256 is not the SHA-256 of the body.",
            ));
        }
        let to_sign = string_to_sign(&self.canonical_request(wire, &body_hash));
        let expected = sign(secret, &to_sign);
        if bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes())) {
            Ok(())
        } else {
            Err(super::authenticate::mismatch(&to_sign))
        }
    }

    /// `host`, every `x-acs-*` header and the content type of a body must be signed.
    fn check_coverage(&self, wire: &Wire) -> Result<(), ApiError> {
        let covered = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        let present = wire.headers.keys().map(http::HeaderName::as_str);
        let unsigned = present
            .filter(|name| {
                *name == "host"
                    || name.starts_with("x-acs-")
                    || (*name == "content-type" && !wire.body.is_empty())
            })
            .find(|name| !covered(name));
        match unsigned {
            Some(name) => Err(incomplete(&format!(
                "the header {name} is not among the SignedHeaders"
            ))),
            None if !covered("host") => Err(incomplete("the header host is not signed")),
            None => Ok(()),
        }
    }

    fn canonical_request(&self, wire: &Wire, body_hash: &str) -> String {
        let mut names = self.signed_headers.clone();
        names.sort_unstable();
        let headers: String = names
            .iter()
            .map(|name| format!("{name}:{}\n", wire.header(name).unwrap_or_default().trim()))
            .collect();
        let query = canonical_query(
            wire.query
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let names = names.join(";");
        format!(
            "{}\n{}\n{query}\n{headers}\n{names}\n{body_hash}",
            wire.method, wire.path
        )
    }
}

fn string_to_sign(canonical: &str) -> String {
    format!("{ALGORITHM}\n{}", hex::encode(Sha256::digest(canonical)))
}

fn sign(secret: &str, to_sign: &str) -> String {
    // HMAC takes keys of any length, so this cannot fail; an empty signature would match nothing.
    Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_or_else(
        |_| String::new(),
        |mut mac| {
            mac.update(to_sign.as_bytes());
            hex::encode(mac.finalize().into_bytes())
        },
    )
}

fn incomplete(detail: &str) -> ApiError {
    ApiError::bad_request(
        "IncompleteSignature",
        format!("The request signature does not conform to Aliyun standards: {detail}."),
    )
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    fn wire(uri: &str, headers: &[(&str, &str)], body: &'static str) -> Wire {
        let mut request = http::Request::builder().method("POST").uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a valid request").into_parts();
        Wire::new(&parts, Bytes::from_static(body.as_bytes()))
    }

    /// The example of the vendor's own description of the signature.
    #[test]
    fn the_published_vector_verifies() {
        let empty = hex::encode(Sha256::digest(""));
        let wire = wire(
            "/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
            &[
                ("host", "ecs.cn-shanghai.aliyuncs.com"),
                ("x-acs-action", "RunInstances"),
                ("x-acs-content-sha256", &empty),
                ("x-acs-date", "2023-10-26T10:22:32Z"),
                ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
                ("x-acs-version", "2014-05-26"),
            ],
            "",
        );
        let header = "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0";
        let authorization = Authorization::parse(header)
            .expect("ACS3")
            .expect("complete");
        let canonical = authorization.canonical_request(&wire, &empty);
        assert_eq!(
            hex::encode(Sha256::digest(canonical)),
            "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"
        );
        assert_eq!(authorization.verify(&wire, "YourAccessKeySecret"), Ok(()));
        let refusal = authorization
            .verify(&wire, "other")
            .expect_err("wrong secret");
        assert_eq!(refusal.code, "SignatureDoesNotMatch");
    }

    /// Reserved characters, a form body and a security token, made by an independent program.
    #[test]
    fn reserved_characters_form_and_token_verify() {
        let body_hash = "6c1b545bb8b2c8c55cbb3a18f7cbc231d046298a8a725b50abfdbb66fbe5493f";
        let wire = wire(
            "/?ApiName=a%20b&GroupId=g1&Tag.1.Key=k&Tag.1.Value=v%2A~",
            &[
                ("host", "127.0.0.1:18080"),
                ("content-type", "application/x-www-form-urlencoded"),
                ("x-acs-accesskey-id", "testid"),
                ("x-acs-action", "CreateApi"),
                ("x-acs-content-sha256", body_hash),
                ("x-acs-date", "2026-11-20T00:00:00Z"),
                ("x-acs-security-token", "tok"),
                ("x-acs-signature-nonce", "n1"),
                ("x-acs-version", "2016-07-14"),
            ],
            "RequestParameters=%5B%7B%22x%22%3A%22y%2Bz%20%2A~%22%7D%5D",
        );
        let header = "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=content-type;host;x-acs-accesskey-id;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version,Signature=0a535db92a85b8b66b84134189bb928596e9ea2a879127e8ff0fbb927552c319";
        let authorization = Authorization::parse(header)
            .expect("ACS3")
            .expect("complete");
        let canonical = authorization.canonical_request(&wire, body_hash);
        assert_eq!(
            hex::encode(Sha256::digest(canonical)),
            "e7e7a3512d688983432c8f67a9a042757198ccb7537e5b78eab5aec2e4eb15ad"
        );
        assert_eq!(authorization.verify(&wire, "testsecret"), Ok(()));
        assert_eq!(wire.param("RequestParameters"), Some(r#"[{"x":"y+z *~"}]"#));
    }

    #[test]
    fn an_unsigned_acs_header_is_refused() {
        let wire = wire("/", &[("host", "h"), ("x-acs-date", "d")], "");
        let header = "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=00";
        let authorization = Authorization::parse(header)
            .expect("ACS3")
            .expect("complete");
        let refusal = authorization
            .verify(&wire, "s")
            .expect_err("x-acs-date is not signed");
        assert_eq!(refusal.code, "IncompleteSignature");
        assert!(
            refusal.message.contains("x-acs-date"),
            "{}",
            refusal.message
        );
    }

    #[test]
    fn other_algorithms_are_left_alone() {
        assert!(Authorization::parse("Bearer x").is_none());
        let refusal = Authorization::parse("ACS3-HMAC-SHA256 Credential=a").expect("ACS3");
        assert_eq!(refusal.expect_err("incomplete").code, "IncompleteSignature");
    }
}
