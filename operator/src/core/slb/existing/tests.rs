//! What is found before anything is written to a load balancer that others made.

use k8s_openapi::api::core::v1::ServicePort;
use serde_json::{Value, json};

use super::super::{annotations, left};
use super::*;
use crate::core::desired::ServiceShape;
use crate::core::settings;

fn settings(value: Value) -> SlbSettings {
    serde_json::from_value(value).unwrap()
}

fn reusing(more: Value) -> SlbSettings {
    let mut value = json!({"existing": {"id": "lb-1"}});
    merge(&mut value, more);
    settings(value)
}

fn merge(into: &mut Value, from: Value) {
    for (key, value) in from.as_object().unwrap() {
        match into.get_mut(key).filter(|into| into.is_object()) {
            Some(into) => merge(into, value.clone()),
            None => into[key] = value.clone(),
        }
    }
}

fn service(annotations: &[(&str, &str)], has: Option<&str>) -> ServiceState {
    let annotations = annotations
        .iter()
        .map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned()));
    ServiceState {
        type_: "LoadBalancer".into(),
        annotations: annotations.collect(),
        shape: ServiceShape {
            ports: vec![ServicePort {
                port: 443,
                ..ServicePort::default()
            }],
            ..ServiceShape::default()
        },
        load_balancer_id: has.map(str::to_owned),
        address: has.map(|_| "192.168.0.23".to_owned()),
        ..ServiceState::default()
    }
}

fn there() -> ExistingLoadBalancer {
    ExistingLoadBalancer {
        id: "lb-1".into(),
        of: ("default".into(), "nginx".into()),
        state: Some(LoadBalancer::Classic(LoadBalancerState {
            id: "lb-1".into(),
            name: "theirs".into(),
            address_type: "internet".into(),
            ip_version: "ipv4".into(),
            instance_charge: "PayByCLCU".into(),
            listeners: Some(Vec::new()),
            ..LoadBalancerState::default()
        })),
        ..ExistingLoadBalancer::default()
    }
}

fn with(change: impl FnOnce(&mut LoadBalancerState)) -> ExistingLoadBalancer {
    let mut there = there();
    let Some(LoadBalancer::Classic(state)) = &mut there.state else {
        panic!("{there:?}");
    };
    change(state);
    there
}

fn tagged(tags: &[(&str, &str)]) -> ExistingLoadBalancer {
    let tags = tags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    with(|state| state.tags = tags.collect())
}

fn listening(port: u16, description: &str) -> ExistingLoadBalancer {
    with(|state| {
        state.listeners = Some(vec![ListenerState {
            port,
            protocol: "tcp".into(),
            description: description.into(),
            ..ListenerState::default()
        }]);
    })
}

fn refused(fault: Option<Fault>, reason: Reason, words: &[&str]) {
    let fault = fault.unwrap_or_else(|| panic!("nothing for {words:?}"));
    let message = format!("{}: {}", fault.path, fault.why);
    assert_eq!(fault.reason, reason, "{message}");
    for word in words {
        assert!(message.contains(word), "{message}: {word}");
    }
}

fn judged(
    settings: &SlbSettings,
    found: Option<&ExistingLoadBalancer>,
    service: &ServiceState,
) -> Option<Fault> {
    let scene = Scene {
        service: Some(service),
        shape: Some(&service.shape),
        load_balancer: None,
        existing: found,
    };
    judge(settings, &scene)
}

fn free(settings: &SlbSettings, found: &ExistingLoadBalancer) -> Option<Fault> {
    judged(settings, Some(found), &service(&[], None))
}

/// Given to whatever was reused once.
const REUSED: &str = "kubernetes.reused.by.user";

#[test]
fn what_the_cloud_controller_manager_would_refuse_is_never_asked_of_it() {
    let plain = reusing(json!({}));
    assert_eq!(free(&plain, &there()), None);
    let unread = settings::Scene::default();
    assert!(!unread.knows(&plain.clone().into()), "it could not be read");
    let another = ExistingLoadBalancer {
        id: "lb-2".into(),
        ..ExistingLoadBalancer::default()
    };
    assert_eq!(free(&plain, &another), None, "it says nothing of this one");

    let unusable = Reason::LoadBalancerUnusable;
    let gone = ExistingLoadBalancer {
        id: "lb-1".into(),
        ..ExistingLoadBalancer::default()
    };
    refused(free(&plain, &gone), unusable, &["lb-1", "no such"]);
    for tag in MADE_BY_CCM {
        refused(free(&plain, &tagged(&[(tag, "x")])), unusable, &[tag]);
    }
    let reused_before = tagged(&[(REUSED, "true")]);
    assert_eq!(free(&plain, &reused_before), None);
    let ipv6 = with(|state| state.ip_version = "ipv6".into());
    refused(
        free(&plain, &ipv6),
        unusable,
        &["IPv6", "cannot be deleted"],
    );
    let other = reusing(json!({"addressType": "Intranet"}));
    refused(
        free(&other, &there()),
        unusable,
        &["slb.addressType", "internet"],
    );
    let same = reusing(json!({"addressType": "Internet"}));
    assert_eq!(free(&same, &there()), None);
    let billing =
        reusing(json!({"existing": {"instance": "Manage"}, "billing": {"instance": "PayBySpec"}}));
    refused(
        free(&billing, &there()),
        unusable,
        &["slb.billing.instance", "changed back"],
    );
}

#[test]
fn a_service_with_an_address_keeps_its_load_balancer() {
    let plain = reusing(json!({}));
    let immutable = Reason::Immutable;
    let judge =
        |settings: &SlbSettings, service: &ServiceState| judged(settings, Some(&there()), service);
    let own = service(&[], Some("lb-0"));
    refused(judge(&plain, &own), immutable, &["lb-0", "billed"]);
    let another = service(&[("id", "lb-2")], Some("lb-2"));
    refused(judge(&plain, &another), immutable, &["lb-1", "lb-2"]);
    let uses = service(&[("id", "lb-1")], Some("lb-1"));
    assert_eq!(judge(&plain, &uses), None);
    // Nothing said of it: whatever is set would be set on what others made.
    let silent = settings(json!({"addressType": "Internet", "name": "mine"}));
    refused(judge(&silent, &uses), immutable, &["existing: {id: lb-1}"]);
    let by_hand = service(&[("id", "lb-1")], None);
    refused(judge(&silent, &by_hand), immutable, &["lb-1"]);
    let mut mistake = by_hand.clone();
    mistake.our_annotations = vec![format!("{PREFIX}id")];
    assert_eq!(judge(&silent, &mistake), None, "it is taken back");

    let taken = service(
        &[("id", "lb-1"), ("force-override-listeners", "true")],
        Some("lb-1"),
    );
    refused(judge(&plain, &taken), immutable, &["Override"]);
    let overriding = reusing(json!({"existing": {"listeners": "Override"}}));
    assert_eq!(judge(&overriding, &taken), None);
    assert_eq!(judge(&overriding, &uses), None, "later is early enough");
}

#[test]
fn listeners_are_taken_over_from_nobody_who_is_another_service() {
    let overriding = reusing(json!({"existing": {"listeners": "Override"}}));
    let unusable = Reason::LoadBalancerUnusable;
    let of_another = listening(443, "k8s/443/shop/web/c1");
    refused(
        free(&overriding, &of_another),
        unusable,
        &["443", "web/shop"],
    );
    let by_hand = listening(443, "made by hand");
    assert_eq!(free(&overriding, &by_hand), None);
    let own = listening(443, "k8s/443/nginx/default/c1");
    assert_eq!(free(&overriding, &own), None);
    let elsewhere = listening(80, "k8s/80/shop/web/c1");
    assert_eq!(free(&overriding, &elsewhere), None);
    assert_eq!(free(&reusing(json!({})), &of_another), None, "kept");
    let mut shared = there();
    shared.services.insert("web/shop".into(), vec![80, 443]);
    refused(free(&overriding, &shared), unusable, &["web/shop"]);
}

#[test]
fn tags_are_set_only_where_none_is_lost() {
    let tags = |keys: Value| reusing(json!({"existing": {"instance": "Manage"}, "tags": keys}));
    let theirs = tagged(&[("owner", "ops"), (REUSED, "true"), ("acs:rm", "x")]);
    let unusable = Reason::LoadBalancerUnusable;
    refused(
        free(&tags(json!({"team": "shop"})), &theirs),
        unusable,
        &["tags owner from it"],
    );
    let all = tags(json!({"team": "shop", "owner": "ops"}));
    assert_eq!(free(&all, &theirs), None);
}

#[test]
fn nothing_is_set_without_consent() {
    let path = |more: Value| super::check(&reusing(more)).map(|fault| fault.path);
    assert_eq!(path(json!({"name": "n"})), Some("slb.name"));
    assert_eq!(path(json!({"tags": {"a": "b"}})), Some("slb.tags"));
    assert_eq!(
        path(json!({"scheduler": "RoundRobin"})),
        Some("slb.scheduler")
    );
    assert_eq!(
        path(json!({"existing": {"instance": "Manage"}, "name": "n"})),
        None
    );
    let overriding = json!({"existing": {"listeners": "Override"}, "scheduler": "RoundRobin"});
    assert_eq!(path(overriding), None);

    // Not even if it comes from another binding of the same gateway.
    let merged =
        reusing(json!({"name": "n", "scheduler": "RoundRobin", "addressType": "Internet"}));
    let keys: Vec<String> = annotations(&merged).into_keys().collect();
    assert_eq!(
        keys,
        ["address-type", "id"].map(|key| format!("{PREFIX}{key}"))
    );
}

#[test]
fn what_was_taken_stays_taken_until_the_service_goes() {
    let uses = service(&[("id", "lb-1"), ("name", "ours")], Some("lb-1"));
    let undone = |key: &str, service: &ServiceState| left(&format!("{PREFIX}{key}"), None, service);
    assert!(
        undone("id", &uses).is_some(),
        "removing it would leak server groups"
    );
    let ours = (format!("{PREFIX}name"), "ours".to_owned());
    assert_eq!(
        undone("name", &uses),
        Some(ours),
        "no default is right for it"
    );
    let nothing_came = service(&[("id", "lb-1")], None);
    assert_eq!(undone("id", &nothing_came), None);
    let state = there().state.unwrap();
    let state = state.classic().unwrap();
    assert!(standing(state).contains(&(format!("{PREFIX}name"), "theirs".into())));
}

#[test]
fn without_a_listener_no_request_comes_through() {
    let plain = reusing(json!({})).into();
    let state = |found: ExistingLoadBalancer| found.state.unwrap();
    let told = without_listener(&plain, &state(there()), 443).unwrap();
    assert!(told.message.contains("port 443"), "{}", told.message);
    assert_eq!(
        without_listener(&plain, &state(listening(443, "")), 443),
        None
    );
    let overriding = reusing(json!({"existing": {"listeners": "Override"}})).into();
    assert_eq!(without_listener(&overriding, &state(there()), 443), None);
}
