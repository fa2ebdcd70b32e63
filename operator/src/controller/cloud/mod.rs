//! The cloud accounts behind classes: who we are there, and the one client and snapshot that all
//! bindings of a class share.

mod account;
mod balancers;
mod credentials;
mod health;
mod trouble;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cloud_adapter::budget::{Budget, Budgets};
use cloud_adapter::client::{Client, ClientConfig};
use cloud_adapter::credentials::{CredentialsProvider, CredentialsSource};
use cloud_adapter::endpoints::Endpoints;
use cloud_adapter::error::{CloudError, ErrorClass};
use cloud_adapter::gateway::classic::ClassicGateway;
use cloud_adapter::observe::Observer;
use cloud_adapter::operations::Product;
use cloud_adapter::snapshot::{GatewayAccess, SnapshotTiming};
use crds::v1alpha1::{Cloud, GatewayBindingClass, Product as ApiProduct, Reason};
use kube::ResourceExt;

use crate::core::problem::Problem;
use crate::runtime::Runtime;
pub use account::Account;
use health::Health;
pub use trouble::{Trouble, kube_message, refusal};

/// How long a pass waits for another one that opens the same account.
const PATIENCE: Duration = Duration::from_secs(1);

impl Door {
    fn refused(&self, trouble: &Trouble) {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        *refusal = Some(trouble.problem.clone());
    }

    /// What is said while no attempt is made: what the last one met, so that a status does not
    /// go back and forth between the two.
    fn silent(&self, class: &str, again: Duration) -> Trouble {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let problem = refusal.clone().unwrap_or_else(|| {
            Problem::retry(
                Reason::CloudUnreachable,
                format!("the account of GatewayBindingClass \"{class}\" does not answer; the class's own status says more. It is tried again by itself."),
            )
        });
        Trouble {
            retry_after: Some(again),
            problem,
            paused: true,
        }
    }

    fn open_with(&self, with: &str) -> Option<Arc<Account>> {
        let open = self.lock();
        let open = open.as_ref().filter(|open| open.with == with)?;
        Some(open.account.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every class's account. Clones share it.
#[derive(Clone)]
pub struct Clouds {
    runtime: Runtime,
    budgets: Budgets,
    doors: Arc<Mutex<HashMap<String, Arc<Door>>>>,
}

/// One class's way in. Each has a lock of its own, so that nobody waits for another class.
#[derive(Default)]
struct Door {
    open: Mutex<Option<Open>>,
    opening: tokio::sync::Mutex<()>,
    /// Why it could not be opened last time.
    refusal: Mutex<Option<Problem>>,
    health: Arc<Health>,
}

#[derive(Clone)]
struct Open {
    /// The class's `cloud` block and the version of its Secret.
    with: String,
    account: Arc<Account>,
}

impl Clouds {
    /// Nobody is known yet.
    pub fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            budgets: Budgets::new(),
            doors: Arc::default(),
        }
    }

    /// The account of a class. Made when it is first asked for, and again when the class's way in
    /// changes. While the account does not answer, this fails at once most of the time.
    pub async fn of(&self, class: &GatewayBindingClass) -> Result<Arc<Account>, Trouble> {
        let name = class.name_any();
        let Some(cloud) = &class.spec.cloud else {
            return Err(Trouble::from(Problem::blocked(
                Reason::InvalidSpec,
                format!("GatewayBindingClass \"{name}\" has no cloud. Set spec.cloud."),
            )));
        };
        let (source, secret_version) = self.source(cloud).await?;
        let with = format!("{cloud:?}/{secret_version}");
        let door = self.door(&name);
        if let Some(pause) = door.health.pause(Instant::now()) {
            return Err(door.silent(&name, pause));
        }
        if let Some(account) = door.open_with(&with) {
            return Ok(account);
        }
        let Ok(_opening) = tokio::time::timeout(PATIENCE, door.opening.lock()).await else {
            return Err(door.silent(&name, PATIENCE));
        };
        if let Some(account) = door.open_with(&with) {
            return Ok(account);
        }
        let connected = self.connect(cloud, source, &door.health).await;
        let account = Arc::new(connected.inspect_err(|trouble| door.refused(trouble))?);
        *door.lock() = Some(Open {
            with,
            account: account.clone(),
        });
        Ok(account)
    }

    /// The account of a class if it is known already.
    pub fn known(&self, class: &str) -> Option<Arc<Account>> {
        let open = self.door(class).lock().clone();
        open.map(|open| open.account)
    }

    fn door(&self, class: &str) -> Arc<Door> {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.entry(class.to_owned()).or_default().clone()
    }

    /// Forgets a class that is gone.
    pub fn forget(&self, class: &str) {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.remove(class);
    }

    async fn connect(
        &self,
        cloud: &Cloud,
        source: CredentialsSource,
        health: &Arc<Health>,
    ) -> Result<Account, Trouble> {
        let credentials = Arc::new(CredentialsProvider::new(source));
        let rate = u32::try_from(cloud.requests_per_second())
            .ok()
            .and_then(NonZeroU32::new);
        let rate = rate.unwrap_or(NonZeroU32::MIN);
        let config = |budget: Budget| ClientConfig {
            endpoints: self.endpoints(cloud),
            observer: self.observer(cloud, health),
            ..ClientConfig::new(cloud.region_id.clone(), credentials.clone(), budget)
        };
        let stranger = Client::new(config(Budget::alone(rate)))?;
        let identity = cloud_adapter::sts::caller_identity(&stranger).await?;
        if let Some(expected) = cloud
            .account_id
            .as_ref()
            .filter(|id| **id != identity.account_id)
        {
            return Err(account::mismatch(expected, &identity.account_id));
        }
        let budget = self
            .budgets
            .lease(&identity.account_id, &cloud.region_id, rate);
        let client = Client::new(config(budget))?;
        let gateway = Arc::new(ClassicGateway::new(client.clone()));
        Ok(Account::new(
            identity.account_id,
            GatewayAccess::new(gateway, &cloud.cluster_id, SnapshotTiming::default()),
            client,
        ))
    }

    fn endpoints(&self, cloud: &Cloud) -> Endpoints {
        let mut endpoints = match &self.runtime.args.cloud_endpoint {
            Some(url) => Endpoints::all(url),
            None => Endpoints::public(),
        };
        for (product, to) in [
            (ApiProduct::CloudAPI, Product::CloudApi),
            (ApiProduct::SLB, Product::Slb),
            (ApiProduct::NLB, Product::Nlb),
            (ApiProduct::VPC, Product::Vpc),
            (ApiProduct::STS, Product::Sts),
        ] {
            if let Some(url) = cloud.endpoint(product) {
                endpoints = endpoints.with(to, url);
            }
        }
        endpoints
    }

    /// A lost lease stops every mutating call before it is sent; every call is measured.
    fn observer(&self, cloud: &Cloud, health: &Arc<Health>) -> Observer {
        let health = health.clone();
        let leadership = self.runtime.leadership.clone();
        let metrics = self.runtime.metrics.clone();
        let account = cloud.account_id.clone().unwrap_or_default();
        Observer {
            before: Some(Arc::new(move |operation| {
                if operation.mutating() && leadership.ensure_leading().is_err() {
                    return Err(CloudError {
                        class: ErrorClass::Unavailable,
                        operation: operation.to_string(),
                        code: "NotLeader".to_owned(),
                        message: "this replica no longer leads".to_owned(),
                        request_id: None,
                        retry_after: None,
                        effect: cloud_adapter::error::Effect::None,
                    });
                }
                Ok(())
            })),
            after: Some(Arc::new(move |record| {
                let operation = record.operation;
                health.note(operation.product(), record.outcome, Instant::now());
                let outcome = record.outcome.map_or_else(ErrorClass::as_str, |()| "ok");
                let product = operation.product().code();
                metrics.cloud_call(
                    product,
                    operation.action(),
                    outcome,
                    record.duration.as_secs_f64(),
                );
                metrics.cloud_budget_left(
                    &account,
                    product,
                    operation.action(),
                    f64::from(record.budget_left),
                );
                tracing::debug!(
                    product,
                    action = operation.action(),
                    outcome,
                    attempt = record.attempt,
                    request_id = record.request_id,
                    "cloud call"
                );
            })),
        }
    }
}
