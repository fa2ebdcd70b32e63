//! Bad input: the reason, and what the message names.

use crds::v1alpha1::Reason;
use serde_json::{Value, json};

use super::scenario::{binding, spec, validated};

fn refused(change: impl FnOnce(&mut Value)) -> (Reason, String) {
    let mut spec = spec();
    change(&mut spec);
    let problem = validated(&binding("default", "helloworld", spec)).unwrap_err();
    (problem.reason, problem.message)
}

#[test]
fn every_refusal_names_the_field_and_the_remedy() {
    let limit = |scope: &str, per: &str, requests: i64| json!({"name": "x", "scope": scope, "requests": requests, "per": per});
    let cases: Vec<(Value, Value, Reason, &str)> = vec![
        (
            json!("/gateway"),
            json!("nowhere"),
            Reason::GatewayNotFound,
            "\"intranet\"",
        ),
        (
            json!("/apiGateway/gateway"),
            json!("nowhere"),
            Reason::GatewayNotFound,
            "\"main\"",
        ),
        (
            json!("/apiGateway/group"),
            json!("nowhere"),
            Reason::GroupNotFound,
            "\"knative\"",
        ),
        (
            json!("/slb"),
            json!({"zones": {"primary": "cn-beijing-g"}}),
            Reason::NotAllowedByClass,
            "spec.slb.zones",
        ),
        (
            json!("/slb"),
            json!({"name": "x".repeat(81)}),
            Reason::NameTooLong,
            "80",
        ),
        (
            json!("/serviceRef"),
            json!({"kind": "Service", "name": "tomcat"}),
            Reason::Unsupported,
            "KnativeService",
        ),
        (
            json!("/apiGateway/auth/consumer/apiKey/in"),
            json!(["Query"]),
            Reason::Unsupported,
            "[Header, Query]",
        ),
        (
            json!("/apiGateway/backend"),
            json!({"timeout": "31s"}),
            Reason::InvalidSpec,
            "30 s",
        ),
        (
            json!("/apiGateway/throttling/limits"),
            json!([limit("Consumer", "Minute", 1)]),
            Reason::Unsupported,
            "scope: API",
        ),
        (
            json!("/apiGateway/routes"),
            json!([
                {"name": "a", "path": {"prefix": "/x"}}, {"name": "b", "path": {"prefix": "/x/"}},
            ]),
            Reason::InvalidSpec,
            "same path",
        ),
        (
            json!("/apiGateway/auth/consumer/allow"),
            json!([
                {"name": "knative"}, {"name": "again", "consumerRef": {"name": "knative"}},
            ]),
            Reason::InvalidSpec,
            "default/knative",
        ),
    ];
    for (pointer, value, reason, mentions) in cases {
        let pointer = pointer.as_str().unwrap().to_owned();
        let (found, message) = refused(|spec| set(spec, &pointer, value));
        assert_eq!(found, reason, "{pointer}: {message}");
        assert!(message.contains(mentions), "{pointer}: {message}");
    }
}

fn set(spec: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    spec.pointer_mut(parent).unwrap()[field] = value;
}

#[test]
fn a_signature_cannot_be_forbidden() {
    let (reason, message) = refused(|spec| {
        spec["apiGateway"]["auth"]["consumer"]
            .as_object_mut()
            .unwrap()
            .remove("signature");
    });
    assert_eq!(reason, Reason::Unsupported);
    assert!(message.contains("signature: {}"), "{message}");
}

#[test]
fn an_expired_permission_is_not_given_and_says_so() {
    use super::model::Model;
    use super::scenario::pass;
    use crate::core::key::ObjectKey;
    use crate::core::ledger::Ledger;

    let mut expired = spec();
    expired["apiGateway"]["auth"]["consumer"]["allow"][0]["until"] = json!("2020-01-01T00:00:00Z");
    let subject = binding("default", "helloworld", expired);
    let (wanted, _) = pass(&subject, &[&subject], &Ledger::default(), &Model::default());
    assert!(
        wanted
            .problems
            .iter()
            .any(|problem| problem.reason == Reason::GrantExpired)
    );
    assert!(
        !wanted
            .items
            .iter()
            .any(|item| matches!(item.key, ObjectKey::Grant { .. }))
    );
}
