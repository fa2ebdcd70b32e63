//! APIs: the list is an index, definitions are read where it says that something moved.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;

use super::api_answer::ApiAnswer;
use super::api_details::{Details, Place};
use super::tags::{Tags, mark};
use super::{PARALLEL, api_parse, api_render, check, environment, gone_is_fine, pages, stage};
use crate::call::RpcCall;
use crate::client::{Client, UNEXPECTED_SHAPE};
use crate::error::{CloudError, ErrorClass};
use crate::gateway::model::*;
use crate::operations::*;

const PAGE: usize = 100;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Summary {
    api_id: String,
    api_name: String,
    api_method: String,
    api_path: String,
    group_id: String,
    modified_time: String,
    deployed_infos: DeployedInfos,
    tag_list: Tags,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DeployedInfos {
    deployed_info: Vec<DeployedInfo>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DeployedInfo {
    stage_name: String,
    deployed_status: String,
    effective_version: String,
}

pub(super) async fn list(
    client: &Client,
    details: &Details,
    cluster: &str,
) -> Result<Vec<Api>, CloudError> {
    let call = RpcCall::new(DESCRIBE_APIS);
    let items = ("ApiSummarys", "ApiSummary");
    let summaries = pages::all(client, call, PAGE, items, |s: &Summary| s.api_id.clone()).await?;
    let listed: Vec<(Api, String)> = summaries.into_iter().map(entry).collect();
    details.retain(
        &listed
            .iter()
            .map(|(api, _)| &api.id)
            .collect::<HashSet<_>>(),
    );
    futures::stream::iter(listed)
        .map(|(api, modified)| complete(client, details, cluster, api, modified))
        .buffered(PARALLEL)
        .try_filter_map(|api| async { Ok(api) })
        .try_collect()
        .await
}

/// What the list says of an API, and when its draft was last changed.
fn entry(summary: Summary) -> (Api, String) {
    let runs = |info: &DeployedInfo| {
        info.deployed_status.is_empty() || info.deployed_status.eq_ignore_ascii_case("DEPLOYED")
    };
    let deployments = summary
        .deployed_infos
        .deployed_info
        .into_iter()
        .filter(runs)
        .filter_map(|info| {
            let version = info.effective_version;
            Some((
                environment(&info.stage_name)?,
                Deployment {
                    version,
                    spec: None,
                },
            ))
        })
        .collect();
    let api = Api {
        id: ApiId(summary.api_id),
        group: GroupId(summary.group_id),
        name: summary.api_name,
        // A method that the model has no word for may meet any request as well.
        method: api_parse::parse_method(&summary.api_method).unwrap_or(Method::Any),
        path: api_parse::parse_path(&summary.api_path),
        spec: None,
        deployments,
        marker: summary.tag_list.marker(),
    };
    (api, summary.modified_time)
}

/// Adds the definitions to an API of `cluster`; none if it went away since it was listed.
async fn complete(
    client: &Client,
    details: &Details,
    cluster: &str,
    mut api: Api,
    modified: String,
) -> Result<Option<Api>, CloudError> {
    if api
        .marker
        .as_ref()
        .is_none_or(|marker| marker.cluster != cluster)
    {
        return Ok(Some(api));
    }
    let Some(draft) = definition(client, details, &api, None, &modified).await? else {
        return Ok(None);
    };
    let mut deployments = BTreeMap::new();
    for (environment, deployment) in &api.deployments {
        let version = &deployment.version;
        // Gone meanwhile: nothing runs there.
        let place = Some(*environment);
        if let Some(answer) = definition(client, details, &api, place, version).await? {
            let spec = Some(api_parse::deployed(&answer, &draft));
            deployments.insert(
                *environment,
                Deployment {
                    version: version.clone(),
                    spec,
                },
            );
        }
    }
    api.spec = Some(api_parse::draft(&draft));
    api.deployments = deployments;
    Ok(Some(api))
}

async fn definition(
    client: &Client,
    details: &Details,
    api: &Api,
    place: Place,
    stamp: &str,
) -> Result<Option<Arc<ApiAnswer>>, CloudError> {
    let generation = match details.get(&api.id, place, stamp) {
        Ok(known) => return Ok(Some(known)),
        Err(generation) => generation,
    };
    let operation = if place.is_none() {
        DESCRIBE_API
    } else {
        DESCRIBE_DEPLOYED_API
    };
    let call =
        on(RpcCall::new(operation), &api.group, &api.id).query_opt("StageName", place.map(stage));
    match client.call_as::<ApiAnswer>(call).await {
        Ok(answer) => {
            let answer = Arc::new(answer);
            details.keep(&api.id, place, stamp, generation, &answer);
            Ok(Some(answer))
        }
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        // One odd definition must not hide all others: it shows as drift, and is read again.
        Err(error) if error.code == UNEXPECTED_SHAPE => {
            tracing::warn!(api = %api.id, %error, "a definition cannot be read");
            let unreadable = Some(error.message);
            Ok(Some(Arc::new(ApiAnswer {
                unreadable,
                ..ApiAnswer::default()
            })))
        }
        Err(error) => Err(error),
    }
}

fn on(call: RpcCall, group: &GroupId, id: &ApiId) -> RpcCall {
    call.query("GroupId", group).query("ApiId", id)
}

pub(super) async fn create(
    client: &Client,
    group: &GroupId,
    spec: &ApiSpec,
    marker: &Marker,
) -> Result<ApiId, CloudError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Made {
        api_id: String,
    }
    check::check_api(spec)?;
    check::check_marker(marker)?;
    let call = RpcCall::new(CREATE_API).query("GroupId", group);
    let made: Made = client
        .call_as(mark(api_render::render(call, spec), marker))
        .await?;
    Ok(ApiId(made.api_id))
}

pub(super) async fn update(
    client: &Client,
    group: &GroupId,
    id: &ApiId,
    spec: &ApiSpec,
) -> Result<(), CloudError> {
    check::check_api(spec)?;
    let call = api_render::render(on(RpcCall::new(MODIFY_API), group, id), spec);
    client.call(call).await.map(drop)
}

pub(super) async fn delete(client: &Client, group: &GroupId, id: &ApiId) -> Result<(), CloudError> {
    gone_is_fine(client.call(on(RpcCall::new(DELETE_API), group, id)).await)
}

pub(super) async fn deploy(
    client: &Client,
    group: &GroupId,
    id: &ApiId,
    environment: Environment,
    note: &str,
) -> Result<(), CloudError> {
    check::check_description(note)?;
    // The product demands a description.
    let note = if note.is_empty() { "-" } else { note };
    let call = on(RpcCall::new(DEPLOY_API), group, id)
        .query("StageName", stage(environment))
        .query("Description", note);
    client.call(call).await.map(drop)
}

pub(super) async fn undeploy(
    client: &Client,
    group: &GroupId,
    id: &ApiId,
    environment: Environment,
) -> Result<(), CloudError> {
    let call = on(RpcCall::new(ABOLISH_API), group, id).query("StageName", stage(environment));
    gone_is_fine(client.call(call).await)
}
