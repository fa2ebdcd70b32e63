//! The writes to the listeners of a load balancer.

use std::collections::BTreeMap;

use super::settings::{self, L4, L7, mappings};
use super::{RemoteListener, Step};
use crate::ccm::annotations::Annotations;
use crate::ccm::certificates;
use crate::ccm::cloud::{Cloud, of_balancer, text};
use crate::ccm::error::{SyncError, Within};
use crate::ccm::model::WantedListener;

/// The writes to the listeners of one load balancer.
pub(in crate::ccm) struct Writes<'a> {
    pub(in crate::ccm) cloud: &'a Cloud,
    pub(in crate::ccm) annotations: Annotations<'a>,
    pub(in crate::ccm) balancer: &'a str,
}

impl Writes<'_> {
    /// Does a step.
    pub(in crate::ccm) async fn take(&self, step: &Step<'_>) -> Result<(), SyncError> {
        match step {
            Step::Create(wanted) => self
                .create(wanted, None)
                .await
                .within("create listener error"),
            Step::Update(wanted, remote) => {
                let updated = self.update(wanted, remote).await;
                updated.within("update listener error")
            }
            Step::Delete(remote) => self.delete(remote).await.within("delete listener error"),
        }
    }

    async fn delete(&self, listener: &RemoteListener) -> Result<(), SyncError> {
        let args = of_balancer(self.balancer)
            .with("ListenerPort", listener.port())
            .with("ListenerProtocol", listener.protocol());
        let action = "DeleteLoadBalancerListener";
        self.cloud.slb(action, args).await.map(drop)
    }

    async fn create(
        &self,
        wanted: &WantedListener,
        forward: Option<&str>,
    ) -> Result<(), SyncError> {
        let protocol = wanted.protocol.as_str();
        let mut settings: BTreeMap<&str, &str> = mappings(protocol)
            .filter_map(|mapping| Some((mapping.parameter, wanted.settings.get(mapping.suffix)?)))
            .map(|(parameter, value)| (parameter, value.as_str()))
            .collect();
        settings.entry("Scheduler").or_insert("rr");
        if L7.contains(&protocol) {
            settings.entry("HealthCheck").or_insert("off");
            settings.entry("StickySession").or_insert("off");
        }
        if protocol != "http" {
            settings.insert("Bandwidth", "-1");
        }
        if protocol == "https" && !wanted.certificate.is_empty() {
            settings.insert("ServerCertificateId", &wanted.certificate);
        }
        let mut args = of_balancer(self.balancer)
            .with("ListenerPort", wanted.port)
            .with("Description", &wanted.description)
            .with_some("VServerGroupId", wanted.group_id.as_ref());
        for (name, value) in settings {
            // The client of the product spells this one with a small letter when it creates.
            let small = L4.contains(&protocol) && name == "HealthCheckInterval";
            args = args.with(if small { "healthCheckInterval" } else { name }, value);
        }
        let forward = wanted.forward.map(|_| "on").or(forward);
        args = args
            .with_some("ListenerForward", forward)
            .with_some("ForwardPort", wanted.forward);
        let action = format!("CreateLoadBalancer{}Listener", protocol.to_uppercase());
        let what = format!("create {protocol} listener {} error", wanted.port);
        self.cloud.slb(&action, args).await.within(&what)?;
        if protocol == "https" {
            for pair in &wanted.domains {
                let (domain, certificate) = pair;
                let what = format!(
                    "create https listener {} domain extension {{{domain} {certificate} }} error",
                    wanted.port
                );
                let added = certificates::add(self.cloud, self.balancer, wanted.port, pair).await;
                added.within(&what)?;
            }
        }
        self.start(wanted).await
    }

    async fn start(&self, wanted: &WantedListener) -> Result<(), SyncError> {
        let args = of_balancer(self.balancer)
            .with("ListenerPort", wanted.port)
            .with("ListenerProtocol", &wanted.protocol);
        let action = "StartLoadBalancerListener";
        self.cloud.slb(action, args).await.map(drop)
    }

    async fn update(
        &self,
        wanted: &WantedListener,
        remote: &RemoteListener,
    ) -> Result<(), SyncError> {
        if text(&remote.value, "Status") == "stopped" {
            let what = format!("start {} listener {} error", wanted.protocol, wanted.port);
            self.start(wanted).await.within(&what)?;
        }
        if wanted.protocol == "http" {
            let forwards = remote.setting("ListenerForward");
            let port = remote.setting("ForwardPort");
            let is_same = match wanted.forward {
                Some(to) => forwards.as_deref() == Some("on") && port == Some(to.to_string()),
                None => forwards.as_deref() == Some("off"),
            };
            if !is_same {
                // Forwarding cannot be changed.
                let deleted = self.delete(remote).await;
                deleted.within(&format!("delete port [{}] error", remote.port()))?;
                return self.create(wanted, Some("off")).await;
            }
            if forwards.as_deref() == Some("on") {
                return Ok(());
            }
        }
        if wanted.protocol == "https" && self.annotations.present("domain-extensions").is_some() {
            let (wanted, port) = (&wanted.domains, wanted.port);
            let domains = &remote.domains;
            certificates::apply_domains(self.cloud, self.balancer, port, wanted, domains).await?;
        }
        let Some(update) = settings::update(wanted, remote) else {
            return Ok(());
        };
        let old = remote.setting("ServerCertificateId").unwrap_or_default();
        if wanted.protocol == "https" && old != wanted.certificate {
            certificates::check(self.cloud, &old, &wanted.certificate).await?;
        }
        let mut args = of_balancer(self.balancer)
            .with("ListenerPort", wanted.port)
            .with("VServerGroup", "on");
        for (name, value) in update {
            args = args.with(name, value);
        }
        let protocol = wanted.protocol.to_uppercase();
        let action = format!("SetLoadBalancer{protocol}ListenerAttribute");
        self.cloud.slb(&action, args).await.map(drop)
    }
}

/// Does steps one after the other, whatever comes of those before.
pub(in crate::ccm) async fn take(writes: &Writes<'_>, steps: &[Step<'_>]) -> Vec<SyncError> {
    let mut errors = Vec::new();
    for step in steps {
        errors.extend(writes.take(step).await.err());
    }
    errors
}
