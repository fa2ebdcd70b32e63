//! AlbConfig and IngressClass: one load balancer, and the name by which Ingresses choose it. Both are
//! shared by all, made when first needed, and never deleted, since the load balancer would go with
//! them.

use crds::v1alpha1::{AlbDeletionProtection, AlbGateway, AlbZoneMapping, Reason};
use serde_json::{Value, json};

use super::network::Network;
use super::refusal::Refusal;
use super::seats::{ingress_class, instances};
use super::translate::Placement;

/// The load balancers of one kind of address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// Names of the AlbConfigs, the first first.
    pub instances: Vec<String>,
    /// Rules on each at the most.
    pub max_rules: usize,
}

/// The load balancers for a placement.
pub fn fleet(gateway: &AlbGateway, placement: Placement, network: &Network) -> Fleet {
    let named = offer(gateway, placement).and_then(|instance| instance.alb_config.clone());
    let of_network = || {
        let existing = network.alb_config.clone();
        existing.filter(|_| placement == Placement::Internet)
    };
    let default = match placement {
        Placement::Internet => "knative-internet",
        Placement::Intranet => "knative-intranet",
    };
    let first = named
        .or_else(of_network)
        .unwrap_or_else(|| default.to_owned());
    Fleet {
        instances: instances(&first, gateway.max_instances()),
        max_rules: gateway.max_rules(),
    }
}

/// The name of the Service that leads to the load balancers of a placement, if one was given.
pub fn domain_internal(gateway: &AlbGateway, placement: Placement) -> Option<String> {
    offer(gateway, placement)?.domain_internal.clone()
}

fn offer(gateway: &AlbGateway, placement: Placement) -> Option<&crds::v1alpha1::AlbInstance> {
    match placement {
        Placement::Internet => gateway.internet.as_ref(),
        Placement::Intranet => gateway.intranet.as_ref(),
    }
}

/// An AlbConfig with the fields that are ours. `spec.listeners` is the controller's own.
pub fn alb_config(
    gateway: &AlbGateway,
    placement: Placement,
    instance: &str,
    zones: &[AlbZoneMapping],
) -> Result<Value, Refusal> {
    let offered = offer(gateway, placement);
    let is_first = offered
        .and_then(|offer| offer.alb_config.as_deref())
        .is_none_or(|name| name == instance);
    let existing = offered.and_then(|offer| offer.existing.as_ref());
    let existing = existing.filter(|_| is_first);
    let mut distinct: Vec<&str> = zones.iter().map(|zone| zone.vswitch_id.as_str()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 2 && existing.is_none() {
        return Err(Refusal::new(
            Reason::VswitchesMissing,
            format!(
                "AlbConfig \"{instance}\" has to be made, and {} vswitches are named for it; ALB needs two or more, in different zones. Set alb.settings.zoneMappings in the class, spec.alb.zoneMappings in a binding, or vswitch-ids in ConfigMap knative-serving/config-network.",
                distinct.len()
            ),
        ));
    }
    let mut config = json!({
        "name": name(offered.and_then(|offer| offer.name.as_deref()), instance, is_first),
        "addressType": match placement {
            Placement::Internet => "Internet",
            Placement::Intranet => "Intranet",
        },
        "zoneMappings": zones.iter().map(zone).collect::<Vec<Value>>(),
    });
    if let Some(existing) = existing {
        config["id"] = json!(existing.id);
        config["forceOverride"] = json!(false);
    }
    settings(gateway, &mut config);
    Ok(json!({
        "apiVersion": "alibabacloud.com/v1",
        "kind": "AlbConfig",
        "metadata": {
            "name": instance,
            "labels": {crds::keys::MANAGED_BY: crds::keys::FIELD_MANAGER},
        },
        "spec": {"config": config},
    }))
}

fn name(given: Option<&str>, instance: &str, is_first: bool) -> String {
    match given {
        Some(given) if is_first => given.to_owned(),
        Some(given) => {
            let number = instance.rsplit('-').next().unwrap_or_default();
            format!("{given}-{number}")
        }
        None => instance.to_owned(),
    }
}

fn zone(zone: &AlbZoneMapping) -> Value {
    let mut mapping = json!({"vSwitchId": zone.vswitch_id});
    if let Some(id) = &zone.zone_id {
        mapping["zoneId"] = json!(id);
    }
    mapping
}

fn settings(gateway: &AlbGateway, config: &mut Value) {
    let Some(settings) = &gateway.settings else {
        return;
    };
    if let Some(edition) = &settings.edition {
        config["edition"] = json!(edition);
    }
    if let Some(log) = &settings.access_log {
        config["accessLogConfig"] = json!({"logProject": log.project, "logStore": log.log_store});
    }
    if let Some(protection) = settings.deletion_protection {
        let enabled = protection == AlbDeletionProtection::Enabled;
        config["deletionProtectionEnabled"] = json!(enabled);
    }
    if let Some(group) = &settings.resource_group_id {
        config["resourceGroupId"] = json!(group);
    }
    if let Some(tags) = &settings.tags {
        config["tags"] = json!(tags);
    }
}

/// The IngressClass of an AlbConfig.
pub fn class(instance: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {
            "name": ingress_class(instance),
            "labels": {crds::keys::MANAGED_BY: crds::keys::FIELD_MANAGER},
        },
        "spec": {
            "controller": "ingress.k8s.alibabacloud/alb",
            "parameters": {"apiGroup": "alibabacloud.com", "kind": "AlbConfig", "name": instance},
        },
    })
}

/// Whether everything of `wanted` is in `found`, which may have more: the controller fills in what is
/// not said.
pub fn has_all(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            let found = found.get(key);
            found.is_some_and(|found| has_all(found, wanted))
        }),
        (Value::Array(found), Value::Array(wanted)) => {
            let pairs = || found.iter().zip(wanted);
            found.len() == wanted.len() && pairs().all(|(found, wanted)| has_all(found, wanted))
        }
        (found, wanted) => found == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(yaml: &str) -> AlbGateway {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn an_alb_config_has_what_was_said_and_no_listeners() {
        let said = gateway(
            "{internet: {albConfig: pay, name: payments, existing: {id: alb-1}}, settings: {edition: StandardWithWaf, accessLog: {project: p, logStore: alb_l}, deletionProtection: Disabled, resourceGroupId: rg-1, tags: [{key: a, value: b}]}}",
        );
        let two: Vec<AlbZoneMapping> =
            serde_saphyr::from_str("[{vswitchId: vsw-a, zoneId: z}, {vswitchId: vsw-b}]").unwrap();
        let first = alb_config(&said, Placement::Internet, "pay", &two).unwrap();
        let config = json!({
            "name": "payments", "addressType": "Internet", "id": "alb-1", "forceOverride": false,
            "zoneMappings": [{"vSwitchId": "vsw-a", "zoneId": "z"}, {"vSwitchId": "vsw-b"}],
            "edition": "StandardWithWaf", "accessLogConfig": {"logProject": "p", "logStore": "alb_l"},
            "deletionProtectionEnabled": false, "resourceGroupId": "rg-1", "tags": [{"key": "a", "value": "b"}],
        });
        assert_eq!(first["spec"], json!({"config": config}));
        let second = alb_config(&said, Placement::Internet, "pay-2", &two).unwrap();
        assert_eq!(second["spec"]["config"]["name"], "payments-2");
        assert_eq!(second["spec"]["config"]["id"], Value::Null);
        let plain = alb_config(
            &gateway("{}"),
            Placement::Intranet,
            "knative-intranet",
            &two,
        )
        .unwrap();
        assert_eq!(plain["spec"]["config"]["addressType"], "Intranet");
        assert_eq!(plain["spec"]["config"]["name"], "knative-intranet");
    }

    #[test]
    fn less_than_two_vswitches_make_no_load_balancer() {
        let one = [AlbZoneMapping {
            vswitch_id: "vsw-a".to_owned(),
            zone_id: None,
        }];
        let twice = [one[0].clone(), one[0].clone()];
        for zones in [&[][..], &one, &twice] {
            let refusal = alb_config(
                &gateway("{}"),
                Placement::Internet,
                "knative-internet",
                zones,
            )
            .unwrap_err();
            assert_eq!(refusal.reason, Reason::VswitchesMissing);
            assert!(
                refusal.message.contains("zoneMappings"),
                "{}",
                refusal.message
            );
        }
    }

    #[test]
    fn the_fleet_is_named_by_class_or_network() {
        let network = Network {
            alb_config: Some("mine".to_owned()),
            ..Network::default()
        };
        let first = |gateway: &AlbGateway, placement, network: &Network| {
            fleet(gateway, placement, network).instances.remove(0)
        };
        let none = Network::default();
        assert_eq!(
            first(&gateway("{}"), Placement::Internet, &none),
            "knative-internet"
        );
        assert_eq!(first(&gateway("{}"), Placement::Internet, &network), "mine");
        assert_eq!(
            first(&gateway("{}"), Placement::Intranet, &network),
            "knative-intranet"
        );
        assert_eq!(
            first(
                &gateway("{internet: {albConfig: said}}"),
                Placement::Internet,
                &network
            ),
            "said"
        );
        assert_eq!(
            fleet(&gateway("{maxInstances: 2}"), Placement::Internet, &none)
                .instances
                .len(),
            2
        );
        assert_eq!(
            fleet(
                &gateway("{settings: {edition: Basic}}"),
                Placement::Internet,
                &none
            )
            .max_rules,
            40
        );
    }

    #[test]
    fn what_the_controller_fills_in_is_no_difference() {
        let wanted =
            json!({"spec": {"config": {"name": "a", "zoneMappings": [{"vSwitchId": "v"}]}}});
        let filled = json!({"spec": {"config": {"name": "a", "edition": "", "zoneMappings": [{"vSwitchId": "v", "zoneId": ""}]}, "listeners": []}});
        assert!(has_all(&filled, &wanted));
        for other in [
            json!({}),
            json!({"spec": {"config": {"name": "b", "zoneMappings": [{"vSwitchId": "v"}]}}}),
            json!({"spec": {"config": {"name": "a", "zoneMappings": []}}}),
        ] {
            assert!(!has_all(&other, &wanted), "{other}");
        }
    }
}
