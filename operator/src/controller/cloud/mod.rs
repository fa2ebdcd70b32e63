//! The cloud accounts behind classes: who we are there, and the one client and snapshot that all
//! bindings of a class share.

mod account;
mod credentials;
mod trouble;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError};

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
pub use trouble::{Trouble, kube_message};

/// Every class's account. Clones share it.
#[derive(Clone)]
pub struct Clouds {
    runtime: Runtime,
    budgets: Budgets,
    accounts: Arc<tokio::sync::Mutex<HashMap<String, Known>>>,
    ready: Arc<std::sync::Mutex<HashMap<String, Arc<Account>>>>,
}

struct Known {
    of: String,
    account: Arc<Account>,
}

impl Clouds {
    /// Nobody is known yet.
    pub fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            budgets: Budgets::new(),
            accounts: Arc::default(),
            ready: Arc::default(),
        }
    }

    /// The account of a class. Made when it is first asked for, and again when the class's way in
    /// changes.
    pub async fn of(&self, class: &GatewayBindingClass) -> Result<Arc<Account>, Trouble> {
        let name = class.name_any();
        let Some(cloud) = &class.spec.cloud else {
            return Err(Trouble::from(Problem::blocked(
                Reason::InvalidSpec,
                format!("GatewayBindingClass \"{name}\" has no cloud. Set spec.cloud."),
            )));
        };
        let (source, secret_version) = self.source(cloud).await?;
        let of = format!("{cloud:?}/{secret_version}");
        let mut accounts = self.accounts.lock().await;
        if let Some(known) = accounts.get(&name).filter(|known| known.of == of) {
            return Ok(known.account.clone());
        }
        let account = Arc::new(self.connect(cloud, source).await?);
        let known = Known {
            of,
            account: account.clone(),
        };
        accounts.insert(name.clone(), known);
        self.remember(name, account.clone());
        Ok(account)
    }

    /// The account of a class if it is known already.
    pub fn known(&self, class: &str) -> Option<Arc<Account>> {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.get(class).cloned()
    }

    fn remember(&self, class: String, account: Arc<Account>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.insert(class, account);
    }

    /// Forgets a class that is gone.
    pub async fn forget(&self, class: &str) {
        self.accounts.lock().await.remove(class);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.remove(class);
    }

    async fn connect(&self, cloud: &Cloud, source: CredentialsSource) -> Result<Account, Trouble> {
        let credentials = Arc::new(CredentialsProvider::new(source));
        let rate = u32::try_from(cloud.requests_per_second())
            .ok()
            .and_then(NonZeroU32::new);
        let rate = rate.unwrap_or(NonZeroU32::MIN);
        let config = |budget: Budget| ClientConfig {
            endpoints: self.endpoints(cloud),
            observer: self.observer(cloud),
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
    fn observer(&self, cloud: &Cloud) -> Observer {
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
