//! One step of a plan.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::{
    ApiAuth, ApiSpec, BackendSpec, ConsumerId, GroupSpec, PolicyId, PolicySpec,
};
use crds::keys;
use jiff::Timestamp;

use crate::core::desired::ServiceShape;
use crate::core::diff::FieldChange;
use crate::core::key::ObjectKey;
use crate::core::slb;

/// One step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it concerns.
    pub key: ObjectKey,
    /// What is done.
    pub operation: Operation,
    /// The fields that change; empty for a creation or removal.
    pub changes: Vec<FieldChange>,
}

impl Step {
    /// What a person should know before it is done; none: nothing in particular.
    pub fn risk(&self) -> Option<&'static str> {
        let adopted = self.key.adopted_id().is_some();
        match self.operation {
            Operation::UpdateGroup(_) if adopted => {
                Some("concerns every API of the group, whoever made it")
            }
            Operation::UpdatePolicy(_) if adopted => {
                Some("acts at once on every API that has this policy, whoever made it")
            }
            _ => self.operation.risk(),
        }
    }
}

/// What is done about an object, as events, metrics and status call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It comes into being.
    Create,
    /// It changes.
    Update,
    /// It goes.
    Delete,
}

impl Action {
    /// Lower-case word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What is done. Ids that an earlier step brings are looked up by key when the step is executed.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Operation {
    CreateService {
        shape: ServiceShape,
        annotations: BTreeMap<String, String>,
    },
    ApplyService {
        /// Selector and ports too, for a Service that we created.
        shape: Option<ServiceShape>,
        annotations: BTreeMap<String, String>,
        takeover: bool,
    },
    /// The Service was there before: our annotations go back to what they were.
    ReleaseService {
        annotations: BTreeMap<String, String>,
    },
    DeleteService {
        uid: String,
    },
    CreateGroup(GroupSpec),
    UpdateGroup(GroupSpec),
    DeleteGroup,
    CreateBackend(BackendSpec),
    UpdateBackend(BackendSpec),
    /// What it says now, which is what it is removed by.
    DeleteBackend(BackendSpec),
    CreateApi(ApiSpec),
    UpdateApi(ApiSpec),
    /// Others made it: what the definition does not speak of is left as it is.
    AmendApi(ApiSpec),
    DeleteApi,
    /// Makes the draft run where nothing ran.
    Deploy {
        note: String,
    },
    /// Makes the draft run in place of another version.
    Redeploy {
        note: String,
    },
    Undeploy,
    CreatePolicy(PolicySpec),
    UpdatePolicy(PolicySpec),
    DeletePolicy,
    Attach {
        /// Name of the policy.
        policy: String,
    },
    Detach {
        policy: PolicyId,
    },
    Grant {
        consumer: ConsumerId,
        until: Option<Timestamp>,
    },
    /// Moves the end of a permission.
    Regrant {
        consumer: ConsumerId,
        until: Option<Timestamp>,
    },
    Revoke {
        consumer: ConsumerId,
    },
}

impl Operation {
    /// The new value of the annotation that only has the cloud controller manager compare everything
    /// again, if it is that.
    pub fn resync(&self) -> Option<&str> {
        match self {
            Self::ApplyService { annotations, .. } => {
                annotations.get(keys::RESYNC).map(String::as_str)
            }
            _ => None,
        }
    }

    /// What it does about the object.
    pub fn action(&self) -> Action {
        match self {
            Self::CreateService { .. }
            | Self::CreateGroup(_)
            | Self::CreateBackend(_)
            | Self::CreateApi(_)
            | Self::Deploy { .. }
            | Self::CreatePolicy(_)
            | Self::Attach { .. }
            | Self::Grant { .. } => Action::Create,
            Self::ApplyService { .. }
            | Self::UpdateGroup(_)
            | Self::UpdateBackend(_)
            | Self::UpdateApi(_)
            | Self::AmendApi(_)
            | Self::Redeploy { .. }
            | Self::UpdatePolicy(_)
            | Self::Regrant { .. } => Action::Update,
            Self::ReleaseService { .. }
            | Self::DeleteService { .. }
            | Self::DeleteGroup
            | Self::DeleteBackend(_)
            | Self::DeleteApi
            | Self::Undeploy
            | Self::DeletePolicy
            | Self::Detach { .. }
            | Self::Revoke { .. } => Action::Delete,
        }
    }

    /// What a person should know before it is done; none: nothing in particular.
    pub fn risk(&self) -> Option<&'static str> {
        match self {
            Self::CreateService { annotations, .. } if slb::is_public(annotations) => Some(
                "the load balancer can be reached from the Internet; it is billed while the Service is there",
            ),
            Self::CreateService { .. } => {
                Some("the load balancer is billed while the Service is there")
            }
            Self::ApplyService { .. } => {
                Some("changes the running load balancer, for all that is behind it")
            }
            Self::DeleteService { .. } => Some("the load balancer and its address are released"),
            Self::DeleteGroup => Some("its public host name is gone for good"),
            Self::UpdateBackend(_) => Some("moves every API behind this backend"),
            Self::CreateApi(spec) | Self::UpdateApi(spec) | Self::AmendApi(spec)
                if spec.auth == ApiAuth::Anonymous =>
            {
                Some("once published, everybody can call it, without a credential")
            }
            Self::Redeploy { .. } => Some("replaces the running definition within seconds"),
            Self::Undeploy => Some("requests to this API are refused from now on"),
            Self::UpdatePolicy(_) => Some("acts at once on every API it is attached to"),
            Self::Revoke { .. } => Some("the consumer is refused from now on"),
            Self::Detach { .. } => Some("requests are no longer limited"),
            _ => None,
        }
    }
}
