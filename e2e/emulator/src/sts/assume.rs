//! `AssumeRole` and `AssumeRoleWithOIDC`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Grant, issue, wire_time};
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

/// The token is not verified against an issuer, as a cluster's issuer cannot be reached; its shape
/// and its expiry are checked.
pub(super) fn assume_with_oidc(world: &mut World, request: &Request) -> Answer {
    let provider = request.params.required("OIDCProviderArn")?;
    if resource_of(provider, &world.account_id, "oidc-provider").is_none() {
        return Err(ApiError::bad_request(
            "InvalidParameter.OIDCProviderArn",
            "The parameter OIDCProviderArn is wrongly formed.",
        ));
    }
    let token = request.params.required("OIDCToken")?;
    let claims = claims(token).ok_or_else(|| {
        ApiError::bad_request(
            "AuthenticationFail.OIDCToken.Invalid",
            "This OIDC token is invalid.",
        )
    })?;
    let expiry = claims.get("exp").and_then(Value::as_i64);
    if expiry.is_some_and(|expiry| expiry <= request.now.as_second()) {
        return Err(ApiError::bad_request(
            "AuthenticationFail.OIDCToken.Expired",
            "This OIDC token is expired.",
        ));
    }
    let mut answer = assume(world, request)?;
    answer["OIDCTokenInfo"] = token_info(&claims);
    Ok(answer)
}

/// The claims of a JSON web token.
fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&bytes).ok().filter(Value::is_object)
}

fn token_info(claims: &Value) -> Value {
    let text = |name: &str| match claims.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(","),
        _ => String::new(),
    };
    json!({"Issuer": text("iss"), "Subject": text("sub"), "ClientIds": text("aud"), "VerificationInfo": "Success"})
}

/// `AssumeRole`, and the part of it that both share.
pub(super) fn assume(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let role_arn = params.required("RoleArn")?;
    let role = resource_of(role_arn, &world.account_id, "role")
        .ok_or_else(|| wrong_role(role_arn, world))?;
    let session_name = params.required("RoleSessionName")?;
    let named_well = |byte: u8| byte.is_ascii_alphanumeric() || b".@-_".contains(&byte);
    if !(2..=64).contains(&session_name.len()) || !session_name.bytes().all(named_well) {
        return Err(ApiError::bad_request(
            "InvalidParameter.RoleSessionName",
            "The parameter RoleSessionName is wrongly formed.",
        ));
    }
    let seconds = params.int("DurationSeconds")?.unwrap_or(3600);
    if !(900..=43_200).contains(&seconds) {
        return Err(ApiError::bad_request(
            "InvalidParameter.DurationSeconds",
            "The Min/Max value of DurationSeconds is 15min/12hr.",
        ));
    }
    let (role, session_name) = (role.to_owned(), session_name.to_owned());
    let grant = Grant {
        role_arn: role_arn.to_owned(),
        session_name: session_name.clone(),
        expires: request.now + SignedDuration::from_secs(seconds),
    };
    let (id, session) = issue(world, grant, request.now);
    Ok(json!({
        "Credentials": {
            "AccessKeyId": id,
            "AccessKeySecret": session.secret,
            "SecurityToken": session.token,
            "Expiration": wire_time(session.expires),
        },
        "AssumedRoleUser": {
            "Arn": format!("acs:ram::{}:role/{role}/{session_name}", world.account_id),
            "AssumedRoleId": format!("{}:{session_name}", role_id(&role)),
        },
    }))
}

/// The name in `acs:ram::<account>:<kind>/<name>`.
fn resource_of<'a>(arn: &'a str, account_id: &str, kind: &str) -> Option<&'a str> {
    let rest = arn
        .strip_prefix("acs:ram::")?
        .strip_prefix(account_id)?
        .strip_prefix(':')?;
    rest.strip_prefix(kind)?
        .strip_prefix('/')
        .filter(|name| !name.is_empty())
}

fn wrong_role(arn: &str, world: &World) -> ApiError {
    if arn.starts_with("acs:ram::") && arn.contains(":role/") && !arn.contains(&world.account_id) {
        ApiError::not_found("EntityNotExist.Role", "The specified Role not exists.")
    } else {
        ApiError::bad_request(
            "InvalidParameter.RoleArn",
            "The parameter RoleArn is wrongly formed.",
        )
    }
}

/// A number that stays the same for a role.
pub(super) fn role_id(role: &str) -> String {
    let digest = Sha256::digest(role);
    let number = digest
        .iter()
        .take(6)
        .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    format!("3{:017}", number % 100_000_000_000_000_000)
}
