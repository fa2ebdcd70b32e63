//! Backends are VPC access authorizations: named by name, removed by their target.

use serde::Deserialize;
use tokio::time::Instant;

use super::tags::{Tags, mark};
use super::{ClassicTiming, check, gone_is_fine, pages};
use crate::call::RpcCall;
use crate::client::Client;
use crate::error::{CloudError, Effect, ErrorClass};
use crate::gateway::model::{ApiId, Backend, BackendName, BackendSpec, Marker};
use crate::operations::*;
use crate::transport::failure;

const PAGE: usize = 100;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Access {
    name: String,
    vpc_access_id: String,
    vpc_id: String,
    instance_id: String,
    port: u16,
    vpc_target_host_name: String,
    tags: Tags,
}

pub(super) async fn list(client: &Client) -> Result<Vec<Backend>, CloudError> {
    let call = RpcCall::new(DESCRIBE_VPC_ACCESSES);
    let items = ("VpcAccessAttributes", "VpcAccessAttribute");
    let accesses = pages::all(client, call, PAGE, items, |a: &Access| a.name.clone()).await?;
    Ok(accesses.into_iter().map(backend).collect())
}

fn backend(access: Access) -> Backend {
    Backend {
        marker: access.tags.marker(),
        id: access.vpc_access_id,
        spec: BackendSpec {
            name: BackendName(access.name),
            vpc_id: access.vpc_id,
            load_balancer_id: access.instance_id,
            port: access.port,
            host_override: Some(access.vpc_target_host_name).filter(|host| !host.is_empty()),
        },
    }
}

pub(super) async fn create(
    client: &Client,
    spec: &BackendSpec,
    marker: &Marker,
) -> Result<Backend, CloudError> {
    check::check_name(check::Named::Backend, spec.name.as_str())?;
    check::check_marker(marker)?;
    let call = RpcCall::new(SET_VPC_ACCESS)
        .query("Name", &spec.name)
        .query("VpcId", &spec.vpc_id)
        .query("InstanceId", &spec.load_balancer_id)
        .query("Port", spec.port)
        .query_opt("VpcTargetHostName", spec.host_override.as_ref());
    let made: Access = client.call_as(mark(call, marker)).await?;
    Ok(Backend {
        spec: spec.clone(),
        id: super::made(SET_VPC_ACCESS, made.vpc_access_id)?,
        marker: Some(marker.clone()),
    })
}

/// `ModifyVpcAccessAndUpdateApis` publishes all APIs behind the authorization again, in the
/// background: waits until every one of them has moved.
pub(super) async fn update(
    client: &Client,
    spec: &BackendSpec,
    timing: &ClassicTiming,
) -> Result<(), CloudError> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Started {
        operation_id: String,
    }
    let call = RpcCall::new(MODIFY_VPC_ACCESS_AND_UPDATE_APIS)
        .query("Name", &spec.name)
        .query("VpcId", &spec.vpc_id)
        .query("InstanceId", &spec.load_balancer_id)
        .query("Port", spec.port)
        .query(
            "VpcTargetHostName",
            spec.host_override.as_deref().unwrap_or_default(),
        );
    let started: Started = client.call_as(call).await?;
    if started.operation_id.is_empty() {
        return Ok(());
    }
    let deadline = Instant::now() + timing.task;
    loop {
        match progress(client, &started.operation_id).await? {
            Progress::Done => return Ok(()),
            Progress::Failed(reason) => {
                let message = format!("an API behind {} did not move: {reason}", spec.name);
                return Err(task_error(ErrorClass::Unavailable, "TaskFailed", message));
            }
            Progress::Waiting(left) if Instant::now() >= deadline => {
                let message = format!("{left} APIs behind {} have not moved yet", spec.name);
                return Err(task_error(ErrorClass::Busy, "TaskUnfinished", message));
            }
            Progress::Waiting(_) => tokio::time::sleep(timing.poll).await,
        }
    }
}

fn task_error(class: ErrorClass, code: &str, message: String) -> CloudError {
    failure(
        MODIFY_VPC_ACCESS_AND_UPDATE_APIS,
        class,
        code,
        message,
        Effect::Unknown,
    )
}

enum Progress {
    Done,
    Waiting(usize),
    Failed(String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TaskResult {
    api_name: String,
    update_status: String,
    error_msg: String,
}

async fn progress(client: &Client, operation: &str) -> Result<Progress, CloudError> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Task {
        api_update_vpc_info_results: Results,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Results {
        api_update_vpc_info_result: Vec<TaskResult>,
    }
    let call = RpcCall::new(DESCRIBE_UPDATE_VPC_INFO_TASK).query("OperationUid", operation);
    let task: Task = client.call_as(call).await?;
    Ok(sum(&task
        .api_update_vpc_info_results
        .api_update_vpc_info_result))
}

/// `success` is the one documented status; what else there is can only mean failed or underway.
fn sum(results: &[TaskResult]) -> Progress {
    let is = |result: &TaskResult, words: &[&str]| {
        let status = result.update_status.to_ascii_lowercase();
        words.iter().any(|word| status.starts_with(word))
    };
    if let Some(failed) = results.iter().find(|result| is(result, &["fail", "error"])) {
        return Progress::Failed(format!("{}: {}", failed.api_name, failed.error_msg));
    }
    match results
        .iter()
        .filter(|result| !is(result, &["success"]))
        .count()
    {
        0 => Progress::Done,
        left => Progress::Waiting(left),
    }
}

/// Takes the authorization away; APIs that still refer to it begin to fail, so the caller removes
/// those first. The name is not part of the call, so it must be the one that holds the target.
pub(super) async fn delete(client: &Client, spec: &BackendSpec) -> Result<(), CloudError> {
    let call = RpcCall::new(REMOVE_VPC_ACCESS)
        .query("VpcId", &spec.vpc_id)
        .query("InstanceId", &spec.load_balancer_id)
        .query("Port", spec.port);
    gone_is_fine(client.call(call).await)
}

/// Published APIs only: the product does not tell of drafts.
pub(super) async fn users(client: &Client, name: &BackendName) -> Result<Vec<ApiId>, CloudError> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct User {
        api_id: String,
        stage_name: String,
        vpc_name: String,
    }
    let call = RpcCall::new(DESCRIBE_APIS_BY_VPC_ACCESS).query("VpcName", name);
    let items = ("ApiVpcAccessInfos", "ApiVpcAccessInfo");
    let id = |user: &User| format!("{}/{}", user.api_id, user.stage_name);
    let users = pages::all(client, call, PAGE, items, id).await?;
    // Whether VpcName filters by equality is not documented.
    let here = |user: &User| user.vpc_name.is_empty() || user.vpc_name == name.as_str();
    let users = users.into_iter().filter(here);
    Ok(users.map(|user| ApiId(user.api_id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_done_when_every_api_has_moved() {
        let result = |status: &str| TaskResult {
            api_name: "hello".to_owned(),
            update_status: status.to_owned(),
            error_msg: "no route".to_owned(),
        };
        assert!(matches!(sum(&[]), Progress::Done));
        assert!(matches!(
            sum(&[result("success"), result("SUCCESS")]),
            Progress::Done
        ));
        assert!(matches!(
            sum(&[result("success"), result("running")]),
            Progress::Waiting(1)
        ));
        let Progress::Failed(reason) = sum(&[result("running"), result("FAILED")]) else {
            panic!("a failure must show before what is still running")
        };
        assert_eq!(reason, "hello: no route");
    }
}
