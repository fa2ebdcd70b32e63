use super::*;
use crate::core::alb::gray;
use crate::core::alb::kingress::KIngress;
use crate::core::alb::rule::MAX_VALUES;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A namespace by its Services and Knative Ingresses.
#[derive(Default)]
pub(crate) struct Namespace {
    services: BTreeMap<String, Backing>,
    sources: Vec<Source>,
    pub(crate) hop: Hop,
}

impl Namespace {
    pub(crate) fn with(mut self, service: &str, activator: Activator) -> Self {
        let backing = Backing {
            ports: vec![("http".to_owned(), 80), ("http2".to_owned(), 81)],
            is_external_name: false,
            activator,
        };
        self.services.insert(service.to_owned(), backing);
        self
    }
}

impl Namespace {
    pub(crate) fn know(&mut self, source: Source) {
        self.sources.push(source);
    }
}

impl Cluster for Namespace {
    fn service(&self, name: &str) -> Option<Backing> {
        self.services.get(name).cloned()
    }

    fn revisions(&self, _: &str) -> Vec<String> {
        self.services.keys().cloned().collect()
    }

    fn serving(&self, host: &str) -> Option<Source> {
        let serves = |source: &&Source| {
            let mut hosts = source.spec.rules.iter().flat_map(|rule| &rule.hosts);
            hosts.any(|other| other == host)
        };
        self.sources.iter().find(serves).cloned()
    }

    fn hop(&self) -> Hop {
        self.hop.clone()
    }
}

/// Two revisions, of which `activator` holds.
pub(crate) fn two(activator: Activator) -> Namespace {
    Namespace::default()
        .with("hello-00001", activator)
        .with("hello-00002", activator)
}

fn split(revision: &str, percent: i64) -> Value {
    json!({
        "serviceNamespace": "gray", "serviceName": revision, "servicePort": 80, "percent": percent,
        "appendHeaders": {REVISION_HEADER: revision, NAMESPACE_HEADER: "gray"},
    })
}

fn rule(hosts: &[&str], visibility: &str, paths: Value) -> Value {
    json!({"hosts": hosts, "visibility": visibility, "http": {"paths": paths}})
}

const LOCAL: [&str; 3] = [
    "hello.gray",
    "hello.gray.svc",
    "hello.gray.svc.cluster.local",
];

/// What Route makes of one Knative Service with these paths.
fn route(paths: &Value) -> Value {
    json!({"httpOption": "Enabled", "rules": [
        rule(&LOCAL, "ClusterLocal", paths.clone()),
        rule(&["hello.gray.example.com"], "ExternalIP", paths.clone()),
    ]})
}

pub(crate) fn source(spec: Value, annotations: &[(&str, &str)]) -> Source {
    let annotations: BTreeMap<String, String> = annotations
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let mut ingress = KIngress {
        spec,
        ..KIngress::default()
    };
    ingress.metadata.namespace = Some("gray".to_owned());
    ingress.metadata.annotations = Some(annotations.clone());
    Source {
        namespace: "gray".to_owned(),
        service: "hello".to_owned(),
        spec: ingress.read().unwrap(),
        tags: ingress.tags(),
        gray: gray::of_annotations(&annotations).unwrap(),
    }
}

pub(crate) fn half_and_half() -> Source {
    let paths = json!([{"splits": [split("hello-00002", 50), split("hello-00001", 50)]}]);
    source(route(&paths), &[])
}

fn strict(source: &Source, cluster: &Namespace) -> Translation {
    translate(source, AlbVisibility::Strict, cluster).unwrap()
}

fn refused(source: &Source, cluster: &Namespace) -> Refusal {
    translate(source, AlbVisibility::Strict, cluster).unwrap_err()
}

fn weights(forward: &Forward) -> Vec<(&str, u8)> {
    let groups = forward.groups.iter();
    groups
        .map(|group| (group.service.as_str(), group.weight))
        .collect()
}

#[test]
fn names_of_the_cluster_stay_off_the_public_load_balancer() {
    let found = strict(&half_and_half(), &two(Activator::Never));
    let places: Vec<(Placement, Vec<&str>)> = found
        .children
        .iter()
        .map(|child| {
            (
                child.placement,
                child.rules[0].hosts.iter().map(String::as_str).collect(),
            )
        })
        .collect();
    let wanted = [
        (Placement::Internet, vec!["hello.gray.example.com"]),
        (Placement::Intranet, LOCAL.to_vec()),
    ];
    assert_eq!(places, wanted);
    assert!(
        found.children.iter().all(|child| child.rules.len() == 1),
        "hosts are packed"
    );
    let combined = translate(
        &half_and_half(),
        AlbVisibility::Combined,
        &two(Activator::Never),
    )
    .unwrap();
    let [child] = combined.children.as_slice() else {
        panic!("{:?}", combined.children);
    };
    assert_eq!(
        (child.placement, child.rules.len()),
        (Placement::Internet, 1)
    );
    assert_eq!(child.rules[0].hosts.len(), 4);
}

#[test]
fn a_service_of_the_cluster_alone_is_private_in_both_modes() {
    let only = source(
        json!({"rules": [rule(&LOCAL, "ClusterLocal", json!([{"splits": [split("hello-00001", 100)]}]))]}),
        &[],
    );
    for mode in [AlbVisibility::Strict, AlbVisibility::Combined] {
        let found = translate(&only, mode, &two(Activator::Never)).unwrap();
        assert_eq!(found.children.len(), 1);
        assert_eq!(found.children[0].placement, Placement::Intranet);
    }
}

#[test]
fn weights_follow_the_split_zero_included() {
    let found = strict(&half_and_half(), &two(Activator::Never));
    let forward = &found.children[0].rules[0].forward;
    assert_eq!(weights(forward), [("hello-00002", 50), ("hello-00001", 50)]);
    assert!(forward.insert.is_empty());
    let paths = json!([{"splits": [split("hello-00001", 100), split("hello-00002", 0)]}]);
    let found = strict(&source(route(&paths), &[]), &two(Activator::Possible));
    let forward = &found.children[0].rules[0].forward;
    assert_eq!(weights(forward), [("hello-00001", 100), ("hello-00002", 0)]);
    assert_eq!(forward.insert[REVISION_HEADER], "hello-00001");
}

#[test]
fn a_split_over_a_revision_that_may_be_idle_is_refused_by_its_name() {
    let cluster = two(Activator::Never).with("hello-00002", Activator::Possible);
    let refusal = refused(&half_and_half(), &cluster);
    assert_eq!(refusal.reason, Reason::SplitNeedsActivator);
    assert!(
        refusal.message.contains("\"hello-00002\" may have no pods"),
        "{}",
        refusal.message
    );
    assert!(
        !refusal.message.contains("hello-00001"),
        "{}",
        refusal.message
    );
}

#[test]
fn what_goes_to_one_revision_tells_the_activator_which() {
    let paths = json!([{"splits": [split("hello-00001", 100)]}]);
    for activator in [
        Activator::Never,
        Activator::StillThere,
        Activator::Possible,
        Activator::Unknown,
    ] {
        let found = strict(&source(route(&paths), &[]), &two(activator));
        let insert = &found.children[0].rules[0].forward.insert;
        assert_eq!(insert[REVISION_HEADER], "hello-00001", "{activator:?}");
    }
    let own = json!([{"splits": [{"serviceNamespace": "gray", "serviceName": "hello-00001", "servicePort": 80, "appendHeaders": {"A": "b"}}], "appendHeaders": {"C": "d"}}]);
    let found = strict(&source(route(&own), &[]), &two(Activator::Never));
    let insert = &found.children[0].rules[0].forward.insert;
    assert_eq!((insert["A"].as_str(), insert["C"].as_str()), ("b", "d"));
}

#[test]
fn a_split_waits_for_a_revision_that_is_starting() {
    let cluster = two(Activator::Never).with("hello-00002", Activator::StillThere);
    let refusal = refused(&half_and_half(), &cluster);
    assert_eq!((refusal.reason, refusal.waits()), (Reason::Pending, true));
    assert!(
        refusal.message.contains("\"hello-00002\" is starting"),
        "{}",
        refusal.message
    );
}

#[test]
fn different_headers_of_splits_cannot_be_set() {
    let mut spec =
        route(&json!([{"splits": [split("hello-00001", 50), split("hello-00002", 50)]}]));
    spec["rules"][0]["http"]["paths"][0]["splits"][0]["appendHeaders"]["Which"] = json!("a");
    let refusal = refused(&source(spec, &[]), &two(Activator::Never));
    assert_eq!(refusal.reason, Reason::Unsupported);
    assert!(
        refusal.message.contains("different headers"),
        "{}",
        refusal.message
    );
}

#[test]
fn the_article_s_header_and_cookie_rules_reach_a_revision_without_a_share() {
    let paths = json!([{"splits": [split("hello-00001", 100)]}]);
    let annotations = [
        (
            gray::COOKIES,
            "[{revision:hello-00002,cookies:{demo:always,cookie2:v2}}]",
        ),
        (
            gray::HEADERS,
            "[{revision:hello-00002,headers:{demo:test}}]",
        ),
    ];
    let found = strict(
        &source(route(&paths), &annotations),
        &two(Activator::Possible),
    );
    let [headers, cookies, default] = found.children[0].rules.as_slice() else {
        panic!("{:?}", found.children[0].rules);
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(headers.forward.headers, [pair("demo", "test")]);
    assert_eq!(
        cookies.forward.cookies,
        [pair("demo", "always"), pair("cookie2", "v2")]
    );
    for rule in [headers, cookies] {
        assert_eq!(weights(&rule.forward), [("hello-00002", 100)]);
        assert_eq!(rule.forward.insert[REVISION_HEADER], "hello-00002");
        assert_eq!(rule.forward.insert[NAMESPACE_HEADER], "gray");
    }
    assert_eq!(weights(&default.forward), [("hello-00001", 100)]);
}

#[test]
fn a_rule_for_a_revision_that_is_not_there_names_those_that_are() {
    let paths = json!([{"splits": [split("hello-00001", 100)]}]);
    let annotations = [(gray::HEADERS, "[{revision: hello-00009, headers: {a: b}}]")];
    let refusal = refused(&source(route(&paths), &annotations), &two(Activator::Never));
    assert_eq!(refusal.reason, Reason::RevisionNotFound);
    assert!(
        refusal
            .message
            .contains("no revision \"hello-00009\"; it has \"hello-00001\", \"hello-00002\""),
        "{}",
        refusal.message
    );
}

/// With `tag-header-based-routing`, and a tag.
fn tagged() -> Source {
    let default = json!([
        {"headers": {"Knative-Serving-Tag": {"exact": "rev1"}}, "splits": [split("hello-00002", 100)]},
        {"splits": [split("hello-00001", 100)], "appendHeaders": {"Knative-Serving-Default-Route": "true"}},
    ]);
    let tag = json!([{"splits": [split("hello-00002", 100)], "appendHeaders": {"Knative-Serving-Tag": "rev1"}}]);
    let mut spec = route(&default);
    let rules = spec["rules"].as_array_mut().unwrap();
    rules.push(rule(
        &["rev1-hello.gray.svc.cluster.local"],
        "ClusterLocal",
        tag.clone(),
    ));
    rules.push(rule(&["rev1-hello.gray.example.com"], "ExternalIP", tag));
    let hosts = r#"{"rev1":["rev1-hello.gray.example.com","rev1-hello.gray.svc.cluster.local"]}"#;
    source(
        spec,
        &[("networking.internal.knative.dev/tag-to-host", hosts)],
    )
}

#[test]
fn rules_come_before_tags_and_tags_before_the_split() {
    let mut source = tagged();
    source.gray = gray::of_binding(&[
        serde_json::from_value(json!({"name": "a", "tag": "rev1", "cookies": [{"name": "c", "value": "d"}]})).unwrap(),
        serde_json::from_value(json!({"name": "b", "revision": "hello-00001", "headers": [{"name": "e", "value": "f"}]})).unwrap(),
    ]);
    let found = strict(&source, &two(Activator::Possible));
    let public = &found.children[0].rules;
    let of_host = |host: &str| -> Vec<(usize, usize, &str)> {
        let rules = public.iter().filter(|rule| rule.hosts == [host]);
        rules
            .map(|rule| {
                (
                    rule.forward.headers.len(),
                    rule.forward.cookies.len(),
                    rule.forward.groups[0].service.as_str(),
                )
            })
            .collect()
    };
    let wanted = [
        (0, 1, "hello-00002"),
        (1, 0, "hello-00001"),
        (1, 0, "hello-00002"),
        (0, 0, "hello-00001"),
    ];
    assert_eq!(of_host("hello.gray.example.com"), wanted);
    assert_eq!(
        of_host("rev1-hello.gray.example.com"),
        [(0, 0, "hello-00002")],
        "a tag's own host needs no header"
    );
    source.gray = gray::of_binding(&[serde_json::from_value(
        json!({"name": "a", "tag": "rev9", "cookies": [{"name": "c", "value": "d"}]}),
    )
    .unwrap()]);
    let refusal = refused(&source, &two(Activator::Possible));
    assert_eq!(refusal.reason, Reason::RevisionNotFound);
    assert!(
        refusal.message.contains("no tag \"rev9\"; it has \"rev1\""),
        "{}",
        refusal.message
    );
}

#[test]
fn the_longest_path_comes_first() {
    let paths = json!([
        {"splits": [split("hello-00001", 100)]},
        {"path": "/foo", "splits": [split("hello-00002", 100)]},
        {"path": "/foobar", "splits": [split("hello-00001", 100)]},
    ]);
    let found = strict(&source(route(&paths), &[]), &two(Activator::Never));
    let paths: Vec<&str> = found.children[0]
        .rules
        .iter()
        .map(|rule| rule.forward.path.as_str())
        .collect();
    assert_eq!(paths, ["/foobar", "/foo", ""]);
}

#[test]
fn a_short_name_that_alb_does_not_take_is_left_out_and_a_public_one_refused() {
    let paths = json!([{"splits": [split("hello-00001", 100)]}]);
    let local = [
        "hello.team-1",
        "hello.team-1.svc",
        "hello.team-1.svc.cluster.local",
    ];
    let some = source(
        json!({"rules": [rule(&local, "ClusterLocal", paths.clone())]}),
        &[],
    );
    let found = strict(&some, &two(Activator::Never));
    assert_eq!(found.left_out, ["hello.team-1"]);
    assert_eq!(found.children[0].rules[0].hosts, &local[1..]);
    let public = source(
        json!({"rules": [rule(&["hello.team-1"], "ExternalIP", paths)]}),
        &[],
    );
    assert!(
        refused(&public, &two(Activator::Never))
            .message
            .contains("host \"hello.team-1\"")
    );
}

#[test]
fn a_mapped_domain_is_served_by_what_serves_its_target() {
    let target = tagged();
    let mut cluster = two(Activator::Possible);
    cluster.services.insert(
        "hello".to_owned(),
        Backing {
            is_external_name: true,
            ..Backing::default()
        },
    );
    let mapping = source(
        json!({"rules": [rule(&["shop.example.com"], "ExternalIP", json!([{
            "rewriteHost": "hello.gray.svc.cluster.local",
            "appendHeaders": {"K-Original-Host": "shop.example.com"},
            "splits": [{"serviceNamespace": "gray", "serviceName": "hello", "servicePort": 80, "percent": 100}],
        }]))]}),
        &[],
    );
    let refusal = refused(&mapping, &cluster);
    assert_eq!(
        (refusal.reason, refusal.waits()),
        (Reason::ServiceNotFound, true)
    );
    // The header of the default route is one action more than ALB takes.
    cluster.sources.push(target);
    assert!(refused(&mapping, &cluster).message.contains("actions"));
    let paths = json!([{"splits": [split("hello-00001", 100)]}]);
    cluster.sources = vec![source(
        route(&paths),
        &[(gray::HEADERS, "{revision: hello-00002, headers: {a: b}}")],
    )];
    let found = strict(&mapping, &cluster);
    let rules = &found.children[0].rules;
    assert_eq!(
        rules
            .iter()
            .map(|rule| weights(&rule.forward))
            .collect::<Vec<_>>(),
        [[("hello-00002", 100)], [("hello-00001", 100)]]
    );
    for rule in rules {
        assert_eq!(
            rule.forward.rewrite_host.as_deref(),
            Some("hello.gray.svc.cluster.local")
        );
        assert_eq!(rule.forward.insert["K-Original-Host"], "shop.example.com");
    }
}

#[test]
fn certificates_go_with_their_hosts() {
    let paths = json!([{"splits": [split("hello-00001", 100)]}]);
    let mut spec = route(&paths);
    spec["httpOption"] = json!("Redirected");
    spec["tls"] = json!([{"hosts": ["hello.gray.example.com"], "secretName": "cert", "secretNamespace": "istio-system"}]);
    let found = strict(&source(spec.clone(), &[]), &two(Activator::Never));
    let shown: Vec<(bool, usize)> = found
        .children
        .iter()
        .map(|child| (child.redirected, child.tls.len()))
        .collect();
    assert_eq!(shown, [(true, 1), (false, 0)]);
    let combined = translate(
        &source(spec, &[]),
        AlbVisibility::Combined,
        &two(Activator::Never),
    );
    assert!(combined.unwrap_err().message.contains("has no certificate"));
}

#[test]
fn a_service_or_port_that_is_not_there_is_waited_for() {
    let paths = json!([{"splits": [split("hello-00007", 100)]}]);
    let refusal = refused(&source(route(&paths), &[]), &two(Activator::Never));
    assert_eq!(
        (refusal.reason, refusal.waits()),
        (Reason::ServiceNotFound, true)
    );
    let mut spec = route(&json!([{"splits": [split("hello-00001", 100)]}]));
    spec["rules"][0]["http"]["paths"][0]["splits"][0]["servicePort"] = json!("grpc");
    assert_eq!(
        refused(&source(spec.clone(), &[]), &two(Activator::Never)).reason,
        Reason::ServiceInvalid
    );
    spec["rules"][0]["http"]["paths"][0]["splits"][0]["servicePort"] = json!("http2");
    let found = strict(&source(spec, &[]), &two(Activator::Never));
    let local = found
        .children
        .iter()
        .find(|child| child.placement == Placement::Intranet)
        .unwrap();
    assert_eq!(local.rules[0].forward.groups[0].port, 81);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let sound = || route(&json!([{"splits": [split("hello-00001", 100)]}]));
    for (at, value, words) in [
        ("/rules", json!([]), "rules is empty"),
        ("/httpOption", json!("Enable"), "httpOption"),
        ("/rules/0/hosts", json!([]), "no hosts"),
        ("/rules/0/http/paths/0/splits", json!([]), "0 percent"),
        (
            "/rules/0/http/paths/0/splits/0/percent",
            json!(99),
            "99 percent",
        ),
        (
            "/rules/0/http/paths/0/splits/0/serviceNamespace",
            json!("other"),
            "not in the namespace",
        ),
        ("/rules/0/visibility", json!("Nobody"), "cannot be read"),
        ("/rules", json!("x"), "cannot be read"),
    ] {
        let mut spec = sound();
        *spec.pointer_mut(at).unwrap() = value;
        let mut ingress = KIngress {
            spec,
            ..KIngress::default()
        };
        ingress.metadata.namespace = Some("gray".to_owned());
        let refusal = ingress.read().unwrap_err();
        assert!(refusal.message.contains(words), "{at}: {}", refusal.message);
    }
}

proptest! {
    /// However many hosts share rules, each host has each rule once, and no rule has more values than
    /// ALB takes.
    #[test]
    fn packing_loses_no_host_and_keeps_the_limit(hosts in 1usize..40, cookies in 0usize..8) {
        let names: Vec<String> = (0..hosts).map(|n| format!("h{n}.example.com")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let paths = json!([{"splits": [split("hello-00001", 100)]}]);
        let mut source = source(json!({"rules": [rule(&names, "ExternalIP", paths)]}), &[]);
        if cookies > 0 {
            source.gray.push(GrayRule {
                at: "x".to_owned(),
                to: Target::Revision("hello-00002".to_owned()),
                headers: Vec::new(),
                cookies: (0..cookies).map(|n| (format!("c{n}"), "v".to_owned())).collect(),
            });
        }
        let found = strict(&source, &two(Activator::Never));
        let rules = &found.children[0].rules;
        for name in names {
            let mine: Vec<&HostRule> = rules.iter().filter(|rule| rule.hosts.iter().any(|host| host == name)).collect();
            prop_assert_eq!(mine.len(), 1 + usize::from(cookies > 0));
            prop_assert!(!mine[mine.len() - 1].forward.is_gray);
        }
        for rule in rules {
            prop_assert!(rule.hosts.len() + rule.forward.values() <= MAX_VALUES);
        }
    }
}
