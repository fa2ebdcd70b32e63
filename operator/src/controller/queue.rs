//! Runs a reconciler over a queue of object references: one pass per object at a time, bounded,
//! debounced, and measured.

use std::convert::Infallible;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use kube::Resource;
use kube::runtime::controller::{self, Action, ReconcileRequest, applier};
use kube::runtime::reflector::{ObjectRef, Store};
use rand::Rng;
use tokio::sync::mpsc::UnboundedReceiver;

use super::context::Context;
use crate::backoff::ObjectKey;
use crate::metrics::ReconcileOutcome;

/// Changes that come within this time are one pass.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// The longest a pass may take; what is cut off is taken up again by the next one.
const PASS: Duration = Duration::from_secs(120);

/// How a pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All is as it should be: look again after the drift interval, or within this time.
    Converged {
        /// The latest time to look again.
        within: Option<Duration>,
    },
    /// A person has to act; the world is looked at again after the drift interval all the same.
    Stuck,
    /// Something is to come, and its coming is watched; look again after a while all the same.
    Waiting,
    /// Try again with backoff, and not before the cloud allows it.
    Retry {
        /// How long the cloud asks to wait.
        after: Option<Duration>,
    },
    /// The object is gone, or will be seen again when it has changed.
    Done,
}

/// Runs until the queue's senders are gone or the process shuts down.
pub async fn run<K, F>(
    kind: &'static str,
    context: Arc<Context>,
    store: Store<K>,
    requests: UnboundedReceiver<ObjectRef<K>>,
    reconcile: impl Fn(Arc<K>, Arc<Context>) -> F + Clone + Send + 'static,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Debug + Unpin,
    F: Future<Output = Ended> + Send,
{
    let shutdown = context.runtime.shutdown.clone();
    let concurrency = context.runtime.args.concurrency.get();
    let requests = futures::stream::unfold(requests, |mut requests| async move {
        let request = requests.recv().await?;
        Some((
            Ok::<_, Infallible>(ReconcileRequest::from(request)),
            requests,
        ))
    });
    let requests = requests.take_until(shutdown.cancelled_owned());
    let pass = move |object: Arc<K>, context: Arc<Context>| {
        let reconcile = reconcile.clone();
        Box::pin(async move { Ok::<_, Infallible>(one(kind, object, context, reconcile).await) })
    };
    let config = controller::Config::default()
        .concurrency(concurrency)
        .debounce(DEBOUNCE);
    applier(
        pass,
        |_, _, _| Action::await_change(),
        context,
        store,
        requests.boxed(),
        config,
    )
    .into_stream()
    .for_each(|_| async {})
    .await;
}

async fn one<K, F>(
    kind: &'static str,
    object: Arc<K>,
    context: Arc<Context>,
    reconcile: impl Fn(Arc<K>, Arc<Context>) -> F,
) -> Action
where
    K: Resource<DynamicType = ()>,
    F: Future<Output = Ended>,
{
    let key = ObjectKey::of(kind, object.as_ref());
    let started = Instant::now();
    let runtime = context.runtime.clone();
    let ended = tokio::time::timeout(PASS, reconcile(object, context))
        .await
        .unwrap_or_else(|_| {
            tracing::warn!(
                kind,
                namespace = key.namespace,
                name = key.name,
                "pass cut off"
            );
            Ended::Retry { after: None }
        });
    let outcome = match &ended {
        Ended::Converged { .. } | Ended::Done => ReconcileOutcome::Converged,
        Ended::Stuck => ReconcileOutcome::Terminal,
        Ended::Waiting => ReconcileOutcome::Waiting,
        Ended::Retry { .. } => ReconcileOutcome::Retry,
    };
    runtime.metrics.reconciled(kind, outcome, started.elapsed());
    if !matches!(ended, Ended::Retry { .. }) {
        runtime.backoff.reset(&key);
    }
    let interval = runtime.args.drift_interval;
    match ended {
        Ended::Converged { within } => {
            let within = within.map_or(interval, |within| within.min(interval));
            Action::requeue(jittered(within))
        }
        Ended::Stuck => Action::requeue(jittered(interval)),
        Ended::Waiting => Action::requeue(jittered(interval.min(Duration::from_secs(30)))),
        Ended::Retry { after } => Action::requeue(runtime.backoff.next(&key, after)),
        Ended::Done => Action::await_change(),
    }
}

/// Up to a tenth longer, so that objects that came together do not come back together.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(1.0..1.1))
}
