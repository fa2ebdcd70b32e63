//! API drafts.

use serde_json::{Value, json};

use super::checks::{self, TagFilter};
use super::definition::Definition;
use super::errors;
use super::find::{done, optional_stage, page, paging, stamp};
use super::state::{Api, State};
use crate::api::{Answer, ApiError, Request};
use crate::world::{Visible, World};

/// APIs of a group.
const MOST: usize = 1000;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "CreateApi" => create(world, request),
        "ModifyApi" => modify(world, request),
        "DescribeApi" => describe(world, request),
        "DescribeApis" => list(world, request),
        "DeleteApi" => delete(world, request),
        _ => return None,
    })
}

fn create(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let group_id = params.required("GroupId")?.to_owned();
    world.cloudapi.group(&group_id)?;
    let definition = Definition::read(params)?;
    let tags = checks::tags(params)?;
    check_references(&world.cloudapi, &group_id, &definition, None)?;
    if world
        .cloudapi
        .apis
        .values()
        .filter(|api| api.value.group_id == group_id)
        .count()
        >= MOST
    {
        return Err(errors::exceeded("Api", MOST));
    }
    let api = Api {
        id: world.ids.hex32(),
        group_id,
        definition,
        tags,
        created: request.now,
        modified: request.now,
    };
    let answer = json!({ "ApiId": api.id });
    world
        .cloudapi
        .apis
        .insert(api.id.clone(), Visible::new(api, request.visible_from));
    Ok(answer)
}

/// Replaces the whole draft; what runs stays as it is.
fn modify(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let api = world.cloudapi.api_of(params)?;
    let (id, group_id) = (api.id.clone(), api.group_id.clone());
    let definition = Definition::read(params)?;
    check_references(&world.cloudapi, &group_id, &definition, Some(&id))?;
    if let Some(api) = world.cloudapi.apis.get_mut(&id) {
        api.value.definition = definition;
        api.value.modified = request.now;
    }
    Ok(done())
}

/// Name and route are free in the group, and the VPC authorization exists.
fn check_references(
    state: &State,
    group_id: &str,
    definition: &Definition,
    own: Option<&str>,
) -> Result<(), ApiError> {
    let service = &definition.service;
    if service.is_vpc()
        && !service.is_mock()
        && !state.vpc_accesses.contains_key(&service.vpc_config.name)
    {
        return Err(errors::not_found("Vpc"));
    }
    let others = state
        .apis
        .values()
        .map(|api| &api.value)
        .filter(|api| api.group_id == group_id && Some(api.id.as_str()) != own);
    for other in others {
        if other.definition.name == definition.name {
            return Err(errors::repeated("ApiName", &definition.name));
        }
        if other.definition.same_route(definition) {
            let request = &definition.request;
            let path = format!("{} {}", request.request_http_method, request.request_path);
            return Err(errors::repeated("RequestPath", &path));
        }
    }
    Ok(())
}

fn describe(world: &World, request: &Request) -> Answer {
    let state = &world.cloudapi;
    let id = state.api_of(&request.params)?.id.clone();
    let api = super::find::seen(state.apis.get(&id), request.now, "Api")?;
    let service = &api.definition.service;
    let backend = state
        .vpc_accesses
        .get(&service.vpc_config.name)
        .map(|access| &access.value);
    let mut answer = api.definition.answer(backend.filter(|_| service.is_vpc()));
    let tags: Vec<Value> = api
        .tags
        .iter()
        .map(|(key, value)| json!({ "TagKey": key, "TagValue": value }))
        .collect();
    let more = json!({
        "ApiId": api.id,
        "GroupId": api.group_id,
        "GroupName": state.group_name(&api.group_id),
        "RegionId": world.region,
        "CreatedTime": stamp(api.created),
        "ModifiedTime": stamp(api.modified),
        "DeployedInfos": { "DeployedInfo": deployed_infos(state, &api.id) },
        "TagList": { "Tag": tags },
    });
    answer.extend(more.as_object().cloned().unwrap_or_default());
    Ok(Value::Object(answer))
}

fn deployed_infos(state: &State, api_id: &str) -> Vec<Value> {
    let stages = state.deployments.get(api_id).into_iter().flatten();
    stages
        .map(|(stage, deployment)| {
            json!({ "StageName": stage.as_str(), "DeployedStatus": "DEPLOYED", "EffectiveVersion": deployment.version })
        })
        .collect()
}

fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let state = &world.cloudapi;
    if let Some(group_id) = params.filled("GroupId") {
        state.group(group_id)?;
    }
    let stage = optional_stage(params)?;
    let undeployed = params.bool("UnDeployed")?.unwrap_or(false);
    let tags = TagFilter::of(params);
    let in_stage = |api: &Api| match stage {
        Some(stage) => state.deployment(&api.id, stage).is_some() != undeployed,
        None => !undeployed || !state.deployments.contains_key(&api.id),
    };
    let mut found: Vec<&Api> = state
        .apis
        .values()
        .filter_map(|api| api.seen(request.now))
        .filter(|api| checks::equal(params.filled("GroupId"), &api.group_id))
        .filter(|api| checks::equal(params.filled("ApiId"), &api.id))
        .filter(|api| checks::contains(params.filled("ApiName"), &api.definition.name))
        .filter(|api| {
            checks::equal(
                params.filled("ApiMethod"),
                &api.definition.request.request_http_method,
            )
        })
        .filter(|api| {
            checks::contains(
                params.filled("ApiPath"),
                &api.definition.request.request_path,
            )
        })
        .filter(|api| checks::equal(params.filled("Visibility"), &api.definition.visibility))
        .filter(|api| tags.matches(&api.tags) && in_stage(api))
        .collect();
    found.sort_by_key(|api| std::cmp::Reverse((api.created, &api.id)));
    Ok(page(paging, ("ApiSummarys", "ApiSummary"), &found, |api| {
        summary(world, api)
    }))
}

fn summary(world: &World, api: &Api) -> Value {
    let state = &world.cloudapi;
    let tags: Vec<Value> = api
        .tags
        .iter()
        .map(|(key, value)| json!({ "TagKey": key, "TagValue": value }))
        .collect();
    json!({
        "ApiId": api.id,
        "ApiName": api.definition.name,
        "ApiMethod": api.definition.request.request_http_method,
        "ApiPath": api.definition.request.request_path,
        "Description": api.definition.description,
        "Visibility": api.definition.visibility,
        "GroupId": api.group_id,
        "GroupName": state.group_name(&api.group_id),
        "RegionId": world.region,
        "CreatedTime": stamp(api.created),
        "ModifiedTime": stamp(api.modified),
        "DeployedInfos": { "DeployedInfo": deployed_infos(state, &api.id) },
        "TagList": { "Tag": tags },
    })
}

fn delete(world: &mut World, request: &Request) -> Answer {
    let state = &mut world.cloudapi;
    let id = state.api_of(&request.params)?.id.clone();
    if state
        .deployments
        .get(&id)
        .is_some_and(|stages| !stages.is_empty())
    {
        return Err(errors::dependency("Api", "Deployment"));
    }
    state.apis.remove(&id);
    state.deployments.remove(&id);
    state.history.remove(&id);
    state.grants.retain(|grant| grant.api_id != id);
    state
        .traffic_bindings
        .retain(|binding| binding.api_id != id);
    Ok(done())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Cloud, borrowed};

    #[test]
    fn a_draft_is_answered_as_the_product_answers_it() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let shown = cloud.ok("DescribeApi", &[("ApiId", &api), ("GroupId", &group)]);
        assert_eq!(shown["RequestConfig"]["RequestPath"], "/*");
        assert_eq!(shown["ServiceConfig"]["VpcConfig"]["Name"], "access");
        assert_eq!(
            shown["ServiceConfig"]["VpcConfig"]["InstanceId"],
            "lb-access"
        );
        assert_eq!(shown["ServiceConfig"]["ServiceTimeout"], 10000);
        let constant = &shown["ConstantParameters"]["ConstantParameter"][0];
        assert_eq!(constant["ConstantValue"], "hello.default.example.com");
        assert_eq!(constant["Location"], "Head");
        assert_eq!(
            shown["RequestParameters"]["RequestParameter"],
            serde_json::json!([])
        );
        assert_eq!(
            shown["DeployedInfos"]["DeployedInfo"][0]["StageName"],
            "RELEASE"
        );
        assert_eq!(shown["GroupName"], "kn_default");
    }

    #[test]
    fn name_and_route_are_unique_in_the_group() {
        let mut cloud = Cloud::new();
        let (group, _) = cloud.published();
        let other = cloud.group("other");
        let again =
            |group: &str, name: &str, path: &str| Cloud::api_params(group, name, path, "access");
        assert_eq!(
            cloud.refused("CreateApi", &borrowed(&again(&group, "hello", "/x"))),
            "RepeatedApiName"
        );
        assert_eq!(
            cloud.refused("CreateApi", &borrowed(&again(&group, "hello2", "/*"))),
            "RepeatedRequestPath"
        );
        cloud.ok("CreateApi", &borrowed(&again(&group, "hello2", "/x/*")));
        assert_eq!(
            cloud.refused("CreateApi", &borrowed(&again(&group, "hello3", "/x/[a]"))),
            "InvalidParamMapping"
        );
        cloud.ok("CreateApi", &borrowed(&again(&other, "hello", "/*")));
    }

    #[test]
    fn broken_definitions_are_refused_by_name() {
        let mut cloud = Cloud::new();
        let (group, _) = cloud.published();
        let mut with = |name: &'static str, value: &str| {
            let mut params = Cloud::api_params(&group, "broken", "/broken", "access");
            params.retain(|(known, _)| *known != name);
            params.push((name, value.to_owned()));
            cloud.refused("CreateApi", &borrowed(&params))
        };
        assert_eq!(with("GroupId", "none"), "NotFoundApiGroup");
        assert_eq!(with("ApiName", "a b c d"), "InvalidApiName");
        assert_eq!(with("Visibility", "HIDDEN"), "InvalidVisibility");
        assert_eq!(with("AuthType", "MAGIC"), "InvalidAuthType");
        assert_eq!(with("BackendEnable", "true"), "NotFoundBackend");
        assert_eq!(with("RequestConfig", "{"), "InvalidFormatRequestConfig");
        assert_eq!(with("RequestConfig", "{}"), "MissingRequestProtocol");
        let config = r#"{"RequestProtocol":"FTP","RequestHttpMethod":"GET","RequestPath":"/x"}"#;
        assert_eq!(with("RequestConfig", config), "InvalidRequestProtocol");
        let config = r#"{"RequestProtocol":"HTTP","RequestHttpMethod":"FETCH","RequestPath":"/x"}"#;
        assert_eq!(with("RequestConfig", config), "InvalidRequestHttpMethod");
        let service = |timeout: u32, name: &str| {
            format!(
                r#"{{"ServiceProtocol":"HTTP","ServiceHttpMethod":"GET","ServicePath":"/","ServiceTimeout":{timeout},"ServiceVpcEnable":"TRUE","VpcConfig":{{"Name":"{name}"}}}}"#
            )
        };
        assert_eq!(
            with("ServiceConfig", &service(30_001, "access")),
            "InvalidServiceTimeout"
        );
        assert_eq!(
            with("ServiceConfig", &service(1000, "unknown")),
            "NotFoundVpc"
        );
        assert_eq!(
            with("ServiceConfig", &service(1000, "")),
            "MissingVpcConfig"
        );
        let public = r#"{"ServiceProtocol":"HTTP","ServiceHttpMethod":"GET","ServicePath":"/","ServiceTimeout":1000,"ServiceAddress":"x"}"#;
        assert_eq!(with("ServiceConfig", public), "InvalidApiServiceAddress");
    }

    #[test]
    fn a_change_replaces_all_of_the_draft_and_none_of_what_runs() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let mut params = Cloud::api_params(&group, "hello", "/new/*", "access");
        params.retain(|(name, _)| *name != "ConstantParameters");
        params.push(("ApiId", api.clone()));
        cloud.now += jiff::SignedDuration::from_secs(90);
        cloud.ok("ModifyApi", &borrowed(&params));
        let draft = cloud.ok("DescribeApi", &[("ApiId", &api)]);
        assert_eq!(
            draft["ConstantParameters"]["ConstantParameter"],
            serde_json::json!([])
        );
        assert_eq!(draft["ModifiedTime"], "2026-11-20T00:01:30Z");
        let deployed = cloud.ok(
            "DescribeDeployedApi",
            &[("ApiId", &api), ("StageName", "RELEASE")],
        );
        assert_eq!(deployed["RequestConfig"]["RequestPath"], "/*");
        params.retain(|(name, _)| *name != "ServiceConfig");
        assert_eq!(
            cloud.refused("ModifyApi", &borrowed(&params)),
            "MissingServiceConfig"
        );
    }

    #[test]
    fn a_published_api_cannot_be_deleted() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        assert_eq!(
            cloud.refused("DeleteApiGroup", &[("GroupId", &group)]),
            "DependencyViolationApiGroup"
        );
        assert_eq!(
            cloud.refused("DeleteApi", &[("ApiId", &api)]),
            "DependencyViolationApi"
        );
        cloud.ok("AbolishApi", &[("ApiId", &api), ("StageName", "RELEASE")]);
        cloud.ok("DeleteApi", &[("ApiId", &api)]);
        assert_eq!(
            cloud.refused("DeleteApi", &[("ApiId", &api)]),
            "NotFoundApi"
        );
        cloud.ok("DeleteApiGroup", &[("GroupId", &group)]);
    }

    #[test]
    fn the_list_is_an_index_over_all_groups() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let other = cloud.group("other");
        cloud.api(&other, "second", "/*", "access");
        assert_eq!(cloud.ok("DescribeApis", &[])["TotalCount"], 2);
        assert_eq!(
            cloud.ok("DescribeApis", &[("GroupId", &group)])["TotalCount"],
            1
        );
        let deployed = cloud.ok("DescribeApis", &[("StageName", "RELEASE")]);
        assert_eq!(deployed["ApiSummarys"]["ApiSummary"][0]["ApiId"], api);
        assert_eq!(
            cloud.ok("DescribeApis", &[("UnDeployed", "true")])["TotalCount"],
            1
        );
        assert_eq!(
            cloud.refused("DescribeApis", &[("GroupId", "none")]),
            "NotFoundApiGroup"
        );
    }

    #[test]
    fn a_new_api_may_take_a_while_to_show() {
        let mut cloud = Cloud::new();
        let (group, _) = cloud.published();
        cloud.delay = jiff::SignedDuration::from_secs(3);
        let api = cloud.api(&group, "later", "/later", "access");
        assert_eq!(
            cloud.refused("DescribeApi", &[("ApiId", &api)]),
            "NotFoundApi"
        );
        assert_eq!(cloud.ok("DescribeApis", &[])["TotalCount"], 1);
        assert_eq!(
            cloud.refused(
                "CreateApi",
                &borrowed(&Cloud::api_params(&group, "later", "/y", "access"))
            ),
            "RepeatedApiName"
        );
        cloud.now += jiff::SignedDuration::from_secs(3);
        cloud.ok("DescribeApi", &[("ApiId", &api)]);
    }
}
