//! Attachments are plugins bound to APIs in a stage.

use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;

use super::{PARALLEL, environment, gone_is_fine, pages, stage};
use crate::call::RpcCall;
use crate::client::Client;
use crate::error::{CloudError, ErrorClass};
use crate::gateway::model::{ApiId, Attachment, GroupId, PolicyId};
use crate::operations::*;

const PAGE: usize = 100;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Bound {
    api_id: String,
    stage_name: String,
}

pub(super) async fn list(
    client: &Client,
    policies: &[PolicyId],
) -> Result<Vec<Attachment>, CloudError> {
    let lists: Vec<Vec<Attachment>> = futures::stream::iter(policies.to_vec())
        .map(|policy| of_policy(client, policy))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    Ok(lists.into_iter().flatten().collect())
}

async fn of_policy(client: &Client, policy: PolicyId) -> Result<Vec<Attachment>, CloudError> {
    let call = RpcCall::new(DESCRIBE_PLUGIN_APIS).query("PluginId", &policy);
    let items = ("ApiSummarys", "ApiPluginSummary");
    match pages::all(client, call, PAGE, items, &["ApiId", "StageName"]).await {
        Ok(found) => Ok(found
            .items
            .into_iter()
            .filter_map(|item: Bound| {
                Some(Attachment {
                    policy: policy.clone(),
                    environment: environment(&item.stage_name)?,
                    api: ApiId(item.api_id),
                })
            })
            .collect()),
        // The policy went away.
        Err(error) if error.class == ErrorClass::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

pub(super) async fn attach(
    client: &Client,
    group: &GroupId,
    attachment: &Attachment,
) -> Result<(), CloudError> {
    client
        .call(on(RpcCall::new(ATTACH_PLUGIN), group, attachment))
        .await
        .map(drop)
}

pub(super) async fn detach(
    client: &Client,
    group: &GroupId,
    attachment: &Attachment,
) -> Result<(), CloudError> {
    gone_is_fine(
        client
            .call(on(RpcCall::new(DETACH_PLUGIN), group, attachment))
            .await,
    )
}

fn on(call: RpcCall, group: &GroupId, attachment: &Attachment) -> RpcCall {
    call.query("GroupId", group)
        .query("PluginId", &attachment.policy)
        .query("ApiId", &attachment.api)
        .query("StageName", stage(attachment.environment))
}
