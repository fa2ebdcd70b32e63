//! Asynchronous tasks: what they did to each API.

use serde_json::{Value, json};

use super::errors;
use super::find::stage_id;
use super::state::{Stage, State, Task, TaskKind, TaskResult};
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "DescribeDeployApiTask" => describe(world, request, TaskKind::Deploy),
        "DescribeAbolishApiTask" => describe(world, request, TaskKind::Abolish),
        "DescribeUpdateVpcInfoTask" => describe(world, request, TaskKind::UpdateVpc),
        _ => return None,
    })
}

/// Remembers a task and answers with its id.
pub(super) fn start(
    world: &mut World,
    request: &Request,
    kind: TaskKind,
    results: Vec<TaskResult>,
) -> Value {
    let operation = world.ids.hex32();
    world.cloudapi.tasks.insert(
        operation.clone(),
        Task {
            kind,
            done_from: request.visible_from,
            results,
        },
    );
    json!({ "OperationId": operation })
}

/// What became of one API.
pub(super) fn result(
    state: &State,
    api_id: &str,
    stage: Stage,
    error: Option<ApiError>,
) -> TaskResult {
    let api = state.apis.get(api_id).map(|api| &api.value);
    let group_id = api.map_or("", |api| api.group_id.as_str());
    TaskResult {
        api_id: api_id.to_owned(),
        api_name: api.map_or_else(String::new, |api| api.definition.name.clone()),
        group_id: group_id.to_owned(),
        group_name: state.group_name(group_id).to_owned(),
        stage,
        error: error.map(|error| error.to_string()),
    }
}

fn describe(world: &World, request: &Request, kind: TaskKind) -> Answer {
    let operation = request.params.required("OperationUid")?;
    let task = world
        .cloudapi
        .tasks
        .get(operation)
        .filter(|task| task.kind == kind);
    let task = task.ok_or_else(|| errors::not_found("Operation"))?;
    let finished = request.now >= task.done_from;
    let (outer, inner, status_name) = match kind {
        TaskKind::Deploy => ("DeployedResults", "DeployedResult", "DeployedStatus"),
        TaskKind::Abolish => ("ApiAbolishResults", "ApiAbolishResult", "AbolishStatus"),
        TaskKind::UpdateVpc => (
            "ApiUpdateVpcInfoResults",
            "ApiUpdateVpcInfoResult",
            "UpdateStatus",
        ),
    };
    let results: Vec<Value> = task
        .results
        .iter()
        .map(|result| {
            let status = match &result.error {
                _ if !finished => "RUNNING",
                Some(_) => "FAIL",
                None => "SUCCESS",
            };
            let mut item = json!({
                "ApiUid": result.api_id,
                "GroupId": result.group_id,
                "StageName": result.stage.as_str(),
                "ErrorMsg": result.error.as_deref().filter(|_| finished).unwrap_or_default(),
                status_name: status,
            });
            if let Some(members) = item.as_object_mut().filter(|_| kind != TaskKind::Deploy) {
                members.insert("ApiName".to_owned(), json!(result.api_name));
                members.insert("GroupName".to_owned(), json!(result.group_name));
                members.insert(
                    "StageId".to_owned(),
                    json!(stage_id(&result.group_id, result.stage)),
                );
            }
            item
        })
        .collect();
    Ok(json!({ outer: { inner: results } }))
}
