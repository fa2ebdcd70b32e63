//! Network load balancers that each binding has for itself: slow to be made, counted, and preserved or
//! not when their Services go.

use alicloud_emulator::world::World as Cloud;
use e2e::world::{Expect, OperatorOptions, Target, World, WorldOptions};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::exposed::{binding, condition, now};
use super::nlb::{LONG, binding_of, class_of, gone, key, ready, told, zones};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn service(name: &str) -> Target {
    Target::of::<Service>(Some("default"), name)
}

/// A plain Service and the binding that exposes it.
async fn expose(world: &World, name: &str, nlb: &Value) {
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "type": "LoadBalancer", "loadBalancerClass": "alibabacloud.com/nlb",
            "selector": {"run": name}, "ports": [{"port": 80, "targetPort": 80}],
        },
    });
    world.apply(&service.to_string()).await.unwrap();
    set(world, name, nlb).await;
}

async fn set(world: &World, name: &str, nlb: &Value) {
    let mut manifest: Value = serde_json::from_str(&binding_of("own", (name, name), nlb)).unwrap();
    manifest["spec"]["serviceRef"] = json!({"kind": "Service", "name": name, "port": 80});
    world.apply(&manifest.to_string()).await.unwrap();
}

/// The load balancers of the cloud with the number of their listeners, by name.
async fn balancers(world: &World) -> Result<Vec<(String, usize)>, String> {
    let state = world.cloud.state().await;
    let nlb = state.map_err(|error| error.to_string())?["nlb"].take();
    let all = |name: &str| {
        let all = nlb[name].as_object().cloned().unwrap_or_default();
        all.into_iter().map(|(_, one)| one["value"].clone())
    };
    let mut found: Vec<(String, usize)> = all("loadBalancers")
        .map(|one| {
            let of = |listener: &Value| listener["loadBalancerId"] == one["id"];
            let name = one["name"].as_str().unwrap_or_default().to_owned();
            (name, all("listeners").filter(of).count())
        })
        .collect();
    found.sort();
    Ok(found)
}

async fn until(world: &World, expected: &[(&str, usize)]) {
    let expected = expected.iter();
    let expected: Vec<(String, usize)> = expected.map(|(name, n)| ((*name).into(), *n)).collect();
    let look = async || {
        let found = balancers(world).await?;
        match found == expected {
            true => Ok(()),
            false => Err(format!("{found:?}")),
        }
    };
    let what = format!("{expected:?}");
    let waited = world.wait_until("the load balancers", &what, LONG, look);
    waited.await.unwrap();
}

fn change(world: &World, change: impl FnOnce(&mut Cloud)) {
    assert!(world.cloud.change(change));
}

/// The cloud is done with everything from now on.
fn settle(cloud: &mut Cloud) {
    cloud.nlb.settling = SignedDuration::ZERO;
    for (_, done) in &mut cloud.nlb.jobs {
        *done = Timestamp::UNIX_EPOCH;
    }
    for balancer in cloud.nlb.load_balancers.values_mut() {
        balancer.value.settled = balancer.value.created;
    }
}

#[tokio::test]
async fn each_binding_has_a_load_balancer_of_its_own() {
    let often = OperatorOptions {
        args: vec!["--drift-interval=1s".to_owned()],
        ..OperatorOptions::default()
    };
    let options = WorldOptions {
        knative: false,
        operator: Some(often),
        ..WorldOptions::default()
    };
    let world = World::start(options).await.unwrap();
    let gateway = json!({
        "perBinding": {"maxInstances": 2},
        "settings": {"addressType": "Intranet", "zoneMappings": zones(&world).await},
        "bindingsMaySet": ["name", "onDelete"],
    });
    world.apply(&class_of("own", &gateway)).await.unwrap();
    made_slowly(&world).await;

    let preserved = json!({"name": "second", "onDelete": "Preserve"});
    expose(&world, "second", &preserved).await;
    let second = ready(&world, "second").await;
    let first = ready(&world, "first").await;
    let id =
        |binding: &kube::api::DynamicObject| binding.data["status"]["loadBalancer"]["id"].clone();
    assert_ne!(id(&first), id(&second), "none is shared");
    until(&world, &[("first", 1), ("second", 1)]).await;

    // One more than the class allows gets none, and nothing is written to its Service.
    expose(&world, "third", &json!({"name": "third"})).await;
    let message = told(&world, "third", "Programmed", "LimitReached").await;
    assert!(message.contains("allows 2 load balancers"), "{message}");
    let untouched = now(&world, &service("third")).await;
    assert!(!untouched.annotations().contains_key(&key("zone-maps")));

    // What is to be preserved is left, bare; what was to be and no longer is goes.
    set(&world, "first", &json!({"name": "first"})).await;
    let annotated = now(&world, &service("second")).await;
    assert_eq!(
        annotated.annotations()[&key("preserve-lb-on-delete")],
        "true"
    );
    let no_longer = Expect::that("to be deleted", |service| {
        let preserved = service
            .annotations()
            .contains_key(&key("preserve-lb-on-delete"));
        (!preserved).then_some(()).ok_or("preserved".to_owned())
    });
    let given_back = service("first");
    let waited = world.wait_for(&given_back, &no_longer, LONG);
    waited.await.unwrap();
    for name in ["first", "second"] {
        world.delete(&service(name)).await.unwrap();
        gone(&world, &service(name)).await;
    }
    until(&world, &[("second", 0)]).await;
    for name in ["first", "second"] {
        let target = binding("default", name);
        world.delete(&target).await.unwrap();
        gone(&world, &target).await;
    }

    // There is room now. A Service stays with its load balancer when its binding goes.
    ready(&world, "third").await;
    until(&world, &[("second", 0), ("third", 1)]).await;
    let third = binding("default", "third");
    world.delete(&third).await.unwrap();
    gone(&world, &third).await;
    let left = now(&world, &service("third")).await;
    let own: String = left.uid().unwrap().replace('-', "");
    let own: String = format!("a{own}").chars().take(32).collect();
    until(&world, &[(&own, 1), ("second", 0)]).await;
    world.delete(&service("third")).await.unwrap();
    gone(&world, &service("third")).await;
    until(&world, &[("second", 0)]).await;
}

/// As long as the cloud is not done the binding says so, and it is Ready when the cloud is.
async fn made_slowly(world: &World) {
    change(world, |cloud| cloud.nlb.settling = HOUR);
    let preserved = json!({"name": "first", "onDelete": "Preserve"});
    expose(world, "first", &preserved).await;
    until(world, &[("first", 0)]).await;
    let message = told(world, "first", "Programmed", "WaitingForLoadBalancer").await;
    assert!(message.contains("make its load balancer"), "{message}");
    change(world, settle);
    ready(world, "first").await;

    // It is changed at the console, and that takes its time.
    change(world, |cloud| {
        for balancer in cloud.nlb.load_balancers.values_mut() {
            balancer.value.settled = Timestamp::now() + HOUR;
        }
    });
    let message = told(world, "first", "Programmed", "WaitingForLoadBalancer").await;
    assert!(message.contains("is Configuring"), "{message}");
    let waiting = now(world, &binding("default", "first")).await;
    let (status, reason, _) = condition(&waiting, "Ready").unwrap();
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "WaitingForLoadBalancer")
    );
    change(world, settle);
    ready(world, "first").await;
}
