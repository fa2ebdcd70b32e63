//! Executes a plan, step by step, and keeps the ledger.

use std::collections::BTreeMap;

use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::{
    ApiId, Attachment, Environment, Grant, GrantKey, GroupId, Marker, PolicyId,
};
use crds::v1alpha1::Reason;

use super::kubernetes;
use crate::controller::cloud::{Account, Trouble};
use crate::controller::context::Context;
use crate::core::key::{ApiKey, ObjectKey};
use crate::core::plan::{Operation, Step};
use crate::core::problem::Problem;
use crate::core::validate::Validated;

/// Executes the steps of one binding, or of nobody any more.
pub(in crate::controller) struct Executor<'a> {
    /// What the controllers share.
    pub context: &'a Context,
    /// The class's account; none: steps in the cloud cannot be done.
    pub account: Option<&'a Account>,
    /// For the markers of what the binding has for itself.
    pub owner: Marker,
    /// For the markers of what the class's bindings share.
    pub shared_owner: Marker,
    /// Name of the class, for the labels of what we create in the cluster.
    pub class: &'a str,
    /// Ids of what is there; steps add those of what they make.
    pub ids: BTreeMap<ObjectKey, String>,
}

/// Markers for a binding's own objects and for those of its class.
pub(super) fn markers(binding: &Validated) -> (Marker, Marker) {
    let marker = |owner: String| Marker {
        cluster: binding.cluster.clone(),
        owner,
    };
    let owner = crate::core::validate::owner(&binding.binding);
    let class = crate::core::validate::class_owner(&binding.class);
    (marker(owner), marker(class))
}

impl Executor<'_> {
    /// Executes one step.
    pub(in crate::controller) async fn execute(&mut self, step: &Step) -> Result<(), Trouble> {
        self.context
            .runtime
            .leadership
            .ensure_leading()
            .map_err(|_| {
                Trouble::from(Problem::retry(
                    Reason::Pending,
                    "this replica no longer leads",
                ))
            })?;
        let action = step.operation.action();
        if let ObjectKey::Service { namespace, name } = &step.key {
            kubernetes::execute(self, (namespace, name), &step.operation).await?;
        } else {
            self.cloud(step).await?;
        }
        tracing::info!(object = %step.key, action = action.as_str(), "done");
        self.context
            .runtime
            .metrics
            .plan_step(action.as_str(), step.key.kind());
        Ok(())
    }

    async fn cloud(&mut self, step: &Step) -> Result<(), Trouble> {
        let Some(account) = self.account else {
            return Err(missing("the cloud account"));
        };
        let gateway = account.gateway.gateway.clone();
        let key = &step.key;
        match &step.operation {
            Operation::CreateGroup(spec) => {
                let group = gateway.create_group(spec, &self.shared_owner).await?;
                self.ids.insert(key.clone(), group.id.0);
            }
            Operation::UpdateGroup(spec) => {
                gateway.update_group(&self.id(key)?.into(), spec).await?
            }
            Operation::DeleteGroup => gateway.delete_group(&self.id(key)?.into()).await?,
            Operation::CreateBackend(spec) => {
                let backend = gateway.create_backend(spec, &self.shared_owner).await?;
                self.ids.insert(key.clone(), backend.id);
            }
            Operation::UpdateBackend(spec) => gateway.update_backend(spec).await?,
            Operation::DeleteBackend(spec) => gateway.delete_backend(spec).await?,
            Operation::CreatePolicy(spec) => {
                let id = gateway.create_policy(spec, &self.shared_owner).await?;
                self.ids.insert(key.clone(), id.0);
            }
            Operation::UpdatePolicy(spec) => {
                gateway.update_policy(&self.id(key)?.into(), spec).await?
            }
            Operation::DeletePolicy => gateway.delete_policy(&self.id(key)?.into()).await?,
            operation => self.api(&*gateway, key, operation).await?,
        }
        Ok(())
    }

    async fn api(
        &mut self,
        gateway: &dyn ApiGateway,
        key: &ObjectKey,
        operation: &Operation,
    ) -> Result<(), Trouble> {
        let (name, environment) = match key {
            ObjectKey::Api(api) => (api, None),
            ObjectKey::Deployment { api, environment }
            | ObjectKey::Attachment { api, environment }
            | ObjectKey::Grant {
                api, environment, ..
            } => (api, Some(*environment)),
            _ => return Err(missing("a step for this kind of object")),
        };
        let group = GroupId(
            self.id(&ObjectKey::Group {
                name: name.group.clone(),
            })?
            .to_owned(),
        );
        if let Operation::CreateApi(spec) = operation {
            let id = gateway.create_api(&group, spec, &self.owner).await?;
            self.ids.insert(key.clone(), id.0);
            return Ok(());
        }
        let api = self.api_id(name)?;
        match (operation, environment) {
            (Operation::UpdateApi(spec), _) => gateway.update_api(&group, &api, spec).await?,
            (Operation::AmendApi(spec), _) => gateway.amend_api(&group, &api, spec).await?,
            (Operation::DeleteApi, _) => gateway.delete_api(&group, &api).await?,
            (operation, Some(environment)) => {
                self.in_environment(gateway, (&group, api, environment), operation)
                    .await?;
            }
            _ => return Err(missing("a step for this kind of object")),
        }
        Ok(())
    }

    async fn in_environment(
        &self,
        gateway: &dyn ApiGateway,
        (group, api, environment): (&GroupId, ApiId, Environment),
        operation: &Operation,
    ) -> Result<(), Trouble> {
        let grant_key = |consumer| GrantKey {
            api: api.clone(),
            environment,
            consumer,
        };
        match operation {
            Operation::Deploy { note } | Operation::Redeploy { note } => {
                gateway.deploy(group, &api, environment, note).await?;
            }
            Operation::Undeploy => gateway.undeploy(group, &api, environment).await?,
            Operation::Attach { policy } => {
                let policy = PolicyId(
                    self.id(&ObjectKey::Policy {
                        name: policy.clone(),
                    })?
                    .to_owned(),
                );
                let attachment = Attachment {
                    policy,
                    api,
                    environment,
                };
                gateway.attach(group, &attachment).await?;
            }
            Operation::Detach { policy } => {
                let policy = policy.clone();
                let attachment = Attachment {
                    policy,
                    api,
                    environment,
                };
                gateway.detach(group, &attachment).await?;
            }
            Operation::Grant { consumer, until } | Operation::Regrant { consumer, until } => {
                let grant = Grant {
                    key: grant_key(consumer.clone()),
                    until: *until,
                    revocable: true,
                };
                gateway.grant(group, &grant).await?;
            }
            Operation::Revoke { consumer } => {
                gateway.revoke(group, &grant_key(consumer.clone())).await?;
            }
            _ => return Err(missing("a step for this kind of object")),
        }
        Ok(())
    }

    fn api_id(&self, api: &ApiKey) -> Result<ApiId, Trouble> {
        self.id(&ObjectKey::Api(api.clone())).map(ApiId::from)
    }

    fn id(&self, key: &ObjectKey) -> Result<&str, Trouble> {
        self.ids
            .get(key)
            .map(String::as_str)
            .ok_or_else(|| missing(&format!("the id of {key}")))
    }
}

/// Planning and execution disagree: a defect, but no reason to stop the process.
fn missing(what: &str) -> Trouble {
    Trouble::from(Problem::retry(
        Reason::InternalError,
        format!(
            "the plan needs {what}, which is not known. It is planned anew by itself; the operator's log says more."
        ),
    ))
}
