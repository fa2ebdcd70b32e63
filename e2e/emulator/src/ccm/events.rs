//! Events on Services and on what else a stand-in cares for, best effort as CCM's are: core/v1, equal ones counted in one object.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Publishes events in the name of a controller.
#[derive(Clone)]
pub(crate) struct Events {
    client: Client,
    component: &'static str,
    counts: Arc<Mutex<HashMap<String, i32>>>,
}

/// Counts kept; beyond that all start anew.
const REMEMBERED: usize = 10_000;

impl Events {
    pub(crate) fn new(client: Client, component: &'static str) -> Self {
        Self {
            client,
            component,
            counts: Arc::default(),
        }
    }

    /// An event on a Service.
    pub(super) async fn told(&self, service: &Service, kind: &str, reason: &str, message: String) {
        self.publish(&service.object_ref(&()), kind, reason, message)
            .await;
    }

    /// An event on any object; that of one without a namespace is in `default`.
    pub(crate) async fn publish(
        &self,
        object: &ObjectReference,
        kind: &str,
        reason: &str,
        message: String,
    ) {
        // The API server takes messages up to 1 kB.
        let message: String = message.chars().take(1000).collect();
        let event = self.described(object, kind, reason, message);
        let namespace = event.namespace().unwrap_or_default();
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
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

    /// The name follows the content, so that equal events share an object.
    fn described(
        &self,
        object: &ObjectReference,
        kind: &str,
        reason: &str,
        message: String,
    ) -> Event {
        let uid = object.uid.clone().unwrap_or_default();
        let digest = hex::encode(Sha256::digest(format!("{uid}/{kind}/{reason}/{message}")));
        let suffix: String = digest.chars().take(16).collect();
        let now = Some(Time(Timestamp::now()));
        let name = object.name.clone().unwrap_or_default();
        let namespace = object.namespace.clone();
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{suffix}")),
                namespace: Some(namespace.unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            involved_object: object.clone(),
            type_: Some(kind.to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(message),
            count: Some(1),
            first_timestamp: now.clone(),
            last_timestamp: now,
            source: Some(EventSource {
                component: Some(self.component.to_owned()),
                host: None,
            }),
            ..Event::default()
        }
    }
}
