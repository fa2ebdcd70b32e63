//! The stand-in for the ALB Ingress controller against a real API server: hand-written Ingresses become
//! rules and carry traffic, one bad Ingress stops its AlbConfig.

#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

mod common;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use alicloud_emulator::Running;
use alicloud_emulator::alb::{Effect, Rule};
use alicloud_emulator::alb_ingress::DEFINITION;
use alicloud_emulator::calls::Call;
use alicloud_emulator::ccm::Options;
use common::builder;
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
async fn backend(name: &'static str) -> SocketAddr {
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

struct Stage {
    control_plane: ControlPlane,
    emulator: Running,
    http: reqwest::Client,
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
            alb_second: Duration::from_millis(20),
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

    async fn strike(self) {
        self.emulator.stop().await;
        self.control_plane
            .stop()
            .await
            .expect("the control plane stops");
    }

    async fn apply(&self, yaml: &str) {
        let applied = control_plane::apply_yaml(self.control_plane.client(), yaml).await;
        applied.unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    }

    /// An AlbConfig in two zones and the class that leads to it.
    async fn class(&self) {
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
    async fn service(&self, name: &str, place: SocketAddr) {
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

    async fn ingress(&self, name: &str, annotations: &[(&str, &str)], paths: Value) {
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

    fn ingresses(&self) -> Api<Ingress> {
        Api::namespaced(self.control_plane.client(), "default")
    }

    async fn delete(&self, name: &str) {
        let deleted = self
            .ingresses()
            .delete(name, &DeleteParams::default())
            .await;
        deleted.expect("deleted");
    }

    fn albconfigs(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("alibabacloud.com", "v1", "AlbConfig");
        Api::all_with(self.control_plane.client(), &ApiResource::from_gvk(&kind))
    }

    /// Waits for something to come true.
    async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut(&Self) -> Option<T>) -> T {
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
    async fn circumstances(&self) -> String {
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
    async fn applied(&self, name: &str) -> String {
        self.until(&format!("{name} is applied"), async |stage| {
            let ingress = stage.ingresses().get(name).await.ok()?;
            ingress.labels().get("alb.ingress.kubernetes.io/hash")?;
            let status = ingress.status?.load_balancer?;
            status.ingress?.first()?.hostname.clone()
        })
        .await
    }

    /// A pass over an AlbConfig without listeners labels its Ingresses too, and makes no rule.
    async fn has_rules(&self, count: usize) {
        let enough = async |stage: &Self| (stage.rules().len() == count).then_some(());
        self.until(&format!("{count} rules"), enough).await;
    }

    /// The text of an answer from the load balancer.
    async fn get(&self, alb: &str, host: &str, headers: &[(&str, &str)]) -> (u16, String) {
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

    fn rules(&self) -> Vec<Rule> {
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

    fn writes(&self) -> Vec<Call> {
        let mut calls = self.emulator.calls();
        calls.retain(|call| call.mutating);
        calls
    }

    /// How often rules were created, changed, written as they were, and deleted.
    fn effects(&self) -> [usize; 4] {
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

    async fn warnings(&self, name: &str) -> Vec<String> {
        let events: Api<Event> = Api::all(self.control_plane.client());
        let events = events.list(&ListParams::default()).await.expect("events");
        let of_object = events.items.into_iter().filter(|event| {
            event.involved_object.name.as_deref() == Some(name)
                && event.type_.as_deref() == Some("Warning")
        });
        of_object
            .map(|event| event.reason.unwrap_or_default())
            .collect()
    }
}

fn forward(services: &[(&str, u32)]) -> String {
    let groups: Vec<Value> = services
        .iter()
        .map(|(name, weight)| json!({"serviceName": name, "servicePort": 80, "weight": weight}))
        .collect();
    json!([{"type": "ForwardGroup", "forwardConfig": {"serverGroups": groups}}]).to_string()
}

fn path(backend: &str) -> Value {
    let service = json!({"name": backend, "port": {"name": "use-annotation"}});
    json!({"path": "/", "pathType": "Prefix", "backend": {"service": service}})
}

fn plain(service: &str) -> Value {
    let service = json!({"name": service, "port": {"number": 80}});
    json!([{"path": "/", "pathType": "Prefix", "backend": {"service": service}}])
}

#[tokio::test]
async fn ingresses_become_rules_and_carry_traffic() {
    let stage = Stage::set().await;
    stage.service("one", backend("one").await).await;
    stage.service("two", backend("two").await).await;
    stage.class().await;
    let insert = "[{\"type\":\"InsertHeader\",\"InsertHeaderConfig\":{\"key\":\"Knative-Serving-Revision\",\"value\":\"two\",\"valueType\":\"UserDefined\"}},";
    let to_two = forward(&[("two", 100)]).replacen('[', insert, 1);
    let header = r#"[{"type":"Header","headerConfig":{"key":"demo","values":["test"]}}]"#;
    let cookies = r#"[{"type":"Cookie","cookieConfig":{"values":[{"key":"demo","value":"always"}]}},
        {"type":"Cookie","cookieConfig":{"values":[{"key":"cookie2","value":"v2"}]}}]"#;
    let annotations = [
        ("actions.h", to_two.as_str()),
        ("conditions.h", header),
        ("actions.c", &forward(&[("two", 100)])),
        ("conditions.c", cookies),
        ("actions.d", &forward(&[("one", 90), ("two", 10)])),
    ];
    stage
        .ingress(
            "gray",
            &annotations,
            json!([path("h"), path("c"), path("d")]),
        )
        .await;
    let alb = stage.applied("gray").await;
    stage.has_rules(3).await;

    let host = "gray.example.com";
    let by_header = [("demo", "test"), ("knative-serving-revision", "forged")];
    assert_eq!(
        stage.get(&alb, host, &by_header).await,
        (200, "two two".to_owned())
    );
    let both = [("cookie", "demo=always; cookie2=v2")];
    assert_eq!(stage.get(&alb, host, &both).await.1, "two -");
    let mut counts = BTreeMap::new();
    for _ in 0..200 {
        let one_cookie = [("cookie", "demo=always")];
        let (_, body) = stage.get(&alb, host, &one_cookie).await;
        *counts.entry(body).or_insert(0) += 1;
    }
    let expected = BTreeMap::from([("one -".to_owned(), 180), ("two -".to_owned(), 20)]);
    assert_eq!(counts, expected);
    // The empty default of the listener, and a port without a listener.
    assert_eq!(stage.get(&alb, "other.example.com", &[]).await.0, 503);
    assert_eq!(stage.get(&format!("{alb}:81"), host, &[]).await.0, 502);

    servers_follow_endpoints(&stage, &alb).await;
    deletion_takes_everything(&stage).await;
    stage.strike().await;
}

/// Without a pass over the rules.
async fn servers_follow_endpoints(stage: &Stage, alb: &str) {
    stage.emulator.clear_calls();
    stage.service("one", backend("uno").await).await;
    stage
        .until("the new server answers", async |stage| {
            let (_, body) = stage.get(alb, "gray.example.com", &[]).await;
            (body == "uno -").then_some(())
        })
        .await;
    let written: Vec<String> = stage.writes().into_iter().map(|call| call.action).collect();
    assert_eq!(written, ["ReplaceServersInServerGroup"]);
}

async fn deletion_takes_everything(stage: &Stage) {
    stage.delete("gray").await;
    stage
        .until("no rules", async |stage| {
            stage.rules().is_empty().then_some(())
        })
        .await;
    let albconfigs = stage.albconfigs();
    let parameters = DeleteParams::default();
    albconfigs
        .delete("knative-internet", &parameters)
        .await
        .expect("deleted");
    stage
        .until("no AlbConfig", async |stage| {
            let gone = stage.albconfigs().get_opt("knative-internet").await.ok()?;
            gone.is_none().then_some(())
        })
        .await;
    let world = stage.emulator.state().world();
    assert!(world.alb.load_balancers.is_empty());
    assert!(world.alb.server_groups.is_empty());
}

#[tokio::test]
async fn order_keeps_neighbours_still_and_one_bad_ingress_stops_all() {
    let stage = Stage::set().await;
    stage.service("one", backend("one").await).await;
    stage.class().await;
    for (place, name) in ["b", "c", "d"].into_iter().enumerate() {
        let order = (place * 10 + 100).to_string();
        stage
            .ingress(name, &[("order", &order)], plain("one"))
            .await;
    }
    for name in ["b", "c", "d"] {
        stage.applied(name).await;
    }
    stage.has_rules(3).await;
    listeners_are_the_controllers_own(&stage).await;

    // One that sorts last moves nobody; one that sorts first moves all.
    stage.emulator.clear_calls();
    stage.ingress("e", &[("order", "900")], plain("one")).await;
    stage.applied("e").await;
    assert_eq!(stage.effects(), [1, 0, 0, 0]);
    stage.emulator.clear_calls();
    stage.ingress("a", &[], plain("one")).await;
    let alb = stage.applied("a").await;
    assert_eq!(stage.effects(), [1, 4, 0, 0]);
    let first = &stage.rules()[0];
    assert_eq!(first.hosts(), ["a.example.com"]);

    one_bad_ingress_stops_all(&stage, &alb).await;
    header_rules_are_written_at_every_pass(&stage).await;
    stage.strike().await;
}

async fn listeners_are_the_controllers_own(stage: &Stage) {
    let albconfig = stage
        .albconfigs()
        .get("knative-internet")
        .await
        .expect("there");
    let listeners = &albconfig.data["spec"]["listeners"];
    assert_eq!(listeners[0]["port"], 80);
    assert_eq!(listeners[0]["protocol"], "HTTP");
    assert_eq!(listeners.as_array().map(Vec::len), Some(1));
    // A round trip through its structures fills in what is empty.
    assert_eq!(albconfig.data["spec"]["config"]["edition"], "");
    assert_eq!(albconfig.finalizers(), ["ingress.k8s.alibaba/resources"]);
}

async fn one_bad_ingress_stops_all(stage: &Stage, alb: &str) {
    stage.emulator.clear_calls();
    stage
        .ingress(
            "bad",
            &[("actions.x", "{}"), ("order", "950")],
            json!([path("x")]),
        )
        .await;
    stage
        .until("the bad one is reported", async |stage| {
            let warnings = stage.warnings("bad").await;
            warnings
                .contains(&"FailedBuildModel".to_owned())
                .then_some(())
        })
        .await;
    stage
        .ingress("good", &[("order", "951")], plain("one"))
        .await;
    // It is seen, and its turn came.
    stage
        .until("the good one was looked at", async |stage| {
            let events: Api<Event> = Api::namespaced(stage.control_plane.client(), "default");
            let events = events.list(&ListParams::default()).await.ok()?;
            let seen = events.items.iter().any(|event| {
                event.involved_object.name.as_deref() == Some("good")
                    && event.reason.as_deref() == Some("Sync")
            });
            seen.then_some(())
        })
        .await;
    assert_eq!(stage.get(alb, "good.example.com", &[]).await.0, 503);
    assert!(stage.warnings("good").await.is_empty(), "it just hangs");
    assert!(stage.writes().is_empty(), "nothing at all is written");
    assert_eq!(
        stage.get(alb, "b.example.com", &[]).await.0,
        200,
        "the rest stays"
    );

    stage.delete("bad").await;
    stage.applied("good").await;
    assert_eq!(stage.get(alb, "good.example.com", &[]).await.0, 200);
}

async fn header_rules_are_written_at_every_pass(stage: &Stage) {
    let header = r#"[{"type":"Header","headerConfig":{"key":"demo","values":["test"]}}]"#;
    let annotations = [
        ("actions.h", forward(&[("one", 100)])),
        ("conditions.h", header.to_owned()),
        ("order", "960".to_owned()),
    ];
    let annotations: Vec<(&str, &str)> = annotations
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    stage
        .ingress("header", &annotations, json!([path("h")]))
        .await;
    stage.applied("header").await;
    stage.emulator.clear_calls();
    stage.ingress("z", &[("order", "970")], plain("one")).await;
    stage.applied("z").await;
    assert_eq!(
        stage.effects(),
        [1, 0, 1, 0],
        "the header rule as it was, and the new one"
    );
}
