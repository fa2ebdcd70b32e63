//! Limits of requests, and where they act.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ApiId, ConsumerId, Environment, Marker, PolicyId};

/// The window of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Window {
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// One hour.
    Hour,
    /// One day.
    Day,
}

/// Request limits. The same content is one policy, shared by all APIs that want it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Throttling {
    /// Window of every limit here.
    pub window: Window,
    /// All requests to an API together.
    pub api: u64,
    /// All consumers of one cloud account together.
    pub account: Option<u64>,
    /// Each consumer.
    pub consumer: Option<u64>,
    /// Named consumers, instead of `consumer`.
    pub consumers: BTreeMap<ConsumerId, u64>,
}

/// A policy to attach to APIs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySpec {
    /// Unique in account and region.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What it does.
    pub rules: PolicyRules,
}

/// What a policy does. At most one policy of each kind acts on an API in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PolicyRules {
    /// Limits requests.
    Throttling(Throttling),
    /// Something this model has no words for: the product's kind and text.
    Other {
        /// The product's word for it.
        kind: String,
        /// The product's own text.
        data: String,
    },
}

/// A policy as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Made by the cloud.
    pub id: PolicyId,
    /// What it says.
    pub spec: PolicySpec,
    /// Whose it is; none: somebody else's.
    pub marker: Option<Marker>,
}

impl PolicyRules {
    /// Whether it limits requests, also by rules that the model has no words for.
    pub fn limits_requests(&self) -> bool {
        match self {
            Self::Throttling(_) => true,
            Self::Other { kind, .. } => kind == crate::gateway::classic::THROTTLING,
        }
    }
}

/// A policy acting on an API in an environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attachment {
    /// The API.
    pub api: ApiId,
    /// Where.
    pub environment: Environment,
    /// The policy.
    pub policy: PolicyId,
}
