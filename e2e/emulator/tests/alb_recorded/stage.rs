//! A control plane, the emulator, and between the two whoever plays the ALB Ingress controller.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use alicloud_emulator::Running;
use alicloud_emulator::alb_ingress::{self, DEFINITION};
use alicloud_emulator::ccm::CloudConfig;
use control_plane::ControlPlane;
use k8s_openapi::api::core::v1::{Endpoints, Event, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::common::{KEY, REGION, SECRET, builder};
use super::names::Names;
use super::real::Controller;
use super::relay::Relay;
use super::script::{self, Place, Step};
use super::seen::{self, Failing, Seen};

const POLL: Duration = Duration::from_millis(20);
/// How often in a row the same has to be seen.
const STEADY: usize = 4;
/// So long that a step is over before what failed is tried again, as with the real controller.
const RETRY: Duration = Duration::from_secs(2);
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Who plays the controller.
enum Actor {
    Real { _controller: Controller },
    StandIn(CancellationToken),
}

pub(super) struct Stage {
    control_plane: ControlPlane,
    emulator: Running,
    relay: Relay,
    actor: Actor,
    vswitches: Vec<String>,
    certificate: (String, String),
    /// All Secrets of the script.
    secrets: Vec<(String, String)>,
}

/// How everything stands at some time.
#[derive(Clone, PartialEq)]
pub(super) struct Standing {
    calls: usize,
    cloud: BTreeSet<String>,
    cluster: BTreeSet<String>,
    /// Events and their versions.
    events: BTreeMap<String, String>,
}

impl Stage {
    /// With the real controller if its program is given, else with the stand-in.
    pub(super) async fn set(real: Option<PathBuf>) -> Self {
        let control_plane = ControlPlane::builder().controller_manager(false);
        let control_plane = control_plane.start().await.expect("a control plane");
        let emulator = builder().alb_settling(Duration::ZERO);
        let emulator = emulator.start().await.expect("the emulator starts");
        let relay = Relay::start(emulator.url()).await;
        let (vpc, vswitches) = {
            let world = emulator.state().world();
            let vpc = world.vpc.vpcs.keys().next().cloned().expect("a VPC");
            (vpc, world.vpc.vswitches.keys().cloned().collect::<Vec<_>>())
        };
        let client = control_plane.client();
        let applied = control_plane::apply_yaml(client.clone(), DEFINITION).await;
        applied.expect("the definition of AlbConfig");
        let actor = match real {
            Some(program) => Actor::Real {
                _controller: Controller::start(
                    &program,
                    control_plane.folder(),
                    control_plane.kubeconfig().path(),
                    relay.address,
                    (&vpc, &vswitches[0]),
                ),
            },
            None => {
                let options = alb_ingress::Options {
                    client,
                    cluster_id: "c1".to_owned(),
                    second: Duration::from_millis(20),
                    retry: RETRY,
                };
                let config = CloudConfig {
                    url: format!("http://{}", relay.address),
                    region: REGION.to_owned(),
                    access_key_id: KEY.to_owned(),
                    access_key_secret: SECRET.to_owned(),
                    vpc_id: vpc,
                    vswitch_ids: vswitches.clone(),
                };
                let http = reqwest::Client::builder().no_proxy().build();
                let stopping = CancellationToken::new();
                let played =
                    alb_ingress::run(options, config, http.expect("a client"), stopping.clone());
                tokio::spawn(played);
                Actor::StandIn(stopping)
            }
        };
        let made = rcgen::generate_simple_self_signed(["secure.example.com".to_owned()]);
        let made = made.expect("a certificate");
        Self {
            control_plane,
            emulator,
            relay,
            actor,
            vswitches,
            certificate: (made.cert.pem(), made.signing_key.serialize_pem()),
            secrets: script::secrets(),
        }
    }

    pub(super) async fn strike(self) {
        match self.actor {
            Actor::Real { .. } => {}
            Actor::StandIn(stopping) => stopping.cancel(),
        }
        self.emulator.stop().await;
        self.control_plane
            .stop()
            .await
            .expect("the control plane stops");
    }

    /// A namespace for a scenario.
    pub(super) async fn open(&self, scenario: &str) {
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scenario},
        }))
        .await;
        // Without it pods are refused, and there is nobody who makes it.
        self.apply(&json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": scenario},
        }))
        .await;
    }

    async fn apply(&self, object: &Value) {
        let text = object.to_string();
        let applied = control_plane::apply_yaml(self.control_plane.client(), &text).await;
        applied.unwrap_or_else(|error| panic!("{error}\n{object}"));
    }

    /// Does what a step says.
    pub(super) async fn play(&self, scenario: &str, step: &Step) {
        let place = Place {
            scenario,
            vswitches: &self.vswitches,
            certificate: &self.certificate,
        };
        for object in step.objects(&place) {
            self.apply(&object).await;
        }
        for name in &step.delete {
            let (kind, name) = name.split_once('/').expect("a kind and a name");
            self.delete(scenario, kind, name).await;
        }
    }

    async fn delete(&self, scenario: &str, kind: &str, name: &str) {
        let parameters = DeleteParams::default().grace_period(0);
        let client = self.control_plane.client();
        let outcome = match kind {
            "ingress" => self
                .of::<Ingress>(scenario)
                .delete(name, &parameters)
                .await
                .map(drop),
            "service" => self
                .of::<Service>(scenario)
                .delete(name, &parameters)
                .await
                .map(drop),
            "endpoints" => self
                .of::<Endpoints>(scenario)
                .delete(name, &parameters)
                .await
                .map(drop),
            "secret" => self
                .of::<Secret>(scenario)
                .delete(name, &parameters)
                .await
                .map(drop),
            "albconfig" => self
                .albconfigs()
                .delete(scenario, &parameters)
                .await
                .map(drop),
            "class" => {
                let classes: Api<IngressClass> = Api::all(client);
                classes.delete(scenario, &parameters).await.map(drop)
            }
            _ => panic!("{kind} is nothing that is deleted"),
        };
        outcome.unwrap_or_else(|error| panic!("{kind}/{name}: {error}"));
    }

    fn of<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.control_plane.client(), namespace)
    }

    fn albconfigs(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("alibabacloud.com", "v1", "AlbConfig");
        Api::all_with(self.control_plane.client(), &ApiResource::from_gvk(&kind))
    }

    /// How everything stands now.
    pub(super) async fn standing(&self, scenario: &str) -> Standing {
        let calls = self.relay.calls();
        let names = Names::of(&calls, &self.secrets);
        // The emulator waits while its world is looked at.
        let cloud = seen::cloud(&self.emulator.state().world().alb, &names);
        Standing {
            calls: calls.len(),
            cloud,
            cluster: self.cluster(scenario, &names).await,
            events: self.events(scenario, &names).await,
        }
    }

    /// What a step brought between two times.
    fn between(&self, before: &Standing, now: &Standing, step: &Step) -> Seen {
        let all = self.relay.calls();
        let names = Names::of(&all, &self.secrets);
        let calls = all.get(before.calls..now.calls).unwrap_or_default();
        let (calls, reads) = seen::calls(calls, &names);
        let events = now.events.iter().filter(|(text, version)| {
            before.events.get(*text) != Some(*version) && !text.contains("object has been modified")
        });
        Seen {
            step: step.step.clone(),
            calls,
            reads,
            cloud: seen::difference(&before.cloud, &now.cloud),
            cluster: seen::difference(&before.cluster, &now.cluster),
            events: events.map(|(text, _)| text.clone()).collect(),
        }
    }

    /// The AlbConfig, and what the controller writes to Ingresses.
    async fn cluster(&self, scenario: &str, names: &Names) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        if let Ok(Some(object)) = self.albconfigs().get_opt(scenario).await {
            let labels = object.labels().clone();
            let spec = object.data["spec"].clone();
            for (member, value) in spec.as_object().into_iter().flatten() {
                lines.insert(format!("AlbConfig spec.{member} {value}"));
            }
            lines.insert(format!(
                "AlbConfig labels {} finalizers {}",
                json!(labels),
                json!(object.finalizers())
            ));
            lines.insert(format!("AlbConfig status {}", object.data["status"]));
        }
        for ingress in self.list::<Ingress>(scenario).await {
            let name = ingress.name_any();
            lines.insert(format!("{name} labels {}", json!(ingress.labels())));
            lines.insert(format!("{name} status {}", json!(ingress.status)));
        }
        lines.iter().map(|line| names.text(line)).collect()
    }

    async fn list<K>(&self, namespace: &str) -> Vec<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        let api: Api<K> = Api::namespaced(self.control_plane.client(), namespace);
        let list = api.list(&ListParams::default()).await;
        list.expect("a list").items
    }

    /// All events of a scenario and their versions.
    async fn events(&self, scenario: &str, names: &Names) -> BTreeMap<String, String> {
        let mut all = self.list::<Event>(scenario).await;
        // Those of an AlbConfig, which has no namespace.
        let others = self.list::<Event>("default").await;
        all.extend(others.into_iter().filter(|event| {
            event.involved_object.name.as_deref() == Some(scenario)
                && event.involved_object.kind.as_deref() == Some("AlbConfig")
        }));
        // The API server tells of what it does to addresses.
        all.retain(|event| {
            let component = event
                .source
                .as_ref()
                .and_then(|source| source.component.as_deref());
            component == Some("ingress")
        });
        let mut events = BTreeMap::new();
        for event in all {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let of = &event.involved_object;
            let line = format!(
                "{}/{} {} {}: {}",
                text(&of.kind),
                text(&of.name),
                text(&event.type_),
                text(&event.reason),
                text(&event.message)
            );
            let version = event.resource_version().unwrap_or_default();
            let known: &mut String = events.entry(names.text(&line)).or_default();
            known.push_str(&version);
            known.push(' ');
        }
        events
    }

    /// Waits until nothing happened for a while; what was seen, and how everything stands then.
    pub(super) async fn quiet(
        &self,
        before: &Standing,
        scenario: &str,
        step: &Step,
        calm: Duration,
    ) -> (Seen, Standing) {
        let mut last = self.standing(scenario).await;
        let mut since = Instant::now();
        while since.elapsed() < calm {
            sleep(Duration::from_millis(200)).await;
            let now = self.standing(scenario).await;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        (self.between(before, &last, step), last)
    }

    /// Waits until what is seen is what was recorded, and stays so; as [`Stage::quiet`].
    pub(super) async fn like(
        &self,
        before: &Standing,
        scenario: &str,
        step: &Step,
        recorded: &Seen,
        failing: &Failing,
    ) -> (Seen, Standing) {
        let deadline = Instant::now() + PATIENCE;
        let mut in_a_row = 0;
        loop {
            let now = self.standing(scenario).await;
            let seen = failing.taken_off(self.between(before, &now, step));
            in_a_row = if seen == *recorded { in_a_row + 1 } else { 0 };
            if in_a_row == STEADY || Instant::now() > deadline {
                return (seen, now);
            }
            sleep(POLL).await;
        }
    }

    /// Takes everything of a scenario away, in an order in which all of it goes.
    pub(super) async fn close(&self, scenario: &str) {
        let parameters = DeleteParams::default().grace_period(0);
        if let Ok(Some(_)) = self.albconfigs().get_opt(scenario).await {
            drop(self.albconfigs().delete(scenario, &parameters).await);
        }
        let deadline = Instant::now() + PATIENCE;
        while let Ok(Some(_)) = self.albconfigs().get_opt(scenario).await {
            assert!(Instant::now() < deadline, "the AlbConfig {scenario} stays");
            sleep(POLL).await;
        }
        let all = ListParams::default();
        for outcome in [
            self.of::<Ingress>(scenario)
                .delete_collection(&parameters, &all)
                .await
                .map(drop),
            self.of::<Endpoints>(scenario)
                .delete_collection(&parameters, &all)
                .await
                .map(drop),
            self.of::<Service>(scenario)
                .delete_collection(&parameters, &all)
                .await
                .map(drop),
            self.of::<Pod>(scenario)
                .delete_collection(&parameters, &all)
                .await
                .map(drop),
            self.of::<Secret>(scenario)
                .delete_collection(&parameters, &all)
                .await
                .map(drop),
        ] {
            outcome.expect("deleted");
        }
        let classes: Api<IngressClass> = Api::all(self.control_plane.client());
        drop(classes.delete(scenario, &parameters).await);
        let world = self.emulator.state().world();
        assert!(
            world.alb.load_balancers.is_empty(),
            "{scenario} leaves a load balancer"
        );
        assert!(
            world.alb.server_groups.is_empty(),
            "{scenario} leaves a server group"
        );
    }

    /// Where the control plane keeps its files.
    pub(super) fn folder(&self) -> String {
        self.control_plane.folder().display().to_string()
    }
}
