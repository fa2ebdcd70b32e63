//! Settings of the load balancer itself: what an edit changes, and what it cannot.

use std::collections::BTreeMap;

use serde_json::Value;

use super::annotations::Annotations;
use super::cloud::{Args, Cloud, items, of_balancer, text};
use super::error::SyncError;

pub(super) const TAG_KEY: &str = "kubernetes.do.not.delete";
pub(super) const CLUSTER_TAG_KEY: &str = "ack.aliyun.com";
pub(super) const REUSED_KEY: &str = "kubernetes.reused.by.user";

/// `k1=v1,k2=v2`; of `k=a=b` only `a` is kept, as CCM does.
pub(super) fn additional_tags(annotations: Annotations<'_>) -> BTreeMap<String, String> {
    let pairs = annotations
        .get("additional-resource-tags")
        .into_iter()
        .flat_map(|text| text.split(','));
    pairs
        .filter_map(|pair| {
            let mut parts = pair.split('=');
            let key = parts.next().map(str::trim).filter(|key| !key.is_empty())?;
            Some((
                key.to_owned(),
                parts.next().unwrap_or_default().trim().to_owned(),
            ))
        })
        .filter(|(key, _)| ![TAG_KEY, CLUSTER_TAG_KEY, REUSED_KEY].contains(&key.as_str()))
        .collect()
}

/// The violations of what cannot be changed, in CCM's order and words.
fn violations(annotations: Annotations<'_>, remote: &Value) -> Vec<&'static str> {
    let checks = [
        (
            "master-zoneid",
            "MasterZoneId",
            "alicloud: can not change LoadBalancer master zone id once created",
        ),
        (
            "slave-zoneid",
            "SlaveZoneId",
            "alicloud: can not change LoadBalancer slave zone id once created",
        ),
        (
            "address-type",
            "AddressType",
            "alicloud: can not change LoadBalancer AddressType once created. delete and retry",
        ),
        (
            "ip-version",
            "AddressIPVersion",
            "alicloud: can not change LoadBalancer AddressIPVersion once created",
        ),
        (
            "resource-group-id",
            "ResourceGroupId",
            "alicloud: can not change ResourceGroupId once created",
        ),
        (
            "network-type",
            "NetworkType",
            "alicloud: can not change LoadBalancer network type once created",
        ),
        (
            "ip",
            "Address",
            "alicloud: can not change LoadBalancer address once created",
        ),
    ];
    let default_of = |suffix: &str| (suffix == "ip-version").then_some("ipv4");
    checks
        .into_iter()
        .filter(|(suffix, member, _)| {
            let wanted = annotations.get(suffix).or_else(|| default_of(suffix));
            wanted.is_some_and(|wanted| wanted != text(remote, member))
        })
        .map(|(_, _, message)| message)
        .collect()
}

fn check_immutable(annotations: Annotations<'_>, remote: &Value) -> Result<(), SyncError> {
    let violations = violations(annotations, remote);
    let listed = match violations.as_slice() {
        [] => return Ok(()),
        [single] => (*single).to_owned(),
        several => format!("[{}]", several.join(", ")),
    };
    Err(SyncError::Apply(format!(
        "update lb attribute error: {listed}"
    )))
}

/// Changes what differs. A violation stops it before the first call.
pub(super) async fn apply(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    bandwidth: Option<i64>,
    remote: &Value,
) -> Result<(), SyncError> {
    check_immutable(annotations, remote)?;
    let id = text(remote, "LoadBalancerId");
    apply_charges(cloud, annotations, bandwidth, remote).await?;
    let changed = |suffix: &str, member: &str| {
        annotations
            .get(suffix)
            .filter(|wanted| *wanted != text(remote, member))
    };
    if let Some(value) = changed("delete-protection", "DeleteProtection") {
        let args = of_balancer(id).with("DeleteProtection", value);
        cloud.slb("SetLoadBalancerDeleteProtection", args).await?;
    }
    if let Some(value) = changed("modification-protection", "ModificationProtectionStatus") {
        let args = of_balancer(id).with("ModificationProtectionStatus", value);
        cloud
            .slb("SetLoadBalancerModificationProtection", args)
            .await?;
    }
    if let Some(value) = changed("name", "LoadBalancerName") {
        cloud
            .slb(
                "SetLoadBalancerName",
                of_balancer(id).with("LoadBalancerName", value),
            )
            .await?;
    }
    apply_tags(cloud, annotations, id, remote).await
}

async fn apply_charges(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    bandwidth: Option<i64>,
    remote: &Value,
) -> Result<(), SyncError> {
    let id = text(remote, "LoadBalancerId");
    let current = text(remote, "InstanceChargeType");
    let wanted = annotations.get("instance-charge-type").unwrap_or(current);
    let spec = annotations.get("spec");
    if wanted != current {
        let spec = (wanted == "PayBySpec").then(|| spec.unwrap_or("slb.s1.small"));
        let args = of_balancer(id)
            .with("InstanceChargeType", wanted)
            .with_some("LoadBalancerSpec", spec);
        cloud
            .slb("ModifyLoadBalancerInstanceChargeType", args)
            .await?;
    } else if let Some(spec) =
        spec.filter(|spec| wanted == "PayBySpec" && *spec != text(remote, "LoadBalancerSpec"))
    {
        let args = of_balancer(id).with("LoadBalancerSpec", spec);
        cloud.slb("ModifyLoadBalancerInstanceSpec", args).await?;
    }
    let Some(charge) = annotations
        .get("charge-type")
        .filter(|_| text(remote, "AddressType") == "internet")
    else {
        return Ok(());
    };
    let bandwidth = bandwidth.filter(|_| charge == "paybybandwidth");
    let other_bandwidth = bandwidth
        .is_some_and(|wanted| remote.get("Bandwidth").and_then(Value::as_i64) != Some(wanted));
    // Lists have a number there, and the word beside it.
    let current = match text(remote, "InternetChargeTypeAlias") {
        "" => text(remote, "InternetChargeType"),
        alias => alias,
    };
    if charge != current || other_bandwidth {
        let args = of_balancer(id)
            .with("InternetChargeType", charge)
            .with_some("Bandwidth", bandwidth);
        cloud.slb("ModifyLoadBalancerInternetSpec", args).await?;
    }
    Ok(())
}

/// With the annotation set, every tag goes that is neither annotated nor one of CCM's or the
/// cloud's own.
async fn apply_tags(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    id: &str,
    remote: &Value,
) -> Result<(), SyncError> {
    let wanted = additional_tags(annotations);
    if wanted.is_empty() {
        return Ok(());
    }
    let current: BTreeMap<&str, &str> = remote
        .get("Tags")
        .map(|tags| {
            items_of(tags)
                .map(|tag| (text(tag, "TagKey"), text(tag, "TagValue")))
                .collect()
        })
        .unwrap_or_default();
    let missing = wanted
        .iter()
        .filter(|(key, value)| current.get(key.as_str()) != Some(&value.as_str()));
    let mut args = Args::default()
        .with("ResourceType", "instance")
        .with("ResourceId.1", id);
    let mut count = 0;
    for (key, value) in missing {
        count += 1;
        args = args
            .with(&format!("Tag.{count}.Key"), key)
            .with(&format!("Tag.{count}.Value"), value);
    }
    if count > 0 {
        cloud.slb("TagResources", args).await?;
    }
    let foreign = current.keys().filter(|key| {
        !wanted.contains_key(**key)
            && !key.starts_with("acs:")
            && ![TAG_KEY, CLUSTER_TAG_KEY, REUSED_KEY].contains(key)
    });
    untag(cloud, id, foreign.copied()).await
}

fn items_of(tags: &Value) -> impl Iterator<Item = &Value> {
    tags.get("Tag")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Takes tags off a load balancer; no call for none.
pub(super) async fn untag(
    cloud: &Cloud,
    id: &str,
    keys: impl Iterator<Item = &str>,
) -> Result<(), SyncError> {
    let mut args = Args::default()
        .with("ResourceType", "instance")
        .with("ResourceId.1", id);
    let mut count = 0;
    for key in keys {
        count += 1;
        args = args.with(&format!("TagKey.{count}"), key);
    }
    if count > 0 {
        cloud.slb("UntagResources", args).await?;
    }
    Ok(())
}

/// The load balancer that carries the Service's tag.
pub(super) async fn find_by_tag(cloud: &Cloud, name: &str) -> Result<Option<Value>, SyncError> {
    let tags = serde_json::json!([{"TagKey": TAG_KEY, "TagValue": name}]);
    let answer = cloud
        .slb("DescribeLoadBalancers", Args::default().with("Tags", tags))
        .await?;
    match items(&answer, "LoadBalancers", "LoadBalancer") {
        [] => Ok(None),
        [single] => Ok(Some(single.clone())),
        _ => Err(SyncError::Apply(format!(
            "find multiple loadbalances by tag [{TAG_KEY}:{name}]"
        ))),
    }
}

/// The load balancer by tag, else by its default name.
pub(super) async fn find(cloud: &Cloud, name: &str) -> Result<Option<Value>, SyncError> {
    if let Some(found) = find_by_tag(cloud, name).await? {
        return Ok(Some(found));
    }
    let answer = cloud
        .slb(
            "DescribeLoadBalancers",
            Args::default().with("LoadBalancerName", name),
        )
        .await?;
    match items(&answer, "LoadBalancers", "LoadBalancer") {
        [] => Ok(None),
        [single] => Ok(Some(single.clone())),
        _ => Err(SyncError::Apply(format!(
            "find multiple loadbalances by name [{name}]"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::*;

    fn service(annotations: &[(&str, &str)]) -> Service {
        let prefix = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
        let mut service = Service::default();
        let pairs = annotations
            .iter()
            .map(|(key, value)| (format!("{prefix}{key}"), (*value).to_owned()));
        service.metadata.annotations = Some(pairs.collect());
        service
    }

    fn refusal(annotations: &[(&str, &str)]) -> String {
        let remote =
            json!({"AddressType": "internet", "AddressIPVersion": "ipv4", "MasterZoneId": "z-a"});
        let service = service(annotations);
        check_immutable(Annotations::of(&service), &remote)
            .expect_err("refused")
            .to_string()
    }

    #[test]
    fn one_violation_stands_alone_and_several_in_brackets() {
        assert_eq!(
            refusal(&[("address-type", "intranet")]),
            "apply model error: update lb attribute error: \
             alicloud: can not change LoadBalancer AddressType once created. delete and retry"
        );
        assert_eq!(
            refusal(&[("address-type", "intranet"), ("master-zoneid", "z-b")]),
            "apply model error: update lb attribute error: \
             [alicloud: can not change LoadBalancer master zone id once created, \
             alicloud: can not change LoadBalancer AddressType once created. delete and retry]"
        );
    }

    #[test]
    fn tags_are_read_as_ccm_reads_them() {
        let service = service(&[("additional-resource-tags", "a=1,b=,c=x=y,ack.aliyun.com=z")]);
        let tags = additional_tags(Annotations::of(&service));
        let tags: Vec<_> = tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(tags, [("a", "1"), ("b", ""), ("c", "x")]);
    }
}
