use super::*;
use crate::core::alb::translate::{Activator, tests::half_and_half, tests::two, translate};
use crds::v1alpha1::AlbVisibility;

fn identity() -> Identity {
    Identity {
        namespace: "gray".to_owned(),
        name: "hello".to_owned(),
        owner: "hello".to_owned(),
        owner_uid: "uid-1".to_owned(),
        ingress_class: "knative-alb-ingress-internet".to_owned(),
        order: 11,
        room: 1,
    }
}

fn half() -> Wanted {
    let found = translate(
        &half_and_half(),
        AlbVisibility::Combined,
        &two(Activator::Never),
    );
    render(&found.unwrap().children[0], identity(), &[])
}

/// The article's first sample, in the form that the ALB Ingress controller takes.
#[test]
fn half_and_half_is_one_rule_for_four_hosts() {
    let wanted = half();
    let parsed = |key: &str| -> Value { serde_json::from_str(&wanted.annotations[key]).unwrap() };
    let actions = json!([{"type": "ForwardGroup", "forwardConfig": {"serverGroups": [
        {"serviceName": "hello-00002", "servicePort": 80, "weight": 50},
        {"serviceName": "hello-00001", "servicePort": 80, "weight": 50},
    ]}}]);
    assert_eq!(parsed("alb.ingress.kubernetes.io/actions.r0"), actions);
    let hosts = json!([{"type": "Host", "hostConfig": {"values": ["hello.gray.svc", "hello.gray.svc.cluster.local", "hello.gray.example.com"]}}]);
    assert_eq!(parsed("alb.ingress.kubernetes.io/conditions.r0"), hosts);
    assert_eq!(wanted.annotations[ORDER], "11");
    let spec = json!({
        "ingressClassName": "knative-alb-ingress-internet",
        "rules": [{"host": "hello.gray", "http": {"paths": [{
            "path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": "r0", "port": {"name": "use-annotation"}}},
        }]}}],
    });
    assert_eq!(wanted.spec, spec);
}

#[test]
fn a_place_with_more_room_is_filled_with_rules_that_match_nothing() {
    let found = translate(
        &half_and_half(),
        AlbVisibility::Combined,
        &two(Activator::Never),
    );
    let identity = Identity {
        room: 3,
        ..identity()
    };
    let filled = render(&found.unwrap().children[0], identity, &[]);
    let rules = filled.spec["rules"].as_array().unwrap();
    assert_eq!(rules[0], half().spec["rules"][0]);
    assert_eq!(rules[2]["host"], "o11-r2.placeholder.invalid");
    let holding = placeholder::holding(&stored(&filled)).unwrap();
    assert_eq!((holding.extent.rules, holding.idle), (3, 2));
    assert!(
        !half().is_met_by(&stored(&filled)),
        "what is not needed goes"
    );
}

#[test]
fn every_part_of_a_rule_is_said_as_the_controller_reads_it() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let rule = HostRule {
        hosts: vec!["a.example.com".to_owned()],
        forward: Forward {
            is_gray: true,
            path: "/foo".to_owned(),
            headers: vec![pair("demo", "test")],
            cookies: vec![pair("c", "1"), pair("d", "2")],
            insert: [pair("Knative-Serving-Revision", "r")].into(),
            rewrite_host: Some("b.example.com".to_owned()),
            groups: Vec::new(),
        },
    };
    let said = json!(actions(&rule.forward));
    let wanted = json!([
        {"type": "InsertHeader", "InsertHeaderConfig": {"key": "Knative-Serving-Revision", "value": "r", "valueType": "UserDefined", "coverEnabled": true}},
        {"type": "Rewrite", "RewriteConfig": {"Host": "b.example.com", "Path": "${path}", "Query": "${query}"}},
        {"type": "ForwardGroup", "forwardConfig": {"serverGroups": []}},
    ]);
    assert_eq!(said, wanted);
    let wanted = json!([
        {"type": "Header", "headerConfig": {"key": "demo", "values": ["test"]}},
        {"type": "Cookie", "cookieConfig": {"values": [{"key": "c", "value": "1"}]}},
        {"type": "Cookie", "cookieConfig": {"values": [{"key": "d", "value": "2"}]}},
    ]);
    assert_eq!(
        json!(conditions(&rule)),
        wanted,
        "each cookie in a block of its own: all must be there"
    );
    let path = &ingress_rule(&rule, "r0")["http"]["paths"][0];
    assert_eq!(
        (&path["path"], &path["pathType"]),
        (&json!("/foo*"), &json!("ImplementationSpecific"))
    );
}

fn stored(wanted: &Wanted) -> Ingress {
    let mut body = wanted.body(None, false);
    body["metadata"]["uid"] = json!("child");
    body["metadata"]["resourceVersion"] = json!("7");
    serde_json::from_value(body).unwrap()
}

#[test]
fn what_was_written_is_met_and_any_change_of_it_is_not() {
    let wanted = half();
    assert!(wanted.is_met_by(&stored(&wanted)));
    let mut labelled = stored(&wanted);
    labelled
        .labels_mut()
        .insert(HASH.to_owned(), "h".to_owned());
    labelled
        .annotations_mut()
        .insert("other".to_owned(), "note".to_owned());
    assert!(
        wanted.is_met_by(&labelled),
        "what others put on it does not matter"
    );
    type Change = fn(&mut Ingress);
    let changes: [Change; 6] = [
        |found| {
            drop(
                found
                    .annotations_mut()
                    .insert(ORDER.to_owned(), "12".to_owned()),
            )
        },
        |found| {
            drop(
                found
                    .annotations_mut()
                    .remove("alb.ingress.kubernetes.io/conditions.r0"),
            )
        },
        |found| {
            drop(found.annotations_mut().insert(
                "alb.ingress.kubernetes.io/actions.r7".to_owned(),
                String::new(),
            ))
        },
        |found| drop(found.labels_mut().remove(LABEL)),
        |found| found.owner_references_mut().clear(),
        |found| found.spec.as_mut().unwrap().ingress_class_name = None,
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut found = stored(&wanted);
        change(&mut found);
        assert!(!wanted.is_met_by(&found), "change {at}");
    }
}

/// As the API server has it after our next write.
fn rewritten(wanted: &Wanted, found: &Ingress, dealt_with: bool) -> Ingress {
    let body = wanted.body(Some(found), dealt_with);
    assert_eq!(body["metadata"]["resourceVersion"], "7");
    let mut next: Ingress = serde_json::from_value(body).unwrap();
    next.status.clone_from(&found.status);
    let label = found.labels().get(HASH).cloned();
    next.labels_mut()
        .extend(label.map(|label| (HASH.to_owned(), label)));
    next
}

fn label(found: &mut Ingress, hash: &str) {
    found.labels_mut().insert(HASH.to_owned(), hash.to_owned());
}

#[test]
fn only_a_label_that_moved_after_it_moved_proves_that_a_change_is_served() {
    let wanted = half();
    let mut found = stored(&wanted);
    let status = json!({"loadBalancer": {"ingress": [{"hostname": "alb-1.example.com"}]}});
    found.status = serde_json::from_value(status).unwrap();
    assert_eq!(wanted.progress(&found), Progress::Waiting, "no label yet");
    label(&mut found, "one");
    assert_eq!(
        wanted.progress(&found),
        Progress::Labelled,
        "perhaps by a pass that began before"
    );
    let mut found = rewritten(&wanted, &found, true);
    assert!(wanted.is_met_by(&found));
    assert_eq!(
        wanted.progress(&found),
        Progress::Waiting,
        "the label is that of before"
    );
    label(&mut found, "two");
    assert_eq!(wanted.progress(&found), Progress::Served);

    // Another change begins anew, with what the first one left.
    let mut other = wanted.clone();
    other.annotations.insert(
        "alb.ingress.kubernetes.io/listen-ports".to_owned(),
        "[]".to_owned(),
    );
    assert!(!other.is_met_by(&found));
    found.annotations_mut().insert(
        "alb.ingress.kubernetes.io/listen-ports".to_owned(),
        "[]".to_owned(),
    );
    assert_eq!(
        other.progress(&found),
        Progress::Labelled,
        "what was dealt with was something else"
    );
    found.status = None;
    assert_eq!(
        other.progress(&found),
        Progress::Waiting,
        "without an address nobody is served"
    );
}

#[test]
fn long_names_make_short_labels() {
    assert_eq!(label_value("hello"), "hello");
    let long = format!("{}.example.com", "a".repeat(100));
    assert_eq!(label_value(&long).len(), 63);
    assert_ne!(label_value(&long), label_value(&format!("{long}.cn")));
}
