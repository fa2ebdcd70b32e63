//! The layers that are measured: how each is started, and what it makes.

use std::path::{Path, PathBuf};

use control_plane::tools::{self, Tool};

use super::stage::{ALB, SYSTEM};
use crate::{binaries::Binaries, process::ProcessSpec};

/// A networking layer of Knative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Layer {
    /// Ours.
    Alb,
    /// Makes routes of the Gateway API.
    NetGatewayApi,
    /// Makes no objects: its Envoy is told by another way.
    NetKourier,
}

impl Layer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alb => "alb",
            Self::NetGatewayApi => "net-gateway-api",
            Self::NetKourier => "net-kourier",
        }
    }

    /// The class of its Knative Ingresses.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Alb => "alb.ingress.networking.knative.dev",
            Self::NetGatewayApi => "gateway-api.ingress.networking.knative.dev",
            Self::NetKourier => "kourier.ingress.networking.knative.dev",
        }
    }

    /// What it makes, by group, version and plural; none: it is done when a Knative Ingress is Ready.
    pub(super) fn child(self) -> Option<[&'static str; 3]> {
        match self {
            Self::Alb => Some(["networking.k8s.io", "v1", "ingresses"]),
            Self::NetGatewayApi => Some(["gateway.networking.k8s.io", "v1", "httproutes"]),
            Self::NetKourier => None,
        }
    }

    /// What is counted, in a word.
    pub(super) fn made_is(self) -> &'static str {
        match self {
            Self::Alb => "Ingresses made",
            Self::NetGatewayApi => "HTTPRoutes made",
            Self::NetKourier => "Ready",
        }
    }

    /// How much it makes of so many Knative Ingresses of two rules each.
    pub(super) fn makes(self, ingresses: usize) -> usize {
        match self {
            Self::Alb | Self::NetGatewayApi => 2 * ingresses,
            Self::NetKourier => ingresses,
        }
    }

    /// What has to be there before it starts. `gateway` is an address on which something answers.
    pub(super) fn surroundings(self, gateway: std::net::Ipv4Addr) -> String {
        let endpoints = |namespace: &str, name: &str| {
            format!(
                "{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: {namespace}}}, spec: {{ports: [{{name: http2, port: 80, targetPort: 8081}}]}}}}\n---\n\
                 {{apiVersion: v1, kind: Endpoints, metadata: {{name: {name}, namespace: {namespace}}}, subsets: [{{addresses: [{{ip: {gateway}}}], ports: [{{name: http2, port: 8081}}]}}]}}\n---\n"
            )
        };
        match self {
            Self::Alb => ALB.to_owned(),
            Self::NetGatewayApi => {
                let gateway = |name: &str| {
                    let more = endpoints("gateways", name);
                    format!(
                        "{more}{{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {{name: {name}, namespace: gateways}}, spec: {{gatewayClassName: istio, listeners: [{{name: http, port: 80, protocol: HTTP, allowedRoutes: {{namespaces: {{from: All}}}}}}]}}}}\n---\n"
                    )
                };
                format!(
                    "apiVersion: v1\nkind: Namespace\nmetadata: {{name: gateways}}\n---\n{}{}\
                     apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config-gateway, namespace: {SYSTEM}}}\ndata:\n  \
                     external-gateways: |\n    - {{class: istio, gateway: gateways/external, service: gateways/external}}\n  \
                     local-gateways: |\n    - {{class: istio, gateway: gateways/local, service: gateways/local}}\n",
                    gateway("external"),
                    gateway("local"),
                )
            }
            Self::NetKourier => format!(
                "apiVersion: v1\nkind: Namespace\nmetadata: {{name: kourier-system}}\n---\n{}{}\
                 apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config-kourier, namespace: {SYSTEM}}}\n",
                endpoints("kourier-system", "kourier"),
                endpoints("kourier-system", "kourier-internal"),
            ),
        }
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
            Self::NetGatewayApi | Self::NetKourier => {
                vec!["--kubeconfig".into(), kubeconfig, "--disable-ha".into()]
            }
        };
        let env = [
            ("SYSTEM_NAMESPACE", SYSTEM),
            ("KOURIER_GATEWAY_NAMESPACE", "kourier-system"),
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
