//! A load balancer that others made and a Service names by its id.

use k8s_openapi::api::core::v1::Service;
use serde_json::Value;

use super::annotations::Annotations;
use super::attributes::{self, CLUSTER_TAG_KEY, REUSED_KEY, TAG_KEY};
use super::cloud::{Args, Cloud, items, of_balancer, text};
use super::error::SyncError;
use super::model::Names;
use super::service::published_ip;
use super::{groups, listeners};

/// The id that a Service names.
pub(super) fn named(annotations: Annotations<'_>) -> Option<&str> {
    annotations.get("id")
}

/// Whether listeners are made, and taken over. Nothing but this very word is true.
pub(super) fn overrides_listeners(annotations: Annotations<'_>) -> bool {
    annotations.get("force-override-listeners") == Some("true")
}

/// The load balancer that a Service names, or else its own.
pub(super) async fn find(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    names: &Names,
) -> Result<Option<Value>, SyncError> {
    match named(annotations) {
        Some(id) => cloud
            .slb("DescribeLoadBalancerAttribute", of_balancer(id))
            .await
            .map(Some),
        None => attributes::find(cloud, &names.load_balancer()).await,
    }
}

fn has_tag(remote: &Value, key: &str) -> bool {
    let tags = items(remote, "Tags", "Tag").iter();
    tags.map(|tag| text(tag, "TagKey")).any(|tag| tag == key)
}

/// Refuses one that a cloud controller manager made, and one with another address than the Service
/// has published.
pub(super) fn check(service: &Service, remote: &Value) -> Result<(), SyncError> {
    let id = text(remote, "LoadBalancerId");
    let refused = |why: String| {
        Err(SyncError::Apply(format!(
            "alicloud: the loadbalancer {id} can not be reused, {why}"
        )))
    };
    if [TAG_KEY, CLUSTER_TAG_KEY]
        .iter()
        .any(|key| has_tag(remote, key))
    {
        return refused("can not reuse loadbalancer created by kubernetes.".to_owned());
    }
    let eip = Annotations::of(service).get("external-ip-type") == Some("eip");
    let address = text(remote, "Address");
    match published_ip(service).filter(|ip| !eip && *ip != address) {
        Some(ip) => refused(format!(
            "service has been associated with ip [{ip}], cannot be bound to ip [{address}]"
        )),
        None => Ok(()),
    }
}

/// Marks it; the mark stays for ever.
pub(super) async fn mark(cloud: &Cloud, remote: &Value) -> Result<(), SyncError> {
    if has_tag(remote, REUSED_KEY) {
        return Ok(());
    }
    let args = Args::default()
        .with("ResourceType", "instance")
        .with("ResourceId.1", text(remote, "LoadBalancerId"))
        .with("Tag.1.Key", REUSED_KEY)
        .with("Tag.1.Value", "true");
    cloud.slb("TagResources", args).await.map(drop)
}

/// Leaves it: with its own server groups go, if they were made, its own listeners. The comparison of
/// attributes runs here too, without a setting to compare with, so an IPv6 one is never left.
pub(super) async fn leave(
    cloud: &Cloud,
    id: &str,
    annotations: Annotations<'_>,
    names: &Names,
) -> Result<(), SyncError> {
    let remote = match cloud
        .slb("DescribeLoadBalancerAttribute", of_balancer(id))
        .await
    {
        Err(SyncError::Cloud { message, .. })
            if message.contains("LoadBalancerId does not exist") =>
        {
            return Ok(());
        }
        other => other?,
    };
    if text(&remote, "AddressIPVersion") == "ipv6" {
        return Err(SyncError::Apply(
            "update lb attribute error: alicloud: can not change LoadBalancer AddressIPVersion once created"
                .to_owned(),
        ));
    }
    mark(cloud, &remote).await?;
    let own = groups::own(cloud, names, id).await?;
    if overrides_listeners(annotations) {
        let known = listeners::describe(cloud, id).await?;
        listeners::apply(cloud, names, id, &[], &known, &own).await?;
    }
    groups::delete_unused(cloud, &groups::Wanted::new(), &own).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(ip: &str) -> Service {
        serde_json::from_value(json!({
            "metadata": {"name": "s", "namespace": "n"},
            "status": {"loadBalancer": {"ingress": [{"ip": ip}]}},
        }))
        .expect("a Service")
    }

    #[test]
    fn only_one_that_is_free_and_has_the_same_address_is_taken() {
        let remote = json!({"LoadBalancerId": "lb-1", "Address": "203.0.113.1"});
        assert!(check(&Service::default(), &remote).is_ok());
        assert!(check(&service("203.0.113.1"), &remote).is_ok());
        let refusal = check(&service("203.0.113.2"), &remote).expect_err("moved");
        assert!(refusal.to_string().ends_with(
            "can not be reused, service has been associated with ip [203.0.113.2], cannot be bound to ip [203.0.113.1]"
        ));
        let made = json!({"LoadBalancerId": "lb-1", "Tags": {"Tag": [{"TagKey": TAG_KEY, "TagValue": "x"}]}});
        let refusal = check(&Service::default(), &made).expect_err("another's");
        assert_eq!(
            refusal.to_string(),
            "apply model error: alicloud: the loadbalancer lb-1 can not be reused, can not reuse loadbalancer created by kubernetes."
        );
    }
}
