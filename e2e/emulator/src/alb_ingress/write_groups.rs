//! Server groups: made before all else, deleted after all else.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::compare::Ids;
use super::failure::Failure;
use super::model::{Model, WantedGroup};
use super::names::{self, tag_value};
use super::servers::{self, Backends};
use super::tracking::{Stack, tag, tag_args};
use crate::ccm::{Args, text};

/// Server groups under way at once.
const WIDTH: usize = 10;

/// What there is, and what is to go when nothing uses it any more.
pub(super) struct Groups {
    pub(super) ids: Ids,
    surplus: Vec<String>,
}

/// Makes those that are missing, with their servers, and brings the others in line.
pub(super) async fn apply(
    stack: &Stack<'_>,
    model: &Model,
    backends: &Backends,
) -> Result<Groups, Failure> {
    let listed = stack
        .list("ListServerGroups", tag_args(stack.tags()), "ServerGroups")
        .await?;
    let mut ids = BTreeMap::new();
    let mut surplus = Vec::new();
    let mut known = Vec::new();
    for shown in &listed {
        let resource = tag(shown, names::RESOURCE_TAG);
        let id = text(shown, "ServerGroupId").to_owned();
        match model.groups.get(resource) {
            Some(wanted) => {
                known.push((wanted, shown));
                ids.insert(resource.to_owned(), id);
            }
            None => surplus.push(id),
        }
    }
    let missing = model
        .groups
        .iter()
        .filter(|(resource, _)| !ids.contains_key(*resource));
    // Futures first: a closure over references does not live long enough in a stream.
    let creations: Vec<_> = missing
        .map(|(resource, wanted)| create(stack, resource, wanted, backends))
        .collect();
    // One that fails does not keep the others from being made.
    let made: Vec<Result<(String, String), Failure>> = stream::iter(creations)
        .buffer_unordered(WIDTH)
        .collect()
        .await;
    let made: Vec<(String, String)> = made.into_iter().collect::<Result<_, _>>()?;
    for (wanted, shown) in known {
        update(stack, wanted, shown).await?;
        if !wanted.is_default() && !backends.has(&wanted.namespace, &wanted.service) {
            servers::empty(stack, text(shown, "ServerGroupId")).await?;
        }
    }
    ids.extend(made);
    Ok(Groups { ids, surplus })
}

async fn create(
    stack: &Stack<'_>,
    resource: &str,
    wanted: &WantedGroup,
    backends: &Backends,
) -> Result<(String, String), Failure> {
    check(wanted)?;
    let args = Args::default()
        .with("ServerGroupName", wanted.name())
        .with("ServiceName", wanted.name())
        .with("VpcId", &stack.cloud.config.vpc_id)
        .and(wanted.settings.clone().into_iter().filter(is_said));
    let made = stack.cloud.alb("CreateServerGroup", args).await?;
    let id = text(&made, "ServerGroupId").to_owned();
    until_available(stack, &id).await?;
    let mut tags = stack.tags();
    tags.extend([
        (names::RESOURCE_TAG, resource.to_owned()),
        (names::SERVICE_NAMESPACE_TAG, tag_value(&wanted.namespace)),
        (names::INGRESS_TAG, tag_value(&wanted.ingress)),
        (names::SERVICE_TAG, tag_value(&wanted.service)),
        (names::PORT_TAG, wanted.port.to_string()),
    ]);
    let args = tag_args(tags)
        .with("ResourceType", "ServerGroup")
        .with("ResourceId.1", &id);
    let filled = async {
        stack.cloud.alb("TagResources", args).await?;
        if !wanted.is_default() {
            let servers = backends.of(&wanted.namespace, &wanted.service, wanted.port)?;
            servers::add(stack, &id, &servers).await?;
        }
        Ok::<_, Failure>(())
    };
    if let Err(failure) = filled.await {
        // What failed half-way is not left behind.
        delete(stack, &id).await?;
        return Err(failure);
    }
    Ok((resource.to_owned(), id))
}

/// That connections are not kept is not said when a group is made.
fn is_said((name, value): &(String, String)) -> bool {
    name != "UpstreamKeepaliveEnabled" || value == "true"
}

async fn delete(stack: &Stack<'_>, id: &str) -> Result<(), Failure> {
    let codes = ["ResourceInUse.ServerGroup", "IncorrectStatus.ServerGroup"];
    let args = Args::default().with("ServerGroupId", id);
    stack.retried("DeleteServerGroup", args, &codes).await?;
    Ok(())
}

/// Looks every second whether it is there.
async fn until_available(stack: &Stack<'_>, id: &str) -> Result<(), Failure> {
    for _ in 0..10 {
        stack.wait(1).await;
        let args = Args::default().with("ServerGroupIds.1", id);
        let groups = stack.list("ListServerGroups", args, "ServerGroups").await?;
        let Some(group) = groups.first() else {
            return Err(Failure::Apply(format!("ServerGroupID: {id} not exist")));
        };
        if text(group, "ServerGroupStatus") == "Available" {
            return Ok(());
        }
    }
    Err(Failure::Apply(format!("ServerGroupID: {id} not ready")))
}

/// What the controller itself refuses: it has no name for a cookie that servers set.
fn check(wanted: &WantedGroup) -> Result<(), Failure> {
    let kind = wanted.settings.get("StickySessionConfig.StickySessionType");
    match kind.is_some_and(|kind| kind.eq_ignore_ascii_case("Server")) {
        true => Err(Failure::Apply("invalid server group Cookie: ".to_owned())),
        false => Ok(()),
    }
}

async fn update(stack: &Stack<'_>, wanted: &WantedGroup, shown: &Value) -> Result<(), Failure> {
    check(wanted)?;
    let id = text(shown, "ServerGroupId");
    let mut changes: Vec<(String, String)> = Vec::new();
    let mut differs = |name: &str, shown: String| {
        let value = wanted.settings.get(name);
        if let Some(value) = value.filter(|value| **value != shown) {
            changes.push((name.to_owned(), value.clone()));
        }
    };
    differs("Scheduler", text(shown, "Scheduler").to_owned());
    differs(
        "UpstreamKeepaliveEnabled",
        shown["UpstreamKeepaliveEnabled"].to_string(),
    );
    for config in ["HealthCheckConfig", "StickySessionConfig"] {
        let switch = match config {
            "HealthCheckConfig" => "HealthCheckEnabled",
            _ => "StickySessionEnabled",
        };
        let members = wanted.settings.iter();
        let members = members.filter(|(name, _)| name.starts_with(config));
        let same = |(name, value): (&String, &String)| {
            let member = name.split_once('.').map_or("", |(_, member)| member);
            let path = format!("/{config}/{}", member.replace(".1", "/0").replace('.', "/"));
            let shown = shown.pointer(&path).unwrap_or(&Value::Null);
            let shown = shown
                .as_str()
                .map_or_else(|| shown.to_string(), str::to_owned);
            shown == *value || (shown == "null" && value == "false")
        };
        if !members.clone().all(same) {
            let off = wanted
                .settings
                .get(&format!("{config}.{switch}"))
                .map(String::as_str);
            tracing::debug!(config, ?off, "settings of a server group differ");
            changes.extend(members.map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    let args = Args::default().with("ServerGroupId", id).and(changes);
    stack.cloud.alb("UpdateServerGroupAttribute", args).await?;
    until_available(stack, id).await
}

/// Deletes those that nothing leads to any more.
pub(super) async fn clean_up(stack: &Stack<'_>, groups: &Groups) -> Result<(), Failure> {
    let deletions: Vec<_> = groups.surplus.iter().map(|id| delete(stack, id)).collect();
    stream::iter(deletions)
        .buffer_unordered(WIDTH)
        .try_for_each(|_| futures::future::ok(()))
        .await?;
    Ok(())
}
