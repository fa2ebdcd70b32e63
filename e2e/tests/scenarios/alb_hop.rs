//! A split over revisions that are scaled to zero: through Kourier for as long as it lasts, with Kourier's
//! own controller and Envoy, and Knative Serving itself.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use e2e::{
    knative::types::KIngress,
    world::{Expect, World, WorldOptions},
};
use k8s_openapi::api::{
    core::v1::{Pod, Service},
    networking::v1::Ingress,
};
use kube::{Api, ResourceExt as _, api::ListParams};
use local_node::serving::HELLO;
use serde_json::{Value, json};

use super::{
    alb_knative::{FIRST, SECOND, address, counts, keeps_asking, only, ready},
    alb_layer::stays_still_over_a_restart,
    alb_stage::{
        self, CLASS, alb_configs, children_are, companion, kingress, kourier_serves, may_be_idle,
        says, serve, services, target, vswitches, with_vswitches,
    },
    ksvc,
    mass_changes::LONG,
    namespace,
};

const KOURIER: &str = "kourier.ingress.networking.knative.dev";

async fn world() -> World {
    let settings = vec![
        (
            "config-network",
            "ingress-class",
            "alb.ingress.networking.knative.dev",
        ),
        ("config-domain", "example.com", ""),
        ("config-autoscaler", "allow-zero-initial-scale", "true"),
    ];
    let world = World::start(WorldOptions {
        knative: false,
        serving: Some(settings),
        kourier: true,
        ..WorldOptions::default()
    });
    let world = world.await.unwrap();
    alb_configs(&world).await;
    let class = with_vswitches(CLASS, &vswitches(&world).await);
    world.apply(&class).await.unwrap();
    world
}

/// A Knative Service with the article's scale settings, whose revisions have no pods to begin with.
fn service(text: &str, traffic: &Value) -> String {
    let object = json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": "hello", "namespace": "default",
            "annotations": {"alicloud.serving.knative.dev/cookies": "[{revision:hello-00001,cookies:{demo:always}}]"},
        },
        "spec": {
            "template": {
                "metadata": {"annotations": {
                    "autoscaling.knative.dev/minScale": "0",
                    "autoscaling.knative.dev/initial-scale": "0",
                }},
                "spec": {"containers": [{"image": HELLO, "env": [{"name": "TARGET", "value": text}]}]},
            },
            "traffic": traffic,
        },
    });
    object.to_string()
}

async fn pods(world: &World, revision: &str) -> usize {
    let pods = Api::<Pod>::namespaced(world.client(), "default");
    let of = ListParams::default().labels(&format!("serving.knative.dev/revision={revision}"));
    pods.list(&of).await.unwrap().items.len()
}

/// The Knative Ingresses on Kourier.
async fn companions(world: &World) -> Vec<KIngress> {
    let ingresses = Api::<KIngress>::all(world.client());
    let found = ingresses.list(&ListParams::default()).await.unwrap().items;
    let on_kourier = |ingress: &KIngress| {
        let class = ingress
            .annotations()
            .get("networking.knative.dev/ingress.class");
        class.map(String::as_str) == Some(KOURIER)
    };
    found.into_iter().filter(on_kourier).collect()
}

/// Waits until nothing of the hop is left.
async fn hop_is_gone(world: &World) {
    let look = async || {
        let services = Api::<Service>::namespaced(world.client(), "default");
        let services = services.list(&ListParams::default()).await;
        let services = services.map_err(|error| error.to_string())?;
        let services = services.items.into_iter().map(|service| service.name_any());
        let services: Vec<String> = services.filter(|name| name.starts_with("hop-")).collect();
        let companions = companions(world).await.len();
        if services.is_empty() && companions == 0 {
            Ok(())
        } else {
            Err(format!("{companions} companions, {services:?}"))
        }
    };
    let waited = world.wait_until("the hop", "gone", LONG, look);
    waited.await.unwrap();
}

/// Changes the traffic while requests are sent all the time, of which none may fail.
async fn shift(world: &World, at: &str, traffic: &Value, to: &'static [(&'static str, i64)]) {
    let stop = Arc::new(AtomicBool::new(false));
    let change = async {
        world.apply(&service("Two", traffic)).await.unwrap();
        ready(world, to).await;
        stop.store(true, Ordering::Relaxed);
    };
    let ((), (asked, failed)) = tokio::join!(change, keeps_asking(world, at, &stop));
    assert!(asked > 10, "{asked}");
    assert!(
        failed.is_empty(),
        "{} of {asked} requests, such as {:?}",
        failed.len(),
        failed.first()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_over_revisions_without_pods_goes_through_kourier_for_as_long_as_it_lasts() {
    let world = world().await;
    let latest = json!([{"latestRevision": true, "percent": 100}]);
    world.apply(&service("One", &latest)).await.unwrap();
    ready(&world, &[(FIRST, 100)]).await;
    let at = address(&world).await;
    assert_eq!(counts(&world, &at, 20, &[]).await, only(FIRST, 20));

    // The next revision is there, and nobody has ever asked for it.
    let first = json!([{"revisionName": FIRST, "percent": 100}]);
    world.apply(&service("Two", &first)).await.unwrap();
    ready(&world, &[(FIRST, 100)]).await;
    assert_eq!(pods(&world, SECOND).await, 0);
    assert_eq!(companions(&world).await.len(), 0);

    let half =
        json!([{"revisionName": SECOND, "percent": 50}, {"revisionName": FIRST, "percent": 50}]);
    shift(&world, &at, &half, &[(SECOND, 50), (FIRST, 50)]).await;
    let found = companions(&world).await;
    assert_eq!(found.len(), 1);
    let spec = serde_json::to_value(&found[0].spec).unwrap();
    for rule in spec["rules"].as_array().unwrap() {
        assert_eq!(rule["visibility"], "ClusterLocal", "{rule}");
    }
    // A fair coin is farther from the middle than this once in more than ten thousand million times.
    let split = counts(&world, &at, 2000, &[]).await;
    assert!(
        split.len() == 2 && split.values().all(|count| (850..=1150).contains(count)),
        "{split:?}"
    );
    // A rule that chooses a revision stays in front of the split.
    let chosen = counts(&world, &at, 100, &[("cookie", "demo=always")]).await;
    assert_eq!(chosen, only(FIRST, 100));

    let second =
        json!([{"revisionName": SECOND, "percent": 100}, {"revisionName": FIRST, "percent": 0}]);
    shift(&world, &at, &second, &[(SECOND, 100), (FIRST, 0)]).await;
    hop_is_gone(&world).await;
    assert_eq!(counts(&world, &at, 100, &[]).await, only(SECOND, 100));

    // Deleted in the middle of a split, all of it goes.
    world.apply(&service("Two", &half)).await.unwrap();
    ready(&world, &[(SECOND, 50), (FIRST, 50)]).await;
    world.delete(&ksvc("default", "hello")).await.unwrap();
    let none = |found: &(Option<_>, Option<_>)| found.0.is_none() && found.1.is_none();
    children_are(&world, "default", "gone with their Knative Service", none).await;
    hop_is_gone(&world).await;
    world.stop().await.unwrap();
}

type Children = (Option<Ingress>, Option<Ingress>);

/// Whether both Ingresses are there, and both lead through the hop, or both straight.
fn lead(through_hop: bool) -> impl Fn(&Children) -> bool {
    let leads = move |ingress: &Option<Ingress>| {
        let actions = |ingress: &Ingress| {
            let found = ingress
                .annotations()
                .get("alb.ingress.kubernetes.io/actions.r0");
            found.is_some_and(|actions| actions.contains("\"hop-duo-"))
        };
        ingress.as_ref().map(actions) == Some(through_hop)
    };
    move |found| leads(&found.0) && leads(&found.1)
}

/// Waits for both Ingresses to lead one way or the other, and has them served.
async fn served(world: &World, through_hop: bool, hash: &str) -> Children {
    let expected = if through_hop {
        "through the hop"
    } else {
        "straight to the revision"
    };
    let found = children_are(world, "gray", expected, lead(through_hop)).await;
    serve(world, found.0.as_ref().unwrap(), hash, "alb-1.example.com").await;
    serve(world, found.1.as_ref().unwrap(), hash, "alb-2.example.com").await;
    found
}

#[tokio::test]
async fn the_hop_is_entered_before_alb_is_told_and_left_after_it() {
    let mut world = alb_stage::world(false).await;
    world.apply(CLASS).await.unwrap();
    for name in ["gray", "kourier-system"] {
        namespace(&world, name).await;
    }
    world.apply(&services("gray", "duo")).await.unwrap();
    world.apply(&may_be_idle("gray", "duo")).await.unwrap();
    let split = async |world: &World, first| {
        let ingress = kingress("gray", "duo", first).to_string();
        world.apply(&ingress).await.unwrap();
    };
    let duo = target("gray", "duo");
    let tells = async |world: &World, expected: Expect| {
        world.wait_for(&duo, &expected, LONG).await.unwrap();
    };
    split(&world, 100).await;
    served(&world, false, "one").await;
    tells(&world, says("Ready", "True", "")).await;

    // Without a hop it is refused; once there is one, ALB waits for it.
    split(&world, 50).await;
    let refused = says("NetworkConfigured", "False", "SplitNeedsActivator");
    tells(&world, refused).await;
    world.apply(alb_stage::KOURIER).await.unwrap();
    tells(&world, says("NetworkConfigured", "Unknown", "Pending")).await;
    let companion = companion(&world, "gray", "duo").await;
    assert!(lead(false)(&alb_stage::children(&world, "gray").await));
    kourier_serves(&world, "gray", &companion).await;
    served(&world, true, "two").await;
    tells(&world, says("Ready", "True", "")).await;
    stays_still_over_a_restart(&mut world).await;

    // A step changes the companion only, and counts once Kourier serves it.
    let versions = |found: &Children| {
        let version = |one: &Option<Ingress>| one.as_ref().and_then(|one| one.resource_version());
        (version(&found.0), version(&found.1))
    };
    let before = versions(&alb_stage::children(&world, "gray").await);
    split(&world, 40).await;
    tells(&world, says("NetworkConfigured", "Unknown", "Pending")).await;
    kourier_serves(&world, "gray", &companion).await;
    tells(&world, says("Ready", "True", "")).await;
    let after = versions(&alb_stage::children(&world, "gray").await);
    assert_eq!(before, after);

    // ALB goes back first: until it has, the companion serves what is asked of it now.
    split(&world, 100).await;
    children_are(&world, "gray", "straight to the revision", lead(false)).await;
    let found = companions(&world).await;
    let rules = serde_json::to_value(&found[0].spec).unwrap();
    let splits = &rules["rules"][0]["http"]["paths"][0]["splits"];
    assert_eq!(splits.as_array().unwrap().len(), 1, "{splits}");
    served(&world, false, "three").await;
    tells(&world, says("Ready", "True", "")).await;
    let companion = target("gray", &companion);
    let gone = Expect::gone();
    world.wait_for(&companion, &gone, LONG).await.unwrap();
    world.stop().await.unwrap();
}
