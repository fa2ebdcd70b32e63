//! What an emulator is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Running, accept};
use crate::persist::{self, PersistError};
use crate::ram::{Policies, Policy};
use crate::state::{AppState, Config};
use crate::traffic::tls;
use crate::world::World;
use crate::{alb_ingress, ccm};

/// Names of API groups' public test domains.
const FRONT_DOOR: &str = "*.alicloudapi.com";

/// Settings of an emulator; see [`crate::Emulator::builder`].
#[derive(Clone)]
pub struct Builder {
    listen: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    region: String,
    account_id: String,
    access_keys: Vec<(String, String)>,
    policies: Policies,
    state_file: Option<PathBuf>,
    sells_pay_by_spec: bool,
    alb_settling: Duration,
    ccm: Option<ccm::Options>,
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The state file is of no use.
    #[error(transparent)]
    State(#[from] PersistError),
    /// The stand-in for the cloud controller manager has no key to sign with.
    #[error(
        "the stand-in for the cloud controller manager has no access key {0}: give one with its secret"
    )]
    NoKey(String),
    /// The certificate for the front door could not be made.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The client for requests to backends could not be made.
    #[error("no client for requests to backends: {0}")]
    Client(#[from] reqwest::Error),
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            region: "cn-hangzhou".to_owned(),
            account_id: "1234567890123456".to_owned(),
            access_keys: Vec::new(),
            policies: Policies::new(),
            state_file: None,
            sells_pay_by_spec: false,
            alb_settling: Duration::from_millis(50),
            ccm: None,
        }
    }
}

impl Builder {
    /// Where to listen; port 0 takes a free one.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The certificate for clients that begin with TLS, which they do on the same port; a fresh
    /// self-signed one without it.
    #[must_use]
    pub fn tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// The one region.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// The one account.
    #[must_use]
    pub fn account_id(mut self, id: impl Into<String>) -> Self {
        self.account_id = id.into();
        self
    }

    /// A long-lived key; may be called several times.
    #[must_use]
    pub fn access_key(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.access_keys.push((id.into(), secret.into()));
        self
    }

    /// The policy of a key, by its id, or of a role's sessions, by its ARN. A key without one is the
    /// account's own and may do everything.
    #[must_use]
    pub fn ram_policy(mut self, of: impl Into<String>, policy: Policy) -> Self {
        self.policies.insert(of.into(), policy);
        self
    }

    /// Loads the state from this file if it exists, and keeps it there.
    #[must_use]
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// Whether load balancers by specification may still be bought; the vendor ended their sale on
    /// 2025-06-01.
    #[must_use]
    pub fn sell_pay_by_spec(mut self, sells: bool) -> Self {
        self.sells_pay_by_spec = sells;
        self
    }

    /// How long objects of the application load balancer product take from a write until they are as
    /// they were asked to be; writes to them are refused meanwhile.
    #[must_use]
    pub fn alb_settling(mut self, time: Duration) -> Self {
        self.alb_settling = time;
        self
    }

    /// Plays the cloud controller manager of a cluster too. It signs with one of the keys, so there
    /// must be one.
    #[must_use]
    pub fn ccm(mut self, options: ccm::Options) -> Self {
        self.ccm = Some(options);
        self
    }

    /// Binds, loads and serves.
    pub async fn start(self) -> Result<Running, StartError> {
        let (listener, address) = bind(self.listen).await?;
        let ccm_key = self
            .ccm
            .as_ref()
            .map(|options| self.ccm_key(options))
            .transpose()?;
        let tls = match &self.tls {
            Some(config) => config.clone(),
            None => tls::self_signed([FRONT_DOOR, "localhost"].map(str::to_owned))?,
        };
        let state = self.state()?;
        let acceptor = TlsAcceptor::from(tls);
        let mut tasks = vec![tokio::spawn(accept::serve(
            listener,
            acceptor,
            state.clone(),
            None,
        ))];
        tasks.push(tokio::spawn(crate::slb::keep_probing(state.clone())));
        if let (Some(options), Some(key)) = (self.ccm.clone(), ccm_key) {
            let config = self.cloud_config(address, &state, key);
            let stopping = state.stopping().clone();
            if let Some(second) = options.alb_second {
                let alb = alb_ingress::Options {
                    client: options.client.clone(),
                    cluster_id: options.cluster_id.clone(),
                    second,
                    retry: second.saturating_mul(5),
                };
                let http = state.http().clone();
                let played = alb_ingress::run(alb, config.clone(), http, stopping.clone());
                tasks.push(tokio::spawn(played));
            }
            tasks.push(tokio::spawn(ccm::run(
                options,
                config,
                state.http().clone(),
                stopping,
            )));
        }
        if let Some(path) = self.state_file.clone() {
            tasks.push(tokio::spawn(persist::keep_saved(state.clone(), path)));
        }
        Ok(Running {
            address,
            state,
            tasks,
            state_file: self.state_file,
        })
    }

    fn ccm_key(&self, options: &ccm::Options) -> Result<(String, String), StartError> {
        let mut keys = self.access_keys.iter();
        let key = match &options.access_key_id {
            Some(wanted) => keys.find(|(id, _)| id == wanted),
            None => keys.next(),
        };
        key.cloned()
            .ok_or_else(|| StartError::NoKey(options.access_key_id.clone().unwrap_or_default()))
    }

    fn cloud_config(
        &self,
        address: SocketAddr,
        state: &AppState,
        key: (String, String),
    ) -> ccm::CloudConfig {
        let world = state.world();
        let vpc_id = world.vpc.vpcs.keys().next().cloned().unwrap_or_default();
        let inside = world
            .vpc
            .vswitches
            .values()
            .filter(|vswitch| vswitch.vpc_id == vpc_id);
        ccm::CloudConfig {
            url: format!("http://{address}"),
            region: self.region.clone(),
            access_key_id: key.0,
            access_key_secret: key.1,
            vswitch_ids: inside.map(|vswitch| vswitch.id.clone()).collect(),
            vpc_id,
        }
    }

    fn state(&self) -> Result<AppState, StartError> {
        let saved = match &self.state_file {
            Some(path) => persist::load(path, &self.region, &self.account_id)?,
            None => None,
        };
        let mut world = saved.unwrap_or_else(|| World::new(&self.region, &self.account_id));
        world.slb.sells_pay_by_spec = self.sells_pay_by_spec;
        world.alb.settling =
            SignedDuration::try_from(self.alb_settling).unwrap_or(SignedDuration::ZERO);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let config = Config {
            access_keys: self.access_keys.iter().cloned().collect(),
        };
        let state = AppState::with_config(world, http, config);
        state.ram().clone_from(&self.policies);
        Ok(state)
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
