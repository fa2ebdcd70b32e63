//! The stand-in for the ALB Ingress controller against a real API server: hand-written Ingresses become
//! rules and carry traffic, one bad Ingress stops its AlbConfig.

#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

#[path = "../common/mod.rs"]
mod common;
mod stage;

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;
use stage::{Stage, backend, forward, path, plain};

#[tokio::test]
async fn ingresses_become_rules_and_carry_traffic() {
    let stage = Stage::set().await;
    stage.service("one", backend("one").await).await;
    stage.service("two", backend("two").await).await;
    stage.class().await;
    let insert = "[{\"type\":\"InsertHeader\",\"InsertHeaderConfig\":{\"key\":\"Knative-Serving-Revision\",\"value\":\"two\",\"valueType\":\"UserDefined\"}},";
    let to_two = forward(&[("two", 100)]).replacen('[', insert, 1);
    let header = r#"[{"type":"Header","headerConfig":{"key":"demo","values":["test"]}}]"#;
    let cookies = r#"[{"type":"Cookie","cookieConfig":{"values":[{"key":"demo","value":"always"}]}},
        {"type":"Cookie","cookieConfig":{"values":[{"key":"cookie2","value":"v2"}]}}]"#;
    let annotations = [
        ("actions.h", to_two.as_str()),
        ("conditions.h", header),
        ("actions.c", &forward(&[("two", 100)])),
        ("conditions.c", cookies),
        ("actions.d", &forward(&[("one", 90), ("two", 10)])),
    ];
    stage
        .ingress(
            "gray",
            &annotations,
            json!([path("h"), path("c"), path("d")]),
        )
        .await;
    let alb = stage.applied("gray").await;
    stage.has_rules(3).await;

    let host = "gray.example.com";
    let by_header = [("demo", "test"), ("knative-serving-revision", "forged")];
    assert_eq!(
        stage.get(&alb, host, &by_header).await,
        (200, "two two".to_owned())
    );
    let both = [("cookie", "demo=always; cookie2=v2")];
    assert_eq!(stage.get(&alb, host, &both).await.1, "two -");
    let mut counts = BTreeMap::new();
    for _ in 0..200 {
        let one_cookie = [("cookie", "demo=always")];
        let (_, body) = stage.get(&alb, host, &one_cookie).await;
        *counts.entry(body).or_insert(0) += 1;
    }
    let expected = BTreeMap::from([("one -".to_owned(), 180), ("two -".to_owned(), 20)]);
    assert_eq!(counts, expected);
    // The empty default of the listener, and a port without a listener.
    assert_eq!(stage.get(&alb, "other.example.com", &[]).await.0, 503);
    assert_eq!(stage.get(&format!("{alb}:81"), host, &[]).await.0, 502);

    servers_follow_endpoints(&stage, &alb).await;
    deletion_takes_everything(&stage).await;
    stage.strike().await;
}

/// Without a pass over the rules.
async fn servers_follow_endpoints(stage: &Stage, alb: &str) {
    stage.emulator.clear_calls();
    stage.service("one", backend("uno").await).await;
    stage
        .until("the new server answers", async |stage| {
            let (_, body) = stage.get(alb, "gray.example.com", &[]).await;
            (body == "uno -").then_some(())
        })
        .await;
    let written: Vec<String> = stage.writes().into_iter().map(|call| call.action).collect();
    assert_eq!(written, ["ReplaceServersInServerGroup"]);
}

async fn deletion_takes_everything(stage: &Stage) {
    stage.delete("gray").await;
    stage
        .until("no rules", async |stage| {
            stage.rules().is_empty().then_some(())
        })
        .await;
    let albconfigs = stage.albconfigs();
    let parameters = DeleteParams::default();
    albconfigs
        .delete("knative-internet", &parameters)
        .await
        .expect("deleted");
    stage
        .until("no AlbConfig", async |stage| {
            let gone = stage.albconfigs().get_opt("knative-internet").await.ok()?;
            gone.is_none().then_some(())
        })
        .await;
    let world = stage.emulator.state().world();
    assert!(world.alb.load_balancers.is_empty());
    assert!(world.alb.server_groups.is_empty());
}

#[tokio::test]
async fn order_keeps_neighbours_still_and_one_bad_ingress_stops_all() {
    let stage = Stage::set().await;
    stage.service("one", backend("one").await).await;
    stage.class().await;
    for (place, name) in ["b", "c", "d"].into_iter().enumerate() {
        let order = (place * 10 + 100).to_string();
        stage
            .ingress(name, &[("order", &order)], plain("one"))
            .await;
    }
    for name in ["b", "c", "d"] {
        stage.applied(name).await;
    }
    stage.has_rules(3).await;
    listeners_are_the_controllers_own(&stage).await;

    // One that sorts last moves nobody; one that sorts first moves all.
    stage.emulator.clear_calls();
    stage.ingress("e", &[("order", "900")], plain("one")).await;
    stage.applied("e").await;
    assert_eq!(stage.effects(), [1, 0, 0, 0]);
    stage.emulator.clear_calls();
    stage.ingress("a", &[], plain("one")).await;
    let alb = stage.applied("a").await;
    assert_eq!(stage.effects(), [1, 4, 0, 0]);
    let first = &stage.rules()[0];
    assert_eq!(first.hosts(), ["a.example.com"]);

    one_bad_ingress_stops_all(&stage, &alb).await;
    header_rules_are_written_at_every_pass(&stage).await;
    stage.strike().await;
}

async fn listeners_are_the_controllers_own(stage: &Stage) {
    let albconfig = stage
        .albconfigs()
        .get("knative-internet")
        .await
        .expect("there");
    let listeners = &albconfig.data["spec"]["listeners"];
    assert_eq!(listeners[0]["port"], 80);
    assert_eq!(listeners[0]["protocol"], "HTTP");
    assert_eq!(listeners.as_array().map(Vec::len), Some(1));
    // A round trip through its structures fills in what is empty.
    assert_eq!(albconfig.data["spec"]["config"]["edition"], "");
    assert_eq!(albconfig.finalizers(), ["ingress.k8s.alibaba/resources"]);
}

async fn one_bad_ingress_stops_all(stage: &Stage, alb: &str) {
    stage.emulator.clear_calls();
    stage
        .ingress(
            "bad",
            &[("actions.x", "{}"), ("order", "950")],
            json!([path("x")]),
        )
        .await;
    stage.has_event("bad", "Warning", "FailedBuildModel").await;
    stage
        .ingress("good", &[("order", "951")], plain("one"))
        .await;
    // It is seen, and its turn came.
    stage.has_event("good", "Normal", "Sync").await;
    assert_eq!(stage.get(alb, "good.example.com", &[]).await.0, 503);
    assert!(stage.warnings("good").await.is_empty(), "it just hangs");
    assert!(stage.writes().is_empty(), "nothing at all is written");
    assert_eq!(
        stage.get(alb, "b.example.com", &[]).await.0,
        200,
        "the rest stays"
    );

    stage.delete("bad").await;
    stage.applied("good").await;
    assert_eq!(stage.get(alb, "good.example.com", &[]).await.0, 200);
}

async fn header_rules_are_written_at_every_pass(stage: &Stage) {
    let header = r#"[{"type":"Header","headerConfig":{"key":"demo","values":["test"]}}]"#;
    let annotations = [
        ("actions.h", forward(&[("one", 100)])),
        ("conditions.h", header.to_owned()),
        ("order", "960".to_owned()),
    ];
    let annotations: Vec<(&str, &str)> = annotations
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    stage
        .ingress("header", &annotations, json!([path("h")]))
        .await;
    stage.applied("header").await;
    stage.emulator.clear_calls();
    stage.ingress("z", &[("order", "970")], plain("one")).await;
    stage.applied("z").await;
    assert_eq!(
        stage.effects(),
        [1, 0, 1, 0],
        "the header rule as it was, and the new one"
    );
}

/// The article's own actions, and what becomes of them.
#[tokio::test]
async fn the_samples_of_the_article_meet_their_fates() {
    let stage = Stage::set().await;
    stage.service("r1", backend("r1").await).await;
    stage.class().await;
    stage.ingress("first", &[("order", "1")], plain("r1")).await;
    stage.applied("first").await;
    stage.has_rules(1).await;
    stage.delete("first").await;
    stage.has_rules(0).await;

    let groups = r#"[{"serviceName":"r1","servicePort":80,"weight":100}]"#;
    let sample = |kind: &str, list: &str| {
        format!(r#"{{"type":"{kind}","forwardConfig":{{"{list}":{groups}}}}}"#)
    };
    // Unknown to the parser of old: no rule, and yet all signs of success.
    stage
        .knative_ingress("s2", &sample("forward", "serverGroups"))
        .await;
    stage.applied("s2").await;
    assert!(stage.rules().is_empty() && stage.warnings("s2").await.is_empty());
    stage.delete("s2").await;

    // Read as an action that leads nowhere, which the cloud refuses.
    stage
        .knative_ingress("s1", &sample("ForwardGroup", "targetGroups"))
        .await;
    stage.has_event("s1", "Warning", "FailedApplyModel").await;
    stage.delete("s1").await;

    // An object where a list belongs.
    let object = sample("ForwardGroup", "serverGroups");
    stage
        .ingress("a3", &[("actions.x", &object)], json!([path("x")]))
        .await;
    stage.has_event("a3", "Warning", "FailedBuildModel").await;
    stage.delete("a3").await;

    // A nil pointer is not even reported; a later change is another try.
    let unknown = format!("[{}]", sample("forward", "serverGroups"));
    stage
        .ingress("a1", &[("actions.x", &unknown)], json!([path("x")]))
        .await;
    stage.has_event("a1", "Normal", "Sync").await;
    let good = format!("[{object}]");
    stage
        .ingress("a1", &[("actions.x", &good)], json!([path("x")]))
        .await;
    stage.has_rules(1).await;
    stage.applied("a1").await;
    assert!(stage.warnings("a1").await.is_empty());
    stage.strike().await;
}
