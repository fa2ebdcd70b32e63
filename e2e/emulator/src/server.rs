//! Starting, serving and stopping.

mod accept;
mod builder;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use builder::{Builder, StartError};

use crate::calls::Call;
use crate::faults::{Injector, Plan};
use crate::persist;
use crate::state::AppState;
use crate::traffic::alb::{self, Place};

/// Entry point: [`Emulator::builder`].
pub struct Emulator;

impl Emulator {
    /// An emulator with defaults: a free loopback port, region `cn-hangzhou`, no keys.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// A running emulator. It stops when this is dropped; [`Running::stop`] also waits for it.
pub struct Running {
    address: SocketAddr,
    state: AppState,
    tasks: Vec<JoinHandle<()>>,
    state_file: Option<PathBuf>,
}

impl Running {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://…`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The state behind it, for looking into and for fixtures.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// All calls since the start or the last clearing, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.state.calls().to_vec()
    }

    /// Serves what comes to a listener as requests to this port of a load balancer, which need no
    /// header then to say where they go. Those over TLS see the certificates that the load balancer's
    /// listener has, of which `find` knows the contents by their ids.
    ///
    /// # Errors
    /// If no protocol version of TLS can be used.
    pub fn open(
        &mut self,
        listener: TcpListener,
        place: Place,
        find: impl Fn(&str) -> Option<Arc<CertifiedKey>> + Send + Sync + 'static,
    ) -> Result<(), rustls::Error> {
        let tls = alb::tls(self.state.clone(), place.clone(), find)?;
        let served = accept::serve(listener, tls.into(), self.state.clone(), Some(place));
        self.tasks.push(tokio::spawn(served));
        Ok(())
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.state.calls().clear();
    }

    /// Replaces all faults; `Plan::default()` clears them.
    pub fn set_faults(&self, plan: Plan) {
        *self.state.faults() = Injector::new(plan);
    }

    /// Runs until something else stops it.
    pub async fn stopped(&self) {
        self.state.stopping().cancelled().await;
    }

    /// Stops serving, saves the state if it is kept in a file, and waits for all of it.
    pub async fn stop(mut self) {
        self.state.stopping().cancel();
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the emulator broke off");
            }
        }
        // Calls that were under way may have changed something after the last save.
        if let Some(path) = self.state_file.take() {
            persist::save_now(&self.state, &path).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.state.stopping().cancel();
    }
}
