//! Events on Services, best effort as CCM's are.

use k8s_openapi::api::core::v1::Service;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

/// Publishes events as `service-controller`.
#[derive(Clone)]
pub(super) struct Events(Recorder);

impl Events {
    pub(super) fn new(client: Client) -> Self {
        let reporter = Reporter {
            controller: "service-controller".to_owned(),
            instance: None,
        };
        Self(Recorder::new(client, reporter))
    }

    pub(super) async fn normal(&self, service: &Service, reason: &str, note: String) {
        self.publish(service, EventType::Normal, reason, note).await;
    }

    pub(super) async fn warning(&self, service: &Service, reason: &str, note: String) {
        self.publish(service, EventType::Warning, reason, note)
            .await;
    }

    async fn publish(&self, service: &Service, type_: EventType, reason: &str, note: String) {
        // The API server takes notes up to 1 kB.
        let note = note.chars().take(1000).collect();
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.0.publish(&event, &service.object_ref(&())).await {
            tracing::debug!(%error, reason, "an event was not published");
        }
    }
}
