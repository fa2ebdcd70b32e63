//! What a Service says in annotations of either form, as settings.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{AddressType, SlbSettings, SlbZones};

use super::super::observed::ServiceState;
use super::{LEGACY_PREFIX, PREFIX};

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
                .find(|known| super::annotations::address_type(*known) == type_)
        }),
        name: take("name"),
        zones: take("master-zoneid").map(|primary| SlbZones { primary, backup }),
        vswitch_id: take("vswitch-id"),
        ..SlbSettings::default()
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
            ..SlbSettings::default()
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
}
