//! Creating the load balancer of a Service.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::annotations::Annotations;
use super::attributes::{CLUSTER_TAG_KEY, TAG_KEY, additional_tags};
use super::cloud::{Args, Cloud, of_balancer, text};
use super::error::SyncError;
use super::model::Names;

/// Creates it and reads it back.
pub(super) async fn create(
    cloud: &Cloud,
    names: &Names,
    annotations: Annotations<'_>,
    bandwidth: Option<i64>,
) -> Result<Value, SyncError> {
    let answer = match place(cloud, annotations) {
        None => {
            cloud
                .slb("CreateLoadBalancer", args(names, annotations, bandwidth))
                .await?
        }
        Some(vswitches) => create_inside(cloud, names, annotations, bandwidth, &vswitches).await?,
    };
    cloud
        .slb(
            "DescribeLoadBalancerAttribute",
            of_balancer(text(&answer, "LoadBalancerId")),
        )
        .await
}

/// The vswitches an intranet load balancer may be in; `None` for an internet one.
fn place(cloud: &Cloud, annotations: Annotations<'_>) -> Option<Vec<String>> {
    if annotations.get("address-type") != Some("intranet")
        || annotations.get("network-type") == Some("classic")
    {
        return None;
    }
    match annotations.get("vswitch-id") {
        Some(id) => Some(vec![id.to_owned()]),
        None => Some(cloud.config.vswitch_ids.clone()),
    }
}

/// Tries the next vswitch when one is full.
async fn create_inside(
    cloud: &Cloud,
    names: &Names,
    annotations: Annotations<'_>,
    bandwidth: Option<i64>,
    vswitches: &[String],
) -> Result<Value, SyncError> {
    let mut last = SyncError::Apply("no vswitch is configured".to_owned());
    for vswitch in vswitches {
        let args = args(names, annotations, bandwidth)
            .with("VpcId", &cloud.config.vpc_id)
            .with("VSwitchId", vswitch);
        match cloud.slb("CreateLoadBalancer", args).await {
            Err(SyncError::Cloud { code, message }) if code == "VSwitchAvailableIpNotExist" => {
                last = SyncError::Cloud { code, message };
            }
            other => return other,
        }
    }
    Err(last)
}

fn args(names: &Names, annotations: Annotations<'_>, bandwidth: Option<i64>) -> Args {
    let default_name = names.load_balancer();
    let charge = annotations
        .get("instance-charge-type")
        .unwrap_or("PayByCLCU");
    let spec = annotations
        .get("spec")
        .or_else(|| (charge == "PayBySpec").then_some("slb.s1.small"));
    let protection = annotations
        .get("modification-protection")
        .unwrap_or("ConsoleProtection");
    let reason = (protection == "ConsoleProtection").then_some("managed.by.ack");
    let mut args = Args::default()
        .with(
            "AddressType",
            annotations.get("address-type").unwrap_or("internet"),
        )
        .with("ClientToken", client_token(names))
        .with(
            "DeleteProtection",
            annotations.get("delete-protection").unwrap_or("on"),
        )
        .with("InstanceChargeType", charge)
        .with(
            "LoadBalancerName",
            annotations.get("name").unwrap_or(&default_name),
        )
        .with_some("ModificationProtectionReason", reason)
        .with("ModificationProtectionStatus", protection)
        .with_some("LoadBalancerSpec", spec)
        .with_some("Bandwidth", bandwidth)
        .with_some("InternetChargeType", annotations.get("charge-type"))
        .with_some("MasterZoneId", annotations.get("master-zoneid"))
        .with_some("SlaveZoneId", annotations.get("slave-zoneid"))
        .with_some("ResourceGroupId", annotations.get("resource-group-id"))
        .with_some("AddressIPVersion", annotations.get("ip-version"))
        .with_some("Address", annotations.get("ip"))
        .with("Tag.1.Key", TAG_KEY)
        .with("Tag.1.Value", &default_name)
        .with("Tag.2.Key", CLUSTER_TAG_KEY)
        .with("Tag.2.Value", names.cluster_id());
    for (index, (key, value)) in additional_tags(annotations).into_iter().enumerate() {
        args = args.with(&format!("Tag.{}.Key", index + 3), key);
        if !value.is_empty() {
            args = args.with(&format!("Tag.{}.Value", index + 3), value);
        }
    }
    args
}

/// The same for every attempt for one Service.
fn client_token(names: &Names) -> String {
    hex::encode(Sha256::digest(names.uid()))
        .chars()
        .take(36)
        .collect()
}
