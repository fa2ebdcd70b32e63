//! Plans against a cluster and the cloud accounts of its classes. Reads only: the stores are
//! filled from one list of each kind, with the manifests laid over them, and the process never
//! leads, so no write can leave it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloud_adapter::gateway::model::Inventory;
use crds::v1alpha1::NamespacedName;
use futures::TryFutureExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use kube::{Api, Client, Resource, ResourceExt};
use prometheus_client::registry::Registry;
use serde::de::DeserializeOwned;

use super::PlanError;
use super::manifests::Manifests;
use super::planned::{Planned, Plans};
use crate::args::RunArgs;
use crate::backoff::Backoff;
use crate::controller::binding::{Preview, preview};
use crate::controller::context::Context;
use crate::controller::guard::Guard;
use crate::controller::peers::Peers;
use crate::controller::queue::queue;
use crate::controller::stores::{self, Writers, knative_route};
use crate::controller::triggers::Written;
use crate::core::ledger::Place;
use crate::core::plan::Step;
use crate::core::quota;
use crate::core::unreadable::{Readable, StandIn};
use crate::events::Events;
use crate::health::Readiness;
use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::runtime::Runtime;

/// Plans every binding of the manifests as if they had just been applied.
pub(in crate::commands) async fn plan(
    manifests: &Manifests,
    args: RunArgs,
) -> Result<Plans, PlanError> {
    let client = crate::commands::run::client(&args)
        .await
        .map_err(PlanError::Cluster)?;
    let (stores, mut writers) = stores::stores();
    fill(&client, manifests, &mut writers)
        .await
        .map_err(|error| PlanError::Cluster(error.into()))?;
    // Nothing is carried out, so nobody is asked.
    let (nobody, _) = queue();
    let guard = Guard::new(nobody);
    for class in stores.classes.state() {
        guard.class(&class);
    }
    for consumer in stores.consumers.state() {
        guard.consumer(&consumer);
    }
    let peers = Peers::new(stores.clone(), guard);
    peers.rebuild();
    let context = Context::new(runtime(client, args), stores, peers, Written::default());
    let mut plans = Plans::default();
    let mut accounts: BTreeMap<Place, (Arc<Inventory>, Vec<Step>)> = BTreeMap::new();
    for manifest in &manifests.bindings {
        let key = kube::runtime::reflector::ObjectRef::from_obj(manifest);
        if let Some(binding) = context.stores.bindings.get(&key) {
            let preview = preview(binding, &context).await;
            if let Some((place, inventory)) = &preview.compared {
                let of_account = || (inventory.clone(), Vec::new());
                let (_, steps) = accounts.entry(place.clone()).or_insert_with(of_account);
                steps.extend(preview.plan.steps.iter().cloned());
            }
            plans.items.push(planned(preview, manifest));
        }
    }
    for (place, (inventory, steps)) in accounts {
        let quotas = quota::quotas(&steps, &inventory).into_iter();
        plans
            .quotas
            .extend(quotas.map(|quota| (place.clone(), quota)));
    }
    Ok(plans)
}

fn planned(preview: Preview, manifest: &crds::v1alpha1::GatewayBinding) -> Planned {
    let mut planned = Planned::new(NamespacedName {
        namespace: manifest.namespace().unwrap_or_default(),
        name: manifest.name_any(),
    });
    planned.class = preview.class;
    planned.mode = manifest.spec.mode();
    if let Some(gateway) = preview.validated.and_then(|validated| validated.gateway) {
        planned.copied_from = gateway.service.create_from.map(|source| source.name);
        planned.gateway = Some(gateway.name);
    }
    planned.gateway = planned.gateway.or(preview.gateway);
    planned.alb = preview.alb;
    planned.adopted = preview.plan.adopted.into_iter().collect();
    planned.steps = preview.plan.steps;
    planned.hash = preview.hash;
    planned.verdict = Some(preview.verdict);
    planned.held = preview.held;
    planned.conflicts = preview.conflicts;
    planned.warnings = preview.warnings;
    planned.problems = preview.problems;
    planned
}

/// A process that measures nothing, tells nothing, and never leads.
pub(in crate::commands) fn runtime(client: Client, args: RunArgs) -> Runtime {
    let leadership = Leadership::never();
    let (events, _) = Events::new(client.clone(), "plan", leadership.clone());
    Runtime {
        client,
        args: Arc::new(args),
        metrics: Metrics::new(&mut Registry::default()),
        readiness: Readiness::default(),
        leadership,
        backoff: Backoff::default(),
        events,
        shutdown: tokio_util::sync::CancellationToken::new(),
    }
}

async fn fill(
    client: &Client,
    manifests: &Manifests,
    writers: &mut Writers,
) -> Result<(), kube::Error> {
    let mut bindings = list_ours(client).await?;
    for manifest in &manifests.bindings {
        lay_over(&mut bindings, manifest, |live, manifest| {
            live.spec = manifest.spec.clone()
        });
    }
    write(&mut writers.bindings, bindings);
    let mut classes = list_ours(client).await?;
    for manifest in &manifests.classes {
        lay_over(&mut classes, manifest, |live, manifest| {
            live.spec = manifest.spec.clone();
            live.metadata
                .annotations
                .clone_from(&manifest.metadata.annotations);
        });
    }
    write(&mut writers.classes, classes);
    let mut consumers = list_ours(client).await?;
    for manifest in manifests.consumers.values() {
        lay_over(&mut consumers, manifest, |live, manifest| {
            live.spec = manifest.spec.clone()
        });
    }
    write(&mut writers.consumers, consumers);
    write(&mut writers.services, list(client).await?);
    let namespaces: Api<Namespace> = Api::all(client.clone());
    write(
        &mut writers.namespaces,
        namespaces
            .list_metadata(&ListParams::default())
            .await?
            .items,
    );
    write(&mut writers.routes, routes(client, &knative_route()).await?);
    Ok(())
}

pub(in crate::commands) async fn list<K>(client: &Client) -> Result<Vec<K>, kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::all(client.clone());
    api.list(&ListParams::default())
        .map_ok(|list| list.items)
        .await
}

/// One that cannot be read must not keep the others from being planned.
async fn list_ours<K: StandIn + Clone + std::fmt::Debug>(
    client: &Client,
) -> Result<Vec<K>, kube::Error> {
    let listed: Vec<Readable<K>> = list(client).await?;
    Ok(listed.into_iter().map(Readable::into_inner).collect())
}

/// Without Knative there are no Routes.
pub(in crate::commands) async fn routes(
    client: &Client,
    kind: &ApiResource,
) -> Result<Vec<DynamicObject>, kube::Error> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), kind);
    match api.list(&ListParams::default()).await {
        Ok(list) => Ok(list.items),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Replaces what a manifest says of an object that lives, and keeps what only the cluster knows:
/// UID, age and status, and with it the ledger.
fn lay_over<K: ResourceExt + Clone>(
    objects: &mut Vec<K>,
    manifest: &K,
    replace: impl Fn(&mut K, &K),
) {
    let live = objects.iter_mut().find(|live| {
        live.name_any() == manifest.name_any() && live.namespace() == manifest.namespace()
    });
    match live {
        Some(live) => replace(live, manifest),
        None => {
            let mut new = manifest.clone();
            // What tells objects apart before the API server has given them a UID.
            new.meta_mut().uid = Some(format!("{:?}/{}", new.namespace(), new.name_any()));
            objects.push(new);
        }
    }
}

fn write<K>(writer: &mut Writer<K>, objects: Vec<K>)
where
    K: Resource + Clone + 'static,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    writer.apply_watcher_event(&Event::Init);
    for object in objects {
        writer.apply_watcher_event(&Event::InitApply(object));
    }
    writer.apply_watcher_event(&Event::InitDone);
}
