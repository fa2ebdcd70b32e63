//! VPC authorizations: the permission to send traffic to a port of a load balancer in a VPC.
//!
//! One is created and referred to by its name, but removed by what it points at.

use serde_json::{Value, json};

use super::checks::{self, TagFilter};
use super::errors;
use super::find::{page, paging, stage_id, stamp, tag_info};
use super::state::{Stage, State, VpcAccess};
use crate::api::{Answer, ApiError, Params, Request};
use crate::world::{Visible, World};

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "SetVpcAccess" => set(world, request),
        "DescribeVpcAccesses" => list(world, request),
        "RemoveVpcAccess" => remove(world, &request.params),
        _ => return None,
    })
}

fn set(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let name = checks::name("Name", params.required("Name")?, 4, 50)?;
    let port = port(params)?.ok_or_else(|| params.missing("Port"))?;
    let vpc_id = params.required("VpcId")?.to_owned();
    let instance_id = params.required("InstanceId")?.to_owned();
    check_backend(world, &vpc_id, &instance_id)?;
    let access = VpcAccess {
        id: world.ids.hex32(),
        name: name.clone(),
        vpc_id,
        instance_id,
        port,
        target_host: params
            .get("VpcTargetHostName")
            .unwrap_or_default()
            .to_owned(),
        description: checks::description(params, 180)?,
        tags: checks::tags(params)?,
        created: request.now,
    };
    let state = &mut world.cloudapi;
    if state.vpc_accesses.contains_key(&name) {
        return Err(errors::repeated("VpcAccessName", &name));
    }
    free_triple(state, access.triple(), None)?;
    let answer = json!({ "VpcAccessId": access.id });
    state
        .vpc_accesses
        .insert(name, Visible::new(access, request.visible_from));
    Ok(answer)
}

fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let accurate = params.bool("AccurateQuery")?.unwrap_or(false);
    let port = params.filled("Port");
    let name = params.filled("Name");
    let tags = TagFilter::of(params);
    let mut found: Vec<&VpcAccess> = world
        .cloudapi
        .vpc_accesses
        .values()
        .filter_map(|access| access.seen(request.now))
        .filter(|access| {
            if accurate {
                checks::equal(name, &access.name)
            } else {
                checks::contains(name, &access.name)
            }
        })
        .filter(|access| checks::equal(params.filled("VpcId"), &access.vpc_id))
        .filter(|access| checks::equal(params.filled("InstanceId"), &access.instance_id))
        .filter(|access| checks::equal(params.filled("VpcAccessId"), &access.id))
        .filter(|access| checks::equal(port, &access.port.to_string()))
        .filter(|access| tags.matches(&access.tags))
        .collect();
    found.sort_by_key(|access| std::cmp::Reverse((access.created, access.name.clone())));
    Ok(page(
        paging,
        ("VpcAccessAttributes", "VpcAccessAttribute"),
        &found,
        |access| {
            json!({
                "VpcAccessId": access.id,
                "Name": access.name,
                "VpcId": access.vpc_id,
                "InstanceId": access.instance_id,
                "Port": access.port,
                "VpcTargetHostName": access.target_host,
                "Description": access.description,
                "RegionId": world.region,
                "CreatedTime": stamp(access.created),
                "Tags": tag_info(&access.tags),
            })
        },
    ))
}

/// Takes the authorization away and leaves the APIs behind it published: they begin to fail.
fn remove(world: &mut World, params: &Params) -> Answer {
    let state = &mut world.cloudapi;
    let name = by_triple(state, params)?.name.clone();
    let apis: Vec<Value> = users(state, &name)
        .into_iter()
        .map(|(api_id, group_id, stage)| json!({ "ApiId": api_id, "GroupId": group_id, "StageId": stage_id(&group_id, stage) }))
        .collect();
    state.vpc_accesses.remove(&name);
    Ok(json!({ "Apis": { "Api": apis } }))
}

/// The authorization that `VpcId`, `InstanceId` and `Port` name.
pub(super) fn by_triple<'a>(state: &'a State, params: &Params) -> Result<&'a VpcAccess, ApiError> {
    let port = port(params)?.ok_or_else(|| params.missing("Port"))?;
    let triple = (
        params.required("VpcId")?,
        params.required("InstanceId")?,
        port,
    );
    state
        .vpc_accesses
        .values()
        .map(|access| &access.value)
        .find(|access| access.triple() == triple)
        .ok_or_else(|| errors::not_found("Vpc"))
}

/// What is published over an authorization: API, group, stage.
pub(super) fn users(state: &State, name: &str) -> Vec<(String, String, Stage)> {
    let mut users = Vec::new();
    for (api_id, stages) in &state.deployments {
        let Some(api) = state.apis.get(api_id) else {
            continue;
        };
        for (stage, deployment) in stages {
            if deployment.definition.service.is_vpc()
                && deployment.definition.service.vpc_config.name == name
            {
                users.push((api_id.clone(), api.value.group_id.clone(), *stage));
            }
        }
    }
    users
}

pub(super) fn port(params: &Params) -> Result<Option<u16>, ApiError> {
    let port = params.int("Port")?;
    port.map(|port| {
        u16::try_from(port)
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| errors::invalid("Port", &format!("{port} is not within 1 to 65535")))
    })
    .transpose()
}

/// The VPC exists, and the load balancer is an internal one of that VPC.
pub(super) fn check_backend(
    world: &World,
    vpc_id: &str,
    instance_id: &str,
) -> Result<(), ApiError> {
    if !world.vpc.vpcs.contains_key(vpc_id) {
        return Err(errors::not_found("Vpc"));
    }
    let Some(balancer) = world
        .slb
        .load_balancers
        .get(instance_id)
        .map(|balancer| &balancer.value)
    else {
        return Err(errors::not_found("Instance"));
    };
    if balancer.address_type != "intranet" {
        return Err(errors::invalid(
            "InstanceId",
            &format!(
                "\"{instance_id}\" is a load balancer of the internet, only an intranet one can be authorized"
            ),
        ));
    }
    if balancer.vpc_id.as_deref() != Some(vpc_id) {
        return Err(errors::invalid(
            "InstanceId",
            &format!("\"{instance_id}\" is not in VPC \"{vpc_id}\""),
        ));
    }
    Ok(())
}

/// One authorization per port of a load balancer.
pub(super) fn free_triple(
    state: &State,
    triple: (&str, &str, u16),
    own: Option<&str>,
) -> Result<(), ApiError> {
    let taken = |access: &Visible<VpcAccess>| {
        access.value.triple() == triple && Some(access.value.name.as_str()) != own
    };
    if state.vpc_accesses.values().any(taken) {
        return Err(errors::repeated(
            "VpcAccess",
            &format!("{}, {}, port {}", triple.0, triple.1, triple.2),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn the_backend_must_be_an_intranet_balancer_of_the_vpc() {
        let mut cloud = Cloud::new();
        let vpc = cloud.vpc();
        let (inner, outer) = (
            cloud.balancer("lb-inner", "intranet"),
            cloud.balancer("lb-outer", "internet"),
        );
        let mut set = |vpc: &str, instance: &str, port: &str| {
            cloud
                .call(
                    "SetVpcAccess",
                    &[
                        ("Name", "access"),
                        ("VpcId", vpc),
                        ("InstanceId", instance),
                        ("Port", port),
                    ],
                )
                .map_err(|error| error.code)
        };
        assert_eq!(set("vpc-none", &inner, "80"), Err("NotFoundVpc".to_owned()));
        assert_eq!(
            set(&vpc, "lb-none", "80"),
            Err("NotFoundInstance".to_owned())
        );
        assert_eq!(set(&vpc, &outer, "80"), Err("InvalidInstanceId".to_owned()));
        assert_eq!(set(&vpc, &inner, "70000"), Err("InvalidPort".to_owned()));
        assert!(set(&vpc, &inner, "80").is_ok());
    }

    #[test]
    fn name_and_target_are_unique_and_the_list_filters() {
        let mut cloud = Cloud::new();
        cloud.vpc_access("first");
        cloud.vpc_access("first_b");
        let vpc = cloud.vpc();
        let again = |name: &'static str, port: &'static str| {
            [("Name", name), ("InstanceId", "lb-first"), ("Port", port)]
        };
        let call = |cloud: &mut Cloud, name, port| {
            let [a, b, c] = again(name, port);
            cloud.refused("SetVpcAccess", &[a, b, c, ("VpcId", &vpc)])
        };
        assert_eq!(call(&mut cloud, "first", "81"), "RepeatedVpcAccessName");
        assert_eq!(call(&mut cloud, "other", "80"), "RepeatedVpcAccess");
        assert_eq!(
            cloud.ok("DescribeVpcAccesses", &[("Name", "first")])["TotalCount"],
            2
        );
        let accurate = cloud.ok(
            "DescribeVpcAccesses",
            &[("Name", "first"), ("AccurateQuery", "True")],
        );
        assert_eq!(accurate["TotalCount"], 1);
        assert_eq!(
            accurate["VpcAccessAttributes"]["VpcAccessAttribute"][0]["Port"],
            80
        );
    }

    #[test]
    fn removal_goes_by_target_and_names_the_apis() {
        let mut cloud = Cloud::new();
        let (_, api) = cloud.published();
        let vpc = cloud.vpc();
        let target = [
            ("VpcId", vpc.as_str()),
            ("InstanceId", "lb-access"),
            ("Port", "80"),
        ];
        let removed = cloud.ok("RemoveVpcAccess", &target);
        assert_eq!(removed["Apis"]["Api"][0]["ApiId"], api);
        assert_eq!(cloud.refused("RemoveVpcAccess", &target), "NotFoundVpc");
        cloud.ok(
            "DescribeDeployedApi",
            &[("ApiId", &api), ("StageName", "RELEASE")],
        );
    }
}
