//! What is played: scenarios of steps, and the Kubernetes objects that they speak of in short.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/alb/steps.yaml");
const PREFIX: &str = "alb.ingress.kubernetes.io/";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    pub(super) scenario: String,
    pub(super) steps: Vec<Step>,
}

/// Objects that are made or changed together, then such that are deleted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) step: String,
    #[serde(default)]
    apply: Vec<Short>,
    /// As `ingress/name`.
    #[serde(default)]
    pub(super) delete: Vec<String>,
    /// For how many seconds nothing may happen before it counts as over, when it is recorded: where the
    /// real controller gets on only when it tries again.
    #[serde(default)]
    pub(super) calm: Option<u64>,
}

/// An object in short.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Short {
    AlbConfig(AlbConfig),
    /// The class that leads to the AlbConfig.
    Class {},
    Service(Service),
    Ingress(Box<Ingress>),
    /// Plain Ingresses that lead to the Service `one`.
    Plain(Vec<String>),
    /// A TLS Secret with a certificate.
    Secret(String),
}

/// Where a scenario plays: its namespace, class and AlbConfig have its name.
pub(super) struct Place<'a> {
    pub(super) scenario: &'a str,
    /// VSwitches in different zones.
    pub(super) vswitches: &'a [String],
    /// A certificate and its key, PEM.
    pub(super) certificate: &'a (String, String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlbConfig {
    #[serde(default)]
    config: BTreeMap<String, Value>,
    #[serde(default)]
    listeners: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    name: String,
    /// The last numbers of the addresses of its pods.
    #[serde(default)]
    pods: Vec<u8>,
    /// Whether it has Endpoints at all.
    #[serde(default)]
    no_endpoints: bool,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ingress {
    name: String,
    #[serde(default)]
    class: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Keys without a slash get the controller's prefix; what is no text is written as JSON.
    #[serde(default)]
    annotations: BTreeMap<String, Value>,
    #[serde(default)]
    host: Option<String>,
    /// `/` of the Service `one` without any.
    #[serde(default)]
    paths: Vec<Path>,
    #[serde(default)]
    tls: Value,
    /// In place of all else in the spec but the class.
    #[serde(default)]
    spec: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Path {
    /// The name of an action at `/`.
    Action(String),
    Full(FullPath),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FullPath {
    #[serde(default = "root")]
    path: String,
    #[serde(default = "prefix", rename = "type")]
    kind: String,
    service: String,
    #[serde(default = "http")]
    port: Value,
}

fn root() -> String {
    "/".to_owned()
}

fn prefix() -> String {
    "Prefix".to_owned()
}

fn http() -> Value {
    json!({"number": 80})
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let text = std::fs::read_to_string(SCRIPT).expect("the script");
    serde_saphyr::from_str(&text).expect("the script is well-formed")
}

/// All Secrets that are spoken of, by namespace and name.
pub(super) fn secrets() -> Vec<(String, String)> {
    let mut secrets = Vec::new();
    for scenario in scenarios() {
        for short in scenario.steps.into_iter().flat_map(|step| step.apply) {
            if let Short::Secret(name) = short {
                secrets.push((scenario.scenario.clone(), name));
            }
        }
    }
    secrets
}

impl Step {
    /// What is to be applied.
    pub(super) fn objects(&self, place: &Place<'_>) -> Vec<Value> {
        self.apply
            .iter()
            .flat_map(|short| short.objects(place))
            .collect()
    }
}

impl Short {
    fn objects(&self, place: &Place<'_>) -> Vec<Value> {
        match self {
            Self::AlbConfig(albconfig) => vec![albconfig.object(place)],
            Self::Class {} => vec![class(place.scenario)],
            Self::Service(service) => service.objects(place.scenario),
            Self::Ingress(ingress) => vec![ingress.object(place.scenario)],
            Self::Plain(names) => {
                let names = names.iter();
                names
                    .map(|name| plain(name).object(place.scenario))
                    .collect()
            }
            Self::Secret(name) => vec![secret(name, place)],
        }
    }
}

fn class(name: &str) -> Value {
    let parameters = json!({"apiGroup": "alibabacloud.com", "kind": "AlbConfig", "name": name});
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": {"name": name},
        "spec": {"controller": "ingress.k8s.alibabacloud/alb", "parameters": parameters},
    })
}

fn plain(name: &str) -> Ingress {
    Ingress {
        name: name.to_owned(),
        class: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        host: None,
        paths: Vec::new(),
        tls: Value::Null,
        spec: None,
    }
}

impl AlbConfig {
    fn object(&self, place: &Place<'_>) -> Value {
        let name = place.scenario;
        let zones: Vec<Value> = place
            .vswitches
            .iter()
            .take(2)
            .map(|id| json!({"vSwitchId": id}))
            .collect();
        let mut config = json!({
            "name": name, "addressType": "Internet", "zoneMappings": zones,
        });
        for (name, value) in &self.config {
            config[name] = value.clone();
        }
        let mut spec = json!({"config": config});
        if !self.listeners.is_empty() {
            spec["listeners"] = json!(self.listeners);
        }
        json!({
            "apiVersion": "alibabacloud.com/v1", "kind": "AlbConfig",
            "metadata": {"name": name}, "spec": spec,
        })
    }
}

impl Service {
    fn objects(&self, namespace: &str) -> Vec<Value> {
        let name = &self.name;
        let mut objects = vec![json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": namespace, "annotations": self.annotations},
            "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        })];
        let mut addresses = Vec::new();
        for number in &self.pods {
            let (pod, ip) = (format!("{name}-{number}"), format!("10.0.0.{number}"));
            objects.push(json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": pod, "namespace": namespace},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            }));
            addresses.push(json!({
                "ip": ip, "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod},
            }));
        }
        if self.no_endpoints {
            return objects;
        }
        let subsets = match addresses.is_empty() {
            true => json!([]),
            false => json!([{"addresses": addresses, "ports": [{"name": "http", "port": 8080}]}]),
        };
        objects.push(json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": {"name": name, "namespace": namespace}, "subsets": subsets,
        }));
        objects
    }
}

impl Ingress {
    fn object(&self, namespace: &str) -> Value {
        let annotations: BTreeMap<String, String> = self
            .annotations
            .iter()
            .map(|(key, value)| {
                let key = match key.contains('/') {
                    true => key.clone(),
                    false => format!("{PREFIX}{key}"),
                };
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                (key, text)
            })
            .collect();
        let mut spec = self.spec.clone().unwrap_or_else(|| self.spec());
        spec["ingressClassName"] = json!(self.class.as_deref().unwrap_or(namespace));
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": self.name, "namespace": namespace,
                "labels": self.labels, "annotations": annotations},
            "spec": spec,
        })
    }

    fn spec(&self) -> Value {
        let host = self.host.clone();
        let host = host.unwrap_or_else(|| format!("{}.example.com", self.name));
        let mut paths: Vec<Value> = self.paths.iter().map(Path::object).collect();
        if paths.is_empty() {
            paths.push(path("/", "Prefix", "one", &http()));
        }
        let mut spec = json!({"rules": [{"host": host, "http": {"paths": paths}}]});
        if !self.tls.is_null() {
            spec["tls"] = self.tls.clone();
        }
        spec
    }
}

impl Path {
    fn object(&self) -> Value {
        match self {
            Self::Action(name) => path("/", "Prefix", name, &json!({"name": "use-annotation"})),
            Self::Full(full) => path(&full.path, &full.kind, &full.service, &full.port),
        }
    }
}

fn path(path: &str, kind: &str, service: &str, port: &Value) -> Value {
    let backend = json!({"service": {"name": service, "port": port}});
    json!({"path": path, "pathType": kind, "backend": backend})
}

fn secret(name: &str, place: &Place<'_>) -> Value {
    let (certificate, key) = place.certificate;
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": place.scenario},
        "stringData": {"tls.crt": certificate, "tls.key": key},
    })
}
