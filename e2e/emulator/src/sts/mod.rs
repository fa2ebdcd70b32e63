//! Security token service, version 2015-04-01.

mod assume;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::{Answer, Request};
use crate::world::World;

/// Temporary keys by their id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// Issued keys; expired ones are kept for a while so that they are refused as expired.
    pub sessions: BTreeMap<String, Session>,
}

/// A temporary key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The secret of the key.
    pub secret: String,
    /// The token that must come with it.
    pub token: String,
    /// The assumed role.
    pub role_arn: String,
    /// The name the caller gave the session.
    pub session_name: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// What a temporary key is issued for.
pub(crate) struct Grant {
    pub(crate) role_arn: String,
    pub(crate) session_name: String,
    pub(crate) expires: Timestamp,
}

/// How long an expired key is remembered as expired; after that it is unknown.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// Issues a temporary key.
pub(crate) fn issue(world: &mut World, grant: Grant, now: Timestamp) -> (String, Session) {
    world
        .sts
        .sessions
        .retain(|_, session| now.duration_since(session.expires) < REMEMBERED);
    let id = format!("STS.{}", world.ids.secret(24));
    let session = Session {
        secret: world.ids.secret(44),
        token: format!("CAIS{}", world.ids.secret(300)),
        role_arn: grant.role_arn,
        session_name: grant.session_name,
        expires: grant.expires,
    };
    world.sts.sessions.insert(id.clone(), session.clone());
    (id, session)
}

/// `2026-11-20T00:00:00Z`, without fractions.
pub(crate) fn wire_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Carries out one action.
pub fn handle(world: &mut World, request: &Request) -> Answer {
    match request.action.as_str() {
        "AssumeRole" => assume::assume(world, request),
        "AssumeRoleWithOIDC" => assume::assume_with_oidc(world, request),
        "GetCallerIdentity" => Ok(caller_identity(world, request)),
        _ => Err(request.not_emulated()),
    }
}

fn caller_identity(world: &World, request: &Request) -> serde_json::Value {
    let account = &request.caller.account_id;
    match (
        &request.caller.role_arn,
        world.sts.sessions.get(&request.caller.access_key_id),
    ) {
        (Some(role), Some(session)) => {
            let role = role.rsplit('/').next().unwrap_or_default();
            json!({
                "AccountId": account,
                "Arn": format!("acs:ram::{account}:assumed-role/{role}/{}", session.session_name),
                "IdentityType": "AssumedRoleUser",
                "PrincipalId": format!("{}:{}", assume::role_id(role), session.session_name),
                "RoleId": assume::role_id(role),
            })
        }
        _ => json!({
            "AccountId": account,
            "Arn": format!("acs:ram::{account}:root"),
            "IdentityType": "Account",
            "PrincipalId": account,
            "UserId": account,
        }),
    }
}
