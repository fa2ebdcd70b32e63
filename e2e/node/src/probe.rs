//! Readiness probes.

use std::net::Ipv4Addr;

use k8s_openapi::{
    api::core::v1::{Container, HTTPGetAction, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};
use tokio::net::TcpStream;

use crate::pod::PodError;

/// Whether the kinds of a container's probe are known here.
pub(crate) fn check(container: &Container) -> Result<(), PodError> {
    let known = |probe: &Probe| {
        probe.http_get.is_some() || probe.tcp_socket.is_some() || probe.grpc.is_some()
    };
    if container
        .readiness_probe
        .as_ref()
        .is_some_and(|probe| !known(probe))
    {
        let what = format!(
            "readinessProbe of container {}: only httpGet, tcpSocket and grpc",
            container.name
        );
        return Err(PodError::Unsupported(what));
    }
    Ok(())
}

/// Asks a running container whether it is ready; one without a probe is.
pub(crate) async fn is_ready(
    http: &reqwest::Client,
    container: &Container,
    address: Ipv4Addr,
) -> bool {
    let Some(probe) = &container.readiness_probe else {
        return true;
    };
    if let Some(action) = &probe.http_get {
        return get(http, container, action, address).await;
    }
    // Of gRPC only that somebody listens is asked.
    let grpc = probe.grpc.as_ref();
    let port = match &probe.tcp_socket {
        Some(action) => port(container, &action.port),
        None => grpc.and_then(|action| u16::try_from(action.port).ok()),
    };
    match port {
        Some(port) => TcpStream::connect((address, port)).await.is_ok(),
        None => false,
    }
}

/// Sends a request to a container; whether it was answered with success.
pub(crate) async fn get(
    http: &reqwest::Client,
    container: &Container,
    action: &HTTPGetAction,
    address: Ipv4Addr,
) -> bool {
    let Some(port) = port(container, &action.port) else {
        return false;
    };
    let scheme = action
        .scheme
        .as_deref()
        .unwrap_or("HTTP")
        .to_ascii_lowercase();
    let path = action.path.as_deref().unwrap_or("/");
    let mut request = http.get(format!("{scheme}://{address}:{port}{path}"));
    for header in action.http_headers.iter().flatten() {
        request = request.header(&header.name, &header.value);
    }
    let answer = request.send().await;
    answer.is_ok_and(|answer| answer.status().is_success() || answer.status().is_redirection())
}

fn port(container: &Container, port: &IntOrString) -> Option<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            ports
                .find(|port| port.name.as_ref() == Some(name))?
                .container_port
        }
    };
    u16::try_from(number).ok()
}
