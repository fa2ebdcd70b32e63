//! What all requests share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::traffic;
use crate::world::World;

/// The shared state; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

struct Shared {
    world: Mutex<World>,
    traffic: traffic::Runtime,
    http: reqwest::Client,
}

impl AppState {
    /// State around a world.
    pub fn new(world: World, http: reqwest::Client) -> Self {
        Self(Arc::new(Shared {
            world: Mutex::new(world),
            traffic: traffic::Runtime::default(),
            http,
        }))
    }

    /// The emulated cloud. Hold the lock only as long as needed, never over an `await`.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().unwrap_or_else(PoisonError::into_inner)
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
