//! The gateway that the test plays.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::super::*;
use super::group;
use crate::error::{Effect, ErrorClass};

/// Holds lists that the test sets; writes succeed and change nothing unless told to fail.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) groups: Mutex<Vec<Group>>,
    pub(super) apis: Mutex<Vec<Api>>,
    pub(super) consumers: Mutex<Vec<Consumer>>,
    pub(super) grants: Mutex<Vec<Grant>>,
    calls: Mutex<HashMap<&'static str, u32>>,
    pub(super) fail: Mutex<Option<CloudError>>,
    /// Group lists wait for a permit.
    pub(super) gate: Semaphore,
}

impl Played {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            groups: Mutex::default(),
            apis: Mutex::default(),
            consumers: Mutex::default(),
            grants: Mutex::default(),
            calls: Mutex::default(),
            fail: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    fn call(&self, name: &'static str) -> Result<(), CloudError> {
        *self.calls.lock().unwrap().entry(name).or_default() += 1;
        self.fail.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    pub(super) fn calls(&self, name: &str) -> u32 {
        self.calls
            .lock()
            .unwrap()
            .get(name)
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn fails(&self, class: ErrorClass, effect: Effect) {
        *self.fail.lock().unwrap() = Some(CloudError {
            class,
            operation: "test".to_owned(),
            code: "Test".to_owned(),
            message: String::new(),
            request_id: None,
            retry_after: None,
            effect,
        });
    }
}

/// `fn(args) -> Type = value;` as methods that count and may fail.
macro_rules! played {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty = |$me:ident| $value:expr;)*) => {
        #[async_trait]
        impl ApiGateway for Played {
            $(
                async fn $name(&self, $($arg: $ty),*) -> Result<$out, CloudError> {
                    $(let _ = $arg;)*
                    let $me = self;
                    $me.call(stringify!($name))?;
                    Ok($value)
                }
            )*
        }
    };
}

played! {
    list_groups(more: &[GroupId]) -> Vec<Group> = |me| {
        // Taken before the wait, as the cloud may.
        let groups = me.groups.lock().unwrap().clone();
        me.gate.acquire().await.unwrap().forget();
        me.gate.add_permits(1);
        groups
    };
    create_group(spec: &GroupSpec, marker: &Marker) -> Group = |_me| group("new");
    update_group(id: &GroupId, spec: &GroupSpec) -> () = |_me| ();
    delete_group(id: &GroupId) -> () = |_me| ();
    list_backends() -> Vec<Backend> = |_me| vec![];
    create_backend(spec: &BackendSpec, marker: &Marker) -> Backend = |_me| Backend { spec: spec.clone(), id: "v".into(), marker: Some(marker.clone()) };
    update_backend(spec: &BackendSpec) -> () = |_me| ();
    delete_backend(spec: &BackendSpec) -> () = |_me| ();
    backend_users(name: &BackendName) -> Vec<ApiId> = |_me| vec![];
    list_apis(cluster: &str, more: &[ApiId]) -> Vec<Api> = |me| me.apis.lock().unwrap().clone();
    read_api(api: &Api) -> Option<Api> = |_me| Some(api.clone());
    create_api(group: &GroupId, spec: &ApiSpec, marker: &Marker) -> ApiId = |_me| ApiId::from("new");
    update_api(group: &GroupId, id: &ApiId, spec: &ApiSpec) -> () = |_me| ();
    amend_api(group: &GroupId, id: &ApiId, spec: &ApiSpec) -> () = |_me| ();
    delete_api(group: &GroupId, id: &ApiId) -> () = |_me| ();
    deploy(group: &GroupId, id: &ApiId, environment: Environment, note: &str) -> () = |_me| ();
    undeploy(group: &GroupId, id: &ApiId, environment: Environment) -> () = |_me| ();
    list_consumers() -> Vec<Consumer> = |me| me.consumers.lock().unwrap().clone();
    create_consumer(spec: &ConsumerSpec, credentials: &[Credential], marker: &Marker) -> ConsumerId = |_me| ConsumerId::from("new");
    update_consumer(id: &ConsumerId, spec: &ConsumerSpec) -> () = |_me| ();
    delete_consumer(id: &ConsumerId) -> () = |_me| ();
    credentials(id: &ConsumerId) -> Vec<Credential> = |_me| vec![];
    add_credential(id: &ConsumerId, credential: &Credential) -> () = |_me| ();
    remove_credential(id: &ConsumerId, credential: &Credential) -> () = |_me| ();
    list_grants(consumers: &[ConsumerId]) -> Vec<Grant> = |me| {
        let wanted = |grant: &&Grant| consumers.contains(&grant.key.consumer);
        me.grants.lock().unwrap().iter().filter(wanted).cloned().collect()
    };
    grant(group: &GroupId, grant: &Grant) -> () = |_me| ();
    revoke(group: &GroupId, key: &GrantKey) -> () = |_me| ();
    list_policies() -> Vec<Policy> = |_me| vec![];
    create_policy(spec: &PolicySpec, marker: &Marker) -> PolicyId = |_me| PolicyId::from("new");
    update_policy(id: &PolicyId, spec: &PolicySpec) -> () = |_me| ();
    delete_policy(id: &PolicyId) -> () = |_me| ();
    list_attachments(policies: &[PolicyId]) -> Vec<Attachment> = |_me| vec![];
    attach(group: &GroupId, attachment: &Attachment) -> () = |_me| ();
    detach(group: &GroupId, attachment: &Attachment) -> () = |_me| ();
}
