//! API Gateway (classic), version 2016-07-14.

use serde::{Deserialize, Serialize};

use crate::api::{Answer, Request};
use crate::world::World;

/// All API Gateway objects.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {}

/// Carries out one action.
pub fn handle(_world: &mut World, request: &Request) -> Answer {
    Err(request.not_emulated())
}
