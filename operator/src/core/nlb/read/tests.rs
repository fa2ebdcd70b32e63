//! What is written for settings is read back as them, and what settings do not say is told.

use proptest::prelude::*;

use super::super::annotations;
use super::super::tests::everything;
use super::*;
use crate::core::slb::key;

fn named(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| (key(name), (*value).to_owned()));
    pairs.collect()
}

proptest! {
    /// Any choice of fields: what is read off a Service writes the same again.
    #[test]
    fn any_settings_are_read_back(picks in proptest::collection::vec(any::<bool>(), NlbField::EACH.len())) {
        let all: NlbSettings = serde_json::from_value(everything()).unwrap();
        let mut settings = NlbSettings::default();
        for (field, taken) in NlbField::EACH.iter().zip(&picks) {
            if *taken {
                field.copy(&mut settings, &all);
            }
        }
        // What is refused is never written.
        if check(&settings).is_none() {
            let written = annotations(&settings);
            let read = read(&written, None).settings;
            prop_assert_eq!(annotations(&read), written);
        }
    }

    /// Whatever stands there, what is read can be.
    #[test]
    fn what_is_read_is_never_refused(
        pairs in proptest::collection::vec((0usize..table::ANNOTATIONS.len(), "[a-z0-9:,=-]{0,12}|on|off|true|tcp:80,tcpssl:443|1-9:80|5"), 0..12),
    ) {
        let mut said = named(&[("zone-maps", "a:vsw-a,b:vsw-b")]);
        let pairs = pairs.into_iter();
        let pairs = pairs.map(|(row, value)| (table::ANNOTATIONS[row].key, value));
        let pairs = pairs.filter(|(name, _)| *name != "zone-maps");
        said.extend(pairs.map(|(name, value)| (key(name), value)));
        let read = read(&said, None);
        prop_assert_eq!(check(&read.settings), None);
    }
}

#[test]
fn what_is_dead_dangerous_or_wrong_is_told() {
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    let zones = ("zone-maps", "a:vsw-a,b:vsw-b");
    let cases: &[Case<'_>] = &[
        (&[], "zone-maps", "makes nothing"),
        (&[("zone-maps", "a")], "zone-maps", "backends included"),
        (
            &[zones, ("delete-protection", "on")],
            "delete-protection",
            "network load balancer",
        ),
        (
            &[zones, ("health-check-interval", "5")],
            "health-check-interval",
            "health-check-flag on",
        ),
        (
            &[zones, ("protocol-port", "http:80")],
            "protocol-port",
            "backends included",
        ),
        (
            &[zones, ("listener-port-range", "1-2:80")],
            "listener-port-range",
            "protocol-port",
        ),
        (
            &[("zone-maps", "a:vsw-a::eip-1,b:vsw-b")],
            "zone-maps",
            "privateAddress",
        ),
        (&[zones, ("cert-id", "c")], "cert-id", "TCPSSL"),
        (
            &[zones, ("alpn-policy", "HTTP2Only")],
            "alpn-policy",
            "alpn on",
        ),
        (
            &[zones, ("ppv2-pvl-ep-id-enabled", "on")],
            "ppv2-pvl-ep-id-enabled",
            "proxy-protocol on",
        ),
        (
            &[zones, ("connection-drain", "on")],
            "connection-drain",
            "timeout",
        ),
        (
            &[zones, ("additional-resource-tags", "a=b")],
            "additional-resource-tags",
            "removes every tag",
        ),
        (&[zones, ("cps", "many")], "cps", "no number"),
        (
            &[("id", "nlb-1"), ("idle-timeout", "9")],
            "idle-timeout",
            "force-override-listeners",
        ),
        (&[("id", "nlb-1"), ("name", "ab")], "name", "others made"),
    ];
    for (pairs, name, words) in cases {
        let findings = read(&named(pairs), None).findings;
        let found = findings
            .iter()
            .any(|finding| finding.name == *name && finding.why.contains(words));
        assert!(found, "{name}: no {words:?} in {findings:?}");
    }
}

#[test]
fn words_count_in_any_case_and_the_load_balancer_says_what_nobody_did() {
    let said = named(&[
        ("zone-maps", "a:vsw-a:10.0.0.7:eip-1,b:vsw-b"),
        ("ip-version", "dualstack"),
        ("scheduler", "WRR"),
    ]);
    let actual = NlbState {
        address_type: "Internet".into(),
        ..NlbState::default()
    };
    let reading = read(&said, Some(&actual));
    assert_eq!(reading.findings, []);
    let settings = reading.settings;
    assert_eq!(settings.address_type, Some(AddressType::Internet));
    assert_eq!(settings.ip_version, Some(NlbIpVersion::DualStack));
    assert_eq!(settings.scheduler, Some(NlbScheduler::WeightedRoundRobin));
}
