//! VPC authorizations and the APIs behind them: changes that touch both.

use serde_json::json;

use super::errors;
use super::find::{page, paging, stage_id};
use super::state::{Stage, State, TaskKind};
use super::tasks;
use super::vpc_access::{by_triple, check_backend, free_triple, port, users};
use crate::api::{Answer, Request};
use crate::world::World;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "RemoveVpcAccessAndAbolishApis" => remove_and_abolish(world, request),
        "ModifyVpcAccessAndUpdateApis" => modify(world, request),
        "DescribeApisByVpcAccess" => list(world, request),
        _ => return None,
    })
}

fn remove_and_abolish(world: &mut World, request: &Request) -> Answer {
    let state = &mut world.cloudapi;
    let name = by_triple(state, &request.params)?.name.clone();
    let mut results = Vec::new();
    for (api_id, _, stage) in users(state, &name) {
        let outcome = state.abolish(&api_id, stage);
        results.push(tasks::result(state, &api_id, stage, outcome.err()));
    }
    state.vpc_accesses.remove(&name);
    Ok(tasks::start(world, request, TaskKind::Abolish, results))
}

/// Points an authorization elsewhere and publishes everything behind it again.
fn modify(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let name = params.required("Name")?;
    let Some(mut access) = world
        .cloudapi
        .vpc_accesses
        .get(name)
        .map(|access| access.value.clone())
    else {
        return Err(errors::not_found("Vpc"));
    };
    access.port = port(params)?.unwrap_or(access.port);
    if let Some(vpc_id) = params.filled("VpcId") {
        access.vpc_id = vpc_id.to_owned();
    }
    if let Some(instance_id) = params.filled("InstanceId") {
        access.instance_id = instance_id.to_owned();
    }
    if let Some(host) = params.get("VpcTargetHostName") {
        access.target_host = host.to_owned();
    }
    check_backend(world, &access.vpc_id, &access.instance_id)?;
    let state = &mut world.cloudapi;
    free_triple(state, access.triple(), Some(name))?;
    if let Some(stored) = state.vpc_accesses.get_mut(name) {
        stored.value = access;
    }
    let mut results = Vec::new();
    for (api_id, _, stage) in users(state, name) {
        let outcome = state.publish_again(&api_id, stage, request.now);
        results.push(tasks::result(state, &api_id, stage, outcome.err()));
    }
    Ok(tasks::start(world, request, TaskKind::UpdateVpc, results))
}

fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let state = &world.cloudapi;
    let names: Vec<&String> = match params.filled("VpcName") {
        Some(name) => state
            .vpc_accesses
            .keys()
            .filter(|known| *known == name)
            .collect(),
        None => state.vpc_accesses.keys().collect(),
    };
    let found: Vec<(String, String, Stage)> = names
        .into_iter()
        .flat_map(|name| users(state, name))
        .collect();
    Ok(page(
        paging,
        ("ApiVpcAccessInfos", "ApiVpcAccessInfo"),
        &found,
        |user| info(world, state, user),
    ))
}

fn info(
    world: &World,
    state: &State,
    (api_id, group_id, stage): &(String, String, Stage),
) -> serde_json::Value {
    let Some(deployment) = state.deployment(api_id, *stage) else {
        return json!({});
    };
    let definition = &deployment.definition;
    let backend = deployment.backend.as_ref();
    json!({
        "ApiId": api_id,
        "ApiName": definition.name,
        "Description": definition.description,
        "GroupId": group_id,
        "GroupName": state.group_name(group_id),
        "Method": definition.request.request_http_method,
        "Path": definition.request.request_path,
        "RegionId": world.region,
        "StageId": stage_id(group_id, *stage),
        "StageName": stage.as_str(),
        "VpcName": definition.service.vpc_config.name,
        "VpcId": backend.map(|access| access.vpc_id.as_str()),
        "InstanceId": backend.map(|access| access.instance_id.as_str()),
        "Port": backend.map(|access| access.port),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn a_change_publishes_again_and_tells_by_task() {
        let mut cloud = Cloud::new();
        let (_, api) = cloud.published();
        let before = cloud.world.cloudapi.deployments[&api]
            .values()
            .next()
            .unwrap()
            .clone();
        cloud.balancer("lb-new", "intranet");
        cloud.now += jiff::SignedDuration::from_secs(5);
        let task = cloud.ok(
            "ModifyVpcAccessAndUpdateApis",
            &[
                ("Name", "access"),
                ("InstanceId", "lb-new"),
                ("Port", "8080"),
            ],
        );
        let operation = Cloud::text(&task, "OperationId");
        let results = cloud.ok("DescribeUpdateVpcInfoTask", &[("OperationUid", &operation)]);
        assert_eq!(
            results["ApiUpdateVpcInfoResults"]["ApiUpdateVpcInfoResult"][0]["ApiUid"],
            api
        );
        let after = cloud.world.cloudapi.deployments[&api]
            .values()
            .next()
            .unwrap()
            .clone();
        assert_eq!(after.backend.unwrap().instance_id, "lb-new");
        assert_ne!(after.version, before.version);
        let listed = cloud.ok("DescribeApisByVpcAccess", &[("VpcName", "access")]);
        assert_eq!(
            listed["ApiVpcAccessInfos"]["ApiVpcAccessInfo"][0]["Port"],
            8080
        );
        assert_eq!(
            cloud.refused("ModifyVpcAccessAndUpdateApis", &[("Name", "none")]),
            "NotFoundVpc"
        );
    }

    #[test]
    fn a_removal_can_take_the_apis_down() {
        let mut cloud = Cloud::new();
        let (_, api) = cloud.published();
        let vpc = cloud.vpc();
        let target = [
            ("VpcId", vpc.as_str()),
            ("InstanceId", "lb-access"),
            ("Port", "80"),
        ];
        let operation = Cloud::text(
            &cloud.ok("RemoveVpcAccessAndAbolishApis", &target),
            "OperationId",
        );
        let results = cloud.ok("DescribeAbolishApiTask", &[("OperationUid", &operation)]);
        assert_eq!(
            results["ApiAbolishResults"]["ApiAbolishResult"][0]["ApiUid"],
            api
        );
        assert_eq!(
            cloud.refused(
                "DescribeDeployedApi",
                &[("ApiId", &api), ("StageName", "RELEASE")]
            ),
            "NotFoundStage"
        );
    }
}
