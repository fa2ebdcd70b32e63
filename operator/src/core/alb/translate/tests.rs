use super::*;
use crate::core::alb::gray;
use crate::core::alb::kingress::KIngress;
use serde_json::{Value, json};

mod conformance;
mod odd;
mod revisions;

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
