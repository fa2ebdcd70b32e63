//! The samples of "Knative Gateway (SLB)", each as a gateway of a class and a binding, in both worlds:
//! where load balancers of a fixed size are still sold, and where they are not. And a load balancer
//! that others made: what is taken of it, and what is not.

use std::time::Duration;

use alicloud_emulator::api::Product::Slb;
use e2e::world::{Expect, Target, World, WorldOptions};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::by_hand::{call, text};
use super::exposed::{binding, condition, gone, now, ready};
use super::import::import_of;

/// For what takes several passes of the operator and of the cloud controller manager.
const LONG: Duration = Duration::from_secs(120);

const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";

fn service(name: &str) -> Target {
    Target::of::<Service>(Some("default"), name)
}

/// A world with the class of the samples; each gateway has the Service and the binding of its name.
async fn world(sells_pay_by_spec: bool, theirs: [&str; 2]) -> World {
    let options = WorldOptions {
        knative: false,
        sells_pay_by_spec,
        ..WorldOptions::default()
    };
    let world = World::start(options).await.unwrap();
    let gateway = |name: &str, settings: &str| {
        format!(
            "
  - name: {name}
    slb: {{service: {{namespace: default, name: {name}}}, bindingsMaySet: [zones, name], settings: {settings}}}"
        )
    };
    let by_spec = "{addressType: Internet, billing: {instance: PayBySpec, spec: slb.s1.small}}";
    let by_bandwidth = "{addressType: Internet, billing: {instance: PayBySpec, spec: slb.s1.small, traffic: PayByBandwidth, bandwidthMbps: 2}}";
    let public = "{addressType: Internet}";
    let mut class = "apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {name: serverless}
spec:
  cloud: {accountId: \"1234567890123456\", regionId: cn-beijing, clusterId: c1f0, credentials: {type: Environment}}
  gateways:"
        .to_owned();
    class += &gateway("private", "{addressType: Intranet}");
    class += &gateway("by-spec", by_spec);
    class += &gateway("zoned", public);
    class += &gateway("by-bandwidth", by_bandwidth);
    class += &gateway("named", "{addressType: Internet, name: your-svc-name}");
    let [kept, taken] = theirs;
    class += &gateway("reused", &format!("{{existing: {{id: {kept}}}}}"));
    class += &gateway(
        "reused-overriding",
        &format!("{{existing: {{id: {taken}, listeners: Override}}}}"),
    );
    world.apply(&class).await.unwrap();
    world
}

/// Its Service is of no type that gets a load balancer until the binding has written its settings:
/// otherwise the cloud controller manager may be first, and what it makes is for life.
async fn expose(world: &World, name: &str, slb: &str) {
    let manifests = format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec: {{type: ClusterIP, selector: {{run: nginx}}, ports: [{{port: 443, targetPort: 443}}]}}
---
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBinding
metadata: {{name: {name}, namespace: default}}
spec: {{className: serverless, gateway: {name}, serviceRef: {{kind: Service, name: {name}, port: 443}}{slb}}}"
    );
    world.apply(&manifests).await.unwrap();
    let invalid = Expect::condition_with_reason("ResolvedRefs", "False", "ServiceInvalid");
    let target = binding("default", name);
    let told = world.wait_for(&target, &invalid, LONG).await.unwrap();
    let (_, _, message) = condition(&told, "ResolvedRefs").unwrap();
    assert!(message.contains("type: LoadBalancer"), "{message}");
    let type_ = json!({"spec": {"type": "LoadBalancer"}});
    world.patch(&service(name), &type_).await.unwrap();
}

async fn told(
    world: &World,
    name: &str,
    type_: &str,
    reason: &str,
    words: &[&str],
) -> DynamicObject {
    let expected = Expect::condition_with_reason(type_, "False", reason);
    let target = binding("default", name);
    let told = world.wait_for(&target, &expected, LONG).await.unwrap();
    let (_, _, message) = condition(&told, type_).unwrap();
    for word in words {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
    told
}

/// A click in the console.
async fn slb(world: &World, action: &str, params: &[(&str, &str)]) -> Value {
    let region = ("RegionId", world.options().region.as_str());
    let params: Vec<_> = params.iter().copied().chain([region]).collect();
    call(world, Slb, action, &params).await
}

async fn made_in_the_console(world: &World, name: &str) -> String {
    let params = [("AddressType", "internet"), ("LoadBalancerName", name)];
    let made = slb(world, "CreateLoadBalancer", &params).await;
    text(&made, "LoadBalancerId")
}

/// What the cloud says of a load balancer.
async fn actual(world: &World, id: &str) -> Value {
    let id = [("LoadBalancerId", id)];
    slb(world, "DescribeLoadBalancerAttribute", &id).await
}

fn id_of(binding: &DynamicObject) -> String {
    let id = &binding.data["status"]["loadBalancer"]["id"];
    id.as_str().unwrap().to_owned()
}

async fn look_again(world: &World, name: &str, when: &str) {
    let asked = json!({"metadata": {"annotations": {"gatewaybinding.dev/reconcile-at": when}}});
    world
        .patch(&binding("default", name), &asked)
        .await
        .unwrap();
}

/// The console's clicks before the class can name what they made.
async fn with_theirs(sells_pay_by_spec: bool) -> (World, String, String) {
    // The ids are only known once the cloud runs, and the class is made with it.
    let world = world(sells_pay_by_spec, ["lb-later", "lb-later"]).await;
    let kept = made_in_the_console(&world, "kept").await;
    let taken = made_in_the_console(&world, "taken").await;
    let by_hand = [
        ("LoadBalancerId", taken.as_str()),
        ("ListenerPort", "443"),
        ("Bandwidth", "-1"),
        ("BackendServerPort", "443"),
        ("Description", "made by hand"),
    ];
    slb(&world, "CreateLoadBalancerTCPListener", &by_hand).await;
    let gateway = |name: &str, existing: Value| {
        json!({
            "name": name,
            "slb": {"service": {"namespace": "default", "name": name}, "settings": {"existing": existing}},
        })
    };
    let class = super::exposed::class("serverless");
    let mut gateways = now(&world, &class).await.data["spec"]["gateways"].clone();
    let list = gateways.as_array_mut().unwrap();
    list.truncate(5);
    list.push(gateway("reused", json!({"id": kept})));
    list.push(gateway(
        "reused-overriding",
        json!({"id": taken, "listeners": "Override"}),
    ));
    let patch = json!({"spec": {"gateways": gateways}});
    world.patch(&class, &patch).await.unwrap();
    (world, kept, taken)
}

#[tokio::test]
async fn each_sample_is_applied_or_refused_with_the_reason() {
    let (world, kept, taken) = with_theirs(false).await;
    for (name, slb) in [
        ("private", ""),
        ("by-spec", ""),
        (
            "zoned",
            ", slb: {zones: {primary: cn-beijing-g, backup: cn-beijing-f}}",
        ),
        ("by-bandwidth", ""),
        ("named", ""),
        ("reused", ""),
        ("reused-overriding", ""),
    ] {
        expose(&world, name, slb).await;
    }

    let private = ready(&world, &binding("default", "private")).await;
    let balancer = &private.data["status"]["loadBalancer"];
    assert_eq!(balancer["addressType"], "intranet", "{balancer}");
    assert_eq!(balancer["instanceCharge"], "PayByCLCU");
    assert!(balancer["vpcId"].is_string() && balancer["primaryZone"].is_string());
    let listeners = json!([{"port": 443, "protocol": "tcp", "state": "running"}]);
    assert_eq!(balancer["listeners"], listeners, "{balancer}");

    let zoned = ready(&world, &binding("default", "zoned")).await;
    let zoned = actual(&world, &id_of(&zoned)).await;
    let zones = (text(&zoned, "MasterZoneId"), text(&zoned, "SlaveZoneId"));
    assert_eq!(zones, ("cn-beijing-g".into(), "cn-beijing-f".into()));

    let named = ready(&world, &binding("default", "named")).await;
    let named = id_of(&named);
    assert_eq!(
        text(&actual(&world, &named).await, "LoadBalancerName"),
        "your-svc-name"
    );

    // Sold no more: the cloud's own words.
    for name in ["by-spec", "by-bandwidth"] {
        let words = ["pay-by-specification instance has been discontinued"];
        told(&world, name, "Programmed", "NotSold", &words).await;
    }
    reuse(&world, &kept, &taken, &named).await;
    drift(&world, &named).await;
}

#[tokio::test]
async fn each_sample_is_applied_where_a_fixed_size_is_still_sold() {
    let world = world(true, ["lb-none", "lb-none"]).await;
    expose(&world, "by-spec", "").await;
    expose(&world, "by-bandwidth", "").await;
    let by_spec = ready(&world, &binding("default", "by-spec")).await;
    assert_eq!(
        by_spec.data["status"]["loadBalancer"]["spec"],
        "slb.s1.small"
    );
    let by_bandwidth = ready(&world, &binding("default", "by-bandwidth")).await;
    let actual = actual(&world, &id_of(&by_bandwidth)).await;
    assert_eq!(actual["InternetChargeType"], "paybybandwidth", "{actual}");
    assert_eq!(actual["Bandwidth"], 2, "{actual}");
    imported(&world).await;
    // A typo in an id is told, and nothing is asked of the cloud controller manager.
    let nothing = "apiVersion: v1
kind: Service
metadata: {name: reused, namespace: default}
spec: {type: LoadBalancer, ports: [{port: 443}]}
---
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBinding
metadata: {name: reused, namespace: default}
spec: {className: serverless, gateway: reused, serviceRef: {kind: Service, name: reused, port: 443}}";
    world.apply(nothing).await.unwrap();
    let told = Expect::that("told that it cannot be used", |binding| {
        let reasons = ["ResolvedRefs", "Programmed"].map(|type_| condition(binding, type_));
        let mut reasons = reasons.into_iter().flatten().map(|(_, reason, _)| reason);
        // The cloud controller manager may have made one for the Service meanwhile.
        let told = reasons.any(|reason| ["LoadBalancerUnusable", "Immutable"].contains(&&*reason));
        told.then_some(()).ok_or_else(|| "not yet".to_owned())
    });
    world
        .wait_for(&binding("default", "reused"), &told, LONG)
        .await
        .unwrap();
    let service = now(&world, &service("reused")).await;
    assert!(!service.annotations().contains_key(&format!("{PREFIX}id")));
}

/// A Service that somebody annotated by hand: what is imported of it changes nothing when it is applied.
async fn imported(world: &World) {
    let by_hand = "apiVersion: v1
kind: Service
metadata:
  name: by-hand
  namespace: default
  annotations:
    service.beta.kubernetes.io/alicloud-loadbalancer-address-type: intranet
    service.beta.kubernetes.io/alibaba-cloud-loadbalancer-name: by-hand
    service.beta.kubernetes.io/alibaba-cloud-loadbalancer-scheduler: wrr
    service.beta.kubernetes.io/alibaba-cloud-loadbalancer-bandwidth: \"5\"
spec: {type: LoadBalancer, selector: {run: nginx}, ports: [{port: 443, targetPort: 443}]}";
    world.apply(by_hand).await.unwrap();
    let has_address = Expect::that("with an address", |service: &DynamicObject| {
        let ingress = service.data.pointer("/status/loadBalancer/ingress/0/ip");
        ingress.map(drop).ok_or_else(|| "none yet".to_owned())
    });
    let target = service("by-hand");
    world.wait_for(&target, &has_address, LONG).await.unwrap();
    let printed = import_of(world, &["service", "default/by-hand"]).await;
    let told = String::from_utf8_lossy(&printed.stderr).into_owned();
    // The bandwidth is dead, and that is the only thing to say.
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("annotation bandwidth: it is dead"), "{told}");
    assert_eq!(printed.status.code(), Some(3), "{told}");
    let before = now(world, &target).await;
    let manifests = String::from_utf8(printed.stdout).unwrap();
    world.apply(&manifests).await.unwrap();
    ready(world, &binding("default", "by-hand")).await;
    let after = now(world, &target).await;
    assert_eq!(after.metadata, before.metadata, "written to");
}

/// Theirs is used, and left as it was.
async fn reuse(world: &World, kept: &str, taken: &str, of_ccm: &str) {
    let words = [kept, "no listener on port 443"];
    told(
        world,
        "reused",
        "Programmed",
        "WaitingForLoadBalancer",
        &words,
    )
    .await;
    let groups = [("LoadBalancerId", kept)];
    let groups = slb(world, "DescribeVServerGroups", &groups).await;
    let group = text(
        &groups["VServerGroups"]["VServerGroup"][0],
        "VServerGroupId",
    );
    let own = [
        ("LoadBalancerId", kept),
        ("ListenerPort", "443"),
        ("Bandwidth", "-1"),
        ("VServerGroupId", group.as_str()),
    ];
    slb(world, "CreateLoadBalancerTCPListener", &own).await;
    look_again(world, "reused", "1").await;
    ready(world, &binding("default", "reused")).await;
    assert_eq!(text(&actual(world, kept).await, "LoadBalancerName"), "kept");

    let overriding = ready(world, &binding("default", "reused-overriding")).await;
    assert_eq!(id_of(&overriding), taken);
    let listener =
        &actual(world, taken).await["ListenerPortsAndProtocol"]["ListenerPortAndProtocol"][0];
    assert_eq!(
        listener["Description"],
        "k8s/443/reused-overriding/default/c1f0"
    );

    // Whose it is already is not taken, and one that has an address is not moved.
    let steals = json!({"existing": {"id": of_ccm}});
    let class = super::exposed::class("serverless");
    let mut gateways = now(world, &class).await.data["spec"]["gateways"].clone();
    gateways[5]["slb"]["settings"] = steals;
    let moved = json!({"spec": {"gateways": gateways}});
    world.patch(&class, &moved).await.unwrap();
    told(
        world,
        "reused",
        "Programmed",
        "Immutable",
        &["slb.existing.id", kept, of_ccm],
    )
    .await;
    let annotations = now(world, &service("reused")).await;
    assert_eq!(annotations.annotations()[&format!("{PREFIX}id")], kept);
    gateways[5]["slb"]["settings"] = json!({"existing": {"id": kept}});
    let back = json!({"spec": {"gateways": gateways}});
    world.patch(&class, &back).await.unwrap();
    ready(world, &binding("default", "reused")).await;

    // Bindings go: what names the load balancer stays with the Service, and goes with it.
    for name in ["reused-overriding"] {
        world.delete(&binding("default", name)).await.unwrap();
        gone(world, &binding("default", name)).await;
        let left = now(world, &service(name)).await;
        assert_eq!(left.annotations()[&format!("{PREFIX}id")], taken);
        world.delete(&service(name)).await.unwrap();
        gone(world, &service(name)).await;
    }
    let left = actual(world, taken).await;
    assert_eq!(
        text(&left, "LoadBalancerName"),
        "taken",
        "it is never deleted"
    );
    assert_eq!(
        left["ListenerPorts"]["ListenerPort"],
        json!([]),
        "nor is anything left on it"
    );
    let groups = [("LoadBalancerId", taken)];
    let groups = slb(world, "DescribeVServerGroups", &groups).await;
    assert_eq!(groups["VServerGroups"]["VServerGroup"], json!([]));
}

/// What somebody changes in the console, past the Service, is put back through the cloud controller
/// manager, or told.
async fn drift(world: &World, named: &str) {
    let rename = async |name: &str| {
        let params = [("LoadBalancerId", named), ("LoadBalancerName", name)];
        slb(world, "SetLoadBalancerName", &params).await;
    };
    rename("renamed").await;
    look_again(world, "named", "1").await;
    let look = async || {
        let name = text(&actual(world, named).await, "LoadBalancerName");
        (name == "your-svc-name").then_some(()).ok_or(name)
    };
    let waited = world.wait_until("the load balancer", "named as before", LONG, look);
    waited.await.unwrap();
    ready(world, &binding("default", "named")).await;

    let report = json!({"spec": {"driftPolicy": "Report"}});
    world
        .patch(&binding("default", "named"), &report)
        .await
        .unwrap();
    ready(world, &binding("default", "named")).await;
    rename("renamed-again").await;
    look_again(world, "named", "2").await;
    told(world, "named", "Programmed", "DriftDetected", &["slb.name"]).await;
    assert_eq!(
        text(&actual(world, named).await, "LoadBalancerName"),
        "renamed-again"
    );
}
