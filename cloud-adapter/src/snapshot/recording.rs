//! Writes that the snapshots show: call, then record; or, where the answer leaves doubt, have the
//! kinds concerned listed again.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Change, Snapshots};
use crate::error::{CloudError, Effect, ErrorClass};
use crate::gateway::ApiGateway;
use crate::gateway::model::*;

/// Decorates a gateway: each write is recorded in the snapshots. Other reads than those
/// of an API pass through to the cloud.
#[derive(Debug)]
pub struct RecordingGateway {
    inner: Arc<dyn ApiGateway>,
    snapshots: Arc<Snapshots>,
}

impl RecordingGateway {
    pub(super) fn new(inner: Arc<dyn ApiGateway>, snapshots: Arc<Snapshots>) -> Self {
        Self { inner, snapshots }
    }

    /// Passes a result on. An error that says that the view was wrong, or that leaves open what
    /// happened, has `kinds` listed again before the next decision.
    fn check<T>(&self, result: Result<T, CloudError>, kinds: &[Kind]) -> Result<T, CloudError> {
        if let Err(error) = &result {
            let wrong = matches!(
                error.class,
                ErrorClass::NotFound
                    | ErrorClass::AlreadyExists
                    | ErrorClass::Busy
                    | ErrorClass::InUse
            );
            if wrong || error.effect == Effect::Unknown {
                kinds
                    .iter()
                    .for_each(|kind| self.snapshots.invalidate(*kind));
            }
        }
        result
    }

    fn record(&self, change: Change) {
        self.snapshots.record(change);
    }

    /// Records a known object after `change`; one that is not known is listed again.
    fn amend<T: Clone>(
        &self,
        known: Option<&T>,
        kind: Kind,
        change: impl FnOnce(&mut T),
        put: fn(T) -> Change,
    ) {
        match known.cloned() {
            Some(mut object) => {
                change(&mut object);
                self.record(put(object));
            }
            None => self.snapshots.invalidate(kind),
        }
    }

    fn record_api(&self, id: &ApiId, change: impl FnOnce(&mut Api)) {
        let seen = self.snapshots.peek();
        let put = |api| Change::PutApi(Box::new(api));
        self.amend(seen.apis.get(id), Kind::Apis, change, put);
    }

    fn record_draft(&self, id: &ApiId, spec: &ApiSpec) {
        self.record_api(id, |api| {
            api.name.clone_from(&spec.name);
            api.method = spec.method;
            api.path.clone_from(&spec.path);
            api.modified.clear();
            api.spec = Some(Arc::new(spec.clone()));
            // What runs is shown with the name and description of the draft.
            for running in api.deployments.values_mut().filter_map(|d| d.spec.as_mut()) {
                let running = Arc::make_mut(running);
                running.name.clone_from(&spec.name);
                running.description.clone_from(&spec.description);
            }
        });
    }

    /// What hung on an API that is gone from one environment, or from all.
    fn drop_attachments(&self, id: &ApiId, environment: Option<Environment>) {
        let here = |at: &&Attachment| environment.is_none_or(|place| place == at.environment);
        for attachment in self.snapshots.peek().attachments_of(id).filter(here) {
            self.record(Change::DeleteAttachment(attachment.clone()));
        }
    }

    fn drop_grants<'a>(&self, grants: impl Iterator<Item = &'a Grant>) {
        for grant in grants {
            self.record(Change::DeleteGrant(grant.key.clone()));
        }
    }
}

#[async_trait]
impl ApiGateway for RecordingGateway {
    async fn list_groups(&self, more: &[GroupId]) -> Result<Vec<Group>, CloudError> {
        self.inner.list_groups(more).await
    }
    async fn create_group(&self, spec: &GroupSpec, marker: &Marker) -> Result<Group, CloudError> {
        let group = self.check(self.inner.create_group(spec, marker).await, &[Kind::Groups])?;
        self.record(Change::PutGroup(group.clone()));
        Ok(group)
    }
    async fn update_group(&self, id: &GroupId, spec: &GroupSpec) -> Result<(), CloudError> {
        self.check(self.inner.update_group(id, spec).await, &[Kind::Groups])?;
        let seen = self.snapshots.peek();
        let change = |group: &mut Group| group.spec.clone_from(spec);
        self.amend(seen.groups.get(id), Kind::Groups, change, Change::PutGroup);
        Ok(())
    }
    async fn delete_group(&self, id: &GroupId) -> Result<(), CloudError> {
        self.check(
            self.inner.delete_group(id).await,
            &[Kind::Groups, Kind::Apis],
        )?;
        self.record(Change::DeleteGroup(id.clone()));
        Ok(())
    }

    async fn list_backends(&self) -> Result<Vec<Backend>, CloudError> {
        self.inner.list_backends().await
    }
    async fn create_backend(
        &self,
        spec: &BackendSpec,
        marker: &Marker,
    ) -> Result<Backend, CloudError> {
        let created = self.inner.create_backend(spec, marker).await;
        let backend = self.check(created, &[Kind::Backends])?;
        self.record(Change::PutBackend(backend.clone()));
        Ok(backend)
    }
    async fn update_backend(&self, spec: &BackendSpec) -> Result<(), CloudError> {
        self.check(
            self.inner.update_backend(spec).await,
            &[Kind::Backends, Kind::Apis],
        )?;
        let seen = self.snapshots.peek();
        let change = |backend: &mut Backend| backend.spec.clone_from(spec);
        let known = seen.backends.get(&spec.name);
        self.amend(known, Kind::Backends, change, Change::PutBackend);
        Ok(())
    }
    async fn delete_backend(&self, spec: &BackendSpec) -> Result<(), CloudError> {
        self.check(
            self.inner.delete_backend(spec).await,
            &[Kind::Backends, Kind::Apis],
        )?;
        self.record(Change::DeleteBackend(spec.name.clone()));
        Ok(())
    }
    async fn backend_users(&self, name: &BackendName) -> Result<Vec<ApiId>, CloudError> {
        self.inner.backend_users(name).await
    }

    async fn list_apis(&self, cluster: &str, more: &[ApiId]) -> Result<Vec<Api>, CloudError> {
        self.inner.list_apis(cluster, more).await
    }
    async fn read_api(&self, api: &Api) -> Result<Option<Api>, CloudError> {
        let read = self.inner.read_api(api).await?;
        match &read {
            Some(api) => self.record(Change::PutApi(Box::new(api.clone()))),
            None => self.snapshots.invalidate(Kind::Apis),
        }
        Ok(read)
    }
    async fn create_api(
        &self,
        group: &GroupId,
        spec: &ApiSpec,
        marker: &Marker,
    ) -> Result<ApiId, CloudError> {
        let created = self.inner.create_api(group, spec, marker).await;
        let id = self.check(created, &[Kind::Apis, Kind::Groups, Kind::Backends])?;
        self.record(Change::PutApi(Box::new(Api {
            id: id.clone(),
            group: group.clone(),
            name: spec.name.clone(),
            method: spec.method,
            path: spec.path.clone(),
            modified: String::new(),
            spec: Some(Arc::new(spec.clone())),
            deployments: Default::default(),
            marker: Some(marker.clone()),
        })));
        Ok(id)
    }
    async fn update_api(
        &self,
        group: &GroupId,
        id: &ApiId,
        spec: &ApiSpec,
    ) -> Result<(), CloudError> {
        let updated = self.inner.update_api(group, id, spec).await;
        self.check(updated, &[Kind::Apis, Kind::Backends])?;
        self.record_draft(id, spec);
        Ok(())
    }
    async fn amend_api(
        &self,
        group: &GroupId,
        id: &ApiId,
        spec: &ApiSpec,
    ) -> Result<(), CloudError> {
        let amended = self.inner.amend_api(group, id, spec).await;
        self.check(amended, &[Kind::Apis, Kind::Backends])?;
        self.record_draft(id, spec);
        Ok(())
    }
    async fn delete_api(&self, group: &GroupId, id: &ApiId) -> Result<(), CloudError> {
        self.check(self.inner.delete_api(group, id).await, &[Kind::Apis])?;
        self.record(Change::DeleteApi(id.clone()));
        self.drop_attachments(id, None);
        self.drop_grants(self.snapshots.peek().grants_of(id));
        Ok(())
    }
    /// The version of what runs shows with the next list; until then it is empty.
    async fn deploy(
        &self,
        group: &GroupId,
        id: &ApiId,
        environment: Environment,
        note: &str,
    ) -> Result<(), CloudError> {
        self.check(
            self.inner.deploy(group, id, environment, note).await,
            &[Kind::Apis],
        )?;
        self.record_api(id, |api| {
            let spec = api.spec.clone();
            let version = String::new();
            api.deployments
                .insert(environment, Deployment { version, spec });
        });
        Ok(())
    }
    async fn undeploy(
        &self,
        group: &GroupId,
        id: &ApiId,
        environment: Environment,
    ) -> Result<(), CloudError> {
        self.check(
            self.inner.undeploy(group, id, environment).await,
            &[Kind::Apis],
        )?;
        self.record_api(id, |api| drop(api.deployments.remove(&environment)));
        self.drop_attachments(id, Some(environment));
        Ok(())
    }

    async fn publication_note(
        &self,
        api: &Api,
        environment: Environment,
    ) -> Result<Option<String>, CloudError> {
        self.inner.publication_note(api, environment).await
    }
    fn unreadable(&self) -> Unreadable {
        self.inner.unreadable()
    }

    async fn list_consumers(&self) -> Result<Vec<Consumer>, CloudError> {
        self.inner.list_consumers().await
    }
    async fn create_consumer(
        &self,
        spec: &ConsumerSpec,
        credentials: &[Credential],
        marker: &Marker,
    ) -> Result<ConsumerId, CloudError> {
        let created = self.inner.create_consumer(spec, credentials, marker).await;
        let id = self.check(created, &[Kind::Consumers])?;
        self.record(Change::PutConsumer(Consumer {
            id: id.clone(),
            spec: spec.clone(),
            marker: Some(marker.clone()),
        }));
        Ok(id)
    }
    async fn update_consumer(
        &self,
        id: &ConsumerId,
        spec: &ConsumerSpec,
    ) -> Result<(), CloudError> {
        self.check(
            self.inner.update_consumer(id, spec).await,
            &[Kind::Consumers],
        )?;
        let seen = self.snapshots.peek();
        let change = |consumer: &mut Consumer| consumer.spec.clone_from(spec);
        self.amend(
            seen.consumers.get(id),
            Kind::Consumers,
            change,
            Change::PutConsumer,
        );
        Ok(())
    }
    async fn delete_consumer(&self, id: &ConsumerId) -> Result<(), CloudError> {
        self.check(
            self.inner.delete_consumer(id).await,
            &[Kind::Consumers, Kind::Grants],
        )?;
        self.record(Change::DeleteConsumer(id.clone()));
        let seen = self.snapshots.peek();
        let of_consumer = |grant: &&Grant| grant.key.consumer == *id;
        self.drop_grants(seen.grants.values().filter(of_consumer));
        Ok(())
    }
    async fn credentials(&self, id: &ConsumerId) -> Result<Vec<Credential>, CloudError> {
        self.check(self.inner.credentials(id).await, &[Kind::Consumers])
    }
    async fn add_credential(
        &self,
        id: &ConsumerId,
        credential: &Credential,
    ) -> Result<(), CloudError> {
        self.check(
            self.inner.add_credential(id, credential).await,
            &[Kind::Consumers],
        )
    }
    async fn remove_credential(
        &self,
        id: &ConsumerId,
        credential: &Credential,
    ) -> Result<(), CloudError> {
        self.check(
            self.inner.remove_credential(id, credential).await,
            &[Kind::Consumers],
        )
    }

    async fn list_grants(&self, consumers: &[ConsumerId]) -> Result<Vec<Grant>, CloudError> {
        self.inner.list_grants(consumers).await
    }
    async fn grant(&self, group: &GroupId, grant: &Grant) -> Result<(), CloudError> {
        let kinds = [Kind::Grants, Kind::Apis, Kind::Consumers];
        self.check(self.inner.grant(group, grant).await, &kinds)?;
        self.record(Change::PutGrant(grant.clone()));
        Ok(())
    }
    async fn revoke(&self, group: &GroupId, key: &GrantKey) -> Result<(), CloudError> {
        self.check(self.inner.revoke(group, key).await, &[Kind::Grants])?;
        self.record(Change::DeleteGrant(key.clone()));
        Ok(())
    }

    async fn list_policies(&self) -> Result<Vec<Policy>, CloudError> {
        self.inner.list_policies().await
    }
    async fn create_policy(
        &self,
        spec: &PolicySpec,
        marker: &Marker,
    ) -> Result<PolicyId, CloudError> {
        let created = self.inner.create_policy(spec, marker).await;
        let id = self.check(created, &[Kind::Policies])?;
        self.record(Change::PutPolicy(Policy {
            id: id.clone(),
            spec: spec.clone(),
            marker: Some(marker.clone()),
        }));
        Ok(id)
    }
    async fn update_policy(&self, id: &PolicyId, spec: &PolicySpec) -> Result<(), CloudError> {
        self.check(self.inner.update_policy(id, spec).await, &[Kind::Policies])?;
        let seen = self.snapshots.peek();
        let change = |policy: &mut Policy| policy.spec.clone_from(spec);
        self.amend(
            seen.policies.get(id),
            Kind::Policies,
            change,
            Change::PutPolicy,
        );
        Ok(())
    }
    async fn delete_policy(&self, id: &PolicyId) -> Result<(), CloudError> {
        self.check(
            self.inner.delete_policy(id).await,
            &[Kind::Policies, Kind::Attachments],
        )?;
        self.record(Change::DeletePolicy(id.clone()));
        Ok(())
    }
    async fn list_attachments(&self, policies: &[PolicyId]) -> Result<Vec<Attachment>, CloudError> {
        self.inner.list_attachments(policies).await
    }
    async fn attach(&self, group: &GroupId, attachment: &Attachment) -> Result<(), CloudError> {
        let kinds = [Kind::Attachments, Kind::Policies, Kind::Apis];
        self.check(self.inner.attach(group, attachment).await, &kinds)?;
        // One of the same kind that acted there was replaced.
        let seen = self.snapshots.peek();
        let rules = |id: &PolicyId| {
            seen.policies
                .get(id)
                .map(|policy| kind_of(&policy.spec.rules))
        };
        let replaced = |at: &&Attachment| {
            at.environment == attachment.environment
                && at.policy != attachment.policy
                && rules(&at.policy) == rules(&attachment.policy)
        };
        for old in seen.attachments_of(&attachment.api).filter(replaced) {
            self.record(Change::DeleteAttachment(old.clone()));
        }
        self.record(Change::PutAttachment(attachment.clone()));
        Ok(())
    }
    async fn detach(&self, group: &GroupId, attachment: &Attachment) -> Result<(), CloudError> {
        self.check(
            self.inner.detach(group, attachment).await,
            &[Kind::Attachments],
        )?;
        self.record(Change::DeleteAttachment(attachment.clone()));
        Ok(())
    }
}

fn kind_of(rules: &PolicyRules) -> &str {
    match rules {
        PolicyRules::Throttling(_) => "trafficControl",
        PolicyRules::Other { kind, .. } => kind,
    }
}
