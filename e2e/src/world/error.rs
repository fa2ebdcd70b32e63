//! What can go wrong with a world.

use crate::{
    binaries::BinariesError,
    gateway::{GatewayError, istio::InstallError},
    knative::StandInError,
    process::ProcessError,
};

/// Why a world could not be started or used.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The control plane.
    #[error(transparent)]
    ControlPlane(#[from] control_plane::ControlPlaneError),
    /// Its programs.
    #[error(transparent)]
    Tool(#[from] control_plane::ToolError),
    /// A manifest was refused.
    #[error(transparent)]
    Apply(#[from] control_plane::ApplyError),
    /// Our CRDs could not be generated.
    #[error("cannot generate the CustomResourceDefinitions: {0}")]
    Crds(#[from] crds::generate::GenerateError),
    /// The emulator did not start.
    #[error(transparent)]
    EmulatorStart(#[from] alicloud_emulator::StartError),
    /// The emulator answered otherwise than asked.
    #[error("{request} of the emulator: {problem}")]
    Emulator {
        /// Method and path.
        request: String,
        /// What came.
        problem: String,
    },
    /// The cloud refused a call.
    #[error("{action} was refused with {code}: {message}")]
    Refused {
        /// The action.
        action: String,
        /// The cloud's code.
        code: String,
        /// The cloud's message.
        message: String,
    },
    /// Secrets that were used are shown somewhere.
    #[error("secrets are shown:\n{}", .0.join("\n"))]
    SecretsShown(Vec<String>),
    /// It could not be looked for secrets.
    #[error("cannot look for secrets: {0}")]
    Secrecy(String),
    /// No answer over HTTP.
    #[error("no answer: {}", chain(.0))]
    Http(#[from] reqwest::Error),
    /// There is no address for backends.
    #[error(transparent)]
    Loopback(#[from] control_plane::loopback::LoopbackError),
    /// All addresses for gateways are taken.
    #[error(
        "on all of 198.51.100.1 to 198.51.100.254 something listens on port 80; end what is not needed"
    )]
    NoAddress,
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The gateway's objects.
    #[error(transparent)]
    Istio(#[from] InstallError),
    /// The Knative stand-in.
    #[error(transparent)]
    Knative(#[from] StandInError),
    /// Knative Serving itself.
    #[error(transparent)]
    Serving(#[from] local_node::serving::ServingError),
    /// The programs under test.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// A process.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The operator ended, or does not become ready.
    #[error("the operator {problem}; its log ends with:\n{log}")]
    Operator {
        /// What happened.
        problem: String,
        /// The last lines of its log.
        log: String,
    },
    /// A file or folder.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The API server refused.
    #[error("{what}: {source}")]
    Kube {
        /// What was done.
        what: String,
        /// What it said.
        source: Box<kube::Error>,
    },
    /// A text is no manifest.
    #[error("not a manifest: {0}")]
    Manifest(String),
    /// A Secret is not as expected.
    #[error("cannot {what}: {problem}")]
    NoEntry {
        /// What was to be read.
        what: String,
        /// What is missing.
        problem: String,
    },
    /// The gateway was asked for and does not run.
    #[error("this world was started without a gateway")]
    NoGateway,
    /// kubectl ended with an error.
    #[error("kubectl {args} ended with {status}:\n{output}")]
    Kubectl {
        /// Its arguments.
        args: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it printed, both ways.
        output: String,
    },
    /// The libraries of GitOps tools could not be asked.
    #[error("gitops {command}: {problem}")]
    Gitops {
        /// What was asked.
        command: String,
        /// What went wrong.
        problem: String,
    },
}

/// An error with its causes: reqwest hides the telling ones.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
