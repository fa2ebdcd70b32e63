//! What only the Service and the load balancer tell.

use k8s_openapi::api::core::v1::ServicePort;

use super::*;
use crate::core::desired::ServiceShape;

fn actual() -> NlbState {
    let zone = |id: &str, vswitch: &str| Zone {
        id: id.into(),
        vswitch_id: vswitch.into(),
        ..Zone::default()
    };
    NlbState {
        id: "nlb-1".into(),
        ip_version: "ipv4".into(),
        resource_group_id: "rg-1".into(),
        zones: vec![
            zone("cn-b-g", "vsw-a"),
            zone("cn-b-h", "vsw-b"),
            zone("cn-b-i", "vsw-c"),
        ],
        tags: BTreeMap::from([("owner".into(), "x".into())]),
        ..NlbState::default()
    }
}

fn judged(settings: &NlbSettings) -> Option<(Reason, &'static str)> {
    let actual = actual();
    let service = service(&[]);
    let port = |port, protocol: &str| ServicePort {
        port,
        protocol: Some(protocol.into()),
        ..ServicePort::default()
    };
    let shape = ServiceShape {
        ports: vec![port(80, "TCP"), port(53, "UDP")],
        ..ServiceShape::default()
    };
    let scene = Scene {
        service: Some(&service),
        shape: Some(&shape),
        load_balancer: Some(&actual),
        existing: None,
    };
    let fault = scene.judge(settings)?;
    Some((fault.reason, fault.path))
}

#[test]
fn what_only_the_scene_tells_is_refused() {
    let all_zones = json!([
        {"zoneId": "cn-b-g", "vswitchId": "vsw-a"},
        {"zoneId": "cn-b-h", "vswitchId": "vsw-b"},
        {"zoneId": "cn-b-i", "vswitchId": "vsw-c"},
    ]);
    let there = |more: Value| {
        let mut all = json!({"addressType": "Internet", "zoneMappings": all_zones});
        for (name, value) in more.as_object().unwrap() {
            all[name] = value.clone();
        }
        settings(all)
    };
    let cases = [
        (there(json!({})), None),
        (
            there(json!({"ipVersion": "DualStack"})),
            Some((Reason::Immutable, "nlb.ipVersion")),
        ),
        (there(json!({"ipVersion": "IPv4"})), None),
        (
            there(json!({"resourceGroupId": "rg-2"})),
            Some((Reason::Immutable, "nlb.resourceGroupId")),
        ),
        (
            there(json!({"zoneMappings": zones()})),
            Some((Reason::InvalidSpec, "nlb.zoneMappings")),
        ),
        (
            there(json!({"zoneMappings": [
                {"zoneId": "cn-b-g", "vswitchId": "vsw-a"}, {"zoneId": "cn-b-j", "vswitchId": "vsw-d"}]})),
            None,
        ),
        (
            there(json!({"listeners": [{"port": 81, "protocol": "TCP"}]})),
            Some((Reason::InvalidSpec, "nlb.listeners")),
        ),
        (
            there(json!({"listeners": [{"port": 53, "protocol": "TCP"}]})),
            Some((Reason::InvalidSpec, "nlb.listeners")),
        ),
        (
            there(json!({"scheduler": "QUICHash"})),
            Some((Reason::InvalidSpec, "nlb.scheduler")),
        ),
        (
            there(json!({"tags": {"team": "shop"}})),
            Some((Reason::ForeignField, "nlb.tags")),
        ),
        (there(json!({"tags": {"owner": "y"}})), None),
        (there(json!({"idleTimeout": "20s"})), None),
        (
            there(json!({"idleTimeout": "21s"})),
            Some((Reason::InvalidSpec, "nlb.idleTimeout")),
        ),
    ];
    for (settings, expected) in cases {
        assert_eq!(judged(&settings), expected, "{settings:?}");
    }
}

#[test]
fn a_service_moves_to_no_other_load_balancer() {
    let of = |says: &[(&str, &str)], value: Value| {
        let service = ServiceState {
            load_balancer_id: Some("nlb-1".into()),
            ..service(says)
        };
        let scene = Scene {
            service: Some(&service),
            ..Scene::default()
        };
        scene.judge(&settings(value)).map(|fault| fault.path)
    };
    let named = [("id", "nlb-1")];
    assert_eq!(of(&named, json!({"existing": {"id": "nlb-1"}})), None);
    assert_eq!(
        of(&named, json!({"existing": {"id": "nlb-2"}})),
        Some("nlb.existing.id")
    );
    assert_eq!(
        of(&[], json!({"existing": {"id": "nlb-2"}})),
        Some("nlb.existing.id")
    );
    assert_eq!(
        of(&named, json!({"zoneMappings": zones()})),
        Some("nlb.existing")
    );
    assert_eq!(of(&[], json!({"zoneMappings": zones()})), None);
}

#[test]
fn only_a_service_of_the_class_gets_one() {
    assert_eq!(unmanaged(&service(&[])), None);
    let without = ServiceState {
        class: None,
        ..service(&[])
    };
    assert!(unmanaged(&without).unwrap().contains("createFrom"));
    let other = ServiceState {
        class: Some("example.com/lb".into()),
        ..service(&[])
    };
    assert!(unmanaged(&other).unwrap().contains("make another Service"));
    assert!(unmanaged(&service(&[("tunnel-type", "")])).is_some());
}
