//! Single settings of the listeners of a classic load balancer, as they are in the cloud. What the lists
//! of the API do not show (certificates of hosts) is not compared.
//!
//! Sources: SLB 2014-05-15 DescribeLoadBalancerListeners, and which listeners the cloud controller manager
//! v2.14.0 gives a setting (`pkg/controller/service/clbv1/listeners.go`).

use std::collections::BTreeMap;

use crds::v1alpha1::{SlbField, SlbListener};

use super::compare::{Difference, Form, Shown, differences, row};
use super::table::ANNOTATIONS;
use crate::core::observed::ListenerState;
use Form::{AtLeast, List, Text, Word};

const ALL: &[&str] = &["tcp", "udp", "http", "https"];
const NOT_UDP: &[&str] = &["tcp", "http", "https"];
const L4: &[&str] = &["tcp", "udp"];
const L7: &[&str] = &["http", "https"];
const TCP: &[&str] = &["tcp"];
const HTTPS: &[&str] = &["https"];

const CHECKED: Option<&str> = Some("HealthCheck");
const STICKY: Option<&str> = Some("StickySession");
const LISTED: Option<&str> = Some("AclStatus");
const DRAINED: Option<&str> = Some("ConnectionDrain");
const INTERVAL: &str = "HealthCheckInterval";

#[rustfmt::skip]
pub(super) const SHOWN: &[Shown] = &[
    row("cert-id", "ServerCertificateId", HTTPS, None, Text),
    row("tls-cipher-policy", "TLSCipherPolicy", HTTPS, None, Word),
    row("http2-enabled", "EnableHttp2", HTTPS, None, Word),
    row("proxy-protocol", "ProxyProtocolV2Enabled", L4, None, Word),
    row("xforwardedfor-proto", "XForwardedFor_proto", L7, None, Word),
    row("xforwardedfor-slbport", "XForwardedFor_SLBPORT", L7, None, Word),
    row("xforwardedfor-clientsrcport", "XForwardedFor_ClientSrcPort", L7, None, Word),
    row("scheduler", "Scheduler", ALL, None, Word),
    row("persistence-timeout", "PersistenceTimeout", TCP, None, Word),
    row("sticky-session", "StickySession", L7, None, Word),
    row("sticky-session-type", "StickySessionType", L7, STICKY, Word),
    row("cookie-timeout", "CookieTimeout", L7, STICKY, Word),
    row("cookie", "Cookie", L7, STICKY, Text),
    row("connection-drain", "ConnectionDrain", L4, None, Word),
    row("connection-drain-timeout", "ConnectionDrainTimeout", L4, DRAINED, Word),
    row("established-timeout", "EstablishedTimeout", TCP, None, Word),
    row("idle-timeout", "IdleTimeout", L7, None, Word),
    row("request-timeout", "RequestTimeout", L7, None, Word),
    row("acl-status", "AclStatus", ALL, None, Word),
    row("acl-type", "AclType", ALL, LISTED, Word),
    row("acl-id", "AclIds", ALL, LISTED, List),
    row("health-check-flag", "HealthCheck", L7, None, Word),
    row("health-check-switch", "HealthCheck", L4, None, Word),
    row("health-check-type", "HealthCheckType", TCP, CHECKED, Word),
    row("health-check-uri", "HealthCheckURI", NOT_UDP, CHECKED, Text),
    row("health-check-domain", "HealthCheckDomain", NOT_UDP, CHECKED, Text),
    row("health-check-method", "HealthCheckMethod", L7, CHECKED, Word),
    row("health-check-httpcode", "HealthCheckHttpCode", NOT_UDP, CHECKED, List),
    row("health-check-connect-port", "HealthCheckConnectPort", ALL, CHECKED, Word),
    row("health-check-interval", INTERVAL, ALL, CHECKED, Word),
    row("health-check-connect-timeout", "HealthCheckConnectTimeout", L4, CHECKED, AtLeast(INTERVAL)),
    row("health-check-timeout", "HealthCheckTimeout", L7, CHECKED, AtLeast(INTERVAL)),
    row("healthy-threshold", "HealthyThreshold", ALL, CHECKED, Word),
    row("unhealthy-threshold", "UnhealthyThreshold", ALL, CHECKED, Word),
];

/// What of a listener is not as settings say. `wanted` is what they are written as, `asked` what they say
/// of its port.
pub(super) fn of_listener(
    wanted: &BTreeMap<String, String>,
    asked: Option<&SlbListener>,
    seen: &ListenerState,
) -> Vec<Difference> {
    let listener = format!("{}/{}", seen.port, seen.protocol);
    let shown = &seen.settings;
    let forwards = shown.get("ListenerForward").map(|is| is == "on");
    let target = asked.and_then(|asked| asked.redirect_to);
    let is = match (forwards, shown.get("ForwardPort")) {
        (Some(true), Some(port)) => port.as_str(),
        _ => "off",
    };
    let redirect = target.map_or_else(|| "off".to_owned(), |port| port.to_string());
    if asked.is_some() && forwards.is_some() && is != redirect {
        return vec![Difference {
            path: format!("{}.redirectTo (ForwardPort)", SlbField::Listeners.path()),
            listener,
            is: is.to_owned(),
            wanted: redirect,
        }];
    }
    // One that sends everything elsewhere has nothing else to be set.
    if forwards == Some(true) || target.is_some() {
        return Vec::new();
    }
    differences(
        SHOWN,
        ANNOTATIONS,
        wanted,
        (&listener, &seen.protocol),
        shown,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crds::v1alpha1::SlbSettings;
    use serde_json::{Value, json};

    use super::super::compare::{changes, holds};
    use super::super::table::Level;
    use super::*;

    #[test]
    fn each_setting_is_seen_where_it_differs_and_nowhere_else() {
        holds(SHOWN, ANNOTATIONS, ALL);
    }

    #[test]
    fn every_setting_of_listeners_is_compared_or_left_out_for_a_reason() {
        let compared_by_themselves = ["protocol-port", "forward-port"];
        let no_setting_of_the_cloud = ["force-override-listeners"];
        let in_no_list = ["domain-extensions"];
        let rows = ANNOTATIONS.iter();
        let of_listeners = rows.filter(|row| row.level() == Level::Listener);
        let all: BTreeSet<&str> = of_listeners.map(|row| row.key).collect();
        let shown = SHOWN.iter().map(|shown| shown.key);
        let known = shown
            .chain(compared_by_themselves)
            .chain(no_setting_of_the_cloud)
            .chain(in_no_list);
        assert_eq!(known.collect::<BTreeSet<&str>>(), all);
    }

    /// Paths with what is and what should be, of an HTTP listener.
    fn found(settings: Value, seen: &[(&str, &str)]) -> Vec<String> {
        let settings: SlbSettings = serde_json::from_value(settings).unwrap();
        let seen = ListenerState {
            port: 80,
            protocol: "http".into(),
            settings: seen
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..ListenerState::default()
        };
        let written = super::super::annotations(&settings);
        let asked = settings
            .listeners
            .iter()
            .flatten()
            .find(|one| one.port == 80);
        let changes = changes(of_listener(&written, asked, &seen)).into_iter();
        changes
            .map(|change| format!("{}: {:?} {:?}", change.path, change.from, change.to))
            .collect()
    }

    #[test]
    fn only_what_settings_say_is_compared() {
        let seen = [
            ("Scheduler", "wrr"),
            ("HealthCheck", "on"),
            ("HealthCheckInterval", "9"),
            ("HealthCheckTimeout", "9"),
            ("HealthCheckMethod", "get"),
            ("ListenerForward", "off"),
        ];
        let check = json!({"healthCheck": {"type": "HTTP", "interval": "5s", "timeout": "5s"}});
        let expected = [
            r#"slb.healthCheck.interval (HealthCheckInterval) of listener 80/http: Some(String("9")) Some(String("5"))"#,
        ];
        assert_eq!(found(check, &seen), expected);
        assert_eq!(found(json!({"name": "x"}), &seen), [""; 0]);
    }

    #[test]
    fn a_redirect_is_compared_as_one_and_leaves_nothing_else_to_compare() {
        let to = |port: Value| json!({"scheduler": "RoundRobin", "listeners": [{"port": 80, "protocol": "HTTP", "redirectTo": port}]});
        let forwards = |port: &'static str| {
            [
                ("ListenerForward", "on"),
                ("ForwardPort", port),
                ("Scheduler", "wrr"),
            ]
        };
        let serves = [("ListenerForward", "off"), ("Scheduler", "wrr")];
        let path = "slb.listeners.redirectTo (ForwardPort) of listener 80/http";
        let told = |is: &str, wanted: &str| {
            format!("{path}: Some(String({is:?})) Some(String({wanted:?}))")
        };
        assert_eq!(found(to(json!(443)), &forwards("443")), [""; 0]);
        assert_eq!(
            found(to(json!(443)), &forwards("8443")),
            [told("8443", "443")]
        );
        assert_eq!(found(to(json!(443)), &serves), [told("off", "443")]);
        assert_eq!(
            found(to(Value::Null), &forwards("443")),
            [told("443", "off")]
        );
        let scheduler = found(to(Value::Null), &serves);
        assert!(scheduler[0].contains("slb.scheduler"), "{scheduler:?}");
        let unasked = json!({"scheduler": "RoundRobin"});
        assert_eq!(found(unasked, &forwards("443")), [""; 0]);
    }
}
