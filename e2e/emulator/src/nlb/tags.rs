//! Tags.

use std::collections::BTreeMap;

use serde_json::json;

use super::not_found;
use crate::alb::errors;
use crate::alb::node::Node;
use crate::alb::pages::{self, among};
use crate::alb::tags::{TAGS_MAX, matches, of_node};
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

/// A kind of resource and all of that kind with their tags.
fn all_of<'a>(
    world: &'a mut World,
    kind: &str,
) -> BTreeMap<String, &'a mut BTreeMap<String, String>> {
    let nlb = &mut world.nlb;
    macro_rules! tags {
        ($objects:expr) => {
            $objects
                .iter_mut()
                .map(|(id, object)| (id.clone(), &mut object.value.tags))
                .collect()
        };
    }
    match kind {
        "loadbalancer" => tags!(nlb.load_balancers),
        "listener" => tags!(nlb.listeners),
        _ => tags!(nlb.server_groups),
    }
}

fn kind(request: &Request) -> Result<&str, ApiError> {
    let kinds = ["loadbalancer", "listener", "servergroup"];
    let kind = request.params.one_of("ResourceType", &kinds)?;
    kind.ok_or_else(|| errors::missing("ResourceType"))
}

fn named(request: &Request) -> Result<Vec<String>, ApiError> {
    let ids = request.params.strings("ResourceId");
    match ids.is_empty() {
        true => Err(errors::missing("ResourceId")),
        false => Ok(ids),
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
        let tags = known.get(id).ok_or_else(|| not_found("resource", id))?;
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
    let keys = request.params.strings("TagKey");
    let all = request.params.bool("All")? == Some(true);
    if keys.is_empty() && !all {
        return Err(errors::missing("TagKey"));
    }
    let ids = named(request)?;
    let mut known = all_of(world, kind(request)?);
    if let Some(id) = ids.iter().find(|id| !known.contains_key(*id)) {
        return Err(not_found("resource", id));
    }
    for id in &ids {
        if let Some(tags) = known.get_mut(id) {
            tags.retain(|key, _| !keys.is_empty() && !keys.contains(key));
        }
    }
    Ok(json!({}))
}

pub(super) fn list(world: &mut World, request: &Request) -> Answer {
    let kind = kind(request)?;
    let ids = request.params.strings("ResourceId");
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
