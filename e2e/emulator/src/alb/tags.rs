//! Tags and resource groups.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::errors;
use super::node::Node;
use super::pages::{self, among};
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

/// Tags that a resource may have.
pub(crate) const TAGS_MAX: usize = 20;

/// Resources that one call may name.
const RESOURCES_MAX: usize = 50;

pub(crate) fn view(tags: &BTreeMap<String, String>) -> Vec<Value> {
    let tags = tags.iter();
    tags.map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect()
}

/// The tags in `Tag.N.Key` and `Tag.N.Value`, checked.
pub(crate) fn of_node(root: &Node) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for tag in root.items("Tag") {
        let key = tag.required("Key")?;
        let value = tag.text("Value").unwrap_or_default();
        for (name, text) in [("Tag.Key", key), ("Tag.Value", value)] {
            let lower = text.to_lowercase();
            let reserved = lower.starts_with("aliyun") || lower.starts_with("acs:");
            let link = lower.contains("http://") || lower.contains("https://");
            if text.chars().count() > 128 || reserved || link {
                return Err(errors::illegal(name));
            }
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    match tags.len() > TAGS_MAX {
        true => Err(errors::quota("TagsNum", tags.len(), TAGS_MAX)),
        false => Ok(tags),
    }
}

/// Whether all of `Tag.N` are among `tags`; a tag without a value asks for the key only.
pub(crate) fn matches(request: &Request, tags: &BTreeMap<String, String>) -> bool {
    request.params.list("Tag").iter().all(|wanted| {
        let value = wanted.get("Key").and_then(|key| tags.get(key));
        let asked = wanted.get("Value").filter(|asked| !asked.is_empty());
        value.is_some_and(|value| asked.is_none_or(|asked| asked == value))
    })
}

/// A kind of resource and all of that kind with their tags.
fn all_of<'a>(
    world: &'a mut World,
    kind: &str,
) -> BTreeMap<String, &'a mut BTreeMap<String, String>> {
    let alb = &mut world.alb;
    macro_rules! tags {
        ($objects:expr) => {
            $objects
                .iter_mut()
                .map(|(id, object)| (id.clone(), &mut object.value.tags))
                .collect()
        };
    }
    match kind {
        "loadbalancer" => tags!(alb.load_balancers),
        "listener" => tags!(alb.listeners),
        "rule" => tags!(alb.rules),
        _ => tags!(alb.server_groups),
    }
}

fn kind(request: &Request) -> Result<&'static str, ApiError> {
    let kinds = ["loadbalancer", "listener", "rule", "servergroup"];
    let kind = Node::of(&request.params).one_of_any_case("ResourceType", &kinds)?;
    kind.ok_or_else(|| errors::missing("ResourceType"))
}

fn named(request: &Request) -> Result<Vec<String>, ApiError> {
    let ids = request.params.strings("ResourceId");
    match ids.len() {
        0 => Err(errors::missing("ResourceId")),
        count if count > RESOURCES_MAX => Err(errors::illegal("ResourceId")),
        _ => Ok(ids),
    }
}

pub(super) fn tag(world: &mut World, request: &Request) -> Answer {
    let new = of_node(&Node::of(&request.params))?;
    if new.is_empty() {
        return Err(errors::missing("Tag"));
    }
    let ids = named(request)?;
    let mut known = all_of(world, kind(request)?);
    for id in &ids {
        let tags = known
            .get(id)
            .ok_or_else(|| errors::not_found("Resource", id))?;
        let added = new.keys().filter(|key| !tags.contains_key(*key)).count();
        if tags.len() + added > TAGS_MAX {
            return Err(errors::quota("TagsNum", tags.len() + added, TAGS_MAX));
        }
    }
    for id in &ids {
        if let Some(tags) = known.get_mut(id) {
            tags.extend(new.clone());
        }
    }
    Ok(json!({}))
}

pub(super) fn untag(world: &mut World, request: &Request) -> Answer {
    let mut keys = request.params.strings("TagKey");
    let listed = request.params.list("Tag");
    keys.extend(listed.iter().filter_map(|tag| tag.get("Key").cloned()));
    let all = request.params.bool("All")? == Some(true);
    if keys.is_empty() && !all {
        return Err(errors::missing("TagKey"));
    }
    let ids = named(request)?;
    let mut known = all_of(world, kind(request)?);
    if let Some(id) = ids.iter().find(|id| !known.contains_key(*id)) {
        return Err(errors::not_found("Resource", id));
    }
    for id in &ids {
        if let Some(tags) = known.get_mut(id) {
            tags.retain(|key, _| !(keys.contains(key) || all && keys.is_empty()));
        }
    }
    Ok(json!({}))
}

pub(super) fn list(world: &mut World, request: &Request) -> Answer {
    let kind = kind(request)?;
    let ids = request.params.strings("ResourceId");
    if ids.is_empty() && request.params.list("Tag").is_empty() {
        return Err(errors::missing("ResourceId"));
    }
    let mut items = Vec::new();
    for (id, tags) in all_of(world, kind) {
        if among(&ids, &id) && matches(request, tags) {
            items.extend(tags.iter().map(|(key, value)| {
                json!({"ResourceId": id, "ResourceType": kind, "TagKey": key, "TagValue": value})
            }));
        }
    }
    pages::page(request, "TagResources", items)
}

pub(super) fn move_resource_group(world: &mut World, request: &Request) -> Answer {
    let id = request.params.required("ResourceId")?;
    let group = request.params.required("NewResourceGroupId")?;
    let alb = &mut world.alb;
    let place = match request.params.required("ResourceType")? {
        "loadbalancer" => alb
            .load_balancers
            .get_mut(id)
            .map(|balancer| &mut balancer.value.resource_group_id),
        "servergroup" => alb
            .server_groups
            .get_mut(id)
            .map(|found| &mut found.value.resource_group_id),
        _ => return Err(errors::illegal("ResourceType")),
    };
    group.clone_into(place.ok_or_else(|| errors::not_found("Resource", id))?);
    Ok(json!({}))
}
