//! The stand-in as a running task.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use futures::StreamExt as _;
use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace, Service},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::{
        Controller, WatchStreamExt as _,
        reflector::ObjectRef,
        watcher::{self, watcher},
    },
};
use tokio::task::JoinSet;

use super::{
    Activator, names,
    reconcile::{Context, MANAGER, on_error, reconcile},
    types::{Configuration, KIngress, KnativeService, Revision, Route},
};

/// Settings of the stand-in.
#[derive(Clone, Debug)]
pub struct KnativeOptions {
    /// Domain of public hosts: `<service>.<namespace>.<domain>`.
    pub domain: String,
    /// Address on which the Revisions' activator listens. Not a loopback one: the API server
    /// refuses those in Endpoints.
    pub activator_ip: IpAddr,
}

/// Why the stand-in could not start.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// The activator's address could not be bound.
    #[error("the activator cannot listen on {ip}: {source}")]
    Listen {
        /// As given in [`KnativeOptions`].
        ip: IpAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The namespace or the settings of Knative could not be written.
    #[error("cannot apply {what}: {source}")]
    Apply {
        /// Kind and name.
        what: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
}

/// Watches Knative Services and does what Knative Serving does with them; ends when dropped. The
/// Knative CRDs have to be installed.
#[derive(Debug)]
pub struct KnativeStandIn {
    tasks: JoinSet<()>,
}

impl KnativeStandIn {
    /// Writes the namespace `knative-serving` with `config-domain` and `config-network`, and
    /// starts.
    ///
    /// # Errors
    /// [`StandInError`].
    pub async fn start(client: Client, options: KnativeOptions) -> Result<Self, StandInError> {
        settings(&client, &options.domain).await?;
        let ip = options.activator_ip;
        let activator = Activator::start(ip)
            .await
            .map_err(|source| StandInError::Listen { ip, source })?;
        let context = Arc::new(Context {
            client: client.clone(),
            activator,
            domain: options.domain,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(controller(client.clone(), Arc::clone(&context)));
        tasks.spawn(end_deleted_revisions(client, context));
        Ok(Self { tasks })
    }

    /// How many of its tasks run; all of them unless one panicked.
    pub fn running_tasks(&self) -> usize {
        self.tasks.len()
    }
}

async fn settings(client: &Client, domain: &str) -> Result<(), StandInError> {
    let params = PatchParams::apply(MANAGER).force();
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(names::SYSTEM_NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    let namespaces = Api::<Namespace>::all(client.clone());
    let applied = namespaces
        .patch(names::SYSTEM_NAMESPACE, &params, &Patch::Apply(namespace))
        .await;
    applied.map_err(|error| StandInError::Apply {
        what: format!("Namespace {}", names::SYSTEM_NAMESPACE),
        source: Box::new(error),
    })?;
    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), names::SYSTEM_NAMESPACE);
    for (name, key, value) in [
        ("config-domain", domain, ""),
        (
            "config-network",
            "ingress-class",
            names::ISTIO_INGRESS_CLASS,
        ),
    ] {
        let config_map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(key.to_owned(), value.to_owned())])),
            ..ConfigMap::default()
        };
        let applied = config_maps
            .patch(name, &params, &Patch::Apply(config_map))
            .await;
        let what = format!("ConfigMap {}/{name}", names::SYSTEM_NAMESPACE);
        applied.map_err(|error| StandInError::Apply {
            what,
            source: Box::new(error),
        })?;
    }
    Ok(())
}

async fn controller(client: Client, context: Arc<Context>) {
    let of_services = watcher::Config::default().labels(names::SERVICE);
    Controller::new(
        Api::<KnativeService>::all(client.clone()),
        watcher::Config::default(),
    )
    .watches(
        Api::<Configuration>::all(client.clone()),
        of_services.clone(),
        owning_service,
    )
    .watches(
        Api::<Revision>::all(client.clone()),
        of_services.clone(),
        owning_service,
    )
    .watches(
        Api::<Route>::all(client.clone()),
        of_services.clone(),
        owning_service,
    )
    .watches(
        Api::<KIngress>::all(client.clone()),
        of_services.clone(),
        owning_service,
    )
    .watches(Api::<Service>::all(client), of_services, owning_service)
    .run(reconcile, on_error, context)
    .for_each(|result| async {
        if let Err(error) = result {
            tracing::debug!(%error, "knative stand-in");
        }
    })
    .await;
}

/// The Knative Service that an object belongs to, by label.
fn owning_service<K: Resource>(object: K) -> Option<ObjectRef<KnativeService>> {
    let name = object.labels().get(names::SERVICE)?;
    Some(ObjectRef::new(name).within(&object.namespace()?))
}

async fn end_deleted_revisions(client: Client, context: Arc<Context>) {
    let events =
        watcher(Api::<Revision>::all(client), watcher::Config::default()).default_backoff();
    events
        .for_each(|event| async {
            match event {
                Ok(watcher::Event::Delete(revision)) => {
                    context.activator.end(
                        &revision.namespace().unwrap_or_default(),
                        &revision.name_any(),
                    );
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "watching Revisions"),
            }
        })
        .await;
}
