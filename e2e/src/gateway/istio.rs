//! The Istio ingress gateway as objects: namespace, Node, Pods and Service.
//!
//! The Pods are real objects with a status as a kubelet writes it, so that the control plane's own
//! EndpointSlice controller gives slices to every Service that selects them, also to one made
//! later. No process runs in them; the [`super::Gateway`] listens on their address.

use std::{net::IpAddr, time::Duration};

use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Namespace, Node, Pod, Service},
    jiff::Timestamp,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const MANAGER: &str = "istio-stand-in";
/// Where Istio lives.
pub const NAMESPACE: &str = "istio-system";
/// The name of the existing gateway Service.
pub const SERVICE: &str = "istio-ingressgateway";
/// How long the namespace's default service account, without which no Pod is admitted, may take.
const SERVICE_ACCOUNT_PATIENCE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(50);

/// How the Istio gateway is installed.
#[derive(Clone, Debug)]
pub struct IstioOptions {
    /// Address of the gateway's Pod and its Node: where a [`super::Gateway`] listens on port 80.
    pub ip: IpAddr,
    /// Region of the Node, which its `providerID` names.
    pub region: String,
    /// Type of the Service `istio-ingressgateway`: `LoadBalancer`, as Istio installs it, or
    /// `ClusterIP`.
    pub service_type: String,
}

/// Why the gateway's objects could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot apply {what}: {source}")]
pub struct InstallError {
    what: String,
    source: Box<kube::Error>,
}

/// Makes the objects, or brings them up to date.
///
/// # Errors
/// [`InstallError`] with the first object the API server did not take.
pub async fn install(client: &Client, options: &IstioOptions) -> Result<(), InstallError> {
    let installer = Installer {
        client,
        params: PatchParams::apply(MANAGER).force(),
    };
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    installer
        .apply(
            &Api::<Namespace>::all(client.clone()),
            NAMESPACE,
            &namespace,
        )
        .await?;
    installer.node(options).await?;
    installer.service(options).await?;
    installer.pod(options).await
}

struct Installer<'a> {
    client: &'a Client,
    params: PatchParams,
}

impl Installer<'_> {
    async fn apply<K>(&self, api: &Api<K>, name: &str, object: &Value) -> Result<(), InstallError>
    where
        K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
    {
        let applied = api.patch(name, &self.params, &Patch::Apply(object)).await;
        applied
            .map(drop)
            .map_err(|source| failed::<K>(name, source))
    }

    async fn status<K>(&self, api: &Api<K>, name: &str, object: &Value) -> Result<(), InstallError>
    where
        K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
    {
        let applied = api
            .patch_status(name, &self.params, &Patch::Apply(object))
            .await;
        applied
            .map(drop)
            .map_err(|source| failed::<K>(name, source))
    }

    fn namespaced<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// A Node for the Pod: the EndpointSlice controller leaves out Pods of Nodes it does not know.
    async fn node(&self, options: &IstioOptions) -> Result<(), InstallError> {
        let name = node_name(options);
        let api = Api::<Node>::all(self.client.clone());
        let labels = json!({
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "topology.kubernetes.io/region": options.region,
        });
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": {"providerID": format!("{}.i-{}", options.region, instance_id(options.ip))},
        });
        self.apply(&api, &name, &node).await?;
        let status = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": options.ip},
                    {"type": "Hostname", "address": name},
                ],
                "conditions": [self.condition::<Node>(&api, &name, "KubeletReady").await?],
            },
        });
        self.status(&api, &name, &status).await
    }

    /// As in the article on API Gateway, port by port.
    async fn service(&self, options: &IstioOptions) -> Result<(), InstallError> {
        let port = |name: &str, number: u16| json!({"name": name, "port": number, "protocol": "TCP", "targetPort": number});
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": SERVICE, "namespace": NAMESPACE, "labels": labels()},
            "spec": {
                "type": options.service_type,
                "selector": labels(),
                "ports": [port("status-port", 15020), port("http2", 80), port("https", 443), port("tls", 15443)],
            },
        });
        self.apply(&self.namespaced::<Service>(), SERVICE, &service)
            .await
    }

    async fn pod(&self, options: &IstioOptions) -> Result<(), InstallError> {
        let api = self.namespaced::<Pod>();
        let name = format!("{SERVICE}-{}", instance_id(options.ip));
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels()},
            "spec": {
                "nodeName": node_name(options),
                "automountServiceAccountToken": false,
                "containers": [{"name": "istio-proxy", "image": "istio/proxyv2", "ports": [{"name": "http2", "containerPort": 80}]}],
            },
        });
        self.admitted(&api, &name, &pod).await?;
        let ready = self.condition::<Pod>(&api, &name, "").await?;
        let status = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE},
            "status": {
                "phase": "Running",
                "podIP": options.ip, "podIPs": [{"ip": options.ip}], "hostIP": options.ip,
                "conditions": [ready],
            },
        });
        self.status(&api, &name, &status).await
    }

    /// Pods are refused until the namespace has its default service account.
    async fn admitted(&self, api: &Api<Pod>, name: &str, pod: &Value) -> Result<(), InstallError> {
        let deadline = tokio::time::Instant::now() + SERVICE_ACCOUNT_PATIENCE;
        loop {
            match self.apply(api, name, pod).await {
                Err(InstallError { source, .. })
                    if is_forbidden(&source) && tokio::time::Instant::now() < deadline =>
                {
                    tokio::time::sleep(POLL).await;
                }
                other => return other,
            }
        }
    }

    /// The condition `Ready`, with the time of the existing one if there is one.
    async fn condition<K>(
        &self,
        api: &Api<K>,
        name: &str,
        reason: &str,
    ) -> Result<Value, InstallError>
    where
        K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
    {
        let object = api
            .get(name)
            .await
            .map_err(|source| failed::<K>(name, source))?;
        let since = object
            .creation_timestamp()
            .map_or_else(Timestamp::now, |time| time.0);
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut condition = json!({"type": "Ready", "status": "True", "lastTransitionTime": since});
        if let (Some(fields), false) = (condition.as_object_mut(), reason.is_empty()) {
            fields.insert("reason".to_owned(), json!(reason));
        }
        Ok(condition)
    }
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_forbidden())
}

fn failed<K: Resource<DynamicType = ()>>(name: &str, source: kube::Error) -> InstallError {
    InstallError {
        what: format!("{} {name}", K::kind(&())),
        source: Box::new(source),
    }
}

fn labels() -> Value {
    json!({"app": SERVICE, "istio": "ingressgateway"})
}

/// Nodes of the vendor's clusters are called by region and address.
fn node_name(options: &IstioOptions) -> String {
    format!("{}.{}", options.region, options.ip)
}

fn instance_id(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("{:08x}", u32::from(ip)),
        IpAddr::V6(ip) => format!("{:032x}", u128::from(ip)),
    }
}
