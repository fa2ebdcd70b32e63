//! Reading what runs.

use serde_json::{Value, json};

use super::checks::{self, TagFilter};
use super::errors;
use super::find::{optional_stage, page, paging, stage, stamp};
use super::state::{Deployment, Stage};
use crate::api::{Answer, Request};
use crate::world::World;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "DescribeDeployedApi" => describe(world, request),
        "DescribeDeployedApis" => list(world, request),
        _ => return None,
    })
}

/// Members that `DescribeApi` answers and `DescribeDeployedApi` does not.
const NOT_SHOWN: [(&str, &str); 8] = [
    ("", "AppCodeAuthType"),
    ("", "BackendEnable"),
    ("", "WebSocketApiType"),
    ("/RequestConfig", "EscapePathParam"),
    ("/ServiceConfig", "AoneAppName"),
    ("/ServiceConfig", "ContentTypeCatagory"),
    ("/ServiceConfig", "ContentTypeValue"),
    ("/ServiceConfig/VpcConfig", "VpcScheme"),
];

fn describe(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let state = &world.cloudapi;
    let api = state.api_of(params)?;
    let stage = stage(params)?;
    let deployment = state
        .deployment(&api.id, stage)
        .ok_or_else(|| errors::not_found("Stage"))?;
    let mut answer = deployment.definition.answer(deployment.backend.as_ref());
    let more = json!({
        "ApiId": api.id,
        "GroupId": api.group_id,
        "GroupName": state.group_name(&api.group_id),
        "RegionId": world.region,
        "StageName": stage.as_str(),
        "DeployedTime": stamp(deployment.deployed),
        "ResultDescriptions": { "ResultDescription": [] },
    });
    answer.extend(more.as_object().cloned().unwrap_or_default());
    let mut answer = Value::Object(answer);
    for (parent, member) in NOT_SHOWN {
        if let Some(members) = answer.pointer_mut(parent).and_then(Value::as_object_mut) {
            members.remove(member);
        }
    }
    Ok(answer)
}

fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let state = &world.cloudapi;
    if let Some(group_id) = params.filled("GroupId") {
        state.group(group_id)?;
    }
    let stage = optional_stage(params)?;
    let tags = TagFilter::of(params);
    let mut found: Vec<(&String, &String, Stage, &Deployment)> = Vec::new();
    for (api_id, stages) in &state.deployments {
        let Some(api) = state.apis.get(api_id).map(|api| &api.value) else {
            continue;
        };
        let wanted = checks::equal(params.filled("GroupId"), &api.group_id)
            && checks::equal(params.filled("ApiId"), api_id)
            && tags.matches(&api.tags);
        if !wanted {
            continue;
        }
        found.extend(
            stages
                .iter()
                .filter(|(at, _)| stage.is_none_or(|wanted| wanted == **at))
                .filter_map(|(at, deployment)| {
                    let request = &deployment.definition.request;
                    let shown =
                        checks::contains(params.filled("ApiName"), &deployment.definition.name)
                            && checks::equal(
                                params.filled("ApiMethod"),
                                &request.request_http_method,
                            )
                            && checks::contains(params.filled("ApiPath"), &request.request_path);
                    shown.then_some((api_id, &api.group_id, *at, deployment))
                }),
        );
    }
    found.sort_by_key(|(api_id, _, stage, deployment)| {
        std::cmp::Reverse((deployment.deployed, *api_id, *stage))
    });
    Ok(page(
        paging,
        ("DeployedApis", "DeployedApiItem"),
        &found,
        |(api_id, group_id, stage, deployment)| {
            json!({
                "ApiId": api_id,
                "ApiName": deployment.definition.name,
                "ApiMethod": deployment.definition.request.request_http_method,
                "ApiPath": deployment.definition.request.request_path,
                "Visibility": deployment.definition.visibility,
                "GroupId": group_id,
                "GroupName": state.group_name(group_id),
                "RegionId": world.region,
                "StageName": stage.as_str(),
                "DeployedTime": stamp(deployment.deployed),
                "Description": deployment.description,
            })
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn the_list_shows_each_stage_with_its_words() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        cloud.ok(
            "DeployApi",
            &[
                ("ApiId", &api),
                ("StageName", "TEST"),
                ("Description", "rehearsal"),
            ],
        );
        assert_eq!(
            cloud.ok("DescribeDeployedApis", &[("GroupId", &group)])["TotalCount"],
            2
        );
        let test = cloud.ok("DescribeDeployedApis", &[("StageName", "TEST")]);
        assert_eq!(
            test["DeployedApis"]["DeployedApiItem"][0]["Description"],
            "rehearsal"
        );
        assert_eq!(
            cloud.refused(
                "DescribeDeployedApi",
                &[("ApiId", &api), ("StageName", "PRE")]
            ),
            "NotFoundStage"
        );
    }
}
