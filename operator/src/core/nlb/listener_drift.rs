//! Single settings of the listeners and server groups of a network load balancer, as they are in the
//! cloud. What the lists of the API do not show (additional certificates) is not compared.
//!
//! Sources: NLB 2022-04-30 ListListeners and ListServerGroups, and which listeners the cloud controller
//! manager v2.14.0 gives a setting (`pkg/controller/service/nlbv2`).

use std::collections::BTreeMap;

use super::table::ANNOTATIONS;
use crate::core::observed::ListenerState;
use crate::core::slb::compare::{Difference, Form, Shown, differences, row};
use Form::{AtLeast, List, Text, Word};

const ALL: &[&str] = &["tcp", "udp", "tcpssl"];
const TLS: &[&str] = &["tcpssl"];

const PROXIED: Option<&str> = Some("ProxyProtocolEnabled");
const DRAINED: Option<&str> = Some("ConnectionDrainEnabled");
const CHECKED: Option<&str> = Some("HealthCheck.HealthCheckEnabled");
const INTERVAL: &str = "HealthCheck.HealthCheckInterval";

#[rustfmt::skip]
pub(super) const OF_LISTENERS: &[Shown] = &[
    row("cert-id", "CertificateIds", TLS, None, List),
    row("cacert", "CaEnabled", TLS, None, Word),
    row("cacert-id", "CaCertificateIds", TLS, Some("CaEnabled"), List),
    row("tls-cipher-policy", "SecurityPolicyId", TLS, None, Word),
    row("alpn", "AlpnEnabled", TLS, None, Word),
    row("alpn-policy", "AlpnPolicy", TLS, Some("AlpnEnabled"), Word),
    row("proxy-protocol", "ProxyProtocolEnabled", ALL, None, Word),
    row("ppv2-pvl-vpc-id-enabled", "ProxyProtocolV2Config.Ppv2VpcIdEnabled", ALL, PROXIED, Word),
    row("ppv2-pvl-ep-id-enabled", "ProxyProtocolV2Config.Ppv2PrivateLinkEpIdEnabled", ALL, PROXIED, Word),
    row("ppv2-pvl-eps-id-enabled", "ProxyProtocolV2Config.Ppv2PrivateLinkEpsIdEnabled", ALL, PROXIED, Word),
    row("idle-timeout", "IdleTimeout", ALL, None, Word),
    row("cps", "Cps", ALL, None, Word),
];

#[rustfmt::skip]
pub(super) const OF_GROUPS: &[Shown] = &[
    row("scheduler", "Scheduler", ALL, None, Word),
    row("connection-drain", "ConnectionDrainEnabled", ALL, None, Word),
    row("connection-drain-timeout", "ConnectionDrainTimeout", ALL, DRAINED, Word),
    row("preserve-client-ip", "PreserveClientIpEnabled", ALL, None, Word),
    row("health-check-flag", "HealthCheck.HealthCheckEnabled", ALL, None, Word),
    row("health-check-type", "HealthCheck.HealthCheckType", ALL, CHECKED, Word),
    row("health-check-uri", "HealthCheck.HealthCheckUrl", ALL, CHECKED, Text),
    row("health-check-domain", "HealthCheck.HealthCheckDomain", ALL, CHECKED, Text),
    row("health-check-method", "HealthCheck.HttpCheckMethod", ALL, CHECKED, Word),
    row("health-check-httpcode", "HealthCheck.HealthCheckHttpCode", ALL, CHECKED, List),
    row("health-check-connect-port", "HealthCheck.HealthCheckConnectPort", ALL, CHECKED, Word),
    row("health-check-interval", INTERVAL, ALL, CHECKED, Word),
    row("health-check-connect-timeout", "HealthCheck.HealthCheckConnectTimeout", ALL, CHECKED, AtLeast(INTERVAL)),
    row("healthy-threshold", "HealthCheck.HealthyThreshold", ALL, CHECKED, Word),
    row("unhealthy-threshold", "HealthCheck.UnhealthyThreshold", ALL, CHECKED, Word),
];

/// What of a listener and of the server group behind it is not as `wanted` says, the annotations that
/// settings are written as.
pub(super) fn of_listener(
    wanted: &BTreeMap<String, String>,
    seen: &ListenerState,
) -> Vec<Difference> {
    let ports = match seen.last_port {
        0 => seen.port.to_string(),
        last => format!("{}-{last}", seen.port),
    };
    let listener = format!("{ports}/{}", seen.protocol.to_lowercase());
    let of = (listener.as_str(), seen.protocol.as_str());
    let mut all = differences(OF_LISTENERS, ANNOTATIONS, wanted, of, &seen.settings);
    all.extend(differences(OF_GROUPS, ANNOTATIONS, wanted, of, &seen.group));
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crds::v1alpha1::{NlbField, NlbSettings};
    use serde_json::json;

    use super::super::annotations;
    use super::*;
    use crate::core::slb::compare::{changes, holds};
    use crate::core::slb::table::Level;

    #[test]
    fn each_setting_is_seen_where_it_differs_and_nowhere_else() {
        holds(OF_LISTENERS, ANNOTATIONS, ALL);
        holds(OF_GROUPS, ANNOTATIONS, ALL);
    }

    #[test]
    fn every_setting_of_listeners_and_groups_is_compared_or_left_out_for_a_reason() {
        let compared_by_themselves = ["protocol-port", "listener-port-range"];
        let no_setting_of_the_cloud = ["force-override-listeners"];
        let in_no_list = ["additional-cert-ids"];
        let rows = ANNOTATIONS.iter().filter(|row| {
            let of_group = row.parameter.starts_with("UpdateServerGroupAttribute ");
            row.level() == Level::Listener || of_group && row.field != NlbField::Backends
        });
        let all: BTreeSet<&str> = rows.map(|row| row.key).collect();
        let shown = OF_LISTENERS.iter().chain(OF_GROUPS).map(|shown| shown.key);
        let known = shown
            .chain(compared_by_themselves)
            .chain(no_setting_of_the_cloud)
            .chain(in_no_list);
        assert_eq!(known.collect::<BTreeSet<&str>>(), all);
    }

    #[test]
    fn a_listener_and_the_group_behind_it_are_told_by_their_ports() {
        let settings = json!({
            "idleTimeout": "60s", "scheduler": "RoundRobin",
            "healthCheck": {"type": "TCP", "interval": "5s"},
        });
        let settings: NlbSettings = serde_json::from_value(settings).unwrap();
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let seen = ListenerState {
            port: 1000,
            last_port: 2000,
            protocol: "TCP".into(),
            settings: map(&[("IdleTimeout", "900"), ("Cps", "5")]),
            group: map(&[
                ("Scheduler", "Rr"),
                ("HealthCheck.HealthCheckEnabled", "true"),
                ("HealthCheck.HealthCheckInterval", "50"),
            ]),
            ..ListenerState::default()
        };
        let changes = changes(of_listener(&annotations(&settings), &seen));
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        let expected = [
            "nlb.idleTimeout (IdleTimeout) of listener 1000-2000/tcp",
            "nlb.healthCheck.interval (HealthCheck.HealthCheckInterval) of listener 1000-2000/tcp",
        ];
        assert_eq!(paths, expected);
    }
}
