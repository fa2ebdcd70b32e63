use serde_json::json;

use super::settings::update;
use super::*;

fn wanted(settings: &[(&'static str, &str)]) -> WantedListener {
    WantedListener {
        port: 80,
        protocol: "tcp".to_owned(),
        description: "k8s/80/s/n/c".to_owned(),
        group: "k8s/8080/s/n/c".to_owned(),
        group_id: Some("rsp-1".to_owned()),
        forward: None,
        settings: settings
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        certificate: String::new(),
        domains: Vec::new(),
    }
}

fn remote() -> RemoteListener {
    let value = json!({
        "ListenerPort": 80, "ListenerProtocol": "tcp", "Description": "k8s/80/s/n/c",
        "VServerGroupId": "rsp-1", "Scheduler": "rr", "AclStatus": "off",
        "TCPListenerConfig": {"EstablishedTimeout": 900, "HealthCheckSwitch": "on"},
    });
    let domains = Vec::new();
    RemoteListener { value, domains }
}

#[test]
fn only_what_is_annotated_is_compared() {
    let differs = |settings: &[(&'static str, &str)]| update(&wanted(settings), &remote());
    assert_eq!(differs(&[]), None);
    assert!(differs(&[("scheduler", "wrr")]).is_some());
    assert_eq!(differs(&[("established-timeout", "900")]), None);
    assert_eq!(differs(&[("health-check-switch", "on")]), None);
    assert_eq!(differs(&[("acl-id", "acl-1")]), None);
    let elsewhere = WantedListener {
        group_id: Some("rsp-2".to_owned()),
        ..wanted(&[])
    };
    assert!(update(&elsewhere, &remote()).is_some());
}

#[test]
fn an_update_carries_the_known_values() {
    let values = update(&wanted(&[("scheduler", "wrr")]), &remote()).expect("it differs");
    assert_eq!(values["Scheduler"], "wrr");
    assert_eq!(values["EstablishedTimeout"], "900");
    assert_eq!(values["AclStatus"], "off");
}

#[test]
fn a_listener_in_the_place_of_one_that_goes_comes_last() {
    let names = Names::of(
        &serde_json::from_value(json!({"metadata": {"name": "s", "namespace": "n"}}))
            .expect("a Service"),
        "c",
    );
    let http = WantedListener {
        protocol: "http".to_owned(),
        ..wanted(&[])
    };
    let there = [remote()];
    let plan = plan(&names, vec![http], &there);
    assert!(matches!(plan.before.as_slice(), [Step::Delete(_)]));
    assert!(matches!(plan.after.as_slice(), [Step::Create(_)]));
}
