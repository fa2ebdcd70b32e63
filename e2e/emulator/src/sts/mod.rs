//! Security token service, version 2015-04-01.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

/// Carries out one action.
pub fn handle(_world: &mut World, request: &Request) -> Answer {
    Err(request.not_emulated())
}
