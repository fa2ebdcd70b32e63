//! Taking down the load balancer of a Service that goes, or no longer wants one.

use k8s_openapi::api::core::v1::Service;
use serde_json::Value;

use super::annotations::Annotations;
use super::attributes::{CLUSTER_TAG_KEY, TAG_KEY, find, untag};
use super::cloud::{Args, Cloud, of_balancer, text};
use super::error::SyncError;
use super::model::Names;
use super::{groups, listeners, reuse};

/// Deletes the load balancer, or empties it where the Service asks to preserve it.
pub(super) async fn take_down(
    cloud: &Cloud,
    service: &Service,
    names: &Names,
) -> Result<(), SyncError> {
    let annotations = Annotations::of(service);
    if let Some(id) = reuse::named(annotations) {
        return reuse::leave(cloud, id, annotations, names).await;
    }
    let Some(remote) = find(cloud, &names.load_balancer()).await? else {
        return Ok(());
    };
    let id = text(&remote, "LoadBalancerId");
    if text(&remote, "DeleteProtection") == "on" {
        let args = of_balancer(id).with("DeleteProtection", "off");
        cloud.slb("SetLoadBalancerDeleteProtection", args).await?;
    }
    if preserves(annotations) {
        return release(cloud, names, &remote).await;
    }
    match cloud.slb("DeleteLoadBalancer", of_balancer(id)).await {
        Err(SyncError::Cloud { message, .. })
            if message.contains("LoadBalancerId does not exist") =>
        {
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Any value counts, `false` included.
pub(super) fn preserves(annotations: Annotations<'_>) -> bool {
    annotations.get("preserve-lb-on-delete").is_some()
}

async fn release(cloud: &Cloud, names: &Names, remote: &Value) -> Result<(), SyncError> {
    let id = text(remote, "LoadBalancerId");
    if text(remote, "ModificationProtectionStatus") != "NonProtection" {
        let args = of_balancer(id).with("ModificationProtectionStatus", "NonProtection");
        cloud
            .slb("SetLoadBalancerModificationProtection", args)
            .await?;
    }
    untag(cloud, id, [TAG_KEY, CLUSTER_TAG_KEY].into_iter()).await?;
    let known = listeners::describe(cloud, id).await?;
    let groups = groups::own(cloud, names, id).await?;
    listeners::apply(cloud, names, id, &[], &known, &groups).await?;
    for group in groups.values() {
        cloud
            .slb(
                "DeleteVServerGroup",
                Args::default().with("VServerGroupId", group),
            )
            .await?;
    }
    Ok(())
}
