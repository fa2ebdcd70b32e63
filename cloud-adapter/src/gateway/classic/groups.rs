//! Groups: `DescribeApiGroups` for all, `DescribeApiGroup` for what the list leaves out of ours and
//! of those that somebody looks after.

use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;

use super::tags::{Tags, mark};
use super::{Listed, PARALLEL, check, gone_is_fine, pages};
use crate::call::RpcCall;
use crate::client::{Client, UNEXPECTED_SHAPE};
use crate::error::{CloudError, Effect, ErrorClass};
use crate::gateway::model::{Group, GroupId, GroupSpec, Marker};
use crate::operations::*;

/// The most that `DescribeApiGroups` gives at once.
const PAGE: usize = 50;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Summary {
    group_id: String,
    group_name: String,
    description: String,
    instance_id: String,
    instance_type: String,
    sub_domain: String,
    tags: Tags,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Detail {
    group_name: String,
    description: String,
    passthrough_headers: String,
    /// True while the public test domain is off.
    disable_inner_domain: bool,
}

impl Detail {
    fn passes_host(&self) -> bool {
        headers(&self.passthrough_headers).any(is_host)
    }
}

pub(super) async fn list(client: &Client, more: &[GroupId]) -> Result<Listed<Group>, CloudError> {
    let call = RpcCall::new(DESCRIBE_API_GROUPS);
    let items = ("ApiGroupAttributes", "ApiGroupAttribute");
    let listed = pages::all(client, call, PAGE, items, &["GroupId"]).await?;
    let mut unreadable = listed.unreadable;
    let completed: Vec<Option<(Group, Option<String>)>> = futures::stream::iter(listed.items)
        .map(|summary| complete(client, summary, more))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let mut items = Vec::new();
    for (group, problem) in completed.into_iter().flatten() {
        if let Some(problem) = problem {
            unreadable.insert(group.id.0.clone(), problem);
        }
        items.push(group);
    }
    Ok(Listed { items, unreadable })
}

/// None if the group went away since it was listed; else it, and what of it cannot be read.
async fn complete(
    client: &Client,
    summary: Summary,
    more: &[GroupId],
) -> Result<Option<(Group, Option<String>)>, CloudError> {
    let marker = summary.tags.marker();
    let watched = more.iter().any(|id| id.as_str() == summary.group_id);
    let mut problem = None;
    let detail = if marker.is_some() || watched {
        match describe(client, &summary.group_id).await {
            Err(error) if error.class == ErrorClass::NotFound => return Ok(None),
            Err(error) if error.code == UNEXPECTED_SHAPE => {
                problem = Some(error.message);
                Detail::default()
            }
            detail => detail?,
        }
    } else {
        // Somebody else's: nothing is compared.
        Detail {
            disable_inner_domain: true,
            ..Detail::default()
        }
    };
    let shared = summary.instance_id.is_empty()
        || summary.instance_id.starts_with("api-shared")
        || summary
            .instance_type
            .to_ascii_uppercase()
            .ends_with("SHARED");
    let group = Group {
        id: GroupId(summary.group_id),
        spec: GroupSpec {
            name: summary.group_name,
            description: summary.description,
            instance: (!shared).then_some(summary.instance_id),
            test_domain: !detail.disable_inner_domain,
            pass_host: detail.passes_host(),
        },
        sub_domain: summary.sub_domain,
        marker,
    };
    Ok(Some((group, problem)))
}

async fn describe(client: &Client, id: &str) -> Result<Detail, CloudError> {
    client
        .call_as(RpcCall::new(DESCRIBE_API_GROUP).query("GroupId", id))
        .await
}

pub(super) async fn create(
    client: &Client,
    spec: &GroupSpec,
    marker: &Marker,
) -> Result<Group, CloudError> {
    check::group(spec)?;
    check::check_marker(marker)?;
    let call = RpcCall::new(CREATE_API_GROUP)
        .query("GroupName", &spec.name)
        .query("Description", &spec.description)
        .query_opt("InstanceId", spec.instance.as_ref());
    let made: Summary = client.call_as(mark(call, marker)).await?;
    let group = Group {
        id: GroupId(super::made(CREATE_API_GROUP, made.group_id)?),
        spec: spec.clone(),
        sub_domain: made.sub_domain,
        marker: Some(marker.clone()),
    };
    // What a new group starts with is not documented, so it is said either way.
    let rest = async {
        set_test_domain(client, &group.id, spec.test_domain).await?;
        if spec.pass_host {
            update(client, &group.id, spec).await?;
        }
        Ok(())
    };
    // The group exists whatever happened to its switches: the caller has to look.
    rest.await.map_err(|error: CloudError| CloudError {
        effect: Effect::Unknown,
        ..error
    })?;
    Ok(group)
}

/// Reads first and sends only what differs: what a group has besides is left as it is.
pub(super) async fn update(
    client: &Client,
    id: &GroupId,
    spec: &GroupSpec,
) -> Result<(), CloudError> {
    check::group(spec)?;
    let seen = describe(client, id.as_str()).await?;
    if seen.disable_inner_domain == spec.test_domain {
        set_test_domain(client, id, spec.test_domain).await?;
    }
    let pass = seen.passes_host() != spec.pass_host;
    if !pass && seen.group_name == spec.name && seen.description == spec.description {
        return Ok(());
    }
    let call = RpcCall::new(MODIFY_API_GROUP)
        .query("GroupId", id)
        .query("GroupName", &spec.name)
        .query("Description", &spec.description)
        .query_opt(
            "PassthroughHeaders",
            pass.then(|| with_host(&seen.passthrough_headers, spec.pass_host)),
        );
    client.call(call).await.map(drop)
}

/// `InnerDomainEnable` switches the public second-level domain (CloudAPI
/// `ModifyApiGroupNetworkPolicy`); `DescribeApiGroup` reads it back as `DisableInnerDomain`.
async fn set_test_domain(client: &Client, id: &GroupId, on: bool) -> Result<(), CloudError> {
    let call = RpcCall::new(MODIFY_API_GROUP_NETWORK_POLICY)
        .query("GroupId", id)
        .query("InnerDomainEnable", on);
    client.call(call).await.map(drop)
}

/// The product itself answers success for a group that does not exist.
pub(super) async fn delete(client: &Client, id: &GroupId) -> Result<(), CloudError> {
    gone_is_fine(
        client
            .call(RpcCall::new(DELETE_API_GROUP).query("GroupId", id))
            .await,
    )
}

fn headers(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ';'])
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host")
}

/// Leaves what else is passed on as it is.
fn with_host(list: &str, host: bool) -> String {
    let mut names: Vec<&str> = headers(list).filter(|name| !is_host(name)).collect();
    if host {
        names.push("host");
    }
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_is_added_to_or_taken_from_the_passed_headers() {
        assert_eq!(with_host("Host", false), "");
        assert_eq!(with_host("x-trace, HOST", false), "x-trace");
        assert_eq!(with_host("x-trace", true), "x-trace,host");
        assert_eq!(with_host("", true), "host");
    }
}
