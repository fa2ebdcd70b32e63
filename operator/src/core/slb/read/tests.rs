//! Annotations of either form become the settings they say, and what they do not say is told.

use crds::v1alpha1::OnDelete;
use proptest::prelude::*;
use serde_json::json;

use super::super::annotations;
use super::super::tests::everything;
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

fn named(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| (super::super::key(name), (*value).to_owned()));
    pairs.collect()
}

fn told(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let findings = read(&named(pairs), Some("internet")).findings.into_iter();
    findings
        .map(|finding| (finding.name, finding.why))
        .collect()
}

/// What says the same as if it were not there.
fn without_defaults(mut settings: SlbSettings) -> SlbSettings {
    if settings.on_delete == Some(OnDelete::Delete) {
        settings.on_delete = None;
    }
    if settings.published_address == Some(PublishedAddress::Own) {
        settings.published_address = None;
    }
    if let Some(check) = &mut settings.health_check
        && let Some(codes) = &mut check.status_codes
    {
        codes.sort_unstable();
    }
    if let Some(listeners) = &mut settings.listeners {
        listeners.sort_by_key(|listener| listener.port);
    }
    if let Some(headers) = &mut settings.forwarded_headers {
        headers.sort_unstable();
    }
    if let Some(hosts) = settings
        .certificate
        .as_mut()
        .and_then(|one| one.hosts.as_mut())
    {
        hosts.sort_by(|a, b| a.host.cmp(&b.host));
    }
    settings
}

#[test]
fn what_is_written_is_read_back() {
    for settings in everything() {
        let read = read(&annotations(&settings), None).settings;
        assert_eq!(without_defaults(read), without_defaults(settings));
    }
}

proptest! {
    /// Any choice of fields of any of the settings that together say everything.
    #[test]
    fn any_settings_are_read_back(picks in proptest::collection::vec((0usize..3, any::<bool>()), SlbField::EACH.len())) {
        let all = everything();
        let mut settings = SlbSettings::default();
        for (field, (which, taken)) in SlbField::EACH.iter().zip(&picks) {
            if *taken {
                field.copy(&mut settings, &all[*which]);
            }
        }
        // What is refused is never written.
        if check(&settings).is_none() && settings.existing.is_none() {
            let read = read(&annotations(&settings), None).settings;
            prop_assert_eq!(without_defaults(read), without_defaults(settings));
        }
    }

    /// Whatever stands there, what is read can be.
    #[test]
    fn what_is_read_is_never_refused(
        pairs in proptest::collection::vec((0usize..table::ANNOTATIONS.len(), "[a-z0-9:,=]{0,12}|on|off|true|insert|http:80,https:443|80:443|5"), 0..12),
    ) {
        let pairs: BTreeMap<String, String> = pairs
            .into_iter()
            .map(|(row, value)| (super::super::key(table::ANNOTATIONS[row].key), value))
            .collect();
        let read = read(&pairs, Some("intranet"));
        prop_assert_eq!(check(&read.settings), None);
    }
}

#[test]
fn what_is_dead_dangerous_or_wrong_is_told() {
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: &[Case<'_>] = &[
        (&[("spec", "slb.s1.small")], "spec", "dead without"),
        (&[("bandwidth", "2")], "bandwidth", "dead without"),
        (&[("bandwidth", "abc")], "bandwidth", "backends included"),
        (
            &[("charge-type", "paybybandwidth"), ("bandwidth", "2")],
            "charge-type",
            "PayBySpec alone",
        ),
        (
            &[("instance-charge-type", "paybyspec")],
            "instance-charge-type",
            "none of PayByCLCU",
        ),
        (
            &[("address-type", "Intranet")],
            "address-type",
            "none of intranet",
        ),
        (
            &[("network-type", "vpc")],
            "network-type",
            "block the Service",
        ),
        (
            &[("protocol-port", "http:80, https:443")],
            "protocol-port",
            "without blanks",
        ),
        (
            &[("protocol-port", "https:443")],
            "protocol-port",
            "needs a certificate",
        ),
        (
            &[("forward-port", "80:443")],
            "forward-port",
            "dead without",
        ),
        (
            &[("id", "lb-1"), ("force-override-listeners", "True")],
            "force-override-listeners",
            "only \"true\" is",
        ),
        (
            &[("force-override-listeners", "true")],
            "force-override-listeners",
            "only counts with id",
        ),
        (
            &[("id", "lb-1"), ("force-override-listeners", "true")],
            "force-override-listeners",
            "taken over",
        ),
        (
            &[("id", "lb-1"), ("name", "mine")],
            "name",
            "that others made",
        ),
        (
            &[("id", "lb-1"), ("scheduler", "wrr")],
            "scheduler",
            "is dead",
        ),
        (
            &[("preserve-lb-on-delete", "false")],
            "preserve-lb-on-delete",
            "any value does",
        ),
        (
            &[("additional-resource-tags", "k=a=b")],
            "additional-resource-tags",
            "only \"k=a\"",
        ),
        (
            &[("additional-resource-tags", "k=a")],
            "additional-resource-tags",
            "removes every tag",
        ),
        (&[("acl-id", "acl-1")], "acl-id", "everybody may connect"),
        (&[("made-up", "x")], "made-up", "does not read it"),
    ];
    for (pairs, name, words) in cases {
        let told = told(pairs);
        let found = told
            .iter()
            .any(|(of, why)| of == name && why.contains(words));
        assert!(found, "{name}: no {words:?} in {told:?}");
    }
    assert_eq!(told(&[("address-type", "intranet"), ("name", "fine")]), []);
    let both = [
        (format!("{PREFIX}spec"), "slb.s1.small".to_owned()),
        (format!("{LEGACY_PREFIX}spec"), "slb.s2.small".to_owned()),
    ];
    let twice = read(&both.into(), None).findings;
    assert!(
        twice
            .iter()
            .any(|one| one.why.contains("masks \"slb.s2.small\"")),
        "{twice:?}"
    );
}

#[test]
fn an_existing_load_balancer_is_read_with_the_consent_that_there_was() {
    let read = |pairs: &[(&str, &str)]| read(&named(pairs), Some("internet")).settings;
    let plain = read(&[("id", "lb-1")]);
    let expected = json!({"existing": {"id": "lb-1"}});
    assert_eq!(serde_json::to_value(plain).unwrap(), expected);
    let managed = read(&[("id", "lb-1"), ("name", "mine"), ("scheduler", "wrr")]);
    let expected = json!({"existing": {"id": "lb-1", "instance": "Manage"}, "name": "mine"});
    assert_eq!(serde_json::to_value(managed).unwrap(), expected);
    let overriding = read(&[
        ("id", "lb-1"),
        ("force-override-listeners", "true"),
        ("scheduler", "wrr"),
    ]);
    let expected = json!({"existing": {"id": "lb-1", "listeners": "Override"}, "scheduler": "WeightedRoundRobin"});
    assert_eq!(serde_json::to_value(overriding).unwrap(), expected);
}
