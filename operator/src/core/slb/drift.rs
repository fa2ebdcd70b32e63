//! What of a load balancer is not as its settings say: not yet, or no longer.

use std::collections::BTreeMap;

use crds::v1alpha1::{SlbField, SlbListener, SlbProtocol, SlbSettings, Switch};
use k8s_openapi::api::core::v1::ServicePort;
use serde_json::Value;

use super::annotations::{annotations, on_off, word};
use super::compare;
use super::listener_drift::of_listener;
use crate::core::diff::FieldChange;
use crate::core::observed::LoadBalancerState;

/// Every setting that the load balancer does not show, in the order in which settings are reported.
/// `ports` are those of the Service.
pub fn drift(
    settings: &SlbSettings,
    actual: &LoadBalancerState,
    ports: &[ServicePort],
) -> Vec<FieldChange> {
    let mut drift = Vec::new();
    let mut note = |field: SlbField, part: &str, is: &str, wanted: Option<String>| {
        if let Some(wanted) = wanted.filter(|wanted| wanted != is) {
            drift.push(FieldChange {
                path: format!("{}{part}", field.path()),
                from: (!is.is_empty()).then(|| Value::from(is)),
                to: Some(wanted.into()),
            });
        }
    };
    note(SlbField::Name, "", &actual.name, settings.name.clone());
    if let Some(billing) = &settings.billing {
        let field = SlbField::Billing;
        let known = |is: &str, wanted: Option<String>| wanted.filter(|_| !is.is_empty());
        let instance = known(&actual.instance_charge, Some(word(billing.instance)));
        note(field, ".instance", &actual.instance_charge, instance);
        let spec = known(&actual.spec, billing.spec.map(word));
        note(field, ".spec", &actual.spec, spec);
        let bandwidth = billing.bandwidth_mbps.map(|mbps| mbps.to_string());
        let is = actual.bandwidth.to_string();
        note(field, ".bandwidthMbps", &is, bandwidth);
    }
    for (key, wanted) in settings.tags.iter().flatten() {
        let is = actual.tags.get(key).map_or("", String::as_str);
        note(SlbField::Tags, &format!(".{key}"), is, Some(wanted.clone()));
    }
    if let Some(protection) = &settings.protection {
        let field = SlbField::Protection;
        let deletion = protection.deletion.map(on_off).map(str::to_owned);
        let deletion = deletion.filter(|_| !actual.delete_protection.is_empty());
        note(field, ".deletion", &actual.delete_protection, deletion);
        let modification = protection.modification.map(|switch| match switch {
            Switch::Enabled => "ConsoleProtection".to_owned(),
            Switch::Disabled => "NonProtection".to_owned(),
        });
        let is = &actual.modification_protection;
        note(
            field,
            ".modification",
            is,
            modification.filter(|_| !is.is_empty()),
        );
    }
    drift.extend(listeners(settings, actual, ports));
    drift
}

/// Listeners that are gone, stopped, or speak something else; and of the others each setting that differs.
fn listeners(
    settings: &SlbSettings,
    actual: &LoadBalancerState,
    ports: &[ServicePort],
) -> Vec<FieldChange> {
    let kept = settings
        .existing
        .as_ref()
        .is_some_and(|existing| !existing.overrides_listeners());
    let Some(seen) = actual.listeners.as_ref().filter(|_| !kept) else {
        return Vec::new();
    };
    let asked: BTreeMap<i32, &SlbListener> = settings
        .listeners
        .iter()
        .flatten()
        .map(|listener| (listener.port, listener))
        .collect();
    let written = annotations(settings);
    let mut drift = Vec::new();
    let mut differences = Vec::new();
    for port in ports {
        let own = port.protocol.as_deref().unwrap_or("TCP").to_lowercase();
        let asked = asked.get(&port.port).copied();
        let wanted = asked.map_or(own, |listener| protocol(listener.protocol));
        let on_port = |udp: bool| {
            let mut seen = seen.iter();
            seen.find(|listener| {
                i32::from(listener.port) == port.port && (listener.protocol == "udp") == udp
            })
        };
        let is = on_port(wanted == "udp");
        match is.filter(|is| is.protocol == wanted && is.status != "stopped") {
            Some(is) => differences.extend(of_listener(&written, asked, is)),
            None => drift.push(FieldChange {
                path: format!("{}.{}", SlbField::Listeners.path(), port.port),
                from: is.map(|is| Value::from(format!("{} {}", is.protocol, is.status))),
                to: Some(format!("{wanted} running").into()),
            }),
        }
    }
    drift.extend(compare::changes(differences));
    drift
}

fn protocol(protocol: SlbProtocol) -> String {
    word(protocol).to_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::observed::ListenerState;

    fn seen(listeners: &[(u16, &str, &str)]) -> LoadBalancerState {
        let listeners = listeners
            .iter()
            .map(|(port, protocol, status)| ListenerState {
                port: *port,
                protocol: (*protocol).into(),
                status: (*status).into(),
                ..ListenerState::default()
            });
        LoadBalancerState {
            name: "knative".into(),
            listeners: Some(listeners.collect()),
            ..LoadBalancerState::default()
        }
    }

    fn paths(settings: serde_json::Value, actual: &LoadBalancerState) -> Vec<String> {
        let settings: SlbSettings = serde_json::from_value(settings).unwrap();
        let ports = [80, 443].map(|port| ServicePort {
            port,
            ..ServicePort::default()
        });
        let drift = drift(&settings, actual, &ports);
        drift.into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn what_differs_is_named_by_its_setting() {
        let running = seen(&[(80, "tcp", "running"), (443, "tcp", "starting")]);
        assert_eq!(paths(json!({"name": "knative"}), &running), [""; 0]);
        let wanted = json!({"name": "other", "tags": {"team": "shop"}, "listeners": [{"port": 80, "protocol": "HTTP"}]});
        assert_eq!(
            paths(wanted, &running),
            ["slb.name", "slb.tags.team", "slb.listeners.80"]
        );
        let stopped = seen(&[(80, "tcp", "stopped")]);
        let both = ["slb.listeners.80", "slb.listeners.443"];
        assert_eq!(paths(json!({"name": "knative"}), &stopped), both);
        let kept = json!({"existing": {"id": "lb-1"}});
        assert_eq!(paths(kept, &stopped), [""; 0], "they are somebody's own");
        let unread = LoadBalancerState::default();
        assert_eq!(paths(json!({"addressType": "Intranet"}), &unread), [""; 0]);
    }
}
