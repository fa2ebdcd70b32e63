//! API Gateway (classic), version 2016-07-14.
//!
//! An API exists twice: as a draft, which `CreateApi` and `ModifyApi` write, and as what runs in a
//! stage, which only a publication changes. The traffic path looks at the latter alone.

mod api_model;
mod api_parameters;
mod api_path;
mod apis;
mod app_list;
mod apps;
mod checks;
mod credentials;
mod definition;
mod deploy;
mod deployed;
mod domains;
mod errors;
mod find;
mod grant_list;
mod grants;
mod groups;
mod history;
mod instances;
mod json_text;
mod plugin_bindings;
mod plugin_data;
mod plugin_list;
mod plugins;
mod state;
mod tags;
mod tasks;
mod traffic_bindings;
mod traffic_control;
mod vpc_access;
mod vpc_access_apis;

#[cfg(test)]
mod answer_check;
#[cfg(test)]
pub(crate) mod testing;

use crate::api::{Answer, Request};
use crate::world::World;

pub use api_model::{
    ConstantParameter, ErrorCodeSample, MockHeader, RequestConfig, RequestParameter, ServiceConfig,
    ServiceParameter, ServiceParameterMap, SystemParameter, VpcConfig,
};
pub use api_path::{PathMatch, PathPattern};
pub use definition::Definition;
pub use instances::VPC_EGRESS;
pub use plugin_data::{AddressRule, Addresses, Limits, PluginType};
pub use state::{
    Api, ApiPlugin, App, AppCode, AppKey, DailyCount, Deployment, Domain, Grant, Group,
    GroupPlugin, Plugin, Stage, State, Tags, Task, TaskKind, TaskResult, TrafficBinding,
    TrafficControl, Version, VpcAccess,
};

/// Carries out one action.
pub fn handle(world: &mut World, request: &Request) -> Answer {
    groups::handle(world, request)
        .or_else(|| domains::handle(world, request))
        .or_else(|| vpc_access::handle(world, request))
        .or_else(|| vpc_access_apis::handle(world, request))
        .or_else(|| apis::handle(world, request))
        .or_else(|| deploy::handle(world, request))
        .or_else(|| deployed::handle(world, request))
        .or_else(|| history::handle(world, request))
        .or_else(|| tasks::handle(world, request))
        .or_else(|| apps::handle(world, request))
        .or_else(|| app_list::handle(world, request))
        .or_else(|| credentials::handle(world, request))
        .or_else(|| grants::handle(world, request))
        .or_else(|| grant_list::handle(world, request))
        .or_else(|| plugins::handle(world, request))
        .or_else(|| plugin_bindings::handle(world, request))
        .or_else(|| plugin_list::handle(world, request))
        .or_else(|| traffic_control::handle(world, request))
        .or_else(|| traffic_bindings::handle(world, request))
        .or_else(|| tags::handle(world, request))
        .or_else(|| instances::handle(world, request))
        .unwrap_or_else(|| Err(request.not_emulated()))
}

#[cfg(test)]
mod tests {
    use super::State;
    use super::testing::Cloud;

    #[test]
    fn a_saved_state_comes_back_whole() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let app = cloud.app("knative");
        let plugin = cloud.plugin("limit_ten", "trafficControl", "unit: DAY\napiDefault: 10\n");
        cloud.ok(
            "SetAppsAuthorities",
            &[("ApiId", &api), ("AppIds", &app), ("StageName", "RELEASE")],
        );
        cloud.ok(
            "AttachPlugin",
            &[
                ("PluginId", &plugin),
                ("ApiId", &api),
                ("StageName", "RELEASE"),
            ],
        );
        cloud.ok(
            "AttachGroupPlugin",
            &[
                ("PluginId", &plugin),
                ("GroupId", &group),
                ("StageName", "TEST"),
            ],
        );
        cloud.ok(
            "SetDomain",
            &[
                ("GroupId", &group),
                ("DomainName", "api.example.com"),
                ("BindStageName", "PRE"),
            ],
        );
        cloud.ok(
            "ModifyVpcAccessAndUpdateApis",
            &[("Name", "access"), ("Port", "81")],
        );
        let before = cloud.ok(
            "DescribeDeployedApi",
            &[("ApiId", &api), ("StageName", "RELEASE")],
        );
        let saved = serde_json::to_string(&cloud.world.cloudapi).unwrap();
        let loaded: State = serde_json::from_str(&saved).unwrap();
        assert_eq!(serde_json::to_string(&loaded).unwrap(), saved);
        cloud.world.cloudapi = loaded;
        assert_eq!(
            cloud.ok(
                "DescribeDeployedApi",
                &[("ApiId", &api), ("StageName", "RELEASE")]
            ),
            before
        );
    }
}
