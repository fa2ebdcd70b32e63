//! What becomes of the load balancer of a Service that goes, or no longer wants one.

use serde_json::Value;

use super::annotations::Annotations;
use super::attributes::{CLUSTER_TAG_KEY, TAG_KEY, Tags, untag};
use super::cloud::{Cloud, of_balancer, text};
use super::error::{SyncError, Within};
use super::model::Names;

/// Any value counts, `false` included.
pub(super) fn preserves(annotations: Annotations<'_>) -> bool {
    annotations.get("preserve-lb-on-delete").is_some()
}

async fn unprotect(cloud: &Cloud, names: &Names, remote: &Value) -> Result<(), SyncError> {
    if text(remote, "DeleteProtection") != "on" {
        return Ok(());
    }
    let id = text(remote, "LoadBalancerId");
    let args = of_balancer(id).with("DeleteProtection", "off");
    let what = format!(
        "error to set slb id [{id}] delete protection off, svc [{}], err",
        names.service()
    );
    let done = cloud.slb("SetLoadBalancerDeleteProtection", args).await;
    done.map(drop).within(&what)
}

/// Deletes it.
pub(super) async fn delete(cloud: &Cloud, names: &Names, remote: &Value) -> Result<(), SyncError> {
    unprotect(cloud, names, remote).await?;
    let args = of_balancer(text(remote, "LoadBalancerId"));
    cloud.slb("DeleteLoadBalancer", args).await.map(drop)
}

/// Takes protections and CCM's own tags off one that is preserved.
pub(super) async fn release(
    cloud: &Cloud,
    names: &Names,
    remote: &Value,
    tags: &Tags,
) -> Result<(), SyncError> {
    let id = text(remote, "LoadBalancerId");
    let off = format!("set loadbalancer [{id}] protections off error");
    unprotect(cloud, names, remote).await.within(&off)?;
    if text(remote, "ModificationProtectionStatus") == "ConsoleProtection" {
        let args = of_balancer(id).with("ModificationProtectionStatus", "NonProtection");
        let action = "SetLoadBalancerModificationProtection";
        cloud.slb(action, args).await.within(&off)?;
    }
    let name = names.load_balancer();
    let defaults = [
        (TAG_KEY, name.as_str()),
        (CLUSTER_TAG_KEY, names.cluster_id()),
    ];
    let is_own = |(key, value): &&(String, String)| defaults.contains(&(key, value));
    let own: Vec<&str> = tags
        .iter()
        .filter(is_own)
        .map(|(key, _)| key.as_str())
        .collect();
    untag(cloud, id, &own)
        .await
        .within(&format!("cleanup loadbalancer [{id}] tags error"))
}
