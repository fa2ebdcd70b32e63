//! Asynchronous jobs. Every write that takes time answers with one.

use serde_json::{Value, json};

use super::model::Job;
use super::pages::{self, among};
use crate::api::{Answer, Request};
use crate::world::World;

/// Jobs kept; the oldest go first.
const REMEMBERED: usize = 1_000;

/// Notes a job for what the request does to a resource, and returns its id.
pub(super) fn start(world: &mut World, request: &Request, kind: &str, resource: &str) -> String {
    let id = world.ids.uuid().to_lowercase();
    let done = request.now + world.alb.settling;
    world.alb.jobs.push_back(Job {
        id: id.clone(),
        api: request.action.clone(),
        resource_type: kind.to_owned(),
        resource_id: resource.to_owned(),
        created: request.now,
        done,
    });
    if world.alb.jobs.len() > REMEMBERED {
        world.alb.jobs.pop_front();
    }
    id
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let ids = params.strings("JobIds");
    let resources = params.strings("ResourceIds");
    let fits = |job: &&Job| {
        let equals = |name: &str, value: &str| params.filled(name).is_none_or(|one| one == value);
        among(&ids, &job.id)
            && among(&resources, &job.resource_id)
            && equals("ApiName", &job.api)
            && equals("ResourceType", &job.resource_type)
    };
    let view = |job: &Job| -> Value {
        let running = request.now < job.done;
        json!({
            "Id": job.id,
            "ApiName": job.api,
            "OperateType": operation(&job.api),
            "ResourceType": job.resource_type,
            "ResourceId": job.resource_id,
            "CreateTime": job.created.as_millisecond(),
            "ModifyTime": job.done.min(request.now).as_millisecond(),
            "Status": if running { "Processing" } else { "Succeeded" },
            "ErrorCode": "",
            "ErrorMessage": "",
        })
    };
    let jobs = world.alb.jobs.iter().rev().filter(fits).map(view);
    pages::page(request, "Jobs", jobs.collect())
}

fn operation(api: &str) -> &'static str {
    match api {
        api if api.starts_with("Create") => "Create",
        api if api.starts_with("Delete") => "Delete",
        _ => "Update",
    }
}
