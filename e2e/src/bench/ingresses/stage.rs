//! The API server that all layers share, and a layer at work on it.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use axum::Router;
use control_plane::ControlPlane;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::{
    Api,
    api::{
        ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
    },
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

use super::{
    layer::Layer,
    surroundings::{self, Account},
};
use crate::{
    bench::{
        audit::{self, AuditLog},
        stage::free_port,
        usage::Usage,
    },
    binaries::Binaries,
    process::Process,
};

/// Namespace of the layers' ServiceAccounts.
pub(super) const ACCOUNTS: &str = audit::NAMESPACE;
/// Namespace of Knative.
pub(super) const SYSTEM: &str = "knative-serving";
pub(super) const NAMESPACE: &str = "bench";
/// Requests under way at once.
const PARALLEL: usize = 16;
/// A layer is quiet once it has used next to no CPU for this long.
const QUIET: Duration = Duration::from_secs(4);
/// CPU seconds without which nothing has begun.
const BEGUN: f64 = 0.02;
const GRACE: Duration = Duration::from_secs(30);
/// On which Kourier and the others look for gateways.
const GATEWAY_PORTS: [u16; 4] = [8081, 8090, 8444, 9443];

/// An API server with Knative's definitions.
pub(super) struct Ingresses {
    control_plane: ControlPlane,
    pub(super) audit: AuditLog,
    folder: PathBuf,
    gateway: Ipv4Addr,
}

impl Ingresses {
    pub(super) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let audit = AuditLog::new(folder).context("cannot write the audit policy")?;
        let control_plane = ControlPlane::builder()
            .data_dir(folder.join("control-plane"))
            .apiserver_flags(audit.flags())
            .start()
            .await?;
        let client = control_plane.client();
        let knative = control_plane::knative::crds().await?;
        control_plane::install_crds(client.clone(), &knative).await?;
        for file in control_plane::layers::gateway_api_crds().await? {
            control_plane::apply_yaml(client.clone(), &std::fs::read_to_string(file)?).await?;
        }
        control_plane::apply_yaml(client.clone(), &crds::generate::yaml()?).await?;
        let gateway =
            control_plane::loopback::ensure_address(Ipv4Addr::new(198, 51, 100, 240)).await?;
        for port in GATEWAY_PORTS {
            let listener = TcpListener::bind((gateway, port)).await?;
            let router = Router::new().fallback(|| async { "" });
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        let stage = Self {
            control_plane,
            audit,
            folder: folder.to_owned(),
            gateway,
        };
        stage.surroundings().await?;
        Ok(stage)
    }

    /// One account for all layers, since only one is at work at a time; namespaces, and a Service that all
    /// Knative Ingresses lead to.
    async fn surroundings(&self) -> anyhow::Result<()> {
        let account = audit::ACCOUNT;
        let yaml = format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {ACCOUNTS}}}}}\n---\n\
             {{apiVersion: v1, kind: Namespace, metadata: {{name: {SYSTEM}}}}}\n---\n\
             {{apiVersion: v1, kind: Namespace, metadata: {{name: {NAMESPACE}}}}}\n---\n\
             {{apiVersion: v1, kind: ServiceAccount, metadata: {{name: {account}, namespace: {ACCOUNTS}}}}}\n---\n\
             {{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {{name: {account}}}, \
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}, \
             subjects: [{{kind: ServiceAccount, name: {account}, namespace: {ACCOUNTS}}}]}}\n---\n\
             {{apiVersion: v1, kind: ConfigMap, metadata: {{name: config-network, namespace: {SYSTEM}}}}}\n---\n\
             {{apiVersion: v1, kind: Service, metadata: {{name: hello, namespace: {NAMESPACE}}}, spec: {{ports: [{{name: http, port: 80, targetPort: 8081}}]}}}}\n---\n\
             {{apiVersion: v1, kind: Endpoints, metadata: {{name: hello, namespace: {NAMESPACE}}}, subsets: [{{addresses: [{{ip: {}}}], ports: [{{name: http, port: 8081}}]}}]}}\n",
            self.gateway
        );
        control_plane::apply_yaml(self.control_plane.client(), &yaml).await?;
        Ok(())
    }

    /// Makes what a layer needs.
    pub(super) async fn prepare(&self, layer: Layer, account: &Account) -> anyhow::Result<()> {
        let yaml = surroundings::of(layer, self.gateway, account);
        control_plane::apply_yaml(self.control_plane.client(), &yaml).await?;
        Ok(())
    }

    fn ingresses(&self) -> Api<DynamicObject> {
        self.api(
            "networking.internal.knative.dev",
            "v1alpha1",
            "Ingress",
            "ingresses",
        )
    }

    fn api(&self, group: &str, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        Api::namespaced_with(self.control_plane.client(), NAMESPACE, &resource)
    }

    /// Applies Knative Ingresses of two rules and four hosts.
    pub(super) async fn apply(&self, layer: Layer, number: usize) -> anyhow::Result<()> {
        let api = self.ingresses();
        let make = async |index: usize| {
            let ingress = ingress(layer, index);
            let name = name(layer, index);
            let params = PatchParams::apply("kubectl");
            api.patch(&name, &params, &Patch::Apply(&ingress)).await
        };
        let made = futures::stream::iter(0..number)
            .map(make)
            .buffer_unordered(PARALLEL);
        made.try_for_each(|_| async { Ok(()) })
            .await
            .context("cannot apply the Knative Ingresses")
    }

    /// How much the layer has made.
    pub(super) async fn made(&self, layer: Layer) -> anyhow::Result<usize> {
        let Some([group, version, plural]) = layer.child() else {
            return self.ready().await;
        };
        let page = self
            .api(group, version, "Child", plural)
            .list(&ListParams::default().limit(1))
            .await?;
        let more = page.metadata.remaining_item_count.unwrap_or_default();
        Ok(page.items.len() + usize::try_from(more).unwrap_or_default())
    }

    /// How many Knative Ingresses are Ready.
    pub(super) async fn ready(&self) -> anyhow::Result<usize> {
        let all = self.ingresses().list(&ListParams::default()).await?;
        Ok(all.items.iter().filter(|ingress| is_ready(ingress)).count())
    }

    /// A kubeconfig and a client with all rights.
    pub(super) fn admin(&self) -> (PathBuf, kube::Client) {
        let kubeconfig = self.control_plane.kubeconfig().path().to_owned();
        (kubeconfig, self.control_plane.client())
    }

    /// Where logs go.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes of the layer since the last look, but for its Lease.
    pub(super) fn writes(&mut self) -> anyhow::Result<u64> {
        let requests = self.audit.take()?;
        let writes = requests
            .iter()
            .filter(|(request, _)| audit::is_write(request));
        Ok(writes.map(|(_, number)| number).sum())
    }

    /// Takes the Knative Ingresses of a layer away, with what would wait for it.
    pub(super) async fn clear(&self, layer: Layer) -> anyhow::Result<()> {
        let api = self.ingresses();
        let all = api.list_metadata(&ListParams::default()).await?;
        let free = async |name: String| {
            let patch = json!({"metadata": {"finalizers": []}});
            api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
                .await
        };
        let names = all
            .items
            .into_iter()
            .filter_map(|ingress| ingress.metadata.name);
        let freed = futures::stream::iter(names)
            .map(free)
            .buffer_unordered(PARALLEL);
        freed.try_for_each(|_| async { Ok(()) }).await?;
        api.delete_collection(&DeleteParams::default(), &ListParams::default())
            .await?;
        if let Some([group, version, plural]) = layer.child() {
            // The garbage collector would take minutes.
            self.api(group, version, "Child", plural)
                .delete_collection(&DeleteParams::default(), &ListParams::default())
                .await?;
        }
        if layer == Layer::Alb {
            // They are in the vswitches of one account, and the next one has others.
            let kind = GroupVersionKind::gvk("alibabacloud.com", "v1", "AlbConfig");
            let kind = ApiResource::from_gvk_with_plural(&kind, "albconfigs");
            let all: Api<DynamicObject> = Api::all_with(self.control_plane.client(), &kind);
            all.delete_collection(&DeleteParams::default(), &ListParams::default())
                .await?;
        }
        let deadline = Instant::now() + Duration::from_secs(600);
        while layer.child().is_some() && self.made(layer).await? > 0 {
            if Instant::now() > deadline {
                bail!("what {} made is still there", layer.name());
            }
            sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.control_plane.stop().await?;
        Ok(())
    }
}

fn name(layer: Layer, index: usize) -> String {
    format!("{}-{index:04}", layer.name())
}

fn ingress(layer: Layer, index: usize) -> Value {
    let name = name(layer, index);
    let headers =
        json!({"Knative-Serving-Revision": "hello", "Knative-Serving-Namespace": NAMESPACE});
    let splits = json!([{"serviceNamespace": NAMESPACE, "serviceName": "hello", "servicePort": 80, "percent": 100, "appendHeaders": headers}]);
    let rule = |hosts: Vec<String>, visibility: &str| json!({"hosts": hosts, "visibility": visibility, "http": {"paths": [{"splits": splits}]}});
    let local = ["", ".svc", ".svc.cluster.local"];
    let local = local.map(|end| format!("{name}.{NAMESPACE}{end}"));
    json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": {"networking.knative.dev/ingress.class": layer.class()}},
        "spec": {"httpOption": "Enabled", "rules": [
            rule(local.to_vec(), "ClusterLocal"),
            rule(vec![format!("{name}.{NAMESPACE}.example.com")], "ExternalIP"),
        ]},
    })
}

fn is_ready(ingress: &DynamicObject) -> bool {
    let status = &ingress.data["status"];
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|one| one["type"] == "Ready" && one["status"] == "True");
    status["observedGeneration"].as_i64() == ingress.metadata.generation && ready.next().is_some()
}

/// A layer's process.
pub(super) struct Running {
    process: Process,
    pid_file: PathBuf,
}

impl Running {
    pub(super) async fn start(
        stage: &Ingresses,
        layer: Layer,
        programs: &Binaries,
    ) -> anyhow::Result<Self> {
        let kubeconfig = stage
            .control_plane
            .kubeconfig_for_service_account(ACCOUNTS, audit::ACCOUNT)
            .await?;
        let spec = layer
            .process(kubeconfig.path(), programs, free_port()?)
            .await?;
        let pid_file = stage.folder.join(format!("{}.pid", layer.name()));
        // Of the run before.
        let _ = std::fs::remove_file(&pid_file);
        let process = Process::spawn(&spec, &stage.folder)?;
        let deadline = Instant::now() + GRACE;
        while Usage::of(&pid_file).is_err() && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { process, pid_file })
    }

    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(&self.pid_file).context("cannot read what the layer used")
    }

    /// Waits until it has begun, and has then used next to no CPU for a while.
    pub(super) async fn quiet(&mut self, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        let mut last = (self.usage()?.cpu, Instant::now());
        while last.1.elapsed() < QUIET {
            self.is_alive()?;
            if Instant::now() > deadline {
                bail!(
                    "it still works after {} s:\n{}",
                    patience.as_secs(),
                    self.log()
                );
            }
            sleep(Duration::from_millis(200)).await;
            let used = self.usage()?.cpu;
            if used - last.0 > 0.05 || used < BEGUN {
                last = (used, Instant::now());
            }
        }
        Ok(())
    }

    /// Fails if it has ended.
    pub(super) fn is_alive(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait()? {
            Some(status) => bail!("it ended with {status}:\n{}", self.log()),
            None => Ok(()),
        }
    }

    pub(super) fn log(&self) -> String {
        self.process.log_tail(20)
    }

    pub(super) async fn terminate(self) -> anyhow::Result<()> {
        self.process.terminate(GRACE).await?;
        Ok(())
    }
}
