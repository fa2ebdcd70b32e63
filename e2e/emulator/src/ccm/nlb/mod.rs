//! Network load balancers: what CCM's `pkg/controller/service/nlbv2` does. A security group of its own
//! for `loadBalancerSourceRanges`, and `vgroup-port`, are not played.

mod balancer;
mod groups;
mod listeners;
mod model;

use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::annotations::Annotations;
use super::attributes::{CLUSTER_TAG_KEY, TAG_KEY};
use super::cloud::{Args, Cloud, text};
use super::ensure::Pass;
use super::error::SyncError;
use super::hash::service_hash;
use super::model::Names;
use super::service::{HASH_LABEL, label, published_host};
use super::{cleanup, reuse};

/// Brings the load balancer in line with the Service, which has the finalizer already.
pub(super) async fn ensure(
    pass: &Pass<'_>,
    service: &Service,
    names: &Names,
    seen_id: &mut String,
) -> Result<(), SyncError> {
    let annotations = Annotations::of(service);
    let wish = balancer::Wish::of(annotations)?;
    let ports = model::ports(service, names, pass.backends)?;
    let wanted = groups::wanted(pass, service, &ports)?;
    let hash = service_hash(service);
    let moved = label(service, HASH_LABEL) != Some(hash.as_str());
    let cloud = pass.cloud;
    let remote = match balancer::find(cloud, annotations, names).await? {
        Some(remote) => remote,
        None if !moved => {
            let name = names.load_balancer();
            return Err(SyncError::Apply(format!(
                "alicloud: can not find loadbalancer by tag [{TAG_KEY}:{name}]"
            )));
        }
        None => make(cloud, service, names, &wish).await?,
    };
    text(&remote, "LoadBalancerId").clone_into(seen_id);
    let tags = balancer::tags(cloud, seen_id).await?;
    let reused = reuse::named(annotations).is_some();
    if moved && reused {
        check_reusable(service, &remote, &tags)?;
    }
    // Backends and listeners follow the Service even when the load balancer itself cannot.
    let attributes = match moved {
        true => balancer::update(cloud, &wish, names, &remote, &tags, reused).await,
        false => Ok(()),
    };
    let known = groups::own(cloud, names).await?;
    let vpc = text(&remote, "VpcId");
    let ids = groups::apply(cloud, names, vpc, &wanted, &known).await?;
    let manages = !reused || reuse::overrides_listeners(annotations);
    if moved && manages {
        let there = listeners::list(cloud, seen_id).await?;
        listeners::apply(cloud, names, seen_id, &ports, &there, &ids).await?;
    }
    if moved {
        groups::delete_unused(cloud, &wanted, &known).await?;
    }
    attributes.map_err(|error| match error {
        SyncError::Apply(why) => SyncError::Apply(format!("update nlb attribute error: {why}")),
        other => other,
    })?;
    pass.writer.write_labels(service, &hash, seen_id).await?;
    let ingress = json!([{"hostname": text(&remote, "DNSName")}]);
    pass.writer.write_ingress(service, &ingress).await
}

async fn make(
    cloud: &Cloud,
    service: &Service,
    names: &Names,
    wish: &balancer::Wish<'_>,
) -> Result<Value, SyncError> {
    if published_host(service).is_some() {
        // CCM prints the address of the ingress, and one of this kind has none.
        return Err(SyncError::Apply(
            "alicloud: can not find loadbalancer, but it's defined in service [] \
             this may happen when you delete the loadbalancer"
                .to_owned(),
        ));
    }
    balancer::create(cloud, wish, names).await
}

/// Refuses one that a cloud controller manager made, and one with another host name than the Service has
/// published.
fn check_reusable(
    service: &Service,
    remote: &Value,
    tags: &[(String, String)],
) -> Result<(), SyncError> {
    let id = text(remote, "LoadBalancerId");
    let refused = |why: String| {
        Err(SyncError::Apply(format!(
            "update nlb attribute error: the loadbalancer {id} can not be reused, {why}"
        )))
    };
    if tags
        .iter()
        .any(|(key, _)| [TAG_KEY, CLUSTER_TAG_KEY].contains(&key.as_str()))
    {
        return refused("can not reuse loadbalancer created by kubernetes.".to_owned());
    }
    let host = text(remote, "DNSName");
    match published_host(service).filter(|published| *published != host) {
        Some(published) => refused(format!(
            "service has been associated with dnsname [{published}], cannot be bound to dnsname [{host}]"
        )),
        None => Ok(()),
    }
}

/// Deletes the load balancer of a Service that goes, preserves it, or leaves one that others made.
pub(super) async fn take_down(
    cloud: &Cloud,
    service: &Service,
    names: &Names,
) -> Result<(), SyncError> {
    let annotations = Annotations::of(service);
    let Some(remote) = balancer::find(cloud, annotations, names).await? else {
        return groups::delete_all(cloud, names).await;
    };
    let id = text(&remote, "LoadBalancerId");
    let reused = reuse::named(annotations).is_some();
    if !reused || reuse::overrides_listeners(annotations) {
        let there = listeners::list(cloud, id).await?;
        if reused || cleanup::preserves(annotations) {
            listeners::apply(cloud, names, id, &[], &there, &Default::default()).await?;
        }
    }
    if reused {
        return groups::delete_all(cloud, names).await;
    }
    let unprotected = Args::default()
        .with("LoadBalancerId", id)
        .with("DeletionProtectionEnabled", false);
    if cleanup::preserves(annotations) {
        let unprotected = unprotected.with("ModificationProtectionStatus", "NonProtection");
        cloud
            .nlb("UpdateLoadBalancerProtection", unprotected)
            .await?;
        balancer::untag(cloud, id, &[TAG_KEY, CLUSTER_TAG_KEY]).await?;
        return groups::delete_all(cloud, names).await;
    }
    cloud
        .nlb("UpdateLoadBalancerProtection", unprotected)
        .await?;
    let args = Args::default().with("LoadBalancerId", id);
    wait(cloud, &cloud.nlb("DeleteLoadBalancer", args).await?).await?;
    groups::delete_all(cloud, names).await
}

/// Waits until the job of an answer is through, about as long as CCM does.
async fn wait(cloud: &Cloud, answer: &Value) -> Result<(), SyncError> {
    const ATTEMPTS: usize = 1_800;
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
    let job = text(answer, "JobId");
    for _ in 0..ATTEMPTS {
        let args = Args::default().with("JobId", job);
        let answer = cloud.nlb("GetJobStatus", args).await?;
        if text(&answer, "Status") == "Succeeded" {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(SyncError::Apply(format!("job {job} does not end")))
}
