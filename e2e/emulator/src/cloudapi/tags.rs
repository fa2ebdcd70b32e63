//! Tags of groups, APIs, consumers and plugins.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::checks::{self, TagFilter};
use super::errors;
use super::find::done;
use super::state::{State, Tags};
use crate::api::{Answer, ApiError, Params, Request};
use crate::world::World;

/// Resources of one call.
const MOST_RESOURCES: usize = 50;

/// Entries on a page of `ListTagResources`.
const PAGE: usize = 50;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "TagResources" => tag(&mut world.cloudapi, request),
        "UntagResources" => untag(&mut world.cloudapi, request),
        "ListTagResources" => list(&world.cloudapi, request),
        _ => return None,
    })
}

/// All or nothing.
fn tag(state: &mut State, request: &Request) -> Answer {
    let params = &request.params;
    let new = checks::tags(params)?;
    if new.is_empty() {
        return Err(errors::missing("Tag"));
    }
    let (kind, ids) = resources(state, params, request.now)?;
    for id in &ids {
        let mut merged = tags(state, kind, id, request.now)
            .cloned()
            .unwrap_or_default();
        merged.extend(new.clone());
        if merged.len() > 20 {
            return Err(errors::exceeded("Tag", 20));
        }
    }
    for id in &ids {
        if let Some(tags) = tags_mut(state, kind, id) {
            tags.extend(new.clone());
        }
    }
    Ok(done())
}

fn untag(state: &mut State, request: &Request) -> Answer {
    let params = &request.params;
    let keys = params.strings("TagKey");
    let all = keys.is_empty() && params.bool("All")?.unwrap_or(false);
    if keys.is_empty() && !all {
        return Err(errors::missing("TagKey"));
    }
    let (kind, ids) = resources(state, params, request.now)?;
    for id in &ids {
        if let Some(tags) = tags_mut(state, kind, id) {
            tags.retain(|key, _| !all && !keys.contains(key));
        }
    }
    Ok(done())
}

fn list(state: &State, request: &Request) -> Answer {
    let params = &request.params;
    let kind = kind(params)?;
    let wanted = params.strings("ResourceId");
    let ids = if wanted.is_empty() {
        all(state, kind)
    } else {
        resources(state, params, request.now)?.1
    };
    let filter = TagFilter::of(params);
    let mut rows: Vec<Value> = Vec::new();
    for id in ids {
        let Some(tags) = tags(state, kind, &id, request.now).filter(|tags| filter.matches(tags))
        else {
            continue;
        };
        rows.extend(tags.iter().map(|(key, value)| {
            json!({ "ResourceId": id, "ResourceType": kind, "TagKey": key, "TagValue": value })
        }));
    }
    let skipped = match params.filled("NextToken") {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| errors::invalid("NextToken", "it comes from an earlier answer"))?,
    };
    let end = skipped.saturating_add(PAGE);
    let next = if end < rows.len() {
        end.to_string()
    } else {
        String::new()
    };
    let shown: Vec<Value> = rows.into_iter().skip(skipped).take(PAGE).collect();
    Ok(json!({ "NextToken": next, "TagResources": { "TagResource": shown } }))
}

fn kind(params: &Params) -> Result<&'static str, ApiError> {
    let wanted = params.required("ResourceType")?;
    ["apiGroup", "plugin", "app", "api"]
        .into_iter()
        .find(|kind| kind.eq_ignore_ascii_case(wanted))
        .ok_or_else(|| {
            errors::invalid(
                "ResourceType",
                &format!("\"{wanted}\" is none of apiGroup, plugin, app, api"),
            )
        })
}

/// The resources named by `ResourceId.N`, all of which must be there for reads.
fn resources(
    state: &State,
    params: &Params,
    now: Timestamp,
) -> Result<(&'static str, Vec<String>), ApiError> {
    let kind = kind(params)?;
    let ids = params.strings("ResourceId");
    if ids.is_empty() {
        return Err(errors::missing("ResourceId"));
    }
    if ids.len() > MOST_RESOURCES {
        return Err(errors::exceeded("ResourceId", MOST_RESOURCES));
    }
    match ids.iter().find(|id| tags(state, kind, id, now).is_none()) {
        Some(_) => Err(errors::not_found("ResourceId")),
        None => Ok((kind, ids)),
    }
}

fn all(state: &State, kind: &str) -> Vec<String> {
    match kind {
        "apiGroup" => state.groups.keys().cloned().collect(),
        "plugin" => state.plugins.keys().cloned().collect(),
        "app" => state.apps.keys().map(i64::to_string).collect(),
        _ => state.apis.keys().cloned().collect(),
    }
}

fn tags<'a>(state: &'a State, kind: &str, id: &str, now: Timestamp) -> Option<&'a Tags> {
    match kind {
        "apiGroup" => state.groups.get(id)?.seen(now).map(|group| &group.tags),
        "plugin" => state.plugins.get(id)?.seen(now).map(|plugin| &plugin.tags),
        "app" => state
            .apps
            .get(&id.parse().ok()?)?
            .seen(now)
            .map(|app| &app.tags),
        _ => state.apis.get(id)?.seen(now).map(|api| &api.tags),
    }
}

fn tags_mut<'a>(state: &'a mut State, kind: &str, id: &str) -> Option<&'a mut Tags> {
    match kind {
        "apiGroup" => state.groups.get_mut(id).map(|group| &mut group.value.tags),
        "plugin" => state
            .plugins
            .get_mut(id)
            .map(|plugin| &mut plugin.value.tags),
        "app" => state
            .apps
            .get_mut(&id.parse().ok()?)
            .map(|app| &mut app.value.tags),
        _ => state.apis.get_mut(id).map(|api| &mut api.value.tags),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn tags_come_and_go_on_all_or_none() {
        let mut cloud = Cloud::new();
        let (one, two) = (cloud.group("group_one"), cloud.group("group_two"));
        let both = [
            ("ResourceType", "apiGroup"),
            ("ResourceId.1", one.as_str()),
            ("ResourceId.2", two.as_str()),
        ];
        let tag = [("Tag.1.Key", "owner"), ("Tag.1.Value", "x")];
        cloud.ok("TagResources", &[&both[..], &tag[..]].concat());
        let missing = [both[0], both[1], ("ResourceId.2", "none")];
        assert_eq!(
            cloud.refused(
                "TagResources",
                &[&missing[..], &[("Tag.1.Key", "b")]].concat()
            ),
            "NotFoundResourceId"
        );
        let listed = cloud.ok("ListTagResources", &[both[0], tag[0]]);
        assert_eq!(
            listed["TagResources"]["TagResource"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        assert_eq!(listed["NextToken"], "");
        cloud.ok(
            "UntagResources",
            &[&both[..], &[("TagKey.1", "owner")]].concat(),
        );
        assert!(
            cloud.ok("ListTagResources", &both)["TagResources"]["TagResource"]
                .as_array()
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            cloud.refused("TagResources", &[("ResourceType", "vpc"), both[1], tag[0]]),
            "InvalidResourceType"
        );
    }

    #[test]
    fn long_lists_go_on_with_a_token() {
        let mut cloud = Cloud::new();
        for index in 0..60 {
            cloud.ok(
                "CreateApiGroup",
                &[
                    ("GroupName", &format!("group{index}")),
                    ("Tag.1.Key", "a"),
                    ("Tag.1.Value", "b"),
                ],
            );
        }
        let first = cloud.ok("ListTagResources", &[("ResourceType", "apiGroup")]);
        assert_eq!(
            first["TagResources"]["TagResource"]
                .as_array()
                .unwrap()
                .len(),
            50
        );
        let token = Cloud::text(&first, "NextToken");
        let second = cloud.ok(
            "ListTagResources",
            &[("ResourceType", "apiGroup"), ("NextToken", &token)],
        );
        assert_eq!(
            second["TagResources"]["TagResource"]
                .as_array()
                .unwrap()
                .len(),
            10
        );
    }

    #[test]
    fn a_fresh_resource_may_not_be_there_for_tags_yet() {
        let mut cloud = Cloud::new();
        cloud.delay = jiff::SignedDuration::from_secs(2);
        let app = cloud.app("knative");
        let of_app = [("ResourceType", "app"), ("ResourceId.1", app.as_str())];
        assert_eq!(
            cloud.refused("ListTagResources", &of_app),
            "NotFoundResourceId"
        );
        cloud.now += jiff::SignedDuration::from_secs(2);
        cloud.ok("ListTagResources", &of_app);
    }
}
