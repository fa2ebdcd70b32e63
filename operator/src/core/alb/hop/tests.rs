use super::*;
use crate::core::alb::gray::{GrayRule, Target};
use crate::core::alb::translate::tests::{Namespace, half_and_half, source, two};
use crate::core::alb::translate::{Activator, Placement, translate};
use crds::v1alpha1::{AlbVisibility, Reason};

fn hop() -> Hop {
    Hop::Through("hop-hello".to_owned())
}

fn cluster(hop: Hop) -> Namespace {
    let mut cluster = two(Activator::Possible);
    cluster.hop = hop;
    cluster
}

fn ingress() -> KIngress {
    let mut ingress = KIngress::default();
    ingress.metadata.name = Some("hello".to_owned());
    ingress.metadata.namespace = Some("gray".to_owned());
    ingress.metadata.uid = Some("u-1".to_owned());
    ingress
}

/// What the API server would have of a companion.
fn stored(companion: &Companion) -> KIngress {
    let mut stored: KIngress = serde_json::from_value(companion.body()).unwrap();
    stored.metadata.uid = Some("u-2".to_owned());
    stored
}

#[test]
fn a_split_that_needs_the_activator_goes_through_the_hop_at_each_load_balancer() {
    let cluster = cluster(hop());
    let found = translate(&half_and_half(), AlbVisibility::Strict, &cluster).unwrap();
    assert!(is_used(&found, &hop()));
    let places: Vec<Placement> = found.children.iter().map(|child| child.placement).collect();
    assert_eq!(places, [Placement::Internet, Placement::Intranet]);
    for child in &found.children {
        let [rule] = child.rules.as_slice() else {
            panic!("{:?}", child.rules);
        };
        let groups = &rule.forward.groups;
        assert_eq!(groups.len(), 1);
        assert_eq!(
            (groups[0].service.as_str(), groups[0].weight),
            ("hop-hello", 100)
        );
        assert!(rule.forward.insert.is_empty(), "Kourier sets the headers");
    }
}

#[test]
fn what_alb_can_do_by_itself_stays_away_from_the_hop() {
    for activator in [Activator::Never, Activator::Unknown] {
        let mut cluster = two(activator);
        cluster.hop = hop();
        let found = translate(&half_and_half(), AlbVisibility::Strict, &cluster).unwrap();
        assert!(!is_used(&found, &hop()), "{activator:?}");
    }
    let mut starting = two(Activator::StillThere);
    starting.hop = hop();
    let refusal = translate(&half_and_half(), AlbVisibility::Strict, &starting).unwrap_err();
    assert_eq!(refusal.reason, Reason::Pending);
}

#[test]
fn rules_that_choose_a_revision_stay_in_front() {
    let gray = "[{revision:hello-00001,cookies:{demo:always}}]";
    let mut source = half_and_half();
    source.gray = crate::core::alb::gray::of_annotations(
        &[(
            "alicloud.serving.knative.dev/cookies".to_owned(),
            gray.to_owned(),
        )]
        .into(),
    )
    .unwrap();
    let found = translate(&source, AlbVisibility::Strict, &cluster(hop())).unwrap();
    let rules = &found.children[0].rules;
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0].forward.groups[0].service, "hello-00001");
    assert_eq!(rules[0].forward.cookies.len(), 1);
    assert!(
        rules[0]
            .forward
            .insert
            .contains_key("Knative-Serving-Revision")
    );
    assert_eq!(rules[1].forward.groups[0].service, "hop-hello");
}

#[test]
fn a_rule_for_a_tag_whose_requests_are_split_says_that_this_ends() {
    let mut source = half_and_half();
    source.tags = [("latest".to_owned(), source.spec.rules[0].hosts.clone())].into();
    source.gray = vec![GrayRule {
        at: "spec.alb.revisionRules[a]".to_owned(),
        to: Target::Tag("latest".to_owned()),
        headers: Vec::new(),
        cookies: vec![("demo".to_owned(), "always".to_owned())],
    }];
    // On another host, or it would be the tag's own.
    let mut other = source.spec.rules[0].clone();
    other.hosts = vec!["other.example.com".to_owned()];
    source.spec.rules.push(other);
    let refusal = translate(&source, AlbVisibility::Strict, &cluster(hop())).unwrap_err();
    assert_eq!(refusal.reason, Reason::SplitNeedsActivator);
    let words = "tag \"latest\" are split only until the roll-out";
    assert!(refusal.message.contains(words), "{}", refusal.message);
}

#[test]
fn without_a_hop_it_is_refused_with_the_ways_out() {
    let not_there = Hop::NotThere("kourier-system".to_owned());
    for (hop, words) in [
        (not_there, "install Kourier"),
        (Hop::Unwanted, "alb.hop.through of the class is Nothing"),
    ] {
        let refusal = translate(&half_and_half(), AlbVisibility::Strict, &cluster(hop));
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.reason, Reason::SplitNeedsActivator);
        for wanted in ["\"hello-00001\"", "min-scale: \"1\"", "one revision", words] {
            assert!(refusal.message.contains(wanted), "{}", refusal.message);
        }
    }
}

#[test]
fn a_companion_serves_all_that_its_ingress_does_within_the_cluster_only() {
    let source = half_and_half();
    let cluster = cluster(hop());
    let found = Companion::of(&ingress(), "kourier", &source, &cluster);
    let body = found.body();
    assert_eq!(body["metadata"]["annotations"][CLASS], "kourier");
    assert_eq!(body["metadata"]["ownerReferences"][0]["uid"], "u-1");
    let rules = body["spec"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 2);
    for rule in rules {
        assert_eq!(rule["visibility"], "ClusterLocal");
        let splits = rule["http"]["paths"][0]["splits"].as_array().unwrap();
        let shares: Vec<(&str, i64, &str)> = splits
            .iter()
            .map(|split| {
                (
                    split["serviceName"].as_str().unwrap(),
                    split["percent"].as_i64().unwrap(),
                    split["appendHeaders"]["Knative-Serving-Revision"]
                        .as_str()
                        .unwrap(),
                )
            })
            .collect();
        let wanted = [
            ("hello-00002", 50, "hello-00002"),
            ("hello-00001", 50, "hello-00001"),
        ];
        assert_eq!(shares, wanted);
    }
    assert_eq!(rules[1]["hosts"], json!(["hello.gray.example.com"]));
}

#[test]
fn a_companion_is_only_met_by_one_that_is_the_same_and_ours() {
    let cluster = cluster(hop());
    let wanted = Companion::of(&ingress(), "kourier", &half_and_half(), &cluster);
    let same = stored(&wanted);
    assert!(wanted.is_met_by(&same));

    let mut other = same.clone();
    other.spec["rules"][0]["http"]["paths"][0]["headers"] = json!({"a": {"exact": "b"}});
    assert!(!wanted.is_met_by(&other), "something more in its spec");
    let mut other = same.clone();
    other
        .annotations_mut()
        .insert(CLASS.to_owned(), "x".to_owned());
    assert!(!wanted.is_met_by(&other), "another class");
    let mut other = same.clone();
    other.metadata.owner_references.as_mut().unwrap()[0].uid = "u-9".to_owned();
    assert!(!wanted.is_met_by(&other) && !wanted.is_ours(&other));
    let mut other = same;
    other.labels_mut().clear();
    assert!(!wanted.is_met_by(&other) && !is_companion(&other));
}

#[test]
fn kourier_s_words_are_told_once_it_says_no() {
    let mut companion = KIngress::default();
    for (status, wanted) in [("Unknown", ""), ("True", ""), ("False", ": taken")] {
        companion.status =
            json!({"conditions": [{"type": "Ready", "status": status, "message": "taken."}]});
        assert_eq!(complaint(&companion), wanted, "{status}");
    }
}

#[test]
fn a_host_that_stands_for_another_one_is_flattened() {
    let mut cluster = cluster(hop());
    cluster.know(half_and_half());
    let rule = json!({"hosts": ["www.example.com"], "visibility": "ExternalIP", "http": {"paths": [{
        "rewriteHost": "hello.gray.svc.cluster.local",
        "splits": [{"serviceNamespace": "gray", "serviceName": "hello", "servicePort": 80, "percent": 100}],
        "appendHeaders": {"K-Original-Host": "www.example.com"},
    }]}});
    let mapping = source(json!({"rules": [rule]}), &[]);
    let translation = translate(&mapping, AlbVisibility::Strict, &cluster).unwrap();
    assert!(is_used(&translation, &hop()));
    let forward = &translation.children[0].rules[0].forward;
    assert_eq!(forward.rewrite_host, None, "Kourier does it");

    let companion = Companion::of(&ingress(), "kourier", &mapping, &cluster).body();
    let path = &companion["spec"]["rules"][0]["http"]["paths"][0];
    assert_eq!(path["rewriteHost"], "hello.gray.svc.cluster.local");
    assert_eq!(path["appendHeaders"]["K-Original-Host"], "www.example.com");
    assert_eq!(path["splits"].as_array().unwrap().len(), 2);
    assert_eq!(path["splits"][0]["serviceName"], "hello-00002");
}

#[test]
fn names_are_those_of_services_and_never_meet() {
    assert_eq!(name("hello"), name("hello"));
    assert_ne!(name("a.b"), name("a-b"));
    let long = "a".repeat(253);
    for owner in ["hello", "1.example.com", "x.", long.as_str()] {
        let name = name(owner);
        assert!(name.len() <= 63 && name.starts_with("hop-"), "{name}");
        assert!(!name.contains('.') && !name.ends_with('-'), "{name}");
    }
}

fn slice(ready: [Option<bool>; 2]) -> EndpointSlice {
    let endpoint = |ip: &str, ready: Option<bool>| {
        json!({
            "addresses": [ip], "conditions": {"ready": ready}, "nodeName": "n",
            "targetRef": {"kind": "Pod", "namespace": "kourier-system", "name": format!("p-{ip}")},
        })
    };
    serde_json::from_value(json!({
        "metadata": {"name": "s", "labels": {SERVICE_NAME: GATEWAY}},
        "addressType": "IPv4",
        "endpoints": [endpoint("10.0.0.1", ready[0]), endpoint("10.0.0.2", ready[1])],
        "ports": [{"name": "https", "port": 8444}, {"name": "http2", "port": 8081}],
    }))
    .unwrap()
}

#[test]
fn the_doorway_has_the_ready_addresses_of_the_gateway_and_belongs_to_the_companion() {
    let cluster = cluster(hop());
    let companion = stored(&Companion::of(
        &ingress(),
        "kourier",
        &half_and_half(),
        &cluster,
    ));
    let slices = [slice([Some(true), Some(false)])];
    let doorway = Doorway::of(&ingress(), &companion, addresses(slices.iter()));
    let service: Service = serde_json::from_value(doorway.service()).unwrap();
    let endpoints: Endpoints = serde_json::from_value(doorway.endpoints()).unwrap();
    assert_eq!(service.name_any(), name("hello"));
    assert_eq!(service.owner_references()[0].uid, "u-2");
    let subset = &endpoints.subsets.as_ref().unwrap()[0];
    let found = &subset.addresses.as_ref().unwrap()[0];
    assert_eq!(subset.addresses.as_ref().unwrap().len(), 1);
    assert_eq!(found.ip, "10.0.0.1");
    assert_eq!(
        found.target_ref.as_ref().unwrap().name.as_deref(),
        Some("p-10.0.0.1")
    );
    let port = &subset.ports.as_ref().unwrap()[0];
    assert_eq!((port.name.as_deref(), port.port), (Some("http"), 8081));

    assert!(doorway.service_is_met_by(&service));
    assert!(doorway.endpoints_are_met_by(&endpoints));
    let both = [slice([Some(true), None])];
    let both = Doorway::of(&ingress(), &companion, addresses(both.iter()));
    assert!(!both.endpoints_are_met_by(&endpoints), "one more");
    let mut selecting = service.clone();
    selecting.spec.as_mut().unwrap().selector = Some([("a".to_owned(), "b".to_owned())].into());
    assert!(!doorway.service_is_met_by(&selecting));
    let mut foreign = service;
    foreign.labels_mut().clear();
    assert!(Doorway::is_foreign(&foreign) && !doorway.service_is_met_by(&foreign));
}
