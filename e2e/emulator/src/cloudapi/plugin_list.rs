//! Reading plugins and what they are bound to.

use serde_json::{Value, json};

use super::checks::{self, TagFilter};
use super::find::{page, paging, stage, stamp, tag_info};
use super::state::{Api, Group, Plugin, Stage};
use crate::api::{Answer, Paging, Request};
use crate::world::World;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "DescribePlugins" => list(world, request),
        "DescribePluginsByApi" => by_api(world, request),
        "DescribePluginsByGroup" => by_group(world, request),
        "DescribePluginApis" => apis(world, request),
        "DescribePluginGroups" => groups(world, request),
        _ => return None,
    })
}

fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let tags = TagFilter::of(params);
    let mut found: Vec<&Plugin> = world
        .cloudapi
        .plugins
        .values()
        .filter_map(|plugin| plugin.seen(request.now))
        .filter(|plugin| checks::equal(params.filled("PluginId"), &plugin.id))
        .filter(|plugin| checks::contains(params.filled("PluginName"), &plugin.name))
        .filter(|plugin| checks::equal(params.filled("PluginType"), plugin.kind.name()))
        .filter(|plugin| tags.matches(&plugin.tags))
        .collect();
    found.sort_by_key(|plugin| std::cmp::Reverse((plugin.created, plugin.id.clone())));
    Ok(page(
        paging,
        ("Plugins", "PluginAttribute"),
        &found,
        |plugin| {
            let mut item = attribute(world, plugin);
            if let Some(members) = item.as_object_mut() {
                members.insert("Tags".to_owned(), tag_info(&plugin.tags));
            }
            item
        },
    ))
}

fn by_api(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let state = &world.cloudapi;
    state.group(params.required("GroupId")?)?;
    let api = state.api_of(params)?;
    let stage = stage(params)?;
    let bound = state
        .api_plugins
        .iter()
        .filter(|b| b.api_id == api.id && b.stage == stage);
    let ids = bound.map(|b| &*b.plugin_id);
    Ok(page_of(world, paging, ids))
}

fn by_group(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let state = &world.cloudapi;
    let group = state.group(params.required("GroupId")?)?;
    let stage = stage(params)?;
    let bound = state
        .group_plugins
        .iter()
        .filter(|b| b.group_id == group.id && b.stage == stage);
    let ids = bound.map(|b| &*b.plugin_id);
    Ok(page_of(world, paging, ids))
}

/// A page of the plugins with these ids.
fn page_of<'a>(world: &World, paging: Paging, ids: impl Iterator<Item = &'a str>) -> Value {
    let found: Vec<&Plugin> = ids
        .filter_map(|id| world.cloudapi.plugin(id).ok())
        .collect();
    page(paging, ("Plugins", "PluginAttribute"), &found, |plugin| {
        attribute(world, plugin)
    })
}

fn attribute(world: &World, plugin: &Plugin) -> Value {
    json!({
        "PluginId": plugin.id,
        "PluginName": plugin.name,
        "PluginType": plugin.kind.name(),
        "PluginData": plugin.data,
        "Description": plugin.description,
        "RegionId": world.region,
        "CreatedTime": stamp(plugin.created),
        "ModifiedTime": stamp(plugin.modified),
    })
}

fn apis(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let state = &world.cloudapi;
    let plugin = state.plugin(params.required("PluginId")?)?;
    let bound = state
        .api_plugins
        .iter()
        .filter(|b| b.plugin_id == plugin.id);
    let found: Vec<(&Api, Stage)> = bound
        .filter_map(|b| Some((&state.apis.get(&b.api_id)?.value, b.stage)))
        .filter(|(api, _)| checks::equal(params.filled("ApiId"), &api.id))
        .filter(|(api, _)| checks::equal(params.filled("GroupId"), &api.group_id))
        .filter(|(api, _)| checks::contains(params.filled("ApiName"), &api.definition.name))
        .filter(|(api, _)| {
            checks::contains(params.filled("Path"), &api.definition.request.request_path)
        })
        .filter(|(api, _)| {
            checks::equal(
                params.filled("Method"),
                &api.definition.request.request_http_method,
            )
        })
        .filter(|(api, _)| {
            checks::contains(params.filled("Description"), &api.definition.description)
        })
        .collect();
    Ok(page(
        paging,
        ("ApiSummarys", "ApiPluginSummary"),
        &found,
        |(api, stage)| {
            json!({
                "ApiId": api.id,
                "ApiName": api.definition.name,
                "Description": api.definition.description,
                "GroupId": api.group_id,
                "GroupName": state.group_name(&api.group_id),
                "Method": api.definition.request.request_http_method,
                "Path": api.definition.request.request_path,
                "RegionId": world.region,
                "StageName": stage.as_str(),
                "StageAlias": stage.as_str(),
            })
        },
    ))
}

fn groups(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let state = &world.cloudapi;
    let plugin = state.plugin(params.required("PluginId")?)?;
    let bound = state
        .group_plugins
        .iter()
        .filter(|b| b.plugin_id == plugin.id);
    let found: Vec<(&Group, Stage)> = bound
        .filter_map(|b| Some((state.group(&b.group_id).ok()?, b.stage)))
        .filter(|(group, _)| checks::equal(params.filled("GroupId"), &group.id))
        .filter(|(group, _)| checks::contains(params.filled("GroupName"), &group.name))
        .filter(|(group, _)| checks::contains(params.filled("Description"), &group.description))
        .collect();
    Ok(page(
        paging,
        ("GroupSummarys", "GroupPluginSummary"),
        &found,
        |(group, stage)| {
            json!({
                "GroupId": group.id,
                "GroupName": group.name,
                "BasePath": group.base_path,
                "Description": group.description,
                "RegionId": world.region,
                "StageName": stage.as_str(),
                "StageAlias": stage.as_str(),
            })
        },
    ))
}
