//! The programs of a control plane: built once from their published Go modules, or ready-made.
//!
//! A tool is taken from `$KUBEBUILDER_ASSETS` if that folder holds it. Otherwise it is built into
//! `$GATEWAYBINDING_CACHE`, or `gatewaybinding` below `$XDG_CACHE_HOME` or `~/.cache`, in a folder
//! named after its version, the digest of its `go.mod` and `go.sum`, and the Go version.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use crate::{
    cache::{self, NoCacheFolder, progress},
    conformance,
    envoy::FetchError,
    files::{FileError, create_dir, write_private},
    go::{self, GoError},
};

/// A program of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tool {
    /// The store behind the API server.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// The controllers of Kubernetes itself: namespace deletion, garbage collection, ...
    KubeControllerManager,
    /// The command line client.
    Kubectl,
    /// The package manager.
    Helm,
    /// Evaluates PromQL over scraped metrics; a program of ours around the engine of Prometheus.
    Promql,
    /// What GitOps tools make of objects; a program of ours around libraries of Argo CD and kstatus.
    Gitops,
    /// Of Knative Serving: makes revisions, routes and ingresses.
    KnativeController,
    /// Of Knative Serving: defaults and validates its objects.
    KnativeWebhook,
    /// Of Knative Serving: decides how many Pods a revision has.
    KnativeAutoscaler,
    /// Of Knative Serving: holds requests until a revision has Pods.
    KnativeActivator,
    /// Of Knative Serving: stands beside each user container.
    KnativeQueue,
    /// A user container for Knative services; a program of ours.
    Hello,
    /// A networking layer of Knative that makes routes of the Gateway API. Benchmarks alone need it.
    NetGatewayApi,
    /// Kourier, a networking layer of Knative that tells its own Envoy.
    NetKourier,
    /// Knative's conformance suite for what serves its Ingresses. Only a command of people needs it.
    Conformance,
    /// What runs in an image of that suite.
    ConformanceImage(conformance::Image),
}

/// Why a tool or the Knative definitions are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// There is no place to build into.
    #[error(transparent)]
    Cache(#[from] NoCacheFolder),
    /// The cache cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The build failed.
    #[error(transparent)]
    Go(#[from] GoError),
    /// A ready-made program could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// `go` answered with something unknown.
    #[error("go mod download: {0}")]
    Answer(String),
}

impl Tool {
    /// All that tests need.
    pub const ALL: [Self; 14] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::Kubectl,
        Self::Helm,
        Self::Promql,
        Self::Gitops,
        Self::KnativeController,
        Self::KnativeWebhook,
        Self::KnativeAutoscaler,
        Self::KnativeActivator,
        Self::KnativeQueue,
        Self::Hello,
        Self::NetKourier,
    ];

    /// The name of the program.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
            Self::Promql => "promql",
            Self::Gitops => "gitops",
            Self::KnativeController => "knative-controller",
            Self::KnativeWebhook => "knative-webhook",
            Self::KnativeAutoscaler => "knative-autoscaler",
            Self::KnativeActivator => "knative-activator",
            Self::KnativeQueue => "knative-queue",
            Self::Hello => "hello",
            Self::NetGatewayApi => "net-gateway-api",
            Self::NetKourier => "net-kourier",
            Self::Conformance => "ingress-conformance",
            Self::ConformanceImage(image) => image.name(),
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::Promql | Self::Gitops | Self::Hello => ".",
            Self::KnativeController => "knative.dev/serving/cmd/controller",
            Self::KnativeWebhook => "knative.dev/serving/cmd/webhook",
            Self::KnativeAutoscaler => "knative.dev/serving/cmd/autoscaler",
            Self::KnativeActivator => "knative.dev/serving/cmd/activator",
            Self::KnativeQueue => "knative.dev/serving/cmd/queue",
            Self::NetGatewayApi => "knative.dev/net-gateway-api/cmd/controller",
            Self::NetKourier => "knative.dev/net-kourier/cmd/kourier",
            Self::Conformance => "knative.dev/networking/test/conformance/ingress",
            Self::ConformanceImage(image) => image.package(),
        }
    }

    fn module(self) -> &'static Module {
        match self {
            Self::Etcd => &ETCD,
            Self::KubeApiserver | Self::KubeControllerManager | Self::Kubectl => &KUBE,
            Self::Helm => &HELM,
            Self::Promql => &PROMQL,
            Self::Gitops => &GITOPS,
            Self::KnativeController
            | Self::KnativeWebhook
            | Self::KnativeAutoscaler
            | Self::KnativeActivator
            | Self::KnativeQueue
            | Self::Hello => &KNATIVE,
            Self::NetGatewayApi | Self::NetKourier => &LAYERS,
            Self::Conformance | Self::ConformanceImage(_) => &CONFORMANCE,
        }
    }

    /// The command of `go` that makes the program.
    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Conformance => &["test", "-c", "-tags=e2e"],
            _ => &["build"],
        }
    }

    /// What a first build costs, so that nobody takes it for a hang.
    fn cost(self) -> &'static str {
        match self {
            Self::KubeApiserver => "about 4 minutes on 2 cores",
            Self::Gitops => "about 3 minutes on 2 cores",
            Self::KnativeController | Self::NetKourier | Self::Conformance => {
                "about 2 minutes on 2 cores"
            }
            _ => "under a minute on 2 cores",
        }
    }
}

/// The path of a tool's binary; builds it first if need be.
///
/// # Errors
/// [`ToolError::Go`] with the last lines of the build's output, or that Go is missing;
/// [`ToolError::File`] or [`ToolError::Cache`] when there is no usable cache.
pub async fn ensure(tool: Tool) -> Result<PathBuf, ToolError> {
    if let Some(ready_made) = in_assets(tool.name()) {
        return Ok(ready_made);
    }
    let module = tool.module();
    let folder = module.folder()?;
    let purpose = format!("building {} {}", tool.name(), module.version());
    module.write_to(&folder)?;
    let binaries = folder.join(go_version(&folder, &purpose).await?);
    let binary = binaries.join(tool.name());
    if binary.is_file() {
        return Ok(binary);
    }
    let _lock = cache::lock(&binaries, &purpose).await?;
    if !binary.is_file() {
        build(tool, &folder, &binary, &purpose).await?;
    }
    Ok(binary)
}

/// A program that the folder of ready-made ones holds.
pub(crate) fn in_assets(program: &str) -> Option<PathBuf> {
    in_folder(std::env::var_os("KUBEBUILDER_ASSETS"), program)
}

fn in_folder(assets: Option<OsString>, program: &str) -> Option<PathBuf> {
    let binary = Path::new(&assets?).join(program);
    binary.is_file().then_some(binary)
}

/// The version of the Go toolchain. Asked once: all our modules want the same.
async fn go_version(folder: &Path, purpose: &str) -> Result<String, ToolError> {
    static VERSION: OnceCell<String> = OnceCell::const_new();
    let ask = || async {
        let version = go::run(folder, purpose, ["env", "GOVERSION"]).await?;
        // A development version has spaces: "devel go1.27-abcdef Mon ...".
        Ok(version.trim().replace(
            |c: char| !c.is_ascii_alphanumeric() && !".-".contains(c),
            "_",
        ))
    };
    VERSION.get_or_try_init(ask).await.cloned()
}

async fn build(tool: Tool, folder: &Path, binary: &Path, purpose: &str) -> Result<(), ToolError> {
    progress(&format!("{purpose} (once, {})", tool.cost()));
    // Under the lock nobody else writes this name; what a killed build left is overwritten.
    let temporary = binary.with_extension("partial");
    let ldflags = format!("-s -w {}", (tool.module().stamp)(tool.module().version()));
    let args: [&std::ffi::OsStr; 7] = [
        "-mod=readonly".as_ref(),
        "-trimpath".as_ref(),
        "-ldflags".as_ref(),
        ldflags.as_ref(),
        "-o".as_ref(),
        temporary.as_ref(),
        tool.package().as_ref(),
    ];
    let command = tool.command().iter().map(AsRef::as_ref);
    go::run(folder, purpose, command.chain(args)).await?;
    cache::publish(&temporary, binary)?;
    Ok(())
}

/// A Go module of ours that pins one family of tools.
pub(crate) struct Module {
    name: &'static str,
    /// The module whose version names the family's.
    main: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
    /// The program, where it is ours.
    main_go: Option<&'static str>,
    /// Linker flags that tell the binaries their version.
    stamp: fn(&str) -> String,
}

macro_rules! module {
    ($name:literal, $main:literal, $stamp:expr) => {
        Module {
            name: $name,
            main: $main,
            go_mod: include_str!(concat!("../tools/", $name, "/go.mod")),
            go_sum: include_str!(concat!("../tools/", $name, "/go.sum")),
            main_go: None,
            stamp: $stamp,
        }
    };
}

static KUBE: Module = module!("kube", "k8s.io/kubernetes", kubernetes_stamp);
static ETCD: Module = module!("etcd", "go.etcd.io/etcd/server/v3", |_| String::new());
static HELM: Module = module!("helm", "helm.sh/helm/v4", |version| format!(
    "-X helm.sh/helm/v4/internal/version.version={version}"
));
static PROMQL: Module = Module {
    main_go: Some(include_str!("../tools/promql/main.go")),
    ..module!("promql", "github.com/prometheus/prometheus", |_| {
        String::new()
    })
};
static GITOPS: Module = Module {
    main_go: Some(include_str!("../tools/gitops/main.go")),
    ..module!("gitops", "github.com/argoproj/argo-cd/v3", |_| {
        String::new()
    })
};
pub(crate) static LAYERS: Module =
    module!("layers", "knative.dev/net-gateway-api", |_| String::new());
pub(crate) static CONFORMANCE: Module =
    module!("conformance", "knative.dev/networking", |_| String::new());
pub(crate) static KNATIVE: Module = Module {
    main_go: Some(include_str!("../tools/knative/main.go")),
    ..module!("knative", "knative.dev/serving", |_| String::new())
};
pub(crate) static MONITORING: Module = module!(
    "monitoring",
    "github.com/prometheus-operator/prometheus-operator",
    |_| String::new()
);

/// Without the stamp `/version` says v0.0.0-master, which a chart's `kubeVersion` refuses.
fn kubernetes_stamp(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    let values = [
        ("gitVersion", version),
        ("gitMajor", major),
        ("gitMinor", minor),
        ("gitTreeState", "clean"),
    ];
    let packages = [
        "k8s.io/component-base/version",
        "k8s.io/client-go/pkg/version",
    ];
    let flag = |package: &str| {
        values
            .map(|(name, value)| format!("-X {package}.{name}={value}"))
            .join(" ")
    };
    packages.map(flag).join(" ")
}

impl Module {
    /// The version of the family, as its `go.mod` says.
    pub(crate) fn version(&self) -> &'static str {
        let mut lines = self
            .go_mod
            .lines()
            .map(|line| line.trim().trim_start_matches("require "));
        lines
            .find_map(|line| {
                line.strip_prefix(self.main)?
                    .strip_prefix(' ')?
                    .split_whitespace()
                    .next()
            })
            .unwrap_or("unknown")
    }

    /// The family's folder in the cache.
    pub(crate) fn folder(&self) -> Result<PathBuf, NoCacheFolder> {
        let stamp = (self.stamp)(self.version());
        let digest = Sha256::new()
            .chain_update(self.go_mod)
            .chain_update(self.go_sum)
            .chain_update(self.main_go.unwrap_or_default())
            .chain_update(stamp)
            .finalize();
        let digest = hex::encode(digest);
        let short = digest.get(..12).unwrap_or(&digest);
        Ok(cache::folder()?.join(format!("{}-{}-{short}", self.name, self.version())))
    }

    /// Puts `go.mod`, `go.sum` and a program of ours into the folder, where `go` runs.
    pub(crate) fn write_to(&self, folder: &Path) -> Result<(), FileError> {
        create_dir(folder)?;
        let main_go = self.main_go.map(|content| ("main.go", content));
        let modules = [("go.mod", self.go_mod), ("go.sum", self.go_sum)];
        for (name, content) in modules.into_iter().chain(main_go) {
            let path = folder.join(name);
            // The folder's name carries the content's digest: a file that is there is right.
            if !path.is_file() {
                write_private(&path, content)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_names_its_version() {
        for module in [
            &KUBE,
            &ETCD,
            &HELM,
            &PROMQL,
            &GITOPS,
            &KNATIVE,
            &LAYERS,
            &CONFORMANCE,
            &MONITORING,
        ] {
            assert!(
                module.version().starts_with('v'),
                "{}: {}",
                module.name,
                module.version()
            );
        }
    }

    #[test]
    fn kubernetes_binaries_are_told_their_version() {
        let stamp = kubernetes_stamp("v1.36.4");
        assert!(
            stamp.contains("-X k8s.io/component-base/version.gitVersion=v1.36.4"),
            "{stamp}"
        );
        assert!(
            stamp.contains("-X k8s.io/client-go/pkg/version.gitMinor=36"),
            "{stamp}"
        );
    }

    #[test]
    fn only_what_the_assets_hold_is_taken_from_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("etcd"), "").unwrap();
        let assets = Some(folder.path().as_os_str().to_owned());
        assert_eq!(
            in_folder(assets.clone(), "etcd"),
            Some(folder.path().join("etcd"))
        );
        assert_eq!(in_folder(assets, "helm"), None);
        assert_eq!(in_folder(None, "etcd"), None);
    }
}
