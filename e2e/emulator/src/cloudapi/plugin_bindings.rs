//! Plugins on APIs and groups: one of each type per API and stage.

use super::find::{done, stage};
use super::state::{ApiPlugin, GroupPlugin, Plugin, Stage, State};
use super::{checks, errors};
use crate::api::{Answer, Request};
use crate::world::World;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    let state = &mut world.cloudapi;
    Some(match request.action.as_str() {
        "AttachPlugin" => attach(state, request),
        "DetachPlugin" => detach(state, request),
        "AttachGroupPlugin" => attach_group(state, request),
        "DetachGroupPlugin" => detach_group(state, request),
        _ => return None,
    })
}

/// Binds at once; a plugin of the same type that was bound before is replaced.
fn attach(state: &mut State, request: &Request) -> Answer {
    let params = &request.params;
    let plugin = state.plugin(params.required("PluginId")?)?;
    let (plugin_id, kind) = (plugin.id.clone(), plugin.kind);
    let stage = stage(params)?;
    let ids = match (params.filled("ApiId"), params.filled("ApiIds")) {
        (Some(id), _) => vec![id.to_owned()],
        (None, Some(ids)) => checks::ids("ApiIds", ids)?,
        (None, None) => return Err(errors::missing("ApiId")),
    };
    for id in &ids {
        let in_group = |group: &str| {
            state
                .apis
                .get(id)
                .is_some_and(|api| api.value.group_id == group)
        };
        if params
            .filled("GroupId")
            .is_some_and(|group| !in_group(group))
        {
            return Err(errors::not_found("Api"));
        }
        state.published(id, stage)?;
    }
    for api_id in ids {
        let plugins = &state.plugins;
        let same_type = |id: &str| {
            plugins
                .get(id)
                .is_some_and(|plugin| plugin.value.kind == kind)
        };
        state
            .api_plugins
            .retain(|b| !(b.api_id == api_id && b.stage == stage && same_type(&b.plugin_id)));
        state.api_plugins.push(ApiPlugin {
            api_id,
            stage,
            plugin_id: plugin_id.clone(),
        });
    }
    Ok(done())
}

/// Taking off what is not on succeeds.
fn detach(state: &mut State, request: &Request) -> Answer {
    let params = &request.params;
    let plugin_id = state.plugin(params.required("PluginId")?)?.id.clone();
    let stage = stage(params)?;
    let api_id = state.api_of(params)?.id.clone();
    state
        .api_plugins
        .retain(|b| !(b.api_id == api_id && b.stage == stage && b.plugin_id == plugin_id));
    Ok(done())
}

fn attach_group(state: &mut State, request: &Request) -> Answer {
    let params = &request.params;
    let plugin = state.plugin(params.required("PluginId")?)?;
    let (plugin_id, kind) = (plugin.id.clone(), plugin.kind);
    let stage = stage(params)?;
    let group_id = state.group(params.required("GroupId")?)?.id.clone();
    let plugins = &state.plugins;
    let same_type = |id: &str| {
        plugins
            .get(id)
            .is_some_and(|plugin| plugin.value.kind == kind)
    };
    state
        .group_plugins
        .retain(|b| !(b.group_id == group_id && b.stage == stage && same_type(&b.plugin_id)));
    state.group_plugins.push(GroupPlugin {
        group_id,
        stage,
        plugin_id,
    });
    Ok(done())
}

/// Taking off what is not on succeeds.
fn detach_group(state: &mut State, request: &Request) -> Answer {
    let params = &request.params;
    let plugin_id = state.plugin(params.required("PluginId")?)?.id.clone();
    let stage = stage(params)?;
    let group_id = state.group(params.required("GroupId")?)?.id.clone();
    state
        .group_plugins
        .retain(|b| !(b.group_id == group_id && b.stage == stage && b.plugin_id == plugin_id));
    Ok(done())
}

impl State {
    /// The plugins that work on an API in a stage: its own, and those of its group of other types.
    pub fn effective_plugins(&self, api_id: &str, group_id: &str, stage: Stage) -> Vec<&Plugin> {
        let plugin = |id: &String| self.plugins.get(id).map(|plugin| &plugin.value);
        let own = self
            .api_plugins
            .iter()
            .filter(|b| b.api_id == api_id && b.stage == stage);
        let mut found: Vec<&Plugin> = own.filter_map(|b| plugin(&b.plugin_id)).collect();
        let of_group = self
            .group_plugins
            .iter()
            .filter(|b| b.group_id == group_id && b.stage == stage);
        for candidate in of_group.filter_map(|b| plugin(&b.plugin_id)) {
            if !found.iter().any(|known| known.kind == candidate.kind) {
                found.push(candidate);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::Stage;
    use super::super::testing::Cloud;

    const LIMIT: &str = "unit: SECOND\napiDefault: 10\n";
    const ALLOW: &str = "type: ALLOW\nitems: [{blocks: [\"10.0.0.0/8\"]}]";

    #[test]
    fn one_of_a_type_and_only_on_what_is_published() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let draft = cloud.api(&group, "draft", "/draft", "access");
        let (one, two) = (
            cloud.plugin("limit_one", "trafficControl", LIMIT),
            cloud.plugin("limit_two", "trafficControl", LIMIT),
        );
        let list = cloud.plugin("allow_ten", "ipControl", ALLOW);
        let on = |plugin: &str, api: &str| {
            [
                ("PluginId", plugin.to_owned()),
                ("ApiId", api.to_owned()),
                ("StageName", "RELEASE".to_owned()),
            ]
        };
        assert_eq!(
            cloud.refused(
                "AttachPlugin",
                &super::super::testing::borrowed(&on(&one, &draft))
            ),
            "NotFoundDeployment"
        );
        for plugin in [&one, &two, &list] {
            cloud.ok(
                "AttachPlugin",
                &super::super::testing::borrowed(&on(plugin, &api)),
            );
        }
        let bound = cloud.ok(
            "DescribePluginsByApi",
            &[
                ("ApiId", &api),
                ("GroupId", &group),
                ("StageName", "RELEASE"),
            ],
        );
        assert_eq!(bound["TotalCount"], 2);
        assert_eq!(
            cloud.ok("DescribePluginApis", &[("PluginId", &one)])["TotalCount"],
            0
        );
        assert_eq!(
            cloud.ok("DescribePluginApis", &[("PluginId", &two)])["ApiSummarys"]["ApiPluginSummary"]
                [0]["ApiId"],
            api
        );
        cloud.deploy(&api);
        assert_eq!(
            cloud.ok("DescribePluginApis", &[("PluginId", &two)])["TotalCount"],
            1
        );
        cloud.ok("AbolishApi", &[("ApiId", &api), ("StageName", "RELEASE")]);
        assert_eq!(
            cloud.ok("DescribePluginApis", &[("PluginId", &two)])["TotalCount"],
            0
        );
    }

    #[test]
    fn a_plugin_of_the_group_steps_back_behind_one_of_the_api() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let (of_api, of_group) = (
            cloud.plugin("limit_one", "trafficControl", LIMIT),
            cloud.plugin("limit_two", "trafficControl", LIMIT),
        );
        cloud.ok(
            "AttachGroupPlugin",
            &[
                ("PluginId", &of_group),
                ("GroupId", &group),
                ("StageName", "RELEASE"),
            ],
        );
        let names = |cloud: &Cloud| -> Vec<String> {
            cloud
                .world
                .cloudapi
                .effective_plugins(&api, &group, Stage::Release)
                .iter()
                .map(|p| p.name.clone())
                .collect()
        };
        assert_eq!(names(&cloud), ["limit_two"]);
        cloud.ok(
            "AttachPlugin",
            &[
                ("PluginId", &of_api),
                ("ApiIds", &api),
                ("StageName", "RELEASE"),
            ],
        );
        assert_eq!(names(&cloud), ["limit_one"]);
        assert_eq!(
            cloud.ok("DescribePluginGroups", &[("PluginId", &of_group)])["TotalCount"],
            1
        );
        assert_eq!(
            cloud.ok(
                "DescribePluginsByGroup",
                &[("GroupId", &group), ("StageName", "RELEASE")]
            )["TotalCount"],
            1
        );
    }
}
