//! What a Service asks for of a classic load balancer, read before anything is changed.

use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::annotations::Annotations;
use super::apply::Local;
use super::backends::{self, Weights, weight};
use super::cleanup::preserves;
use super::ensure::Pass;
use super::error::{SyncError, Within};
use super::groups::{self, WantedGroup};
use super::model::{self, Names, chosen_group, group_port};
use super::reuse;

/// Reads a Service.
pub(super) async fn build(
    pass: &Pass<'_>,
    service: &Service,
    names: &Names,
) -> Result<Local, SyncError> {
    let annotations = Annotations::of(service);
    let bandwidth = model::bandwidth(annotations).within("build lb attribute error")?;
    let groups = wanted_groups(pass, service, names).await;
    let groups = groups.within("build vserver groups error")?;
    let mode = model::mode(annotations, pass.backends);
    let listeners = model::listeners(service, names, mode).within("builid lb listener error")?;
    Ok(Local {
        bandwidth,
        groups,
        listeners,
        preserved: preserves(annotations),
        is_going: false,
    })
}

/// A port whose group cannot be told has none, and CCM keeps the reason to itself.
async fn wanted_groups(
    pass: &Pass<'_>,
    service: &Service,
    names: &Names,
) -> Result<Vec<WantedGroup>, SyncError> {
    backends::candidates(Annotations::of(service), &pass.cluster)?;
    let mut groups = Vec::new();
    for port in model::ports(service) {
        match wanted_group(pass, service, names, port).await {
            Ok(group) => groups.push(group),
            Err(error) => tracing::info!(port = port.port, %error, "a port has no group"),
        }
    }
    Ok(groups)
}

async fn wanted_group(
    pass: &Pass<'_>,
    service: &Service,
    names: &Names,
    port: &ServicePort,
) -> Result<WantedGroup, SyncError> {
    let annotations = Annotations::of(service);
    let mode = model::mode(annotations, pass.backends);
    let name = names.of_port(&group_port(port, mode));
    let mut weights = Weights::default();
    let mut id = None;
    if let Some(balancer) = reuse::named(annotations)
        && annotations.get("vgroup-port").is_some()
    {
        id = chosen_group(annotations, port)?;
        if let Some(id) = &id {
            groups::check_named(pass.cloud, balancer, id).await?;
        }
        weights.sum = weight(annotations, "weight", "weight")?;
    }
    weights.each = weight(annotations, "default-weight", "default weight")?;
    let servers = backends::of_port(service, mode, port, &name, &pass.cluster, weights)?;
    if servers.is_empty() {
        let note = "There are no available nodes for LoadBalancer".to_owned();
        let reason = "UnAvailableLoadBalancer";
        pass.events.told(service, "Normal", reason, note).await;
    }
    let ignored = annotations.get("ignore-weight-update");
    Ok(WantedGroup {
        name,
        id,
        servers,
        ignore_weights: ignored.is_some_and(|flag| flag.eq_ignore_ascii_case("on")),
    })
}
