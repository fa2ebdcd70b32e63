//! Which annotations become which parameters of a listener, and what of them differs from what it has.

use std::collections::BTreeMap;

use serde_json::Value;

use super::RemoteListener;
use crate::ccm::cloud::text;
use crate::ccm::model::WantedListener;

/// How an annotation becomes a parameter.
pub(super) struct Mapping {
    pub(super) suffix: &'static str,
    pub(super) parameter: &'static str,
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
pub(super) const L4: &[&str] = &["tcp", "udp"];
pub(super) const L7: &[&str] = &["http", "https"];
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
pub(in crate::ccm) fn texts() -> impl Iterator<Item = &'static str> {
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

/// What there is for listeners of a protocol.
pub(super) fn mappings(protocol: &str) -> impl Iterator<Item = &'static Mapping> {
    MAPPINGS
        .iter()
        .filter(move |mapping| mapping.protocols.contains(&protocol))
}

/// All that the listener has, with what differs over it; none if nothing differs.
pub(super) fn update(
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
