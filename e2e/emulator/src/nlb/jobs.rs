//! Asynchronous jobs. Every write that takes time answers with one.

use serde_json::{Value, json};

use super::not_found;
use crate::alb::pages::among;
use crate::api::{Answer, Request};
use crate::world::World;

/// Jobs kept; the oldest go first.
const REMEMBERED: usize = 1_000;

/// Notes a job, and returns its id.
pub(super) fn start(world: &mut World, request: &Request) -> String {
    let id = world.ids.uuid().to_lowercase();
    let done = request.now + world.nlb.settling;
    world.nlb.jobs.push_back((id.clone(), done));
    if world.nlb.jobs.len() > REMEMBERED {
        world.nlb.jobs.pop_front();
    }
    id
}

fn word(request: &Request, done: jiff::Timestamp) -> &'static str {
    match request.now < done {
        true => "Processing",
        false => "Succeeded",
    }
}

pub(super) fn status(world: &World, request: &Request) -> Answer {
    let id = request.params.required("JobId")?;
    let mut jobs = world.nlb.jobs.iter();
    let (_, done) = jobs
        .find(|(known, _)| known == id)
        .ok_or_else(|| not_found("job", id))?;
    Ok(json!({"Status": word(request, *done)}))
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let ids = request.params.strings("JobIds");
    let jobs = world.nlb.jobs.iter().filter(|(id, _)| among(&ids, id));
    let jobs: Vec<Value> = jobs
        .map(|(id, done)| json!({"Id": id, "Status": word(request, *done)}))
        .collect();
    Ok(json!({"TotalCount": jobs.len(), "Jobs": jobs}))
}
