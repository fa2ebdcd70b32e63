//! Publications of the past.

use serde_json::json;

use super::checks;
use super::deploy::status;
use super::find::{optional_stage, page, paging, stamp};
use super::state::Version;
use crate::api::{Answer, Request};
use crate::world::World;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "DescribeApiHistories" | "DescribeHistoryApis" => list(world, request),
        _ => return None,
    })
}

fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let state = &world.cloudapi;
    let group_id = params.required("GroupId")?;
    state.group(group_id)?;
    let stage = optional_stage(params)?;
    let mut found: Vec<(&String, &Version)> = Vec::new();
    for (api_id, versions) in &state.history {
        let in_group = state
            .apis
            .get(api_id)
            .is_some_and(|api| api.value.group_id == group_id);
        if !in_group || !checks::equal(params.filled("ApiId"), api_id) {
            continue;
        }
        let shown = versions.iter().filter(|version| {
            stage.is_none_or(|wanted| wanted == version.stage)
                && checks::contains(
                    params.filled("ApiName"),
                    &version.deployment.definition.name,
                )
        });
        found.extend(shown.map(|version| (api_id, version)));
    }
    found.sort_by_key(|(api_id, version)| {
        std::cmp::Reverse((
            version.deployment.deployed,
            &version.deployment.version,
            *api_id,
        ))
    });
    Ok(page(
        paging,
        ("ApiHisItems", "ApiHisItem"),
        &found,
        |(api_id, version)| {
            let mut item = json!({
                "ApiId": api_id,
                "ApiName": version.deployment.definition.name,
                "DeployedTime": stamp(version.deployment.deployed),
                "Description": version.deployment.description,
                "GroupId": group_id,
                "GroupName": state.group_name(group_id),
                "HistoryVersion": version.deployment.version,
                "RegionId": world.region,
                "StageName": version.stage.as_str(),
                "Status": status(state, api_id, version),
            });
            if let Some(members) = item
                .as_object_mut()
                .filter(|_| request.action == "DescribeHistoryApis")
            {
                members.insert("StageAlias".to_owned(), json!(version.stage.as_str()));
            }
            item
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Cloud, borrowed};

    #[test]
    fn a_stage_can_go_back_to_a_former_publication() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let mut params = Cloud::api_params(&group, "hello", "/new/*", "access");
        params.push(("ApiId", api.clone()));
        cloud.ok("ModifyApi", &borrowed(&params));
        cloud.now += jiff::SignedDuration::from_secs(1);
        cloud.deploy(&api);
        let history = cloud.ok("DescribeApiHistories", &[("GroupId", &group)]);
        let items = history["ApiHisItems"]["ApiHisItem"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!(items[0]["Status"], "ONLINE");
        assert_eq!(items[1]["Status"], "OFFLINE");
        let old = Cloud::text(&items[1], "HistoryVersion");
        let to = |version: &str| {
            [
                ("ApiId", api.clone()),
                ("StageName", "RELEASE".into()),
                ("Description", "back".into()),
                ("HistoryVersion", version.to_owned()),
            ]
        };
        cloud.ok("SwitchApi", &borrowed(&to(&old)));
        let runs = cloud.ok(
            "DescribeDeployedApi",
            &[("ApiId", &api), ("StageName", "RELEASE")],
        );
        assert_eq!(runs["RequestConfig"]["RequestPath"], "/*");
        assert_eq!(
            cloud.ok("DescribeHistoryApis", &[("GroupId", &group)])["TotalCount"],
            2
        );
        assert_eq!(
            cloud.refused("SwitchApi", &borrowed(&to("1"))),
            "NotFoundHistoryVersion"
        );
    }
}
