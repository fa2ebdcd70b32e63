//! What all requests share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::calls::CallLog;
use crate::faults::Injector;
use crate::metadata::MetadataTokens;
use crate::protocol::Nonces;
use crate::ram::Policies;
use crate::traffic;
use crate::world::World;

/// What does not change while the emulator runs.
#[derive(Clone, Default)]
pub struct Config {
    /// Long-lived keys: id to secret.
    pub access_keys: BTreeMap<String, String>,
}

/// The shared state; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

struct Shared {
    config: Config,
    world: Mutex<World>,
    faults: Mutex<Injector>,
    calls: Mutex<CallLog>,
    nonces: Mutex<Nonces>,
    metadata_tokens: Mutex<MetadataTokens>,
    ram: Mutex<Policies>,
    changed: Notify,
    stopping: CancellationToken,
    traffic: traffic::Runtime,
    http: reqwest::Client,
}

impl AppState {
    /// State around a world, with no keys: for tests of the traffic path.
    pub fn new(world: World, http: reqwest::Client) -> Self {
        Self::with_config(world, http, Config::default())
    }

    /// State around a world.
    pub fn with_config(world: World, http: reqwest::Client, config: Config) -> Self {
        Self(Arc::new(Shared {
            config,
            world: Mutex::new(world),
            faults: Mutex::default(),
            calls: Mutex::default(),
            nonces: Mutex::default(),
            metadata_tokens: Mutex::default(),
            ram: Mutex::default(),
            changed: Notify::new(),
            stopping: CancellationToken::new(),
            traffic: traffic::Runtime::default(),
            http,
        }))
    }

    /// What does not change.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The emulated cloud. Hold the lock only as long as needed, never over an `await`.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.0.world)
    }

    /// The faults in force.
    pub fn faults(&self) -> MutexGuard<'_, Injector> {
        lock(&self.0.faults)
    }

    /// The policies of keys and roles.
    pub fn ram(&self) -> MutexGuard<'_, Policies> {
        lock(&self.0.ram)
    }

    /// The call log.
    pub fn calls(&self) -> MutexGuard<'_, CallLog> {
        lock(&self.0.calls)
    }

    pub(crate) fn nonces(&self) -> MutexGuard<'_, Nonces> {
        lock(&self.0.nonces)
    }

    pub(crate) fn metadata_tokens(&self) -> MutexGuard<'_, MetadataTokens> {
        lock(&self.0.metadata_tokens)
    }

    /// Says that the world is to be saved.
    pub fn mark_changed(&self) {
        self.0.changed.notify_one();
    }

    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Cancelled when the emulator stops.
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    /// What the traffic path remembers without persisting it.
    pub fn traffic(&self) -> &traffic::Runtime {
        &self.0.traffic
    }

    /// A client for requests to backends: no proxy, no redirects.
    pub fn http(&self) -> &reqwest::Client {
        &self.0.http
    }
}

/// A panic while a lock was held leaves the value usable: handlers change it in small steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
