//! APIs: the list is an index, definitions are read where it says that something moved.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;

use super::api_answer::{ApiAnswer, DeployedInfo, DeployedInfos};
use super::api_details::Details;
use super::tags::{Tags, mark};
use super::{Listed, api_parse, api_render, check, environment, gone_is_fine, pages, stage};
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

pub(super) async fn list(
    client: &Client,
    details: &Details,
    cluster: &str,
    more: &[ApiId],
) -> Result<Listed<Api>, CloudError> {
    let call = RpcCall::new(DESCRIBE_APIS);
    let items = ("ApiSummarys", "ApiSummary");
    let listed = pages::all(client, call, PAGE, items, &["ApiId"]).await?;
    let mut listed = listed.map(entry);
    let ids = listed.items.iter().map(|api| &api.id);
    details.retain(&ids.collect::<HashSet<_>>());
    let is_known = |api: &&mut Api| {
        let marker = api.marker.as_ref();
        marker.is_some_and(|marker| marker.cluster == cluster) || more.contains(&api.id)
    };
    for api in listed.items.iter_mut().filter(is_known) {
        recall(details, api);
    }
    Ok(listed)
}

/// Adds the definitions that were read before and did not move since.
fn recall(details: &Details, api: &mut Api) {
    api.spec = details.draft(&api.id, &api.modified);
    if api.spec.is_none() {
        return;
    }
    let ours = api.marker.is_some();
    for (environment, deployment) in &mut api.deployments {
        let version = &deployment.version;
        deployment.spec = details.deployed(&api.id, *environment, version, ours);
    }
}

/// Reads an API whole; none if it is gone.
pub(super) async fn read(
    client: &Client,
    details: &Details,
    api: &Api,
) -> Result<Option<Api>, CloudError> {
    let Api { id, group, .. } = api;
    let generation = details.generation(id);
    let Some(draft) = definition(client, group, id, None).await? else {
        return Ok(None);
    };
    if draft.unreadable.is_some() {
        let spec = Some(Arc::new(api_parse::draft(&draft)));
        return Ok(Some(Api {
            spec,
            ..api.clone()
        }));
    }
    let modified = draft.modified_time.clone();
    let spec = Arc::new(api_parse::draft(&draft));
    let marker = draft.tag_list.marker();
    let ours = marker.is_some();
    details.keep_draft(id, &modified, ours, generation, &spec);
    let mut deployments = BTreeMap::new();
    for (environment, version) in running(&draft.deployed_infos) {
        // Gone meanwhile: nothing runs there.
        if let Some(answer) = definition(client, group, id, Some(environment)).await? {
            let spec = Arc::new(api_parse::deployed(&answer, &draft, ours));
            details.keep_deployed(id, environment, &version, generation, &spec);
            let spec = Some(spec);
            deployments.insert(environment, Deployment { version, spec });
        }
    }
    Ok(Some(Api {
        id: id.clone(),
        group: group.clone(),
        name: draft.api_name.clone(),
        method: spec.method,
        path: spec.path.clone(),
        modified,
        spec: Some(spec),
        deployments,
        marker,
    }))
}

/// Where a definition runs, and which version of it.
fn running(infos: &DeployedInfos) -> Vec<(Environment, String)> {
    let runs = |info: &&DeployedInfo| {
        info.deployed_status.is_empty() || info.deployed_status.eq_ignore_ascii_case("DEPLOYED")
    };
    let infos = infos.deployed_info.iter().filter(runs);
    infos
        .filter_map(|info| {
            Some((
                environment(&info.stage_name)?,
                info.effective_version.clone(),
            ))
        })
        .collect()
}

/// What the list says of an API.
fn entry(summary: Summary) -> Api {
    let spec = None;
    let running = running(&summary.deployed_infos).into_iter();
    Api {
        id: ApiId(summary.api_id),
        group: GroupId(summary.group_id),
        name: summary.api_name,
        // A method that the model has no word for may meet any request as well.
        method: api_parse::parse_method(&summary.api_method).unwrap_or(Method::Any),
        path: api_parse::parse_path(&summary.api_path),
        modified: summary.modified_time,
        spec: None,
        deployments: running
            .map(|(environment, version)| {
                let spec = spec.clone();
                (environment, Deployment { version, spec })
            })
            .collect(),
        marker: summary.tag_list.marker(),
    }
}

/// The draft, or what runs in `place`.
async fn definition(
    client: &Client,
    group: &GroupId,
    id: &ApiId,
    place: Option<Environment>,
) -> Result<Option<ApiAnswer>, CloudError> {
    let operation = if place.is_none() {
        DESCRIBE_API
    } else {
        DESCRIBE_DEPLOYED_API
    };
    let call = on(RpcCall::new(operation), group, id).query_opt("StageName", place.map(stage));
    match client.call_as::<ApiAnswer>(call).await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        // One odd definition must not hide all others: it shows as drift, and is read again.
        Err(error) if error.code == UNEXPECTED_SHAPE => {
            tracing::warn!(api = %id, %error, "a definition cannot be read");
            let unreadable = Some(error.message);
            Ok(Some(ApiAnswer {
                unreadable,
                ..ApiAnswer::default()
            }))
        }
        Err(error) => Err(error),
    }
}

pub(super) fn on(call: RpcCall, group: &GroupId, id: &ApiId) -> RpcCall {
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

/// The description of what runs, from the history of publications: `DescribeDeployedApi` has that of
/// the definition.
pub(super) async fn publication_note(
    client: &Client,
    api: &Api,
    environment: Environment,
) -> Result<Option<String>, CloudError> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Answer {
        api_his_items: Items,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Items {
        api_his_item: Vec<Item>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Item {
        description: String,
        status: String,
    }
    let call = on(RpcCall::new(DESCRIBE_API_HISTORIES), &api.group, &api.id)
        .query("StageName", stage(environment))
        .query("PageSize", PAGE);
    let answer: Answer = client.call_as(call).await?;
    let mut items = answer.api_his_items.api_his_item.into_iter();
    let runs = items.find(|item| item.status.eq_ignore_ascii_case("ONLINE"));
    Ok(runs.map(|item| item.description))
}
