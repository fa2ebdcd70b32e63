//! Looking objects up, with the refusals for what is not there.

use crate::api::{ApiError, Request};
use crate::slb::{Listener, LoadBalancer, Protocol, VServerGroup};
use crate::world::World;

pub(super) fn no_load_balancer() -> ApiError {
    ApiError::not_found(
        "InvalidLoadBalancerId.NotFound",
        "The specified LoadBalancerId does not exist.",
    )
}

/// The load balancer of `LoadBalancerId` as a read sees it.
pub(super) fn seen_load_balancer<'a>(
    world: &'a World,
    request: &Request,
) -> Result<&'a LoadBalancer, ApiError> {
    let id = request.params.required("LoadBalancerId")?;
    let found = world
        .slb
        .load_balancers
        .get(id)
        .and_then(|balancer| balancer.seen(request.now));
    found.ok_or_else(no_load_balancer)
}

/// The load balancer of `LoadBalancerId` for a write. A locked one (unpaid bills) refuses.
pub(super) fn load_balancer<'a>(
    world: &'a mut World,
    request: &Request,
) -> Result<&'a mut LoadBalancer, ApiError> {
    let id = request.params.required("LoadBalancerId")?;
    let found = world
        .slb
        .load_balancers
        .get_mut(id)
        .ok_or_else(no_load_balancer)?;
    if found.value.status == "locked" {
        return Err(ApiError::bad_request(
            "LoadBalancerIsLocked",
            "The specified load balancer is locked.",
        ));
    }
    Ok(&mut found.value)
}

pub(super) fn no_certificate() -> ApiError {
    ApiError::bad_request(
        "CertificateNotExist",
        "The specified ServerCertificateId does not exist.",
    )
}

pub(super) fn no_listener() -> ApiError {
    ApiError::bad_request("InvalidParameter", "The specified resource does not exist.")
}

/// The position of the listener of `ListenerPort`, and of `ListenerProtocol` if that is given.
pub(super) fn listener_position(
    balancer: &LoadBalancer,
    request: &Request,
) -> Result<usize, ApiError> {
    let port = listener_port(request)?;
    let protocol = listener_protocol(request)?;
    let mut positions = balancer
        .listeners
        .iter()
        .enumerate()
        .filter(|(_, listener)| {
            listener.port == port && protocol.is_none_or(|wanted| wanted == listener.protocol)
        })
        .map(|(position, _)| position);
    let first = positions.next().ok_or_else(no_listener)?;
    if positions.next().is_some() {
        // TCP and UDP may share a port; then the protocol must be said.
        return Err(request.params.missing("ListenerProtocol"));
    }
    Ok(first)
}

pub(super) fn listener_port(request: &Request) -> Result<u16, ApiError> {
    let port = request.params.int_between("ListenerPort", 1, 65_535)?;
    let port = port.ok_or_else(|| request.params.missing("ListenerPort"))?;
    u16::try_from(port).map_err(|_| request.params.invalid("ListenerPort"))
}

pub(super) fn listener_protocol(request: &Request) -> Result<Option<Protocol>, ApiError> {
    let named = request
        .params
        .one_of("ListenerProtocol", &["tcp", "udp", "http", "https"])?;
    Ok(named.map(|name| match name {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "http" => Protocol::Http,
        _ => Protocol::Https,
    }))
}

/// The listener of one protocol on `ListenerPort`.
pub(super) fn listener_of(
    balancer: &mut LoadBalancer,
    port: u16,
    protocol: Protocol,
) -> Result<&mut Listener, ApiError> {
    let mut listeners = balancer.listeners.iter_mut();
    listeners
        .find(|listener| listener.port == port && listener.protocol == protocol)
        .ok_or_else(no_listener)
}

pub(super) fn no_group() -> ApiError {
    ApiError::bad_request(
        "InvalidParameter",
        "The specified VServerGroupId does not exist.",
    )
}

/// The vServer group of `VServerGroupId`.
pub(super) fn group<'a>(
    world: &'a mut World,
    request: &Request,
) -> Result<&'a mut VServerGroup, ApiError> {
    let id = request.params.required("VServerGroupId")?;
    world.slb.server_groups.get_mut(id).ok_or_else(no_group)
}
