//! A control plane, the emulator that plays the controllers of its cluster, and backends.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::common::builder;
use alicloud_emulator::Running;
use alicloud_emulator::alb::{Effect, Rule};
use alicloud_emulator::alb_ingress::DEFINITION;
use alicloud_emulator::calls::Call;
use alicloud_emulator::ccm::Options;
use control_plane::ControlPlane;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(60);
const CLASS: &str = "knative-alb-ingress-internet";

/// A backend that answers with its name and the headers it was sent.
pub(super) async fn backend(name: &'static str) -> SocketAddr {
    let address = Ipv4Addr::new(198, 51, 100, 230);
    let address = control_plane::loopback::ensure_address(address).await;
    let address = address.expect("an address for backends");
    let listener = TcpListener::bind((address, 0)).await.expect("a free port");
    let place = listener.local_addr().expect("its address");
    let answer = move |headers: axum::http::HeaderMap| async move {
        let revision = headers.get("knative-serving-revision");
        let revision = revision.and_then(|value| value.to_str().ok());
        format!("{name} {}", revision.unwrap_or("-"))
    };
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    place
}

pub(super) struct Stage {
    pub(super) control_plane: ControlPlane,
    pub(super) emulator: Running,
    http: reqwest::Client,
}

impl Stage {
    pub(super) async fn set() -> Self {
        let control_plane = ControlPlane::builder()
            .controller_manager(false)
            .start()
            .await
            .expect("a control plane");
        let client = control_plane.client();
        let options = Options {
            cluster_id: "c1".to_owned(),
            alb_second: Some(Duration::from_millis(20)),
            ..Options::new(client.clone())
        };
        let emulator = builder()
            .alb_settling(Duration::from_millis(2))
            .ccm(options)
            .start()
            .await
            .expect("the emulator starts");
        let http = reqwest::Client::builder().no_proxy().build();
        let stage = Self {
            control_plane,
            emulator,
            http: http.expect("a client"),
        };
        // The controller begins when there is something for it.
        stage.apply(DEFINITION).await;
        stage
    }

    pub(super) async fn strike(self) {
        self.emulator.stop().await;
        self.control_plane
            .stop()
            .await
            .expect("the control plane stops");
    }

    pub(super) async fn apply(&self, yaml: &str) {
        let applied = control_plane::apply_yaml(self.control_plane.client(), yaml).await;
        applied.unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    }

    /// An AlbConfig in two zones and the class that leads to it.
    pub(super) async fn class(&self) {
        let zones: Vec<String> = {
            let world = self.emulator.state().world();
            world.vpc.vswitches.keys().take(2).cloned().collect()
        };
        self.apply(&format!(
            "apiVersion: alibabacloud.com/v1\nkind: AlbConfig\nmetadata: {{name: knative-internet}}\n\
             spec: {{config: {{name: knative-internet, addressType: Internet, zoneMappings: [{{vSwitchId: {}}}, {{vSwitchId: {}}}]}}}}\n\
             ---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: {CLASS}}}\n\
             spec: {{controller: ingress.k8s.alibabacloud/alb, parameters: {{apiGroup: alibabacloud.com, kind: AlbConfig, name: knative-internet}}}}\n",
            zones[0], zones[1]
        ))
        .await;
    }

    /// A Service and its Endpoints.
    pub(super) async fn service(&self, name: &str, place: SocketAddr) {
        self.apply(&format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\n\
             spec: {{ports: [{{name: http, port: 80, targetPort: {port}}}]}}\n\
             ---\napiVersion: v1\nkind: Endpoints\nmetadata: {{name: {name}, namespace: default}}\n\
             subsets: [{{addresses: [{{ip: {ip}}}], ports: [{{name: http, port: {port}}}]}}]\n",
            port = place.port(),
            ip = place.ip(),
        ))
        .await;
    }

    pub(super) async fn ingress(&self, name: &str, annotations: &[(&str, &str)], paths: Value) {
        let annotations: BTreeMap<String, &str> = annotations
            .iter()
            .map(|(key, value)| (format!("alb.ingress.kubernetes.io/{key}"), *value))
            .collect();
        let ingress = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": name, "namespace": "default", "annotations": annotations},
            "spec": {"ingressClassName": CLASS, "rules": [{
                "host": format!("{name}.example.com"),
                "http": {"paths": paths},
            }]},
        });
        self.apply(&ingress.to_string()).await;
    }

    /// An Ingress with the label of Knative's, and one action.
    pub(super) async fn knative_ingress(&self, name: &str, action: &str) {
        let ingress = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": name, "namespace": "default",
                "labels": {"knative.aliyun.com/ingress": name},
                "annotations": {"alb.ingress.kubernetes.io/actions.x": action}},
            "spec": {"ingressClassName": CLASS, "rules": [{
                "host": format!("{name}.example.com"),
                "http": {"paths": [path("x")]},
            }]},
        });
        self.apply(&ingress.to_string()).await;
    }

    pub(super) fn ingresses(&self) -> Api<Ingress> {
        Api::namespaced(self.control_plane.client(), "default")
    }

    pub(super) async fn delete(&self, name: &str) {
        let deleted = self
            .ingresses()
            .delete(name, &DeleteParams::default())
            .await;
        deleted.expect("deleted");
    }

    pub(super) fn albconfigs(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("alibabacloud.com", "v1", "AlbConfig");
        Api::all_with(self.control_plane.client(), &ApiResource::from_gvk(&kind))
    }

    /// Waits for something to come true.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut(&Self) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self).await {
                return found;
            }
            if Instant::now() >= deadline {
                panic!("{what}: not in time\n{}", self.circumstances().await);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What helps to tell why something did not come.
    pub(super) async fn circumstances(&self) -> String {
        let calls = self.emulator.calls().into_iter().rev().take(30);
        let calls: Vec<String> = calls
            .map(|call| format!("{} {}", call.action, call.outcome))
            .collect();
        let events: Api<Event> = Api::all(self.control_plane.client());
        let events = events.list(&ListParams::default()).await.expect("events");
        let events: Vec<String> = events
            .items
            .into_iter()
            .map(|event| {
                let name = event.involved_object.name.unwrap_or_default();
                let (reason, message) = (event.reason, event.message);
                format!(
                    "{name}: {} {}",
                    reason.unwrap_or_default(),
                    message.unwrap_or_default()
                )
            })
            .collect();
        format!("calls, latest first: {calls:#?}\nevents: {events:#?}")
    }

    /// The address of an Ingress, once its content was applied.
    pub(super) async fn applied(&self, name: &str) -> String {
        self.until(&format!("{name} is applied"), async |stage| {
            let ingress = stage.ingresses().get(name).await.ok()?;
            ingress.labels().get("alb.ingress.kubernetes.io/hash")?;
            let status = ingress.status?.load_balancer?;
            status.ingress?.first()?.hostname.clone()
        })
        .await
    }

    /// A pass over an AlbConfig without listeners labels its Ingresses too, and makes no rule.
    pub(super) async fn has_rules(&self, count: usize) {
        let enough = async |stage: &Self| (stage.rules().len() == count).then_some(());
        self.until(&format!("{count} rules"), enough).await;
    }

    /// The text of an answer from the load balancer.
    pub(super) async fn get(
        &self,
        alb: &str,
        host: &str,
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let mut request = self
            .http
            .get(format!("{}/", self.emulator.url()))
            .header("x-emulated-alb", alb)
            .header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("an answer");
        (
            answer.status().as_u16(),
            answer.text().await.expect("a text"),
        )
    }

    pub(super) fn rules(&self) -> Vec<Rule> {
        let world = self.emulator.state().world();
        let mut rules: Vec<Rule> = world
            .alb
            .rules
            .values()
            .map(|rule| rule.value.clone())
            .collect();
        rules.sort_by_key(|rule| rule.priority);
        rules
    }

    pub(super) fn writes(&self) -> Vec<Call> {
        let mut calls = self.emulator.calls();
        calls.retain(|call| call.mutating);
        calls
    }

    /// How often rules were created, changed, written as they were, and deleted.
    pub(super) fn effects(&self) -> [usize; 4] {
        let writes = self.writes();
        let all = || writes.iter().flat_map(|call| &call.rules);
        let kinds = [
            Effect::Created,
            Effect::Changed,
            Effect::Identical,
            Effect::Deleted,
        ];
        kinds.map(|kind| all().filter(|write| write.effect == kind).count())
    }

    /// The reasons of the events on an object of a type.
    pub(super) async fn events(&self, name: &str, kind: &str) -> Vec<String> {
        let events: Api<Event> = Api::all(self.control_plane.client());
        let events = events.list(&ListParams::default()).await.expect("events");
        let of_object = events.items.into_iter().filter(|event| {
            event.involved_object.name.as_deref() == Some(name)
                && event.type_.as_deref() == Some(kind)
        });
        of_object
            .map(|event| event.reason.unwrap_or_default())
            .collect()
    }

    pub(super) async fn warnings(&self, name: &str) -> Vec<String> {
        self.events(name, "Warning").await
    }

    /// Waits for an event on an object.
    pub(super) async fn has_event(&self, name: &str, kind: &str, reason: &str) {
        let seen = async |stage: &Self| {
            let reasons = stage.events(name, kind).await;
            reasons.iter().any(|other| other == reason).then_some(())
        };
        self.until(&format!("{reason} on {name}"), seen).await;
    }
}

pub(super) fn forward(services: &[(&str, u32)]) -> String {
    let groups: Vec<Value> = services
        .iter()
        .map(|(name, weight)| json!({"serviceName": name, "servicePort": 80, "weight": weight}))
        .collect();
    json!([{"type": "ForwardGroup", "forwardConfig": {"serverGroups": groups}}]).to_string()
}

pub(super) fn path(backend: &str) -> Value {
    let service = json!({"name": backend, "port": {"name": "use-annotation"}});
    json!({"path": "/", "pathType": "Prefix", "backend": {"service": service}})
}

pub(super) fn plain(service: &str) -> Value {
    let service = json!({"name": service, "port": {"number": 80}});
    json!([{"path": "/", "pathType": "Prefix", "backend": {"service": service}}])
}
