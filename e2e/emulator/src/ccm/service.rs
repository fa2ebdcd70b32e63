//! The writes to the Service, in CCM's form: merge patches, labels through `/status`.

use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::error::SyncError;
use super::needs::has;

pub(super) const HASH_LABEL: &str = "service.beta.kubernetes.io/hash";
pub(super) const ID_LABEL: &str = "service.k8s.alibaba/loadbalancer-id";

/// Writes to one Service.
pub(super) struct Writer {
    api: Api<Service>,
    name: String,
    finalizer: &'static str,
}

fn params() -> PatchParams {
    PatchParams {
        field_manager: Some("cloud-controller-manager".to_owned()),
        ..PatchParams::default()
    }
}

impl Writer {
    pub(super) fn new(
        client: Client,
        namespace: &str,
        name: &str,
        finalizer: &'static str,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            finalizer,
        }
    }

    pub(super) async fn get(&self) -> Result<Option<Service>, SyncError> {
        Ok(self.api.get_opt(&self.name).await?)
    }

    async fn patch(&self, patch: &Value) -> Result<(), SyncError> {
        self.api
            .patch(&self.name, &params(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    async fn patch_status(&self, patch: &Value) -> Result<(), SyncError> {
        self.api
            .patch_status(&self.name, &params(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    pub(super) async fn add_finalizer(&self, service: &Service) -> Result<(), SyncError> {
        if has(service, self.finalizer) {
            return Ok(());
        }
        let mut finalizers = service.metadata.finalizers.clone().unwrap_or_default();
        finalizers.push(self.finalizer.to_owned());
        self.patch(&finalizer_patch(service, &json!(finalizers)))
            .await
    }

    /// Writes the labels that differ; an empty patch when none does, as CCM sends it.
    pub(super) async fn write_labels(
        &self,
        service: &Service,
        hash: &str,
        balancer: &str,
    ) -> Result<(), SyncError> {
        let mut labels = serde_json::Map::new();
        for (key, value) in [(HASH_LABEL, hash), (ID_LABEL, balancer)] {
            if label(service, key) != Some(value) {
                labels.insert(key.to_owned(), json!(value));
            }
        }
        let patch = if labels.is_empty() {
            json!({})
        } else {
            json!({"metadata": {"labels": labels}})
        };
        self.patch_status(&patch).await
    }

    pub(super) async fn write_ingress(
        &self,
        service: &Service,
        ingress: &Value,
    ) -> Result<(), SyncError> {
        let current = service
            .status
            .as_ref()
            .and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref())
            .and_then(|ingress| serde_json::to_value(ingress).ok());
        if current.as_ref() == Some(ingress) {
            return Ok(());
        }
        // `ipMode` is filled in by the API server, so compare what CCM writes: address and host.
        let bare = |value: &Value| -> Vec<(Value, Value)> {
            let items = value.as_array().into_iter().flatten();
            items
                .map(|item| (item["ip"].clone(), item["hostname"].clone()))
                .collect()
        };
        if current.as_ref().map(bare) == Some(bare(ingress)) {
            return Ok(());
        }
        self.patch_status(&json!({"status": {"loadBalancer": {"ingress": ingress}}}))
            .await
    }

    /// Takes labels, status and finalizer off again, each only where it is.
    pub(super) async fn clear(&self, service: &Service) -> Result<(), SyncError> {
        let own: serde_json::Map<String, Value> = [HASH_LABEL, ID_LABEL]
            .into_iter()
            .filter(|key| label(service, key).is_some())
            .map(|key| (key.to_owned(), Value::Null))
            .collect();
        if !own.is_empty() {
            self.patch_status(&json!({"metadata": {"labels": own}}))
                .await?;
        }
        if published_ip(service).is_some() || has_ingress(service) {
            self.patch_status(&json!({"status": {"loadBalancer": {"ingress": null}}}))
                .await?;
        }
        let Some(current) = self.get().await? else {
            return Ok(());
        };
        if !has(&current, self.finalizer) {
            return Ok(());
        }
        let mut finalizers = current.metadata.finalizers.clone().unwrap_or_default();
        finalizers.retain(|finalizer| finalizer != self.finalizer);
        let value = if finalizers.is_empty() {
            Value::Null
        } else {
            json!(finalizers)
        };
        self.patch(&finalizer_patch(&current, &value)).await
    }
}

fn finalizer_patch(service: &Service, finalizers: &Value) -> Value {
    json!({"metadata": {"finalizers": finalizers, "resourceVersion": service.metadata.resource_version}})
}

pub(super) fn label<'a>(service: &'a Service, key: &str) -> Option<&'a str> {
    service
        .metadata
        .labels
        .as_ref()?
        .get(key)
        .map(String::as_str)
}

fn has_ingress(service: &Service) -> bool {
    let status = service
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    status.is_some_and(|status| {
        status
            .ingress
            .as_ref()
            .is_some_and(|ingress| !ingress.is_empty())
    })
}

/// The address of the first entry in the status, which may be empty; none without an entry.
pub(super) fn first_ingress_ip(service: &Service) -> Option<&str> {
    let balancer = service.status.as_ref()?.load_balancer.as_ref()?;
    let first = balancer.ingress.as_ref()?.first()?;
    Some(first.ip.as_deref().unwrap_or_default())
}

/// The first address in the status.
fn published_ip(service: &Service) -> Option<&str> {
    let ingress = service
        .status
        .as_ref()?
        .load_balancer
        .as_ref()?
        .ingress
        .as_ref()?;
    ingress.iter().find_map(|entry| entry.ip.as_deref())
}
