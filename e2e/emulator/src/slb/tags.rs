//! Tags of load balancers, listeners and vServer groups.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::find;
use crate::api::{Answer, ApiError, Request};
use crate::slb::LoadBalancer;
use crate::world::World;

/// Tags that a resource may have.
const TAGS_MAX: usize = 20;

/// Resources that one call may name.
const RESOURCES_MAX: usize = 50;

/// Items on a page of `ListTagResources`.
const PAGE: usize = 50;

pub(super) fn tag_view(tags: &BTreeMap<String, String>) -> Vec<Value> {
    tags.iter()
        .map(|(key, value)| json!({"TagKey": key, "TagValue": value}))
        .collect()
}

/// The tags in `Tag.N.Key` and `Tag.N.Value`, checked.
pub(super) fn tags_of(request: &Request) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for mut tag in request.params.list("Tag") {
        let key = tag.remove("Key").unwrap_or_default();
        let value = tag.remove("Value").unwrap_or_default();
        check(&key, &value)?;
        tags.insert(key, value);
    }
    if tags.len() > TAGS_MAX {
        return Err(too_many());
    }
    Ok(tags)
}

fn check(key: &str, value: &str) -> Result<(), ApiError> {
    let reserved = |text: &str| {
        let text = text.to_lowercase();
        text.contains("http://") || text.contains("https://")
    };
    let lower = key.to_lowercase();
    if key.is_empty()
        || key.chars().count() > 64
        || lower.starts_with("aliyun")
        || lower.starts_with("acs:")
        || reserved(key)
    {
        return Err(ApiError::bad_request(
            "InvalidTagKey.Malformed",
            "The specified tag key is not valid.",
        ));
    }
    if value.chars().count() > 128 || reserved(value) {
        return Err(ApiError::bad_request(
            "InvalidTagValue.Malformed",
            "The specified tag value is not valid.",
        ));
    }
    Ok(())
}

fn too_many() -> ApiError {
    ApiError::bad_request(
        "QuotaExceeded.TagsPerResource",
        "The maximum number of tags of a resource is exceeded.",
    )
}

/// Whether all of `Tag.N` are among `tags`; a tag without a value asks for the key only.
pub(super) fn matches_tags(request: &Request, tags: &BTreeMap<String, String>) -> bool {
    request.params.list("Tag").iter().all(|wanted| {
        let value = wanted.get("Key").and_then(|key| tags.get(key));
        value.is_some_and(|value| {
            wanted
                .get("Value")
                .is_none_or(|wanted| wanted.is_empty() || wanted == value)
        })
    })
}

pub(super) fn tag(world: &mut World, request: &Request) -> Answer {
    let new = tags_of(request)?;
    if new.is_empty() {
        return Err(request.params.missing("Tag"));
    }
    let mut targets = targets(world, request)?;
    let too_full = |tags: &&mut BTreeMap<String, String>| {
        tags.len() + new.keys().filter(|key| !tags.contains_key(*key)).count() > TAGS_MAX
    };
    if targets.iter().any(too_full) {
        return Err(too_many());
    }
    for tags in &mut targets {
        tags.extend(new.clone());
    }
    Ok(json!({}))
}

pub(super) fn untag(world: &mut World, request: &Request) -> Answer {
    let keys = request.params.strings("TagKey");
    let all = request.params.bool("All")? == Some(true);
    if keys.is_empty() && !all {
        return Err(request.params.missing("TagKey"));
    }
    for tags in targets(world, request)? {
        tags.retain(|key, _| !(keys.contains(key) || all && keys.is_empty()));
    }
    Ok(json!({}))
}

/// The tags of every resource named; one that does not exist spoils the call.
fn targets<'a>(
    world: &'a mut World,
    request: &Request,
) -> Result<Vec<&'a mut BTreeMap<String, String>>, ApiError> {
    let ids = request.params.strings("ResourceId");
    if ids.is_empty() {
        return Err(request.params.missing("ResourceId"));
    }
    if ids.len() > RESOURCES_MAX {
        return Err(request.params.invalid("ResourceId"));
    }
    let mut found: BTreeMap<String, &mut BTreeMap<String, String>> = match kind(request)? {
        "instance" => world
            .slb
            .load_balancers
            .iter_mut()
            .map(|(id, balancer)| (id.clone(), &mut balancer.value.tags))
            .collect(),
        "vservergroup" => world
            .slb
            .server_groups
            .iter_mut()
            .map(|(id, group)| (id.clone(), &mut group.tags))
            .collect(),
        _ => world
            .slb
            .load_balancers
            .values_mut()
            .flat_map(|balancer| {
                let LoadBalancer { id, listeners, .. } = &mut balancer.value;
                listeners
                    .iter_mut()
                    .map(|listener| (listener.resource_id(id), &mut listener.tags))
            })
            .collect(),
    };
    ids.iter()
        .map(|id| found.remove(id).ok_or_else(find::no_load_balancer))
        .collect()
}

fn kind(request: &Request) -> Result<&str, ApiError> {
    let kind = request
        .params
        .one_of("ResourceType", &["instance", "listener", "vservergroup"])?;
    kind.ok_or_else(|| request.params.missing("ResourceType"))
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let kind = kind(request)?;
    let ids = request.params.strings("ResourceId");
    if ids.is_empty() && request.params.list("Tag").is_empty() {
        return Err(request.params.missing("ResourceId"));
    }
    let mut items = Vec::new();
    for (id, tags) in all_of(world, request, kind) {
        if (ids.is_empty() || ids.contains(&id)) && matches_tags(request, tags) {
            items.extend(tags.iter().map(|(key, value)| {
                json!({"ResourceId": id, "ResourceType": kind, "TagKey": key, "TagValue": value})
            }));
        }
    }
    let start = match request.params.filled("NextToken") {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| request.params.invalid("NextToken"))?,
    };
    let page: Vec<Value> = items.iter().skip(start).take(PAGE).cloned().collect();
    let end = start.saturating_add(page.len());
    let next = if end < items.len() {
        end.to_string()
    } else {
        String::new()
    };
    Ok(json!({"TagResources": {"TagResource": page}, "NextToken": next}))
}

fn all_of<'a>(
    world: &'a World,
    request: &Request,
    kind: &str,
) -> Vec<(String, &'a BTreeMap<String, String>)> {
    let balancers = world
        .slb
        .load_balancers
        .values()
        .filter_map(|balancer| balancer.seen(request.now));
    match kind {
        "instance" => balancers
            .map(|balancer| (balancer.id.clone(), &balancer.tags))
            .collect(),
        "vservergroup" => world
            .slb
            .server_groups
            .values()
            .map(|group| (group.id.clone(), &group.tags))
            .collect(),
        _ => balancers
            .flat_map(|balancer| {
                balancer
                    .listeners
                    .iter()
                    .map(|listener| (listener.resource_id(&balancer.id), &listener.tags))
            })
            .collect(),
    }
}
