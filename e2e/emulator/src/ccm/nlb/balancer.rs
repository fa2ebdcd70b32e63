//! The load balancer itself.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::annotations::Annotations;
use super::super::attributes::{CLUSTER_TAG_KEY, REUSED_KEY, TAG_KEY, Tags, additional_tags};
use super::super::cloud::{Args, Cloud, text};
use super::super::error::{SyncError, Within, all};
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
    /// That of a Service that goes.
    pub(super) fn none(annotations: Annotations<'a>) -> Self {
        let zones = Vec::new();
        Self { annotations, zones }
    }

    pub(super) fn of(annotations: Annotations<'a>) -> Result<Self, SyncError> {
        let said = annotations.get("zone-maps");
        if said.is_none() && !annotations.names_balancer() {
            return Err(SyncError::said(
                "ParameterMissing, zone mappings are required",
            ));
        }
        let mut zones = Vec::new();
        for one in said.into_iter().flat_map(|said| said.split(',')) {
            let parts: Zone<'_> = one.split(':').collect();
            if parts.len() < 2 {
                return Err(SyncError::said(format!(
                    "ZoneMapping format error, expect [zone-a:vsw-id-1,zone-b:vsw-id-2], got {}",
                    said.unwrap_or_default()
                )));
            }
            zones.push(parts);
        }
        let wish = Self { annotations, zones };
        if let Some(flag) = annotations.get("cross-zone-enabled")
            && wish.cross_zone().is_none()
        {
            return Err(SyncError::said(format!(
                "ParameterInvalid, cross zone enabled flag error: invalid flag {flag:?}, should be \"on\" or \"off\""
            )));
        }
        Ok(wish)
    }

    fn cross_zone(&self) -> Option<bool> {
        let said = self.annotations.get("cross-zone-enabled")?;
        let is = |flag: &str| said.eq_ignore_ascii_case(flag);
        (is("on") || is("off")).then(|| is("on"))
    }

    pub(super) fn is_reused(&self) -> bool {
        self.annotations.names_balancer()
    }

    /// Whether something is said that cannot be given at creation.
    pub(super) fn has_more(&self) -> bool {
        let said = |suffix: &str| self.annotations.get(suffix).is_some();
        said("security-group-ids") || said("ipv6-address-type") || said("cross-zone-enabled")
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

async fn listed(
    cloud: &Cloud,
    names: &Names,
    args: Args,
    by: &str,
) -> Result<Option<Value>, SyncError> {
    let answer = cloud.nlb("ListLoadBalancers", args).await?;
    let found = answer.get("LoadBalancers").and_then(Value::as_array);
    match found.map(Vec::as_slice).unwrap_or_default() {
        [] => Ok(None),
        [one] if text(one, "LoadBalancerStatus") == "Active" => Ok(Some(one.clone())),
        [one] => active(cloud, text(one, "LoadBalancerId")).await.map(Some),
        several => {
            let ids: Vec<&str> = several
                .iter()
                .map(|one| text(one, "LoadBalancerId"))
                .collect();
            Err(SyncError::said(format!(
                "[{}] find multiple loadbalances by {by}, lbIds[{}]",
                names.service(),
                ids.join(",")
            )))
        }
    }
}

/// It, once it is there.
async fn active(cloud: &Cloud, id: &str) -> Result<Value, SyncError> {
    for _ in 0..super::ATTEMPTS {
        let found = cloud.nlb("GetLoadBalancerAttribute", of(id)).await?;
        if text(&found, "LoadBalancerStatus") != "Provisioning" {
            return Ok(found);
        }
        tokio::time::sleep(super::PAUSE).await;
    }
    Err(SyncError::said(format!("nlb {id} is in creating status")))
}

/// The one that is named, else by tag, else by name.
pub(super) async fn find(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    names: &Names,
) -> Result<Option<Value>, SyncError> {
    if let Some(id) = reuse::named(annotations) {
        return active(cloud, id).await.map(Some);
    }
    let name = names.load_balancer();
    let tag = Args::default()
        .with("Tag.1.Key", TAG_KEY)
        .with("Tag.1.Value", &name);
    if let Some(found) = listed(cloud, names, tag, "tag").await? {
        return Ok(Some(found));
    }
    let name = Args::default().with("LoadBalancerNames.1", name);
    listed(cloud, names, name, "name").await
}

/// The tags that a load balancer is described with.
pub(super) fn tags_of(described: &Value) -> Tags {
    tags_in(described, "Tags")
}

fn tags_in(answer: &Value, list: &str) -> Tags {
    let found = answer.get(list).and_then(Value::as_array);
    let tags = found.into_iter().flatten();
    tags.map(|tag| {
        (
            text(tag, "TagKey").to_owned(),
            text(tag, "TagValue").to_owned(),
        )
    })
    .collect()
}

pub(super) async fn tags(cloud: &Cloud, id: &str) -> Result<Tags, SyncError> {
    let args = Args::default()
        .with("ResourceType", "loadbalancer")
        .with("ResourceId.1", id);
    let answer = cloud.nlb("ListTagResources", args).await?;
    Ok(tags_in(&answer, "TagResources"))
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

/// Creates it, and waits until it is there.
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
            wish.address_type().as_deref().unwrap_or("internet"),
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
    let made = cloud.nlb("CreateLoadBalancer", args).await?;
    let id = text(&made, "LoadbalancerId");
    active(cloud, id).await
}

/// Takes protection off, and deletes it.
pub(super) async fn delete(cloud: &Cloud, id: &str) -> Result<(), SyncError> {
    let args = of(id).with("DeletionProtectionEnabled", false);
    let unprotected = cloud.nlb("UpdateLoadBalancerProtection", args).await;
    unprotected.within("disable delete protection error")?;
    let deleted = cloud.nlb("DeleteLoadBalancer", of(id)).await?;
    wait(cloud, &deleted).await
}

/// Takes protections and CCM's own tags off one that is preserved.
pub(super) async fn release(
    cloud: &Cloud,
    names: &Names,
    id: &str,
    tags: &Tags,
) -> Result<(), SyncError> {
    let args = of(id)
        .with("DeletionProtectionEnabled", false)
        .with("ModificationProtectionStatus", "NonProtection");
    let unprotected = cloud.nlb("UpdateLoadBalancerProtection", args).await;
    let what = format!(
        "set loadbalancer [{id}] protections off error: error to set nlb id [{id}] protections off, svc [{}], err",
        names.service()
    );
    unprotected.within(&what)?;
    let name = names.load_balancer();
    let defaults = [
        (TAG_KEY, name.as_str()),
        (CLUSTER_TAG_KEY, names.cluster_id()),
    ];
    let own = tags
        .iter()
        .filter(|(key, value)| defaults.contains(&(key.as_str(), value.as_str())));
    let own: Vec<&str> = own.map(|(key, _)| key.as_str()).collect();
    let untagged = untag(cloud, id, &own).await;
    untagged.within(&format!("cleanup loadbalancer [{id}] tags error"))
}

fn version(said: &str) -> String {
    let known = ["ipv4", "DualStack"];
    let known = known.into_iter().find(|one| one.eq_ignore_ascii_case(said));
    known.unwrap_or(said).to_owned()
}

impl Wish<'_> {
    /// Brings it in line, each setting that is said by itself. What is for life fails, and the rest is
    /// done.
    pub(super) async fn apply(
        &self,
        cloud: &Cloud,
        remote: &Value,
        tags: &Tags,
    ) -> Result<(), SyncError> {
        let annotations = self.annotations;
        let id = text(remote, "LoadBalancerId");
        let mut errors = Vec::new();
        for (said, member) in [
            (
                annotations.get("ip-version").map(version),
                "AddressIpVersion",
            ),
            (
                annotations.get("resource-group-id").map(str::to_owned),
                "ResourceGroupId",
            ),
        ] {
            let is = text(remote, member);
            if let Some(said) = said.filter(|said| !said.eq_ignore_ascii_case(is)) {
                errors.push(SyncError::said(format!(
                    "{member} cannot be changed, service: {said}, nlb: {is}"
                )));
            }
        }
        let mut note = |what: &str, outcome: Result<(), SyncError>| match outcome.err() {
            Some(error) if what.is_empty() => errors.push(error),
            Some(error) => errors.push(error.within(what)),
            None => {}
        };
        let is = text(remote, "AddressType");
        let kind = self.address_type();
        if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case(is)) {
            let args = of(id).with("AddressType", kind);
            let changed = cloud.nlb("UpdateLoadBalancerAddressTypeConfig", args).await;
            note("UpdateNLBAddressType error", changed.map(drop));
        }
        if self.zones.iter().any(|zone| !is_there(zone, remote)) {
            let args = self.with_zones(of(id));
            let changed = cloud.nlb("UpdateLoadBalancerZones", args).await;
            note("update zone mappings error", changed.map(drop));
        }
        let changed = security_groups(cloud, annotations, remote).await;
        note("update security group ids error", changed);
        let is = text(remote, "Ipv6AddressType");
        let kind = annotations.get("ipv6-address-type").map(canonical);
        if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case(is)) {
            let changed = match kind.as_str() {
                "Internet" => cloud.nlb("EnableLoadBalancerIpv6Internet", of(id)).await,
                "Intranet" => cloud.nlb("DisableLoadBalancerIpv6Internet", of(id)).await,
                other => Err(SyncError::said(format!(
                    "invalid ipv6 address type {other}"
                ))),
            };
            note("UpdateNLBIPv6AddressType error", changed.map(drop));
        }
        note("", bandwidth_package(cloud, annotations, remote).await);
        note("", self.apply_tags(cloud, id, tags).await);
        let name = annotations.get("name");
        let is = remote.get("CrossZoneEnabled").and_then(Value::as_bool);
        let cross = self.cross_zone();
        let other_name = name.is_some_and(|name| name != text(remote, "LoadBalancerName"));
        if other_name || cross.is_some_and(|cross| cross != is.unwrap_or_default()) {
            let args = of(id)
                .with_some("LoadBalancerName", name)
                .with_some("CrossZoneEnabled", cross);
            let changed = cloud.nlb("UpdateLoadBalancerAttribute", args).await;
            note("UpdateNLBAttribute error", changed.map(drop));
        }
        all(errors)
    }

    /// Gives the tags that are said, and takes every other one away that is not CCM's or the cloud's
    /// own.
    async fn apply_tags(&self, cloud: &Cloud, id: &str, tags: &Tags) -> Result<(), SyncError> {
        let said = additional_tags(self.annotations);
        if said.is_empty() {
            return Ok(());
        }
        let is_own = |key: &str| {
            key.starts_with("acs:")
                || [TAG_KEY, CLUSTER_TAG_KEY].contains(&key)
                || (self.is_reused() && key == REUSED_KEY)
        };
        let said: BTreeMap<_, _> = said.iter().filter(|(key, _)| !is_own(key)).collect();
        let is = |key: &str, value: &str| tags.iter().any(|(k, v)| k == key && v == value);
        let new = said.iter().filter(|(key, value)| !is(key, value));
        let mut args = Args::default()
            .with("ResourceType", "loadbalancer")
            .with("ResourceId.1", id);
        let mut any = false;
        for ((key, value), number) in new.zip(1..) {
            any = true;
            args = args.with(&format!("Tag.{number}.Key"), key);
            args = args.with(&format!("Tag.{number}.Value"), value);
        }
        if any {
            cloud.nlb("TagResources", args).await?;
        }
        let foreign = tags.iter().map(|(key, _)| key);
        let foreign = foreign.filter(|key| !is_own(key) && !said.contains_key(key));
        let foreign: Vec<&str> = foreign.map(String::as_str).collect();
        untag(cloud, id, &foreign).await
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
            cloud.nlb(action, args).await?;
        }
    }
    Ok(())
}
