//! Plugins.

use serde_json::json;

use super::find::done;
use super::plugin_data::{self, PluginType};
use super::state::{Plugin, State};
use super::{checks, errors};
use crate::api::{Answer, ApiError, Request};
use crate::world::{Visible, World};

/// Plugins of a region.
const MOST: usize = 1000;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "CreatePlugin" => create(world, request),
        "ModifyPlugin" => modify(world, request),
        "DeletePlugin" => delete(world, request),
        _ => return None,
    })
}

fn create(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let name = checks::plugin_name(params.required("PluginName")?)?;
    let wanted = params.required("PluginType")?;
    let kind = PluginType::of(wanted).ok_or_else(|| {
        errors::invalid("PluginType", &format!("\"{wanted}\" is no type of plugin"))
    })?;
    let data = params.required("PluginData")?.to_owned();
    plugin_data::check(kind, &data)?;
    let description = checks::description(params, 200)?;
    let tags = checks::tags(params)?;
    free_name(&world.cloudapi, &name, None)?;
    if world.cloudapi.plugins.len() >= MOST {
        return Err(errors::exceeded("Plugin", MOST));
    }
    let (created, modified) = (request.now, request.now);
    let plugin = Plugin {
        id: world.ids.hex32(),
        name,
        kind,
        data,
        description,
        tags,
        created,
        modified,
    };
    let answer = json!({ "PluginId": plugin.id, "TagStatus": true });
    world.cloudapi.plugins.insert(
        plugin.id.clone(),
        Visible::new(plugin, request.visible_from),
    );
    Ok(answer)
}

/// Takes effect at once wherever the plugin is bound.
fn modify(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let id = params.required("PluginId")?;
    let kind = world.cloudapi.plugin(id)?.kind;
    let name = params
        .filled("PluginName")
        .map(checks::plugin_name)
        .transpose()?;
    if let Some(name) = &name {
        free_name(&world.cloudapi, name, Some(id))?;
    }
    let data = params.filled("PluginData");
    if let Some(data) = data {
        plugin_data::check(kind, data)?;
    }
    let description = params
        .get("Description")
        .map(|_| checks::description(params, 200))
        .transpose()?;
    let Some(plugin) = world
        .cloudapi
        .plugins
        .get_mut(id)
        .map(|plugin| &mut plugin.value)
    else {
        return Err(errors::not_found("Plugin"));
    };
    if let Some(name) = name {
        plugin.name = name;
    }
    if let Some(data) = data {
        data.clone_into(&mut plugin.data);
    }
    if let Some(description) = description {
        plugin.description = description;
    }
    plugin.modified = request.now;
    Ok(done())
}

fn delete(world: &mut World, request: &Request) -> Answer {
    let id = request.params.required("PluginId")?;
    let state = &mut world.cloudapi;
    state.plugin(id)?;
    if state
        .api_plugins
        .iter()
        .any(|binding| binding.plugin_id == id)
    {
        return Err(errors::dependency("Plugin", "API"));
    }
    if state
        .group_plugins
        .iter()
        .any(|binding| binding.plugin_id == id)
    {
        return Err(errors::dependency("Plugin", "ApiGroup"));
    }
    state.plugins.remove(id);
    Ok(done())
}

fn free_name(state: &State, name: &str, own: Option<&str>) -> Result<(), ApiError> {
    if state
        .plugins
        .values()
        .any(|plugin| plugin.value.name == name && Some(plugin.value.id.as_str()) != own)
    {
        return Err(errors::repeated("PluginName", name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    const LIMIT: &str = "unit: SECOND\napiDefault: 10\n";

    #[test]
    fn settings_are_checked_at_create_and_change() {
        let mut cloud = Cloud::new();
        let plugin = cloud.plugin("limit_ten", "trafficControl", LIMIT);
        assert_eq!(
            cloud.refused(
                "ModifyPlugin",
                &[("PluginId", &plugin), ("PluginData", "unit: WEEK")]
            ),
            "InvalidPluginData"
        );
        cloud.ok(
            "ModifyPlugin",
            &[
                ("PluginId", &plugin),
                ("PluginData", r#"{"unit":"DAY","apiDefault":5}"#),
            ],
        );
        let shown = cloud.ok("DescribePlugins", &[("PluginId", &plugin)]);
        assert_eq!(
            shown["Plugins"]["PluginAttribute"][0]["PluginData"],
            r#"{"unit":"DAY","apiDefault":5}"#
        );
        let with = |name: &'static str, kind: &'static str| {
            [
                ("PluginName", name),
                ("PluginType", kind),
                ("PluginData", LIMIT),
            ]
        };
        assert_eq!(
            cloud.refused("CreatePlugin", &with("limit_ten", "trafficControl")),
            "RepeatedPluginName"
        );
        assert_eq!(
            cloud.refused("CreatePlugin", &with("limit_two", "magic")),
            "InvalidPluginType"
        );
        assert_eq!(
            cloud.refused("CreatePlugin", &with("a b", "trafficControl")),
            "InvalidPluginName"
        );
    }

    #[test]
    fn a_bound_plugin_cannot_be_deleted() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let plugin = cloud.plugin("limit_ten", "trafficControl", LIMIT);
        cloud.ok(
            "AttachPlugin",
            &[
                ("PluginId", &plugin),
                ("ApiId", &api),
                ("StageName", "RELEASE"),
            ],
        );
        assert_eq!(
            cloud.refused("DeletePlugin", &[("PluginId", &plugin)]),
            "DependencyViolationPlugin"
        );
        cloud.ok("AbolishApi", &[("ApiId", &api), ("StageName", "RELEASE")]);
        cloud.ok(
            "AttachGroupPlugin",
            &[
                ("PluginId", &plugin),
                ("GroupId", &group),
                ("StageName", "RELEASE"),
            ],
        );
        assert_eq!(
            cloud.refused("DeletePlugin", &[("PluginId", &plugin)]),
            "DependencyViolationPlugin"
        );
        cloud.ok(
            "DetachGroupPlugin",
            &[
                ("PluginId", &plugin),
                ("GroupId", &group),
                ("StageName", "RELEASE"),
            ],
        );
        cloud.ok("DeletePlugin", &[("PluginId", &plugin)]);
        assert_eq!(
            cloud.refused("DeletePlugin", &[("PluginId", &plugin)]),
            "NotFoundPlugin"
        );
    }
}
