//! Cases of Knative's public conformance suite that ALB cannot express, by their public names: they
//! are refused as a whole, with the reason. The table is docs/conformance-alb.md.

use super::*;

/// So many Services, each with a share of requests and a header of its own on them.
fn ten(services: usize) -> (Namespace, Value) {
    let mut cluster = Namespace::default();
    let mut splits = Vec::new();
    for number in 0..services {
        let name = format!("s{number}");
        cluster = cluster.with(&name, Activator::Unknown);
        splits.push(json!({
            "serviceNamespace": "gray", "serviceName": name, "servicePort": 80,
            "percent": 100 / services, "appendHeaders": {"Foo-Bar-Baz": name},
        }));
    }
    (cluster, splits.into())
}

fn is_refused(visibility: &str, paths: Value, cluster: &Namespace, words: &str) {
    let host = if visibility == "ClusterLocal" {
        "split.gray.svc.cluster.local"
    } else {
        "split.example.com"
    };
    let spec = json!({"rules": [rule(&[host], visibility, paths)]});
    let refusal = refused(&source(spec, &[]), cluster);
    assert_eq!(
        (refusal.reason, refusal.waits()),
        (Reason::Unsupported, false)
    );
    assert!(refusal.message.contains(words), "{}", refusal.message);
}

/// The same goes through the hop, where each split has its headers.
fn is_served_through_a_hop(visibility: &str, paths: &Value, mut cluster: Namespace) {
    cluster.hop = Hop::Through("hop-split".to_owned());
    let spec =
        json!({"rules": [rule(&["split.gray.svc.cluster.local"], visibility, paths.clone())]});
    let found = strict(&source(spec, &[]), &cluster);
    for rule in &found.children[0].rules {
        assert_eq!(weights(&rule.forward), [("hop-split", 100)]);
        assert!(rule.forward.insert.is_empty());
    }
}

#[test]
fn headers_post_split() {
    let (cluster, splits) = ten(4);
    let paths = json!([{"splits": splits}]);
    let words = "the splits set different headers";
    is_refused("ExternalIP", paths.clone(), &cluster, words);
    is_served_through_a_hop("ExternalIP", &paths, cluster);
}

#[test]
fn dispatch_percentage() {
    let (cluster, splits) = ten(10);
    let paths = json!([{"splits": splits}]);
    is_refused("ExternalIP", paths, &cluster, "different headers");
    // Without the headers by which the suite tells the shares apart, ten are too many.
    let mut bare = splits;
    for split in bare.as_array_mut().unwrap() {
        split["appendHeaders"] = json!({});
    }
    let paths = json!([{"splits": bare}]);
    let words = "a split over 10 Services, ALB takes 5";
    is_refused("ExternalIP", paths.clone(), &cluster, words);
    is_served_through_a_hop("ExternalIP", &paths, cluster);
}

#[test]
fn dispatch_path_and_percentage() {
    let (cluster, splits) = ten(2);
    let paths = json!([{"splits": splits}, {"path": "/foo", "splits": splits}]);
    is_refused("ExternalIP", paths.clone(), &cluster, "different headers");
    is_served_through_a_hop("ExternalIP", &paths, cluster);
}

#[test]
fn visibility_split() {
    let (cluster, splits) = ten(10);
    let paths = json!([{"splits": splits}]);
    is_refused("ClusterLocal", paths.clone(), &cluster, "different headers");
    is_served_through_a_hop("ClusterLocal", &paths, cluster);
}
