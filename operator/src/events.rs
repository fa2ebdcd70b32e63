//! Kubernetes Events: what happened to an object, said once.
//!
//! An Event is published when something changed, never because a pass ran again. Publishing is a
//! matter of putting it into a queue: it can neither fail nor delay a pass. The queue is written
//! by one task, only while this process leads.

mod text;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds::{ConditionType, Reason};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::text::{NAME_MAX, NOTE_MAX, truncated};
use crate::chain::chain;
use crate::leader::Leadership;

/// Reported as the Events' `reportingController`.
pub const REPORTER: &str = "gatewaybinding.dev/operator";

/// Events that may wait to be written; when the API server is that far behind, more are dropped.
const QUEUE: usize = 512;

/// Notes remembered for folding repeated Events into series.
const NOTES: usize = 512;

/// Longest time for writing one Event; kube's client would retry for minutes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// What is to be told about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Normal or Warning.
    pub severity: Severity,
    /// Why, in CamelCase and of a closed set, e.g. `CreatedLoadBalancer`; at most 128 bytes.
    pub reason: String,
    /// What the operator did or tried, e.g. `Create`; at most 128 bytes.
    pub action: String,
    /// One sentence for people; cut at 1024 bytes.
    pub note: String,
}

/// How an Event is shown by `kubectl describe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// A person may have to look.
    Warning,
}

type Queued = (ObjectReference, Happening);
/// By object (uid) and action, what was last told.
type Told = HashMap<String, HashMap<String, Happening>>;

/// Publishes Events. Cheap to clone; clones share the queue and the memory of what was told.
#[derive(Clone, Debug)]
pub struct Events {
    queue: mpsc::Sender<Queued>,
    told: Arc<Mutex<Told>>,
}

/// The task that writes the queue to the API server.
pub struct EventWriter {
    client: kube::Client,
    reporter: Reporter,
    /// By note. A recorder folds what it is given again within minutes into a series of the first
    /// Event, and goes by reason and action alone, so that a different note would be lost.
    recorders: HashMap<String, Recorder>,
    queue: mpsc::Receiver<Queued>,
    leadership: Leadership,
}

impl Events {
    /// The publisher and its writer; `instance` (the pod's name) becomes `reportingInstance`.
    #[must_use]
    pub fn new(
        client: kube::Client,
        instance: &str,
        leadership: Leadership,
    ) -> (Self, EventWriter) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let reporter = Reporter {
            controller: REPORTER.into(),
            instance: Some(truncated(instance, NAME_MAX)),
        };
        let writer = EventWriter {
            client,
            reporter,
            recorders: HashMap::new(),
            queue,
            leadership,
        };
        let told = Arc::default();
        let events = Self {
            queue: sender,
            told,
        };
        (events, writer)
    }

    /// Tells what happened to `regarding`, unless the very same was the last thing told about it
    /// under the same action.
    pub fn publish(&self, regarding: &ObjectReference, happening: Happening) {
        let happening = Happening {
            reason: truncated(&happening.reason, NAME_MAX),
            action: truncated(&happening.action, NAME_MAX),
            note: truncated(&happening.note, NOTE_MAX),
            ..happening
        };
        if !self.is_new(regarding, &happening) {
            return;
        }
        if let Err(error) = self.queue.try_send((regarding.clone(), happening)) {
            tracing::warn!(%error, "event dropped");
        }
    }

    /// Tells which steps were carried out for `regarding`, if any were.
    pub fn applied(&self, regarding: &ObjectReference, steps: &[String]) {
        if steps.is_empty() {
            return;
        }
        let happening = Happening {
            severity: Severity::Normal,
            reason: "Applied".to_owned(),
            action: "Apply".to_owned(),
            note: steps.join(", "),
        };
        self.publish(regarding, happening);
    }

    /// Publishes one Event for each condition whose status or reason differs between two statuses
    /// of `regarding`, with the condition's type as action and its message as note.
    ///
    /// `Reconciling` comes and goes with every edit and `Pending` says that there is nothing to
    /// say yet: neither is worth an Event.
    pub fn transitions(
        &self,
        regarding: &ObjectReference,
        before: &[Condition],
        after: &[Condition],
    ) {
        for happening in transitions(before, after) {
            self.publish(regarding, happening);
        }
    }

    /// Forgets what was told about an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn is_new(&self, regarding: &ObjectReference, happening: &Happening) -> bool {
        let uid = regarding.uid.clone().unwrap_or_default();
        let mut told = self.lock();
        let last = told.entry(uid).or_default();
        last.insert(happening.action.clone(), happening.clone())
            .is_none_or(|before| before != *happening)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn transitions(before: &[Condition], after: &[Condition]) -> Vec<Happening> {
    let told = after.iter().filter(|now| {
        // `Ready` repeats what the others say, until it holds.
        let repeats = now.type_ == ConditionType::Ready.as_str() && now.status != "True";
        let passing = now.type_ == ConditionType::Reconciling.as_str();
        !repeats && !passing && now.reason != Reason::Pending.as_str()
    });
    let stalled = after
        .iter()
        .any(|now| now.type_ == ConditionType::Stalled.as_str());
    let changes = told.filter_map(|now| {
        let old = before.iter().find(|old| old.type_ == now.type_);
        let same = old.is_some_and(|old| old.status == now.status && old.reason == now.reason);
        (!same).then(|| Happening {
            severity: severity(old, now, stalled),
            reason: now.reason.clone(),
            action: now.type_.clone(),
            note: match now.message.as_str() {
                "" => format!("{} is {}.", now.type_, now.status),
                message => message.to_owned(),
            },
        })
    });
    changes.collect()
}

/// A warning is what a person has to mend, and what was fine and is so no longer; not what has
/// never been reached yet, nor what is only waited for.
fn severity(old: Option<&Condition>, now: &Condition, stalled: bool) -> Severity {
    let was_true = old.is_some_and(|old| old.status == "True");
    let warn = match ConditionType::parse(&now.type_) {
        Some(ConditionType::Stalled) => now.status == "True",
        Some(ConditionType::Accepted | ConditionType::ResolvedRefs) => {
            now.status == "False" && (stalled || was_true)
        }
        _ => now.status == "False" && was_true,
    };
    if warn {
        Severity::Warning
    } else {
        Severity::Normal
    }
}

impl EventWriter {
    /// Writes events until `shutdown`, then what is left in the queue.
    ///
    /// # Errors
    ///
    /// None; the type is what supervision expects. An Event that cannot be written is logged.
    pub async fn run(
        mut self,
        shutdown: CancellationToken,
    ) -> Result<(), std::convert::Infallible> {
        loop {
            let queued = tokio::select! {
                biased;
                queued = self.queue.recv() => queued,
                () = shutdown.cancelled() => break,
            };
            match queued {
                Some(queued) => self.write(queued).await,
                // All publishers are gone; supervision says when to end.
                None => {
                    shutdown.cancelled().await;
                    break;
                }
            }
        }
        while let Ok(queued) = self.queue.try_recv() {
            self.write(queued).await;
        }
        Ok(())
    }

    fn recorder(&mut self, note: &str) -> Recorder {
        if self.recorders.len() >= NOTES {
            self.recorders.clear();
        }
        let new = || Recorder::new(self.client.clone(), self.reporter.clone());
        let recorder = self.recorders.entry(note.to_owned()).or_insert_with(new);
        recorder.clone()
    }

    async fn write(&mut self, (regarding, happening): Queued) {
        if self.leadership.ensure_leading().is_err() {
            return;
        }
        let recorder = self.recorder(&happening.note);
        let reason = happening.reason.clone();
        let event = Event {
            type_: match happening.severity {
                Severity::Normal => EventType::Normal,
                Severity::Warning => EventType::Warning,
            },
            reason: happening.reason,
            note: Some(happening.note),
            action: happening.action,
            secondary: None,
        };
        let write = recorder.publish(&event, &regarding);
        match tokio::time::timeout(WRITE_TIMEOUT, write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(reason, error = chain(&error), "event not written"),
            Err(_) => tracing::warn!(reason, timeout = ?WRITE_TIMEOUT, "event not written"),
        }
    }
}

#[cfg(test)]
mod tests;
