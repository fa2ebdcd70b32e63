//! API groups.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::checks::{self, TagFilter};
use super::find::{done, page, paging, seen, stage_id, stamp, tag_info};
use super::instances::{self, Instance};
use super::state::{Group, Stage};
use super::{domains, errors};
use crate::api::{Answer, ApiError, Params, Request};
use crate::world::{Visible, World};

/// Groups of an account in a region.
const MOST: usize = 200;

/// Settings of `ModifyApiGroup` that are kept as sent and answered by `DescribeApiGroup`.
const SETTINGS: [&str; 8] = [
    "CompatibleFlags",
    "CustomAppCodeConfig",
    "CustomTraceConfig",
    "CustomerConfigs",
    "DefaultDomain",
    "FilterAppCodeForBackend",
    "RpcPattern",
    "RpsLimitForServerless",
];

/// Those of them that no answer shows.
const NOT_SHOWN: [&str; 3] = [
    "FilterAppCodeForBackend",
    "RpcPattern",
    "RpsLimitForServerless",
];

/// Switches of `ModifyApiGroupNetworkPolicy` besides the public domain.
const SWITCHES: [&str; 4] = [
    "InternetEnable",
    "InternetIPV6Enable",
    "VpcIntranetEnable",
    "VpcSlbIntranetEnable",
];

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "CreateApiGroup" => create(world, request),
        "ModifyApiGroup" => modify(world, request),
        "DescribeApiGroup" => describe(world, request),
        "DescribeApiGroups" => list(world, request),
        "DeleteApiGroup" => delete(world, &request.params),
        "ModifyApiGroupNetworkPolicy" => network_policy(world, request),
        _ => return None,
    })
}

fn create(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let name = checks::name("GroupName", params.required("GroupName")?, 4, 50)?;
    let instance = instance(world, params.filled("InstanceId"))?;
    let base_path = base_path(params)?.unwrap_or_else(|| "/".to_owned());
    let description = checks::description(params, 180)?;
    let tags = checks::tags(params)?;
    free_name(world, &name, None)?;
    if world.cloudapi.groups.len() >= MOST {
        return Err(errors::exceeded("ApiGroup", MOST));
    }
    let group = Group {
        id: world.ids.hex32(),
        name,
        description,
        base_path,
        instance_id: instance.id.clone(),
        passthrough_headers: String::new(),
        user_log_config: String::new(),
        settings: BTreeMap::new(),
        test_domain_enabled: false,
        network: BTreeMap::new(),
        tags,
        created: request.now,
        modified: request.now,
        domains: BTreeMap::new(),
    };
    let answer = json!({
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "BasePath": group.base_path,
        "InstanceId": group.instance_id,
        "InstanceType": instance.kind,
        "SubDomain": group.sub_domain(&world.region),
        "TagStatus": true,
    });
    world
        .cloudapi
        .groups
        .insert(group.id.clone(), Visible::new(group, request.visible_from));
    Ok(answer)
}

fn modify(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let id = params.required("GroupId")?;
    world.cloudapi.group(id)?;
    let name = params
        .filled("GroupName")
        .map(|name| checks::name("GroupName", name, 4, 50))
        .transpose()?;
    if let Some(name) = &name {
        free_name(world, name, Some(id))?;
    }
    let base_path = base_path(params)?;
    let description = params
        .get("Description")
        .map(|_| checks::description(params, 180))
        .transpose()?;
    let region = world.region.clone();
    let group = world.cloudapi.group_mut(id)?;
    if let Some(name) = name {
        group.name = name;
    }
    if let Some(base_path) = base_path {
        group.base_path = base_path;
    }
    if let Some(description) = description {
        group.description = description;
    }
    if let Some(headers) = params.get("PassthroughHeaders") {
        group.passthrough_headers = headers.to_owned();
    }
    if let Some(config) = params.get("UserLogConfig") {
        group.user_log_config = config.to_owned();
    }
    for setting in SETTINGS {
        if let Some(value) = params.get(setting) {
            group.settings.insert(setting.to_owned(), value.to_owned());
        }
    }
    group.modified = request.now;
    Ok(json!({
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "BasePath": group.base_path,
        "SubDomain": group.sub_domain(&region),
    }))
}

fn describe(world: &World, request: &Request) -> Answer {
    let id = request.params.required("GroupId")?;
    let group = seen(world.cloudapi.groups.get(id), request.now, "ApiGroup")?;
    let mut answer = summary(world, group);
    let Some(members) = answer.as_object_mut() else {
        return Ok(answer);
    };
    members.remove("Tags");
    let stages: Vec<Value> = Stage::ALL
        .iter()
        .map(|stage| json!({ "StageId": stage_id(&group.id, *stage), "StageName": stage.as_str(), "Description": "" }))
        .collect();
    let more = json!({
        "StageItems": { "StageInfo": stages },
        "CustomDomains": { "DomainItem": domains::items(group) },
        "PassthroughHeaders": group.passthrough_headers,
        "UserLogConfig": group.user_log_config,
        "DisableInnerDomain": !group.test_domain_enabled,
        "Status": "NORMAL",
        "VpcDomain": "",
        "VpcSlbIntranetDomain": "",
        "CloudMarketCommodity": false,
        "Ipv6Status": "",
    });
    members.extend(more.as_object().cloned().unwrap_or_default());
    members.extend(
        group
            .settings
            .iter()
            .filter(|(name, _)| !NOT_SHOWN.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), json!(value))),
    );
    Ok(answer)
}

/// The members that the list shows too.
fn summary(world: &World, group: &Group) -> Value {
    let kind = instances::all(&world.region)
        .into_iter()
        .find(|instance| instance.id == group.instance_id)
        .map_or("", |instance| instance.kind);
    json!({
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "BasePath": group.base_path,
        "InstanceId": group.instance_id,
        "InstanceType": kind,
        "RegionId": world.region,
        "SubDomain": group.sub_domain(&world.region),
        "CreatedTime": stamp(group.created),
        "ModifiedTime": stamp(group.modified),
        "BillingStatus": "NORMAL",
        "IllegalStatus": "NORMAL",
        "HttpsPolicy": group.network.get("HttpsPolicy").map_or("HTTPS2_TLS1_0", String::as_str),
        "TrafficLimit": 500,
        "Tags": tag_info(&group.tags),
    })
}

fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 50)?;
    let tags = TagFilter::of(params);
    let mut groups: Vec<&Group> = world
        .cloudapi
        .groups
        .values()
        .filter_map(|group| group.seen(request.now))
        .filter(|group| checks::equal(params.filled("GroupId"), &group.id))
        .filter(|group| checks::contains(params.filled("GroupName"), &group.name))
        .filter(|group| checks::equal(params.filled("InstanceId"), &group.instance_id))
        .filter(|group| checks::equal(params.filled("BasePath"), &group.base_path))
        .filter(|group| tags.matches(&group.tags))
        .collect();
    match params
        .filled("Sort")
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some("asc") => groups.sort_by_key(|group| (group.modified, group.id.clone())),
        Some("desc") => {
            groups.sort_by_key(|group| std::cmp::Reverse((group.modified, group.id.clone())))
        }
        _ => groups.sort_by_key(|group| std::cmp::Reverse((group.created, group.id.clone()))),
    }
    Ok(page(
        paging,
        ("ApiGroupAttributes", "ApiGroupAttribute"),
        &groups,
        |group| summary(world, group),
    ))
}

/// Deleting what is not there succeeds.
fn delete(world: &mut World, params: &Params) -> Answer {
    let id = params.required("GroupId")?;
    let state = &mut world.cloudapi;
    if state.apis.values().any(|api| api.value.group_id == id) {
        return Err(errors::dependency("ApiGroup", "API"));
    }
    state.groups.remove(id);
    state.group_plugins.retain(|binding| binding.group_id != id);
    Ok(done())
}

fn network_policy(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    // The vendor's documentation of DescribeApiGroup reads this switch back as `DisableInnerDomain`.
    let test_domain = params.bool("InnerDomainEnable")?;
    let mut switches = BTreeMap::new();
    for name in SWITCHES {
        if let Some(flag) = params.bool(name)? {
            switches.insert(name.to_owned(), flag.to_string());
        }
    }
    if let Some(policy) = params.filled("HttpsPolicy") {
        switches.insert("HttpsPolicy".to_owned(), policy.to_owned());
    }
    let group = world.cloudapi.group_mut(params.required("GroupId")?)?;
    group.test_domain_enabled = test_domain.unwrap_or(group.test_domain_enabled);
    group.network.extend(switches);
    group.modified = request.now;
    Ok(done())
}

fn instance(world: &World, id: Option<&str>) -> Result<Instance, ApiError> {
    let wanted = id.unwrap_or(instances::SHARED);
    instances::all(&world.region)
        .into_iter()
        .find(|instance| instance.id == wanted)
        .ok_or_else(|| errors::not_found("Instance"))
}

fn base_path(params: &Params) -> Result<Option<String>, ApiError> {
    let Some(path) = params.filled("BasePath") else {
        return Ok(None);
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./~".contains(c);
    if !path.starts_with('/') || path.contains("//") || !path.chars().all(plain) {
        return Err(errors::invalid(
            "BasePath",
            &format!("\"{path}\" must begin with / and be a plain path"),
        ));
    }
    if path.len() > 256 {
        return Err(errors::length("BasePath", 256));
    }
    Ok(Some(path.to_owned()))
}

fn free_name(world: &World, name: &str, own: Option<&str>) -> Result<(), ApiError> {
    let taken =
        |group: &Visible<Group>| group.value.name == name && Some(group.value.id.as_str()) != own;
    if world.cloudapi.groups.values().any(taken) {
        return Err(errors::repeated("GroupName", name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn a_group_lives_from_create_to_delete() {
        let mut cloud = Cloud::new();
        let made = cloud.ok(
            "CreateApiGroup",
            &[
                ("GroupName", "kn_default"),
                ("Tag.1.Key", "owner"),
                ("Tag.1.Value", "x"),
            ],
        );
        let id = made["GroupId"].as_str().unwrap().to_owned();
        assert_eq!(
            made["SubDomain"],
            format!("{id}-cn-hangzhou.alicloudapi.com")
        );
        assert_eq!(made["BasePath"], "/");
        let shown = cloud.ok("DescribeApiGroup", &[("GroupId", &id)]);
        assert_eq!(shown["DisableInnerDomain"], true);
        assert_eq!(shown["InstanceId"], "api-shared-vpc-001");
        cloud.ok(
            "ModifyApiGroupNetworkPolicy",
            &[("GroupId", &id), ("InnerDomainEnable", "True")],
        );
        assert_eq!(
            cloud.ok("DescribeApiGroup", &[("GroupId", &id)])["DisableInnerDomain"],
            false
        );
        cloud.ok(
            "ModifyApiGroup",
            &[
                ("GroupId", &id),
                ("PassthroughHeaders", "host"),
                ("RpcPattern", "x"),
                ("DefaultDomain", "y"),
            ],
        );
        assert_eq!(
            cloud.ok("DescribeApiGroup", &[("GroupId", &id)])["PassthroughHeaders"],
            "host"
        );
        let found = cloud.ok("DescribeApiGroups", &[("Tag.1.Key", "owner")]);
        assert_eq!(found["TotalCount"], 1);
        assert_eq!(
            found["ApiGroupAttributes"]["ApiGroupAttribute"][0]["Tags"]["TagInfo"][0]["Value"],
            "x"
        );
        cloud.ok("DeleteApiGroup", &[("GroupId", &id)]);
        cloud.ok("DeleteApiGroup", &[("GroupId", &id)]);
        assert_eq!(
            cloud.refused("DescribeApiGroup", &[("GroupId", &id)]),
            "NotFoundApiGroup"
        );
    }

    #[test]
    fn names_are_unique_and_bounded() {
        let mut cloud = Cloud::new();
        cloud.group("kn_default");
        assert_eq!(
            cloud.refused("CreateApiGroup", &[("GroupName", "kn_default")]),
            "RepeatedGroupName"
        );
        assert_eq!(
            cloud.refused("CreateApiGroup", &[("GroupName", "abc")]),
            "InvalidGroupName"
        );
        let long = "x".repeat(181);
        assert_eq!(
            cloud.refused(
                "CreateApiGroup",
                &[("GroupName", "abcd"), ("Description", &long)]
            ),
            "InvalidDescription.LengthLimit"
        );
        assert_eq!(
            cloud.refused(
                "CreateApiGroup",
                &[("GroupName", "abcd"), ("InstanceId", "nope")]
            ),
            "NotFoundInstance"
        );
        assert_eq!(
            cloud.refused(
                "CreateApiGroup",
                &[("GroupName", "abcd"), ("BasePath", "x")]
            ),
            "InvalidBasePath"
        );
    }

    #[test]
    fn the_quota_and_the_pages_hold() {
        let mut cloud = Cloud::new();
        for index in 0..200 {
            cloud.group(&format!("group{index}"));
        }
        assert_eq!(
            cloud.refused("CreateApiGroup", &[("GroupName", "one_more")]),
            "ExceedLimitApiGroup"
        );
        let first = cloud.ok("DescribeApiGroups", &[]);
        assert_eq!(
            first["ApiGroupAttributes"]["ApiGroupAttribute"]
                .as_array()
                .unwrap()
                .len(),
            10
        );
        assert_eq!(first["TotalCount"], 200);
        assert_eq!(
            cloud.refused("DescribeApiGroups", &[("PageSize", "51")]),
            "InvalidPageSize"
        );
        let last = cloud.ok(
            "DescribeApiGroups",
            &[("PageSize", "50"), ("PageNumber", "5")],
        );
        assert!(
            last["ApiGroupAttributes"]["ApiGroupAttribute"]
                .as_array()
                .unwrap()
                .is_empty()
        );
    }
}
