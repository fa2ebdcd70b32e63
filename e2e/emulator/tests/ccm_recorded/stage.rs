//! Where the steps are played: a control plane, the emulator, the proxy between, and whoever plays the
//! cloud controller manager.

use std::collections::BTreeMap;
use std::time::Duration;

use alicloud_emulator::Running;
use control_plane::ControlPlane;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Event, Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::common;
use crate::proxy::Proxy;
use crate::record::{Recording, Seen, newer, of_cloud, of_events, of_service, patch};
use crate::steps::{Action, Scenario, Step};

pub const CLUSTER: &str = "c1";
const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
const POLL: Duration = Duration::from_millis(20);
/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// When a step is over.
pub enum Until<'a> {
    /// An event told so, and then nothing happened for a while.
    Quiet,
    /// All that was recorded came, be it more.
    Like(&'a Recording),
}

pub struct Stage {
    pub control_plane: ControlPlane,
    pub emulator: Running,
    pub proxy: Proxy,
    client: Client,
}

impl Stage {
    /// Two nodes; nobody plays yet.
    pub async fn set() -> Self {
        let started = ControlPlane::builder().controller_manager(false).start();
        let control_plane = started.await.expect("a control plane");
        let emulator = common::start().await;
        let proxy = Proxy::before(emulator.url()).await;
        let client = control_plane.client();
        let stage = Self {
            control_plane,
            emulator,
            proxy,
            client,
        };
        for number in [1, 2] {
            stage.add_node(&format!("n{number}")).await;
        }
        stage
    }

    async fn add_node(&self, name: &str) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}},
            "spec": {"providerID": format!("{}.i-{name}", common::REGION)},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": format!("10.0.0.{}", &name[1..])}],
            },
        });
        let node: Node = serde_json::from_value(node).expect("a node");
        let made = nodes.create(&PostParams::default(), &node).await;
        made.expect("created");
        let status = Patch::Merge(json!({"status": node.status}));
        let patched = nodes
            .patch_status(name, &PatchParams::default(), &status)
            .await;
        patched.expect("patched");
    }

    /// The VPC and its first vswitch, as the configuration of the cluster has them.
    pub fn network(&self) -> (String, String, String) {
        let world = self.emulator.state().world();
        let vswitch = world
            .vpc
            .vswitches
            .values()
            .min_by_key(|one| one.zone_id.clone());
        let vswitch = vswitch.expect("a vswitch");
        (
            vswitch.vpc_id.clone(),
            vswitch.zone_id.clone(),
            vswitch.id.clone(),
        )
    }

    fn reset(&self, scenario: &Scenario) {
        let mut world = self.emulator.state().world();
        world.slb = Default::default();
        world.slb.sells_pay_by_spec = scenario.sells_pay_by_spec;
        let settling = SignedDuration::ZERO;
        world.nlb = alicloud_emulator::nlb::State {
            settling,
            ..Default::default()
        };
        for (id, days) in [("cert-a", 365), ("cert-b", 365), ("cert-old", -1)] {
            let now = Timestamp::now();
            let certificate = alicloud_emulator::slb::ServerCertificate {
                id: id.to_owned(),
                name: id.to_owned(),
                common_name: "example.com".to_owned(),
                created: now,
                expires: now + SignedDuration::from_hours(24 * days),
            };
            world
                .slb
                .server_certificates
                .insert(id.to_owned(), certificate);
        }
        drop(world);
        let (vpc, _, _) = self.network();
        let mut names = self.proxy.names();
        names.forget();
        names.call(&vpc, "<vpc>".to_owned());
        let mut zones: Vec<(String, String)> = {
            let world = self.emulator.state().world();
            let vswitches = world.vpc.vswitches.values();
            vswitches
                .map(|one| (one.zone_id.clone(), one.id.clone()))
                .collect()
        };
        zones.sort();
        for (zone, id) in zones {
            names.call(&id, format!("<vswitch in {zone}>"));
        }
    }

    /// Plays a scenario in a namespace of its own.
    pub async fn play(&self, scenario: &Scenario, ccm: &str, until: Until<'_>) -> Recording {
        self.reset(scenario);
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let namespace = json!({"metadata": {"name": scenario.name}});
        let namespace = serde_json::from_value(namespace).expect("a namespace");
        let made = namespaces.create(&PostParams::default(), &namespace).await;
        made.expect("created");
        let mut run = Run {
            stage: self,
            services: Api::namespaced(self.client.clone(), &scenario.name),
            events: Api::namespaced(self.client.clone(), &scenario.name),
            namespace: &scenario.name,
            told: BTreeMap::new(),
            cloud: of_cloud(&self.emulator.state().world(), &self.proxy.names()),
            hashes: Vec::new(),
        };
        self.proxy.take();
        let mut steps = Vec::new();
        for (index, step) in scenario.steps.iter().enumerate() {
            let expected = match &until {
                Until::Quiet => None,
                Until::Like(recording) => Some(recording.steps.get(index).expect("recorded")),
            };
            run.act(step).await;
            steps.push(run.watch(step, expected).await);
        }
        run.clear().await;
        Recording {
            ccm: ccm.to_owned(),
            scenario: scenario.name.clone(),
            steps,
        }
    }
}

/// A scenario under way.
struct Run<'a> {
    stage: &'a Stage,
    services: Api<Service>,
    events: Api<Event>,
    namespace: &'a str,
    told: BTreeMap<String, u32>,
    cloud: Value,
    hashes: Vec<String>,
}

impl Run<'_> {
    async fn act(&self, step: &Step) {
        match &step.action {
            Action::Create { annotations, spec } => self.create(step, annotations, spec).await,
            Action::Annotate(annotations) => {
                let annotations: BTreeMap<String, Option<String>> = annotations
                    .iter()
                    .map(|(key, value)| (long(key), value.as_ref().map(|value| self.real(value))))
                    .collect();
                let patch = json!({"metadata": {"annotations": annotations}});
                self.patch(&step.service, patch).await;
            }
            Action::Patch(patch) => self.patch(&step.service, patch.clone()).await,
            Action::Delete => {
                let params = DeleteParams::default();
                let deleted = self.services.delete(&step.service, &params).await;
                deleted.expect("deleted");
            }
            Action::Node { name, patch } => {
                let nodes: Api<Node> = Api::all(self.stage.client.clone());
                let patch = Patch::Merge(patch);
                let patched = nodes.patch(name, &PatchParams::default(), &patch).await;
                patched.expect("patched");
            }
            Action::Endpoints(endpoints) => self.endpoints(&step.service, endpoints).await,
            Action::Cloud {
                product,
                action,
                params,
            } => self.call(product, action, params).await,
        }
    }

    /// Services that never end are ended, since node ports are few.
    async fn clear(&self) {
        let left = self.services.list(&ListParams::default()).await;
        for service in left.expect("an answer").items {
            let name = service.name_any();
            let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
            let params = PatchParams::default();
            let deleted = self.services.delete(&name, &DeleteParams::default()).await;
            deleted.expect("deleted");
            // It may be gone by now.
            let _ = self.services.patch(&name, &params, &free).await;
        }
    }

    /// `{lb-1}` is the id of what goes by that name.
    fn real(&self, text: &str) -> String {
        let names = self.stage.proxy.names();
        let mut real = text.to_owned();
        while let Some((before, rest)) = real.split_once('{') {
            let (name, after) = rest.split_once('}').expect("a closing brace");
            let id = names
                .id(name)
                .unwrap_or_else(|| panic!("nothing is called {name}"));
            real = format!("{before}{id}{after}");
        }
        real
    }

    async fn create(&self, step: &Step, annotations: &BTreeMap<String, String>, spec: &Value) {
        let mut annotations: BTreeMap<String, String> = annotations
            .iter()
            .map(|(key, value)| (long(key), self.real(value)))
            .collect();
        annotations
            .entry("service.beta.kubernetes.io/backend-type".to_owned())
            .or_insert_with(|| "ecs".to_owned());
        let mut service = json!({
            "metadata": {"name": step.service, "annotations": annotations},
            "spec": {"type": "LoadBalancer", "selector": {"app": "gw"}, "ports": [
                {"name": "http", "port": 80, "targetPort": 8081, "nodePort": 30080},
            ]},
        });
        for (name, value) in spec.as_object().into_iter().flatten() {
            service["spec"][name] = value.clone();
        }
        let service = serde_json::from_value(service).expect("a Service");
        let made = self.services.create(&PostParams::default(), &service).await;
        let uid = made.expect("created").uid().expect("a UID");
        let name: String = format!("a{}", uid.replace('-', ""))
            .chars()
            .take(32)
            .collect();
        let mut names = self.stage.proxy.names();
        names.call(&name, format!("<name of {}>", step.service));
        names.call(&uid, format!("<uid of {}>", step.service));
    }

    async fn patch(&self, service: &str, patch: Value) {
        let patch = Patch::Merge(patch);
        let params = PatchParams::default();
        let patched = self.services.patch(service, &params, &patch).await;
        patched.expect("patched");
    }

    async fn endpoints(&self, service: &str, endpoints: &[(String, String)]) {
        let slices: Api<EndpointSlice> = Api::namespaced(self.stage.client.clone(), self.namespace);
        let endpoints: Vec<Value> = endpoints
            .iter()
            .map(|(address, node)| {
                json!({"addresses": [address], "nodeName": node, "conditions": {"ready": true}})
            })
            .collect();
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8081, "protocol": "TCP"}],
            "endpoints": endpoints,
        });
        let params = PatchParams::apply("test");
        let applied = slices.patch(service, &params, &Patch::Apply(slice)).await;
        applied.expect("applied");
    }

    /// Through the proxy, so that names are learnt; the call itself is nobody's doing.
    async fn call(&self, product: &str, action: &str, params: &BTreeMap<String, String>) {
        let client = common::Client {
            url: self.stage.proxy.url.clone(),
            ..common::Client::of(&self.stage.emulator)
        };
        let version = match product {
            "NLB" => "2022-04-30",
            _ => common::SLB,
        };
        let params: Vec<(String, String)> = params
            .iter()
            .map(|(name, value)| (name.clone(), self.real(value)))
            .collect();
        let mut params: Vec<(&str, &str)> = params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        params.push(("RegionId", common::REGION));
        let reply = client.call(version, action, &params).await;
        assert!(reply.status.is_success(), "{action}: {reply:?}");
        self.stage.proxy.take();
    }

    async fn look(&mut self, step: &Step) -> (Seen, BTreeMap<String, u32>, Value) {
        let service = self
            .services
            .get_opt(&step.service)
            .await
            .expect("an answer");
        let events = self
            .events
            .list(&ListParams::default())
            .await
            .expect("events");
        let calls = self.stage.proxy.peek();
        let mut names = self.stage.proxy.names();
        let service = of_service(service.as_ref(), &mut names, &mut self.hashes);
        let events = of_events(&events.items, &step.service, &names);
        let cloud = of_cloud(&self.stage.emulator.state().world(), &names);
        drop(names);
        let known = format!("{} ", step.service);
        let told: BTreeMap<String, u32> = self
            .told
            .iter()
            .filter_map(|(line, count)| Some((line.strip_prefix(&known)?.to_owned(), *count)))
            .collect();
        let seen = Seen::of(
            &step.say,
            calls,
            service,
            newer(&events, &told),
            patch(&self.cloud, &cloud),
        );
        (seen, events, cloud)
    }

    async fn watch(&mut self, step: &Step, expected: Option<&Seen>) -> Seen {
        let begun = Instant::now();
        let (mut last, mut changed) = (Seen::default(), Instant::now());
        let (seen, events, cloud) = loop {
            let (seen, events, cloud) = self.look(step).await;
            if seen != last {
                (last, changed) = (seen.clone(), Instant::now());
            }
            let over = match expected {
                Some(expected) => seen == *expected,
                None => is_over(step, &seen, changed.max(self.stage.proxy.last_call())),
            };
            if over || begun.elapsed() > patience(expected) {
                break (seen, events, cloud);
            }
            sleep(POLL).await;
        };
        self.stage.proxy.take();
        let lines = events.into_iter();
        self.told
            .extend(lines.map(|(line, count)| (format!("{} {line}", step.service), count)));
        self.cloud = cloud;
        seen
    }
}

fn patience(expected: Option<&Seen>) -> Duration {
    match expected {
        // A difference does not go away.
        Some(_) => PATIENCE / 6,
        None => PATIENCE,
    }
}

/// With the real one there is nothing to compare with: an event ends a pass.
fn is_over(step: &Step, seen: &Seen, changed: Instant) -> bool {
    const ENDS: [&str; 4] = [
        " EnsuredLoadBalancer:",
        " SyncLoadBalancerFailed:",
        " CleanLoadBalancer:",
        " CleanLoadBalancerFailed:",
    ];
    let told = seen
        .events
        .keys()
        .any(|line| ENDS.iter().any(|end| line.contains(end)));
    let is_cloud = matches!(step.action, Action::Cloud { .. });
    let pause = match (told, step.quiet || is_cloud) {
        (true, _) => Duration::from_millis(1500),
        (false, true) => Duration::from_secs(3),
        (false, false) => PATIENCE,
    };
    changed.elapsed() > pause
}

/// `name` is a setting of the load balancer; keys with a `/` are written as they are.
fn long(key: &str) -> String {
    match key.contains('/') {
        true => key.to_owned(),
        false => format!("{PREFIX}{key}"),
    }
}
