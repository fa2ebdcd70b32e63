//! One pass over one Knative Service: makes its objects and writes their status.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use k8s_openapi::{NamespaceResourceScope, api::core::v1::Service, jiff::Timestamp};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
    runtime::controller::Action,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    Activator, images, names, objects,
    status::{self, State},
    traffic::{self, Revisions, TrafficError},
    types::{
        Addressable, Configuration, ConfigurationStatus, KIngress, KnativeService, Revision,
        RevisionStatus, Route, RouteStatus, TrafficTarget,
    },
};

/// Field manager of all writes.
pub(super) const MANAGER: &str = "knative-stand-in";

const RETRY: Duration = Duration::from_millis(500);

/// Why a pass failed; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The API server refused or was not there.
    #[error("cannot {action} {kind} {name}: {source}")]
    Kube {
        /// What was tried.
        action: &'static str,
        /// Kind of the object.
        kind: String,
        /// Namespace and name of the object.
        name: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
}

/// What every pass needs.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) activator: Activator,
    pub(super) domain: String,
}

/// Kubernetes' own way of asking for a retry.
pub(super) fn on_error(
    service: Arc<KnativeService>,
    error: &ReconcileError,
    _context: Arc<Context>,
) -> Action {
    tracing::warn!(namespace = service.namespace(), service = service.name_any(), %error, "reconciling failed");
    Action::requeue(RETRY)
}

pub(super) async fn reconcile(
    service: Arc<KnativeService>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if service.metadata.deletion_timestamp.is_some() {
        // The garbage collector deletes what the Service owns.
        return Ok(Action::await_change());
    }
    let pass = Pass {
        context: &context,
        namespace: service.namespace().unwrap_or_default(),
        now: Timestamp::now(),
    };
    let (configuration, revisions) = pass.configuration(&service).await?;
    let route = pass.route(&service, &revisions).await?;
    pass.service_status(&service, &configuration, &route)
        .await?;
    Ok(Action::await_change())
}

struct Pass<'a> {
    context: &'a Context,
    namespace: String,
    now: Timestamp,
}

impl Pass<'_> {
    /// The Configuration with its Revisions, up to their status.
    async fn configuration(
        &self,
        service: &KnativeService,
    ) -> Result<(ConfigurationStatus, Revisions), ReconcileError> {
        let configuration = self.apply(&objects::configuration(service)).await?;
        self.create_revision(&configuration).await?;
        let selector = format!("{}={}", names::CONFIGURATION, configuration.name_any());
        let revisions = self
            .api::<Revision>()
            .list(&ListParams::default().labels(&selector))
            .await;
        let mut all = revisions
            .map_err(|error| self.failed::<Revision>("list", &selector, error))?
            .items;
        all.sort_by_key(|revision| {
            let generation = revision.labels().get(names::CONFIGURATION_GENERATION);
            generation.and_then(|text| text.parse::<i64>().ok())
        });
        let mut revisions = Revisions::default();
        let mut failure = None;
        for revision in &all {
            let ready = self.revision(revision).await?;
            failure = ready.as_ref().err().map(ToString::to_string);
            revisions.ready.insert(revision.name_any(), ready.is_ok());
            if ready.is_ok() {
                revisions.latest_ready = Some(revision.name_any());
            }
        }
        let latest = objects::revision_name(&configuration);
        let state = match failure {
            None => State::TRUE,
            Some(message) => State::False(
                "RevisionFailed".to_owned(),
                format!("Revision {latest:?} failed with message: {message}."),
            ),
        };
        let previous = configuration.status.clone().unwrap_or_default();
        let wanted = ConfigurationStatus {
            observed_generation: configuration.metadata.generation,
            conditions: status::conditions(&[("Ready", state)], &previous.conditions, self.now),
            latest_created_revision_name: Some(latest),
            latest_ready_revision_name: revisions.latest_ready.clone(),
        };
        self.write_status(&configuration, configuration.status.as_ref(), &wanted)
            .await?;
        Ok((wanted, revisions))
    }

    /// Revisions are immutable: created once, never changed.
    async fn create_revision(&self, configuration: &Configuration) -> Result<(), ReconcileError> {
        let wanted = objects::revision(configuration);
        let name = wanted.name_any();
        let revisions = self.api::<Revision>();
        let found = revisions
            .get_opt(&name)
            .await
            .map_err(|error| self.failed::<Revision>("get", &name, error))?;
        if found.is_none() {
            // Not by POST: the API server holds those up for two seconds where the kind was only
            // just defined.
            self.apply(&wanted).await?;
        }
        Ok(())
    }

    /// A Revision's program, Service, Endpoints and status; why it cannot run, if so.
    async fn revision(
        &self,
        revision: &Revision,
    ) -> Result<Result<(), images::ImageError>, ReconcileError> {
        let program = images::program(&revision.spec.pod);
        let (healthy, available) = match &program {
            Ok(program) => {
                let activator = self.context.activator.address();
                self.context
                    .activator
                    .run(&self.namespace, &revision.name_any(), program.clone());
                self.apply(&objects::revision_service(revision, activator))
                    .await?;
                self.apply(&objects::revision_endpoints(revision, activator))
                    .await?;
                (State::TRUE, State::TRUE)
            }
            Err(error) => (
                State::False("ContainerMissing".to_owned(), error.to_string()),
                State::Unknown("ResolvingDigests".to_owned(), String::new()),
            ),
        };
        let previous = revision.status.clone().unwrap_or_default();
        let dependents = [
            ("ContainerHealthy", healthy),
            ("ResourcesAvailable", available),
        ];
        let wanted = RevisionStatus {
            observed_generation: revision.metadata.generation,
            conditions: status::conditions(&dependents, &previous.conditions, self.now),
            actual_replicas: Some(0),
            desired_replicas: Some(0),
        };
        self.write_status(revision, revision.status.as_ref(), &wanted)
            .await?;
        Ok(program.map(|_| ()))
    }

    /// The Route with its KIngress and placeholder Services, up to its status.
    async fn route(
        &self,
        service: &KnativeService,
        revisions: &Revisions,
    ) -> Result<RouteStatus, ReconcileError> {
        let route = self.apply(&objects::route(service)).await?;
        let previous = route.status.clone().unwrap_or_default();
        let (assigned, ingress, traffic) = match traffic::resolve(&route.spec.traffic, revisions) {
            Ok(targets) => (
                State::TRUE,
                self.ingress(&route, &targets).await?,
                self.in_status(&route, targets),
            ),
            Err(error) => (
                State::False(TrafficError::REASON.to_owned(), error.to_string()),
                State::Unknown(String::new(), String::new()),
                previous.traffic.clone(),
            ),
        };
        let message = "external-domain-tls is not enabled".to_owned();
        let dependents = [
            ("AllTrafficAssigned", assigned),
            (
                "CertificateProvisioned",
                State::True(Some(("TLSNotEnabled", message))),
            ),
            ("IngressReady", ingress),
        ];
        let address = format!(
            "http://{}",
            names::cluster_local_host(&route.name_any(), &self.namespace)
        );
        let wanted = RouteStatus {
            observed_generation: route.metadata.generation,
            conditions: status::conditions(&dependents, &previous.conditions, self.now),
            url: Some(objects::url(&route, None, &self.context.domain)),
            address: Some(Addressable { url: address }),
            traffic,
            ..RouteStatus::default()
        };
        self.write_status(&route, route.status.as_ref(), &wanted)
            .await?;
        Ok(wanted)
    }

    fn in_status(&self, route: &Route, targets: Vec<TrafficTarget>) -> Vec<TrafficTarget> {
        let with_url = |mut target: TrafficTarget| {
            target.url = target
                .tag
                .as_deref()
                .map(|tag| objects::url(route, Some(tag), &self.context.domain));
            target
        };
        targets.into_iter().map(with_url).collect()
    }

    /// The KIngress and the placeholder Services; the state of `IngressReady`.
    async fn ingress(
        &self,
        route: &Route,
        targets: &[TrafficTarget],
    ) -> Result<State, ReconcileError> {
        let domain = &self.context.domain;
        let ingress: KIngress = self
            .apply(&objects::ingress(route, targets, domain))
            .await?;
        let status = ingress.status.unwrap_or_default();
        let gateway = status
            .private_load_balancer
            .and_then(|balancer| balancer.ingress.into_iter().next())
            .and_then(|address| address.domain_internal);
        for (tag, _) in traffic::splits(targets) {
            let wanted =
                objects::placeholder_service(route, tag.as_deref(), gateway.as_deref(), domain);
            let name = wanted.name_any();
            if self.is_anothers(&name, route).await? {
                let message = format!(
                    "There is an existing placeholder Service {name:?} that we do not own."
                );
                return Ok(State::False("NotOwned".to_owned(), message));
            }
            self.apply(&wanted).await?;
        }
        if status.observed_generation != ingress.metadata.generation {
            let message = "Ingress has not yet been reconciled.".to_owned();
            return Ok(State::Unknown("IngressNotConfigured".to_owned(), message));
        }
        Ok(State::of(status::find(&status.conditions, "Ready")))
    }

    /// Whether a Service of this name exists that the Route does not control.
    async fn is_anothers(&self, name: &str, route: &Route) -> Result<bool, ReconcileError> {
        let found = self.api::<Service>().get_opt(name).await;
        let found = found.map_err(|error| self.failed::<Service>("get", name, error))?;
        Ok(found.is_some_and(|service| {
            service
                .owner_references()
                .iter()
                .all(|owner| Some(&owner.uid) != route.uid().as_ref())
        }))
    }

    async fn service_status(
        &self,
        service: &KnativeService,
        configuration: &ConfigurationStatus,
        route: &RouteStatus,
    ) -> Result<(), ReconcileError> {
        let previous = service.status.clone().unwrap_or_default();
        let dependents = [
            (
                "ConfigurationsReady",
                State::of(status::find(&configuration.conditions, "Ready")),
            ),
            (
                "RoutesReady",
                State::of(status::find(&route.conditions, "Ready")),
            ),
        ];
        let wanted = RouteStatus {
            observed_generation: service.metadata.generation,
            conditions: status::conditions(&dependents, &previous.conditions, self.now),
            latest_created_revision_name: configuration.latest_created_revision_name.clone(),
            latest_ready_revision_name: configuration.latest_ready_revision_name.clone(),
            ..route.clone()
        };
        self.write_status(service, service.status.as_ref(), &wanted)
            .await
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.context.client.clone(), &self.namespace)
    }

    async fn apply<K>(&self, object: &K) -> Result<K, ReconcileError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Serialize
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let name = object.name_any();
        let applied = self
            .api::<K>()
            .patch(
                &name,
                &PatchParams::apply(MANAGER).force(),
                &Patch::Apply(object),
            )
            .await;
        applied.map_err(|error| self.failed::<K>("apply", &name, error))
    }

    /// Writes a status if it differs from what is there.
    async fn write_status<K, S>(
        &self,
        object: &K,
        current: Option<&S>,
        wanted: &S,
    ) -> Result<(), ReconcileError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + Debug,
        S: Serialize + PartialEq,
    {
        if current == Some(wanted) {
            return Ok(());
        }
        let body = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": BTreeMap::from([("name", object.name_any())]),
            "status": wanted,
        });
        let params = PatchParams::apply(MANAGER).force();
        let name = object.name_any();
        let written = self
            .api::<K>()
            .patch_status(&name, &params, &Patch::Apply(body))
            .await;
        written.map_err(|error| self.failed::<K>("write the status of", &name, error))?;
        Ok(())
    }

    fn failed<K: Resource<DynamicType = ()>>(
        &self,
        action: &'static str,
        name: &str,
        error: kube::Error,
    ) -> ReconcileError {
        ReconcileError::Kube {
            action,
            kind: K::kind(&()).into_owned(),
            name: format!("{}/{name}", self.namespace),
            source: Box::new(error),
        }
    }
}
