//! What of a network load balancer is not as its settings say: not yet, or no longer. All of it the cloud
//! controller manager puts back once it looks at the Service again.

use std::collections::BTreeMap;

use crds::v1alpha1::{NlbField, NlbListener, NlbProtocol, NlbSettings, Switch};
use k8s_openapi::api::core::v1::ServicePort;
use serde_json::Value;

use super::annotations::{address_type, annotations};
use super::listener_drift::of_listener;
use super::state::NlbState;
use crate::core::diff::FieldChange;
use crate::core::observed::ListenerState;
use crate::core::slb::compare;

/// Every setting that the load balancer does not show, in the order in which settings are reported.
/// `ports` are those of the Service.
pub fn drift(settings: &NlbSettings, actual: &NlbState, ports: &[ServicePort]) -> Vec<FieldChange> {
    let mut drift = Vec::new();
    let mut note = |field: NlbField, part: &str, is: &str, wanted: Option<String>| {
        if let Some(wanted) = wanted.filter(|wanted| !wanted.eq_ignore_ascii_case(is)) {
            drift.push(FieldChange {
                path: format!("{}{part}", field.path()),
                from: (!is.is_empty()).then(|| Value::from(is)),
                to: Some(wanted.into()),
            });
        }
    };
    let kind = settings.address_type.map(address_type).map(str::to_owned);
    note(NlbField::AddressType, "", &actual.address_type, kind);
    note(NlbField::Name, "", &actual.name, settings.name.clone());
    for zone in settings.zone_mappings.iter().flatten() {
        let has = actual.zones.iter().find(|has| has.id == zone.zone_id);
        let is = has.map_or("", |has| has.vswitch_id.as_str());
        let part = format!(".{}", zone.zone_id);
        let wanted = Some(zone.vswitch_id.clone());
        note(NlbField::ZoneMappings, &part, is, wanted);
    }
    for (key, wanted) in settings.tags.iter().flatten() {
        let is = actual.tags.get(key).map_or("", String::as_str);
        note(NlbField::Tags, &format!(".{key}"), is, Some(wanted.clone()));
    }
    let sorted = |ids: &[String]| {
        let mut ids = ids.to_vec();
        ids.sort();
        ids.join(",")
    };
    let groups = settings.security_group_ids.as_deref().map(sorted);
    let is = sorted(&actual.security_group_ids);
    note(NlbField::SecurityGroupIds, "", &is, groups);
    let package = settings.bandwidth_package_id.clone();
    let is = &actual.bandwidth_package_id;
    note(NlbField::BandwidthPackageId, "", is, package);
    let cross = settings.cross_zone.map(|switch| switch == Switch::Enabled);
    let word = |on: bool| if on { "Enabled" } else { "Disabled" };
    let is = word(actual.cross_zone);
    let cross = cross.map(|on| word(on).to_owned());
    note(NlbField::CrossZone, "", is, cross);
    drift.extend(listeners(settings, actual, ports));
    drift
}

/// Listeners that are gone, stopped, or speak something else; and of the others each setting that differs.
fn listeners(settings: &NlbSettings, actual: &NlbState, ports: &[ServicePort]) -> Vec<FieldChange> {
    let kept = settings
        .existing
        .as_ref()
        .is_some_and(|existing| !existing.overrides_listeners());
    let Some(seen) = actual.listeners.as_ref().filter(|_| !kept) else {
        return Vec::new();
    };
    let asked: BTreeMap<i32, &NlbListener> = settings
        .listeners
        .iter()
        .flatten()
        .map(|listener| (listener.port, listener))
        .collect();
    let written = annotations(settings);
    let mut drift = Vec::new();
    let mut differences = Vec::new();
    for port in ports {
        let asked = asked.get(&port.port);
        let wanted = match asked {
            Some(listener) => protocol(listener.protocol),
            None if port.protocol.as_deref() == Some("UDP") => "UDP",
            None => "TCP",
        };
        let range = asked.and_then(|listener| listener.range);
        let (first, last) = range.map_or((port.port, 0), |range| (range.first, range.last));
        let is_here = |listener: &&ListenerState| {
            let udp = (listener.protocol == "UDP") == (wanted == "UDP");
            let last_port = i32::from(listener.last_port);
            (i32::from(listener.port), last_port) == (first, last) && udp
        };
        let is = seen.iter().find(is_here);
        match is.filter(|is| is.protocol == wanted && is.status != "Stopped") {
            Some(is) => differences.extend(of_listener(&written, is)),
            None => drift.push(FieldChange {
                path: format!("{}.{}", NlbField::Listeners.path(), port.port),
                from: is.map(|is| Value::from(format!("{} {}", is.protocol, is.status))),
                to: Some(format!("{wanted} Running").into()),
            }),
        }
    }
    drift.extend(compare::changes(differences));
    drift
}

/// As the cloud writes it.
fn protocol(protocol: NlbProtocol) -> &'static str {
    match protocol {
        NlbProtocol::Tcp => "TCP",
        NlbProtocol::Udp => "UDP",
        NlbProtocol::TcpSsl => "TCPSSL",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::core::nlb::Zone;

    fn actual() -> NlbState {
        NlbState {
            name: "web".into(),
            address_type: "Intranet".into(),
            cross_zone: true,
            security_group_ids: vec!["sg-1".into(), "sg-2".into()],
            zones: vec![Zone {
                id: "a".into(),
                vswitch_id: "vsw-a".into(),
                ..Zone::default()
            }],
            tags: BTreeMap::from([("team".into(), "shop".into())]),
            listeners: Some(vec![
                listener(80, 0, "TCP", "Running"),
                listener(1000, 2000, "UDP", "Configuring"),
            ]),
            ..NlbState::default()
        }
    }

    fn listener(port: u16, last_port: u16, protocol: &str, status: &str) -> ListenerState {
        ListenerState {
            port,
            last_port,
            protocol: protocol.into(),
            status: status.into(),
            ..ListenerState::default()
        }
    }

    fn paths(settings: Value, actual: &NlbState) -> Vec<String> {
        let settings: NlbSettings = serde_json::from_value(settings).unwrap();
        let port = |port, protocol: &str| ServicePort {
            port,
            protocol: Some(protocol.into()),
            ..ServicePort::default()
        };
        let ports = [port(80, "TCP"), port(81, "UDP")];
        let drift = drift(&settings, actual, &ports);
        drift.into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn what_differs_is_named_by_its_setting() {
        let range =
            json!([{"port": 81, "protocol": "UDP", "range": {"first": 1000, "last": 2000}}]);
        let as_it_is = json!({
            "addressType": "Intranet", "name": "web", "tags": {"team": "shop"}, "crossZone": "Enabled",
            "zoneMappings": [{"zoneId": "a", "vswitchId": "vsw-a"}],
            "securityGroupIds": ["sg-2", "sg-1"], "listeners": range,
        });
        assert_eq!(paths(as_it_is, &actual()), [""; 0]);
        let other = json!({
            "addressType": "Internet", "name": "x", "tags": {"team": "y"}, "crossZone": "Disabled",
            "zoneMappings": [{"zoneId": "a", "vswitchId": "vsw-x"}, {"zoneId": "b", "vswitchId": "vsw-b"}],
            "securityGroupIds": [], "bandwidthPackageId": "cbwp-1",
            "listeners": [{"port": 80, "protocol": "TCPSSL"}],
        });
        let all = [
            "nlb.addressType",
            "nlb.name",
            "nlb.zoneMappings.a",
            "nlb.zoneMappings.b",
            "nlb.tags.team",
            "nlb.securityGroupIds",
            "nlb.bandwidthPackageId",
            "nlb.crossZone",
            "nlb.listeners.80",
            "nlb.listeners.81",
        ];
        assert_eq!(paths(other, &actual()), all);
    }

    #[test]
    fn listeners_that_are_gone_or_stopped_are_missed_unless_they_are_somebodys_own() {
        let stopped = NlbState {
            listeners: Some(vec![listener(80, 0, "TCP", "Stopped")]),
            ..actual()
        };
        let both = ["nlb.listeners.80", "nlb.listeners.81"];
        assert_eq!(paths(json!({}), &stopped), both);
        assert_eq!(
            paths(json!({"existing": {"id": "nlb-1"}}), &stopped),
            [""; 0]
        );
        let unread = NlbState::default();
        assert_eq!(paths(json!({}), &unread), [""; 0]);
    }
}
