//! The gateway as a running server.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use hyper_util::{client::legacy::Client as HttpClient, rt::TokioExecutor};
use kube::Client;
use tokio::{net::TcpListener, task::JoinSet};

use super::{controller, proxy};

/// Why the gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address or port is not to be had.
    #[error(
        "the gateway cannot listen on {address}: {source}; ports below 1024 need root or \
         CAP_NET_BIND_SERVICE, and the address has to be one of this machine's"
    )]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A gateway that serves until dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Gateway {
    /// Listens on the address and takes routes and backends from the API server.
    ///
    /// # Errors
    /// [`GatewayError::Listen`], for example if another process has the port.
    pub async fn start(client: Client, ip: IpAddr, port: u16) -> Result<Self, GatewayError> {
        let wanted = SocketAddr::new(ip, port);
        let at = |source| GatewayError::Listen {
            address: wanted,
            source,
        };
        let listener = TcpListener::bind(wanted).await.map_err(at)?;
        let address = listener.local_addr().map_err(at)?;
        let proxy = proxy::Proxy::new(HttpClient::builder(TokioExecutor::new()).build_http());
        let router = Router::new()
            .fallback(proxy::handle)
            .with_state(proxy.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the gateway stopped");
            }
        });
        tasks.spawn(controller::run(client, proxy));
        Ok(Self { address, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many of its tasks run; both of them unless one panicked.
    pub fn running_tasks(&self) -> usize {
        self.tasks.len()
    }
}
