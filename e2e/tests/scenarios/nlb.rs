//! Network load balancers: one that the operator has made, and one of a Service that was there before.
//! What counts is what the load balancer is afterwards.

use std::time::Duration;

use alicloud_emulator::nlb::LoadBalancer;
use alicloud_emulator::world::Visible;
use e2e::world::{Expect, Target, World, WorldOptions};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::exposed::{binding, class, condition, now};
use super::helloworld;

/// For what takes the operator and the cloud controller manager several rounds.
pub(super) const LONG: Duration = Duration::from_secs(120);
const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";

pub(super) fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn front(name: &str) -> Target {
    Target::of::<Service>(Some("istio-system"), name)
}

/// Two vswitches of the cluster's VPC, as settings name them.
pub(super) async fn zones(world: &World) -> Value {
    let state = world.cloud.state().await.unwrap();
    let vswitches = state["vpc"]["vswitches"].as_object().unwrap().values();
    let zones = vswitches.take(2);
    let zones = zones.map(|one| json!({"zoneId": one["zoneId"], "vswitchId": one["id"]}));
    zones.collect()
}

/// The same, as the annotation names them.
fn zone_maps(zones: &Value) -> String {
    let zones = zones.as_array().unwrap().iter();
    let text = |zone: &Value, name: &str| zone[name].as_str().unwrap().to_owned();
    let zones = zones.map(|zone| format!("{}:{}", text(zone, "zoneId"), text(zone, "vswitchId")));
    zones.collect::<Vec<_>>().join(",")
}

pub(super) fn class_of(name: &str, gateway: &Value) -> String {
    json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
        "metadata": {"name": name},
        "spec": {
            "cloud": {"regionId": "cn-beijing", "clusterId": "c1f0", "credentials": {"type": "Environment"}},
            "gateways": [{"name": "network", "nlb": gateway}],
        },
    })
    .to_string()
}

pub(super) fn binding_of(class: &str, (name, service): (&str, &str), nlb: &Value) -> String {
    let mut spec = json!({
        "className": class, "gateway": "network",
        "serviceRef": {"kind": "KnativeService", "name": service},
    });
    if *nlb != json!({}) {
        spec["nlb"] = nlb.clone();
    }
    json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
        "metadata": {"name": name, "namespace": "default"}, "spec": spec,
    })
    .to_string()
}

pub(super) async fn ready(world: &World, name: &str) -> DynamicObject {
    let ready = Expect::condition("Ready", "True");
    let target = binding("default", name);
    let waited = world.wait_for(&target, &ready, LONG);
    waited.await.unwrap()
}

pub(super) async fn gone(world: &World, target: &Target) {
    world.wait_for(target, &Expect::gone(), LONG).await.unwrap();
}

/// Waits until a binding is told what stands in its way, and gives the words.
pub(super) async fn told(
    world: &World,
    name: &str,
    type_: &'static str,
    reason: &'static str,
) -> String {
    let told = Expect::condition_with_reason(type_, "False", reason);
    let target = binding("default", name);
    let waited = world.wait_for(&target, &told, LONG);
    let binding = waited.await.unwrap();
    condition(&binding, type_).unwrap().2.to_owned()
}

/// The load balancers of the cloud, and their listeners.
async fn seen(world: &World) -> Result<(Vec<Value>, Vec<Value>), String> {
    let state = world.cloud.state().await;
    let state = state.map_err(|error| error.to_string())?;
    let values = |name: &str| -> Vec<Value> {
        let all = state["nlb"][name].as_object().into_iter().flatten();
        all.map(|(_, one)| one["value"].clone()).collect()
    };
    Ok((values("loadBalancers"), values("listeners")))
}

/// The one network load balancer of the cloud, once it and its listeners are as asked.
async fn balancer(world: &World, what: &str, is: impl Fn(&Value, &[Value]) -> bool) -> Value {
    let look = async || {
        let (balancers, listeners) = seen(world).await?;
        match balancers.as_slice() {
            [one] if is(one, &listeners) => Ok(one.clone()),
            _ => Err(format!("{balancers:?} with {listeners:?}")),
        }
    };
    let waited = world.wait_until("the network load balancer", what, LONG, look);
    waited.await.unwrap()
}

/// Nothing of the product is left in the cloud.
async fn nothing_is_left(world: &World) {
    let look = async || {
        let state = world.cloud.state().await;
        let state = state.map_err(|error| error.to_string())?;
        let kinds = ["loadBalancers", "listeners", "serverGroups"];
        let left = kinds.map(|kind| state["nlb"][kind].clone());
        match left.iter().all(|left| *left == json!({})) {
            true => Ok(()),
            false => Err(format!("{left:?}")),
        }
    };
    let waited = world.wait_until("the cloud", "without network load balancers", LONG, look);
    waited.await.unwrap();
}

/// The manifests of `examples/network-load-balancer`, with zones and vswitches that there are.
pub(super) fn example(zones: &Value) -> String {
    let mut text = super::example("network-load-balancer");
    let placeholders = [
        ("cn-beijing-x", "vsw-2zeqgkyib34gw1fxxx"),
        ("cn-beijing-y", "vsw-2zefv5qwao4prxxx"),
    ];
    for (zone, (zone_id, vswitch_id)) in zones.as_array().unwrap().iter().zip(placeholders) {
        text = text.replace(zone_id, zone["zoneId"].as_str().unwrap());
        text = text.replace(vswitch_id, zone["vswitchId"].as_str().unwrap());
    }
    text
}

/// Changes settings of the class of the example.
async fn change_class(world: &World, changes: Value) {
    let class = class("network");
    let mut gateways = now(world, &class).await.data["spec"]["gateways"].clone();
    for (name, value) in changes.as_object().unwrap() {
        gateways[0]["nlb"]["settings"][name] = value.clone();
    }
    let patch = json!({"spec": {"gateways": gateways}});
    world.patch(&class, &patch).await.unwrap();
}

#[tokio::test]
async fn a_network_load_balancer_is_made_changed_repaired_and_deleted() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    let zones = zones(&world).await;
    world.apply(&example(&zones)).await.unwrap();
    let exposed = ready(&world, "helloworld-nlb").await;
    let made = balancer(&world, "as it was asked for", |balancer, listeners| {
        balancer["addressType"] == "Internet"
            && balancer["name"] == "knative"
            && listeners.len() == 1
            && listeners[0]["port"] == 80
            && listeners[0]["more"]["IdleTimeout"] == 60
    })
    .await;
    let service = now(&world, &front("network")).await;
    let wanted = json!("alibabacloud.com/nlb");
    assert_eq!(service.data["spec"]["loadBalancerClass"], wanted);
    let status = &exposed.data["status"];
    assert_eq!(status["address"], made["dnsName"]);
    let shown = &status["loadBalancer"];
    assert_eq!(shown["id"], made["id"]);
    assert_eq!(shown["addressType"], "internet");
    assert_eq!(shown["zones"].as_array().unwrap().len(), 2, "{shown}");
    let listener = json!([{"port": 80, "protocol": "tcp", "state": "running"}]);
    assert_eq!(shown["listeners"], listener);

    // Whoever comes later with another value is told who has it.
    let other = json!({"name": "other"});
    let other = binding_of("network", ("later", "helloworld-nlb"), &other);
    world.apply(&other).await.unwrap();
    let message = told(&world, "later", "Programmed", "Conflict").await;
    for word in ["nlb.name", "default/helloworld-nlb"] {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
    let agreeing = json!({"spec": {"nlb": {"name": "knative", "crossZone": "Disabled"}}});
    let later = binding("default", "later");
    world.patch(&later, &agreeing).await.unwrap();
    ready(&world, "later").await;

    // The address type of this kind changes in place, and what another binding set stays.
    change_class(&world, json!({"addressType": "Intranet"})).await;
    let first = binding("default", "helloworld-nlb");
    let slower = json!({"spec": {"nlb": {"idleTimeout": "90s"}}});
    world.patch(&first, &slower).await.unwrap();
    balancer(&world, "changed in place", |balancer, listeners| {
        balancer["id"] == made["id"]
            && balancer["addressType"] == "Intranet"
            && balancer["crossZone"] == false
            && listeners[0]["more"]["IdleTimeout"] == 90
    })
    .await;
    ready(&world, "helloworld-nlb").await;

    // What cannot change is refused before anything is written.
    change_class(&world, json!({"ipVersion": "DualStack"})).await;
    let message = told(&world, "helloworld-nlb", "Programmed", "Immutable").await;
    assert!(message.contains("nlb.ipVersion"), "{message}");
    change_class(&world, json!({"ipVersion": "IPv4"})).await;
    ready(&world, "helloworld-nlb").await;

    repaired(&world, &first).await;

    // What one took along goes, and with the last one everything.
    world.delete(&later).await.unwrap();
    gone(&world, &later).await;
    balancer(&world, "across zones again", |balancer, _| {
        balancer["crossZone"] == true && balancer["name"] == "knative"
    })
    .await;
    world.delete(&first).await.unwrap();
    gone(&world, &first).await;
    gone(&world, &front("network")).await;
    nothing_is_left(&world).await;
}

/// What somebody changes in the console is put back.
async fn repaired(world: &World, first: &Target) {
    let changed = world.cloud.change(|world| {
        for balancer in world.nlb.load_balancers.values_mut() {
            balancer.value.name = "console".to_owned();
        }
        for listener in world.nlb.listeners.values_mut() {
            listener.value.stopped = true;
        }
    });
    assert!(changed);
    let annotations = json!({"gatewaybinding.dev/reconcile-at": "1"});
    let patch = json!({"metadata": {"annotations": annotations}});
    world.patch(first, &patch).await.unwrap();
    balancer(world, "put back", |balancer, listeners| {
        balancer["name"] == "knative" && listeners[0]["stopped"] == false
    })
    .await;
    ready(world, "helloworld-nlb").await;
}

/// A gateway's Service that somebody annotated.
fn service(name: &str, class: &Value, annotations: &Value) -> String {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "istio-system", "annotations": annotations},
        "spec": {
            "type": "LoadBalancer", "loadBalancerClass": class,
            "selector": {"app": "istio-ingressgateway", "istio": "ingressgateway"},
            "ports": [{"name": "http", "port": 80, "targetPort": 80}],
        },
    })
    .to_string()
}

#[tokio::test]
async fn a_service_that_was_there_is_used_and_given_back() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    helloworld(&world, "default", "hello", "").await;
    let nlb = json!("alibabacloud.com/nlb");
    // Without zones nothing is made.
    world
        .apply(&service("network", &nlb, &json!({})))
        .await
        .unwrap();
    let finalizer = Expect::that("a finalizer", |service| {
        let finalizers = service.finalizers().to_vec();
        let has = finalizers.contains(&"service.k8s.alibaba/nlb".to_owned());
        has.then_some(()).ok_or_else(|| format!("{finalizers:?}"))
    });
    world
        .wait_for(&front("network"), &finalizer, LONG)
        .await
        .unwrap();
    assert_eq!(seen(&world).await.unwrap(), (Vec::new(), Vec::new()));

    // What somebody annotated counts, until a binding says something else.
    let zones = zones(&world).await;
    let by_hand = json!({
        key("zone-maps"): zone_maps(&zones),
        key("address-type"): "intranet",
        key("idle-timeout"): "60",
    });
    let patch = json!({"metadata": {"annotations": by_hand}});
    world.patch(&front("network"), &patch).await.unwrap();
    let idle = |seconds: i64| {
        move |_: &Value, listeners: &[Value]| {
            listeners.len() == 1 && listeners[0]["more"]["IdleTimeout"] == seconds
        }
    };
    let made = balancer(&world, "as annotated", idle(60)).await;
    let gateway = json!({
        "service": {"namespace": "istio-system", "name": "network", "foreignFields": "Takeover"},
        "settings": {"addressType": "Intranet", "zoneMappings": &zones},
        "bindingsMaySet": ["idleTimeout"],
    });
    world.apply(&class_of("network", &gateway)).await.unwrap();
    let slower = json!({"idleTimeout": "90s"});
    world
        .apply(&binding_of("network", ("hello", "hello"), &slower))
        .await
        .unwrap();
    ready(&world, "hello").await;
    balancer(&world, "as the binding says", idle(90)).await;
    let hello = binding("default", "hello");
    world.delete(&hello).await.unwrap();
    gone(&world, &hello).await;
    let given_back = balancer(&world, "as it was annotated before", idle(60)).await;
    assert_eq!(given_back["id"], made["id"]);

    wrong_class(&world, &zones).await;
    of_others(&world, &made).await;
}

/// A Service without the class gets no such load balancer, and nothing is written to it.
async fn wrong_class(world: &World, zones: &Value) {
    world
        .apply(&service(
            "classic",
            &Value::Null,
            &json!({key("address-type"): "intranet"}),
        ))
        .await
        .unwrap();
    let gateway = json!({
        "service": {"namespace": "istio-system", "name": "classic"},
        "settings": {"addressType": "Intranet", "zoneMappings": zones, "name": "never"},
    });
    world.apply(&class_of("classic", &gateway)).await.unwrap();
    world
        .apply(&binding_of("classic", ("classic", "hello"), &json!({})))
        .await
        .unwrap();
    let message = told(world, "classic", "ResolvedRefs", "ServiceInvalid").await;
    assert!(message.contains("alibabacloud.com/nlb"), "{message}");
    let untouched = now(world, &front("classic")).await;
    assert!(!untouched.annotations().contains_key(&key("name")));
    let target = binding("default", "classic");
    world.delete(&target).await.unwrap();
    gone(world, &target).await;
}

/// A load balancer of others is used by its id, stays when the Service goes, and is refused if the cloud
/// controller manager made it.
async fn of_others(world: &World, made: &Value) {
    let mut theirs = made.clone();
    for (name, value) in [
        ("id", json!("nlb-theirs")),
        ("name", json!("theirs")),
        ("dnsName", json!("nlb-theirs.cn-beijing.nlb.aliyuncs.com")),
        ("tags", json!({})),
    ] {
        theirs[name] = value;
    }
    let theirs: LoadBalancer = serde_json::from_value(theirs).unwrap();
    let added = world.cloud.change(|world| {
        let theirs = Visible::new(theirs, Timestamp::UNIX_EPOCH);
        let balancers = &mut world.nlb.load_balancers;
        balancers.insert("nlb-theirs".to_owned(), theirs);
    });
    assert!(added);
    let gateway = |id: &Value| {
        json!({
            "service": {
                "namespace": "istio-system", "name": "theirs",
                "createFrom": {"name": "istio-ingressgateway", "ports": [80]},
            },
            "settings": {"existing": {"id": id, "listeners": "Override"}, "idleTimeout": "30s"},
        })
    };
    let stolen = gateway(&made["id"]);
    world.apply(&class_of("theirs", &stolen)).await.unwrap();
    world
        .apply(&binding_of("theirs", ("theirs", "hello"), &json!({})))
        .await
        .unwrap();
    let message = told(world, "theirs", "ResolvedRefs", "LoadBalancerUnusable").await;
    assert!(message.contains("nlb.existing.id"), "{message}");
    let fine = gateway(&json!("nlb-theirs"));
    world.apply(&class_of("theirs", &fine)).await.unwrap();
    let exposed = ready(world, "theirs").await;
    assert_eq!(exposed.data["status"]["loadBalancer"]["id"], "nlb-theirs");
    let listeners = async || -> Result<Vec<Value>, String> {
        let (_, listeners) = seen(world).await?;
        let of = |listener: &Value| listener["loadBalancerId"] == "nlb-theirs";
        Ok(listeners.into_iter().filter(|one| of(one)).collect())
    };
    let given = listeners().await.unwrap();
    assert_eq!(given.len(), 1);
    assert_eq!(given[0]["more"]["IdleTimeout"], 30);

    let target = binding("default", "theirs");
    world.delete(&target).await.unwrap();
    gone(world, &target).await;
    gone(world, &front("theirs")).await;
    assert_eq!(listeners().await.unwrap(), Vec::<Value>::new());
    let (balancers, _) = seen(world).await.unwrap();
    assert!(balancers.iter().any(|one| one["id"] == "nlb-theirs"));
    let class = class("theirs");
    world.delete(&class).await.unwrap();
    gone(world, &class).await;
}
