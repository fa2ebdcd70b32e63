//! Every setting becomes its annotations, and what cannot be is refused.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{Reason, SlbField, SlbSettings};
use k8s_openapi::api::core::v1::ServicePort;
use serde_json::{Value, json};

use super::observe::check_immutable;
use super::table::{ANNOTATIONS, Change, Undo};
use super::*;
use crate::core::desired::ServiceShape;
use crate::core::observed::LoadBalancerState;

fn settings(value: Value) -> SlbSettings {
    serde_json::from_value(value).unwrap()
}

/// Settings that together say everything that can be said.
pub(super) fn everything() -> Vec<SlbSettings> {
    [
        json!({
            "addressType": "Intranet", "name": "knative",
            "zones": {"primary": "cn-beijing-g", "backup": "cn-beijing-f"},
            "vswitchId": "vsw-1", "address": "192.168.0.23", "ipVersion": "IPv4",
            "billing": {"instance": "PayBySpec", "spec": "slb.s1.small"},
            "resourceGroupId": "rg-1", "tags": {"team": "shop", "tier": ""},
            "protection": {"deletion": "Disabled", "modification": "Enabled"},
            "publishedAddress": "EIP", "onDelete": "Preserve",
            "listeners": [
                {"port": 443, "protocol": "HTTPS"},
                {"port": 80, "protocol": "HTTP", "redirectTo": 443},
            ],
            "certificate": {
                "id": "1_2",
                "hosts": [
                    {"host": "shop.example.com", "id": "1_4"}, {"host": "*.example.com", "id": "1_3"},
                ],
            },
            "tlsPolicy": "tls_cipher_policy_1_2_strict", "http2": "Disabled",
            "forwardedHeaders": ["ClientPort", "Protocol"],
            "scheduler": "WeightedRoundRobin",
            "sessionPersistence": {"sourceAddress": "5m", "insertedCookie": {"timeout": "1h"}},
            "connectionDrain": {"timeout": "30s"},
            "timeouts": {"established": "10m", "idle": "20s", "request": "1m30s"},
            "clientAddresses": {"allowACLs": ["acl-1", "acl-2"]},
            "healthCheck": {
                "type": "HTTP", "path": "/healthz", "host": "a.example.com", "method": "GET",
                "statusCodes": ["3xx", "2xx"], "port": 8080, "interval": "5s", "timeout": "6s",
                "healthyThreshold": 4, "unhealthyThreshold": 2,
            },
        }),
        json!({
            "addressType": "Internet", "ipVersion": "IPv6",
            "existing": {"id": "lb-1", "listeners": "Override", "instance": "Manage"},
            "publishedHostname": "gateway.example.com", "onDelete": "Delete",
            "billing": {
                "instance": "PayBySpec", "traffic": "PayByBandwidth", "bandwidthMbps": 2,
            },
            "listeners": [{"port": 80, "protocol": "HTTP"}],
            "sessionPersistence": {"serverCookie": {"name": "JSESSIONID"}},
            "clientAddresses": {"denyACLs": ["acl-3"]},
            "healthCheck": {"type": "None"},
        }),
        json!({
            "addressType": "Intranet", "scheduler": "SourceHash", "proxyProtocol": "Enabled",
            "publishedAddress": "Own",
            "healthCheck": {"type": "TCP", "interval": "1s"},
            "backends": {
                "type": "Nodes", "nodeLabels": {"pool": "ingress", "tier": ""},
                "cordonedNodes": "Remove", "weight": 50, "consoleWeights": "Keep",
            },
        }),
    ]
    .map(settings)
    .into()
}

fn written(settings: &SlbSettings) -> BTreeMap<String, String> {
    let annotations = annotations(settings).into_iter();
    let bare = annotations.map(|(key, value)| (name(&key).unwrap().to_owned(), value));
    bare.collect()
}

#[test]
fn settings_become_annotations_in_the_current_form() {
    let all: Vec<_> = everything().iter().map(written).collect();
    insta::assert_json_snapshot!(all);
}

#[test]
fn the_table_has_every_annotation_and_nothing_else() {
    let written: BTreeSet<String> = everything()
        .iter()
        .flat_map(|settings| written(settings).into_keys())
        .collect();
    let listed: BTreeSet<String> = ANNOTATIONS.iter().map(|row| row.key.to_owned()).collect();
    assert_eq!(written, listed);
    assert_eq!(listed.len(), ANNOTATIONS.len());
    for row in ANNOTATIONS {
        let for_life = matches!(row.change, Change::Refused | Change::Ignored);
        assert!(!for_life || row.undo == Undo::Keep, "{}", row.key);
    }
}

#[test]
fn each_annotation_comes_from_the_field_that_the_table_names() {
    for settings in everything() {
        for field in SlbField::EACH
            .iter()
            .filter(|field| field.is_set(&settings))
        {
            let mut alone = SlbSettings::default();
            field.copy(&mut alone, &settings);
            for key in written(&alone).keys() {
                assert_eq!(table::find(key).unwrap().field, *field, "{key}");
            }
        }
    }
}

#[test]
fn a_value_is_read_from_the_text_that_it_is_recorded_as() {
    for settings in everything() {
        for field in SlbField::EACH
            .iter()
            .filter(|field| field.is_set(&settings))
        {
            let mut read = SlbSettings::default();
            field.read(&mut read, &field.value(&settings).unwrap());
            assert!(field.agrees(&read, &settings), "{}", field.path());
        }
    }
}

#[test]
fn what_has_no_effect_or_blocks_the_service_is_refused() {
    let intranet = |field: &str, value: Value| json!({"addressType": "Intranet", field: value});
    let internet = |field: &str, value: Value| json!({"addressType": "Internet", field: value});
    let https = json!([{"port": 443, "protocol": "HTTPS"}]);
    let redirect = json!([{"port": 80, "protocol": "HTTP", "redirectTo": 443}]);
    let by_bandwidth =
        json!({"instance": "PayBySpec", "traffic": "PayByBandwidth", "bandwidthMbps": 2});
    let cookie = json!({"insertedCookie": {"timeout": "1h"}});
    let cases = [
        (internet("vswitchId", json!("vsw-1")), "slb.vswitchId"),
        (internet("address", json!("10.0.0.1")), "slb.address"),
        (
            internet("publishedAddress", json!("EIP")),
            "slb.publishedAddress",
        ),
        (intranet("ipVersion", json!("IPv6")), "slb.ipVersion"),
        (intranet("billing", by_bandwidth), "slb.billing.traffic"),
        (intranet("listeners", https), "slb.certificate"),
        (intranet("listeners", redirect), "slb.listeners"),
        (
            intranet("certificate", json!({"id": "1"})),
            "slb.certificate",
        ),
        (
            intranet("tlsPolicy", json!("tls_cipher_policy_1_2")),
            "slb.tlsPolicy",
        ),
        (
            intranet("sessionPersistence", cookie),
            "slb.sessionPersistence",
        ),
        (intranet("timeouts", json!({"idle": "20s"})), "slb.timeouts"),
    ];
    for (value, path) in cases {
        let fault = check(&settings(value.clone()));
        assert_eq!(fault.map(|fault| fault.path), Some(path), "{value}");
    }
    for good in everything() {
        assert_eq!(check(&good), None);
    }
}

fn ports(ports: [i32; 2]) -> Vec<ServicePort> {
    let ports = ports.map(|port| ServicePort {
        port,
        ..ServicePort::default()
    });
    ports.into()
}

#[test]
fn a_listener_of_a_port_that_the_service_lacks_is_refused() {
    let settings = settings(json!({"listeners": [{"port": 8443, "protocol": "TCP"}]}));
    let judged = |ports: [i32; 2]| {
        let shape = ServiceShape {
            ports: self::ports(ports),
            ..ServiceShape::default()
        };
        let scene = Scene {
            shape: Some(&shape),
            ..Scene::default()
        };
        scene.judge(&settings)
    };
    let fault = judged([80, 443]).unwrap();
    assert!(
        fault.why.contains("no port 8443; it has 80, 443"),
        "{}",
        fault.why
    );
    assert_eq!(judged([80, 8443]), None);
}

fn actual() -> LoadBalancerState {
    LoadBalancerState {
        id: "lb-1".into(),
        address_type: "intranet".into(),
        primary_zone: "cn-beijing-g".into(),
        instance_charge: "PayByCLCU".into(),
        delete_protection: "on".into(),
        ..LoadBalancerState::default()
    }
}

#[test]
fn what_a_load_balancer_keeps_for_life_is_refused() {
    let cases = [
        (json!({"addressType": "Internet"}), "slb.addressType"),
        (
            json!({"zones": {"primary": "cn-beijing-f"}}),
            "slb.zones.primary",
        ),
        (
            json!({"billing": {"instance": "PayBySpec"}}),
            "slb.billing.instance",
        ),
    ];
    for (value, path) in cases {
        let fault = check_immutable(&settings(value), &actual()).unwrap();
        assert_eq!((fault.reason, fault.path), (Reason::Immutable, path));
    }
    let same = json!({"addressType": "Intranet", "billing": {"instance": "PayByCLCU"}});
    assert_eq!(check_immutable(&settings(same), &actual()), None);
}
