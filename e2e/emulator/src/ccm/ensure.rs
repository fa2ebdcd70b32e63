//! One pass over one Service.

use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::annotations::Annotations;
use super::apply::{Apply, Local, Outcome};
use super::backends::Cluster;
use super::cleanup::preserves;
use super::cloud::{Args, Cloud, items, text};
use super::error::{SyncError, Within};
use super::events::Events;
use super::hash::service_hash;
use super::model::Names;
use super::needs::{has_finalizer, must_go, wants_load_balancer};
use super::service::{HASH_LABEL, Writer, label};
use super::{BackendMode, local, nlb};

/// What a pass works with.
pub(super) struct Pass<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) events: &'a Events,
    pub(super) writer: Writer,
    pub(super) cluster: Cluster,
    pub(super) cluster_id: &'a str,
    pub(super) backends: BackendMode,
    /// Whether the load balancer is a network one.
    pub(super) network: bool,
}

/// What came of it: the id of the load balancer as far as it is known, and how it ended.
pub(super) type Synced<T> = (String, Result<T, SyncError>);

impl Pass<'_> {
    /// Brings the load balancer in line with the Service. A failure is told in an event and is to be
    /// tried again.
    pub(super) async fn run(&self) -> Result<(), SyncError> {
        let Some(service) = self.writer.get().await? else {
            return Ok(());
        };
        let names = Names::of(&service, self.cluster_id);
        if must_go(&service) {
            return self.clean(&service, &names).await;
        }
        if !wants_load_balancer(&service) {
            return Ok(());
        }
        self.writer.add_finalizer(&service).await?;
        let (id, outcome) = self.ensure(&service, &names).await;
        let (kind, reason, note) = match &outcome {
            Ok(()) => (
                "Normal",
                "EnsuredLoadBalancer",
                format!("Ensured load balancer [{id}]"),
            ),
            Err(error) => (
                "Warning",
                "SyncLoadBalancerFailed",
                format!("Error syncing load balancer [{id}]: {}", error.told()),
            ),
        };
        self.events.told(&service, kind, reason, note).await;
        outcome
    }

    async fn clean(&self, service: &Service, names: &Names) -> Result<(), SyncError> {
        if has_finalizer(service) {
            let (id, outcome) = match self.network {
                true => nlb::take_down(self, service, names).await,
                false => {
                    let outcome = self.apply(service, names, self.going(service)).await;
                    (outcome.id(), outcome.result)
                }
            };
            let gone = match self.network {
                true => "ResourceNotFound.loadBalancer",
                false => "LoadBalancerId does not exist",
            };
            let gone = |error: &SyncError| error.to_string().contains(gone);
            if let Some(error) = outcome.err().filter(|error| !gone(error)) {
                let note = format!("Error deleting load balancer [{id}]: {}", error.told());
                let reason = "CleanLoadBalancerFailed";
                self.events.told(service, "Warning", reason, note).await;
                return Err(error);
            }
            self.writer.clear(service).await?;
        }
        let note = "Clean load balancer".to_owned();
        let reason = "CleanLoadBalancer";
        self.events.told(service, "Normal", reason, note).await;
        Ok(())
    }

    fn going(&self, service: &Service) -> Local {
        Local {
            preserved: preserves(Annotations::of(service)),
            is_going: true,
            ..Local::default()
        }
    }

    async fn ensure(&self, service: &Service, names: &Names) -> Synced<()> {
        if self.network {
            return nlb::ensure(self, service, names).await;
        }
        let local = match local::build(self, service, names).await {
            Ok(local) => local,
            Err(error) => {
                return (
                    String::new(),
                    Err(error.within("build lb local model error")),
                );
            }
        };
        let outcome = self.apply(service, names, local).await;
        let id = outcome.id();
        if let Err(error) = outcome.result {
            return (id, Err(error));
        }
        let written = self.write(service, &outcome.remote).await;
        (id, written)
    }

    async fn apply(&self, service: &Service, names: &Names, local: Local) -> Outcome {
        let hash = service_hash(service);
        let apply = Apply {
            pass: self,
            service,
            names,
            annotations: Annotations::of(service),
            moved: label(service, HASH_LABEL) != Some(hash.as_str()),
        };
        let mut outcome = apply.run(local).await;
        outcome.result = outcome.result.within("apply model error");
        outcome
    }

    async fn write(&self, service: &Service, balancer: &Value) -> Result<(), SyncError> {
        let id = text(balancer, "LoadBalancerId");
        let hash = service_hash(service);
        self.writer.write_labels(service, &hash, id).await?;
        let ingress = self.ingress(service, balancer).await;
        self.writer.write_ingress(service, &ingress).await
    }

    /// Host name before EIP before the address itself.
    async fn ingress(&self, service: &Service, balancer: &Value) -> Value {
        let annotations = Annotations::of(service);
        let mut found = Vec::new();
        if annotations.get("external-ip-type") == Some("eip") {
            found = self.elastic_addresses(balancer).await;
            if found.is_empty() {
                let note = "get eip error, set external ip to slb ip".to_owned();
                let reason = "FailedSetEIPAddress";
                self.events.told(service, "Warning", reason, note).await;
            }
        }
        if let Some(host) = annotations.get("hostname") {
            return json!([{"hostname": host}]);
        }
        if found.is_empty() {
            found.push(text(balancer, "Address").to_owned());
        }
        found.iter().map(|ip| json!({"ip": ip})).collect()
    }

    async fn elastic_addresses(&self, balancer: &Value) -> Vec<String> {
        let args = Args::default()
            .with("AssociatedInstanceType", "SlbInstance")
            .with("AssociatedInstanceId", text(balancer, "LoadBalancerId"))
            .with("PageSize", 10)
            .with("PageNumber", 1);
        let answer = self.cloud.vpc("DescribeEipAddresses", args).await;
        let answer = answer.unwrap_or_default();
        let bound = items(&answer, "EipAddresses", "EipAddress").iter();
        bound.map(|eip| text(eip, "IpAddress").to_owned()).collect()
    }
}
