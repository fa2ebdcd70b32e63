//! What every controller gets from the process it runs in.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::args::RunArgs;
use crate::backoff::Backoff;
use crate::events::Events;
use crate::health::Readiness;
use crate::leader::Leadership;
use crate::metrics::Metrics;

/// The shared parts of a running operator. Clones share them.
#[derive(Clone)]
pub struct Runtime {
    /// Client of the cluster.
    pub client: kube::Client,
    /// The command line.
    pub args: Arc<RunArgs>,
    /// What is measured.
    pub metrics: Metrics,
    /// What `/readyz` waits for.
    pub readiness: Readiness,
    /// Whether writing is allowed; asked before every write.
    pub leadership: Leadership,
    /// Delays after errors, by object.
    pub backoff: Backoff,
    /// Kubernetes Events.
    pub events: Events,
    /// Cancelled when controllers are to finish what they are doing and end.
    pub shutdown: CancellationToken,
}
