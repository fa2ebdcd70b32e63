//! From the VPC authorization to the servers behind it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::admit::Admitted;
use super::failure::Failure;
use super::runtime::Runtime;
use crate::cloudapi::VPC_EGRESS as EGRESS;
use crate::slb::{Backend, Listener, ListenerStatus, Protocol};
use crate::world::World;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Servers in the order they are tried.
    pub(super) servers: Vec<(IpAddr, u16)>,
    /// Host towards the backend unless something else is asked for: the load balancer.
    pub(super) authority: String,
    /// Whether the load balancer speaks HTTP itself and so answers for missing servers.
    pub(super) layer7: bool,
}

/// Follows the objects: authorization, load balancer, listener, server group, servers.
pub(super) fn target(
    world: &World,
    runtime: &Runtime,
    admitted: &Admitted,
) -> Result<Target, Failure> {
    let service = admitted.service();
    let Some(access) = admitted.access() else {
        return Err(Failure::not_emulated(&format!(
            "a backend that is not in a VPC ({})",
            service.service_protocol
        )));
    };
    if !world
        .cloudapi
        .vpc_accesses
        .values()
        .any(|known| known.value.triple() == access.triple())
    {
        return Err(Failure::vpc(&format!(
            "the authorization {} is gone",
            access.name
        )));
    }
    let Some(balancer) = world
        .slb
        .load_balancers
        .get(&access.instance_id)
        .map(|balancer| &balancer.value)
    else {
        return Err(Failure::vpc(&format!("{} is gone", access.instance_id)));
    };
    if balancer.vpc_id.as_deref() != Some(access.vpc_id.as_str()) {
        return Err(Failure::vpc(&format!(
            "{} is not in {}",
            access.instance_id, access.vpc_id
        )));
    }
    let place = format!("{}:{}", balancer.address, access.port);
    let unreachable = |reason: &str| Failure::connect(&format!("{place}: {reason}"));
    if balancer.status != "active" {
        return Err(unreachable("the load balancer is stopped"));
    }
    let listener = world
        .slb
        .listener(&balancer.id, access.port)
        .ok_or_else(|| unreachable("no listener on this port"))?;
    if listener.status != ListenerStatus::Running {
        return Err(unreachable("the listener is stopped"));
    }
    if !admits(world, listener) {
        return Err(unreachable(
            "the listener's access control list keeps the gateway out",
        ));
    }
    let layer7 = speaks(listener, &service.vpc_config.vpc_scheme)?;
    let servers = in_turn(world.slb.backends(listener), listener, runtime);
    if servers.is_empty() && !layer7 {
        return Err(unreachable("no server behind the listener"));
    }
    let authority = if access.port == 80 {
        balancer.address.clone()
    } else {
        place
    };
    Ok(Target {
        servers,
        authority,
        layer7,
    })
}

/// Whether the access control lists of a listener let the gateway's addresses in.
fn admits(world: &World, listener: &Listener) -> bool {
    let set = |name: &str| listener.settings.get(name).map_or("", String::as_str);
    if set("AclStatus") != "on" {
        return true;
    }
    let Ok(gateway) = EGRESS.parse::<IpNet>() else {
        return false;
    };
    let lists = set("AclId")
        .split(',')
        .filter_map(|id| world.slb.access_control_lists.get(id.trim()));
    let mut entries = lists
        .flat_map(|list| list.entries.keys())
        .filter_map(|entry| entry.parse::<IpNet>().ok());
    match set("AclType") {
        "black" => !entries.any(|entry| entry.contains(&gateway) || gateway.contains(&entry)),
        _ => entries.any(|entry| entry.contains(&gateway)),
    }
}

/// Whether the listener works on layer 7, if it understands what the gateway speaks.
fn speaks(listener: &Listener, scheme: &str) -> Result<bool, Failure> {
    let secure = scheme.eq_ignore_ascii_case("https");
    match (listener.protocol, secure) {
        (Protocol::Http, false) | (Protocol::Https, true) => Ok(true),
        (Protocol::Tcp, false) => Ok(false),
        (Protocol::Tcp, true) => Err(Failure::not_emulated("TLS to a backend")),
        (Protocol::Http, true) => Err(Failure::tls("the listener does not speak TLS")),
        (Protocol::Https, false) => Err(Failure::broken_answer("the listener expects TLS")),
        (Protocol::Udp, _) => Err(Failure::connect("the listener is for UDP")),
    }
}

/// Servers that take traffic, beginning with the one whose turn it is.
fn in_turn(backends: &[Backend], listener: &Listener, runtime: &Runtime) -> Vec<(IpAddr, u16)> {
    let taking = backends.iter().filter(|backend| backend.weight > 0);
    let mut servers: Vec<(IpAddr, u16)> = taking
        .filter_map(|backend| Some((backend.server_ip.parse().ok()?, backend.port)))
        .collect();
    if let Some(first) = runtime
        .turn(listener.server_group_id.as_deref().unwrap_or_default())
        .checked_rem(servers.len())
    {
        servers.rotate_left(first);
    }
    servers
}
