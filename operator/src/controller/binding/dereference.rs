//! What a valid binding refers to, read from the stores and, for the load balancer, the cloud.

use std::collections::BTreeMap;
use std::time::Duration;

use cloud_adapter::error::CloudError;
use crds::v1alpha1::ServiceKind;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::runtime::reflector::ObjectRef;

use crate::controller::cloud::{Account, Trouble};
use crate::controller::context::Context;
use crate::controller::newest_event::newest_event;
use crate::controller::service;
use crate::controller::stores::knative_route;
use crate::core::balancer::LoadBalancer;
use crate::core::ccm::{self, Complaint};
use crate::core::consumer::lets_in;
use crate::core::key::ConsumerKey;
use crate::core::observed::{ExistingLoadBalancer, ServiceState};
use crate::core::references::{ConsumerState, References, Target};
use crate::core::slb::existing;
use crate::core::unreadable;
use crate::core::validate::{Gateway, Validated};

/// Reads what a valid binding refers to. `existing` is the load balancer of others that settings name.
/// `account` is none if the class's account is not known,
/// and is asked anew if `refresh`; the trouble is that of reading the load balancer.
pub(super) async fn dereference(
    binding: &Validated,
    existing: Option<&str>,
    (account, refresh): (Option<&Account>, bool),
    context: &Context,
) -> (References, Option<Trouble>) {
    let mut references = References {
        now: Timestamp::now(),
        target: target(binding, context),
        service: None,
        source: None,
        load_balancer: None,
        existing: None,
        consumers: consumers(binding, account, context),
    };
    let Some(gateway) = &binding.gateway else {
        return (references, None);
    };
    let namespace = &gateway.service.namespace;
    references.source = gateway.service.create_from.as_ref().and_then(|wish| {
        let source = find_service(context, namespace, &wish.name)?;
        let class = gateway.class_settings.load_balancer_class();
        Some(service::shape(&source).copied(wish, class))
    });
    let mut trouble = None;
    let found = find_service(context, namespace, &gateway.service.name);
    if let Some(found) = &found {
        let mut state = service::state(found, &binding.cluster);
        let answered = context.handled.is_answered(found);
        let dealt_with = answered.unwrap_or_else(|| service::is_dealt_with(found));
        state.settled |= dealt_with;
        if let (Some(account), Some(id)) = (account, &state.load_balancer_id) {
            let version = service::handled(found).cloned().unwrap_or_default();
            let reader = Reader {
                account,
                refresh,
                context,
            };
            match reader.load_balancer(id, &version).await {
                Ok(load_balancer) => references.load_balancer = load_balancer,
                Err(error) => trouble = Some(Trouble::from(error)),
            }
        }
        if state.load_balancer_id.is_none() || state.address.is_none() || !dealt_with {
            state.warning = warning(found, context).await;
        }
        references.service = Some(state);
    }
    if let (Some(id), Some(account)) = (existing, account) {
        match named(
            id,
            &references,
            &Reader {
                account,
                refresh,
                context,
            },
        )
        .await
        {
            Ok(state) => {
                let services = users(id, gateway, context);
                references.existing = Some(ExistingLoadBalancer {
                    id: id.to_owned(),
                    of: (namespace.clone(), gateway.service.name.clone()),
                    state,
                    services,
                });
            }
            Err(error) => trouble = Some(Trouble::from(error)),
        }
    }
    (references, trouble)
}

/// Reads load balancers.
struct Reader<'a> {
    account: &'a Account,
    refresh: bool,
    context: &'a Context,
}

impl Reader<'_> {
    async fn load_balancer(
        &self,
        id: &str,
        version: &str,
    ) -> Result<Option<LoadBalancer>, CloudError> {
        let read = |max_age| self.account.load_balancer(id, version, max_age);
        if self.refresh {
            read(Duration::ZERO).await
        } else {
            self.context.read(read).await
        }
    }
}

/// The load balancer of an id, which the Service may have already.
async fn named(
    id: &str,
    references: &References,
    reader: &Reader<'_>,
) -> Result<Option<LoadBalancer>, CloudError> {
    let of_service = references.load_balancer.as_ref();
    match of_service.filter(|balancer| balancer.id() == id) {
        Some(balancer) => Ok(Some(balancer.clone())),
        None => reader.load_balancer(id, "").await,
    }
}

/// The other Services of the cluster that use a load balancer, with their ports.
fn users(id: &str, gateway: &Gateway, context: &Context) -> BTreeMap<String, Vec<u16>> {
    let own = (&gateway.service.namespace, &gateway.service.name);
    let services = context.stores.services.state();
    let others = services.iter().filter_map(|found| {
        let (namespace, name) = (found.namespace()?, found.name_any());
        let state = service::state(found, "");
        let uses = state.load_balancer_id.as_deref() == Some(id)
            || state.type_ == "LoadBalancer" && existing::named(&state) == Some(id);
        if (&namespace, &name) == own || !uses {
            return None;
        }
        let ports = state.shape.ports.iter();
        let ports = ports.filter_map(|port| u16::try_from(port.port).ok());
        Some((format!("{namespace}/{name}"), ports.collect()))
    });
    others.collect()
}

/// A Service, the newer of what we wrote and what the store has.
pub(super) fn find_service(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Option<std::sync::Arc<Service>> {
    let reference = ObjectRef::new(name).within(namespace);
    match context.stores.services.get(&reference) {
        Some(stored) => Some(context.services.newest(stored)),
        None => context.services.written(namespace, name),
    }
}

/// Services by namespace and name, as far as they exist, for a plan.
pub(super) fn services(
    context: &Context,
    cluster: &str,
    names: impl Iterator<Item = (String, String)>,
) -> BTreeMap<(String, String), ServiceState> {
    names
        .filter_map(|place| {
            let found = find_service(context, &place.0, &place.1)?;
            Some((place, service::state(&found, cluster)))
        })
        .collect()
}

/// The host of a Knative Route that is ready.
pub fn route_host(route: &DynamicObject) -> Option<String> {
    match route_target(route) {
        Target::Host(host) => Some(host),
        _ => None,
    }
}

fn target(binding: &Validated, context: &Context) -> Target {
    let namespace = &binding.binding.namespace;
    let name = &binding.target.name;
    if binding.target.kind == ServiceKind::Service {
        return match find_service(context, namespace, name) {
            Some(_) => Target::Service,
            None => Target::Missing,
        };
    }
    let reference = ObjectRef::new_with(name, knative_route()).within(namespace);
    match context.stores.routes.get(&reference) {
        None => Target::Missing,
        Some(route) => route_target(&route),
    }
}

fn route_target(route: &DynamicObject) -> Target {
    let status = route.data.get("status");
    let conditions = status.and_then(|status| status.get("conditions")?.as_array());
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition.get("type").and_then(|value| value.as_str()) == Some("Ready"));
    let text = |field: &str| {
        let condition = ready?;
        condition.get(field)?.as_str().map(str::to_owned)
    };
    if text("status").as_deref() != Some("True") {
        let why = text("message")
            .or_else(|| text("reason"))
            .unwrap_or_default();
        return Target::NotReady(if why.is_empty() {
            "it has no condition Ready yet.".to_owned()
        } else {
            why
        });
    }
    let url = status.and_then(|status| status.get("url")?.as_str());
    match url.and_then(host_of) {
        Some(host) => Target::Host(host),
        None => Target::NotReady("it has no URL.".to_owned()),
    }
}

fn host_of(url: &str) -> Option<String> {
    let uri: axum::http::Uri = url.parse().ok()?;
    uri.host().map(str::to_owned)
}

fn consumers(
    binding: &Validated,
    account: Option<&Account>,
    context: &Context,
) -> BTreeMap<ConsumerKey, ConsumerState> {
    let allowed = binding.exposure.iter().flat_map(|exposure| &exposure.allow);
    allowed
        .map(|allowed| {
            let state = consumer(&allowed.consumer, binding, account, context);
            (allowed.consumer.clone(), state)
        })
        .collect()
}

fn consumer(
    key: &ConsumerKey,
    binding: &Validated,
    account: Option<&Account>,
    context: &Context,
) -> ConsumerState {
    let reference = ObjectRef::new(&key.name).within(&key.namespace);
    let Some(consumer) = context.stores.consumers.get(&reference) else {
        return ConsumerState::Missing;
    };
    if consumer.metadata.deletion_timestamp.is_some() {
        return ConsumerState::Missing;
    }
    if unreadable::why(&*consumer).is_some() {
        // Whom it lets in cannot be told: what it may do stays as it is.
        return ConsumerState::NotReady;
    }
    let namespace = &binding.binding.namespace;
    if !lets_in(
        &consumer,
        namespace,
        &context.stores.namespace_labels(namespace),
    ) {
        return ConsumerState::NotAllowed;
    }
    let accounts = consumer.status.iter().flat_map(|status| &status.accounts);
    let here = accounts.into_iter().find(|entry| {
        account.is_some_and(|account| entry.account == account.id && entry.region == account.region)
    });
    match here {
        Some(entry) => ConsumerState::Ready(entry.id.as_str().into()),
        None => {
            let existing = account.and_then(|account| {
                let id = consumer.spec.existing_in(&account.id, &account.region)?;
                Some(ConsumerState::ToAdopt(id.into()))
            });
            existing.unwrap_or(ConsumerState::NotReady)
        }
    }
}

/// The newest word of the cloud controller manager about a Service since we wrote to it, if it is a
/// complaint.
async fn warning(found: &Service, context: &Context) -> Option<Complaint> {
    let since = service::written_at(found);
    let newest = newest_event(&context.runtime.client, found, &ccm::events(), since).await?;
    let event = newest.reason.filter(|reason| reason != ccm::ENSURED)?;
    let message = newest.message.unwrap_or_default();
    Some(Complaint { event, message })
}
