//! The HTTP endpoint for probes and metrics: `/livez`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Content type of `/metrics`, as the OpenMetrics specification wants it.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why the endpoint cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The address is taken or not one of this machine.
    #[error("cannot listen on {address} (--metrics-listen)")]
    Bind {
        /// The address as given.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The listener failed later.
    #[error("the health endpoint failed")]
    Serve(#[from] std::io::Error),
}

/// What the process waits for before it can do its work. Clones share their gates.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    open: Arc<Mutex<BTreeMap<String, bool>>>,
}

/// One thing that is waited for, e.g. the first listing of a watch.
#[derive(Clone, Debug)]
pub struct Gate {
    name: String,
    readiness: Readiness,
}

impl Readiness {
    /// Adds something to wait for, said the way `/readyz` shows it: `watch GatewayBinding`. A gate
    /// of the same name that exists already is closed again.
    #[must_use]
    pub fn gate(&self, name: impl Into<String>) -> Gate {
        let gate = Gate {
            name: name.into(),
            readiness: self.clone(),
        };
        gate.close();
        gate
    }

    /// Names of the gates that are still closed, sorted; the process is ready if there are none.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<String> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = open.iter().filter(|(_, open)| !**open);
        closed.map(|(name, _)| name.clone()).collect()
    }

    fn set(&self, name: &str, value: bool) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let before = open.insert(name.to_owned(), value);
        if before != Some(value) {
            tracing::debug!(gate = name, open = value, "readiness gate");
        }
    }
}

impl Gate {
    /// It is there.
    pub fn open(&self) {
        self.readiness.set(&self.name, true);
    }

    /// It is not there, or no longer.
    pub fn close(&self) {
        self.readiness.set(&self.name, false);
    }
}

/// A bound listener with what it will serve.
#[derive(Debug)]
pub struct HealthServer {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

#[derive(Clone)]
struct Served {
    readiness: Readiness,
    registry: Arc<Registry>,
}

impl HealthServer {
    /// Binds `address`; with port 0 the system chooses one.
    ///
    /// # Errors
    ///
    /// [`HealthError::Bind`].
    pub async fn bind(
        address: SocketAddr,
        readiness: Readiness,
        registry: Registry,
    ) -> Result<Self, HealthError> {
        let failed = |source| HealthError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let registry = Arc::new(registry);
        let router = Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(Served {
                readiness,
                registry,
            });
        Ok(Self {
            listener,
            address,
            router,
        })
    }

    /// The address that was bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`.
    ///
    /// # Errors
    ///
    /// [`HealthError::Serve`].
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), HealthError> {
        tracing::info!(address = %self.address, "serving /livez, /readyz and /metrics");
        let server = axum::serve(self.listener, self.router).into_future();
        // Not axum's graceful shutdown: it would wait for scrapers that keep their connection.
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            served = server => Ok(served?),
        }
    }
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(served): State<Served>) -> (StatusCode, String) {
    let waiting = served.readiness.waiting_for();
    if waiting.is_empty() {
        return (StatusCode::OK, "ok\n".into());
    }
    let lines: String = waiting.iter().map(|name| format!("- {name}\n")).collect();
    let text = format!("waiting for:\n{lines}");
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

async fn metrics(State(served): State<Served>) -> axum::response::Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &served.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
