//! What the controller makes of annotations: one test for each fact about its parsers, its order and
//! its priorities.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use serde_json::{Value, json};

use super::build;
use super::compare::{Ids, same_actions, same_conditions};
use super::failure::Failure;
use super::members;
use super::model::{Act, GroupRef, Model, WantedRule};

/// An Ingress of one path whose backend leaves all to the annotation.
fn ingress(name: &str, labels: Value, annotations: Value, backend: Value, host: &str) -> Ingress {
    let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": backend}});
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default", "labels": labels, "annotations": annotations},
        "spec": {"ingressClassName": "alb", "rules": [{"host": host, "http": {"paths": [path]}}]},
    }))
    .unwrap()
}

fn custom(name: &str, labelled: bool, actions: &str, conditions: &str) -> Ingress {
    let labels = match labelled {
        true => json!({"knative.aliyun.com/ingress": "x"}),
        false => json!({}),
    };
    let mut annotations = BTreeMap::from([("alb.ingress.kubernetes.io/actions.f", actions)]);
    if !conditions.is_empty() {
        annotations.insert("alb.ingress.kubernetes.io/conditions.f", conditions);
    }
    let backend = json!({"name": "f", "port": {"name": "use-annotation"}});
    ingress(name, labels, json!(annotations), backend, "a.example.com")
}

fn model(ingresses: &[Ingress]) -> Result<Model, Failure> {
    let spec = json!({"listeners": [{"port": 80, "protocol": "HTTP"}]});
    let members: Vec<&Ingress> = ingresses.iter().collect();
    build::model("knative-internet", &spec, &members, &BTreeSet::new())
}

fn rules(ingresses: &[Ingress]) -> Vec<WantedRule> {
    model(ingresses).unwrap().listeners.remove(0).rules
}

/// The one rule of one Ingress.
fn rule(ingress: Ingress) -> WantedRule {
    let mut rules = rules(&[ingress]);
    assert_eq!(rules.len(), 1);
    rules.remove(0)
}

fn failure(ingress: Ingress) -> Failure {
    model(&[ingress]).expect_err("it cannot be read")
}

const FORWARD: &str = r#"{"type":"ForwardGroup","forwardConfig":{"serverGroups":[{"serviceName":"r1","servicePort":80,"weight":50},{"serviceName":"r2","servicePort":80,"weight":50}]}}"#;

fn forwards(ingress: Ingress) -> Vec<i64> {
    match rule(ingress).actions.as_slice() {
        [Act::Forward(targets)] => targets.iter().map(|(_, weight)| *weight).collect(),
        other => panic!("not one forwarding action: {other:?}"),
    }
}

fn list(action: &str) -> String {
    format!("[{action}]")
}

#[test]
fn sample_1_of_the_article_leads_nowhere() {
    let sample = FORWARD.replace("serverGroups", "targetGroups");
    // Read without an error, and refused by the cloud later.
    assert_eq!(forwards(custom("s1", true, &sample, "")), Vec::<i64>::new());
    assert_eq!(
        forwards(custom("a2", false, &list(&sample), "")),
        Vec::<i64>::new()
    );
    assert_eq!(forwards(custom("s1'", true, FORWARD, "")), [50, 50]);
}

#[test]
fn samples_2_and_3_of_the_article_are_left_out_in_silence() {
    let sample = FORWARD.replace("ForwardGroup", "forward");
    assert!(rules(&[custom("s2", true, &sample, "")]).is_empty());
    let sample = sample.replace("serverGroups", "targetGroups");
    let conditions = r#"[{"Type":"Header","CookieConfig":{"Values":null},"HeaderConfig":{"Key":"K","Values":["v"]}}]"#;
    assert!(rules(&[custom("s3", true, &sample, conditions)]).is_empty());
    let good = rule(custom("s3'", true, FORWARD, conditions));
    let header = good.conditions.last().unwrap();
    assert_eq!((header.kind.as_str(), header.key.as_str()), ("Header", "K"));
    assert_eq!(header.values, ["v"]);
}

#[test]
fn an_unknown_type_in_a_list_is_a_nil_pointer() {
    let sample = list(&FORWARD.replace("ForwardGroup", "forward"));
    assert!(matches!(
        failure(custom("a1", false, &sample, "")),
        Failure::Panic(_)
    ));
    let bare = r#"[{"type":"ForwardGroup"}]"#;
    assert!(matches!(
        failure(custom("b", false, bare, "")),
        Failure::Panic(_)
    ));
}

#[test]
fn an_object_without_the_label_stops_everything() {
    let failure = failure(custom("a3", false, FORWARD, ""));
    let Failure::Ingress { key, message } = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(key, "default/a3");
    assert!(message.contains("cannot unmarshal object"), "{message}");
}

#[test]
fn a_list_is_read_with_the_label_and_without() {
    for labelled in [true, false] {
        assert_eq!(
            forwards(custom("a4", labelled, &list(FORWARD), "")),
            [50, 50]
        );
    }
}

#[test]
fn types_in_lists_have_any_case_and_ports_are_numbers() {
    let lower = list(FORWARD).replace("ForwardGroup", "forwardgroup");
    assert_eq!(forwards(custom("c", false, &lower, "")), [50, 50]);
    for bad in ["\"80\"", "\"http\""] {
        let text = list(FORWARD).replace(":80", &format!(":{bad}"));
        let failure = failure(custom("p", false, &text, ""));
        assert!(
            failure.to_string().contains("cannot unmarshal string"),
            "{failure}"
        );
    }
}

#[test]
fn the_first_ingress_decides_which_parser_reads_all() {
    let old = || custom("1-old", true, FORWARD, "");
    let new = || custom("2-new", false, &list(FORWARD), "");
    assert_eq!(rules(&[old(), new()]).len(), 1, "the list is left out");
    assert!(
        model(&[new(), old()]).is_err(),
        "the object stops everything"
    );
}

#[test]
fn two_final_actions_are_one_too_many() {
    let backend = json!({"name": "f", "port": {"number": 80}});
    let annotations = json!({"alb.ingress.kubernetes.io/actions.f": list(FORWARD)});
    let both = ingress("b", json!({}), annotations, backend, "a.example.com");
    let failure = failure(both);
    assert!(
        failure.to_string().contains("multi finalType action find"),
        "{failure}"
    );
}

#[test]
fn limits_come_first_and_the_final_action_last() {
    let actions = r#"[{"type":"FixedResponse","FixedResponseConfig":{"httpCode":"200"}},
        {"type":"InsertHeader","InsertHeaderConfig":{"key":"a","value":"b","valueType":"UserDefined"}},
        {"type":"TrafficLimit","TrafficLimitConfig":{"qps":"9"}}]"#;
    let rule = rule(custom("o", false, actions, ""));
    assert!(matches!(
        rule.actions.as_slice(),
        [
            Act::TrafficLimit { qps: 9, .. },
            Act::InsertHeader { .. },
            Act::FixedResponse { .. }
        ]
    ));
}

#[test]
fn a_redirect_loses_the_defaults_it_does_not_write() {
    let actions = r#"[{"type":"Redirect","RedirectConfig":{"Host":"b.example.com"}}]"#;
    match rule(custom("r", false, actions, "")).actions.as_slice() {
        [Act::Redirect(to)] => {
            assert_eq!((to.host.as_str(), to.path.as_str()), ("b.example.com", ""));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn hosts_and_paths_of_all_blocks_become_one_condition_each() {
    let conditions = r#"[{"type":"header","headerConfig":{"key":"k","values":["v1","v2"]}},
        {"type":"Cookie","cookieConfig":{"values":[{"key":"c","value":"v"}]}},
        {"type":"Cookie","cookieConfig":{"values":[{"key":"d","value":"w"}]}},
        {"type":"HOST","hostConfig":{"values":["b.example.com"]}},
        {"type":"Path","pathConfig":{"values":["/x*"]}}]"#;
    let rule = rule(custom("c", false, &list(FORWARD), conditions));
    let kinds: Vec<&str> = rule
        .conditions
        .iter()
        .map(|ask| ask.kind.as_str())
        .collect();
    assert_eq!(kinds, ["Header", "Cookie", "Cookie", "Host", "Path"]);
    assert_eq!(
        rule.conditions[3].values,
        ["b.example.com", "a.example.com"]
    );
    assert_eq!(rule.conditions[4].values, ["/x*", "/*"]);
    assert_eq!(rule.conditions[2].pairs, [("d".to_owned(), "w".to_owned())]);
}

#[test]
fn an_unknown_condition_stops_everything_in_a_list_and_passes_in_the_parser_of_old() {
    let conditions = r#"[{"type":"Hosts"}]"#;
    let failure = failure(custom("c", false, &list(FORWARD), conditions));
    assert!(
        failure.to_string().contains("unknown condition type"),
        "{failure}"
    );
    let passed = rule(custom("c", true, FORWARD, conditions));
    assert_eq!(passed.conditions.last().unwrap().kind, "Hosts");
}

#[test]
fn a_rule_that_asks_for_nothing_takes_everything() {
    let mut plain = custom("c", false, &list(FORWARD), "");
    let rule_of = plain.spec.as_mut().unwrap().rules.as_mut().unwrap();
    rule_of[0].host = None;
    rule_of[0].http.as_mut().unwrap().paths[0].path = None;
    assert_eq!(rule(plain).conditions[0].values, ["/*"]);
}

#[test]
fn server_groups_are_one_for_ingress_service_and_port() {
    let two = [
        custom("a", false, &list(FORWARD), ""),
        custom("b", false, &list(FORWARD), ""),
    ];
    let model = model(&two).unwrap();
    // Two Services of two Ingresses, and the one of the listener.
    assert_eq!(model.groups.len(), 5);
    let default = model
        .groups
        .values()
        .find(|group| group.is_default())
        .unwrap();
    assert_eq!(default.name(), "kube-system-fake-svc-80");
}

fn classes() -> members::Classes {
    let class: IngressClass = serde_json::from_value(json!({
        "metadata": {"name": "alb"},
        "spec": {"controller": "ingress.k8s.alibabacloud/alb",
            "parameters": {"apiGroup": "alibabacloud.com", "kind": "AlbConfig", "name": "knative-internet"}},
    }))
    .unwrap();
    members::Classes::from([("alb".to_owned(), class)])
}

fn ordered(name: &str, order: &str) -> Ingress {
    let mut ingress = custom(name, false, &list(FORWARD), "");
    if !order.is_empty() {
        let annotations = ingress.metadata.annotations.get_or_insert_default();
        annotations.insert(
            "alb.ingress.kubernetes.io/order".to_owned(),
            order.to_owned(),
        );
    }
    ingress
}

fn order(all: &[Ingress]) -> Result<Vec<String>, Failure> {
    let members = members::of("knative-internet", all, &classes())?;
    let names = members
        .into_iter()
        .filter_map(|member| member.metadata.name.clone());
    Ok(names.collect())
}

#[test]
fn ingresses_are_sorted_by_order_then_by_name() {
    let all = [
        ordered("c", ""),
        ordered("a", "11"),
        ordered("b", ""),
        ordered("z", "9"),
    ];
    assert_eq!(order(&all).unwrap(), ["z", "b", "c", "a"]);
    // 10 may be written once beside those that are there by default.
    let all = [ordered("c", ""), ordered("a", "10")];
    assert_eq!(order(&all).unwrap(), ["a", "c"]);
}

#[test]
fn orders_are_unique_numbers_within_bounds() {
    for bad in ["0", "1001", "x", "1.5"] {
        assert!(order(&[ordered("a", bad)]).is_err(), "{bad}");
    }
    let failure = order(&[ordered("a", "7"), ordered("b", "7")]).expect_err("twice");
    assert!(
        failure
            .to_string()
            .contains("conflict Ingress group order: 7"),
        "{failure}"
    );
}

#[test]
fn an_ingress_of_another_class_or_albconfig_is_no_member() {
    let mut other = ordered("a", "");
    other.spec.as_mut().unwrap().ingress_class_name = Some("nginx".to_owned());
    assert!(order(&[other]).unwrap().is_empty());
    let mut moved = ordered("a", "");
    let annotations = moved.metadata.annotations.get_or_insert_default();
    annotations.insert(
        "alb.ingress.kubernetes.io/albconfig.name".to_owned(),
        "x".to_owned(),
    );
    assert!(order(&[moved]).unwrap().is_empty());
}

#[test]
fn a_class_without_parameters_stops_every_albconfig() {
    let mut classes = classes();
    let mut bare = classes["alb"].clone();
    bare.spec.as_mut().unwrap().parameters = None;
    classes.insert("bare".to_owned(), bare);
    let mut other = ordered("a", "");
    other.spec.as_mut().unwrap().ingress_class_name = Some("bare".to_owned());
    let all = [ordered("b", ""), other];
    assert!(members::of("knative-internet", &all, &classes).is_err());
}

#[test]
fn hosts_with_tls_are_on_443_with_the_certificate_of_their_secret() {
    let mut secured = custom("t", false, &list(FORWARD), "");
    let spec = secured.spec.as_mut().unwrap();
    let tls = json!([{"hosts": ["a.example.com"], "secretName": "cert"}]);
    spec.tls = serde_json::from_value(tls).unwrap();
    let listeners = json!({"listeners": [
        {"port": 80, "protocol": "HTTP"},
        {"port": 443, "protocol": "HTTPS"},
    ]});
    let build = |secrets: &[&str]| {
        let secrets: BTreeSet<String> = secrets.iter().map(|name| (*name).to_owned()).collect();
        build::model("knative-internet", &listeners, &[&secured], &secrets)
    };
    let model = build(&["default/cert"]).unwrap();
    let rules: Vec<usize> = model.listeners.iter().map(|one| one.rules.len()).collect();
    assert_eq!(rules, [0, 1]);
    assert_eq!(model.listeners[1].certificates.len(), 1);
    // A Secret of another namespace is not looked for.
    let failure = build(&["other/cert"]).expect_err("no such Secret");
    assert!(
        failure.to_string().contains("\"cert\" not found"),
        "{failure}"
    );
}

#[test]
fn a_canary_with_a_weight_takes_its_share_of_the_rule_it_shadows() {
    let plain = |name: &str, annotations: Value| {
        let backend = json!({"name": name, "port": {"number": 80}});
        ingress(name, json!({}), annotations, backend, "a.example.com")
    };
    let canary = |value: &str| {
        plain(
            "new",
            json!({
                "nginx.ingress.kubernetes.io/canary": "true",
                "alb.ingress.kubernetes.io/canary-weight": value,
            }),
        )
    };
    let weights = |value: &str| match rules(&[plain("old", json!({})), canary(value)]).as_slice() {
        [WantedRule { actions, .. }] => match actions.as_slice() {
            [Act::Forward(targets)] => targets
                .iter()
                .map(|(_, weight)| *weight)
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        },
        other => panic!("one rule: {other:?}"),
    };
    assert_eq!(weights("30"), [70, 30]);
    assert_eq!(weights("100"), [100]);
    assert!(rules(&[canary("30")]).is_empty(), "it shadows nothing");
}

#[test]
fn a_canary_by_cookie_asks_for_always() {
    let backend = json!({"name": "new", "port": {"number": 80}});
    let by_cookie = json!({
        "alb.ingress.kubernetes.io/canary": "true",
        "alb.ingress.kubernetes.io/canary-by-cookie": "demo",
    });
    let canary = ingress(
        "new",
        json!({}),
        by_cookie,
        backend.clone(),
        "a.example.com",
    );
    let plain = ingress("old", json!({}), json!({}), backend, "a.example.com");
    let rules = rules(&[canary, plain]);
    let pair = ("demo".to_owned(), "always".to_owned());
    assert_eq!(rules[0].conditions.last().unwrap().pairs, [pair]);
}

#[test]
fn rules_with_headers_are_never_the_same_and_others_are() {
    let ids = Ids::from([("r".to_owned(), "sgp-1".to_owned())]);
    let forward = Act::Forward(vec![(GroupRef::Own("r".to_owned()), 100)]);
    let insert = Act::InsertHeader {
        key: "k".to_owned(),
        value: "v".to_owned(),
        value_type: "UserDefined".to_owned(),
    };
    let shown = json!({"Type": "ForwardGroup", "Order": 1, "ForwardGroupConfig":
        {"ServerGroupTuples": [{"ServerGroupId": "sgp-1", "Weight": 100}]}});
    assert!(same_actions(
        std::slice::from_ref(&forward),
        &json!([shown]),
        &ids
    ));
    let inserted = json!({"Type": "InsertHeader", "Order": 1,
        "InsertHeaderConfig": {"Key": "k", "Value": "v", "ValueType": "UserDefined"}});
    let mut second = shown;
    second["Order"] = json!(2);
    assert!(!same_actions(
        &[insert, forward],
        &json!([inserted, second]),
        &ids
    ));

    let host = super::model::Ask::of("Host", vec!["a.b".to_owned()]);
    let shown_host = json!({"Type": "Host", "HostConfig": {"Values": ["a.b"]}});
    assert!(same_conditions(
        std::slice::from_ref(&host),
        &json!([shown_host])
    ));
    let header = super::model::Ask::header("k".to_owned(), vec!["v".to_owned()]);
    let shown_header = json!({"Type": "Header", "HeaderConfig": {"Key": "k", "Values": ["v"]}});
    assert!(!same_conditions(&[header], &json!([shown_header])));
}
