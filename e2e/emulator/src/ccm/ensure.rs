//! One pass over one Service.

use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::annotations::Annotations;
use super::backends::{self, Cluster};
use super::cloud::{Args, Cloud, items, text};
use super::error::SyncError;
use super::events::Events;
use super::groups::Wanted;
use super::hash::service_hash;
use super::model::{Model, Names, build};
use super::needs::{has_finalizer, must_go, wants_load_balancer};
use super::service::{HASH_LABEL, Writer, label, published_ip};
use super::{BackendMode, attributes, cleanup, create, groups, listeners, nlb, reuse};

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

/// The listeners of a load balancer that a Service has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listeners {
    /// It was made just now, so there is none yet.
    OfNewOne,
    /// All of them.
    All,
    /// Others made it, and its listeners are not touched.
    None,
}

impl Pass<'_> {
    /// Brings the load balancer in line with the Service. A failure is told in an event and is to be
    /// tried again.
    pub(super) async fn run(&self) -> Result<(), SyncError> {
        let Some(service) = self.writer.get().await? else {
            return Ok(());
        };
        let names = Names::of(&service, self.cluster_id);
        if must_go(&service) {
            if has_finalizer(&service) {
                return self.clean(&service, &names).await;
            }
            return Ok(());
        }
        if !wants_load_balancer(&service) {
            return Ok(());
        }
        let mut seen_id = String::new();
        let outcome = self.ensure(&service, &names, &mut seen_id).await;
        match &outcome {
            Ok(()) => {
                let note = format!("Ensured load balancer [{seen_id}]");
                self.events
                    .normal(&service, "EnsuredLoadBalancer", note)
                    .await;
            }
            Err(error) => {
                let note = format!("Error syncing load balancer [{seen_id}]: {error}");
                self.events
                    .warning(&service, "SyncLoadBalancerFailed", note)
                    .await;
            }
        }
        outcome
    }

    async fn clean(&self, service: &Service, names: &Names) -> Result<(), SyncError> {
        if cleanup::preserves(Annotations::of(service)) {
            let id = label(service, super::service::ID_LABEL).unwrap_or_default();
            let note = format!("The lb [{id}] will be preserved after the service is deleted.");
            self.events
                .warning(service, "PreservedOnDelete", note)
                .await;
        }
        let outcome = match self.network {
            true => nlb::take_down(self.cloud, service, names).await,
            false => cleanup::take_down(self.cloud, service, names).await,
        };
        if let Err(error) = &outcome {
            let id = label(service, super::service::ID_LABEL).unwrap_or_default();
            let note = format!("Error deleting load balancer [{id}]: {error}");
            self.events
                .warning(service, "CleanLoadBalancerFailed", note)
                .await;
        }
        outcome?;
        self.writer.clear(service).await?;
        self.events
            .normal(
                service,
                "CleanLoadBalancer",
                "Clean load balancer".to_owned(),
            )
            .await;
        Ok(())
    }

    async fn ensure(
        &self,
        service: &Service,
        names: &Names,
        seen_id: &mut String,
    ) -> Result<(), SyncError> {
        self.writer.add_finalizer(service).await?;
        if self.network {
            return nlb::ensure(self, service, names, seen_id).await;
        }
        let model = build(service, names, self.backends)?;
        let wanted = self.wanted_groups(service, &model).await?;
        let hash = service_hash(service);
        let balancer = if label(service, HASH_LABEL) == Some(hash.as_str()) {
            self.refresh_backends(service, names, &model, &wanted, seen_id)
                .await?
        } else {
            self.apply_all(service, names, &model, &wanted, seen_id)
                .await?
        };
        self.writer.write_labels(service, &hash, seen_id).await?;
        let ingress = self.ingress(service, &balancer).await?;
        self.writer.write_ingress(service, &ingress).await
    }

    async fn wanted_groups(&self, service: &Service, model: &Model) -> Result<Wanted, SyncError> {
        let mut wanted = Wanted::new();
        for port in &model.ports {
            let servers = backends::of_port(service, model, port, &self.cluster)?;
            wanted
                .entry(port.group.clone())
                .or_default()
                .extend(servers);
        }
        if wanted.values().all(Vec::is_empty) {
            let note = "There are no available nodes for LoadBalancer".to_owned();
            self.events
                .normal(service, "UnAvailableLoadBalancer", note)
                .await;
        }
        Ok(wanted)
    }

    /// The Service is as it was at the last success: only backends are looked at.
    async fn refresh_backends(
        &self,
        service: &Service,
        names: &Names,
        model: &Model,
        wanted: &Wanted,
        seen_id: &mut String,
    ) -> Result<Value, SyncError> {
        let name = names.load_balancer();
        let annotations = Annotations::of(service);
        let remote = reuse::find(self.cloud, annotations, names).await?;
        let remote = remote.ok_or_else(|| {
            let tag = attributes::TAG_KEY;
            SyncError::Apply(format!(
                "alicloud: can not find loadbalancer by tag [{tag}:{name}]"
            ))
        })?;
        text(&remote, "LoadBalancerId").clone_into(seen_id);
        self.read_tags(seen_id).await?;
        let known = groups::own(self.cloud, names, seen_id).await?;
        groups::apply(self.cloud, seen_id, wanted, &known, model.ignore_weights).await?;
        Ok(remote)
    }

    async fn read_tags(&self, id: &str) -> Result<(), SyncError> {
        let args = Args::default()
            .with("ResourceType", "instance")
            .with("ResourceId.1", id);
        self.cloud.slb("ListTagResources", args).await.map(drop)
    }

    async fn apply_all(
        &self,
        service: &Service,
        names: &Names,
        model: &Model,
        wanted: &Wanted,
        seen_id: &mut String,
    ) -> Result<Value, SyncError> {
        let annotations = Annotations::of(service);
        let Some(remote) = reuse::find(self.cloud, annotations, names).await? else {
            if let Some(ip) = published_ip(service) {
                return Err(SyncError::Apply(format!(
                    "alicloud: can not find loadbalancer, but it's defined in service [{ip}] \
                     this may happen when you delete the loadbalancer"
                )));
            }
            let made = create::create(self.cloud, names, annotations, model.bandwidth).await?;
            text(&made, "LoadBalancerId").clone_into(seen_id);
            self.sync_ports(names, model, wanted, seen_id, Listeners::OfNewOne)
                .await?;
            return Ok(made);
        };
        text(&remote, "LoadBalancerId").clone_into(seen_id);
        self.read_tags(seen_id).await?;
        let mut own = Listeners::All;
        if reuse::named(annotations).is_some() {
            reuse::check(service, &remote)?;
            reuse::mark(self.cloud, &remote).await?;
            if !reuse::overrides_listeners(annotations) {
                own = Listeners::None;
            }
        }
        // Backends and listeners follow the Service even when the load balancer itself cannot.
        let attributes = attributes::apply(self.cloud, annotations, model.bandwidth, &remote).await;
        self.sync_ports(names, model, wanted, seen_id, own).await?;
        attributes?;
        Ok(remote)
    }

    async fn sync_ports(
        &self,
        names: &Names,
        model: &Model,
        wanted: &Wanted,
        balancer: &str,
        own: Listeners,
    ) -> Result<(), SyncError> {
        let known = match own {
            Listeners::OfNewOne => Default::default(),
            _ => groups::own(self.cloud, names, balancer).await?,
        };
        let remote = match own {
            Listeners::All => listeners::describe(self.cloud, balancer).await?,
            _ => Vec::new(),
        };
        let ignore_weights = model.ignore_weights;
        let ids = groups::apply(self.cloud, balancer, wanted, &known, ignore_weights).await?;
        if own != Listeners::None {
            listeners::apply(self.cloud, names, balancer, &model.listeners, &remote, &ids).await?;
        }
        groups::delete_unused(self.cloud, wanted, &known).await
    }

    /// Host name before EIP before the address itself.
    async fn ingress(&self, service: &Service, balancer: &Value) -> Result<Value, SyncError> {
        let annotations = Annotations::of(service);
        if let Some(host) = annotations.get("hostname") {
            return Ok(json!([{"hostname": host}]));
        }
        if annotations.get("external-ip-type") == Some("eip") {
            let args = Args::default()
                .with("AssociatedInstanceType", "SlbInstance")
                .with("AssociatedInstanceId", text(balancer, "LoadBalancerId"));
            let answer = self.cloud.vpc("DescribeEipAddresses", args).await?;
            let bound = items(&answer, "EipAddresses", "EipAddress");
            if !bound.is_empty() {
                return Ok(bound
                    .iter()
                    .map(|eip| json!({"ip": text(eip, "IpAddress")}))
                    .collect());
            }
            let note = "no EIP is bound to the load balancer, use its own address".to_owned();
            self.events
                .warning(service, "FailedSetEIPAddress", note)
                .await;
        }
        Ok(json!([{"ip": text(balancer, "Address")}]))
    }
}
