//! The load balancer of an AlbConfig: made, adopted, brought in line, deleted.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::names;
use super::tracking::{Stack, tag, tag_args};
use crate::ccm::{Args, items, text};

/// The resource id of every load balancer.
const RESOURCE: &str = "ApplicationLoadBalancer";

/// A load balancer in the cloud.
#[derive(Debug, Clone)]
pub(super) struct Balancer {
    pub(super) id: String,
    pub(super) dns_name: String,
}

impl Balancer {
    fn of(shown: &Value) -> Self {
        Self {
            id: text(shown, "LoadBalancerId").to_owned(),
            dns_name: text(shown, "DNSName").to_owned(),
        }
    }
}

/// `spec.config` of an AlbConfig.
pub(super) struct Config<'a>(pub(super) &'a Value);

impl Config<'_> {
    fn text(&self, name: &str) -> &str {
        text(self.0, name)
    }

    fn or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        match self.text(name) {
            "" => default,
            text => text,
        }
    }

    fn list(&self, name: &str) -> &[Value] {
        let list = self.0.get(name).and_then(Value::as_array);
        list.map_or(&[], Vec::as_slice)
    }

    /// Whether it names a load balancer that somebody else made.
    pub(super) fn reuses(&self) -> bool {
        !self.text("id").is_empty()
    }

    /// Whether a load balancer that is reused stays as it is.
    fn leaves_alone(&self) -> bool {
        let forced = self.0.get("forceOverride").and_then(Value::as_bool);
        self.reuses() && forced != Some(true)
    }

    /// Whether listeners of others on it stay as they are.
    pub(super) fn leaves_listeners_alone(&self) -> bool {
        let forced = self.0.get("listenerForceOverride").and_then(Value::as_bool);
        self.leaves_alone() && forced != Some(true)
    }
}

async fn found(stack: &Stack<'_>) -> Result<Vec<Value>, Failure> {
    let args = tag_args(stack.tags());
    let mut found = stack
        .list("ListLoadBalancers", args, "LoadBalancers")
        .await?;
    found.retain(|shown| tag(shown, names::RESOURCE_TAG) == RESOURCE);
    // The list does not show all of it.
    let mut whole = Vec::new();
    for shown in &found {
        whole.push(attribute(stack, text(shown, "LoadBalancerId")).await?);
    }
    Ok(whole)
}

/// Makes the load balancer or brings it in line. `known` is the id in the status of the AlbConfig.
pub(super) async fn apply(
    stack: &Stack<'_>,
    config: &Config<'_>,
    zones: Args,
    known: &str,
) -> Result<Balancer, Failure> {
    let found = found(stack).await?;
    match found.as_slice() {
        [] if !known.is_empty() => Err(Failure::Apply(format!(
            "ALB loadBalancer : {known} has been deleted on the console , please delete related albconfig first"
        ))),
        [] if config.reuses() => adopt(stack, config).await,
        [] => create(stack, config, zones).await,
        [shown] => {
            if !config.leaves_alone() {
                update(stack, config, shown).await?;
            }
            Ok(Balancer::of(shown))
        }
        _ => Err(Failure::Apply(
            "invalid sdk loadBalancers, at most one loadBalancer can find by stack tag, must delete manually"
                .to_owned(),
        )),
    }
}

fn name(stack: &Stack<'_>, config: &Config<'_>) -> String {
    if !config.text("name").is_empty() {
        return config.text("name").to_owned();
    }
    let group = format!("{}/{}", names::GROUP_NAMESPACE, stack.albconfig);
    let digest = hex::encode(Sha256::digest(format!("{}{group}", stack.cluster_id)));
    let plain =
        |text: &str| -> String { text.chars().filter(char::is_ascii_alphanumeric).collect() };
    let digest: String = digest.chars().take(10).collect();
    let (namespace, albconfig) = (plain(names::GROUP_NAMESPACE), plain(stack.albconfig));
    format!("k8s-{namespace}-{albconfig}-{digest}")
}

/// The zones, as parameters; looked up at every pass, before all else.
pub(super) async fn zones(stack: &Stack<'_>, config: &Config<'_>) -> Result<Args, Failure> {
    if config.reuses() {
        return Ok(Args::default());
    }
    let vpc = &stack.cloud.config.vpc_id;
    let args = Args::default().with("VpcId", vpc).with("PageSize", 50);
    let answer = stack.cloud.vpc("DescribeVSwitches", args).await?;
    let vswitches = items(&answer, "VSwitches", "VSwitch");
    let wanted = config.list("zoneMappings").iter();
    let wanted: Vec<&str> = wanted.map(|zone| text(zone, "vSwitchId")).collect();
    let mut picked: Vec<&Value> = Vec::new();
    if wanted.is_empty() {
        for vswitch in vswitches {
            let zone = text(vswitch, "ZoneId");
            if !picked.iter().any(|other| text(other, "ZoneId") == zone) {
                picked.push(vswitch);
            }
        }
    }
    // One that is not in the VPC is passed over; the cloud then misses a zone.
    for id in wanted {
        let mut known = vswitches.iter();
        picked.extend(known.find(|vswitch| text(vswitch, "VSwitchId") == id));
    }
    Ok(picked
        .iter()
        .zip(1..)
        .fold(Args::default(), |args, (vswitch, number)| {
            args.with(
                &format!("ZoneMappings.{number}.VSwitchId"),
                text(vswitch, "VSwitchId"),
            )
            .with(
                &format!("ZoneMappings.{number}.ZoneId"),
                text(vswitch, "ZoneId"),
            )
        }))
}

async fn create(stack: &Stack<'_>, config: &Config<'_>, zones: Args) -> Result<Balancer, Failure> {
    let mut args = zones
        .with("VpcId", &stack.cloud.config.vpc_id)
        .with("AddressType", config.or("addressType", "Internet"))
        .with("AddressIpVersion", config.or("addressIpVersion", "IPv4"))
        .with(
            "AddressAllocatedMode",
            config.or("addressAllocatedMode", "Dynamic"),
        )
        .with("LoadBalancerName", name(stack, config))
        .with("LoadBalancerEdition", config.or("edition", "Standard"))
        .with("LoadBalancerBillingConfig.PayType", "PostPay")
        // Whatever the AlbConfig says.
        .with("DeletionProtectionEnabled", true)
        .with("ModificationProtectionConfig.Status", "ConsoleProtection");
    if !config.text("resourceGroupId").is_empty() {
        args = args.with("ResourceGroupId", config.text("resourceGroupId"));
    }
    let made = stack.cloud.alb("CreateLoadBalancer", args).await?;
    let id = text(&made, "LoadBalancerId").to_owned();
    let mut shown = Value::Null;
    for _ in 0..10 {
        stack.wait(2).await;
        shown = attribute(stack, &id).await?;
        if text(&shown, "LoadBalancerStatus") == "Active" {
            break;
        }
    }
    let mut tags = own_tags(stack);
    let custom = custom_tags(config);
    tags.extend(
        custom
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone())),
    );
    let args = tag_args(tags)
        .with("ResourceType", "LoadBalancer")
        .with("ResourceId.1", &id);
    if let Err(error) = stack.cloud.alb("TagResources", args).await {
        // Without tags nobody would find it again.
        remove(stack, &id).await?;
        return Err(error.into());
    }
    if let Some((project, store)) = access_log(config) {
        enable_log(stack, &id, project, store).await?;
    }
    Ok(Balancer::of(&shown))
}

fn own_tags<'a>(stack: &Stack<'_>) -> Vec<(&'a str, String)> {
    let mut tags = stack.tags();
    tags.push((names::RESOURCE_TAG, RESOURCE.to_owned()));
    tags
}

fn custom_tags(config: &Config<'_>) -> Vec<(String, String)> {
    let tags = config.list("tags").iter();
    tags.map(|tag| (text(tag, "key").to_owned(), text(tag, "value").to_owned()))
        .collect()
}

fn access_log<'a>(config: &'a Config<'_>) -> Option<(&'a str, &'a str)> {
    let log = config.0.get("accessLogConfig")?;
    let (project, store) = (text(log, "logProject"), text(log, "logStore"));
    (!project.is_empty() && !store.is_empty()).then_some((project, store))
}

async fn enable_log(
    stack: &Stack<'_>,
    id: &str,
    project: &str,
    store: &str,
) -> Result<(), Failure> {
    let args = Args::default()
        .with("LoadBalancerId", id)
        .with("LogProject", project)
        .with("LogStore", store);
    let busy = ["IncorrectStatus.LoadBalancer"];
    stack
        .retried("EnableLoadBalancerAccessLog", args, &busy)
        .await?;
    Ok(())
}

async fn attribute(stack: &Stack<'_>, id: &str) -> Result<Value, Failure> {
    let args = Args::default().with("LoadBalancerId", id);
    Ok(stack.cloud.alb("GetLoadBalancerAttribute", args).await?)
}

async fn adopt(stack: &Stack<'_>, config: &Config<'_>) -> Result<Balancer, Failure> {
    let id = config.text("id");
    let shown = attribute(stack, id).await?;
    if text(&shown, "LoadBalancerEdition") == "Basic" {
        return Err(Failure::Apply(
            "LoadBalancer Edition: Basic can't use for ingress controller".to_owned(),
        ));
    }
    check_owner(stack, &shown, id)?;
    let args = tag_args(own_tags(stack))
        .with("ResourceType", "LoadBalancer")
        .with("ResourceId.1", id);
    stack.cloud.alb("TagResources", args).await?;
    if !config.leaves_alone() {
        update(stack, config, &shown).await?;
    }
    Ok(Balancer::of(&shown))
}

/// A load balancer of another VPC, cluster or AlbConfig is not taken over.
fn check_owner(stack: &Stack<'_>, shown: &Value, id: &str) -> Result<(), Failure> {
    let (there, own) = (text(shown, "VpcId"), &stack.cloud.config.vpc_id);
    if there != own {
        return Err(Failure::Apply(format!(
            "the vpc {there} of reused alb {id} is not same with cluster vpc {own}"
        )));
    }
    let belongs_elsewhere = |what: &str, key: &str, own: &str| {
        let there = tag(shown, key);
        let elsewhere = !there.is_empty() && there != own;
        elsewhere.then(|| {
            Failure::Apply(format!(
                "alb {id} belongs to {what}: {there}, cant reuse alb to another {what}: {own}"
            ))
        })
    };
    if let Some(failure) = belongs_elsewhere("cluster", names::CLUSTER_TAG, stack.cluster_id) {
        return Err(failure);
    }
    let albconfig = format!("{}/{}", names::GROUP_NAMESPACE, stack.albconfig);
    // Of a load balancer without the tag of a cluster the other tag is not looked at.
    if tag(shown, names::CLUSTER_TAG).is_empty() {
        return Ok(());
    }
    match belongs_elsewhere("albconfig", names::ALBCONFIG_TAG, &albconfig) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

async fn update(stack: &Stack<'_>, config: &Config<'_>, shown: &Value) -> Result<(), Failure> {
    let id = text(shown, "LoadBalancerId");
    let of_id = || Args::default().with("LoadBalancerId", id);
    let busy = ["IncorrectStatus.LoadBalancer"];
    let name = name(stack, config);
    let protection = text(&shown["ModificationProtectionConfig"], "Status");
    let mut args = of_id();
    if text(shown, "LoadBalancerName") != name {
        args = args.with("LoadBalancerName", &name);
    }
    if protection != "ConsoleProtection" {
        args = args.with("ModificationProtectionConfig.Status", "ConsoleProtection");
    }
    if text(shown, "LoadBalancerName") != name || protection != "ConsoleProtection" {
        stack
            .retried("UpdateLoadBalancerAttribute", args, &busy)
            .await?;
    }
    if shown["DeletionProtectionConfig"]["Enabled"] != true {
        let args = Args::default().with("ResourceId", id);
        stack
            .retried("EnableDeletionProtection", args, &busy)
            .await?;
    }
    let log = &shown["AccessLogConfig"];
    let there = (text(log, "LogProject"), text(log, "LogStore"));
    if let Some((project, store)) = access_log(config)
        && there != (project, store)
    {
        if there != ("", "") {
            stack
                .retried("DisableLoadBalancerAccessLog", of_id(), &busy)
                .await?;
        }
        enable_log(stack, id, project, store).await?;
    }
    let edition = config.or("edition", "Standard");
    if text(shown, "LoadBalancerEdition") != edition {
        let args = of_id().with("LoadBalancerEdition", edition);
        stack
            .retried("UpdateLoadBalancerEdition", args, &busy)
            .await?;
    }
    retag(stack, config, id, shown).await?;
    let group = config.text("resourceGroupId");
    if !group.is_empty() && text(shown, "ResourceGroupId") != group {
        let args = Args::default()
            .with("ResourceId", id)
            .with("ResourceType", "loadbalancer")
            .with("NewResourceGroupId", group);
        stack.cloud.alb("MoveResourceGroup", args).await?;
    }
    Ok(())
}

/// Tags of an AlbConfig that has any are all there are beside the controller's own.
async fn retag(
    stack: &Stack<'_>,
    config: &Config<'_>,
    id: &str,
    shown: &Value,
) -> Result<(), Failure> {
    let wanted = custom_tags(config);
    if wanted.is_empty() {
        return Ok(());
    }
    let own = [
        names::ALBCONFIG_TAG,
        names::CLUSTER_TAG,
        names::RESOURCE_TAG,
    ];
    let there = shown.get("Tags").and_then(Value::as_array);
    let there: Vec<&str> = there
        .into_iter()
        .flatten()
        .map(|tag| text(tag, "Key"))
        .filter(|key| !own.contains(key))
        .collect();
    let surplus = there
        .iter()
        .filter(|key| !wanted.iter().any(|(wanted, _)| wanted == *key));
    let surplus: Vec<&str> = surplus.copied().collect();
    if !surplus.is_empty() {
        let tags = surplus.iter().map(|key| (*key, tag(shown, key).to_owned()));
        let args = tag_args(tags)
            .with("ResourceType", "LoadBalancer")
            .with("ResourceId.1", id);
        stack.cloud.alb("UnTagResources", args).await?;
    }
    let missing = wanted
        .iter()
        .filter(|(key, value)| tag(shown, key) != value);
    let missing: Vec<(&str, String)> = missing
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    if !missing.is_empty() {
        let args = tag_args(missing)
            .with("ResourceType", "LoadBalancer")
            .with("ResourceId.1", id);
        stack.cloud.alb("TagResources", args).await?;
    }
    Ok(())
}

/// Deletes the load balancer, or takes the tags off one that somebody else made.
pub(super) async fn delete(stack: &Stack<'_>, config: &Config<'_>) -> Result<(), Failure> {
    for shown in found(stack).await? {
        let id = text(&shown, "LoadBalancerId");
        if config.reuses() {
            give_back(stack, id).await?;
            continue;
        }
        remove(stack, id).await?;
    }
    Ok(())
}

/// Takes the controller's tags off a load balancer that somebody else made.
async fn give_back(stack: &Stack<'_>, id: &str) -> Result<(), Failure> {
    let shown = attribute(stack, id).await?;
    let own = [
        names::ALBCONFIG_TAG,
        names::CLUSTER_TAG,
        names::RESOURCE_TAG,
    ];
    let there = own
        .into_iter()
        .map(|key| (key, tag(&shown, key).to_owned()));
    let args = tag_args(there.filter(|(_, value)| !value.is_empty()))
        .with("ResourceType", "LoadBalancer")
        .with("ResourceId.1", id);
    stack.cloud.alb("UnTagResources", args).await?;
    Ok(())
}

async fn remove(stack: &Stack<'_>, id: &str) -> Result<(), Failure> {
    let shown = attribute(stack, id).await?;
    if shown["DeletionProtectionConfig"]["Enabled"] == true {
        let args = Args::default().with("ResourceId", id);
        stack.cloud.alb("DisableDeletionProtection", args).await?;
    }
    let args = Args::default().with("LoadBalancerId", id);
    let busy = ["IncorrectStatus.LoadBalancer"];
    stack.retried("DeleteLoadBalancer", args, &busy).await?;
    Ok(())
}
