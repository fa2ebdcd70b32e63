//! What the cloud controller manager does that nobody expects, and what is done about it. Each was seen
//! with version 2.14.0, or is in its source.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{Reason, SlbSettings};
use k8s_openapi::api::core::v1::ServicePort;
use serde_json::{Value, json};

use super::table::{ANNOTATIONS, Change, UNWRITTEN, Undo};
use super::*;
use crate::core::desired::ServiceShape;
use crate::core::observed::LoadBalancerState;

fn settings(value: Value) -> SlbSettings {
    serde_json::from_value(value).unwrap()
}

/// A Service that says this, and of which the keys in `ours` are the operator's.
pub(super) fn service(says: &[(String, &str)], ours: &[&str]) -> ServiceState {
    let says = says.iter();
    ServiceState {
        annotations: says
            .map(|(key, value)| (key.clone(), (*value).to_owned()))
            .collect(),
        our_annotations: ours.iter().map(|name| key(name)).collect(),
        ..ServiceState::default()
    }
}

/// The key of old of an annotation as the table names it.
pub(super) fn older(name: &str) -> String {
    format!("{LEGACY_PREFIX}{name}")
}

/// What is written to a Service for these settings, by the names of the table.
fn written(value: Value, service: &ServiceState) -> BTreeMap<String, String> {
    let written = completed(&settings(value), service).into_iter();
    written
        .map(|(key, value)| (name(&key).unwrap().to_owned(), value))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn the_current_form_of_a_key_counts_even_where_it_is_empty() {
    let both = service(&[(key("name"), ""), (older("name"), "old")], &[]);
    assert_eq!(said("name", &both), None);
    let one = service(&[(older("name"), "old")], &[]);
    assert_eq!(said("name", &one).map(String::as_str), Some("old"));
}

#[test]
fn an_older_key_that_would_come_back_is_masked() {
    let one = service(&[(older("slave-zoneid"), "x"), (older("cookie"), "c")], &[]);
    let asks = json!({"sessionPersistence": {"insertedCookie": {"timeout": "1m"}}});
    let expected = pairs(&[
        ("sticky-session", "on"),
        ("sticky-session-type", "insert"),
        ("cookie-timeout", "60"),
        ("cookie", ""),
    ]);
    assert_eq!(written(asks.clone(), &one), expected);
    let again = service(&[(older("cookie"), "c"), (key("cookie"), "")], &["cookie"]);
    assert_eq!(written(asks, &again), expected, "it stays masked");
    let untouched = written(json!({"name": "x"}), &one);
    assert_eq!(untouched, pairs(&[("name", "x")]), "what nobody sets stays");
}

#[test]
fn a_field_is_meant_as_a_whole() {
    let by_hand = service(
        &[
            (key("health-check-httpcode"), "http_5xx"),
            (key("health-check-uri"), "/theirs"),
            (older("unhealthy-threshold"), "9"),
        ],
        &[],
    );
    let written = written(json!({"healthCheck": {"type": "TCP"}}), &by_hand);
    assert_eq!(written["health-check-httpcode"], "http_2xx");
    assert_eq!(written["health-check-uri"], "");
    assert_eq!(written["unhealthy-threshold"], "3");
    assert!(!written.contains_key("healthy-threshold"), "nobody set it");
}

/// All others get their default written instead.
#[test]
fn an_annotation_is_removed_only_where_that_undoes_it_or_nothing_does() {
    let acts = [
        "protocol-port",
        "forward-port",
        "cert-id",
        "hostname",
        "external-ip-type",
        "preserve-lb-on-delete",
        "backend-type",
        "backend-label",
        "remove-unscheduled-backend",
        "default-weight",
        "ignore-weight-update",
    ];
    let counts_only_beside_another = [
        "bandwidth",
        "sticky-session-type",
        "cookie-timeout",
        "cookie",
        "connection-drain-timeout",
        "acl-type",
        "acl-id",
        "health-check-uri",
    ];
    let stays_in_the_cloud = ["additional-resource-tags", "domain-extensions"];
    let with = |undo: Undo| -> BTreeSet<&str> {
        let rows = ANNOTATIONS.iter().filter(|row| row.undo == undo);
        rows.map(|row| row.key).collect()
    };
    let removed = acts.into_iter().chain(counts_only_beside_another);
    assert_eq!(with(Undo::Remove), removed.collect());
    assert_eq!(with(Undo::Forget), stays_in_the_cloud.into());
}

#[test]
fn values_are_spelled_as_the_api_spells_them() {
    let cases = [
        (
            "addressType",
            "address-type",
            &[("Intranet", "intranet"), ("Internet", "internet")][..],
        ),
        (
            "ipVersion",
            "ip-version",
            &[("IPv4", "ipv4"), ("IPv6", "ipv6")],
        ),
        (
            "scheduler",
            "scheduler",
            &[
                ("RoundRobin", "rr"),
                ("WeightedRoundRobin", "wrr"),
                ("SourceHash", "sch"),
                ("TupleHash", "tch"),
                ("QUICHash", "qch"),
            ],
        ),
        (
            "http2",
            "http2-enabled",
            &[("Enabled", "on"), ("Disabled", "off")],
        ),
        (
            "proxyProtocol",
            "proxy-protocol",
            &[("Enabled", "on"), ("Disabled", "off")],
        ),
        ("publishedAddress", "external-ip-type", &[("EIP", "eip")]),
        ("onDelete", "preserve-lb-on-delete", &[("Preserve", "true")]),
    ];
    for (field, name, words) in cases {
        for (word, value) in words {
            let written = written(json!({field: word}), &ServiceState::default());
            assert_eq!(written, pairs(&[(name, value)]), "{field}: {word}");
        }
    }
    let charges = [("PayByCLCU", "PayByCLCU"), ("PayBySpec", "PayBySpec")];
    for (word, value) in charges {
        let written = written(
            json!({"billing": {"instance": word}}),
            &ServiceState::default(),
        );
        assert_eq!(written["instance-charge-type"], value, "always said");
    }
}

#[test]
fn a_spec_or_a_bandwidth_that_would_be_ignored_is_refused() {
    let refused = |billing: Value| {
        let fault = check(&settings(
            json!({"addressType": "Internet", "billing": billing}),
        ));
        fault.map(|fault| fault.path)
    };
    for alone in [
        json!({"instance": "PayByCLCU", "spec": "slb.s1.small"}),
        json!({"instance": "PayByCLCU", "traffic": "PayByBandwidth", "bandwidthMbps": 2}),
        json!({"instance": "PayBySpec", "bandwidthMbps": 2}),
        json!({"instance": "PayBySpec", "traffic": "PayByBandwidth"}),
    ] {
        assert_eq!(refused(alone), Some("slb.billing"));
    }
    let whole = json!({"instance": "PayBySpec", "traffic": "PayByBandwidth", "bandwidthMbps": 2});
    assert_eq!(refused(whole.clone()), None);
    let written = written(json!({"billing": whole}), &ServiceState::default());
    assert_eq!(written["charge-type"], "paybybandwidth");
    assert_eq!(written["bandwidth"], "2");
}

fn actual() -> LoadBalancerState {
    LoadBalancerState {
        id: "lb-1".into(),
        address_type: "intranet".into(),
        address: "10.0.0.1".into(),
        primary_zone: "cn-b-g".into(),
        backup_zone: "cn-b-f".into(),
        vswitch_id: "vsw-1".into(),
        ip_version: "ipv4".into(),
        resource_group_id: "rg-1".into(),
        instance_charge: "PayByCLCU".into(),
        ..LoadBalancerState::default()
    }
}

fn judged(value: Value, service: &ServiceState, actual: &LoadBalancerState) -> Option<Fault> {
    let scene = Scene {
        service: Some(service),
        shape: None,
        load_balancer: Some(actual),
        existing: None,
    };
    scene.judge(&settings(value))
}

#[test]
fn what_is_for_life_is_refused_with_the_way_out() {
    let cases = [
        (json!({"addressType": "Internet"}), "slb.addressType"),
        (json!({"zones": {"primary": "cn-b-f"}}), "slb.zones.primary"),
        (
            json!({"zones": {"primary": "cn-b-g", "backup": "cn-b-h"}}),
            "slb.zones.backup",
        ),
        (json!({"vswitchId": "vsw-2"}), "slb.vswitchId"),
        (json!({"address": "10.0.0.2"}), "slb.address"),
        (json!({"ipVersion": "IPv6"}), "slb.ipVersion"),
        (json!({"resourceGroupId": "rg-2"}), "slb.resourceGroupId"),
        (
            json!({"billing": {"instance": "PayBySpec"}}),
            "slb.billing.instance",
        ),
    ];
    for (value, path) in cases {
        let fault = judged(value, &ServiceState::default(), &actual()).unwrap();
        assert_eq!((fault.reason, fault.path), (Reason::Immutable, path));
        let way_out = ["delete the gateway's Service", "Set instance: PayByCLCU"];
        assert!(
            way_out.iter().any(|words| fault.why.contains(words)),
            "{}",
            fault.why
        );
        assert!(fault.why.contains("lb-1"), "{}", fault.why);
    }
    for row in ANNOTATIONS
        .iter()
        .filter(|row| row.change != Change::Update)
    {
        let for_life = matches!(row.change, Change::Refused | Change::Ignored);
        assert!(for_life || row.undo == Undo::Remove, "{}", row.key);
    }
}

#[test]
fn tags_that_would_take_others_away_are_refused() {
    let mut labelled = actual();
    let tags = [
        "kubernetes.do.not.delete",
        "ack.aliyun.com",
        "acs:rm",
        "owner",
        "team",
    ];
    labelled.tags = pairs(&tags.map(|key| (key, "x")));
    let asks = json!({"tags": {"team": "shop"}});
    let fault = judged(asks.clone(), &ServiceState::default(), &labelled).unwrap();
    assert_eq!(
        (fault.reason, fault.path),
        (Reason::ForeignField, "slb.tags")
    );
    assert!(fault.why.contains("(owner)"), "{}", fault.why);
    let both = json!({"tags": {"team": "shop", "owner": "x"}});
    assert_eq!(judged(both, &ServiceState::default(), &labelled), None);
    let tagged = service(&[(key("additional-resource-tags"), "team=shop")], &[]);
    assert_eq!(
        judged(asks, &tagged, &labelled),
        None,
        "later ones are drift"
    );
}

#[test]
fn nothing_but_presence_counts_of_what_preserves() {
    let said = |value| service(&[(key("preserve-lb-on-delete"), value)], &[]);
    let deletes = json!({"onDelete": "Delete"});
    assert_eq!(
        written(deletes.clone(), &ServiceState::default()),
        pairs(&[])
    );
    let masked = pairs(&[("preserve-lb-on-delete", "")]);
    assert_eq!(written(deletes.clone(), &said("false")), masked);
    let of_old = service(&[(older("preserve-lb-on-delete"), "true")], &[]);
    assert_eq!(written(deletes, &of_old), masked);
}

#[test]
fn the_certificate_of_a_host_is_not_exchanged() {
    let asks = |hosts: Value| {
        json!({
            "listeners": [{"port": 443, "protocol": "HTTPS"}],
            "certificate": {"id": "a", "hosts": hosts},
        })
    };
    let has = service(
        &[(key("domain-extensions"), "x.example.com:b,y.example.com:c")],
        &[],
    );
    let exchanged = asks(json!([{"host": "y.example.com", "id": "d"}]));
    let fault = judged(exchanged, &has, &actual()).unwrap();
    assert_eq!(
        (fault.reason, fault.path),
        (Reason::Immutable, "slb.certificate.hosts")
    );
    assert!(fault.why.contains("y.example.com"), "{}", fault.why);
    assert!(fault.why.contains("Take the host out"), "{}", fault.why);
    let fewer =
        asks(json!([{"host": "y.example.com", "id": "c"}, {"host": "z.example.com", "id": "d"}]));
    assert_eq!(judged(fewer, &has, &actual()), None);
}

/// Numbers and transports of a Service's ports.
type Ports<'a> = &'a [(i32, &'a str)];

fn on_ports(value: Value, ports: Ports<'_>) -> Option<&'static str> {
    let ports = ports.iter().map(|(port, protocol)| ServicePort {
        port: *port,
        protocol: Some((*protocol).to_owned()),
        ..ServicePort::default()
    });
    let shape = ServiceShape {
        ports: ports.collect(),
        ..ServiceShape::default()
    };
    let scene = Scene {
        shape: Some(&shape),
        ..Scene::default()
    };
    scene.judge(&settings(value)).map(|fault| fault.path)
}

#[test]
fn what_no_listener_of_the_service_knows_is_refused() {
    let tcp = [(80, "TCP")];
    let udp = [(53, "UDP")];
    let all = [(80, "TCP"), (53, "UDP")];
    let requests = |field: &str, value: Value| json!({"listeners": [{"port": 80, "protocol": "HTTP"}], field: value});
    let drain = json!({"timeout": "30s"});
    let established = json!({"established": "30s"});
    let source = json!({"sourceAddress": "30s"});
    let cases: [(Value, Ports<'_>, Option<&str>); 13] = [
        (json!({"scheduler": "QUICHash"}), &udp, None),
        (
            json!({"scheduler": "QUICHash"}),
            &all,
            Some("slb.scheduler"),
        ),
        (json!({"scheduler": "TupleHash"}), &all, None),
        (
            requests("scheduler", json!("TupleHash")),
            &all,
            Some("slb.scheduler"),
        ),
        (
            requests("connectionDrain", drain.clone()),
            &tcp,
            Some("slb.connectionDrain"),
        ),
        (requests("connectionDrain", drain), &all, None),
        (
            requests("proxyProtocol", json!("Enabled")),
            &tcp,
            Some("slb.proxyProtocol"),
        ),
        (json!({"proxyProtocol": "Enabled"}), &udp, None),
        (json!({"timeouts": established}), &udp, Some("slb.timeouts")),
        (
            json!({"sessionPersistence": source}),
            &udp,
            Some("slb.sessionPersistence"),
        ),
        (json!({"sessionPersistence": source}), &tcp, None),
        (
            json!({"listeners": [{"port": 53, "protocol": "TCP"}]}),
            &udp,
            Some("slb.listeners"),
        ),
        (
            json!({"listeners": [{"port": 80, "protocol": "UDP"}]}),
            &tcp,
            Some("slb.listeners"),
        ),
    ];
    for (value, ports, path) in cases {
        assert_eq!(on_ports(value.clone(), ports), path, "{value} on {ports:?}");
    }
}

#[test]
fn a_service_that_is_left_to_others_is_refused() {
    let of_type = |type_: &str| ServiceState {
        type_: type_.to_owned(),
        ..ServiceState::default()
    };
    assert!(
        untyped(&of_type("ClusterIP"))
            .unwrap()
            .contains("type: LoadBalancer")
    );
    assert_eq!(untyped(&of_type("LoadBalancer")), None);
    assert_eq!(unmanaged(&of_type("LoadBalancer")), None);
    let for_another = ServiceState {
        class: Some("alibabacloud.com/nlb".into()),
        ..of_type("LoadBalancer")
    };
    assert!(
        unmanaged(&for_another)
            .unwrap()
            .contains("loadBalancerClass \"alibabacloud.com/nlb\"")
    );
    let class = "service.beta.kubernetes.io/class".to_owned();
    assert_eq!(unmanaged(&service(&[(class.clone(), "")], &[])), None);
    let classed = service(&[(class, "mine")], &[]);
    assert!(unmanaged(&classed).unwrap().contains("would hang"));
    let tunnelled = service(&[(key("tunnel-type"), "")], &[]);
    assert!(
        unmanaged(&tunnelled)
            .unwrap()
            .contains("leaves it to others")
    );
}

#[test]
fn a_weight_that_the_service_gives_by_itself_is_refused() {
    let shape = ServiceShape {
        external_traffic_policy: crds::v1alpha1::ExternalTrafficPolicy::Local,
        ..ServiceShape::default()
    };
    let scene = Scene {
        shape: Some(&shape),
        ..Scene::default()
    };
    let weighs = settings(json!({"backends": {"weight": 50}}));
    assert_eq!(scene.judge(&weighs).unwrap().path, "slb.backends.weight");
    assert_eq!(
        scene.judge(&settings(json!({"backends": {"type": "Nodes"}}))),
        None
    );
}

/// The keys that the cloud controller manager reads for a classic load balancer, from the sources
/// `pkg/controller/service/clbv1`, `.../reconcile/backend` and `pkg/controller/helper` of v2.14.0.
const READ: &str = "
    address-type network-type vswitch-id ip master-zoneid slave-zoneid spec instance-charge-type
    charge-type bandwidth name id force-override-listeners ip-version resource-group-id
    delete-protection modification-protection additional-resource-tags preserve-lb-on-delete
    external-ip-type hostname
    protocol-port cert-id tls-cipher-policy http2-enabled domain-extensions forward-port scheduler
    persistence-timeout established-timeout idle-timeout request-timeout sticky-session
    sticky-session-type cookie-timeout cookie connection-drain connection-drain-timeout
    proxy-protocol acl-status acl-id acl-type xforwardedfor-proto xforwardedfor-slbport
    xforwardedfor-clientsrcport health-check-flag health-check-switch health-check-type
    health-check-uri health-check-domain health-check-method health-check-httpcode
    health-check-connect-port healthy-threshold unhealthy-threshold health-check-interval
    health-check-connect-timeout health-check-timeout
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
    assert!(UNWRITTEN.iter().all(|one| one.why.ends_with('.')));
}
