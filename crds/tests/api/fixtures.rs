//! Manifests go through the types and come back as they were.

use crds::{
    DeletionPolicy, DriftPolicy, Environment, GatewayBinding, GatewayBindingClass, GatewayConsumer,
    MassChangeGuardState, Mode, OrphanPolicy, Protocol, SlbField, TestDomain,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::check::{base, documents, patched, violations};

fn decoded<K: DeserializeOwned>(document: &Value) -> K {
    serde_json::from_value(document.clone()).expect("a valid manifest decodes")
}

fn through_the_types(document: &Value) -> Value {
    fn round<K: DeserializeOwned + Serialize>(document: &Value) -> Value {
        serde_json::to_value(decoded::<K>(document)).unwrap()
    }
    match document["kind"].as_str() {
        Some("GatewayBinding") => round::<GatewayBinding>(document),
        Some("GatewayBindingClass") => round::<GatewayBindingClass>(document),
        Some("GatewayConsumer") => round::<GatewayConsumer>(document),
        other => panic!("no such kind: {other:?}"),
    }
}

#[test]
fn manifests_validate_and_come_back_as_they_were() {
    let scenario = documents(include_str!("../fixtures/knative-behind-api-gateway.yaml"));
    let every_field = documents(include_str!("../fixtures/every-field.yaml"));
    assert_eq!((scenario.len(), every_field.len()), (3, 6));
    for document in scenario.iter().chain(&every_field) {
        assert_eq!(violations(document, None), Vec::<String>::new());
        assert_eq!(&through_the_types(document), document);
    }
}

#[test]
fn the_fixture_has_every_field() {
    fn paths(node: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(items) = node.get("items") {
            paths(items, path, found);
        }
        for (name, property) in node
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            found.push(format!("{path}/{name}"));
            paths(property, &format!("{path}/{name}"), found);
        }
    }
    fn present(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                found.push(format!("{path}/{name}"));
                present(value, &format!("{path}/{name}"), found);
            }),
            Value::Array(values) => values.iter().for_each(|value| present(value, path, found)),
            _ => {}
        }
    }
    // Alternatives of which an object can have only one, and the many places of one selector.
    let elsewhere = [
        "/auth/anonymous",
        "/spec/higress/throttling/existing",
        "/sessionPersistence/",
        "/clientAddresses/",
        "/allowedNamespaces/selector",
        "/credentials/ecsRAMRole",
        "/credentials/credentialsURI",
        "/credentials/secret",
    ];
    // What excludes each other is in documents of its own.
    let documents = documents(include_str!("../fixtures/every-field.yaml"));
    for kind in ["GatewayBinding", "GatewayBindingClass", "GatewayConsumer"] {
        let (mut known, mut used) = (Vec::new(), Vec::new());
        paths(crate::check::schema(kind), "", &mut known);
        for document in &documents {
            if document["kind"] == kind {
                present(document, "", &mut used);
            }
        }
        known.retain(|path| {
            !used.contains(path) && !elsewhere.iter().any(|other| path.contains(other))
        });
        assert_eq!(known, Vec::<String>::new(), "{kind} lacks fields");
    }
}

#[test]
fn unknown_choices_do_not_decode() {
    for patch in [
        "spec: {mode: apply}",
        "spec: {serviceRef: {kind: Deployment}}",
        "spec: {slb: {addressType: Public}}",
    ] {
        let result =
            serde_json::from_value::<GatewayBinding>(patched(base("GatewayBinding"), patch));
        assert!(
            result.unwrap_err().to_string().contains("unknown variant"),
            "{patch}"
        );
    }
}

#[test]
fn a_least_binding_has_the_documented_defaults() {
    let least = "spec: {className: null, gateway: null, slb: null, mode: null, driftPolicy: null, deletionPolicy: null, apiGateway: {environments: null, protocols: null, routes: null}}";
    let spec = decoded::<GatewayBinding>(&patched(base("GatewayBinding"), least)).spec;
    let class = decoded::<GatewayBindingClass>(&patched(
        base("GatewayBindingClass"),
        "spec: {defaults: {driftPolicy: Report, deletionPolicy: Retain}}",
    ))
    .spec;
    assert_eq!(spec.mode(), Mode::Apply);
    assert_eq!(spec.drift_policy(None), DriftPolicy::Enforce);
    assert_eq!(spec.drift_policy(Some(&class)), DriftPolicy::Report);
    assert_eq!(spec.deletion_policy(None), DeletionPolicy::Delete);
    assert_eq!(spec.deletion_policy(Some(&class)), DeletionPolicy::Retain);

    let api_gateway = spec.api_gateway.unwrap();
    assert_eq!(api_gateway.environments(), [Environment::Release]);
    assert_eq!(api_gateway.protocols(), [Protocol::HTTPS]);
    assert_eq!(api_gateway.backend_timeout().as_secs(), 10);
    let routes = api_gateway.routes("shop", "orders");
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0].path.prefix.as_deref(), Some("/shop/orders"));
    assert_eq!(routes[0].path.replace_with.as_deref(), Some("/"));
}

#[test]
fn what_a_binding_says_goes_before_the_class() {
    let spec = decoded::<GatewayBinding>(&base("GatewayBinding")).spec;
    let class = decoded::<GatewayBindingClass>(&patched(
        base("GatewayBindingClass"),
        "spec: {defaults: {driftPolicy: Report, deletionPolicy: Retain}}",
    ))
    .spec;
    assert_eq!(spec.drift_policy(Some(&class)), DriftPolicy::Enforce);
    assert_eq!(spec.deletion_policy(Some(&class)), DeletionPolicy::Delete);
}

#[test]
fn a_class_opens_what_it_lists() {
    let class = |may_set: &'static str| {
        let patched = patched(base("GatewayBindingClass"), may_set);
        decoded::<GatewayBindingClass>(&patched)
            .spec
            .gateway("intranet")
            .unwrap()
            .slb
            .clone()
            .unwrap()
    };
    assert!(class("{}").binding_may_set(SlbField::Zones));
    let some = class(
        "spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b}, bindingsMaySet: [name]}}]}",
    );
    assert!(some.binding_may_set(SlbField::Name));
    assert!(!some.binding_may_set(SlbField::Zones));
    let none =
        class("spec: {gateways: [{name: intranet, slb: {service: {namespace: a, name: b}}}]}");
    assert!(!none.binding_may_set(SlbField::Name));
}

#[test]
fn orphans_are_reported_after_three_sweeps_unless_the_class_says_otherwise() {
    let class =
        |patch| decoded::<GatewayBindingClass>(&patched(base("GatewayBindingClass"), patch));
    for (patch, policy, sweeps) in [
        ("{}", OrphanPolicy::Report, 3),
        ("spec: {orphans: {}}", OrphanPolicy::Report, 3),
        (
            "spec: {orphans: {policy: Collect, sweeps: 144}}",
            OrphanPolicy::Collect,
            144,
        ),
    ] {
        let spec = class(patch).spec;
        assert_eq!(
            (spec.orphan_policy(), spec.orphan_sweeps()),
            (policy, sweeps),
            "{patch}"
        );
    }
}

#[test]
fn the_test_domain_is_closed_unless_opened() {
    let class = decoded::<GatewayBindingClass>(&base("GatewayBindingClass")).spec;
    let mut group = class.api_gateway("main").unwrap().groups[0].clone();
    assert_eq!(group.test_domain(), TestDomain::Enabled);
    group.test_domain = None;
    assert_eq!(group.test_domain(), TestDomain::Disabled);
}

#[test]
fn mass_changes_are_held_unless_the_class_says_otherwise() {
    let class = decoded::<GatewayBindingClass>(&base("GatewayBindingClass")).spec;
    assert_eq!(class.mass_change_guard, None);
    let guard = class.mass_change_guard.unwrap_or_default();
    assert_eq!(guard.state(), MassChangeGuardState::Enabled);
    assert_eq!((guard.max_objects(), guard.max_percent()), (50, 30));
}

#[test]
fn a_consumer_is_found_by_name_or_by_reference() {
    let documents = documents(include_str!("../fixtures/every-field.yaml"));
    let binding = documents
        .iter()
        .find(|document| document["kind"] == "GatewayBinding")
        .unwrap();
    let allow = decoded::<GatewayBinding>(binding)
        .spec
        .api_gateway
        .unwrap()
        .auth
        .consumer
        .unwrap()
        .allow;
    let names: Vec<String> = allow
        .iter()
        .map(|entry| entry.consumer("shop").to_string())
        .collect();
    assert_eq!(names, ["shop/shop-app", "partners/acme-mobile"]);
}

#[test]
fn entries_of_secrets_have_names_unless_the_user_gives_others() {
    let documents = documents(include_str!("../fixtures/every-field.yaml"));
    let consumer = documents
        .iter()
        .find(|document| document["kind"] == "GatewayConsumer")
        .unwrap();
    let credentials = decoded::<GatewayConsumer>(consumer).spec.credentials;
    let entries = |index: usize| {
        let credential: &crds::ConsumerCredential = &credentials[index];
        [
            credential.api_key_entry(),
            credential.key_id_entry(),
            credential.key_secret_entry(),
        ]
    };
    assert_eq!(entries(0), ["apiKey", "keyId", "keySecret"]);
    assert_eq!(entries(1), ["token", "id", "secret"]);
}
