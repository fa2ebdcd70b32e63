//! One class's way into its account.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cloud_adapter::client::Client;
use cloud_adapter::error::CloudError;
use cloud_adapter::snapshot::GatewayAccess;
use crds::v1alpha1::Reason;

use super::Trouble;
use crate::core::observed::LoadBalancerState;
use crate::core::problem::Problem;

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
    load_balancers: Mutex<HashMap<String, CachedLoadBalancer>>,
    reading: tokio::sync::Mutex<()>,
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
    /// With credentials that answered to account `id` just now.
    pub(super) fn new(id: String, gateway: GatewayAccess, client: Client) -> Self {
        Self {
            id,
            region: client.region().to_owned(),
            gateway,
            client,
            load_balancers: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            checked: tokio::sync::Mutex::new(Instant::now()),
            shared: tokio::sync::Mutex::default(),
        }
    }

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
        if let Some(known) = self.known_load_balancer(id, version, max_age) {
            return Ok(Some(known));
        }
        // Read once for all who ask meanwhile.
        let _reading = self.reading.lock().await;
        if let Some(known) = self.known_load_balancer(id, version, max_age) {
            return Ok(Some(known));
        }
        let Some(found) = cloud_adapter::slb::load_balancer(&self.client, id).await? else {
            self.cached().remove(id);
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
            address: found.address,
            ip_version: found.address_ip_version,
            resource_group_id: found.resource_group_id,
            instance_charge: found.instance_charge_type,
            spec: found.spec,
            bandwidth: found.bandwidth,
            delete_protection: found.delete_protection,
            modification_protection: found.modification_protection_status,
            tags: found
                .tags
                .tag
                .into_iter()
                .map(|tag| (tag.key, tag.value))
                .collect(),
        };
        let cached = CachedLoadBalancer {
            state: state.clone(),
            read: Instant::now(),
            version: version.to_owned(),
        };
        self.cached().insert(id.to_owned(), cached);
        Ok(Some(state))
    }

    fn known_load_balancer(
        &self,
        id: &str,
        version: &str,
        max_age: Duration,
    ) -> Option<LoadBalancerState> {
        let cache = self.cached();
        let cached = cache.get(id)?;
        let good = cached.version == version && cached.read.elapsed() < max_age;
        good.then(|| cached.state.clone())
    }

    fn cached(&self) -> MutexGuard<'_, HashMap<String, CachedLoadBalancer>> {
        self.load_balancers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The credentials belong to another account than they should.
pub(super) fn mismatch(expected: &str, found: &str) -> Trouble {
    Trouble::from(Problem::blocked(
        Reason::AccountMismatch,
        format!(
            "cloud.accountId is {expected}, but the credentials belong to account {found}. Nothing is done there. Correct the credentials, or make a class for that account."
        ),
    ))
}
