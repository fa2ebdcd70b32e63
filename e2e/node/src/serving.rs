//! Knative Serving itself: its published controller, webhook, autoscaler and activator, installed from
//! its own manifests and run as Pods of the local node.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use control_plane::{
    ApplyError, ControlPlane, ToolError, apply_yaml, install_crds, knative,
    tools::{self, Tool},
};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kube::{
    Api,
    api::{Patch, PatchParams},
    runtime::wait::{Condition, await_condition},
};

use crate::{LocalNode, NodeError, NodeOptions, kourier};

/// Where Knative Serving lives.
pub const NAMESPACE: &str = "knative-serving";
/// The image of a user container that says what it was asked.
pub const HELLO: &str = "dev.local/hello:v1";

const PATIENCE: Duration = Duration::from_secs(120);
const PROGRAMS: [(&str, Tool); 6] = [
    (
        "ko://knative.dev/serving/cmd/controller",
        Tool::KnativeController,
    ),
    ("ko://knative.dev/serving/cmd/webhook", Tool::KnativeWebhook),
    (
        "ko://knative.dev/serving/cmd/autoscaler",
        Tool::KnativeAutoscaler,
    ),
    (
        "ko://knative.dev/serving/cmd/activator",
        Tool::KnativeActivator,
    ),
    ("ko://knative.dev/serving/cmd/queue", Tool::KnativeQueue),
    (HELLO, Tool::Hello),
];
const DEPLOYMENTS: [&str; 4] = ["autoscaler", "activator", "webhook", "controller"];

/// The flag without which the API server calls webhooks at the address of their Service, which
/// leads nowhere where no kube-proxy runs; with it, at the address of their Pod.
pub const API_SERVER_FLAG: &str = "--enable-aggregator-routing=true";

/// Why Knative Serving does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// A program or manifest is not to be had.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A manifest was refused.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A manifest could not be read.
    #[error("cannot read {file}: {cause}")]
    Read {
        /// Which.
        file: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The node did not start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The API server refused something.
    #[error("the API server refused: {0}")]
    Api(#[from] kube::Error),
    /// The URL of the API server has no port.
    #[error("the URL of the API server, {0}, has no port")]
    NoPort(String),
    /// A Deployment was not available in time.
    #[error("Deployment {name} was not available within {} s; see the logs of its Pods", PATIENCE.as_secs())]
    NotAvailable {
        /// Which, with its namespace.
        name: String,
    },
}

/// Running Knative Serving, and the node that it and its revisions run on.
#[derive(Debug)]
pub struct Serving {
    /// The node.
    pub node: LocalNode,
}

impl Serving {
    /// Installs Knative Serving on a control plane that was started with [`API_SERVER_FLAG`], and waits
    /// until it is available. `settings` are those of its ConfigMaps, by name and key, such as
    /// `ingress-class` of `config-network`; the logs of Pods go to `folder`.
    ///
    /// # Errors
    /// [`ServingError::Node`] without the right to make networks; [`ServingError::NotAvailable`].
    pub async fn start(
        control_plane: &ControlPlane,
        settings: &[(&str, &str, &str)],
        folder: &Path,
    ) -> Result<Self, ServingError> {
        Self::start_with(control_plane, settings, folder, &BTreeMap::new()).await
    }

    /// The same on a node that knows these images too, each of which is a program.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(
        control_plane: &ControlPlane,
        settings: &[(&str, &str, &str)],
        folder: &Path,
        images: &BTreeMap<String, PathBuf>,
    ) -> Result<Self, ServingError> {
        Self::run(control_plane, settings, folder, images.clone()).await
    }

    /// The same with [Kourier](crate::kourier) beside it.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with_kourier(
        control_plane: &ControlPlane,
        settings: &[(&str, &str, &str)],
        folder: &Path,
        images: &BTreeMap<String, PathBuf>,
    ) -> Result<Self, ServingError> {
        let mut all = kourier::images().await?;
        all.extend(images.clone());
        let serving = Self::run(control_plane, settings, folder, all).await?;
        kourier::install(control_plane).await?;
        Ok(serving)
    }

    async fn run(
        control_plane: &ControlPlane,
        settings: &[(&str, &str, &str)],
        folder: &Path,
        mut images: BTreeMap<String, PathBuf>,
    ) -> Result<Self, ServingError> {
        for (image, tool) in PROGRAMS {
            images.insert(image.to_owned(), tools::ensure(tool).await?);
        }
        let url = control_plane.url();
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
        let options = NodeOptions {
            api_port: port.ok_or_else(|| ServingError::NoPort(url.to_owned()))?,
            images,
            folder: folder.to_owned(),
        };
        let node = LocalNode::start(control_plane.client(), options).await?;
        install(control_plane, settings).await?;
        for name in DEPLOYMENTS {
            available(control_plane, NAMESPACE, name).await?;
        }
        Ok(Self { node })
    }
}

async fn install(
    control_plane: &ControlPlane,
    settings: &[(&str, &str, &str)],
) -> Result<(), ServingError> {
    let client = control_plane.client();
    install_crds(client.clone(), &knative::crds().await?).await?;
    let mut configured = false;
    for file in knative::manifests().await? {
        let text = read(&file)?;
        // Settings go in before the programs that read them, and before the webhook that guards them.
        if text.lines().any(|line| line == "kind: Deployment") && !configured {
            configure(control_plane, settings).await?;
            configured = true;
        }
        apply_yaml(client.clone(), &text).await?;
    }
    Ok(())
}

async fn configure(
    control_plane: &ControlPlane,
    settings: &[(&str, &str, &str)],
) -> Result<(), ServingError> {
    let maps = Api::<ConfigMap>::namespaced(control_plane.client(), NAMESPACE);
    for (map, key, value) in settings {
        let patch = Patch::Merge(serde_json::json!({"data": {*key: value}}));
        maps.patch(map, &PatchParams::default(), &patch).await?;
    }
    Ok(())
}

pub(crate) fn read(file: &Path) -> Result<String, ServingError> {
    std::fs::read_to_string(file).map_err(|cause| ServingError::Read {
        file: file.display().to_string(),
        cause,
    })
}

pub(crate) async fn available(
    control_plane: &ControlPlane,
    namespace: &str,
    name: &str,
) -> Result<(), ServingError> {
    let deployments = Api::<Deployment>::namespaced(control_plane.client(), namespace);
    let wait = await_condition(deployments, name, is_available());
    if matches!(tokio::time::timeout(PATIENCE, wait).await, Ok(Ok(_))) {
        return Ok(());
    }
    Err(ServingError::NotAvailable {
        name: format!("{namespace}/{name}"),
    })
}

fn is_available() -> impl Condition<Deployment> {
    |deployment: Option<&Deployment>| {
        let status = deployment.and_then(|deployment| deployment.status.as_ref());
        status.is_some_and(|status| status.available_replicas >= Some(1))
    }
}
