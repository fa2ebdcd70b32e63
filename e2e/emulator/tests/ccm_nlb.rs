//! What the stand-in for the cloud controller manager does of network load balancers, against a real API
//! server: what it makes, what it passes over in silence, and what keeps it from going on.

#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

mod common;

use std::time::Duration;

use alicloud_emulator::Running;
use alicloud_emulator::ccm::Options;
use alicloud_emulator::nlb::{Listener, LoadBalancer};
use common::builder;
use control_plane::ControlPlane;
use k8s_openapi::api::core::v1::{Event, Service};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(60);

fn key(name: &str) -> String {
    format!("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-{name}")
}

struct Stage {
    control_plane: ControlPlane,
    emulator: Running,
    services: Api<Service>,
    events: Api<Event>,
}

impl Stage {
    /// With a Service of the class that has no zones yet.
    async fn set() -> Self {
        let started = ControlPlane::builder().controller_manager(false).start();
        let control_plane = started.await.expect("a control plane");
        let client = control_plane.client();
        let options = Options {
            cluster_id: "c1".to_owned(),
            retry_min: Duration::from_millis(100),
            retry_max: Duration::from_millis(400),
            ..Options::new(client.clone())
        };
        let emulator = builder().ccm(options).start();
        let stage = Self {
            control_plane,
            emulator: emulator.await.expect("the emulator starts"),
            services: Api::namespaced(client.clone(), "default"),
            events: Api::namespaced(client, "default"),
        };
        let service = json!({
            "metadata": {"name": "net"},
            "spec": {
                "type": "LoadBalancer", "loadBalancerClass": "alibabacloud.com/nlb",
                "ports": [{"name": "http", "port": 80, "targetPort": 8081}],
            },
        });
        let service = serde_json::from_value(service).expect("a Service");
        let params = PostParams::default();
        let made = stage.services.create(&params, &service);
        made.await.expect("created");
        stage
    }

    /// `zone:vswitch`, sorted.
    fn zones(&self) -> Vec<String> {
        let world = self.emulator.state().world();
        let vswitches = world.vpc.vswitches.values();
        let mut zones: Vec<String> = vswitches
            .map(|vswitch| format!("{}:{}", vswitch.zone_id, vswitch.id))
            .collect();
        zones.sort();
        zones.dedup_by_key(|zone| zone.split(':').next().unwrap_or_default().to_owned());
        zones
    }

    fn balancer(&self) -> Option<LoadBalancer> {
        let world = self.emulator.state().world();
        let first = world.nlb.load_balancers.values().next();
        first.map(|balancer| balancer.value.clone())
    }

    fn listener(&self) -> Listener {
        let world = self.emulator.state().world();
        let first = world.nlb.listeners.values().next();
        first.expect("a listener").value.clone()
    }

    fn mutations(&self) -> Vec<String> {
        let calls = self.emulator.calls().into_iter();
        let changes = calls.filter(|call| call.mutating);
        changes.map(|call| call.action).collect()
    }

    /// Annotates, and waits until that is dealt with; gives the calls that changed something.
    async fn annotated(&self, annotations: Value) -> Vec<String> {
        let before = hash(&self.services.get("net").await.expect("there"));
        self.emulator.clear_calls();
        self.annotate(annotations).await;
        until("a new hash", async || {
            let service = self.services.get("net").await.expect("there");
            let now = hash(&service);
            let ingress = service.status?.load_balancer?.ingress?;
            (now.is_some() && now != before && !ingress.is_empty()).then_some(())
        })
        .await;
        self.mutations()
    }

    async fn annotate(&self, annotations: Value) {
        let patch = json!({"metadata": {"annotations": annotations}});
        let params = PatchParams::default();
        let patch = Patch::Merge(patch);
        let patched = self.services.patch("net", &params, &patch);
        patched.await.expect("patched");
    }

    async fn warning(&self, text: &str) -> String {
        until(&format!("a warning with {text:?}"), async || {
            let params = ListParams::default();
            let list = self.events.list(&params).await;
            let mut events = list.expect("events").items.into_iter();
            events.find_map(|event| {
                let told = event.message.filter(|note| note.contains(text));
                told.filter(|_| event.type_.as_deref() == Some("Warning"))
            })
        })
        .await
    }

    async fn strike(self) {
        self.emulator.stop().await;
        let stopped = self.control_plane.stop().await;
        stopped.expect("the control plane stops");
    }
}

fn hash(service: &Service) -> Option<String> {
    let labels = service.labels();
    labels.get("service.beta.kubernetes.io/hash").cloned()
}

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Some(found) => return found,
            None => assert!(Instant::now() < deadline, "waited in vain for {what}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_network_load_balancer_is_made_kept_and_given_back() {
    let stage = Stage::set().await;
    // Without zones nothing is called, and the finalizer is there all the same.
    let note = stage.warning("zone mappings").await;
    assert!(
        note.ends_with("build nlb attribute error: ParameterMissing, zone mappings are required"),
        "{note}"
    );
    let service = stage.services.get("net").await.expect("there");
    assert_eq!(service.finalizers(), ["service.k8s.alibaba/nlb"]);
    assert!(stage.emulator.calls().is_empty());

    let zones = stage.zones();
    assert!(zones.len() >= 3, "{zones:?}");
    let made = stage
        .annotated(json!({
            key("zone-maps"): zones[..3].join(","),
            key("address-type"): "Intranet",
            key("idle-timeout"): "60",
        }))
        .await;
    assert_eq!(
        made,
        ["CreateLoadBalancer", "CreateServerGroup", "CreateListener"]
    );
    let balancer = stage.balancer().expect("there");
    assert_eq!(balancer.address_type, "Intranet");
    assert_eq!(balancer.zone_mappings.len(), 3);
    assert!(balancer.deletion_protection);
    assert_eq!(balancer.modification_protection, "ConsoleProtection");
    assert_eq!(stage.listener().more["IdleTimeout"], json!(60));

    silences(&stage, &zones).await;
    refusals(&stage).await;
    gone(&stage).await;
    stage.strike().await;
}

/// What is passed over without a word, and what is changed in place.
async fn silences(stage: &Stage, zones: &[String]) {
    let nothing = Vec::<String>::new();
    let fewer = json!({key("zone-maps"): zones[..2].join(",")});
    assert_eq!(stage.annotated(fewer).await, nothing, "a zone less");
    let classic = json!({key("delete-protection"): "off", key("spec"): "slb.s1.small"});
    assert_eq!(stage.annotated(classic).await, nothing, "of classic ones");
    let unsaid = json!({key("idle-timeout"): null});
    assert_eq!(stage.annotated(unsaid).await, nothing, "no longer said");
    assert_eq!(stage.listener().more["IdleTimeout"], json!(60));
    let unread = json!({key("health-check-interval"): "9"});
    assert_eq!(stage.annotated(unread).await, nothing, "without the flag");

    let changes = json!({
        key("address-type"): "internet", key("name"): "web", key("additional-resource-tags"): "team=shop",
    });
    assert_eq!(
        stage.annotated(changes).await,
        [
            "UpdateLoadBalancerAddressTypeConfig",
            "TagResources",
            "UpdateLoadBalancerAttribute"
        ]
    );
    let balancer = stage.balancer().expect("there");
    assert_eq!(
        (balancer.address_type.as_str(), balancer.name.as_str()),
        ("Internet", "web")
    );
    let retagged = json!({key("additional-resource-tags"): "owner=me"});
    let calls = stage.annotated(retagged).await;
    assert_eq!(calls, ["TagResources", "UntagResources"]);
    assert!(!stage.balancer().expect("there").tags.contains_key("team"));
}

/// What fails for ever, and what of it is done all the same.
async fn refusals(stage: &Stage) {
    let service = stage.services.get("net").await.expect("there");
    let before = hash(&service);
    stage.emulator.clear_calls();
    stage
        .annotate(json!({key("ip-version"): "DualStack", key("idle-timeout"): "90"}))
        .await;
    stage.warning("AddressIpVersion cannot be changed").await;
    assert_eq!(stage.listener().more["IdleTimeout"], json!(90));
    let service = stage.services.get("net").await.expect("there");
    assert_eq!(hash(&service), before, "it was not dealt with");
    stage.annotate(json!({key("ip-version"): null})).await;

    stage
        .annotate(json!({key("protocol-port"): "http:80"}))
        .await;
    stage.warning("[TCP|UDP|TCPSSL]").await;
    // Something else besides: what went back to what it was would have the hash that it has.
    let back = json!({key("protocol-port"): null, key("cps"): "7"});
    stage.annotated(back).await;
    assert_eq!(stage.listener().protocol, "TCP");
}

async fn gone(stage: &Stage) {
    stage.emulator.clear_calls();
    let params = DeleteParams::default();
    let deleted = stage.services.delete("net", &params);
    deleted.await.expect("deleted");
    until("the Service to go", async || {
        let found = stage.services.get_opt("net").await.expect("an answer");
        found.is_none().then_some(())
    })
    .await;
    assert_eq!(
        stage.mutations(),
        [
            "UpdateLoadBalancerProtection",
            "DeleteLoadBalancer",
            "DeleteServerGroup"
        ]
    );
    let world = stage.emulator.state().world();
    assert!(world.nlb.load_balancers.is_empty());
    assert!(world.nlb.listeners.is_empty());
    assert!(world.nlb.server_groups.is_empty());
}
