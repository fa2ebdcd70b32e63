//! The World of the conformance cases: backends that say what they were asked, and Knative Ingresses
//! in front of them.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use e2e::{
    knative::types::KIngress,
    world::{Target, World, WorldOptions},
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::networking::v1::Ingress;
use kube::{
    Api,
    api::{DynamicObject, ListParams},
};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

use super::{
    alb_stage::{CLASS, alb_configs, says, target, vswitches, with_vswitches},
    mass_changes::LONG,
    namespace,
};

const NAMESPACE: &str = "conformance";
const OURS: &str = "alb.ingress.networking.knative.dev";
/// What the suite lets a slow backend take.
const SLOW: Duration = Duration::from_secs(10);

/// A world with the layer and the stand-in of the ALB Ingress controller.
pub(super) async fn serving() -> World {
    let world = World::start(WorldOptions {
        knative: false,
        ..WorldOptions::default()
    });
    let world = world.await.unwrap();
    alb_configs(&world).await;
    let class = with_vswitches(CLASS, &vswitches(&world).await);
    world.apply(&class).await.unwrap();
    for name in [NAMESPACE, "certificates"] {
        namespace(&world, name).await;
    }
    world
}

/// Where cases play.
pub(super) struct Stage<'a> {
    world: &'a World,
    address: Ipv4Addr,
    http: reqwest::Client,
}

/// What a request came to.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) status: u16,
    pub(super) location: String,
    body: Value,
}

impl Given {
    /// The Service that answered with 200.
    pub(super) fn served_by(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.body["service"].as_str().unwrap().to_owned()
    }

    /// The values of a header as the Service saw them.
    pub(super) fn header(&self, name: &str) -> Vec<String> {
        assert_eq!(self.status, 200, "{self:?}");
        header(&self.body, name)
    }
}

/// The values of a header in what a backend gave back.
pub(super) fn header(body: &Value, name: &str) -> Vec<String> {
    let values = body["headers"][name]
        .as_array()
        .cloned()
        .unwrap_or_default();
    values
        .iter()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect()
}

/// What a backend gives back of a request.
pub(super) fn gives_back(service: &str, headers: &[(&str, &str)]) -> Value {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        all.entry(name).or_default().push(value);
    }
    json!({"service": service, "headers": all})
}

/// A rule of a Knative Ingress.
pub(super) fn rule(hosts: &[&str], visibility: &str, paths: Value) -> Value {
    json!({"hosts": hosts, "visibility": visibility, "http": {"paths": paths}})
}

impl<'a> Stage<'a> {
    pub(super) async fn set(world: &'a World) -> Self {
        let wanted = Ipv4Addr::new(198, 51, 100, 231);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .danger_accept_invalid_certs(true);
        Self {
            world,
            address: control_plane::loopback::ensure_address(wanted)
                .await
                .unwrap(),
            http: http.build().unwrap(),
        }
    }

    /// A Service with a backend of its own, all requests to which a split sends.
    pub(super) async fn to(&self, service: &str) -> Value {
        let port = backend(self.address, service.to_owned()).await;
        let manifest = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {service}, namespace: {NAMESPACE}}}\n\
             spec: {{ports: [{{name: http, port: 80, targetPort: {port}}}]}}\n\
             ---\napiVersion: v1\nkind: Endpoints\nmetadata: {{name: {service}, namespace: {NAMESPACE}}}\n\
             subsets: [{{addresses: [{{ip: {}}}], ports: [{{name: http, port: {port}}}]}}]\n",
            self.address
        );
        self.world.apply(&manifest).await.unwrap();
        json!({"serviceNamespace": NAMESPACE, "serviceName": service, "servicePort": 80, "percent": 100})
    }

    /// A certificate. What is in it does not matter to the stand-in.
    pub(super) async fn certificate(&self, namespace: &str, name: &str) {
        let secret = format!(
            "{{apiVersion: v1, kind: Secret, metadata: {{name: {name}, namespace: {namespace}}}, type: kubernetes.io/tls, \
             stringData: {{tls.crt: crt-of-the-case-{name}-7f3a, tls.key: key-of-the-case-{name}-7f3a}}}}"
        );
        self.world.apply(&secret).await.unwrap();
    }

    /// Applies a Knative Ingress of the layer's class.
    pub(super) async fn apply(&self, name: &str, spec: Value) {
        self.apply_with(name, Some(OURS), spec).await;
    }

    /// Applies a Knative Ingress with a class annotation or without one.
    pub(super) async fn apply_with(&self, name: &str, class: Option<&str>, spec: Value) -> Value {
        let annotations = match class {
            Some(class) => json!({"networking.knative.dev/ingress.class": class}),
            None => json!({}),
        };
        let ingress = json!({
            "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Ingress",
            "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations},
            "spec": spec,
        });
        self.world.apply(&ingress.to_string()).await.unwrap();
        self.object(name).await
    }

    /// The same, and waits until it is Ready as it now is.
    pub(super) async fn ready(&self, name: &str, spec: Value) {
        self.apply(name, spec).await;
        let ready = says("Ready", "True", "");
        let target = target(NAMESPACE, name);
        self.world
            .wait_for(&target, &ready, LONG * 2)
            .await
            .unwrap();
    }

    /// Deletes a Knative Ingress.
    pub(super) async fn delete(&self, name: &str) {
        let target = target(NAMESPACE, name);
        self.world.delete(&target).await.unwrap();
    }

    /// Waits until no Ingress asks for a certificate.
    pub(super) async fn no_ingress_has_tls(&self) {
        let ingresses = Api::<Ingress>::namespaced(self.world.client(), NAMESPACE);
        let look = async || {
            let found = ingresses.list(&ListParams::default()).await;
            let found = found.map_err(|error| error.to_string())?.items;
            let mut specs = found.into_iter().filter_map(|ingress| ingress.spec);
            match specs.find(|spec| spec.tls.is_some()) {
                Some(spec) => Err(format!("{:?}", spec.tls)),
                None => Ok(()),
            }
        };
        let waited = self
            .world
            .wait_until("Ingresses", "without TLS", LONG, look);
        waited.await.unwrap();
    }

    /// A Knative Ingress as it is.
    pub(super) async fn object(&self, name: &str) -> Value {
        let target = Target::of::<KIngress>(Some(NAMESPACE), name);
        let api: Api<DynamicObject> = target.api(self.world.client());
        serde_json::to_value(api.get(name).await.unwrap()).unwrap()
    }

    /// The one address in a list of its status.
    pub(super) async fn address(&self, name: &str, list: &str) -> String {
        let object = self.object(name).await;
        let entries = &object["status"][list]["ingress"];
        assert_eq!(entries.as_array().unwrap().len(), 1, "{entries}");
        entries[0]["domain"].as_str().unwrap().to_owned()
    }

    /// `GET` from the public load balancer of a Knative Ingress.
    pub(super) async fn get(
        &self,
        name: &str,
        host: &str,
        path: &str,
        sent: &[(&str, &str)],
    ) -> Given {
        let alb = self.address(name, "publicLoadBalancer").await;
        self.get_at(&alb, host, path, sent).await
    }

    /// The same over TLS.
    pub(super) async fn get_secure(&self, name: &str, host: &str) -> Given {
        let alb = self.address(name, "publicLoadBalancer").await;
        let url = self.world.cloud.url().replacen("http:", "https:", 1);
        self.ask(&format!("{url}/"), &alb, host, &[]).await
    }

    /// `GET` from a load balancer.
    pub(super) async fn get_at(
        &self,
        alb: &str,
        host: &str,
        path: &str,
        sent: &[(&str, &str)],
    ) -> Given {
        let url = format!("{}{path}", self.world.cloud.url());
        self.ask(&url, alb, host, sent).await
    }

    /// Opens a WebSocket at the public load balancer of a Knative Ingress; the Service that answers to
    /// what is said there, several times.
    pub(super) async fn talk(&self, name: &str, host: &str) -> String {
        let alb = self.address(name, "publicLoadBalancer").await;
        let opening = [("connection", "Upgrade"), ("upgrade", "websocket")];
        let answer = self
            .send(self.world.cloud.url(), &alb, host, &opening)
            .await;
        assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(answer.headers()["upgrade"], "websocket");
        let mut socket = BufReader::new(answer.upgrade().await.unwrap());
        let mut heard = String::new();
        for _ in 0..3 {
            socket.write_all(b"ping\n").await.unwrap();
            socket.read_line(&mut heard).await.unwrap();
        }
        let heard: Vec<&str> = heard.lines().collect();
        assert_eq!(heard, [heard[0]; 3]);
        heard[0].strip_prefix("ping ").unwrap().to_owned()
    }

    async fn send(
        &self,
        url: &str,
        alb: &str,
        host: &str,
        sent: &[(&str, &str)],
    ) -> reqwest::Response {
        let mut request = self
            .http
            .get(url)
            .header("host", host)
            .header("x-emulated-alb", alb);
        for (name, value) in sent {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn ask(&self, url: &str, alb: &str, host: &str, sent: &[(&str, &str)]) -> Given {
        let answer = self.send(url, alb, host, sent).await;
        let location = answer.headers().get("location");
        let location = location
            .and_then(|place| place.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let status = answer.status().as_u16();
        let body = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
        Given {
            status,
            location,
            body,
        }
    }
}

/// Serves a backend; its port.
async fn backend(address: Ipv4Addr, service: String) -> u16 {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let attempts = Arc::new(AtomicUsize::new(0));
    let answer = move |request: Request| answer(service.clone(), attempts.clone(), request);
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

async fn answer(service: String, attempts: Arc<AtomicUsize>, mut request: Request) -> Response {
    if request.headers().contains_key("upgrade") {
        tokio::spawn(echo(hyper::upgrade::on(&mut request), service));
        let agreed = [("connection", "upgrade"), ("upgrade", "websocket")];
        return (StatusCode::SWITCHING_PROTOCOLS, agreed).into_response();
    }
    let pairs = request.headers().iter();
    let pairs = pairs.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let said = gives_back(&service, &pairs.collect::<Vec<_>>()).to_string();
    match request.uri().path() {
        "/second-time" if attempts.fetch_add(1, Ordering::Relaxed) == 0 => {
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        "/ten-seconds-before" => {
            tokio::time::sleep(SLOW).await;
            said.into_response()
        }
        "/ten-seconds-after" => {
            let (begin, end) = (said[..1].to_owned(), said[1..].to_owned());
            let parts = futures::stream::unfold(Some((begin, Some(end))), async |left| {
                let (part, rest) = left?;
                let next = rest.clone().map(|rest| (rest, None));
                if rest.is_none() {
                    tokio::time::sleep(SLOW).await;
                }
                Some((Ok::<_, std::io::Error>(part), next))
            });
            Body::from_stream(parts).into_response()
        }
        _ => said.into_response(),
    }
}

/// Says every line once more, with the name of the Service behind it.
async fn echo(opening: OnUpgrade, service: String) {
    let socket = TokioIo::new(opening.await.unwrap());
    let (hears, mut says) = tokio::io::split(socket);
    let mut lines = BufReader::new(hears).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let said = format!("{line} {service}\n");
        says.write_all(said.as_bytes()).await.unwrap();
    }
}
