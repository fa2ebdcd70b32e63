//! Instances, regions, system parameters: what exists without being made.

use serde_json::{Value, json};

use super::api_parameters::SYSTEM_NAMES;
use super::checks;
use super::find::{page, paging, tag_info};
use super::state::Tags;
use crate::api::{Answer, Request};
use crate::world::{World, region_mark};

/// The instance that all accounts share.
pub(super) const SHARED: &str = "api-shared-vpc-001";

/// Where requests of the gateway to a VPC come from (`VpcEgressAddress` of `DescribeInstances`).
pub const VPC_EGRESS: &str = "100.104.0.0/16";

/// An instance of the gateway.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) name: &'static str,
    /// `VPC_SHARED` or `VPC_DEDICATED`.
    pub(super) kind: &'static str,
    spec: &'static str,
    rps: i64,
}

/// The shared instance and one dedicated instance.
pub(super) fn all(region: &str) -> Vec<Instance> {
    vec![
        Instance {
            id: SHARED.to_owned(),
            name: "shared",
            kind: "VPC_SHARED",
            spec: "",
            rps: 500,
        },
        Instance {
            id: format!("apigateway-{}-3c2f1a9b7d4e", region_mark(region)),
            name: "dedicated",
            kind: "VPC_DEDICATED",
            spec: "api.s1.small",
            rps: 2500,
        },
    ]
}

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "DescribeInstances" => list(world, request),
        "DescribeRegions" => Ok(regions(world)),
        "DescribeSystemParameters" => Ok(system_parameters()),
        _ => return None,
    })
}

fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let no_tags = Tags::new();
    let tags = checks::TagFilter::of(params);
    let shown: Vec<Instance> = all(&world.region)
        .into_iter()
        .filter(|instance| checks::equal(params.filled("InstanceId"), &instance.id))
        .filter(|instance| checks::equal(params.filled("InstanceType"), instance.kind))
        .filter(|_| tags.is_empty() || tags.matches(&no_tags))
        .collect();
    Ok(page(
        paging,
        ("Instances", "InstanceAttribute"),
        &shown,
        |instance| {
            json!({
                "InstanceId": instance.id,
                "InstanceName": instance.name,
                "InstanceType": instance.kind,
                "InstanceSpec": instance.spec,
                "InstanceRpsLimit": instance.rps,
                "InstanceChargeType": "PostPaid",
                "HttpsPolicies": "HTTPS2_TLS1_0",
                "RegionId": world.region,
                "ZoneId": format!("{}-MAZ(f,g)", world.region),
                "Status": "RUNNING",
                "InternetEgressAddress": "203.0.113.10",
                "VpcEgressAddress": VPC_EGRESS,
                "VpcIntranetEnable": true,
                "SupportIpv6": false,
                "Tags": tag_info(&no_tags),
            })
        },
    ))
}

fn regions(world: &World) -> Value {
    json!({ "Regions": { "Region": [{
        "RegionId": world.region,
        "LocalName": world.region,
        "RegionEndpoint": format!("apigateway.{}.aliyuncs.com", world.region),
    }] } })
}

fn system_parameters() -> Value {
    let items: Vec<Value> = SYSTEM_NAMES
        .iter()
        .map(|name| json!({ "ParamName": name, "ParamType": "String", "DemoValue": "", "Description": "" }))
        .collect();
    json!({ "SystemParams": { "SystemParamItem": items } })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn a_shared_and_a_dedicated_instance_exist() {
        let mut cloud = Cloud::new();
        let all = cloud.ok("DescribeInstances", &[]);
        assert_eq!(all["TotalCount"], 2);
        assert_eq!(
            all["Instances"]["InstanceAttribute"][0]["InstanceId"],
            "api-shared-vpc-001"
        );
        let dedicated = cloud.ok("DescribeInstances", &[("InstanceType", "VPC_DEDICATED")]);
        let id = dedicated["Instances"]["InstanceAttribute"][0]["InstanceId"]
            .as_str()
            .unwrap()
            .to_owned();
        let group = cloud.ok(
            "CreateApiGroup",
            &[("GroupName", "on_dedicated"), ("InstanceId", &id)],
        );
        assert_eq!(group["InstanceType"], "VPC_DEDICATED");
        assert_eq!(
            cloud.ok("DescribeRegions", &[])["Regions"]["Region"][0]["RegionId"],
            "cn-hangzhou"
        );
        assert!(
            cloud.ok("DescribeSystemParameters", &[])["SystemParams"]["SystemParamItem"]
                .as_array()
                .unwrap()
                .len()
                > 10
        );
    }
}
