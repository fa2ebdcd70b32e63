//! Listeners.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::cloud::{Args, Cloud, text};
use super::super::error::SyncError;
use super::super::model::Names;
use super::model::{Port, with};
use super::wait;

/// Those of a load balancer.
pub(super) async fn list(cloud: &Cloud, balancer: &str) -> Result<Vec<Value>, SyncError> {
    let args = Args::default()
        .with("LoadBalancerIds.1", balancer)
        .with("MaxResults", 100);
    let answer = cloud.nlb("ListListeners", args).await?;
    let found = answer.get("Listeners").and_then(Value::as_array);
    Ok(found.cloned().unwrap_or_default())
}

/// Deletes the Service's own that no port has any more, then makes and changes the rest. One of the same
/// port and protocol is taken over, whoever made it.
pub(super) async fn apply(
    cloud: &Cloud,
    names: &Names,
    balancer: &str,
    ports: &[Port],
    there: &[Value],
    groups: &BTreeMap<String, String>,
) -> Result<(), SyncError> {
    for listener in there {
        let own = names.owns_network(text(listener, "ListenerDescription"));
        if own && !ports.iter().any(|port| is(port, listener)) {
            let args = Args::default().with("ListenerId", text(listener, "ListenerId"));
            wait(cloud, &cloud.nlb("DeleteListener", args).await?).await?;
        }
    }
    for port in ports {
        let group = groups.get(&port.group_name).map_or("", String::as_str);
        match there.iter().find(|listener| is(port, listener)) {
            Some(listener) => update(cloud, port, group, listener).await?,
            None => create(cloud, balancer, port, group).await?,
        }
    }
    Ok(())
}

fn is(port: &Port, listener: &Value) -> bool {
    let number = |name: &str| match listener.get(name) {
        Some(Value::String(text)) => text.parse().unwrap_or_default(),
        other => other.and_then(Value::as_i64).unwrap_or_default(),
    };
    let (first, last) = port.range.unwrap_or_default();
    text(listener, "ListenerProtocol") == port.protocol
        && number("ListenerPort") == i64::from(port.number)
        && number("StartPort") == i64::from(first)
        && number("EndPort") == i64::from(last)
}

async fn create(cloud: &Cloud, balancer: &str, port: &Port, group: &str) -> Result<(), SyncError> {
    let (first, last) = port.range.unzip();
    let args = Args::default()
        .with("LoadBalancerId", balancer)
        .with("ListenerPort", port.number)
        .with_some("StartPort", first)
        .with_some("EndPort", last)
        .with("ListenerProtocol", &port.protocol)
        .with("ListenerDescription", &port.description)
        .with("ServerGroupId", group);
    let made = cloud
        .nlb("CreateListener", with(args, &port.listener))
        .await?;
    wait(cloud, &made).await?;
    let ids = port.additional_certificates.as_deref().unwrap_or_default();
    let action = "AssociateAdditionalCertificatesWithListener";
    certificates(cloud, action, text(&made, "ListenerId"), ids).await
}

async fn update(
    cloud: &Cloud,
    port: &Port,
    group: &str,
    listener: &Value,
) -> Result<(), SyncError> {
    let id = text(listener, "ListenerId");
    if text(listener, "ListenerStatus") == "Stopped" {
        let args = Args::default().with("ListenerId", id);
        wait(cloud, &cloud.nlb("StartListener", args).await?).await?;
    }
    let as_said = port.listener.iter().all(|(name, wanted)| {
        let mut is = Some(listener);
        for part in name.split('.') {
            is = is.and_then(|is| match part.parse::<usize>() {
                Ok(number) => is.get(number.saturating_sub(1)),
                Err(_) => is.get(part),
            });
        }
        let shown = is.map(|is| match is {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        shown.as_ref() == Some(wanted)
    });
    if !as_said
        || text(listener, "ListenerDescription") != port.description
        || text(listener, "ServerGroupId") != group
    {
        let args = Args::default()
            .with("ListenerId", id)
            .with("ListenerDescription", &port.description)
            .with("ServerGroupId", group);
        let args = with(args, &port.listener);
        wait(cloud, &cloud.nlb("UpdateListenerAttribute", args).await?).await?;
    }
    let Some(wanted) = &port.additional_certificates else {
        return Ok(());
    };
    let args = Args::default().with("ListenerId", id);
    let answer = cloud.nlb("ListListenerCertificates", args).await?;
    let known = answer.get("Certificates").and_then(Value::as_array);
    let known: Vec<String> = known
        .into_iter()
        .flatten()
        .filter(|one| one.get("IsDefault") != Some(&Value::Bool(true)))
        .map(|one| text(one, "CertificateId").to_owned())
        .collect();
    let without = |all: &[String], others: &[String]| -> Vec<String> {
        let all = all.iter().filter(|id| !others.contains(id));
        all.cloned().collect()
    };
    let (added, gone) = (without(wanted, &known), without(&known, wanted));
    certificates(
        cloud,
        "AssociateAdditionalCertificatesWithListener",
        id,
        &added,
    )
    .await?;
    certificates(
        cloud,
        "DisassociateAdditionalCertificatesWithListener",
        id,
        &gone,
    )
    .await
}

async fn certificates(
    cloud: &Cloud,
    action: &str,
    listener: &str,
    ids: &[String],
) -> Result<(), SyncError> {
    const PER_CALL: usize = 15;
    for batch in ids.chunks(PER_CALL) {
        let mut args = Args::default().with("ListenerId", listener);
        for (id, number) in batch.iter().zip(1..) {
            args = args.with(&format!("AdditionalCertificateIds.{number}"), id);
        }
        wait(cloud, &cloud.nlb(action, args).await?).await?;
    }
    Ok(())
}
