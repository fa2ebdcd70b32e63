//! What is written for settings of a network load balancer, what is refused, and how it is undone.

mod scene;

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{NlbField, NlbSettings, Reason};
use serde_json::{Value, json};

use super::table::{ANNOTATIONS, UNREAD, UNWRITTEN};
use super::*;
use crate::core::slb::table::{Change, Level, Undo};
use crate::core::slb::{key, left};

const CLASS: &str = "alibabacloud.com/nlb";

fn settings(value: Value) -> NlbSettings {
    serde_json::from_value(value).unwrap()
}

fn zones() -> Value {
    json!([{"zoneId": "cn-b-h", "vswitchId": "vsw-b"}, {"zoneId": "cn-b-g", "vswitchId": "vsw-a"}])
}

/// Settings of a new load balancer, with more.
fn with(more: Value) -> NlbSettings {
    let mut all = json!({"addressType": "Intranet", "zoneMappings": zones()});
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    settings(all)
}

fn service(says: &[(&str, &str)]) -> ServiceState {
    let says = says.iter();
    ServiceState {
        uid: "0af1b2c3-0000-1111-2222-333344445555".into(),
        type_: "LoadBalancer".into(),
        class: Some(CLASS.into()),
        annotations: says
            .map(|(name, value)| (key(name), (*value).to_owned()))
            .collect(),
        ..ServiceState::default()
    }
}

/// What is written, by the names of the table.
fn written(value: Value) -> BTreeMap<String, String> {
    let prefix = key("");
    let all = annotations(&settings(value)).into_iter();
    all.map(|(key, value)| {
        let name = key.strip_prefix(&prefix);
        let name = name.or_else(|| key.strip_prefix("service.beta.kubernetes.io/"));
        (name.unwrap().to_owned(), value)
    })
    .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// Everything that can be set together.
pub(super) fn everything() -> Value {
    json!({
        "addressType": "Internet",
        "name": "web",
        "zoneMappings": [
            {"zoneId": "cn-b-h", "vswitchId": "vsw-b"},
            {"zoneId": "cn-b-g", "vswitchId": "vsw-a", "privateAddress": "10.0.0.7", "eipId": "eip-1"},
        ],
        "ipVersion": "DualStack",
        "ipv6AddressType": "Intranet",
        "resourceGroupId": "rg-1",
        "tags": {"team": "shop"},
        "securityGroupIds": ["sg-1", "sg-2"],
        "bandwidthPackageId": "cbwp-1",
        "crossZone": "Disabled",
        "onDelete": "Preserve",
        "listeners": [
            {"port": 443, "protocol": "TCPSSL"},
            {"port": 80, "protocol": "TCP", "range": {"first": 1000, "last": 2000}},
        ],
        "certificate": {"id": "c1", "additionalIds": ["c2", "c3"], "clientAuthorityId": "a1"},
        "tlsPolicy": "tls_cipher_policy_1_2",
        "alpn": "HTTP2Optional",
        "proxyProtocol": {"version2": "Enabled", "privateLink": ["EndpointId"]},
        "idleTimeout": "10m",
        "maxConnectionsPerSecond": 100,
        "scheduler": "WeightedLeastConnections",
        "connectionDrain": {"timeout": "0s"},
        "clientAddress": "Replaced",
        "healthCheck": {"type": "HTTP", "path": "/healthz", "host": "a.b", "method": "HEAD", "statusCodes": ["3xx", "2xx"], "port": 8080, "interval": "5s", "timeout": "4s", "healthyThreshold": 3, "unhealthyThreshold": 4},
        "backends": {"type": "Pods", "weight": 50, "consoleWeights": "Keep"},
    })
}

#[test]
fn every_setting_is_written_as_the_cloud_controller_manager_reads_it() {
    let expected = pairs(&[
        ("address-type", "internet"),
        ("name", "web"),
        ("zone-maps", "cn-b-g:vsw-a:10.0.0.7:eip-1,cn-b-h:vsw-b"),
        ("ip-version", "DualStack"),
        ("ipv6-address-type", "intranet"),
        ("resource-group-id", "rg-1"),
        ("additional-resource-tags", "team=shop"),
        ("security-group-ids", "sg-1,sg-2"),
        ("bandwidth-package-id", "cbwp-1"),
        ("cross-zone-enabled", "off"),
        ("preserve-lb-on-delete", "true"),
        ("protocol-port", "tcp:80,tcpssl:443"),
        ("listener-port-range", "1000-2000:80"),
        ("cert-id", "c1"),
        ("additional-cert-ids", "c2,c3"),
        ("cacert", "on"),
        ("cacert-id", "a1"),
        ("tls-cipher-policy", "tls_cipher_policy_1_2"),
        ("alpn", "on"),
        ("alpn-policy", "HTTP2Optional"),
        ("proxy-protocol", "on"),
        ("ppv2-pvl-vpc-id-enabled", "off"),
        ("ppv2-pvl-ep-id-enabled", "on"),
        ("ppv2-pvl-eps-id-enabled", "off"),
        ("idle-timeout", "600"),
        ("cps", "100"),
        ("scheduler", "Wlc"),
        ("connection-drain", "on"),
        ("connection-drain-timeout", "0"),
        ("preserve-client-ip", "off"),
        ("health-check-flag", "on"),
        ("health-check-type", "HTTP"),
        ("health-check-uri", "/healthz"),
        ("health-check-domain", "a.b"),
        ("health-check-method", "HEAD"),
        ("health-check-httpcode", "http_2xx,http_3xx"),
        ("health-check-connect-port", "8080"),
        ("health-check-interval", "5"),
        ("health-check-connect-timeout", "4"),
        ("healthy-threshold", "3"),
        ("unhealthy-threshold", "4"),
        ("backend-type", "eni"),
        ("default-weight", "50"),
        ("ignore-weight-update", "on"),
    ]);
    assert_eq!(written(everything()), expected);
    assert_eq!(check(&settings(everything())), None);
    let rest = written(json!({
        "existing": {"id": "nlb-1", "listeners": "Override"},
        "backends": {"nodeLabels": {"a": "b"}, "cordonedNodes": "Remove"},
    }));
    let both = expected.keys().chain(rest.keys()).map(String::as_str);
    let known = ANNOTATIONS.iter().map(|row| row.key);
    assert_eq!(both.collect::<BTreeSet<_>>(), known.collect());
}

#[test]
fn a_field_has_a_row_and_each_row_is_written_once() {
    let fields: BTreeSet<NlbField> = ANNOTATIONS.iter().map(|row| row.field).collect();
    assert_eq!(fields, NlbField::EACH.iter().copied().collect());
    let keys: BTreeSet<&str> = ANNOTATIONS.iter().map(|row| row.key).collect();
    assert_eq!(keys.len(), ANNOTATIONS.len());
}

/// The keys that the cloud controller manager reads for a network load balancer, from the sources
/// `pkg/controller/service/nlbv2`, `.../reconcile/backend` and `pkg/controller/helper` of v2.14.0.
const READ: &str = "
    zone-maps address-type ipv6-address-type ip-version resource-group-id name security-group-ids
    bandwidth-package-id cross-zone-enabled additional-resource-tags id force-override-listeners
    preserve-lb-on-delete
    protocol-port listener-port-range cert-id cacert-id additional-cert-ids cacert alpn alpn-policy
    proxy-protocol ppv2-pvl-ep-id-enabled ppv2-pvl-eps-id-enabled ppv2-pvl-vpc-id-enabled
    tls-cipher-policy idle-timeout cps
    scheduler connection-drain connection-drain-timeout preserve-client-ip server-group-type
    health-check-flag health-check-type health-check-connect-port health-check-connect-timeout
    health-check-interval health-check-domain health-check-uri health-check-method
    health-check-httpcode healthy-threshold unhealthy-threshold
    backend-label remove-unscheduled-backend backend-ip-version vgroup-port weight default-weight
    ignore-weight-update backend-type
    class type tunnel-type";

#[test]
fn every_key_that_is_read_is_written_by_a_field_or_left_out_for_a_reason() {
    let read: BTreeSet<&str> = READ.split_whitespace().collect();
    let written = ANNOTATIONS.iter().map(|row| row.key);
    let all: Vec<&str> = written.chain(UNWRITTEN.iter().map(|one| one.key)).collect();
    let known: BTreeSet<&str> = all.iter().copied().collect();
    assert_eq!(known, read);
    assert_eq!(known.len(), all.len(), "one is there twice");
    assert!(UNREAD.iter().all(|key| !known.contains(key)));
    assert!(UNWRITTEN.iter().all(|one| one.why.ends_with('.')));
}

#[test]
fn settings_that_cannot_be_are_refused_at_their_path() {
    let tls = json!([{"port": 443, "protocol": "TCPSSL"}]);
    let cases = [
        (
            settings(json!({"addressType": "Internet"})),
            "nlb.zoneMappings",
        ),
        (
            settings(json!({"addressType": "Internet", "zoneMappings": [
                {"zoneId": "a", "vswitchId": "vsw-a"}, {"zoneId": "a", "vswitchId": "vsw-b"}]})),
            "nlb.zoneMappings",
        ),
        (
            settings(json!({"addressType": "Internet", "zoneMappings": [
                {"zoneId": "a", "vswitchId": "vsw-a", "privateAddress": "10.0.0.256"}, {"zoneId": "b", "vswitchId": "vsw-b"}]})),
            "nlb.zoneMappings",
        ),
        (
            with(json!({"bandwidthPackageId": "cbwp-1"})),
            "nlb.bandwidthPackageId",
        ),
        (
            with(json!({"zoneMappings": [
                {"zoneId": "a", "vswitchId": "vsw-a", "privateAddress": "10.0.0.1", "eipId": "eip-1"}, {"zoneId": "b", "vswitchId": "vsw-b"}]})),
            "nlb.zoneMappings",
        ),
        (
            with(json!({"ipv6AddressType": "Internet"})),
            "nlb.ipv6AddressType",
        ),
        (with(json!({"listeners": tls})), "nlb.certificate"),
        (
            with(json!({"certificate": {"id": "c1"}})),
            "nlb.certificate",
        ),
        (
            with(json!({"tlsPolicy": "tls_cipher_policy_1_2"})),
            "nlb.tlsPolicy",
        ),
        (with(json!({"alpn": "HTTP2Only"})), "nlb.alpn"),
        (
            with(json!({"scheduler": "QUICHash", "listeners": [{"port": 80, "protocol": "TCP"}]})),
            "nlb.scheduler",
        ),
        (
            with(
                json!({"listeners": [{"port": 80, "protocol": "TCP", "range": {"first": 1, "last": 2}}]}),
            ),
            "nlb.listeners",
        ),
        (
            with(json!({"backends": {"type": "Pods"}, "listeners": [
                {"port": 80, "protocol": "TCP", "range": {"first": 1000, "last": 2000}},
                {"port": 81, "protocol": "TCP", "range": {"first": 2000, "last": 2001}}]})),
            "nlb.listeners",
        ),
        (
            with(json!({"backends": {"type": "Pods"}, "listeners": [
                {"port": 80, "protocol": "TCP", "range": {"first": 1000, "last": 2000}},
                {"port": 1500, "protocol": "TCP"}]})),
            "nlb.listeners",
        ),
        (
            with(json!({"proxyProtocol": {"version2": "Disabled", "privateLink": ["VPCId"]}})),
            "nlb.proxyProtocol.privateLink",
        ),
    ];
    for (settings, path) in cases {
        let found = check(&settings).map(|fault| (fault.reason, fault.path));
        assert_eq!(found, Some((Reason::InvalidSpec, path)), "{settings:?}");
    }
    assert_eq!(check(&with(json!({}))), None);
}

#[test]
fn a_load_balancer_of_others_is_changed_by_consent_alone() {
    let path = |value: Value| check(&settings(value)).map(|fault| fault.path);
    let kept = |more: Value| {
        let mut all = json!({"existing": {"id": "nlb-1"}});
        for (name, value) in more.as_object().unwrap() {
            all[name] = value.clone();
        }
        all
    };
    assert_eq!(path(kept(json!({}))), None, "no zones are needed");
    assert_eq!(
        path(kept(json!({"addressType": "Internet"}))),
        Some("nlb.addressType")
    );
    assert_eq!(
        path(kept(json!({"zoneMappings": zones()}))),
        Some("nlb.zoneMappings")
    );
    assert_eq!(
        path(kept(json!({"idleTimeout": "1m"}))),
        Some("nlb.idleTimeout")
    );
    assert_eq!(
        path(kept(json!({"onDelete": "Preserve"}))),
        Some("nlb.onDelete")
    );
    assert_eq!(
        path(kept(json!({"scheduler": "RoundRobin"}))),
        None,
        "server groups are the Service's"
    );
    let managed = json!({"id": "nlb-1", "instance": "Manage", "listeners": "Override"});
    assert_eq!(
        path(json!({"existing": managed, "name": "ab", "idleTimeout": "1m"})),
        None
    );
    // Whatever another binding says: without consent it is not written.
    let both = json!({"existing": {"id": "nlb-1"}, "name": "ab", "idleTimeout": "1m", "scheduler": "RoundRobin"});
    assert_eq!(
        written(both),
        pairs(&[("id", "nlb-1"), ("scheduler", "rr")])
    );
}

#[test]
fn levels_follow_from_what_a_setting_becomes() {
    let of = |level: Level| -> BTreeSet<&str> {
        let rows = ANNOTATIONS.iter().filter(|row| row.level() == level);
        rows.map(|row| row.field.path()).collect()
    };
    let life = ["nlb.existing", "nlb.ipVersion", "nlb.resourceGroupId"];
    assert_eq!(of(Level::Life), life.into());
    let instance = [
        "nlb.addressType",
        "nlb.name",
        "nlb.zoneMappings",
        "nlb.ipv6AddressType",
        "nlb.tags",
        "nlb.securityGroupIds",
        "nlb.bandwidthPackageId",
        "nlb.crossZone",
    ];
    assert_eq!(of(Level::Instance), instance.into());
    let service = [
        "nlb.onDelete",
        "nlb.scheduler",
        "nlb.connectionDrain",
        "nlb.clientAddress",
        "nlb.healthCheck",
        "nlb.backends",
    ];
    assert_eq!(of(Level::Service), service.into());
    assert!(ANNOTATIONS.iter().all(|row| row.change != Change::Ignored));
}

#[test]
fn what_nobody_wants_goes_back_by_the_defaults_of_this_kind() {
    let bare = service(&[("scheduler", "Sch"), ("address-type", "intranet")]);
    let undone = |name: &str| left(&key(name), None, &bare).map(|(_, value)| value);
    assert_eq!(undone("scheduler").as_deref(), Some("Wrr"));
    assert_eq!(undone("health-check-flag").as_deref(), Some("on"));
    assert_eq!(
        undone("security-group-ids").as_deref(),
        Some(""),
        "all leave"
    );
    assert_eq!(undone("cert-id"), None);
    assert_eq!(
        undone("address-type").as_deref(),
        Some("intranet"),
        "nobody asked for a public one"
    );
    assert_eq!(undone("ipv6-address-type").as_deref(), Some("intranet"));
    assert_eq!(
        undone("name").as_deref(),
        Some("a0af1b2c300001111222233334444555")
    );
    let classic = ServiceState {
        class: None,
        ..bare.clone()
    };
    let undone = left(&key("scheduler"), None, &classic).map(|(_, value)| value);
    assert_eq!(undone.as_deref(), Some("rr"), "the other kind has others");
}

#[test]
fn zones_in_another_order_are_not_written_again() {
    let said = "cn-b-h:vsw-b,cn-b-g:vsw-a";
    let by_hand = service(&[("zone-maps", said)]);
    let written = completed(&with(json!({})), &by_hand);
    assert_eq!(written[&key("zone-maps")], said);
    let other = service(&[("zone-maps", "cn-b-h:vsw-b")]);
    let written = completed(&with(json!({})), &other);
    assert_eq!(written[&key("zone-maps")], "cn-b-g:vsw-a,cn-b-h:vsw-b");
}

#[test]
fn a_setting_is_meant_as_a_whole() {
    let by_hand = service(&[
        ("health-check-httpcode", "http_5xx"),
        ("health-check-interval", "50"),
    ]);
    let written = completed(&with(json!({"healthCheck": {"type": "TCP"}})), &by_hand);
    assert_eq!(written[&key("health-check-httpcode")], "http_2xx");
    assert_eq!(written[&key("health-check-interval")], "5");
    assert!(
        !written.contains_key(&key("healthy-threshold")),
        "nobody set it"
    );
}

/// Where its mere removal undoes an annotation, or nothing does; all others get a default written.
#[test]
fn an_annotation_is_removed_only_where_that_undoes_it_or_nothing_does() {
    let acts = [
        "preserve-lb-on-delete",
        "protocol-port",
        "listener-port-range",
        "backend-type",
        "backend-label",
        "remove-unscheduled-backend",
        "default-weight",
        "ignore-weight-update",
    ];
    let counts_only_beside_another = [
        "cert-id",
        "cacert-id",
        "alpn-policy",
        "connection-drain-timeout",
        "health-check-uri",
    ];
    let stays_in_the_cloud = [
        "additional-resource-tags",
        "health-check-connect-port",
        "idle-timeout",
        "preserve-client-ip",
    ];
    let with = |undo: Undo| -> BTreeSet<&str> {
        let rows = ANNOTATIONS.iter().filter(|row| row.undo == undo);
        rows.map(|row| row.key).collect()
    };
    let removed = acts.into_iter().chain(counts_only_beside_another);
    assert_eq!(with(Undo::Remove), removed.collect());
    assert_eq!(with(Undo::Forget), stays_in_the_cloud.into());
    assert_eq!(with(Undo::Stay), ["address-type", "zone-maps"].into());
}
