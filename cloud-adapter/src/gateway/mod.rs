//! The API gateway, behind one trait that fits both of Alibaba Cloud's products.

pub mod apis;
pub mod classic;
pub mod model;

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::CloudError;
use model::*;

/// What an operator asks of an API gateway. Implementations never repeat a call that creates
/// something: when an answer is missing they say so ([`crate::error::Effect::Unknown`]) and the
/// caller lists before it tries again.
///
/// Deleting what does not exist is success. Lists are whole or an error, never a part.
#[async_trait]
pub trait ApiGateway: Debug + Send + Sync {
    /// Every group, with its details where it is ours or among `more`.
    async fn list_groups(&self, more: &[GroupId]) -> Result<Vec<Group>, CloudError>;
    /// Creates a group with its marker and brings its switches to what `spec` says.
    async fn create_group(&self, spec: &GroupSpec, marker: &Marker) -> Result<Group, CloudError>;
    /// Brings a group to `spec`; `instance` cannot change.
    async fn update_group(&self, id: &GroupId, spec: &GroupSpec) -> Result<(), CloudError>;
    /// Deletes a group; refused while it has APIs.
    async fn delete_group(&self, id: &GroupId) -> Result<(), CloudError>;

    /// Every backend.
    async fn list_backends(&self) -> Result<Vec<Backend>, CloudError>;
    /// Creates a backend with its marker.
    async fn create_backend(
        &self,
        spec: &BackendSpec,
        marker: &Marker,
    ) -> Result<Backend, CloudError>;
    /// Points a backend elsewhere, with all APIs behind it, and waits until they have moved.
    async fn update_backend(&self, spec: &BackendSpec) -> Result<(), CloudError>;
    /// Deletes a backend. `spec` is what it says now: the classic product removes it by
    /// VPC, load balancer and port, not by name.
    async fn delete_backend(&self, spec: &BackendSpec) -> Result<(), CloudError>;
    /// The APIs that run with a backend, whoever made them. The product itself does not refuse to
    /// delete a backend that is in use.
    async fn backend_users(&self, name: &BackendName) -> Result<Vec<ApiId>, CloudError>;

    /// Every API, as an index: with the definitions of those whose marker names `cluster`, and of
    /// those among `more`, where they were read before and did not move since. Reads no definition.
    async fn list_apis(&self, cluster: &str, more: &[ApiId]) -> Result<Vec<Api>, CloudError>;
    /// A listed API with its definition and those that run; none if it is gone.
    async fn read_api(&self, api: &Api) -> Result<Option<Api>, CloudError>;
    /// Creates an API (its draft) with its marker.
    async fn create_api(
        &self,
        group: &GroupId,
        spec: &ApiSpec,
        marker: &Marker,
    ) -> Result<ApiId, CloudError>;
    /// Replaces the definition (the draft). Nothing runs differently until it is deployed.
    async fn update_api(
        &self,
        group: &GroupId,
        id: &ApiId,
        spec: &ApiSpec,
    ) -> Result<(), CloudError>;
    /// Brings the definition (the draft) of an API that others made to `spec`, and leaves as it is
    /// what `spec` has no word for, its `unmodelled` among that.
    async fn amend_api(
        &self,
        group: &GroupId,
        id: &ApiId,
        spec: &ApiSpec,
    ) -> Result<(), CloudError>;
    /// Deletes an API; refused while it is deployed.
    async fn delete_api(&self, group: &GroupId, id: &ApiId) -> Result<(), CloudError>;
    /// Makes the draft run. `note` is kept by the product with the version.
    async fn deploy(
        &self,
        group: &GroupId,
        id: &ApiId,
        environment: Environment,
        note: &str,
    ) -> Result<(), CloudError>;
    /// Stops what runs. The classic product also detaches policies from it.
    async fn undeploy(
        &self,
        group: &GroupId,
        id: &ApiId,
        environment: Environment,
    ) -> Result<(), CloudError>;

    /// What whoever published a listed API last in an environment wrote about it; none: nothing is
    /// known.
    async fn publication_note(
        &self,
        _api: &Api,
        _environment: Environment,
    ) -> Result<Option<String>, CloudError> {
        Ok(None)
    }

    /// Every consumer, without credentials.
    async fn list_consumers(&self) -> Result<Vec<Consumer>, CloudError>;
    /// Creates a consumer with its first credentials (at most one of each kind) and its marker.
    async fn create_consumer(
        &self,
        spec: &ConsumerSpec,
        credentials: &[Credential],
        marker: &Marker,
    ) -> Result<ConsumerId, CloudError>;
    /// Brings a consumer to `spec`.
    async fn update_consumer(&self, id: &ConsumerId, spec: &ConsumerSpec)
    -> Result<(), CloudError>;
    /// Deletes a consumer with all its grants.
    async fn delete_consumer(&self, id: &ConsumerId) -> Result<(), CloudError>;
    /// A consumer's credentials.
    async fn credentials(&self, id: &ConsumerId) -> Result<Vec<Credential>, CloudError>;
    /// Adds a credential.
    async fn add_credential(
        &self,
        id: &ConsumerId,
        credential: &Credential,
    ) -> Result<(), CloudError>;
    /// Removes a credential.
    async fn remove_credential(
        &self,
        id: &ConsumerId,
        credential: &Credential,
    ) -> Result<(), CloudError>;

    /// The grants of these consumers.
    async fn list_grants(&self, consumers: &[ConsumerId]) -> Result<Vec<Grant>, CloudError>;
    /// Grants, or moves the end of a grant. The API must be deployed there.
    async fn grant(&self, group: &GroupId, grant: &Grant) -> Result<(), CloudError>;
    /// Revokes.
    async fn revoke(&self, group: &GroupId, key: &GrantKey) -> Result<(), CloudError>;

    /// Every policy.
    async fn list_policies(&self) -> Result<Vec<Policy>, CloudError>;
    /// Creates a policy with its marker.
    async fn create_policy(
        &self,
        spec: &PolicySpec,
        marker: &Marker,
    ) -> Result<PolicyId, CloudError>;
    /// Replaces what a policy says.
    async fn update_policy(&self, id: &PolicyId, spec: &PolicySpec) -> Result<(), CloudError>;
    /// Deletes a policy; refused while it is attached.
    async fn delete_policy(&self, id: &PolicyId) -> Result<(), CloudError>;
    /// Where these policies act.
    async fn list_attachments(&self, policies: &[PolicyId]) -> Result<Vec<Attachment>, CloudError>;
    /// Attaches a policy; one of the same kind that acts there is replaced.
    async fn attach(&self, group: &GroupId, attachment: &Attachment) -> Result<(), CloudError>;
    /// Detaches a policy.
    async fn detach(&self, group: &GroupId, attachment: &Attachment) -> Result<(), CloudError>;

    /// What could not be read in the last list of each kind.
    fn unreadable(&self) -> Unreadable {
        Unreadable::default()
    }
}
