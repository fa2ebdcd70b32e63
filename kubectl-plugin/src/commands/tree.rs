//! `tree`: fetches what stands on the way of a request.

use crds::{GatewayBinding, NamespacedName, ServiceKind};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::print;
use crate::args::Format;
use crate::cluster::Cluster;
use crate::error::PluginError;
use crate::reference::Reference;
use crate::render::machine;
use crate::render::tree::{self, Chain, Sought, Target};

pub(super) async fn tree(
    cluster: &Cluster,
    name: String,
    format: Format,
) -> Result<(), PluginError> {
    let binding = cluster.binding(&Reference::binding(name)).await?;
    let tree = tree::tree(&chain(cluster, binding).await);
    let shown = match format.output {
        Some(format) => machine("Tree", &tree, format)?,
        None => tree::text(&tree),
    };
    print(&shown)
}

/// What stands on the way. What cannot be read is part of what is shown, and no error.
pub(crate) async fn chain(cluster: &Cluster, binding: GatewayBinding) -> Chain {
    let namespace = binding.metadata.namespace.clone().unwrap_or_default();
    let exposed = &binding.spec.service_ref;
    let target = match exposed.kind {
        ServiceKind::KnativeService => knative(cluster, &namespace, &exposed.name).await,
        ServiceKind::Service => plain(cluster, &namespace, &exposed.name).await,
    };
    let status = binding.status.as_ref();
    let balancer = status.and_then(|status| status.load_balancer.as_ref());
    let (gateway, gateway_endpoints) = match balancer.and_then(|it| it.service.as_ref()) {
        None => (Sought::Unnamed, Sought::Unnamed),
        Some(NamespacedName { namespace, name }) => (
            sought(cluster.find::<Service>(namespace, name).await),
            endpoints(cluster, namespace, name).await,
        ),
    };
    Chain {
        gateway,
        gateway_endpoints,
        target,
        binding,
    }
}

fn sought<T>(found: Result<Option<T>, PluginError>) -> Sought<T> {
    match found {
        Ok(Some(it)) => Sought::There(it),
        Ok(None) => Sought::Missing,
        Err(error) => Sought::Unread(error.to_string()),
    }
}

fn listed<T>(found: Result<T, PluginError>) -> Sought<T> {
    sought(found.map(Some))
}

/// How many endpoints of a Service are ready.
async fn endpoints(cluster: &Cluster, namespace: &str, service: &str) -> Sought<usize> {
    let labels = format!("kubernetes.io/service-name={service}");
    let slices = cluster.select::<EndpointSlice>(Some(namespace), &labels);
    let ready = |slices: Vec<EndpointSlice>| {
        let endpoints = slices
            .into_iter()
            .flat_map(|slice| slice.endpoints.into_iter());
        let ready = endpoints.filter(|endpoint| {
            let conditions = endpoint.conditions.as_ref();
            conditions.and_then(|it| it.ready).unwrap_or(true)
        });
        ready.count()
    };
    listed(slices.await.map(ready))
}

async fn plain(cluster: &Cluster, namespace: &str, name: &str) -> Target {
    let found = cluster.find::<Service>(namespace, name).await;
    let service = sought(found.map(|found| found.map(Box::new)));
    let selector = match &service {
        Sought::There(service) => service.spec.as_ref().and_then(|spec| spec.selector.clone()),
        _ => None,
    };
    let pods = match selector.filter(|labels| !labels.is_empty()) {
        None => Sought::Unnamed,
        Some(labels) => {
            let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
            let labels = pairs.collect::<Vec<_>>().join(",");
            listed(cluster.select::<Pod>(Some(namespace), &labels).await)
        }
    };
    Target::Plain { service, pods }
}

/// How Knative Serving serves a kind.
pub(crate) fn knative_resource(kind: &str, plural: &str) -> ApiResource {
    let kind = GroupVersionKind::gvk("serving.knative.dev", "v1", kind);
    ApiResource::from_gvk_with_plural(&kind, plural)
}

async fn knative(cluster: &Cluster, namespace: &str, name: &str) -> Target {
    let find = async |kind: &str, plural: &str, name: &str| -> Sought<Value> {
        let resource = knative_resource(kind, plural);
        sought(cluster.find_dynamic(&resource, namespace, name).await)
    };
    let service = find("Service", "services", name).await;
    let route = find("Route", "routes", name).await;
    let mut revisions = Vec::new();
    if let Sought::There(route) = &route {
        for (name, _) in tree::cluster::shares_of(route) {
            let revision = find("Revision", "revisions", &name).await;
            let labels = format!("serving.knative.dev/revision={name}");
            let pods = cluster.select::<Pod>(Some(namespace), &labels).await;
            revisions.push((revision, listed(pods)));
        }
    }
    Target::Knative {
        service,
        route,
        revisions,
    }
}
