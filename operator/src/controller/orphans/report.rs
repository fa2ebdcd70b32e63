//! Orphans on their way into the class's status, events and metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::v1alpha1::{GatewayBindingClass, GatewayBindingClassStatus, OrphanCause, OrphanPolicy};
use kube::{Api, Resource};

use super::Sweep;
use crate::controller::cloud::Trouble;
use crate::controller::writes;
use crate::core::orphans::memory::{Memory, status};
use crate::core::orphans::{Id, Judged};
use crate::events::{Happening, Severity};

/// Orphans that an event names at the most.
const NAMED: usize = 5;

impl Sweep<'_> {
    /// Writes status if it differs, and tells of those that count from now on.
    pub(super) async fn publish(&self, memory: &Memory, news: &[Id]) {
        let judged = memory.judged();
        self.measure(&judged);
        let (orphans, orphans_omitted) = status(&judged);
        let context = self.context;
        let class = context.classes.newest(Arc::new(self.class.clone()));
        let before = class.status.clone().unwrap_or_default();
        let after = GatewayBindingClassStatus {
            orphans,
            orphans_omitted,
            ..before.clone()
        };
        if before != after {
            let api: Api<GatewayBindingClass> = Api::all(context.runtime.client.clone());
            match writes::status(&api, &*class, &after, context).await {
                Ok(written) => drop(context.classes.wrote(written)),
                Err(trouble) => {
                    tracing::warn!(message = trouble.problem.message, "status not written");
                }
            }
        }
        // What was left on purpose is no news.
        let told = judged
            .iter()
            .filter(|orphan| news.contains(&orphan.id) && orphan.cause != OrphanCause::Retained);
        self.tell_found(&told.collect::<Vec<_>>());
    }

    fn measure(&self, judged: &[Judged]) {
        let mut counts = BTreeMap::new();
        for orphan in judged.iter().filter(|orphan| orphan.confirmed) {
            let series = (orphan.id.kind.as_str(), orphan.cause.as_str());
            *counts.entry(series).or_insert(0) += 1;
        }
        self.context.runtime.metrics.orphans(&self.name, &counts);
    }

    fn tell_found(&self, orphans: &[&Judged]) {
        if orphans.is_empty() {
            return;
        }
        let named = orphans.iter().take(NAMED).map(|orphan| {
            let kind = orphan.id.kind.as_str();
            format!("{kind} {} (of {})", orphan.name, orphan.owner)
        });
        let mut text = named.collect::<Vec<_>>().join(", ");
        if orphans.len() > NAMED {
            text.push_str(&format!(" and {} more", orphans.len() - NAMED));
        }
        let next = match self.class.spec.orphan_policy() {
            OrphanPolicy::Report => "They are left: spec.orphans.policy is Report.",
            OrphanPolicy::Collect => {
                "Those whose owner was seen to go are removed once nothing depends on them."
            }
        };
        self.tell(
            Severity::Warning,
            "OrphansFound",
            "Sweep",
            format!("Without an owner: {text}. {next} See status.orphans."),
        );
    }

    /// Tells what a collection did, and why it ended early.
    pub(super) fn tell_collected(&self, done: &[String], trouble: Option<Trouble>) {
        if !done.is_empty() {
            let note = done.join(", ");
            self.tell(Severity::Normal, "OrphansCollected", "Collect", note);
        }
        if let Some(trouble) = trouble {
            let note = trouble.problem.message;
            tracing::warn!(class = self.name, message = note, "orphans not collected");
            self.tell(Severity::Warning, "CollectFailed", "Collect", note);
        }
    }

    fn tell(&self, severity: Severity, reason: &str, action: &str, note: String) {
        let regarding = self.class.object_ref(&());
        let happening = Happening {
            severity,
            reason: reason.to_owned(),
            action: action.to_owned(),
            note,
        };
        self.context.runtime.events.publish(&regarding, happening);
    }
}
