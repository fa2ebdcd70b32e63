//! Settings of the load balancer itself: what an edit changes, and what it cannot.

use std::collections::BTreeMap;

use serde_json::Value;

use super::annotations::Annotations;
use super::cloud::{Args, Cloud, items, of_balancer, text};
use super::error::{SyncError, all};
use super::model::Names;

pub(super) const TAG_KEY: &str = "kubernetes.do.not.delete";
pub(super) const CLUSTER_TAG_KEY: &str = "ack.aliyun.com";
pub(super) const REUSED_KEY: &str = "kubernetes.reused.by.user";

/// Tags that CCM believes a load balancer can have.
const TAGS_MAX: usize = 10;

/// Tags of a load balancer.
pub(super) type Tags = Vec<(String, String)>;

/// `k1=v1,k2=v2`; of `k=a=b` only `a` is kept, as CCM does.
pub(super) fn additional_tags(annotations: Annotations<'_>) -> BTreeMap<String, String> {
    let pairs = annotations
        .get("additional-resource-tags")
        .into_iter()
        .flat_map(|text| text.trim().split(','));
    pairs
        .filter_map(|pair| {
            let mut parts = pair.trim().split('=');
            let key = parts.next().filter(|key| !key.is_empty())?;
            Some((key.to_owned(), parts.next().unwrap_or_default().to_owned()))
        })
        .collect()
}

/// What cannot be changed: the annotation, the member, and CCM's words, in its order.
const FOR_LIFE: [(&str, &str, &str); 7] = [
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

/// The load balancer as it is, and what the Service says of it: nothing, once it goes.
pub(super) struct Comparison<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) names: &'a Names,
    pub(super) annotations: Annotations<'a>,
    pub(super) bandwidth: i64,
    pub(super) remote: &'a Value,
    pub(super) tags: &'a Tags,
    pub(super) is_going: bool,
}

impl Comparison<'_> {
    fn said(&self, suffix: &str) -> Option<&str> {
        self.annotations.get(suffix).filter(|_| !self.is_going)
    }

    /// A setting that is said and is another.
    fn other(&self, suffix: &str, member: &str) -> Option<&str> {
        self.said(suffix)
            .filter(|wanted| *wanted != text(self.remote, member))
    }

    fn of_it(&self) -> Args {
        of_balancer(text(self.remote, "LoadBalancerId"))
    }

    /// Changes what differs, one after the other whatever came of those before.
    pub(super) async fn apply(&self) -> Result<(), SyncError> {
        let mut errors = Vec::new();
        let mut note = |what: &str, outcome: Result<(), SyncError>| {
            errors.extend(outcome.err().map(|error| match what {
                "" => error,
                what => error.within(what),
            }));
        };
        note("AddTags", self.mark().await);
        for violation in self.violations() {
            note("", Err(SyncError::said(violation)));
        }
        let charge = self.apply_charge().await;
        note("updateInstanceChargeTypeAndInstanceSpec error", charge);
        note(
            "ModifyLoadBalancerInternetSpec",
            self.apply_internet().await,
        );
        for (suffix, member, action) in [
            (
                "delete-protection",
                "DeleteProtection",
                "SetLoadBalancerDeleteProtection",
            ),
            (
                "modification-protection",
                "ModificationProtectionStatus",
                "SetLoadBalancerModificationProtection",
            ),
            ("name", "LoadBalancerName", "SetLoadBalancerName"),
        ] {
            if let Some(value) = self.other(suffix, member) {
                let args = self.of_it().with(member, value);
                note(action, self.cloud.slb(action, args).await.map(drop));
            }
        }
        note("", self.apply_tags().await);
        all(errors)
    }

    /// The tag by which it is found again; one that others made is marked for ever.
    async fn mark(&self) -> Result<(), SyncError> {
        let name = self.names.load_balancer();
        let (key, value) = match self.annotations.names_balancer() {
            true => (REUSED_KEY, "true"),
            false => (TAG_KEY, name.as_str()),
        };
        if self.tags.iter().any(|(known, _)| known == key) || self.tags.len() >= TAGS_MAX {
            return Ok(());
        }
        self.tag(&[(key.to_owned(), value.to_owned())]).await
    }

    fn violations(&self) -> impl Iterator<Item = &'static str> {
        let is_other = |suffix: &str, member: &str| {
            let is = text(self.remote, member);
            match (suffix, self.said(suffix)) {
                ("ip-version", said) => {
                    let known = |version: &str| version.is_empty() || version == "ipv4";
                    let said = said.unwrap_or_default();
                    said != is && !(known(said) && known(is))
                }
                (_, said) => said.is_some_and(|said| said != is),
            }
        };
        let violated = FOR_LIFE
            .into_iter()
            .filter(|(suffix, member, _)| is_other(suffix, member));
        let words: Vec<_> = violated.map(|(_, _, words)| words).collect();
        words.into_iter()
    }

    async fn apply_charge(&self) -> Result<(), SyncError> {
        let current = text(self.remote, "InstanceChargeType");
        let wanted = self.said("instance-charge-type").unwrap_or(current);
        let spec = self.said("spec");
        if wanted != current {
            let by_spec = wanted.eq_ignore_ascii_case("PayBySpec");
            let spec = by_spec.then(|| spec.unwrap_or("slb.s1.small"));
            let args = self
                .of_it()
                .with("InstanceChargeType", wanted)
                .with_some("LoadBalancerSpec", spec);
            let action = "ModifyLoadBalancerInstanceChargeType";
            return self.cloud.slb(action, args).await.map(drop);
        }
        match self.other("spec", "LoadBalancerSpec") {
            Some(spec) if wanted.eq_ignore_ascii_case("PayBySpec") => {
                let args = self.of_it().with("LoadBalancerSpec", spec);
                let action = "ModifyLoadBalancerInstanceSpec";
                self.cloud.slb(action, args).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    async fn apply_internet(&self) -> Result<(), SyncError> {
        // Lists have a number there, and the word beside it.
        let current = match text(self.remote, "InternetChargeTypeAlias") {
            "" => text(self.remote, "InternetChargeType"),
            alias => alias,
        };
        let said = self.said("charge-type");
        let bandwidth = self.remote.get("Bandwidth").and_then(Value::as_i64);
        let bandwidth = bandwidth.unwrap_or_default();
        let wanted = match said {
            Some("paybybandwidth") if self.bandwidth != 0 => self.bandwidth,
            _ => bandwidth,
        };
        let charge = said.unwrap_or(current);
        let is_same = charge == current && wanted == bandwidth;
        if is_same || text(self.remote, "AddressType") != "internet" {
            return Ok(());
        }
        let args = self
            .of_it()
            .with("InternetChargeType", charge)
            .with("Bandwidth", wanted);
        let action = "ModifyLoadBalancerInternetSpec";
        self.cloud.slb(action, args).await.map(drop)
    }

    /// With the annotation set, every tag goes that is neither annotated nor one of CCM's or the
    /// cloud's own.
    async fn apply_tags(&self) -> Result<(), SyncError> {
        let said = match self.is_going {
            true => BTreeMap::new(),
            false => additional_tags(self.annotations),
        };
        if said.is_empty() {
            return Ok(());
        }
        let reused = self.annotations.names_balancer();
        let is_own = |key: &str| {
            key.starts_with("acs:")
                || [TAG_KEY, CLUSTER_TAG_KEY].contains(&key)
                || (reused && key == REUSED_KEY)
        };
        let is = |key: &str, value: &str| self.tags.iter().any(|(k, v)| k == key && v == value);
        let missing: Tags = said
            .iter()
            .filter(|(key, value)| !is_own(key) && !is(key, value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !missing.is_empty() {
            self.tag(&missing).await?;
        }
        let foreign = self.tags.iter().map(|(key, _)| key.as_str());
        let foreign = foreign
            .filter(|key| !is_own(key) && !said.keys().any(|said| said == key && !is_own(said)));
        let foreign: Vec<&str> = foreign.collect();
        match foreign.is_empty() {
            true => Ok(()),
            false => untag(self.cloud, text(self.remote, "LoadBalancerId"), &foreign).await,
        }
    }

    async fn tag(&self, tags: &[(String, String)]) -> Result<(), SyncError> {
        let mut args = of_instance(text(self.remote, "LoadBalancerId"));
        for ((key, value), number) in tags.iter().zip(1..) {
            args = args.with(&format!("Tag.{number}.Key"), key);
            if !value.is_empty() {
                args = args.with(&format!("Tag.{number}.Value"), value);
            }
        }
        self.cloud.slb("TagResources", args).await.map(drop)
    }
}

/// Parameters that name a load balancer whose tags it is about.
pub(super) fn of_instance(id: &str) -> Args {
    Args::default()
        .with("ResourceType", "instance")
        .with("ResourceId.1", id)
}

/// Takes tags off a load balancer.
pub(super) async fn untag(cloud: &Cloud, id: &str, keys: &[&str]) -> Result<(), SyncError> {
    let mut args = of_instance(id);
    for (key, number) in keys.iter().zip(1..) {
        args = args.with(&format!("TagKey.{number}"), key);
    }
    cloud.slb("UntagResources", args).await.map(drop)
}

/// The one load balancer in an answer.
fn only(answer: &Value, names: &Names, by: &str) -> Result<Option<Value>, SyncError> {
    match items(answer, "LoadBalancers", "LoadBalancer") {
        [] => Ok(None),
        [single] => Ok(Some(single.clone())),
        several => {
            let ids: Vec<&str> = several
                .iter()
                .map(|one| text(one, "LoadBalancerId"))
                .collect();
            let (service, ids) = (names.service(), ids.join(","));
            Err(SyncError::said(format!(
                "[{service}] find multiple loadbalances by {by}, lbIds[{ids}]"
            )))
        }
    }
}

/// The load balancer by the Service's tag, else by its default name.
pub(super) async fn find(cloud: &Cloud, names: &Names) -> Result<Option<Value>, SyncError> {
    let name = names.load_balancer();
    let tags = format!(r#"[{{"TagValue":"{name}","TagKey":"{TAG_KEY}"}}]"#);
    let by_tag = Args::default().with("Tags", tags);
    let answer = cloud.slb("DescribeLoadBalancers", by_tag).await?;
    if let Some(found) = only(&answer, names, "tag")? {
        return Ok(Some(found));
    }
    let by_name = Args::default().with("LoadBalancerName", name);
    let answer = cloud.slb("DescribeLoadBalancers", by_name).await?;
    only(&answer, names, "name")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;

    use super::*;

    #[test]
    fn tags_are_read_as_ccm_reads_them() {
        let key = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-additional-resource-tags";
        let mut service = Service::default();
        let said = "a=1,b=,c=x=y,d, e=2";
        service.metadata.annotations = Some([(key.to_owned(), said.to_owned())].into());
        let tags = additional_tags(Annotations::of(&service));
        let tags: Vec<_> = tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            tags,
            [("a", "1"), ("b", ""), ("c", "x"), ("d", ""), ("e", "2")]
        );
    }
}
