//! The load balancer itself.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::annotations::Annotations;
use super::super::attributes::{CLUSTER_TAG_KEY, REUSED_KEY, TAG_KEY, additional_tags};
use super::super::cloud::{Args, Cloud, text};
use super::super::error::SyncError;
use super::super::model::Names;
use super::super::reuse;
use super::wait;

/// A zone as `zone-maps` says it: zone, vswitch, address, elastic address.
type Zone<'a> = Vec<&'a str>;

/// What annotations say of the load balancer itself.
pub(super) struct Wish<'a> {
    annotations: Annotations<'a>,
    zones: Vec<Zone<'a>>,
}

impl<'a> Wish<'a> {
    pub(super) fn of(annotations: Annotations<'a>) -> Result<Self, SyncError> {
        let model = |why: String| SyncError::Said(format!("build nlb attribute error: {why}"));
        let said = annotations.get("zone-maps");
        if said.is_none() && reuse::named(annotations).is_none() {
            return Err(model(
                "ParameterMissing, zone mappings are required".to_owned(),
            ));
        }
        let mut zones = Vec::new();
        for one in said.into_iter().flat_map(|said| said.split(',')) {
            let parts: Zone<'_> = one.split(':').collect();
            if parts.len() < 2 {
                return Err(model(format!(
                    "ZoneMapping format error, expect [zone-a:vsw-id-1,zone-b:vsw-id-2], got {}",
                    said.unwrap_or_default()
                )));
            }
            zones.push(parts);
        }
        let flag = annotations.get("cross-zone-enabled");
        if flag.is_some_and(|flag| !["on", "off"].contains(&flag)) {
            return Err(model(
                "ParameterInvalid, cross zone enabled flag error".to_owned(),
            ));
        }
        Ok(Self { annotations, zones })
    }

    fn address_type(&self) -> Option<String> {
        self.annotations.get("address-type").map(canonical)
    }

    fn with_zones(&self, mut args: Args) -> Args {
        for (zone, number) in self.zones.iter().zip(1..) {
            let names = ["ZoneId", "VSwitchId", "PrivateIPv4Address", "AllocationId"];
            for (name, value) in names.into_iter().zip(zone) {
                if !value.is_empty() {
                    args = args.with(&format!("ZoneMappings.{number}.{name}"), value);
                }
            }
        }
        args
    }
}

/// `internet` and `intranet` in any case are written as the cloud writes them; anything else is passed
/// on.
fn canonical(said: &str) -> String {
    let known = ["Internet", "Intranet"];
    let known = known.into_iter().find(|one| one.eq_ignore_ascii_case(said));
    known.unwrap_or(said).to_owned()
}

fn of(id: &str) -> Args {
    Args::default().with("LoadBalancerId", id)
}

async fn listed(cloud: &Cloud, args: Args, by: &str) -> Result<Option<Value>, SyncError> {
    let answer = cloud.nlb("ListLoadBalancers", args).await?;
    let found = answer.get("LoadBalancers").and_then(Value::as_array);
    match found.map(Vec::as_slice).unwrap_or_default() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        _ => Err(SyncError::Said(format!(
            "find multiple loadbalances by {by}"
        ))),
    }
}

/// The one that is named, else by tag, else by name.
pub(super) async fn find(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    names: &Names,
) -> Result<Option<Value>, SyncError> {
    if let Some(id) = reuse::named(annotations) {
        return cloud
            .nlb("GetLoadBalancerAttribute", of(id))
            .await
            .map(Some);
    }
    let name = names.load_balancer();
    let tag = Args::default()
        .with("Tag.1.Key", TAG_KEY)
        .with("Tag.1.Value", &name);
    if let Some(found) = listed(cloud, tag, "tag").await? {
        return Ok(Some(found));
    }
    let name = Args::default().with("LoadBalancerNames.1", name);
    listed(cloud, name, "name").await
}

pub(super) async fn tags(cloud: &Cloud, id: &str) -> Result<Vec<(String, String)>, SyncError> {
    let args = Args::default()
        .with("ResourceType", "loadbalancer")
        .with("ResourceId.1", id);
    let answer = cloud.nlb("ListTagResources", args).await?;
    let found = answer.get("TagResources").and_then(Value::as_array);
    let found = found.map(Vec::as_slice).unwrap_or_default().iter();
    Ok(found
        .map(|tag| {
            (
                text(tag, "TagKey").to_owned(),
                text(tag, "TagValue").to_owned(),
            )
        })
        .collect())
}

pub(super) async fn untag(cloud: &Cloud, id: &str, keys: &[&str]) -> Result<(), SyncError> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut args = Args::default()
        .with("ResourceType", "loadbalancer")
        .with("ResourceId.1", id);
    for (key, number) in keys.iter().zip(1..) {
        args = args.with(&format!("TagKey.{number}"), key);
    }
    cloud.nlb("UntagResources", args).await.map(drop)
}

/// Creates it, waits until it is there, and gives it what cannot be given at creation.
pub(super) async fn create(
    cloud: &Cloud,
    wish: &Wish<'_>,
    names: &Names,
) -> Result<Value, SyncError> {
    let default_name = names.load_balancer();
    let annotations = wish.annotations;
    let token: String = hex::encode(Sha256::digest(names.uid()));
    let mut args = Args::default()
        .with(
            "AddressType",
            wish.address_type().as_deref().unwrap_or("Internet"),
        )
        .with("ClientToken", token.get(..36).unwrap_or(&token))
        .with("VpcId", &cloud.config.vpc_id)
        .with(
            "LoadBalancerName",
            annotations.get("name").unwrap_or(&default_name),
        )
        .with("DeletionProtectionConfig.Enabled", true)
        .with("ModificationProtectionConfig.Status", "ConsoleProtection")
        .with("ModificationProtectionConfig.Reason", "managed.by.ack")
        .with_some(
            "AddressIpVersion",
            annotations.get("ip-version").map(version),
        )
        .with_some("ResourceGroupId", annotations.get("resource-group-id"))
        .with_some(
            "BandwidthPackageId",
            annotations.get("bandwidth-package-id"),
        )
        .with("Tag.1.Key", TAG_KEY)
        .with("Tag.1.Value", &default_name)
        .with("Tag.2.Key", CLUSTER_TAG_KEY)
        .with("Tag.2.Value", names.cluster_id());
    args = wish.with_zones(args);
    for ((key, value), number) in additional_tags(annotations).into_iter().zip(3..) {
        args = args.with(&format!("Tag.{number}.Key"), key);
        args = args.with(&format!("Tag.{number}.Value"), value);
    }
    let made = cloud
        .nlb("CreateLoadBalancer", args)
        .await
        .map_err(|error| in_words("create nlb error", error))?;
    wait(cloud, &made).await?;
    cloud
        .nlb(
            "GetLoadBalancerAttribute",
            of(text(&made, "LoadbalancerId")),
        )
        .await
}

fn version(said: &str) -> String {
    let known = ["ipv4", "DualStack"];
    let known = known.into_iter().find(|one| one.eq_ignore_ascii_case(said));
    known.unwrap_or(said).to_owned()
}

fn in_words(what: &str, error: SyncError) -> SyncError {
    error.within(what)
}

/// Brings it in line, each setting that is said by itself. What is for life fails, and the rest is done.
pub(super) async fn update(
    cloud: &Cloud,
    wish: &Wish<'_>,
    names: &Names,
    remote: &Value,
    tags: &[(String, String)],
    reused: bool,
) -> Result<(), SyncError> {
    let annotations = wish.annotations;
    let id = text(remote, "LoadBalancerId");
    let mut wrong = Vec::new();
    for (key, member) in [
        ("ip-version", "AddressIpVersion"),
        ("resource-group-id", "ResourceGroupId"),
    ] {
        let (said, is) = (annotations.get(key), text(remote, member));
        if let Some(said) = said.filter(|said| !said.eq_ignore_ascii_case(is)) {
            wrong.push(format!(
                "{member} cannot be changed, service: {said}, nlb: {is}"
            ));
        }
    }
    if let Some(kind) = wish
        .address_type()
        .filter(|kind| kind != text(remote, "AddressType"))
    {
        let args = of(id).with("AddressType", kind);
        let action = "UpdateLoadBalancerAddressTypeConfig";
        wait(cloud, &cloud.nlb(action, args).await?).await?;
    }
    if wish.zones.iter().any(|zone| !is_there(zone, remote)) {
        let args = wish.with_zones(of(id));
        wait(cloud, &cloud.nlb("UpdateLoadBalancerZones", args).await?).await?;
    }
    security_groups(cloud, annotations, remote).await?;
    if let Some(kind) = annotations.get("ipv6-address-type").map(canonical)
        && kind != text(remote, "Ipv6AddressType")
    {
        let action = match kind.as_str() {
            "Internet" => "EnableLoadBalancerIpv6Internet",
            _ => "DisableLoadBalancerIpv6Internet",
        };
        cloud.nlb(action, of(id)).await?;
    }
    bandwidth_package(cloud, annotations, remote).await?;
    additional(cloud, annotations, names, id, tags, reused).await?;
    let name = annotations.get("name");
    let name = name.filter(|name| *name != text(remote, "LoadBalancerName"));
    let cross = annotations
        .get("cross-zone-enabled")
        .map(|flag| flag == "on");
    let is = remote.get("CrossZoneEnabled").and_then(Value::as_bool);
    let cross = cross.filter(|cross| Some(*cross) != is);
    if name.is_some() || cross.is_some() {
        let args = of(id)
            .with_some("LoadBalancerName", name)
            .with_some("CrossZoneEnabled", cross);
        wait(
            cloud,
            &cloud.nlb("UpdateLoadBalancerAttribute", args).await?,
        )
        .await?;
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(SyncError::Said(wrong.join(", "))),
    }
}

/// Whether the load balancer has a zone as it is said. One that it has besides is not noticed.
fn is_there(zone: &Zone<'_>, remote: &Value) -> bool {
    let there = remote.get("ZoneMappings").and_then(Value::as_array);
    let mut there = there.into_iter().flatten();
    let part = |index: usize| zone.get(index).copied().filter(|part| !part.is_empty());
    there.any(|is| {
        let address = is.pointer("/LoadBalancerAddresses/0");
        let same = |index: usize, member: &str| {
            let is = address.map_or("", |address| text(address, member));
            part(index).is_none_or(|said| said == is)
        };
        part(0) == Some(text(is, "ZoneId"))
            && part(1) == Some(text(is, "VSwitchId"))
            && same(2, "PrivateIPv4Address")
            && same(3, "AllocationId")
    })
}

/// A list that is there and empty takes all of them away.
async fn security_groups(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    remote: &Value,
) -> Result<(), SyncError> {
    let Some(said) = annotations.present("security-group-ids") else {
        return Ok(());
    };
    let wanted: Vec<&str> = said.split(',').filter(|id| !id.is_empty()).collect();
    let there = remote.get("SecurityGroupIds").and_then(Value::as_array);
    let there: Vec<&str> = there
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let without = |all: &[&str], others: &[&str]| -> Vec<String> {
        let all = all.iter().filter(|id| !others.contains(id));
        all.map(|id| (*id).to_owned()).collect()
    };
    let changes = [
        ("LoadBalancerJoinSecurityGroup", without(&wanted, &there)),
        ("LoadBalancerLeaveSecurityGroup", without(&there, &wanted)),
    ];
    for (action, ids) in changes {
        if ids.is_empty() {
            continue;
        }
        let mut args = of(text(remote, "LoadBalancerId"));
        for (id, number) in ids.iter().zip(1..) {
            args = args.with(&format!("SecurityGroupIds.{number}"), id);
        }
        wait(cloud, &cloud.nlb(action, args).await?).await?;
    }
    Ok(())
}

async fn bandwidth_package(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    remote: &Value,
) -> Result<(), SyncError> {
    let is = text(remote, "BandwidthPackageId");
    let Some(said) = annotations.present("bandwidth-package-id") else {
        return Ok(());
    };
    let changes = [
        ("DetachCommonBandwidthPackageFromLoadBalancer", is),
        ("AttachCommonBandwidthPackageToLoadBalancer", said),
    ];
    for (action, package) in changes {
        if said != is && !package.is_empty() {
            let args = of(text(remote, "LoadBalancerId")).with("BandwidthPackageId", package);
            wait(cloud, &cloud.nlb(action, args).await?).await?;
        }
    }
    Ok(())
}

/// Gives the tags that are said, and takes every other one away that is not CCM's or the cloud's own. One
/// that is reused is marked, and the mark stays.
async fn additional(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    names: &Names,
    id: &str,
    tags: &[(String, String)],
    reused: bool,
) -> Result<(), SyncError> {
    let mut wanted = additional_tags(annotations);
    let said = !wanted.is_empty();
    if reused {
        wanted.insert(REUSED_KEY.to_owned(), "true".to_owned());
    }
    let is = |key: &str, value: &str| tags.iter().any(|(k, v)| k == key && v == value);
    let new: Vec<_> = wanted
        .iter()
        .filter(|(key, value)| !is(key, value))
        .collect();
    if !new.is_empty() {
        let mut args = Args::default()
            .with("ResourceType", "loadbalancer")
            .with("ResourceId.1", id);
        for ((key, value), number) in new.into_iter().zip(1..) {
            args = args.with(&format!("Tag.{number}.Key"), key);
            args = args.with(&format!("Tag.{number}.Value"), value);
        }
        cloud.nlb("TagResources", args).await?;
    }
    if !said {
        return Ok(());
    }
    let name = names.load_balancer();
    let own = |key: &str, value: &str| {
        (key == TAG_KEY && value == name) || (key == CLUSTER_TAG_KEY && value == names.cluster_id())
    };
    let foreign = tags
        .iter()
        .filter(|(key, value)| {
            !wanted.contains_key(key)
                && !key.starts_with("acs:")
                && key != REUSED_KEY
                && !own(key, value)
        })
        .map(|(key, _)| key.as_str());
    untag(cloud, id, &foreign.collect::<Vec<_>>()).await
}
