//! Listeners: what the annotations ask for, and bringing the remote ones in line.

use std::collections::BTreeMap;

use serde_json::Value;

use super::annotations::Annotations;
use super::certificates;
use super::cloud::{Args, Cloud, of_balancer, text};
use super::error::SyncError;
use super::model::{Names, WantedListener};

/// How an annotation becomes a parameter.
struct Mapping {
    suffix: &'static str,
    parameter: &'static str,
    number: bool,
    protocols: &'static [&'static str],
}

const fn map(
    suffix: &'static str,
    parameter: &'static str,
    number: bool,
    protocols: &'static [&'static str],
) -> Mapping {
    Mapping {
        suffix,
        parameter,
        number,
        protocols,
    }
}

const ALL: &[&str] = &["tcp", "udp", "http", "https"];
const L4: &[&str] = &["tcp", "udp"];
const L7: &[&str] = &["http", "https"];
const NOT_UDP: &[&str] = &["tcp", "http", "https"];

const MAPPINGS: &[Mapping] = &[
    map("scheduler", "Scheduler", false, ALL),
    map("persistence-timeout", "PersistenceTimeout", true, &["tcp"]),
    map("established-timeout", "EstablishedTimeout", true, &["tcp"]),
    map("idle-timeout", "IdleTimeout", true, L7),
    map("request-timeout", "RequestTimeout", true, L7),
    map("sticky-session", "StickySession", false, L7),
    map("sticky-session-type", "StickySessionType", false, L7),
    map("cookie-timeout", "CookieTimeout", true, L7),
    map("cookie", "Cookie", false, L7),
    map("connection-drain", "ConnectionDrain", false, L4),
    map(
        "connection-drain-timeout",
        "ConnectionDrainTimeout",
        true,
        L4,
    ),
    map("acl-status", "AclStatus", false, ALL),
    map("acl-id", "AclId", false, ALL),
    map("acl-type", "AclType", false, ALL),
    map("xforwardedfor-proto", "XForwardedFor_proto", false, L7),
    map("xforwardedfor-slbport", "XForwardedFor_SLBPORT", false, L7),
    map(
        "xforwardedfor-clientsrcport",
        "XForwardedFor_ClientSrcPort",
        false,
        L7,
    ),
    map("health-check-flag", "HealthCheck", false, L7),
    map("health-check-switch", "HealthCheckSwitch", false, L4),
    map("health-check-type", "HealthCheckType", false, &["tcp"]),
    map("health-check-uri", "HealthCheckURI", false, NOT_UDP),
    map("health-check-domain", "HealthCheckDomain", false, NOT_UDP),
    map("health-check-method", "HealthCheckMethod", false, L7),
    map(
        "health-check-httpcode",
        "HealthCheckHttpCode",
        false,
        NOT_UDP,
    ),
    map(
        "health-check-connect-port",
        "HealthCheckConnectPort",
        true,
        ALL,
    ),
    map("healthy-threshold", "HealthyThreshold", true, ALL),
    map("unhealthy-threshold", "UnhealthyThreshold", true, ALL),
    map("health-check-interval", "HealthCheckInterval", true, ALL),
    map(
        "health-check-connect-timeout",
        "HealthCheckConnectTimeout",
        true,
        L4,
    ),
    map("health-check-timeout", "HealthCheckTimeout", true, L7),
    map("cert-id", "ServerCertificateId", false, &["https"]),
    map("tls-cipher-policy", "TLSCipherPolicy", false, &["https"]),
    map("http2-enabled", "EnableHttp2", false, &["https"]),
];

/// The settings that the annotations of a Service ask for on listeners of a protocol.
pub(super) fn wanted_settings(
    annotations: Annotations<'_>,
    protocol: &str,
) -> Result<BTreeMap<&'static str, String>, SyncError> {
    let mut settings = BTreeMap::new();
    for mapping in MAPPINGS
        .iter()
        .filter(|mapping| mapping.protocols.contains(&protocol))
    {
        if mapping.number {
            annotations.number(mapping.suffix)?;
        }
        if let Some(value) = annotations.get(mapping.suffix) {
            settings.insert(mapping.parameter, value.to_owned());
        }
    }
    if L4.contains(&protocol)
        && let Some(value) = annotations.get("proxy-protocol")
    {
        settings.insert("ProxyProtocolV2Enabled", (value == "on").to_string());
    }
    if settings
        .get("ConnectionDrain")
        .is_none_or(|drain| drain != "on")
    {
        settings.remove("ConnectionDrainTimeout");
    }
    Ok(settings)
}

/// All listeners of a load balancer, page by page.
pub(super) async fn describe(cloud: &Cloud, balancer: &str) -> Result<Vec<Value>, SyncError> {
    let mut all = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let args = Args::default()
            .with("LoadBalancerId.1", balancer)
            .with("MaxResults", 50)
            .with_some("NextToken", next.as_ref());
        let answer = cloud.slb("DescribeLoadBalancerListeners", args).await?;
        all.extend(
            answer
                .get("Listeners")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .cloned(),
        );
        match text(&answer, "NextToken") {
            "" => return Ok(all),
            token => next = Some(token.to_owned()),
        }
    }
}

/// Creates, changes, starts and deletes listeners until they are as wanted. `groups` gives the ids
/// of vServer groups by name.
pub(super) async fn apply(
    cloud: &Cloud,
    names: &Names,
    balancer: &str,
    wanted: &[WantedListener],
    remote: &[Value],
    groups: &BTreeMap<String, String>,
) -> Result<(), SyncError> {
    for listener in remote
        .iter()
        .filter(|listener| names.owns(text(listener, "Description")))
    {
        if !wanted.iter().any(|one| is_same(one, listener)) {
            delete(cloud, balancer, listener).await?;
        }
    }
    for listener in wanted {
        let group = listener
            .group
            .as_ref()
            .and_then(|name| groups.get(name))
            .map(String::as_str);
        match remote.iter().find(|other| is_same(listener, other)) {
            None => create(cloud, balancer, listener, group).await?,
            Some(other) => update(cloud, balancer, listener, other, group).await?,
        }
        if let Some(domains) = &listener.domains {
            certificates::apply_domains(cloud, balancer, listener.port, domains).await?;
        }
    }
    Ok(())
}

/// Same port, same protocol, and both or neither forward.
fn is_same(wanted: &WantedListener, remote: &Value) -> bool {
    let forwards = remote
        .pointer("/HTTPListenerConfig/ListenerForward")
        .and_then(Value::as_str)
        == Some("on");
    remote.get("ListenerPort").and_then(Value::as_i64) == Some(i64::from(wanted.port))
        && text(remote, "ListenerProtocol") == wanted.protocol
        && forwards == wanted.settings.contains_key("ListenerForward")
}

async fn delete(cloud: &Cloud, balancer: &str, listener: &Value) -> Result<(), SyncError> {
    let port = listener
        .get("ListenerPort")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let args = of_balancer(balancer)
        .with("ListenerPort", port)
        .with("ListenerProtocol", text(listener, "ListenerProtocol"));
    cloud
        .slb("DeleteLoadBalancerListener", args)
        .await
        .map(drop)
}

async fn create(
    cloud: &Cloud,
    balancer: &str,
    wanted: &WantedListener,
    group: Option<&str>,
) -> Result<(), SyncError> {
    let l4 = L4.contains(&wanted.protocol.as_str());
    let mut args = of_balancer(balancer)
        .with("ListenerPort", wanted.port)
        .with("Description", &wanted.description)
        .with_some("VServerGroupId", group);
    if wanted.protocol != "http" {
        args = args.with("Bandwidth", -1);
    }
    let mut settings = wanted.settings.clone();
    settings
        .entry("Scheduler")
        .or_insert_with(|| "rr".to_owned());
    if !l4 {
        settings
            .entry("HealthCheck")
            .or_insert_with(|| "off".to_owned());
        settings
            .entry("StickySession")
            .or_insert_with(|| "off".to_owned());
    }
    if wanted.protocol == "https" {
        settings.entry("ServerCertificateId").or_default();
    }
    for (name, value) in settings {
        // The client of the product spells this one with a small letter when it creates.
        let name = if l4 && name == "HealthCheckInterval" {
            "healthCheckInterval"
        } else {
            name
        };
        args = args.with(name, value);
    }
    let action = format!(
        "CreateLoadBalancer{}Listener",
        wanted.protocol.to_uppercase()
    );
    cloud.slb(&action, args).await?;
    start(cloud, balancer, wanted).await
}

async fn start(cloud: &Cloud, balancer: &str, wanted: &WantedListener) -> Result<(), SyncError> {
    let args = of_balancer(balancer)
        .with("ListenerPort", wanted.port)
        .with("ListenerProtocol", &wanted.protocol);
    cloud.slb("StartLoadBalancerListener", args).await.map(drop)
}

async fn update(
    cloud: &Cloud,
    balancer: &str,
    wanted: &WantedListener,
    remote: &Value,
    group: Option<&str>,
) -> Result<(), SyncError> {
    let old = remote_value(wanted, remote, "ServerCertificateId").unwrap_or_default();
    let change = certificates::change(wanted, &old);
    if let Some(new) = change {
        certificates::check(cloud, &old, new).await?;
    }
    if change.is_some() || differs(wanted, remote, group) {
        let mut args = of_balancer(balancer)
            .with("ListenerPort", wanted.port)
            .with("Description", &wanted.description);
        if let Some(group) = group {
            args = args
                .with("VServerGroup", "on")
                .with("VServerGroupId", group);
        }
        for (name, value) in known_values(wanted, remote) {
            let is_dropped = name == "ServerCertificateId" && !wanted.settings.contains_key(name);
            if !is_dropped {
                args = args.with(name, value);
            }
        }
        let action = format!(
            "SetLoadBalancer{}ListenerAttribute",
            wanted.protocol.to_uppercase()
        );
        cloud.slb(&action, args).await?;
    }
    if text(remote, "Status") == "stopped" {
        start(cloud, balancer, wanted).await?;
    }
    Ok(())
}

fn differs(wanted: &WantedListener, remote: &Value, group: Option<&str>) -> bool {
    let settings = wanted
        .settings
        .iter()
        .filter(|(name, _)| !["ListenerForward", "ForwardPort"].contains(name));
    let acl_off = wanted
        .settings
        .get("AclStatus")
        .is_none_or(|status| status != "on");
    text(remote, "Description") != wanted.description
        || group.is_some_and(|group| text(remote, "VServerGroupId") != group)
        || settings
            // CCM looks at the lists only while access control is on.
            .filter(|(name, _)| !(acl_off && ["AclId", "AclType"].contains(name)))
            .any(|(name, value)| remote_value(wanted, remote, name).as_ref() != Some(value))
}

/// The values the listener has, with the wanted ones over them.
fn known_values(wanted: &WantedListener, remote: &Value) -> BTreeMap<&'static str, String> {
    let mut values: BTreeMap<&'static str, String> = MAPPINGS
        .iter()
        .filter(|mapping| mapping.protocols.contains(&wanted.protocol.as_str()))
        .filter_map(|mapping| {
            Some((
                mapping.parameter,
                remote_value(wanted, remote, mapping.parameter)?,
            ))
        })
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let own = wanted
        .settings
        .iter()
        .filter(|(name, _)| !["ListenerForward", "ForwardPort"].contains(name));
    values.extend(own.map(|(name, value)| (*name, value.clone())));
    values
}

fn remote_value(wanted: &WantedListener, remote: &Value, parameter: &str) -> Option<String> {
    let name = if parameter == "HealthCheckSwitch" {
        "HealthCheck"
    } else {
        parameter
    };
    let part = format!("{}ListenerConfig", wanted.protocol.to_uppercase());
    let value = remote.get(name).or_else(|| remote.get(&part)?.get(name))?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(settings: &[(&'static str, &str)]) -> WantedListener {
        WantedListener {
            port: 80,
            protocol: "tcp".to_owned(),
            description: "k8s/80/s/n/c".to_owned(),
            group: Some("g".to_owned()),
            settings: settings
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            domains: None,
        }
    }

    fn remote() -> Value {
        json!({
            "ListenerPort": 80, "ListenerProtocol": "tcp", "Description": "k8s/80/s/n/c",
            "VServerGroupId": "rsp-1", "Scheduler": "rr", "AclStatus": "off",
            "TCPListenerConfig": {"EstablishedTimeout": 900, "HealthCheck": "on"},
        })
    }

    #[test]
    fn only_what_is_annotated_is_compared() {
        assert!(!differs(&wanted(&[]), &remote(), Some("rsp-1")));
        assert!(differs(&wanted(&[]), &remote(), Some("rsp-2")));
        assert!(differs(
            &wanted(&[("Scheduler", "wrr")]),
            &remote(),
            Some("rsp-1")
        ));
        assert!(!differs(
            &wanted(&[("EstablishedTimeout", "900")]),
            &remote(),
            Some("rsp-1")
        ));
        assert!(!differs(
            &wanted(&[("HealthCheckSwitch", "on")]),
            &remote(),
            Some("rsp-1")
        ));
        assert!(!differs(
            &wanted(&[("AclId", "acl-1")]),
            &remote(),
            Some("rsp-1")
        ));
    }

    #[test]
    fn an_update_carries_the_known_values() {
        let values = known_values(&wanted(&[("Scheduler", "wrr")]), &remote());
        assert_eq!(values["Scheduler"], "wrr");
        assert_eq!(values["EstablishedTimeout"], "900");
        assert_eq!(values["AclStatus"], "off");
    }
}
