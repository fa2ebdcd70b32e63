//! Names, certificates, and what is not there or makes no sense.

use super::*;
use crate::core::alb::rule::MAX_VALUES;
use proptest::prelude::*;

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
                to: gray::Target::Revision("hello-00002".to_owned()),
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
