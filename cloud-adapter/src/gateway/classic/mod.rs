//! The trait by API Gateway (CloudAPI 2016-07-14), one file for each family of objects.
//!
//! A prefix path `/a` is written as `/a/*`, and `/` as `/*`. Whether `/a/*` also matches the bare
//! `/a` is not documented; this adapter takes it that it does.

mod api_amend;
mod api_answer;
mod api_details;
mod api_parse;
mod api_render;
#[cfg(test)]
mod api_wire_tests;
mod apis;
mod attachments;
mod backends;
mod check;
mod consumers;
mod grants;
mod groups;
mod policies;
mod tags;
mod throttling;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

pub use api_amend::{Fate, fate};
pub use check::{
    Named, Unsupported, check_api, check_description, check_marker, check_name, check_throttling,
};

pub use throttling::KIND as THROTTLING;

use super::ApiGateway;
use super::model::*;
use crate::client::Client;
use crate::error::{CloudError, Effect, ErrorClass};
use crate::operations::Operation;
use crate::pages::{self, Listed};
use crate::transport::failure;
use api_details::Details;

/// Calls in flight at once while details are read.
const PARALLEL: usize = 4;

/// How the adapter waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassicTiming {
    /// Between two looks at an asynchronous task.
    pub poll: Duration,
    /// How long a task may take before the call fails (the task goes on).
    pub task: Duration,
    /// After how long the details of an API are read again although its list entry did not move.
    pub audit: Duration,
}

impl Default for ClassicTiming {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            task: Duration::from_secs(120),
            audit: Duration::from_secs(6 * 3600),
        }
    }
}

/// API Gateway (CloudAPI 2016-07-14) in one region.
#[derive(Debug)]
pub struct ClassicGateway {
    client: Client,
    /// The same, for lists: they may take half of the budget and no more.
    lists: Client,
    timing: ClassicTiming,
    details: Details,
    unreadable: Mutex<Unreadable>,
}

impl ClassicGateway {
    /// Makes no call yet. The region is the client's.
    pub fn new(client: Client) -> Self {
        Self::with_timing(client, ClassicTiming::default())
    }

    /// With other waits, for tests.
    pub fn with_timing(client: Client, timing: ClassicTiming) -> Self {
        Self {
            lists: client.background(),
            details: Details::new(client.clock().clone(), timing.audit),
            client,
            timing,
            unreadable: Mutex::default(),
        }
    }

    /// Takes a list, and notes what in it could not be read.
    fn took<T>(&self, kind: Kind, listed: Listed<T>) -> Vec<T> {
        let mut unreadable = self.known_unreadable();
        unreadable.retain(|(of, _), _| *of != kind);
        for (id, why) in listed.unreadable {
            tracing::warn!(?kind, id, why, "a listed object cannot be read");
            unreadable.insert((kind, id), why);
        }
        listed.items
    }

    fn known_unreadable(&self) -> MutexGuard<'_, Unreadable> {
        self.unreadable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deleting what does not exist is success.
fn gone_is_fine(result: Result<serde_json::Value, CloudError>) -> Result<(), CloudError> {
    match result {
        Err(error) if error.class != ErrorClass::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The id of what was made; an answer without one says nothing of whether it was.
fn made(operation: Operation, id: String) -> Result<String, CloudError> {
    if id.is_empty() || id == "0" {
        let message = "the answer has no id of what was created";
        return Err(failure(
            operation,
            ErrorClass::Unavailable,
            "UnreadableAnswer",
            message,
            Effect::Unknown,
        ));
    }
    Ok(id)
}

fn stage(environment: Environment) -> &'static str {
    match environment {
        Environment::Test => "TEST",
        Environment::Pre => "PRE",
        Environment::Release => "RELEASE",
    }
}

/// None for a stage that a person made: nothing of ours runs there.
fn environment(stage: &str) -> Option<Environment> {
    match stage.to_ascii_uppercase().as_str() {
        "TEST" => Some(Environment::Test),
        "PRE" => Some(Environment::Pre),
        "RELEASE" => Some(Environment::Release),
        _ => None,
    }
}

#[async_trait]
impl ApiGateway for ClassicGateway {
    async fn list_groups(&self, more: &[GroupId]) -> Result<Vec<Group>, CloudError> {
        Ok(self.took(Kind::Groups, groups::list(&self.lists, more).await?))
    }
    async fn create_group(&self, spec: &GroupSpec, marker: &Marker) -> Result<Group, CloudError> {
        groups::create(&self.client, spec, marker).await
    }
    async fn update_group(&self, id: &GroupId, spec: &GroupSpec) -> Result<(), CloudError> {
        groups::update(&self.client, id, spec).await
    }
    async fn delete_group(&self, id: &GroupId) -> Result<(), CloudError> {
        groups::delete(&self.client, id).await
    }

    async fn list_backends(&self) -> Result<Vec<Backend>, CloudError> {
        Ok(self.took(Kind::Backends, backends::list(&self.lists).await?))
    }
    async fn create_backend(
        &self,
        spec: &BackendSpec,
        marker: &Marker,
    ) -> Result<Backend, CloudError> {
        backends::create(&self.client, spec, marker).await
    }
    async fn update_backend(&self, spec: &BackendSpec) -> Result<(), CloudError> {
        backends::update(&self.client, spec, &self.timing).await
    }
    async fn delete_backend(&self, spec: &BackendSpec) -> Result<(), CloudError> {
        backends::delete(&self.client, spec).await
    }
    async fn backend_users(&self, name: &BackendName) -> Result<Vec<ApiId>, CloudError> {
        backends::users(&self.client, name).await
    }

    async fn read_api(&self, api: &Api) -> Result<Option<Api>, CloudError> {
        apis::read(&self.client, &self.details, api).await
    }
    async fn list_apis(&self, cluster: &str, more: &[ApiId]) -> Result<Vec<Api>, CloudError> {
        let listed = apis::list(&self.lists, &self.details, cluster, more).await?;
        Ok(self.took(Kind::Apis, listed))
    }
    async fn create_api(
        &self,
        group: &GroupId,
        spec: &ApiSpec,
        marker: &Marker,
    ) -> Result<ApiId, CloudError> {
        apis::create(&self.client, group, spec, marker).await
    }
    async fn update_api(
        &self,
        group: &GroupId,
        id: &ApiId,
        spec: &ApiSpec,
    ) -> Result<(), CloudError> {
        self.details.forget(id);
        let result = apis::update(&self.client, group, id, spec).await;
        self.details.forget(id);
        result
    }
    async fn amend_api(
        &self,
        group: &GroupId,
        id: &ApiId,
        spec: &ApiSpec,
    ) -> Result<(), CloudError> {
        self.details.forget(id);
        let result = api_amend::amend(&self.client, group, id, spec).await;
        self.details.forget(id);
        result
    }
    async fn delete_api(&self, group: &GroupId, id: &ApiId) -> Result<(), CloudError> {
        self.details.forget(id);
        apis::delete(&self.client, group, id).await
    }
    async fn deploy(
        &self,
        group: &GroupId,
        id: &ApiId,
        environment: Environment,
        note: &str,
    ) -> Result<(), CloudError> {
        let result = apis::deploy(&self.client, group, id, environment, note).await;
        self.details.forget(id);
        result
    }
    async fn undeploy(
        &self,
        group: &GroupId,
        id: &ApiId,
        environment: Environment,
    ) -> Result<(), CloudError> {
        let result = apis::undeploy(&self.client, group, id, environment).await;
        self.details.forget(id);
        result
    }
    async fn publication_note(
        &self,
        api: &Api,
        environment: Environment,
    ) -> Result<Option<String>, CloudError> {
        apis::publication_note(&self.client, api, environment).await
    }

    async fn list_consumers(&self) -> Result<Vec<Consumer>, CloudError> {
        Ok(self.took(Kind::Consumers, consumers::list(&self.lists).await?))
    }
    async fn create_consumer(
        &self,
        spec: &ConsumerSpec,
        credentials: &[Credential],
        marker: &Marker,
    ) -> Result<ConsumerId, CloudError> {
        consumers::create(&self.client, spec, credentials, marker).await
    }
    async fn update_consumer(
        &self,
        id: &ConsumerId,
        spec: &ConsumerSpec,
    ) -> Result<(), CloudError> {
        consumers::update(&self.client, id, spec).await
    }
    async fn delete_consumer(&self, id: &ConsumerId) -> Result<(), CloudError> {
        consumers::delete(&self.client, id).await
    }
    async fn credentials(&self, id: &ConsumerId) -> Result<Vec<Credential>, CloudError> {
        consumers::credentials(&self.client, id).await
    }
    async fn add_credential(
        &self,
        id: &ConsumerId,
        credential: &Credential,
    ) -> Result<(), CloudError> {
        consumers::add_credential(&self.client, id, credential).await
    }
    async fn remove_credential(
        &self,
        id: &ConsumerId,
        credential: &Credential,
    ) -> Result<(), CloudError> {
        consumers::remove_credential(&self.client, id, credential).await
    }

    async fn list_grants(&self, consumers: &[ConsumerId]) -> Result<Vec<Grant>, CloudError> {
        let listed = grants::list(&self.lists, consumers).await?;
        Ok(self.took(Kind::Grants, listed))
    }
    async fn grant(&self, group: &GroupId, grant: &Grant) -> Result<(), CloudError> {
        grants::grant(&self.client, group, grant).await
    }
    async fn revoke(&self, group: &GroupId, key: &GrantKey) -> Result<(), CloudError> {
        grants::revoke(&self.client, group, key).await
    }

    async fn list_policies(&self) -> Result<Vec<Policy>, CloudError> {
        Ok(self.took(Kind::Policies, policies::list(&self.lists).await?))
    }
    async fn create_policy(
        &self,
        spec: &PolicySpec,
        marker: &Marker,
    ) -> Result<PolicyId, CloudError> {
        policies::create(&self.client, spec, marker).await
    }
    async fn update_policy(&self, id: &PolicyId, spec: &PolicySpec) -> Result<(), CloudError> {
        policies::update(&self.client, id, spec).await
    }
    async fn delete_policy(&self, id: &PolicyId) -> Result<(), CloudError> {
        policies::delete(&self.client, id).await
    }
    async fn list_attachments(&self, policies: &[PolicyId]) -> Result<Vec<Attachment>, CloudError> {
        attachments::list(&self.lists, policies).await
    }
    async fn attach(&self, group: &GroupId, attachment: &Attachment) -> Result<(), CloudError> {
        attachments::attach(&self.client, group, attachment).await
    }
    async fn detach(&self, group: &GroupId, attachment: &Attachment) -> Result<(), CloudError> {
        attachments::detach(&self.client, group, attachment).await
    }
    fn unreadable(&self) -> Unreadable {
        self.known_unreadable().clone()
    }
}
