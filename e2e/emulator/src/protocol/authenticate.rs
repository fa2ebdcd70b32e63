//! Who calls: key lookup, clock, nonce, security token and signature.

use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::acs3::Authorization;
use super::nonces::CLOCK_WINDOW;
use super::{v1, wire::Wire};
use crate::api::{ApiError, Caller, Product};
use crate::state::AppState;

/// What a known key must prove.
struct Key {
    secret: String,
    token: Option<String>,
    role_arn: Option<String>,
}

/// Verifies a call and names its caller. `AssumeRoleWithOIDC` and `AssumeRoleWithSAML` carry no
/// signature: their proof is the token they hold.
pub fn authenticate(
    state: &AppState,
    wire: &Wire,
    product: Product,
    action: &str,
    now: Timestamp,
) -> Result<Caller, ApiError> {
    if product == Product::Sts && matches!(action, "AssumeRoleWithOIDC" | "AssumeRoleWithSAML") {
        return Ok(caller(state, String::new(), None));
    }
    match wire.header("authorization").and_then(Authorization::parse) {
        Some(authorization) => authenticate_acs3(state, wire, &authorization?, now),
        None => authenticate_v1(state, wire, now),
    }
}

fn authenticate_acs3(
    state: &AppState,
    wire: &Wire,
    authorization: &Authorization,
    now: Timestamp,
) -> Result<Caller, ApiError> {
    let id = authorization.access_key_id.as_str();
    check_clock(wire.header("x-acs-date"), now)?;
    let key = find_key(state, id, wire.header("x-acs-security-token"), now)?;
    authorization.verify(wire, &key.secret)?;
    check_nonce(state, id, wire.header("x-acs-signature-nonce"), now)?;
    Ok(caller(state, id.to_owned(), key.role_arn))
}

fn authenticate_v1(state: &AppState, wire: &Wire, now: Timestamp) -> Result<Caller, ApiError> {
    let id = wire.param("AccessKeyId").ok_or_else(|| {
        ApiError::bad_request(
            "MissingAccessKeyId",
            "AccessKeyId is mandatory for this action.",
        )
    })?;
    if wire.param("Signature").is_none() {
        return Err(ApiError::bad_request(
            "MissingSignature",
            "Signature is mandatory for this action.",
        ));
    }
    check_clock(wire.param("Timestamp"), now)?;
    let key = find_key(state, id, wire.param("SecurityToken"), now)?;
    v1::verify(wire, &key.secret)?;
    check_nonce(state, id, wire.param("SignatureNonce"), now)?;
    Ok(caller(state, id.to_owned(), key.role_arn))
}

fn caller(state: &AppState, access_key_id: String, role_arn: Option<String>) -> Caller {
    Caller {
        account_id: state.world().account_id.clone(),
        access_key_id,
        role_arn,
    }
}

fn find_key(
    state: &AppState,
    id: &str,
    token: Option<&str>,
    now: Timestamp,
) -> Result<Key, ApiError> {
    let key = lookup(state, id, now)?;
    match (&key.token, token) {
        (None, None) => Ok(key),
        (Some(expected), Some(given))
            if bool::from(expected.as_bytes().ct_eq(given.as_bytes())) =>
        {
            Ok(key)
        }
        (Some(_), None) => Err(unknown_key()),
        (_, Some(_)) => Err(ApiError::bad_request(
            "InvalidSecurityToken.MismatchWithAccessKey",
            "Specified SecurityToken mismatch with the AccessKey.",
        )),
    }
}

fn lookup(state: &AppState, id: &str, now: Timestamp) -> Result<Key, ApiError> {
    if let Some(secret) = state.config().access_keys.get(id) {
        return Ok(Key {
            secret: secret.clone(),
            token: None,
            role_arn: None,
        });
    }
    let world = state.world();
    let session = world.sts.sessions.get(id).ok_or_else(unknown_key)?;
    if session.expires <= now {
        return Err(ApiError::bad_request(
            "InvalidSecurityToken.Expired",
            "Specified SecurityToken is expired.",
        ));
    }
    Ok(Key {
        secret: session.secret.clone(),
        token: Some(session.token.clone()),
        role_arn: Some(session.role_arn.clone()),
    })
}

fn unknown_key() -> ApiError {
    ApiError::not_found(
        "InvalidAccessKeyId.NotFound",
        "Specified access key is not found.",
    )
}

fn check_clock(sent: Option<&str>, now: Timestamp) -> Result<(), ApiError> {
    let sent = sent.ok_or_else(|| {
        ApiError::bad_request(
            "MissingTimestamp",
            "Timestamp is mandatory for this action.",
        )
    })?;
    // The one form the protocol knows, 2026-11-20T00:00:00Z; a library would accept many more.
    let shaped = sent.len() == 20 && sent.ends_with('Z') && sent.get(10..11) == Some("T");
    let Some(sent) = shaped.then(|| sent.parse::<Timestamp>().ok()).flatten() else {
        return Err(ApiError::bad_request(
            "InvalidTimeStamp.Format",
            "Specified time stamp or date value is not well formatted.",
        ));
    };
    if now.duration_since(sent).abs() > CLOCK_WINDOW {
        return Err(ApiError::bad_request(
            "InvalidTimeStamp.Expired",
            "Specified time stamp or date value is expired.",
        ));
    }
    Ok(())
}

/// Only a verified request uses up its nonce, so that nobody can spoil another's.
fn check_nonce(
    state: &AppState,
    id: &str,
    nonce: Option<&str>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let nonce = nonce.ok_or_else(|| {
        ApiError::bad_request(
            "MissingSignatureNonce",
            "SignatureNonce is mandatory for this action.",
        )
    })?;
    if state.nonces().record(id, nonce, now) {
        Ok(())
    } else {
        Err(ApiError::bad_request(
            "SignatureNonceUsed",
            "Specified signature nonce was used already.",
        ))
    }
}

pub(super) fn mismatch(to_sign: &str) -> ApiError {
    ApiError::bad_request(
        "SignatureDoesNotMatch",
        format!(
            "Specified signature is not matched with our calculation. server string to sign is:{}",
            to_sign.replace('\n', "\\n")
        ),
    )
}
