//! The node: takes Pods and runs each until it is deleted.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::Ipv4Addr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::{Binding, Node, ObjectReference, Pod};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::{
    environment::API_PORT,
    hosts,
    network::{NetworkError, PodNetwork},
    pod::{self, Shared},
};

/// The name of the node.
const NAME: &str = "local";
const PROBE_PATIENCE: Duration = Duration::from_secs(5);

/// Why the node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// There is no network for Pods.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The API server refused something.
    #[error("the API server refused the node: {0}")]
    Api(#[from] kube::Error),
    /// Something of this machine was refused.
    #[error("cannot {action}: {cause}")]
    Io {
        /// What.
        action: &'static str,
        /// Why.
        cause: io::Error,
    },
    /// There is no client for probes.
    #[error("cannot make a client for probes: {0}")]
    Http(#[from] reqwest::Error),
}

/// What a node is to be like.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The loopback port of the API server.
    pub api_port: u16,
    /// Which program an image is.
    pub images: BTreeMap<String, PathBuf>,
    /// For logs, one folder for each Pod.
    pub folder: PathBuf,
}

/// A node; dropping it ends its Pods at once.
#[derive(Debug)]
pub struct LocalNode {
    gateway: Ipv4Addr,
    _tasks: JoinSet<()>,
}

impl LocalNode {
    /// Registers the node and begins to take Pods.
    ///
    /// # Errors
    /// [`NodeError::Network`] without the right to make networks.
    pub async fn start(client: Client, options: NodeOptions) -> Result<Self, NodeError> {
        let network = Arc::new(PodNetwork::create().await?);
        let gateway = network.gateway();
        let io = |action| move |cause| NodeError::Io { action, cause };
        std::fs::create_dir_all(&options.folder).map_err(io("create the folder of Pods"))?;
        let hosts = options.folder.join("hosts");
        hosts::write(&hosts, &hosts::text([].iter(), gateway))
            .map_err(io("write the hosts file"))?;
        let listener = TcpListener::bind((gateway, API_PORT)).await;
        let listener = listener.map_err(io("listen for Pods that call the API server"))?;
        register(&client, gateway).await?;
        let http = reqwest::Client::builder()
            .timeout(PROBE_PATIENCE)
            // Programs know a probe by this name and answer it by themselves.
            .user_agent("kube-probe/1.36")
            // As the kubelet does: a probe is not meant to prove identity.
            .danger_accept_invalid_certs(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let shared = Arc::new(Shared {
            client: client.clone(),
            network,
            images: options.images,
            folder: options.folder,
            hosts: hosts.clone(),
            http,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(forward(listener, options.api_port));
        tasks.spawn(hosts::keep(client, hosts, gateway));
        tasks.spawn(take_pods(shared));
        Ok(Self {
            gateway,
            _tasks: tasks,
        })
    }

    /// The address at which Pods reach this machine.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        self.gateway
    }
}

/// Hands connections of Pods on to the API server, which listens on loopback only.
async fn forward(listener: TcpListener, port: u16) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((mut inside, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            if let Ok(mut outside) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                // An interrupted connection is the business of its ends.
                let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
            }
        });
    }
}

/// Controllers ask for the node of a Pod before they count it.
async fn register(client: &Client, gateway: Ipv4Addr) -> Result<(), NodeError> {
    let nodes = Api::<Node>::all(client.clone());
    let node = Node {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            labels: Some([("kubernetes.io/hostname".to_owned(), NAME.to_owned())].into()),
            ..ObjectMeta::default()
        },
        ..Node::default()
    };
    if nodes.get_opt(NAME).await?.is_none() {
        nodes.create(&PostParams::default(), &node).await?;
    }
    let status = serde_json::json!({"status": {
        "addresses": [{"type": "InternalIP", "address": gateway.to_string()}],
        "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "250"},
        "capacity": {"cpu": "64", "memory": "256Gi", "pods": "250"},
        "conditions": [{"type": "Ready", "status": "True", "reason": "LocalNodeReady"}],
    }});
    nodes
        .patch_status(NAME, &PatchParams::default(), &Patch::Merge(&status))
        .await?;
    Ok(())
}

async fn take_pods(shared: Arc<Shared>) {
    let pods = Api::<Pod>::all(shared.client.clone());
    let mut events = Box::pin(watcher(pods, watcher::Config::default()).default_backoff());
    let mut running: HashMap<String, watch::Sender<bool>> = HashMap::new();
    let mut tasks = JoinSet::new();
    loop {
        match events.try_next().await {
            Ok(Some(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod))) => {
                take(&shared, pod, &mut running, &mut tasks).await;
            }
            Ok(Some(watcher::Event::Delete(pod))) => {
                // Deleted by force: nobody waits for its end.
                running.remove(&pod.uid().unwrap_or_default());
            }
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => tracing::debug!(%error, "the watch of Pods was interrupted"),
        }
        while tasks.try_join_next().is_some() {}
    }
}

async fn take(
    shared: &Arc<Shared>,
    pod: Pod,
    running: &mut HashMap<String, watch::Sender<bool>>,
    tasks: &mut JoinSet<()>,
) {
    let uid = pod.uid().unwrap_or_default();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let ends = pod.metadata.deletion_timestamp.is_some();
    match (running.get(&uid), node) {
        (Some(end), _) if ends => {
            end.send_replace(true);
        }
        (Some(_), _) => {}
        (None, _) if ends => finish(shared, &pod).await,
        (None, None) => bind(shared, &pod).await,
        (None, Some(_)) => {
            let (end, ended) = watch::channel(false);
            running.insert(uid, end);
            tasks.spawn(pod::run(Arc::clone(shared), pod, ended));
        }
    }
}

/// A Pod that ends before it began.
async fn finish(shared: &Shared, pod: &Pod) {
    let pods = Api::<Pod>::namespaced(shared.client.clone(), &pod.namespace().unwrap_or_default());
    let now = DeleteParams::default().grace_period(0);
    if let Err(error) = pods.delete(&pod.name_any(), &now).await {
        tracing::debug!(pod = pod.name_any(), %error, "a Pod was not deleted");
    }
}

/// Does the scheduler's work; the watch then shows the Pod with its node.
async fn bind(shared: &Shared, pod: &Pod) {
    let namespace = pod.namespace().unwrap_or_default();
    let binding = Binding {
        metadata: ObjectMeta {
            name: Some(pod.name_any()),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        target: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(NAME.to_owned()),
            ..ObjectReference::default()
        },
    };
    let pods = Api::<Pod>::namespaced(shared.client.clone(), &namespace);
    let bound: Result<serde_json::Value, kube::Error> = pods
        .create_subresource("binding", &pod.name_any(), &PostParams::default(), &binding)
        .await;
    if let Err(error) = bound {
        tracing::debug!(pod = pod.name_any(), %error, "a Pod was not bound");
    }
}
