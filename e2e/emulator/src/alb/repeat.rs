//! `ClientToken` and `DryRun`, which nearly every write takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::errors;
use crate::api::{Answer, ApiError, Request};
use crate::calls::is_mutating;
use crate::world::World;

/// Tokens kept; the oldest go first.
const REMEMBERED: usize = 5_000;

/// What a token was used for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repeat {
    /// The parameters that came with it.
    params: BTreeMap<String, String>,
    /// What was answered.
    answer: Value,
}

/// Carries a write out once per token, and not at all when it is a trial.
pub(super) fn once(
    world: &mut World,
    request: &Request,
    carry_out: fn(&mut World, &Request) -> Answer,
) -> Answer {
    if !is_mutating(&request.action) {
        return carry_out(world, request);
    }
    if request.params.bool("DryRun")? == Some(true) {
        return Err(match carry_out(&mut world.clone(), request) {
            Ok(_) => ApiError::bad_request(
                "DryRunOperation",
                "Request validation has been passed with DryRun flag set.",
            ),
            Err(refusal) => refusal,
        });
    }
    let Some(token) = request.params.filled("ClientToken") else {
        return carry_out(world, request);
    };
    let key = format!("{}/{token}", request.action);
    let params = telling(request);
    if let Some(first) = world.alb.tokens.get(&key) {
        return match first.params == params {
            true => Ok(first.answer.clone()),
            false => Err(errors::token_used_otherwise()),
        };
    }
    let answer = carry_out(world, request)?;
    let repeat = Repeat {
        params,
        answer: answer.clone(),
    };
    world.alb.tokens.insert(key.clone(), repeat);
    world.alb.token_order.push_back(key);
    if world.alb.token_order.len() > REMEMBERED
        && let Some(oldest) = world.alb.token_order.pop_front()
    {
        world.alb.tokens.remove(&oldest);
    }
    Ok(answer)
}

/// The parameters but those that differ between equal requests.
fn telling(request: &Request) -> BTreeMap<String, String> {
    const PER_CALL: [&str; 6] = [
        "AccessKeyId",
        "SecurityToken",
        "Signature",
        "SignatureNonce",
        "Timestamp",
        "SignatureMethod",
    ];
    let params = request.params.iter();
    params
        .filter(|(name, _)| !PER_CALL.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
