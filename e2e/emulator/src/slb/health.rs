//! Health checks: each endpoint behind a listener is connected to now and then.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::find;
use crate::api::{Answer, Request};
use crate::slb::{Listener, Protocol, State};
use crate::state::AppState;
use crate::world::World;

/// Address and port of a backend server.
pub type Endpoint = (IpAddr, u16);

/// Time between two rounds of probes; the default interval of a listener's health check.
const INTERVAL: Duration = Duration::from_secs(2);

/// Time a probe may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Probes in flight.
const WIDTH: usize = 64;

/// Probes all endpoints until the emulator stops. TCP connects stand for every kind of check.
pub async fn keep_probing(state: AppState) {
    let stopping = state.stopping().clone();
    loop {
        let endpoints = endpoints(&state.world().slb);
        let probes = stream::iter(endpoints)
            .map(probe)
            .buffer_unordered(WIDTH)
            .collect();
        match stopping.run_until_cancelled(probes).await {
            Some(health) => state.world().slb.health = health,
            None => return,
        }
        if stopping
            .run_until_cancelled(tokio::time::sleep(INTERVAL))
            .await
            .is_none()
        {
            return;
        }
    }
}

fn endpoints(state: &State) -> BTreeSet<Endpoint> {
    let listeners = state
        .load_balancers
        .values()
        .flat_map(|balancer| &balancer.value.listeners);
    listeners
        .filter(|listener| listener.protocol != Protocol::Udp && checks(listener))
        .flat_map(|listener| state.backends(listener))
        .filter_map(|backend| Some((backend.server_ip.parse().ok()?, backend.port)))
        .collect()
}

async fn probe(endpoint: Endpoint) -> (Endpoint, bool) {
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(endpoint)).await;
    (endpoint, matches!(connected, Ok(Ok(_))))
}

fn checks(listener: &Listener) -> bool {
    let switch = listener
        .settings
        .get("HealthCheckSwitch")
        .or_else(|| listener.settings.get("HealthCheck"));
    switch.is_some_and(|switch| switch == "on")
}

/// `DescribeHealthStatus`. A server is `unavailable` while its listener does not check, or has not
/// yet.
pub(super) fn describe(world: &World, request: &Request) -> Answer {
    let balancer = find::seen_load_balancer(world, request)?;
    let port = request.params.int_between("ListenerPort", 1, 65_535)?;
    let protocol = find::listener_protocol(request)?;
    let items: Vec<Value> = balancer
        .listeners
        .iter()
        .filter(|listener| port.is_none_or(|port| port == i64::from(listener.port)))
        .filter(|listener| protocol.is_none_or(|protocol| protocol == listener.protocol))
        .flat_map(|listener| servers(&world.slb, listener))
        .collect();
    Ok(json!({"BackendServers": {"BackendServer": items}}))
}

fn servers(state: &State, listener: &Listener) -> Vec<Value> {
    let status = |ip: &str, port: u16| {
        let probed = ip.parse().ok().and_then(|ip| state.health.get(&(ip, port)));
        match probed {
            Some(true) if checks(listener) => "normal",
            Some(false) if checks(listener) => "abnormal",
            _ => "unavailable",
        }
    };
    state
        .backends(listener)
        .iter()
        .map(|backend| {
            json!({
                "ServerId": backend.server_id,
                "ServerIp": backend.server_ip,
                "Port": backend.port,
                "ListenerPort": listener.port,
                "Protocol": listener.protocol.name(),
                "ServerHealthStatus": status(&backend.server_ip, backend.port),
            })
        })
        .collect()
}
