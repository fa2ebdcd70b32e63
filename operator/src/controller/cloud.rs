//! The cloud accounts behind classes: who we are there, and the one client and snapshot that all
//! bindings of a class share.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use cloud_adapter::budget::{Budget, Budgets};
use cloud_adapter::client::{Client, ClientConfig};
use cloud_adapter::credentials::{
    Credentials, CredentialsProvider, CredentialsSource, ECS_METADATA_URL, OidcSource,
    process_environment,
};
use cloud_adapter::endpoints::Endpoints;
use cloud_adapter::error::{CloudError, ErrorClass};
use cloud_adapter::gateway::classic::ClassicGateway;
use cloud_adapter::observe::Observer;
use cloud_adapter::operations::Product;
use cloud_adapter::snapshot::{GatewayAccess, SnapshotTiming};
use crds::keys::cloud_secret;
use crds::v1alpha1::{Cloud, CredentialsType, GatewayBindingClass, Product as ApiProduct, Reason};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;

use crate::core::observed::LoadBalancerState;
use crate::core::problem::Problem;
use crate::runtime::Runtime;

/// One class's way into its account.
#[derive(Debug)]
pub struct Account {
    /// Account id, as the credentials answer to it.
    pub id: String,
    /// Region id.
    pub region: String,
    /// The API gateway, with its snapshots.
    pub gateway: GatewayAccess,
    client: Client,
    load_balancers: tokio::sync::Mutex<HashMap<String, CachedLoadBalancer>>,
    checked: tokio::sync::Mutex<Instant>,
    /// Serialises changes of what bindings share.
    pub shared: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct CachedLoadBalancer {
    state: LoadBalancerState,
    read: Instant,
    version: String,
}

impl Account {
    /// Whether the credentials still answer to the account. Asked no more often than `max_age`.
    pub async fn check(&self, max_age: Duration) -> Result<(), Trouble> {
        let mut checked = self.checked.lock().await;
        if checked.elapsed() < max_age {
            return Ok(());
        }
        let identity = cloud_adapter::sts::caller_identity(&self.client).await?;
        if identity.account_id == self.id {
            *checked = Instant::now();
            Ok(())
        } else {
            Err(mismatch(&self.id, &identity.account_id))
        }
    }

    /// A load balancer's attributes. Read again when they are older than `max_age`, or when
    /// `version` (what the cloud controller manager says of its own work) has moved.
    pub async fn load_balancer(
        &self,
        id: &str,
        version: &str,
        max_age: Duration,
    ) -> Result<Option<LoadBalancerState>, CloudError> {
        let mut cache = self.load_balancers.lock().await;
        if let Some(cached) = cache.get(id)
            && cached.version == version
            && cached.read.elapsed() < max_age
        {
            return Ok(Some(cached.state.clone()));
        }
        let Some(found) = cloud_adapter::slb::load_balancer(&self.client, id).await? else {
            cache.remove(id);
            return Ok(None);
        };
        let state = LoadBalancerState {
            id: found.id,
            name: found.name,
            address_type: found.address_type,
            vpc_id: found.vpc_id,
            vswitch_id: found.vswitch_id,
            primary_zone: found.primary_zone,
            backup_zone: found.backup_zone,
            status: found.status,
        };
        let cached = CachedLoadBalancer {
            state: state.clone(),
            read: Instant::now(),
            version: version.to_owned(),
        };
        cache.insert(id.to_owned(), cached);
        Ok(Some(state))
    }
}

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
            return Err(mismatch(expected, &identity.account_id));
        }
        let budget = self
            .budgets
            .lease(&identity.account_id, &cloud.region_id, rate);
        let client = Client::new(config(budget))?;
        let gateway = Arc::new(ClassicGateway::new(client.clone()));
        Ok(Account {
            id: identity.account_id,
            region: cloud.region_id.clone(),
            gateway: GatewayAccess::new(gateway, &cloud.cluster_id, SnapshotTiming::default()),
            client,
            load_balancers: tokio::sync::Mutex::default(),
            checked: tokio::sync::Mutex::new(Instant::now()),
            shared: tokio::sync::Mutex::default(),
        })
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

    /// Where a class's credentials come from, and the version of the Secret they are in.
    async fn source(&self, cloud: &Cloud) -> Result<(CredentialsSource, String), Trouble> {
        let credentials = &cloud.credentials;
        let source = match credentials.type_ {
            CredentialsType::Environment => CredentialsSource::Environment(process_environment()),
            CredentialsType::ECSRAMRole => CredentialsSource::EcsRamRole {
                role: credentials
                    .ecs_ram_role
                    .as_ref()
                    .and_then(|role| role.role_name.clone()),
                base_url: ECS_METADATA_URL.to_owned(),
            },
            CredentialsType::CredentialsURI => {
                let uri = credentials.credentials_uri.as_ref();
                CredentialsSource::Uri(uri.map(|uri| uri.uri.clone()).unwrap_or_default())
            }
            CredentialsType::RRSA => CredentialsSource::Oidc(self.oidc(cloud)),
            CredentialsType::Secret => return self.secret(cloud).await,
        };
        Ok((source, String::new()))
    }

    fn oidc(&self, cloud: &Cloud) -> OidcSource {
        let rrsa = cloud.credentials.rrsa.as_ref();
        let token_file = rrsa.and_then(|rrsa| rrsa.token_file.clone());
        let mounted = || std::env::var("ALIBABA_CLOUD_OIDC_TOKEN_FILE").ok();
        let usual = "/var/run/secrets/ack.alibabacloud.com/rrsa-tokens/token";
        OidcSource {
            role_arn: rrsa.map(|rrsa| rrsa.role_arn.clone()).unwrap_or_default(),
            provider_arn: rrsa
                .map(|rrsa| rrsa.oidc_provider_arn.clone())
                .unwrap_or_default(),
            token_file: PathBuf::from(
                token_file
                    .or_else(mounted)
                    .unwrap_or_else(|| usual.to_owned()),
            ),
            session_name: rrsa
                .and_then(|rrsa| rrsa.session_name.clone())
                .unwrap_or_else(|| "gatewaybinding-operator".to_owned()),
            sts_url: self.endpoints(cloud).url(Product::Sts, &cloud.region_id),
        }
    }

    async fn secret(&self, cloud: &Cloud) -> Result<(CredentialsSource, String), Trouble> {
        let Some(place) = &cloud.credentials.secret else {
            return Err(Trouble::from(Problem::blocked(
                Reason::InvalidSpec,
                "cloud.credentials.secret is not set.",
            )));
        };
        let api: Api<Secret> = Api::namespaced(self.runtime.client.clone(), &place.namespace);
        let secret = api.get_opt(&place.name).await.map_err(|error| {
            Trouble::from(Problem::retry(
                Reason::InternalError,
                format!("Secret {place} cannot be read: {}", kube_message(&error)),
            ))
        })?;
        let Some(secret) = secret else {
            return Err(Trouble::from(Problem::unresolved(
                Reason::SecretNotFound,
                format!(
                    "cloud.credentials.secret: there is no Secret {place}. Create it with the entries accessKeyId and accessKeySecret."
                ),
            )));
        };
        let entry = |key: &str| {
            let data = secret.data.as_ref()?.get(key)?;
            String::from_utf8(data.0.clone())
                .ok()
                .map(|text| text.trim().to_owned())
        };
        let required = |key: &str| {
            entry(key).filter(|value| !value.is_empty()).ok_or_else(|| {
                Trouble::from(Problem::unresolved(
                    Reason::SecretInvalid,
                    format!(
                        "cloud.credentials.secret: Secret {place} has no entry \"{key}\". Add it."
                    ),
                ))
            })
        };
        let credentials = Credentials {
            access_key_id: required(cloud_secret::ACCESS_KEY_ID)?,
            secret: SecretString::from(required(cloud_secret::ACCESS_KEY_SECRET)?),
            security_token: entry(cloud_secret::SECURITY_TOKEN).map(SecretString::from),
            expires: None,
        };
        Ok((
            CredentialsSource::Static(credentials),
            secret.resource_version().unwrap_or_default(),
        ))
    }
}

fn mismatch(expected: &str, found: &str) -> Trouble {
    Trouble::from(Problem::blocked(
        Reason::AccountMismatch,
        format!(
            "cloud.accountId is {expected}, but the credentials belong to account {found}. Nothing is done there. Correct the credentials, or make a class for that account."
        ),
    ))
}

/// A [`Problem`] that an error brought, and how long the cloud asks to wait.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// For status.
    pub problem: Problem,
    /// How long to wait at least.
    pub retry_after: Option<Duration>,
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            retry_after: None,
        }
    }
}

impl From<CloudError> for Trouble {
    fn from(error: CloudError) -> Self {
        Self {
            retry_after: error.retry_after,
            problem: problem(&error),
        }
    }
}

/// What a cloud error means for a binding. The request id stays out: it changes with every call.
fn problem(error: &CloudError) -> Problem {
    let message = |advice: &str| format!("{error}. {advice}");
    match error.class {
        ErrorClass::Credentials => Problem::retry(
            Reason::CredentialsInvalid,
            message("Check cloud.credentials of the class."),
        ),
        ErrorClass::Forbidden => Problem::retry(
            Reason::PermissionDenied,
            message("Grant the permission to the operator's RAM identity."),
        ),
        ErrorClass::Account => Problem::retry(
            Reason::CloudRejected,
            message("Activate the product, or settle the account, in the console."),
        ),
        ErrorClass::Quota => Problem::retry(
            Reason::QuotaExceeded,
            message("Raise the quota, or delete what is not needed."),
        ),
        ErrorClass::Invalid => Problem::blocked(
            Reason::CloudRejected,
            message("Change the binding or the class accordingly."),
        ),
        ErrorClass::Throttled => Problem::retry(
            Reason::CloudThrottled,
            message("It is tried again by itself."),
        ),
        ErrorClass::Unavailable => Problem::retry(
            Reason::CloudUnreachable,
            message("It is tried again by itself."),
        ),
        ErrorClass::NotFound
        | ErrorClass::AlreadyExists
        | ErrorClass::Busy
        | ErrorClass::InUse
        | ErrorClass::Unknown => Problem::retry(
            Reason::CloudRejected,
            message("It is looked at and tried again by itself."),
        ),
    }
}

/// A Kubernetes error in one line.
pub fn kube_message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
