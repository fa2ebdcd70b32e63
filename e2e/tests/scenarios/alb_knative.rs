//! Knative Serving itself, through application load balancers alone: releases by weight, header and
//! cookie, proven by requests.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use e2e::world::{Answer, Expect, Target, World, WorldOptions};
use kube::api::DynamicObject;
use local_node::serving::HELLO;
use serde_json::{Value, json};

use super::{
    alb_domains,
    alb_stage::{CLASS, alb_configs, children_are, target, vswitches, with_vswitches},
    ksvc,
    mass_changes::LONG,
};

const HOST: &str = "hello.default.example.com";
pub(super) const FIRST: &str = "hello-00001";
pub(super) const SECOND: &str = "hello-00002";
const THIRD: &str = "hello-00003";

async fn world() -> World {
    let settings = vec![
        (
            "config-network",
            "ingress-class",
            "alb.ingress.networking.knative.dev",
        ),
        ("config-domain", "example.com", ""),
    ];
    let world = World::start(WorldOptions {
        knative: false,
        serving: Some(settings),
        ..WorldOptions::default()
    });
    let world = world.await.unwrap();
    alb_configs(&world).await;
    let class = with_vswitches(CLASS, &vswitches(&world).await);
    world.apply(&class).await.unwrap();
    world
}

/// A Knative Service whose revisions always have a pod of their own before them.
pub(super) fn service(text: &str, traffic: &Value) -> String {
    let object = json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": "hello", "namespace": "default",
            "annotations": {"alicloud.serving.knative.dev/cookies": "[{revision:hello-00001,cookies:{demo:always,cookie2:v2}}]"},
        },
        "spec": {
            "template": {
                "metadata": {"annotations": {
                    "autoscaling.knative.dev/min-scale": "1",
                    "autoscaling.knative.dev/target-burst-capacity": "0",
                }},
                "spec": {"containers": [{"image": HELLO, "env": [{"name": "TARGET", "value": text}]}]},
            },
            "traffic": traffic,
        },
    });
    object.to_string()
}

/// The same, rolled out over some seconds.
fn gradually(text: &str) -> String {
    let latest = json!([{"latestRevision": true, "percent": 100}]);
    let mut object: Value = serde_json::from_str(&service(text, &latest)).unwrap();
    object["metadata"]["annotations"] = json!({"serving.knative.dev/rollout-duration": "12s"});
    object.to_string()
}

/// Waits until the Knative Service is Ready as it now is, with this traffic.
pub(super) async fn ready(world: &World, revisions: &'static [(&'static str, i64)]) {
    let expected = Expect::that(
        format!("Ready with {revisions:?}"),
        move |service: &DynamicObject| {
            let status = &service.data["status"];
            if status["observedGeneration"].as_i64() != service.metadata.generation {
                return Err("not looked at".to_owned());
            }
            Expect::condition("Ready", "True").check(Some(service))?;
            let traffic = status["traffic"].as_array().cloned().unwrap_or_default();
            let found = traffic.iter().filter_map(|one| {
                Some((
                    one["revisionName"].as_str()?,
                    one["percent"].as_i64().unwrap_or_default(),
                ))
            });
            let found: Vec<(&str, i64)> = found.collect();
            if found == revisions {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        },
    );
    let hello = ksvc("default", "hello");
    world.wait_for(&hello, &expected, LONG * 2).await.unwrap();
}

/// The address that Knative has of a Knative Ingress.
pub(super) async fn address(world: &World) -> String {
    let exists = Expect::exists();
    let found = world
        .wait_for(&target("default", "hello"), &exists, LONG)
        .await
        .unwrap();
    let list = &found.data["status"]["publicLoadBalancer"]["ingress"];
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    list[0]["domain"].as_str().unwrap().to_owned()
}

pub(super) async fn ask(world: &World, address: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers = vec![("x-emulated-alb", address)];
    headers.extend(more);
    world.cloud.curl(HOST, "/", &headers).await.unwrap()
}

pub(super) fn revision(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let said: Value = serde_json::from_str(&answer.body).unwrap();
    said["revision"].as_str().unwrap().to_owned()
}

/// How many of so many requests each revision answered.
pub(super) async fn counts(
    world: &World,
    address: &str,
    number: usize,
    more: &[(&str, &str)],
) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..number {
        *counts
            .entry(revision(&ask(world, address, more).await))
            .or_default() += 1;
    }
    counts
}

/// Asks all the time, and tells what was not answered with 200.
pub(super) async fn keeps_asking(
    world: &World,
    address: &str,
    stop: &AtomicBool,
) -> (usize, Vec<Answer>) {
    let (mut asked, mut failed) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let answer = ask(world, address, &[]).await;
        asked += 1;
        if answer.status != 200 {
            failed.push(answer);
        }
        tokio::task::yield_now().await;
    }
    (asked, failed)
}

pub(super) fn only(revision: &str, number: usize) -> BTreeMap<String, usize> {
    [(revision.to_owned(), number)].into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_by_weight_header_and_cookie_reach_the_revisions_that_they_name() {
    let mut world = world().await;
    let latest = json!([{"latestRevision": true, "percent": 100}]);
    // The rule of the annotation names the revision that is just coming.
    world.apply(&service("One", &latest)).await.unwrap();
    ready(&world, &[(FIRST, 100)]).await;
    let at = address(&world).await;
    assert_eq!(counts(&world, &at, 50, &[]).await, only(FIRST, 50));

    // While the next revision takes over, no request fails.
    let stop = Arc::new(AtomicBool::new(false));
    let rollout = async {
        world.apply(&service("Two", &latest)).await.unwrap();
        ready(&world, &[(SECOND, 100)]).await;
        stop.store(true, Ordering::Relaxed);
    };
    let ((), (asked, failed)) = tokio::join!(rollout, keeps_asking(&world, &at, &stop));
    assert!(asked > 10, "{asked}");
    assert!(
        failed.is_empty(),
        "{} of {asked} requests, such as {:?}",
        failed.len(),
        failed.first()
    );
    assert_eq!(counts(&world, &at, 50, &[]).await, only(SECOND, 50));

    let half =
        json!([{"revisionName": SECOND, "percent": 50}, {"revisionName": FIRST, "percent": 50}]);
    world.apply(&service("Two", &half)).await.unwrap();
    ready(&world, &[(SECOND, 50), (FIRST, 50)]).await;
    let found = counts(&world, &at, 1000, &[]).await;
    // A fair coin is farther from the middle than this once in more than ten million times.
    assert!(
        found.values().all(|count| (410..=590).contains(count)),
        "{found:?}"
    );

    // Without a share, the first revision is reached by cookie and header, all of them or none.
    let none =
        json!([{"revisionName": SECOND, "percent": 100}, {"revisionName": FIRST, "percent": 0}]);
    world.apply(&service("Two", &none)).await.unwrap();
    ready(&world, &[(SECOND, 100), (FIRST, 0)]).await;
    let binding = "{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayBinding, metadata: {name: hello, namespace: default}, \
        spec: {serviceRef: {kind: KnativeService, name: hello}, \
        alb: {revisionRules: [{name: by-header, revision: hello-00001, headers: [{name: demo, value: test}, {name: team, value: red}]}]}}}";
    world.apply(binding).await.unwrap();
    let hello = Target::of::<crds::GatewayBinding>(Some("default"), "hello");
    let bound = Expect::condition("Ready", "True");
    world.wait_for(&hello, &bound, LONG).await.unwrap();
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[], SECOND),
        (&[("demo", "test"), ("team", "red")], FIRST),
        (&[("demo", "test")], SECOND),
        (&[("demo", "other"), ("team", "red")], SECOND),
        (&[("cookie", "demo=always; cookie2=v2")], FIRST),
        (&[("cookie", "demo=always")], SECOND),
    ];
    for (headers, revision) in cases {
        let found = counts(&world, &at, 100, headers).await;
        assert_eq!(found, only(revision, 100), "{headers:?}");
    }

    let three = gradually("Three");
    let roll_out = async {
        ready(&world, &[(THIRD, 100)]).await;
    };
    world.apply(&three).await.unwrap();
    alb_domains::a_gradual_roll_out_fails_no_request(&world, &at, HOST, roll_out, [SECOND, THIRD])
        .await;
    alb_domains::mapped_domains_are_served(&world, &at, THIRD).await;
    alb_domains::a_restart_with_nothing_changed_writes_nothing(&mut world).await;

    world.delete(&hello).await.unwrap();
    world.wait_for(&hello, &Expect::gone(), LONG).await.unwrap();
    world.delete(&ksvc("default", "hello")).await.unwrap();
    let none = |found: &(Option<_>, Option<_>)| found.0.is_none() && found.1.is_none();
    children_are(&world, "default", "gone with their Knative Service", none).await;
    world.stop().await.unwrap();
}
