//! Keeps the proxy's snapshot up to date and the Ingresses' status, as net-istio does.

use std::{collections::BTreeMap, fmt::Debug, hash::Hash, sync::Arc, time::Duration};

use futures::StreamExt as _;
use k8s_openapi::{
    api::{core::v1::Service, discovery::v1::EndpointSlice},
    jiff::Timestamp,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::{
        WatchStreamExt as _,
        reflector::{self, Store, store},
        watcher::{self, watcher},
    },
};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::Notify;

use super::{
    Backends, Routes,
    proxy::{Proxy, Snapshot},
    routes::is_ours,
};
use crate::knative::{
    status::{self, State},
    types::{KIngress, KIngressStatus, LoadBalancerAddress, LoadBalancerStatus},
};

const MANAGER: &str = "gateway-stand-in";
/// Changes within this time are taken together.
const SETTLE: Duration = Duration::from_millis(20);
/// How soon a status that could not be written is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// The Services net-istio names in the Ingress status.
const PUBLIC_GATEWAY: &str = "istio-ingressgateway.istio-system.svc.cluster.local";
const LOCAL_GATEWAY: &str = "knative-local-gateway.istio-system.svc.cluster.local";

/// Runs until cancelled.
pub(super) async fn run(client: Client, proxy: Proxy) {
    let changed = Arc::new(Notify::new());
    let (ingresses, ingress_watch) = reflect::<KIngress>(&client, &changed);
    let (services, service_watch) = reflect::<Service>(&client, &changed);
    let (slices, slice_watch) = reflect::<EndpointSlice>(&client, &changed);
    let publish = async {
        let all_ready = futures::future::try_join3(
            ingresses.wait_until_ready(),
            services.wait_until_ready(),
            slices.wait_until_ready(),
        );
        if let Err(error) = all_ready.await {
            tracing::error!(%error, "the gateway's watches ended");
            return;
        }
        loop {
            let current = ingresses.state();
            proxy.publish(Snapshot {
                routes: Routes::new(current.iter().map(AsRef::as_ref)),
                backends: Backends::new(
                    services.state().iter().map(AsRef::as_ref),
                    slices.state().iter().map(AsRef::as_ref),
                ),
            });
            // Only now: an Ingress is Ready when requests for its hosts find their way.
            if report(&client, &current).await {
                changed.notified().await;
                tokio::time::sleep(SETTLE).await;
            } else {
                tokio::time::sleep(RETRY).await;
            }
        }
    };
    futures::join!(publish, ingress_watch, service_watch, slice_watch);
}

/// A store of all objects of a kind, and the future that keeps it.
fn reflect<K>(
    client: &Client,
    changed: &Arc<Notify>,
) -> (Store<K>, impl Future<Output = ()> + use<K>)
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    let (reader, writer): (_, reflector::store::Writer<K>) = store();
    let changed = Arc::clone(changed);
    let events = watcher(Api::<K>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .for_each(move |event| {
            match event {
                Ok(_) => changed.notify_one(),
                Err(error) => tracing::debug!(%error, "the gateway's watch"),
            }
            std::future::ready(())
        });
    (reader, events)
}

/// Marks the Ingresses Ready whose generation is not; false if one could not be written.
async fn report(client: &Client, ingresses: &[Arc<KIngress>]) -> bool {
    let mut all_written = true;
    for ingress in ingresses.iter().filter(|ingress| is_ours(ingress)) {
        let current = ingress.status.clone().unwrap_or_default();
        let wanted = wanted_status(ingress, &current);
        if wanted == current {
            continue;
        }
        let namespace = ingress.namespace().unwrap_or_default();
        let body = json!({
            "apiVersion": KIngress::api_version(&()),
            "kind": KIngress::kind(&()),
            "metadata": BTreeMap::from([("name", ingress.name_any())]),
            "status": wanted,
        });
        let api = Api::<KIngress>::namespaced(client.clone(), &namespace);
        let params = PatchParams::apply(MANAGER).force();
        match api
            .patch_status(&ingress.name_any(), &params, &Patch::Apply(body))
            .await
        {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(error) => {
                tracing::debug!(namespace, name = ingress.name_any(), %error, "cannot write the Ingress status");
                all_written = false;
            }
        }
    }
    all_written
}

fn wanted_status(ingress: &KIngress, current: &KIngressStatus) -> KIngressStatus {
    let at = |domain: &str| {
        Some(LoadBalancerStatus {
            ingress: vec![LoadBalancerAddress {
                domain_internal: Some(domain.to_owned()),
            }],
        })
    };
    let dependents = [
        ("LoadBalancerReady", State::TRUE),
        ("NetworkConfigured", State::TRUE),
    ];
    KIngressStatus {
        observed_generation: ingress.metadata.generation,
        conditions: status::conditions(&dependents, &current.conditions, Timestamp::now()),
        public_load_balancer: at(PUBLIC_GATEWAY),
        private_load_balancer: at(LOCAL_GATEWAY),
    }
}
