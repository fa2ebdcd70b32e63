//! Runs a reconciler over a queue of object references: one pass per object at a time, bounded,
//! debounced, edits before checks, and measured. A pass that panics is the end of that pass only.

use std::collections::HashMap;
use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use kube::Resource;
use kube::runtime::reflector::{ObjectRef, Store};
use rand::Rng;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::line::{Lane, Line};
use crate::backoff::ObjectKey;
use crate::metrics::ReconcileOutcome;
use crate::supervise::payload_text;

/// The longest a pass may take; what is cut off is taken up again by the next one.
const PASS: Duration = Duration::from_secs(120);

/// Those who wait for the same moment come within a tenth of this.
const RUSH: Duration = Duration::from_secs(10);

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
    /// More is known after so long.
    Later(Duration),
    /// Try again with backoff, and not before the cloud allows it.
    Retry {
        /// How long the cloud asks to wait.
        after: Option<Duration>,
        /// Whether it was cluster or cloud that failed, whatever the object.
        outage: bool,
    },
    /// Nothing was tried, since the account does not answer: again when it is asked again.
    Paused {
        /// How long that is.
        left: Duration,
    },
    /// The object is gone, or will be seen again when it has changed.
    Done,
}

/// The end of a queue that asks for passes. Clones share it.
pub struct Asker<K: Resource>(UnboundedSender<Asked<K>>);

/// The other end.
pub type Requests<K> = UnboundedReceiver<Asked<K>>;

/// That an object is to be looked at, and why.
pub type Asked<K> = (ObjectRef<K>, Lane);

impl<K: Resource> Clone for Asker<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Resource<DynamicType = ()>> Asker<K> {
    /// The object, or something that it depends on, has changed.
    pub fn edited(&self, object: ObjectRef<K>) {
        self.ask(object, Lane::Edit);
    }

    /// The object is to be looked at, and nobody waits for it.
    pub fn check(&self, object: ObjectRef<K>) {
        self.ask(object, Lane::Check);
    }

    /// The object is to be looked at.
    pub fn ask(&self, object: ObjectRef<K>, lane: Lane) {
        // Without a receiver the process is on its way out.
        let _ = self.0.send((object, lane));
    }
}

/// Both ends of a queue.
pub fn queue<K: Resource>() -> (Asker<K>, Requests<K>) {
    let (sender, receiver) = unbounded_channel();
    (Asker(sender), receiver)
}

/// What a queue does.
#[derive(Clone)]
pub struct Work<Reconcile, Tell> {
    /// Kind in metrics, backoff and logs.
    pub kind: &'static str,
    /// One pass over one object.
    pub reconcile: Reconcile,
    /// Says on an object that a pass over it panicked.
    pub tell: Tell,
}

/// Who waits for a pass.
#[derive(Clone)]
struct Turn {
    lane: Lane,
    /// The object, or something that it depends on, has changed since.
    edited: CancellationToken,
}

tokio::task_local! {
    static TURN: Turn;
}

/// Whether the pass in hand was asked for by a change, or is waited for by one, so that somebody may
/// wait for it.
pub fn is_edit() -> bool {
    TURN.try_with(|turn| turn.lane == Lane::Edit || turn.edited.is_cancelled())
        .unwrap_or(true)
}

/// Resolves once a change waits for the pass in hand; never outside of one.
pub async fn edited() {
    match TURN.try_with(|turn| turn.edited.clone()) {
        Ok(edited) => edited.cancelled().await,
        Err(_) => std::future::pending().await,
    }
}

/// Runs until the queue's senders are gone or the process shuts down, and then until the passes in
/// hand have ended.
pub async fn run<K, F, T>(
    work: Work<impl Fn(Arc<K>, Arc<Context>) -> F, impl Fn(Arc<K>, Arc<Context>) -> T>,
    context: Arc<Context>,
    store: Store<K>,
    mut requests: Requests<K>,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    F: Future<Output = Ended>,
    T: Future<Output = ()>,
{
    let runtime = &context.runtime;
    let shutdown = runtime.shutdown.clone();
    let mut line = Line::new(usize::from(runtime.args.concurrency.get()));
    let mut passes = FuturesUnordered::new();
    let mut running: HashMap<ObjectRef<K>, CancellationToken> = HashMap::new();
    let mut open = true;
    while open || !passes.is_empty() {
        while open && let Some((key, lane)) = line.next(Instant::now()) {
            let stored = store.get(&key);
            let (work, context) = (&work, &context);
            let edited = CancellationToken::new();
            running.insert(key.clone(), edited.clone());
            let turn = Turn { lane, edited };
            passes.push(async move {
                let again = match stored {
                    Some(object) => one(work, object, context, turn).await,
                    None => None,
                };
                (key, again)
            });
        }
        runtime.metrics.queue_depth(work.kind, line.waiting());
        let due = line.due();
        let wake = async {
            match due {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shutdown.cancelled(), if open => open = false,
            request = requests.recv(), if open => match request {
                Some((key, lane)) => {
                    if let (Lane::Edit, Some(edited)) = (lane, running.get(&key)) {
                        edited.cancel();
                    }
                    line.ask(key, lane, Instant::now());
                }
                None => open = false,
            },
            Some((key, again)) = passes.next() => {
                running.remove(&key);
                line.ended(&key, again, Instant::now());
                // Passes that wait for nothing follow each other: others of this process come between.
                tokio::task::yield_now().await;
            }
            () = wake, if open => {}
        }
    }
}

/// One pass, and when the object's next one is due.
async fn one<K, F, T>(
    work: &Work<impl Fn(Arc<K>, Arc<Context>) -> F, impl Fn(Arc<K>, Arc<Context>) -> T>,
    object: Arc<K>,
    context: &Arc<Context>,
    turn: Turn,
) -> Option<(Instant, Lane)>
where
    K: Resource<DynamicType = ()>,
    F: Future<Output = Ended>,
    T: Future<Output = ()>,
{
    let kind = work.kind;
    let key = ObjectKey::of(kind, object.as_ref());
    let started = Instant::now();
    let runtime = &context.runtime;
    let pass = async { (work.reconcile)(object.clone(), context.clone()).await };
    let lane = turn.lane;
    let pass = TURN.scope(turn, AssertUnwindSafe(pass).catch_unwind());
    let ended = match tokio::time::timeout(PASS, pass).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(panic)) => {
            let told = async { (work.tell)(object, context.clone()).await };
            panicked(&key, &payload_text(&*panic), told).await;
            runtime
                .metrics
                .reconciled(kind, ReconcileOutcome::Panicked, started.elapsed());
            return Some((after(runtime.backoff.next(&key, None)), Lane::Check));
        }
        Err(_) => {
            tracing::warn!(
                kind,
                namespace = key.namespace,
                name = key.name,
                "pass cut off"
            );
            Ended::Retry {
                after: None,
                outage: false,
            }
        }
    };
    let outcome = match &ended {
        Ended::Converged { .. } | Ended::Done => ReconcileOutcome::Converged,
        Ended::Stuck => ReconcileOutcome::Terminal,
        Ended::Waiting | Ended::Later(_) => ReconcileOutcome::Waiting,
        Ended::Retry { .. } | Ended::Paused { .. } => ReconcileOutcome::Retry,
    };
    runtime.metrics.reconciled(kind, outcome, started.elapsed());
    if !matches!(ended, Ended::Retry { .. } | Ended::Paused { .. }) {
        runtime.backoff.reset(&key);
    }
    let interval = runtime.args.drift_interval;
    let (delay, lane) = match ended {
        Ended::Converged { within } => {
            let within = within.map_or(interval, |within| within.min(interval));
            (jittered(within), Lane::Check)
        }
        Ended::Stuck => (jittered(interval), Lane::Check),
        Ended::Waiting => (jittered(interval.min(Duration::from_secs(30))), Lane::Check),
        Ended::Later(delay) => (jittered(delay), lane),
        // What failed once is still waited for by whoever waited for it before.
        Ended::Retry {
            after,
            outage: true,
        } => (runtime.backoff.next_in_outage(&key, after), lane),
        Ended::Retry { after, .. } => (runtime.backoff.next(&key, after), lane),
        Ended::Paused { left } => (left + jittered(RUSH) - RUSH, lane),
        Ended::Done => return None,
    };
    Some((after(delay), lane))
}

/// A pass panicked: that is told, in the log and on the object, and nothing else comes of it.
async fn panicked(key: &ObjectKey, panic: &str, told: impl Future<Output = ()>) {
    tracing::error!(
        kind = key.kind,
        namespace = key.namespace,
        name = key.name,
        panic,
        "a pass panicked; this is a defect"
    );
    if AssertUnwindSafe(told).catch_unwind().await.is_err() {
        tracing::error!(
            kind = key.kind,
            namespace = key.namespace,
            name = key.name,
            "telling so panicked as well"
        );
    }
}

fn after(delay: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(delay).unwrap_or(now)
}

/// Up to a tenth longer, so that objects that came together do not come back together.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(1.0..1.1))
}

#[cfg(test)]
mod tests;
