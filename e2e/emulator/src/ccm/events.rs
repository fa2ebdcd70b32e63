//! Events on Services, best effort as CCM's are: core/v1, equal ones counted in one object.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Publishes events as `service-controller`.
#[derive(Clone)]
pub(super) struct Events {
    client: Client,
    counts: Arc<Mutex<HashMap<String, i32>>>,
}

/// Counts kept; beyond that all start anew.
const REMEMBERED: usize = 10_000;

impl Events {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            counts: Arc::default(),
        }
    }

    pub(super) async fn normal(&self, service: &Service, reason: &str, message: String) {
        self.publish(service, "Normal", reason, message).await;
    }

    pub(super) async fn warning(&self, service: &Service, reason: &str, message: String) {
        self.publish(service, "Warning", reason, message).await;
    }

    async fn publish(&self, service: &Service, kind: &str, reason: &str, message: String) {
        // The API server takes messages up to 1 kB.
        let message: String = message.chars().take(1000).collect();
        let event = described(service, kind, reason, message);
        let api: Api<Event> = Api::namespaced(
            self.client.clone(),
            &service.namespace().unwrap_or_default(),
        );
        let name = event.name_any();
        let count = self.count(&name);
        let outcome = if count == 1 {
            api.create(&PostParams::default(), &event).await
        } else {
            let again = json!({"count": count, "lastTimestamp": event.last_timestamp});
            api.patch(&name, &PatchParams::default(), &Patch::Merge(again))
                .await
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, reason, "an event was not published");
        }
    }

    fn count(&self, name: &str) -> i32 {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() > REMEMBERED {
            counts.clear();
        }
        let count = counts.entry(name.to_owned()).or_default();
        *count += 1;
        *count
    }
}

/// The name follows the content, so that equal events share an object.
fn described(service: &Service, kind: &str, reason: &str, message: String) -> Event {
    let uid = service.uid().unwrap_or_default();
    let digest = hex::encode(Sha256::digest(format!("{uid}/{kind}/{reason}/{message}")));
    let suffix: String = digest.chars().take(16).collect();
    let now = Some(Time(Timestamp::now()));
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{suffix}", service.name_any())),
            namespace: service.namespace(),
            ..ObjectMeta::default()
        },
        involved_object: service.object_ref(&()),
        type_: Some(kind.to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message),
        count: Some(1),
        first_timestamp: now.clone(),
        last_timestamp: now,
        source: Some(EventSource {
            component: Some("service-controller".to_owned()),
            host: None,
        }),
        ..Event::default()
    }
}
