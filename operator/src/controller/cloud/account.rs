//! One class's way into its account.

use std::time::{Duration, Instant};

use cloud_adapter::client::Client;
use cloud_adapter::error::CloudError;
use cloud_adapter::snapshot::GatewayAccess;
use cloud_adapter::vpc::{self, VSwitch};
use crds::v1alpha1::Reason;

use super::Trouble;
use super::balancers::{Balancers, Kind};
use crate::core::balancer::LoadBalancer;
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
    classic_balancers: Balancers,
    network_balancers: Balancers,
    checked: tokio::sync::Mutex<Instant>,
    /// Serialises changes of what bindings share.
    pub shared: tokio::sync::Mutex<()>,
}

impl Account {
    /// With credentials that answered to account `id` just now.
    pub(super) fn new(id: String, gateway: GatewayAccess, client: Client) -> Self {
        Self {
            id,
            region: client.region().to_owned(),
            gateway,
            client,
            classic_balancers: Balancers::of(Kind::Classic),
            network_balancers: Balancers::of(Kind::Network),
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

    /// What a load balancer is; none if there is none of this id. Read again when what is known is
    /// older than `max_age`, or when `version` (what the cloud controller manager says of its own work)
    /// has moved.
    pub async fn load_balancer(
        &self,
        id: &str,
        version: &str,
        max_age: Duration,
    ) -> Result<Option<LoadBalancer>, CloudError> {
        let balancers = match LoadBalancer::is_network(id) {
            true => &self.network_balancers,
            false => &self.classic_balancers,
        };
        balancers.get(&self.client, id, version, max_age).await
    }

    /// What a vswitch is; none if there is none of this id, or none that we are shown.
    pub async fn vswitch(&self, id: &str) -> Result<Option<VSwitch>, CloudError> {
        vpc::vswitch(&self.client, id).await
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
