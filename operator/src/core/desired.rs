//! The resources a binding wants, each under its key, before anything is known of what is there.

use std::collections::BTreeMap;
use std::fmt;

use cloud_adapter::gateway::model::{ApiSpec, BackendName, ConsumerId, GroupSpec, PolicySpec};
use crds::v1alpha1::{CreateFrom, ExternalTrafficPolicy, SessionAffinity};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ServicePort;
use serde::Serialize;

use super::adoption::{ApiWish, GroupWish, PolicyWish};
use super::diff::FieldChange;
use super::key::ObjectKey;
use super::names;

/// A resource and its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is called in the ledger.
    pub key: ObjectKey,
    /// What it should be.
    pub desired: Desired,
}

/// What a resource should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Desired {
    /// See [`ServiceDesired`].
    Service(ServiceDesired),
    /// An API group.
    Group(GroupSpec),
    /// A backend; its load balancer may not be known yet.
    Backend(BackendDesired),
    /// An API's draft.
    Api(ApiSpec),
    /// The same definition, running.
    Deployment(ApiSpec),
    /// A policy.
    Policy(PolicySpec),
    /// The policy of this name acts on the API.
    Attachment {
        /// Name of the policy.
        policy: String,
    },
    /// A group that others made.
    AdoptedGroup(GroupWish),
    /// The draft of an API that others made.
    AdoptedApi(ApiWish),
    /// The same, running.
    AdoptedDeployment(ApiWish),
    /// A policy that others made.
    AdoptedPolicy(PolicyWish),
    /// What it should be cannot be told yet: it stays as it is, and stays claimed.
    Undecided,
    /// It is adopted, and another binding has it: it is neither used nor claimed.
    Refused,
    /// A consumer may call the API.
    Grant {
        /// Its id in the cloud.
        consumer: ConsumerId,
        /// When it ends.
        until: Option<Timestamp>,
    },
}

impl Desired {
    /// A digest for telling whether the same was wanted before.
    pub fn digest(&self) -> String {
        match self {
            // What the cloud looks like is no part of what is wanted.
            Self::Service(service) => {
                let ServiceDesired {
                    annotations,
                    create,
                    takeover,
                    drift: _,
                } = service;
                names::digest(&format!(
                    "Service(ServiceDesired {{ annotations: {annotations:?}, create: {create:?}, takeover: {takeover:?} }})"
                ))
            }
            other => names::digest(&format!("{other:?}")),
        }
    }
}

/// The gateway's Service: what we say on it, and what it is if we create it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceDesired {
    /// Annotations that are ours. All others are left alone.
    pub annotations: BTreeMap<String, String>,
    /// The Service is ours to create with this shape; none: it must exist.
    pub create: Option<ServiceShape>,
    /// Take fields over from other field managers instead of reporting them.
    pub takeover: bool,
    /// What somebody changed of its load balancer, past the Service.
    pub drift: Vec<FieldChange>,
}

/// What is ours of a Service that we create: selector and ports, copied from another one, and how
/// requests come to pods.
#[derive(Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceShape {
    /// Which pods.
    pub selector: BTreeMap<String, String>,
    /// Which ports, without node ports.
    pub ports: Vec<ServicePort>,
    /// Which nodes requests come through.
    pub external_traffic_policy: ExternalTrafficPolicy,
    /// What keeps a caller at one pod.
    pub session_affinity: SessionAffinity,
    /// `spec.loadBalancerClass`: who makes the load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_class: Option<String>,
}

/// A class that is not there is left out: ledgers have digests of this from before there was one.
impl fmt::Debug for ServiceShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            selector,
            ports,
            external_traffic_policy,
            session_affinity,
            load_balancer_class,
        } = self;
        let mut shape = f.debug_struct("ServiceShape");
        shape
            .field("selector", selector)
            .field("ports", ports)
            .field("external_traffic_policy", external_traffic_policy)
            .field("session_affinity", session_affinity);
        if let Some(class) = load_balancer_class {
            shape.field("load_balancer_class", class);
        }
        shape.finish()
    }
}

impl ServiceShape {
    /// This Service's selector and ports for one that is made after it, with a class of its own.
    #[must_use]
    pub fn copied(mut self, wish: &CreateFrom, class: Option<&str>) -> Self {
        self.load_balancer_class = class.map(str::to_owned);
        if let Some(wanted) = &wish.ports {
            self.ports.retain(|port| wanted.contains(&port.port));
        }
        self.external_traffic_policy = wish.external_traffic_policy.unwrap_or_default();
        self.session_affinity = wish.session_affinity.unwrap_or_default();
        self
    }
}

/// A backend that may still wait for its load balancer.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendDesired {
    /// Its name.
    pub name: BackendName,
    /// Port of the load balancer's listener.
    pub port: u16,
    /// Where it is; none: the cloud controller manager has not made it yet.
    pub load_balancer: Option<LoadBalancerPlace>,
}

/// A load balancer and the VPC it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancerPlace {
    /// `lb-…`
    pub id: String,
    /// `vpc-…`
    pub vpc_id: String,
}
