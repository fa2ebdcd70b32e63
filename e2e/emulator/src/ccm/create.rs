//! Creating the load balancer of a Service.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::annotations::Annotations;
use super::attributes::{CLUSTER_TAG_KEY, TAG_KEY, additional_tags};
use super::cloud::{Args, Cloud, items, of_balancer, text};
use super::error::{SyncError, Within};
use super::model::Names;

/// Creates it and reads it back.
pub(super) async fn create(
    cloud: &Cloud,
    names: &Names,
    annotations: Annotations<'_>,
    bandwidth: i64,
) -> Result<Value, SyncError> {
    let made = create_somewhere(cloud, names, annotations, bandwidth)
        .await
        .within("create lb error: create slb error")?;
    let id = text(&made, "LoadBalancerId");
    cloud
        .slb("DescribeLoadBalancerAttribute", of_balancer(id))
        .await
        .within(&format!("update remote model for lbId {id}, error"))
}

/// An intranet one is in a vswitch: in the one that is named, else in one that has room.
async fn create_somewhere(
    cloud: &Cloud,
    names: &Names,
    annotations: Annotations<'_>,
    bandwidth: i64,
) -> Result<Value, SyncError> {
    let args = args(names, annotations, bandwidth);
    let classic = annotations.get("network-type") == Some("classic");
    let named = annotations.get("vswitch-id").filter(|_| !classic);
    if annotations.get("address-type") != Some("intranet") {
        let args = args.with_some("VSwitchId", named);
        return cloud.slb("CreateLoadBalancer", args).await;
    }
    let args = args.with("VpcId", &cloud.config.vpc_id);
    if classic || named.is_some() {
        let args = args.with_some("VSwitchId", named);
        return cloud.slb("CreateLoadBalancer", args).await;
    }
    let mut vswitches = cloud.config.vswitch_ids.iter();
    let first = vswitches
        .next()
        .ok_or_else(|| SyncError::said("no vswitches found"))?;
    let made = cloud.slb("CreateLoadBalancer", args.clone().with("VSwitchId", first));
    match made.await {
        Err(SyncError::Cloud { code, .. }) if code.contains("VSwitchAvailableIpNotExist") => {}
        other => return other,
    }
    for vswitch in vswitches {
        let described = Args::default().with("VSwitchId", vswitch);
        let Ok(answer) = cloud.vpc("DescribeVSwitches", described).await else {
            continue;
        };
        let found = items(&answer, "VSwitches", "VSwitch").first();
        let room = found.and_then(|one| one.get("AvailableIpAddressCount")?.as_i64());
        if room.is_some_and(|room| room > 0) {
            return cloud
                .slb("CreateLoadBalancer", args.with("VSwitchId", vswitch))
                .await;
        }
    }
    Err(SyncError::said("no available vsw found").within("get available vswitch id error"))
}

fn args(names: &Names, annotations: Annotations<'_>, bandwidth: i64) -> Args {
    let default_name = names.load_balancer();
    let charge = annotations
        .get("instance-charge-type")
        .filter(|charge| !charge.eq_ignore_ascii_case("PayByCLCU"))
        .unwrap_or("PayByCLCU");
    let by_spec = charge.eq_ignore_ascii_case("PayBySpec");
    let spec = annotations
        .get("spec")
        .or_else(|| by_spec.then_some("slb.s1.small"));
    let protection = annotations
        .get("modification-protection")
        .unwrap_or("ConsoleProtection");
    let is_said = annotations.get("modification-protection").is_some();
    let reason = (!is_said).then_some("managed.by.ack");
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
        .with_some(
            "Bandwidth",
            Some(bandwidth).filter(|bandwidth| *bandwidth != 0),
        )
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
