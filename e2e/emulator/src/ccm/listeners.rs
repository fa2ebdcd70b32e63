//! Listeners: which are to be made, changed and deleted, and the calls for that.

use std::collections::BTreeMap;

use serde_json::Value;

use super::annotations::Annotations;
use super::certificates;
use super::cloud::{Args, Cloud, of_balancer, text};
use super::error::{SyncError, Within};
use super::model::{Names, WantedListener};

/// How an annotation becomes a parameter.
struct Mapping {
    suffix: &'static str,
    parameter: &'static str,
    protocols: &'static [&'static str],
}

const fn map(
    suffix: &'static str,
    parameter: &'static str,
    protocols: &'static [&'static str],
) -> Mapping {
    Mapping {
        suffix,
        parameter,
        protocols,
    }
}

const ALL: &[&str] = &["tcp", "udp", "http", "https"];
const L4: &[&str] = &["tcp", "udp"];
const L7: &[&str] = &["http", "https"];
const NOT_UDP: &[&str] = &["tcp", "http", "https"];

const MAPPINGS: &[Mapping] = &[
    map("scheduler", "Scheduler", ALL),
    map("persistence-timeout", "PersistenceTimeout", &["tcp"]),
    map("established-timeout", "EstablishedTimeout", &["tcp"]),
    map("proxy-protocol", "ProxyProtocolV2Enabled", L4),
    map("http2-enabled", "EnableHttp2", &["https"]),
    map("tls-cipher-policy", "TLSCipherPolicy", &["https"]),
    map("acl-status", "AclStatus", ALL),
    map("acl-id", "AclId", ALL),
    map("acl-type", "AclType", ALL),
    map("idle-timeout", "IdleTimeout", L7),
    map("request-timeout", "RequestTimeout", L7),
    map("sticky-session", "StickySession", L7),
    map("sticky-session-type", "StickySessionType", L7),
    map("cookie", "Cookie", L7),
    map("cookie-timeout", "CookieTimeout", L7),
    map("connection-drain", "ConnectionDrain", L4),
    map("connection-drain-timeout", "ConnectionDrainTimeout", L4),
    map("xforwardedfor-proto", "XForwardedFor_proto", L7),
    map("xforwardedfor-slbport", "XForwardedFor_SLBPORT", L7),
    map(
        "xforwardedfor-clientsrcport",
        "XForwardedFor_ClientSrcPort",
        L7,
    ),
    map("health-check-connect-port", "HealthCheckConnectPort", ALL),
    map("health-check-interval", "HealthCheckInterval", ALL),
    map("healthy-threshold", "HealthyThreshold", ALL),
    map("unhealthy-threshold", "UnhealthyThreshold", ALL),
    map("health-check-type", "HealthCheckType", &["tcp"]),
    map("health-check-domain", "HealthCheckDomain", NOT_UDP),
    map("health-check-uri", "HealthCheckURI", NOT_UDP),
    map("health-check-httpcode", "HealthCheckHttpCode", NOT_UDP),
    map(
        "health-check-connect-timeout",
        "HealthCheckConnectTimeout",
        L4,
    ),
    map("health-check-switch", "HealthCheckSwitch", L4),
    map("health-check-flag", "HealthCheck", L7),
    map("health-check-timeout", "HealthCheckTimeout", L7),
    map("health-check-method", "HealthCheckMethod", L7),
];

/// Annotations that are taken as they are.
pub(super) fn texts() -> impl Iterator<Item = &'static str> {
    const OTHERS: [&str; 14] = [
        "persistence-timeout",
        "established-timeout",
        "proxy-protocol",
        "idle-timeout",
        "request-timeout",
        "cookie-timeout",
        "connection-drain-timeout",
        "health-check-connect-port",
        "health-check-interval",
        "healthy-threshold",
        "unhealthy-threshold",
        "health-check-connect-timeout",
        "health-check-timeout",
        "cert-id",
    ];
    let suffixes = MAPPINGS.iter().map(|mapping| mapping.suffix);
    suffixes.filter(|suffix| !OTHERS.contains(suffix))
}

fn mappings(protocol: &str) -> impl Iterator<Item = &'static Mapping> {
    MAPPINGS
        .iter()
        .filter(move |mapping| mapping.protocols.contains(&protocol))
}

/// A listener as it is, and its domains where they were asked for.
pub(super) struct RemoteListener {
    pub(super) value: Value,
    domains: Vec<Value>,
}

impl RemoteListener {
    fn port(&self) -> i64 {
        let port = self.value.get("ListenerPort").and_then(Value::as_i64);
        port.unwrap_or_default()
    }

    fn protocol(&self) -> &str {
        text(&self.value, "ListenerProtocol")
    }

    /// A setting by its parameter name; none is empty or 0, but for the one that may be 0.
    fn setting(&self, parameter: &str) -> Option<String> {
        let part = format!("{}ListenerConfig", self.protocol().to_uppercase());
        let inside = |name: &str| {
            self.value
                .get(name)
                .or_else(|| self.value.get(&part)?.get(name))
        };
        let said = match inside(parameter)? {
            Value::String(text) => text.clone(),
            Value::Null => return None,
            other => other.to_string(),
        };
        let is_said = !said.is_empty() && (said != "0" || parameter == "PersistenceTimeout");
        is_said.then_some(said)
    }
}

/// All listeners of a load balancer, page by page.
pub(super) async fn describe(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    balancer: &str,
) -> Result<Vec<RemoteListener>, SyncError> {
    let mut all = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let args = Args::default()
            .with("LoadBalancerId.1", balancer)
            .with("MaxResults", 50)
            .with_some("NextToken", next.as_ref());
        let answer = cloud.slb("DescribeLoadBalancerListeners", args).await?;
        let page = answer.get("Listeners").and_then(Value::as_array);
        all.extend(page.into_iter().flatten().map(|value| RemoteListener {
            value: value.clone(),
            domains: Vec::new(),
        }));
        match text(&answer, "NextToken") {
            "" => break,
            token => next = Some(token.to_owned()),
        }
    }
    if annotations.get("domain-extensions").is_some() {
        let secure = all.iter_mut().filter(|one| one.protocol() == "https");
        for listener in secure {
            let port = listener.port();
            listener.domains = certificates::describe(cloud, balancer, port).await?;
        }
    }
    Ok(all)
}

/// What is to be done with a listener.
pub(super) enum Step<'a> {
    Create(WantedListener),
    Update(WantedListener, &'a RemoteListener),
    Delete(&'a RemoteListener),
}

/// What is to be done, in CCM's order: at once, once the group is there that it needs, and last.
#[derive(Default)]
pub(super) struct Plan<'a> {
    pub(super) before: Vec<Step<'a>>,
    pub(super) with_group: Vec<Step<'a>>,
    pub(super) after: Vec<Step<'a>>,
}

/// Compares listeners by port and protocol. `wanted` know the ids of the groups that are there.
pub(super) fn plan<'a>(
    names: &Names,
    wanted: Vec<WantedListener>,
    remote: &'a [RemoteListener],
) -> Plan<'a> {
    let is_same = |wanted: &WantedListener, remote: &RemoteListener| {
        remote.port() == i64::from(wanted.port) && remote.protocol() == wanted.protocol
    };
    let gone: Vec<&RemoteListener> = remote
        .iter()
        .filter(|one| !wanted.iter().any(|wanted| is_same(wanted, one)))
        .filter(|one| names.owns_listener(text(&one.value, "Description")))
        .collect();
    let mut plan = Plan::default();
    for one in &gone {
        let forwards_to = |other: &&RemoteListener| {
            other.setting("ListenerForward").as_deref() == Some("on")
                && other.setting("ForwardPort") == Some(one.port().to_string())
        };
        match gone.iter().any(forwards_to) {
            true => plan.after.push(Step::Delete(one)),
            false => plan.before.push(Step::Delete(one)),
        }
    }
    for listener in wanted {
        let known = listener.group_id.is_some();
        let old = remote.iter().find(|remote| is_same(&listener, remote));
        let frees = gone
            .iter()
            .any(|one| one.port() == i64::from(listener.port));
        let part = match old {
            Some(_) if known => &mut plan.before,
            Some(_) => &mut plan.with_group,
            None if listener.forward.is_some() || (frees && known) => &mut plan.after,
            None if known => &mut plan.before,
            None => &mut plan.with_group,
        };
        part.push(match old {
            Some(old) => Step::Update(listener, old),
            None => Step::Create(listener),
        });
    }
    plan
}

/// The writes to the listeners of one load balancer.
pub(super) struct Writes<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) annotations: Annotations<'a>,
    pub(super) balancer: &'a str,
}

impl Writes<'_> {
    /// Does a step.
    pub(super) async fn take(&self, step: &Step<'_>) -> Result<(), SyncError> {
        match step {
            Step::Create(wanted) => self
                .create(wanted, None)
                .await
                .within("create listener error"),
            Step::Update(wanted, remote) => {
                let updated = self.update(wanted, remote).await;
                updated.within("update listener error")
            }
            Step::Delete(remote) => self.delete(remote).await.within("delete listener error"),
        }
    }

    async fn delete(&self, listener: &RemoteListener) -> Result<(), SyncError> {
        let args = of_balancer(self.balancer)
            .with("ListenerPort", listener.port())
            .with("ListenerProtocol", listener.protocol());
        let action = "DeleteLoadBalancerListener";
        self.cloud.slb(action, args).await.map(drop)
    }

    async fn create(
        &self,
        wanted: &WantedListener,
        forward: Option<&str>,
    ) -> Result<(), SyncError> {
        let protocol = wanted.protocol.as_str();
        let mut settings: BTreeMap<&str, &str> = mappings(protocol)
            .filter_map(|mapping| Some((mapping.parameter, wanted.settings.get(mapping.suffix)?)))
            .map(|(parameter, value)| (parameter, value.as_str()))
            .collect();
        settings.entry("Scheduler").or_insert("rr");
        if L7.contains(&protocol) {
            settings.entry("HealthCheck").or_insert("off");
            settings.entry("StickySession").or_insert("off");
        }
        if protocol != "http" {
            settings.insert("Bandwidth", "-1");
        }
        if protocol == "https" && !wanted.certificate.is_empty() {
            settings.insert("ServerCertificateId", &wanted.certificate);
        }
        let mut args = of_balancer(self.balancer)
            .with("ListenerPort", wanted.port)
            .with("Description", &wanted.description)
            .with_some("VServerGroupId", wanted.group_id.as_ref());
        for (name, value) in settings {
            // The client of the product spells this one with a small letter when it creates.
            let small = L4.contains(&protocol) && name == "HealthCheckInterval";
            args = args.with(if small { "healthCheckInterval" } else { name }, value);
        }
        let forward = wanted.forward.map(|_| "on").or(forward);
        args = args
            .with_some("ListenerForward", forward)
            .with_some("ForwardPort", wanted.forward);
        let action = format!("CreateLoadBalancer{}Listener", protocol.to_uppercase());
        let what = format!("create {protocol} listener {} error", wanted.port);
        self.cloud.slb(&action, args).await.within(&what)?;
        if protocol == "https" {
            for pair in &wanted.domains {
                let (domain, certificate) = pair;
                let what = format!(
                    "create https listener {} domain extension {{{domain} {certificate} }} error",
                    wanted.port
                );
                let added = certificates::add(self.cloud, self.balancer, wanted.port, pair).await;
                added.within(&what)?;
            }
        }
        self.start(wanted).await
    }

    async fn start(&self, wanted: &WantedListener) -> Result<(), SyncError> {
        let args = of_balancer(self.balancer)
            .with("ListenerPort", wanted.port)
            .with("ListenerProtocol", &wanted.protocol);
        let action = "StartLoadBalancerListener";
        self.cloud.slb(action, args).await.map(drop)
    }

    async fn update(
        &self,
        wanted: &WantedListener,
        remote: &RemoteListener,
    ) -> Result<(), SyncError> {
        if text(&remote.value, "Status") == "stopped" {
            let what = format!("start {} listener {} error", wanted.protocol, wanted.port);
            self.start(wanted).await.within(&what)?;
        }
        if wanted.protocol == "http" {
            let forwards = remote.setting("ListenerForward");
            let port = remote.setting("ForwardPort");
            let is_same = match wanted.forward {
                Some(to) => forwards.as_deref() == Some("on") && port == Some(to.to_string()),
                None => forwards.as_deref() == Some("off"),
            };
            if !is_same {
                // Forwarding cannot be changed.
                let deleted = self.delete(remote).await;
                deleted.within(&format!("delete port [{}] error", remote.port()))?;
                return self.create(wanted, Some("off")).await;
            }
            if forwards.as_deref() == Some("on") {
                return Ok(());
            }
        }
        if wanted.protocol == "https" && self.annotations.present("domain-extensions").is_some() {
            let (wanted, port) = (&wanted.domains, wanted.port);
            let domains = &remote.domains;
            certificates::apply_domains(self.cloud, self.balancer, port, wanted, domains).await?;
        }
        let Some(update) = update(wanted, remote) else {
            return Ok(());
        };
        let old = remote.setting("ServerCertificateId").unwrap_or_default();
        if wanted.protocol == "https" && old != wanted.certificate {
            certificates::check(self.cloud, &old, &wanted.certificate).await?;
        }
        let mut args = of_balancer(self.balancer)
            .with("ListenerPort", wanted.port)
            .with("VServerGroup", "on");
        for (name, value) in update {
            args = args.with(name, value);
        }
        let protocol = wanted.protocol.to_uppercase();
        let action = format!("SetLoadBalancer{protocol}ListenerAttribute");
        self.cloud.slb(&action, args).await.map(drop)
    }
}

/// Does steps one after the other, whatever comes of those before.
pub(super) async fn take(writes: &Writes<'_>, steps: &[Step<'_>]) -> Vec<SyncError> {
    let mut errors = Vec::new();
    for step in steps {
        errors.extend(writes.take(step).await.err());
    }
    errors
}

/// All that the listener has, with what differs over it; none if nothing differs.
fn update(
    wanted: &WantedListener,
    remote: &RemoteListener,
) -> Option<BTreeMap<&'static str, String>> {
    let mut values: BTreeMap<&str, String> = mappings(&wanted.protocol)
        .filter_map(|mapping| Some((mapping.parameter, remote.setting(mapping.parameter)?)))
        .collect();
    values.extend(
        remote
            .setting("Bandwidth")
            .map(|bandwidth| ("Bandwidth", bandwidth)),
    );
    let before = text(&remote.value, "Description") == wanted.description
        && text(&remote.value, "VServerGroupId") == wanted.group_id.as_deref().unwrap_or_default();
    let mut differs = !before;
    for mapping in mappings(&wanted.protocol) {
        let Some(said) = wanted.settings.get(mapping.suffix) else {
            continue;
        };
        if !counts(wanted, mapping.suffix) || is_equal(mapping.suffix, said, remote) {
            continue;
        }
        differs = true;
        values.insert(mapping.parameter, said.clone());
    }
    if wanted.protocol == "https" {
        let old = remote.setting("ServerCertificateId").unwrap_or_default();
        differs |= old != wanted.certificate;
        values.insert("ServerCertificateId", wanted.certificate.clone());
    }
    values.insert("Description", wanted.description.clone());
    values.insert(
        "VServerGroupId",
        wanted.group_id.clone().unwrap_or_default(),
    );
    values.retain(|_, value| !value.is_empty());
    differs.then_some(values)
}

/// Lists are looked at while access control is on, and the time to drain while draining is.
fn counts(wanted: &WantedListener, suffix: &str) -> bool {
    let is_on = |suffix: &str| wanted.settings.get(suffix).is_some_and(|said| said == "on");
    match suffix {
        "acl-id" | "acl-type" => is_on("acl-status"),
        "connection-drain-timeout" => is_on("connection-drain"),
        _ => true,
    }
}

fn is_equal(suffix: &str, said: &str, remote: &RemoteListener) -> bool {
    let parameter = MAPPINGS.iter().find(|mapping| mapping.suffix == suffix);
    let is = parameter.and_then(|mapping| remote.setting(mapping.parameter));
    match suffix {
        "acl-id" => {
            let ids = remote.value.get("AclIds").and_then(Value::as_array);
            let mut ids: Vec<&str> = ids
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            ids.extend(is.as_deref().filter(|_| ids.is_empty()));
            let said: Vec<&str> = said.split(',').collect();
            said.len() == ids.len() && ids.iter().all(|id| said.contains(id))
        }
        "proxy-protocol" => is.as_deref().unwrap_or("false") == said,
        _ => is.as_deref() == Some(said),
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
            group: "k8s/8080/s/n/c".to_owned(),
            group_id: Some("rsp-1".to_owned()),
            forward: None,
            settings: settings
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            certificate: String::new(),
            domains: Vec::new(),
        }
    }

    fn remote() -> RemoteListener {
        let value = json!({
            "ListenerPort": 80, "ListenerProtocol": "tcp", "Description": "k8s/80/s/n/c",
            "VServerGroupId": "rsp-1", "Scheduler": "rr", "AclStatus": "off",
            "TCPListenerConfig": {"EstablishedTimeout": 900, "HealthCheckSwitch": "on"},
        });
        let domains = Vec::new();
        RemoteListener { value, domains }
    }

    #[test]
    fn only_what_is_annotated_is_compared() {
        let differs = |settings: &[(&'static str, &str)]| update(&wanted(settings), &remote());
        assert_eq!(differs(&[]), None);
        assert!(differs(&[("scheduler", "wrr")]).is_some());
        assert_eq!(differs(&[("established-timeout", "900")]), None);
        assert_eq!(differs(&[("health-check-switch", "on")]), None);
        assert_eq!(differs(&[("acl-id", "acl-1")]), None);
        let elsewhere = WantedListener {
            group_id: Some("rsp-2".to_owned()),
            ..wanted(&[])
        };
        assert!(update(&elsewhere, &remote()).is_some());
    }

    #[test]
    fn an_update_carries_the_known_values() {
        let values = update(&wanted(&[("scheduler", "wrr")]), &remote()).expect("it differs");
        assert_eq!(values["Scheduler"], "wrr");
        assert_eq!(values["EstablishedTimeout"], "900");
        assert_eq!(values["AclStatus"], "off");
    }

    #[test]
    fn a_listener_in_the_place_of_one_that_goes_comes_last() {
        let names = Names::of(
            &serde_json::from_value(json!({"metadata": {"name": "s", "namespace": "n"}}))
                .expect("a Service"),
            "c",
        );
        let http = WantedListener {
            protocol: "http".to_owned(),
            ..wanted(&[])
        };
        let there = [remote()];
        let plan = plan(&names, vec![http], &there);
        assert!(matches!(plan.before.as_slice(), [Step::Delete(_)]));
        assert!(matches!(plan.after.as_slice(), [Step::Create(_)]));
    }
}
