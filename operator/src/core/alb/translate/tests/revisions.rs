//! Rules that send chosen requests to a revision.

use super::*;

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
