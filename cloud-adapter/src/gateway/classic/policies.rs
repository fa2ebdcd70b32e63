//! Policies are plugins.

use serde::Deserialize;

use super::tags::{Tags, mark};
use super::{Listed, check, gone_is_fine, pages, throttling};
use crate::call::RpcCall;
use crate::client::Client;
use crate::error::CloudError;
use crate::gateway::model::{Marker, Policy, PolicyId, PolicyRules, PolicySpec};
use crate::operations::*;

const PAGE: usize = 100;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Plugin {
    plugin_id: String,
    plugin_name: String,
    plugin_type: String,
    plugin_data: String,
    description: String,
    tags: Tags,
}

pub(super) async fn list(client: &Client) -> Result<Listed<Policy>, CloudError> {
    let call = RpcCall::new(DESCRIBE_PLUGINS);
    let items = ("Plugins", "PluginAttribute");
    let listed = pages::all(client, call, PAGE, items, &["PluginId"]).await?;
    Ok(listed.map(policy))
}

fn policy(plugin: Plugin) -> Policy {
    Policy {
        id: PolicyId(plugin.plugin_id),
        marker: plugin.tags.marker(),
        spec: PolicySpec {
            name: plugin.plugin_name,
            description: plugin.description,
            rules: rules(plugin.plugin_type, plugin.plugin_data),
        },
    }
}

fn rules(kind: String, data: String) -> PolicyRules {
    let parsed = (kind == throttling::KIND)
        .then(|| throttling::parse(&data))
        .flatten();
    parsed.map_or(PolicyRules::Other { kind, data }, PolicyRules::Throttling)
}

/// The product's kind and text.
fn data(rules: &PolicyRules) -> (&str, String) {
    match rules {
        PolicyRules::Throttling(limits) => (throttling::KIND, throttling::render(limits)),
        PolicyRules::Other { kind, data } => (kind, data.clone()),
    }
}

pub(super) async fn create(
    client: &Client,
    spec: &PolicySpec,
    marker: &Marker,
) -> Result<PolicyId, CloudError> {
    check::policy(spec)?;
    check::check_marker(marker)?;
    let (kind, data) = data(&spec.rules);
    let call = RpcCall::new(CREATE_PLUGIN)
        .query("PluginName", &spec.name)
        .query("PluginType", kind)
        .query("Description", &spec.description)
        .form("PluginData", data);
    let made: Plugin = client.call_as(mark(call, marker)).await?;
    Ok(PolicyId(super::made(CREATE_PLUGIN, made.plugin_id)?))
}

/// Acts at once on everything the policy is attached to. The kind cannot change.
pub(super) async fn update(
    client: &Client,
    id: &PolicyId,
    spec: &PolicySpec,
) -> Result<(), CloudError> {
    check::policy(spec)?;
    let (_, data) = data(&spec.rules);
    let call = RpcCall::new(MODIFY_PLUGIN)
        .query("PluginId", id)
        .query("PluginName", &spec.name)
        .query("Description", &spec.description)
        .form("PluginData", data);
    client.call(call).await.map(drop)
}

pub(super) async fn delete(client: &Client, id: &PolicyId) -> Result<(), CloudError> {
    gone_is_fine(
        client
            .call(RpcCall::new(DELETE_PLUGIN).query("PluginId", id))
            .await,
    )
}
