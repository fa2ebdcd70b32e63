//! Load balancer settings as annotations that the cloud controller manager reads, and back.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{AddressType, Reason, SlbField, SlbSettings, SlbZones};

use super::observed::{LoadBalancerState, ServiceState};
use super::problem::Problem;

const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
const LEGACY_PREFIX: &str = "service.beta.kubernetes.io/alicloud-loadbalancer-";

/// Settings in the order in which they are merged, reported and written.
pub const FIELDS: [SlbField; 4] = [
    SlbField::AddressType,
    SlbField::Name,
    SlbField::Zones,
    SlbField::VswitchId,
];

/// Path of a setting in a binding's spec.
pub fn field_path(field: SlbField) -> &'static str {
    match field {
        SlbField::AddressType => "slb.addressType",
        SlbField::Name => "slb.name",
        SlbField::Zones => "slb.zones",
        SlbField::VswitchId => "slb.vswitchId",
        SlbField::All => "slb",
    }
}

/// A setting's value as text, if it is set: for comparing, for the ledger and for messages.
pub fn value(settings: &SlbSettings, field: SlbField) -> Option<String> {
    match field {
        SlbField::AddressType => settings.address_type.map(|type_| format!("{type_:?}")),
        SlbField::Name => settings.name.clone(),
        SlbField::Zones => settings.zones.as_ref().map(|zones| match &zones.backup {
            Some(backup) => format!("{}/{backup}", zones.primary),
            None => zones.primary.clone(),
        }),
        SlbField::VswitchId => settings.vswitch_id.clone(),
        SlbField::All => None,
    }
}

/// Copies one setting from `from`.
pub fn copy(into: &mut SlbSettings, from: &SlbSettings, field: SlbField) {
    match field {
        SlbField::AddressType => into.address_type = from.address_type,
        SlbField::Name => into.name.clone_from(&from.name),
        SlbField::Zones => into.zones.clone_from(&from.zones),
        SlbField::VswitchId => into.vswitch_id.clone_from(&from.vswitch_id),
        SlbField::All => *into = from.clone(),
    }
}

fn address_type(type_: AddressType) -> &'static str {
    match type_ {
        AddressType::Intranet => "intranet",
        AddressType::Internet => "internet",
    }
}

/// The annotations for these settings, in the current key form.
pub fn annotations(settings: &SlbSettings) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::new();
    let mut set = |key: &str, value: &str| {
        annotations.insert(format!("{PREFIX}{key}"), value.to_owned());
    };
    if let Some(type_) = settings.address_type {
        set("address-type", address_type(type_));
    }
    if let Some(name) = &settings.name {
        set("name", name);
    }
    if let Some(zones) = &settings.zones {
        set("master-zoneid", &zones.primary);
        if let Some(backup) = &zones.backup {
            set("slave-zoneid", backup);
        }
    }
    if let Some(vswitch) = &settings.vswitch_id {
        set("vswitch-id", vswitch);
    }
    annotations
}

/// The settings that a Service says in either form, or its load balancer has by itself; and what else
/// it says to the cloud controller manager, as keys without their prefix.
pub fn settings(
    annotations: &BTreeMap<String, String>,
    actual_type: Option<&str>,
) -> (SlbSettings, Vec<String>) {
    let keys = annotations.keys();
    let names = keys.filter_map(|key| {
        let name = key.strip_prefix(PREFIX);
        name.or_else(|| key.strip_prefix(LEGACY_PREFIX))
    });
    let mut rest: BTreeSet<&str> = names.collect();
    // The current form is read first, even if it says nothing.
    let said = |setting: &str| {
        let of = |prefix: &str| annotations.get(&format!("{prefix}{setting}"));
        of(PREFIX).or_else(|| of(LEGACY_PREFIX)).cloned()
    };
    let mut take = |setting: &'static str| {
        rest.remove(setting);
        said(setting).filter(|value| !value.is_empty())
    };
    let type_ = take("address-type").or_else(|| actual_type.map(str::to_owned));
    let backup = take("slave-zoneid");
    let settings = SlbSettings {
        address_type: type_.and_then(|type_| {
            let types = [AddressType::Intranet, AddressType::Internet];
            types
                .into_iter()
                .find(|known| address_type(*known) == type_)
        }),
        name: take("name"),
        zones: take("master-zoneid").map(|primary| SlbZones { primary, backup }),
        vswitch_id: take("vswitch-id"),
    };
    let rest = rest.into_iter().map(str::to_owned);
    (settings, rest.collect())
}

/// Whether a Service says what an annotation of ours would say, in the form of old.
pub fn is_said(key: &str, value: &str, service: &ServiceState) -> bool {
    let legacy = key.strip_prefix(PREFIX).and_then(|setting| {
        let key = format!("{LEGACY_PREFIX}{setting}");
        service.annotations.get(&key)
    });
    !service.annotations.contains_key(key) && legacy.is_some_and(|said| said == value)
}

/// Whether annotations that we write ask for a load balancer that the Internet reaches.
pub fn is_public(annotations: &BTreeMap<String, String>) -> bool {
    let type_ = annotations.get(&format!("{PREFIX}address-type"));
    type_.is_some_and(|type_| type_ == address_type(AddressType::Internet))
}

/// What an annotation of ours that nobody wants any more goes back to. The cloud controller
/// manager does not revert what an annotation merely stops saying, so the former value is
/// written; none: the load balancer keeps it for life, so it stays as it is.
pub fn restored(key: &str, previous: Option<&String>, service: &ServiceState) -> Option<String> {
    let setting = key.strip_prefix(PREFIX)?;
    if setting != "name" {
        return None;
    }
    let masked = service
        .annotations
        .get(&format!("{LEGACY_PREFIX}{setting}"));
    let default = || {
        // The name that the cloud controller manager gives by itself.
        let uid: String = service.uid.chars().filter(|c| *c != '-').collect();
        format!("a{uid}").chars().take(32).collect()
    };
    Some(previous.or(masked).cloned().unwrap_or_else(default))
}

/// Refuses a change of what a load balancer keeps for life. The cloud controller manager would
/// answer it with a permanent failure (or, for the vswitch, ignore it), so it is never written.
pub fn check_immutable(settings: &SlbSettings, actual: &LoadBalancerState) -> Result<(), Problem> {
    let checks = [
        (
            "addressType",
            settings.address_type.map(address_type),
            &actual.address_type,
        ),
        (
            "zones.primary",
            settings.zones.as_ref().map(|zones| zones.primary.as_str()),
            &actual.primary_zone,
        ),
        (
            "zones.backup",
            settings
                .zones
                .as_ref()
                .and_then(|zones| zones.backup.as_deref()),
            &actual.backup_zone,
        ),
        (
            "vswitchId",
            settings.vswitch_id.as_deref(),
            &actual.vswitch_id,
        ),
    ];
    for (field, wanted, actual_value) in checks {
        if let Some(wanted) = wanted
            && !actual_value.is_empty()
            && wanted != actual_value
        {
            return Err(Problem::blocked(
                Reason::Immutable,
                format!(
                    "slb.{field}: wanted \"{wanted}\", but load balancer {} has \"{actual_value}\" and it cannot change once the load balancer exists. Go back to \"{actual_value}\", or delete the gateway's Service so that a new load balancer (with a new address) is made.",
                    actual.id
                ),
            ));
        }
    }
    Ok(())
}

/// The settings that the load balancer does not show yet, by field.
pub fn unsettled(settings: &SlbSettings, actual: &LoadBalancerState) -> Option<&'static str> {
    let name = settings
        .name
        .as_deref()
        .is_some_and(|name| name != actual.name);
    name.then_some("slb.name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_says_its_settings_in_either_form_and_the_current_one_counts() {
        let said = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            pairs.collect()
        };
        let new = |setting: &str| format!("{PREFIX}{setting}");
        let old = |setting: &str| format!("{LEGACY_PREFIX}{setting}");
        let annotations = said(&[
            (&old("address-type"), "intranet"),
            (&new("name"), "mine"),
            (&old("name"), "masked"),
            (&new("master-zoneid"), "cn-beijing-g"),
            (&old("slave-zoneid"), "cn-beijing-f"),
            (&new("vswitch-id"), ""),
            (&new("spec"), "slb.s1.small"),
            ("example.com/other", "x"),
        ]);
        let (settings, rest) = super::settings(&annotations, Some("internet"));
        let expected = SlbSettings {
            address_type: Some(AddressType::Intranet),
            name: Some("mine".into()),
            zones: Some(SlbZones {
                primary: "cn-beijing-g".into(),
                backup: Some("cn-beijing-f".into()),
            }),
            vswitch_id: None,
        };
        assert_eq!((settings, rest), (expected, vec!["spec".to_owned()]));
        let (settings, _) = super::settings(&BTreeMap::new(), Some("internet"));
        assert_eq!(settings.address_type, Some(AddressType::Internet));

        let service = ServiceState {
            annotations,
            ..ServiceState::default()
        };
        assert!(is_said(&new("address-type"), "intranet", &service));
        assert!(!is_said(&new("address-type"), "internet", &service));
        assert!(!is_said(&new("name"), "masked", &service), "it is masked");
    }

    fn settings() -> SlbSettings {
        SlbSettings {
            address_type: Some(AddressType::Intranet),
            name: Some("knative".into()),
            zones: Some(SlbZones {
                primary: "cn-beijing-g".into(),
                backup: Some("cn-beijing-f".into()),
            }),
            vswitch_id: Some("vsw-1".into()),
        }
    }

    #[test]
    fn settings_become_annotations_in_the_current_form() {
        let annotations = annotations(&settings());
        let get = |key: &str| {
            annotations
                .get(&format!("{PREFIX}{key}"))
                .map(String::as_str)
        };
        assert_eq!(get("address-type"), Some("intranet"));
        assert_eq!(get("name"), Some("knative"));
        assert_eq!(get("master-zoneid"), Some("cn-beijing-g"));
        assert_eq!(get("slave-zoneid"), Some("cn-beijing-f"));
        assert_eq!(get("vswitch-id"), Some("vsw-1"));
        assert_eq!(annotations.len(), 5);
    }

    #[test]
    fn what_a_load_balancer_keeps_for_life_is_refused() {
        let actual = LoadBalancerState {
            id: "lb-1".into(),
            address_type: "internet".into(),
            ..LoadBalancerState::default()
        };
        let problem = check_immutable(&settings(), &actual).unwrap_err();
        assert_eq!(problem.reason, Reason::Immutable);
        assert!(
            problem.message.contains("slb.addressType"),
            "{}",
            problem.message
        );
        let same = LoadBalancerState {
            address_type: "intranet".into(),
            primary_zone: "cn-beijing-g".into(),
            backup_zone: "cn-beijing-f".into(),
            vswitch_id: "vsw-1".into(),
            ..actual
        };
        assert_eq!(check_immutable(&settings(), &same), Ok(()));
    }

    #[test]
    fn a_name_nobody_wants_goes_back_to_what_it_was() {
        let mut service = ServiceState {
            uid: "0af1b2c3-0000-1111-2222-333344445555".into(),
            ..ServiceState::default()
        };
        let key = format!("{PREFIX}name");
        assert_eq!(
            restored(&key, None, &service).as_deref(),
            Some("a0af1b2c3000011112222333344445555".get(..32).unwrap())
        );
        service
            .annotations
            .insert(format!("{LEGACY_PREFIX}name"), "old".into());
        assert_eq!(restored(&key, None, &service).as_deref(), Some("old"));
        assert_eq!(
            restored(&key, Some(&"before".into()), &service).as_deref(),
            Some("before")
        );
        assert_eq!(
            restored(&format!("{PREFIX}address-type"), None, &service),
            None
        );
    }
}
