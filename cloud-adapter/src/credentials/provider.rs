//! Caches credentials and renews them ahead of their end.

use std::sync::RwLock;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{Credentials, CredentialsSource, ecs, environment, failed, uri};
use crate::error::CloudError;
use crate::{Clock, system_clock};

/// How long before their end credentials are renewed, at most; a quarter of their life if that is
/// less.
const AHEAD: SignedDuration = SignedDuration::from_secs(300);
/// How long to leave a failing source alone while the old credentials still work.
const PAUSE: SignedDuration = SignedDuration::from_secs(15);

/// Hands out the credentials of one source.
pub struct CredentialsProvider {
    source: CredentialsSource,
    /// Or why there is none.
    http: Result<reqwest::Client, String>,
    clock: Clock,
    cached: RwLock<Option<Cached>>,
    /// Held while the source is asked, so that it is asked once.
    renewal: Mutex<()>,
}

#[derive(Clone)]
struct Cached {
    credentials: Credentials,
    renew_at: Option<Timestamp>,
}

impl std::fmt::Debug for CredentialsProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialsProvider")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl CredentialsProvider {
    /// Asks nothing yet.
    pub fn new(source: CredentialsSource) -> Self {
        Self::with_clock(source, system_clock())
    }

    /// With another clock, for tests.
    pub fn with_clock(source: CredentialsSource, clock: Clock) -> Self {
        // The metadata service and in-cluster addresses are never behind a proxy; STS may be.
        let direct = matches!(source, CredentialsSource::EcsRamRole { .. });
        let builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(5));
        let builder = if direct { builder.no_proxy() } else { builder };
        Self {
            source,
            http: builder.build().map_err(|error| error.to_string()),
            clock,
            cached: RwLock::new(None),
            renewal: Mutex::new(()),
        }
    }

    /// The configured source.
    pub fn source(&self) -> &CredentialsSource {
        &self.source
    }

    /// Credentials that work now. Those at hand are used while they are valid, even when their
    /// renewal fails; several callers share one renewal.
    ///
    /// # Errors
    /// Class `Credentials`: names the source, what is wrong and what to do.
    pub async fn get(&self) -> Result<Credentials, CloudError> {
        match self.usable() {
            Some(cached) if !self.due(&cached) => return Ok(cached.credentials),
            // Somebody else renews: what we have still works.
            Some(cached) => match self.renewal.try_lock() {
                Ok(_guard) => return Ok(self.renew_or_keep(cached).await),
                Err(_) => return Ok(cached.credentials),
            },
            None => {}
        }
        let _guard = self.renewal.lock().await;
        match self.usable() {
            Some(cached) => Ok(cached.credentials),
            None => self.renew().await,
        }
    }

    /// Forgets credentials that the cloud refused as expired, unless they were renewed meanwhile.
    /// False if the source could only give the same again.
    pub fn reject(&self, access_key_id: &str) -> bool {
        if matches!(
            self.source,
            CredentialsSource::Static(_) | CredentialsSource::Environment(_)
        ) {
            return false;
        }
        let mut cached = self
            .cached
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if cached
            .as_ref()
            .is_some_and(|cached| cached.credentials.access_key_id == access_key_id)
        {
            *cached = None;
        }
        true
    }

    fn usable(&self) -> Option<Cached> {
        let now = (self.clock)();
        let cached = self
            .cached
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let valid = |cached: &&Cached| cached.credentials.expires.is_none_or(|end| now < end);
        cached.as_ref().filter(valid).cloned()
    }

    fn due(&self, cached: &Cached) -> bool {
        cached.renew_at.is_some_and(|at| (self.clock)() >= at)
    }

    async fn renew_or_keep(&self, old: Cached) -> Credentials {
        match self.renew().await {
            Ok(credentials) => credentials,
            Err(error) => {
                tracing::warn!(%error, "credentials could not be renewed; the present ones are still valid");
                let renew_at = (self.clock)().saturating_add(PAUSE).ok();
                let credentials = old.credentials.clone();
                self.store(Cached { renew_at, ..old });
                credentials
            }
        }
    }

    async fn renew(&self) -> Result<Credentials, CloudError> {
        let asked = (self.clock)();
        let http = || {
            let advice = "check the root certificates of the image";
            let failed = |error: &String| failed(self.source.name(), "Transport", error, advice);
            self.http.as_ref().map_err(failed)
        };
        let credentials = match &self.source {
            CredentialsSource::Environment(lookup) => environment::read(lookup)?,
            CredentialsSource::Oidc(source) => source.fetch(http()?, asked).await?,
            CredentialsSource::EcsRamRole { role, base_url } => {
                ecs::fetch(http()?, role.as_deref(), base_url).await?
            }
            CredentialsSource::Uri(address) => uri::fetch(http()?, address).await?,
            CredentialsSource::Static(credentials) => credentials.clone(),
        };
        let renew_at = credentials.expires.map(|end| {
            let ahead = AHEAD.min(end.duration_since(asked) / 4);
            end.saturating_sub(ahead).unwrap_or(end)
        });
        self.store(Cached {
            credentials: credentials.clone(),
            renew_at,
        });
        Ok(credentials)
    }

    fn store(&self, value: Cached) {
        *self
            .cached
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(value);
    }
}
