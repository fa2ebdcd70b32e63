//! The layers that are measured: how each is started, and what it makes.

use std::path::{Path, PathBuf};

use control_plane::tools::{self, Tool};

use super::stage::SYSTEM;
use crate::{binaries::Binaries, process::ProcessSpec};

/// Environment variable with the path of net-istio's controller.
pub(super) const NET_ISTIO: &str = "NET_ISTIO_BIN";

/// A networking layer of Knative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Layer {
    /// Ours.
    Alb,
    /// Makes VirtualServices. Its program is not built but given in [`NET_ISTIO`].
    NetIstio,
    /// Makes routes of the Gateway API.
    NetGatewayApi,
    /// Makes no objects: its Envoy is told by another way.
    NetKourier,
}

impl Layer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alb => "alb",
            Self::NetIstio => "net-istio",
            Self::NetGatewayApi => "net-gateway-api",
            Self::NetKourier => "net-kourier",
        }
    }

    /// The class of its Knative Ingresses.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Alb => "alb.ingress.networking.knative.dev",
            Self::NetIstio => "istio.ingress.networking.knative.dev",
            Self::NetGatewayApi => "gateway-api.ingress.networking.knative.dev",
            Self::NetKourier => "kourier.ingress.networking.knative.dev",
        }
    }

    /// What it makes, by group, version and plural; none: it is done when a Knative Ingress is Ready.
    pub(super) fn child(self) -> Option<[&'static str; 3]> {
        match self {
            Self::Alb => Some(["networking.k8s.io", "v1", "ingresses"]),
            Self::NetIstio => Some(["networking.istio.io", "v1beta1", "virtualservices"]),
            Self::NetGatewayApi => Some(["gateway.networking.k8s.io", "v1", "httproutes"]),
            Self::NetKourier => None,
        }
    }

    /// What is counted, in a word.
    pub(super) fn made_is(self) -> &'static str {
        match self {
            Self::Alb => "Ingresses made",
            Self::NetIstio => "VirtualServices made",
            Self::NetGatewayApi => "HTTPRoutes made",
            Self::NetKourier => "Ready",
        }
    }

    /// How much it makes of so many Knative Ingresses of two rules each.
    pub(super) fn makes(self, ingresses: usize) -> usize {
        match self {
            Self::Alb | Self::NetIstio | Self::NetGatewayApi => 2 * ingresses,
            Self::NetKourier => ingresses,
        }
    }

    /// Whether a Knative Ingress becomes Ready with nothing behind but something that answers probes.
    pub(super) fn is_ready_alone(self) -> bool {
        matches!(self, Self::NetIstio | Self::NetKourier)
    }

    /// Why it cannot be measured here.
    pub(super) fn lacks(self) -> Option<String> {
        let given = std::env::var_os(NET_ISTIO).is_some();
        (self == Self::NetIstio && !given).then(|| {
            format!(
                "its module is not built here: set {NET_ISTIO} to the program of its controller"
            )
        })
    }

    /// How it is started.
    pub(super) async fn process(
        self,
        kubeconfig: &Path,
        programs: &Binaries,
        port: u16,
    ) -> anyhow::Result<ProcessSpec> {
        let program: PathBuf = match self {
            Self::Alb => programs.operator.clone(),
            Self::NetIstio => std::env::var_os(NET_ISTIO).unwrap_or_default().into(),
            Self::NetGatewayApi => tools::ensure(Tool::NetGatewayApi).await?,
            Self::NetKourier => tools::ensure(Tool::NetKourier).await?,
        };
        let kubeconfig = kubeconfig.into();
        let args = match self {
            Self::Alb => vec![
                "run".into(),
                "--kubeconfig".into(),
                kubeconfig,
                "--metrics-listen".into(),
                format!("127.0.0.1:{port}").into(),
                "--namespace".into(),
                super::stage::ACCOUNTS.into(),
                "--identity".into(),
                "operator-0".into(),
                "--drift-interval".into(),
                "24h".into(),
            ],
            Self::NetIstio | Self::NetGatewayApi | Self::NetKourier => {
                vec!["--kubeconfig".into(), kubeconfig, "--disable-ha".into()]
            }
        };
        let env = [
            ("SYSTEM_NAMESPACE", SYSTEM),
            ("KOURIER_GATEWAY_NAMESPACE", "kourier-system"),
            ("ENABLE_SECRET_INFORMER_FILTERING_BY_CERT_UID", "false"),
            ("CONFIG_LOGGING_NAME", "config-logging"),
            ("CONFIG_OBSERVABILITY_NAME", "config-observability"),
            ("METRICS_DOMAIN", "knative.dev/bench"),
            ("KUBE_API_QPS", "200"),
            ("KUBE_API_BURST", "200"),
            // The operator's; nothing of a cloud is reached.
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tOperatorOfBench"),
            (
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
                "operator-secret-of-the-bench01",
            ),
        ];
        Ok(ProcessSpec {
            name: self.name().to_owned(),
            program,
            args,
            env: env
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        })
    }
}
