//! The stand-in for the cloud controller manager against a real API server.

#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

mod common;

use std::time::Duration;

use alicloud_emulator::Running;
use alicloud_emulator::calls::Call;
use alicloud_emulator::ccm::Options;
use alicloud_emulator::slb::{ListenerStatus, LoadBalancer};
use common::builder;
use control_plane::ControlPlane;
use k8s_openapi::api::core::v1::{Event, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
const PATIENCE: Duration = Duration::from_secs(30);

struct Stage {
    control_plane: ControlPlane,
    emulator: Running,
    services: Api<Service>,
}

impl Stage {
    async fn set() -> Self {
        let control_plane = ControlPlane::builder()
            .controller_manager(false)
            .start()
            .await
            .expect("a control plane");
        let client = control_plane.client();
        let options = Options {
            cluster_id: "c1".to_owned(),
            retry_min: Duration::from_millis(100),
            retry_max: Duration::from_millis(400),
            ..Options::new(client.clone())
        };
        let emulator = builder()
            .ccm(options)
            .start()
            .await
            .expect("the emulator starts");
        Self {
            control_plane,
            emulator,
            services: Api::namespaced(client, "default"),
        }
    }

    async fn strike(self) {
        self.emulator.stop().await;
        self.control_plane
            .stop()
            .await
            .expect("the control plane stops");
    }

    async fn create(&self, annotations: Value) -> Service {
        let service = json!({
            "metadata": {"name": "gw", "annotations": annotations},
            "spec": {"type": "LoadBalancer", "selector": {"app": "gw"}, "ports": [
                {"name": "http", "port": 80, "targetPort": 8081},
            ]},
        });
        let service = serde_json::from_value(service).expect("a Service");
        self.services
            .create(&PostParams::default(), &service)
            .await
            .expect("created")
    }

    async fn annotate(&self, annotations: Value) {
        self.patch(json!({"metadata": {"annotations": annotations}}))
            .await;
    }

    async fn patch(&self, patch: Value) {
        let patch = Patch::Merge(patch);
        self.services
            .patch("gw", &PatchParams::default(), &patch)
            .await
            .expect("patched");
    }

    async fn service(&self) -> Option<Service> {
        self.services
            .get_opt("gw")
            .await
            .expect("the API server answers")
    }

    async fn endpoints(&self, name: &str, addresses: &[&str]) {
        let slices: Api<EndpointSlice> = Api::namespaced(self.control_plane.client(), "default");
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "gw"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8081, "protocol": "TCP"}],
            "endpoints": addresses.iter().map(|ip| json!({"addresses": [ip], "conditions": {"ready": true}})).collect::<Vec<_>>(),
        });
        let params = PatchParams::apply("test");
        slices
            .patch(name, &params, &Patch::Apply(slice))
            .await
            .expect("applied");
    }

    fn balancer(&self) -> Option<LoadBalancer> {
        let world = self.emulator.state().world();
        world
            .slb
            .load_balancers
            .values()
            .next()
            .map(|balancer| balancer.value.clone())
    }

    fn mutations(&self) -> Vec<String> {
        let calls = self.emulator.calls();
        calls
            .iter()
            .filter(|call| call.mutating)
            .map(|call| call.action.clone())
            .collect()
    }

    /// Waits until the Service has an address and the hash label differs from `before`.
    async fn ready(&self, before: Option<&str>) -> String {
        let seen = |service: &Service| {
            let ip = service
                .status
                .as_ref()?
                .load_balancer
                .as_ref()?
                .ingress
                .as_ref()?
                .first()?
                .ip
                .clone();
            let hash = hash(service)?;
            ip.filter(|_| Some(hash.as_str()) != before).map(|_| hash)
        };
        until("an address and a new hash", async || {
            self.service().await.as_ref().and_then(seen)
        })
        .await
    }

    async fn warning(&self, text: &str) -> String {
        let events: Api<Event> = Api::namespaced(self.control_plane.client(), "default");
        until(&format!("a warning with {text:?}"), async || {
            let list = events.list(&ListParams::default()).await.expect("events");
            list.items
                .into_iter()
                .filter(|event| event.type_.as_deref() == Some("Warning"))
                .filter_map(|event| event.message)
                .find(|note| note.contains(text))
        })
        .await
    }
}

fn hash(service: &Service) -> Option<String> {
    service
        .labels()
        .get("service.beta.kubernetes.io/hash")
        .cloned()
}

async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn intranet() -> Value {
    json!({format!("{PREFIX}address-type"): "intranet"})
}

fn actions(calls: &[Call]) -> Vec<&str> {
    calls.iter().map(|call| call.action.as_str()).collect()
}

#[tokio::test]
async fn a_service_gets_a_load_balancer_keeps_it_in_line_and_gives_it_back() {
    let stage = Stage::set().await;
    stage.endpoints("gw-1", &["10.1.0.1"]).await;
    let uid = stage.create(intranet()).await.uid().expect("a UID");
    let first_hash = stage.ready(None).await;
    let made = stage.balancer().expect("a load balancer");
    let service = stage.service().await.expect("there");
    assert_eq!(
        service.labels()["service.k8s.alibaba/loadbalancer-id"],
        made.id
    );
    assert_eq!(service.finalizers(), ["service.k8s.alibaba/resources"]);
    let default_name: String = format!("a{}", uid.replace('-', ""))
        .chars()
        .take(32)
        .collect();
    assert_eq!(made.name, default_name);
    assert_eq!(
        (made.address_type.as_str(), made.delete_protection),
        ("intranet", true)
    );
    assert_eq!(made.tags["kubernetes.do.not.delete"], default_name);
    assert_eq!(made.tags["ack.aliyun.com"], "c1");
    assert_eq!(
        made.modification_protection_reason.as_deref(),
        Some("managed.by.ack")
    );
    assert_eq!(made.listeners.len(), 1);
    assert_eq!(
        (made.listeners[0].port, made.listeners[0].status),
        (80, ListenerStatus::Running)
    );
    assert_eq!(made.listeners[0].description, "k8s/80/gw/default/c1");
    let calls = stage.emulator.calls();
    assert_eq!(
        actions(&calls).into_iter().take(8).collect::<Vec<_>>(),
        [
            "DescribeLoadBalancers",
            "DescribeLoadBalancers",
            "CreateLoadBalancer",
            "DescribeLoadBalancerAttribute",
            "CreateVServerGroup",
            "AddVServerGroupBackendServers",
            "CreateLoadBalancerTCPListener",
            "StartLoadBalancerListener",
        ]
    );

    endpoints_follow_without_correcting_drift(&stage).await;
    let second_hash = edits_change_only_what_differs(&stage, &first_hash).await;
    ports_move(&stage, &second_hash).await;
    a_deleted_service_leaves_nothing(&stage).await;
    stage.strike().await;
}

async fn endpoints_follow_without_correcting_drift(stage: &Stage) {
    stage
        .emulator
        .state()
        .world()
        .slb
        .load_balancers
        .values_mut()
        .for_each(|balancer| {
            "renamed-by-hand".clone_into(&mut balancer.value.name);
        });
    stage.emulator.clear_calls();
    stage.endpoints("gw-2", &["10.1.0.2"]).await;
    until("the second pod", async || {
        let world = stage.emulator.state().world();
        let group = world.slb.server_groups.values().next()?;
        (group.backends.len() == 2).then_some(())
    })
    .await;
    assert_eq!(stage.mutations(), ["AddVServerGroupBackendServers"]);
    assert_eq!(stage.balancer().expect("there").name, "renamed-by-hand");
}

async fn edits_change_only_what_differs(stage: &Stage, before: &str) -> String {
    // A label alone does nothing; the edit after it would show what it had done.
    stage
        .patch(json!({"metadata": {"labels": {"unrelated": "x"}}}))
        .await;
    stage.emulator.clear_calls();
    stage
        .annotate(json!({
            format!("{PREFIX}name"): "gateway",
            format!("{PREFIX}additional-resource-tags"): "owner=me",
            format!("{PREFIX}scheduler"): "wrr",
            format!("{PREFIX}spec"): "slb.s2.small",
            format!("{PREFIX}bandwidth"): "10",
        }))
        .await;
    let hash = stage.ready(Some(before)).await;
    assert_eq!(
        stage.mutations(),
        [
            "SetLoadBalancerName",
            "TagResources",
            "SetLoadBalancerTCPListenerAttribute"
        ],
        "a spec without PayBySpec and a bandwidth without paybybandwidth are passed over in silence"
    );
    let balancer = stage.balancer().expect("there");
    assert_eq!(
        (balancer.name.as_str(), balancer.tags["owner"].as_str()),
        ("gateway", "me")
    );
    assert_eq!(balancer.listeners[0].settings["Scheduler"], "wrr");
    // Removing an annotation reverts nothing.
    stage.emulator.clear_calls();
    stage
        .annotate(json!({format!("{PREFIX}name"): null, format!("{PREFIX}scheduler"): null}))
        .await;
    let hash = stage.ready(Some(&hash)).await;
    assert_eq!(stage.mutations(), Vec::<String>::new());
    hash
}

async fn ports_move(stage: &Stage, before: &str) {
    stage.emulator.clear_calls();
    stage
        .patch(json!({"spec": {"ports": [{"name": "http", "port": 8088, "targetPort": 8081}]}}))
        .await;
    stage.ready(Some(before)).await;
    let ports: Vec<u16> = stage
        .balancer()
        .expect("there")
        .listeners
        .iter()
        .map(|listener| listener.port)
        .collect();
    assert_eq!(ports, [8088]);
}

async fn a_deleted_service_leaves_nothing(stage: &Stage) {
    stage.emulator.clear_calls();
    stage
        .services
        .delete("gw", &DeleteParams::default())
        .await
        .expect("deleted");
    until("the Service to go", async || {
        stage.service().await.is_none().then_some(())
    })
    .await;
    assert!(stage.balancer().is_none());
    assert!(stage.emulator.state().world().slb.server_groups.is_empty());
    assert_eq!(
        stage.mutations(),
        ["SetLoadBalancerDeleteProtection", "DeleteLoadBalancer"]
    );
}

#[tokio::test]
async fn what_cannot_be_done_is_a_warning_and_the_hash_stands_still() {
    let stage = Stage::set().await;
    stage
        .create(json!({format!("{PREFIX}bandwidth"): "abc"}))
        .await;
    let note = stage.warning("bandwidth").await;
    assert_eq!(
        note,
        "Error syncing load balancer []: build lb local model error: build lb attribute error: \
         bandwidth must be integer, got [abc], error: strconv.Atoi: parsing \"abc\": invalid syntax"
    );
    assert!(
        stage.emulator.calls().is_empty(),
        "nothing is called for a value that cannot be read"
    );
    stage
        .annotate(json!({format!("{PREFIX}bandwidth"): null}))
        .await;
    let hash_before = stage.ready(None).await;

    stage
        .annotate(json!({format!("{PREFIX}address-type"): "intranet"}))
        .await;
    let id = stage.balancer().expect("there").id;
    let note = stage.warning("AddressType").await;
    assert_eq!(
        note,
        format!(
            "Error syncing load balancer [{id}]: apply model error: update lb attribute error: \
             alicloud: can not change LoadBalancer AddressType once created. delete and retry"
        )
    );
    assert_eq!(
        hash(&stage.service().await.expect("there")),
        Some(hash_before)
    );

    // The cloud's own refusal comes through with its message only.
    stage
        .annotate(json!({format!("{PREFIX}address-type"): null, format!("{PREFIX}name"): "a b"}))
        .await;
    let note = stage.warning("LoadBalancerName").await;
    assert_eq!(
        note,
        format!(
            "Error syncing load balancer [{id}]: Message: The specified parameter LoadBalancerName is not valid."
        )
    );

    // Lost behind its back: never made again, and a delete goes through.
    stage.emulator.state().world().slb.load_balancers.clear();
    stage.annotate(json!({format!("{PREFIX}name"): "b"})).await;
    stage.warning("but it's defined in service").await;
    stage
        .services
        .delete("gw", &DeleteParams::default())
        .await
        .expect("deleted");
    until("the Service to go", async || {
        stage.service().await.is_none().then_some(())
    })
    .await;
    stage.strike().await;
}

#[tokio::test]
async fn services_of_others_are_left_alone_and_a_changed_type_frees_the_load_balancer() {
    let stage = Stage::set().await;
    let foreign = json!({
        "metadata": {"name": "foreign", "annotations": {"service.beta.kubernetes.io/class": "mine"}},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    });
    let foreign = serde_json::from_value(foreign).expect("a Service");
    stage
        .services
        .create(&PostParams::default(), &foreign)
        .await
        .expect("created");
    let legacy = "service.beta.kubernetes.io/alicloud-loadbalancer-address-type";
    let current = format!("{PREFIX}address-type");
    // The current key form masks the legacy one even when it is empty.
    stage.create(json!({legacy: "intranet", current: ""})).await;
    stage.ready(None).await;
    assert_eq!(stage.balancer().expect("there").address_type, "internet");
    stage.patch(json!({"spec": {"type": "ClusterIP"}})).await;
    until("the finalizer to go", async || {
        stage
            .service()
            .await
            .filter(|service| service.finalizers().is_empty())
    })
    .await;
    let service = stage.service().await.expect("still there");
    assert!(hash(&service).is_none());
    assert!(stage.balancer().is_none());
    let foreign = stage.services.get("foreign").await.expect("there");
    assert!(foreign.finalizers().is_empty() && foreign.labels().is_empty());
    stage.strike().await;
}
