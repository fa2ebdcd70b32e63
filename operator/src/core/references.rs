//! What a valid binding refers to, as it was found.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::ConsumerId;
use jiff::Timestamp;

use super::balancer::LoadBalancer;
use super::desired::ServiceShape;
use super::key::ConsumerKey;
use super::observed::{ExistingLoadBalancer, ServiceState};

/// What a valid binding refers to.
#[derive(Clone, Debug)]
pub struct References {
    /// The moment at which all of it is judged: permissions end.
    pub now: Timestamp,
    /// What is exposed.
    pub target: Target,
    /// The gateway's Service, if it exists.
    pub service: Option<ServiceState>,
    /// Selector and ports of the Service that the gateway's is to be made from, if it exists.
    pub source: Option<ServiceShape>,
    /// The load balancer of the gateway's Service, if it has one.
    pub load_balancer: Option<LoadBalancer>,
    /// The load balancer that the settings name by its id; none: they name none, or it is not known
    /// what it is.
    pub existing: Option<ExistingLoadBalancer>,
    /// The consumers that the binding allows.
    pub consumers: BTreeMap<ConsumerKey, ConsumerState>,
}

impl References {
    /// The consumers that are in the cloud, or are to be adopted there.
    pub fn known_consumers(&self) -> impl Iterator<Item = ConsumerId> + '_ {
        self.consumers.values().filter_map(|state| match state {
            ConsumerState::Ready(id) | ConsumerState::ToAdopt(id) => Some(id.clone()),
            _ => None,
        })
    }
}

/// What is exposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// There is no such object.
    Missing,
    /// It has no host name yet, or is not ready; in the words of its own status.
    NotReady(String),
    /// A Knative Service answers under this host name.
    Host(String),
    /// A plain Service, which takes any Host.
    Service,
}

/// A consumer that a binding allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumerState {
    /// There is no such object.
    Missing,
    /// It does not let the binding's namespace use it.
    NotAllowed,
    /// It is not in the cloud yet.
    NotReady,
    /// It adopts what is there under this id, and has not yet.
    ToAdopt(ConsumerId),
    /// It is there.
    Ready(ConsumerId),
}
