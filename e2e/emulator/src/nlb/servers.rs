//! The servers of a group.

use serde_json::json;

use super::model::Server;
use super::server_groups::{changeable, keep};
use crate::alb::errors;
use crate::alb::node::Node;
use crate::alb::pages::{self, among};
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

/// Servers that one call may name.
const BATCH_MAX: usize = 200;

/// Servers of a group.
const SERVERS_MAX: usize = 1_000;

const KINDS: [&str; 4] = ["Ecs", "Eni", "Eci", "Ip"];

pub(super) fn add(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let mut group = changeable(world, request)?;
    insert(&mut group.servers, &read(&root, "Servers")?, &group.id)?;
    keep(world, request, group)
}

pub(super) fn remove(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let mut group = changeable(world, request)?;
    take_out(&mut group.servers, &read(&root, "Servers")?)?;
    keep(world, request, group)
}

pub(super) fn update(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let mut group = changeable(world, request)?;
    for wanted in read(&root, "Servers")? {
        let found = group
            .servers
            .iter_mut()
            .find(|server| is_same(server, &wanted));
        let server = found.ok_or_else(|| errors::not_found("backendServer", &wanted.id))?;
        server.weight = wanted.weight;
        server.description = wanted.description;
    }
    keep(world, request, group)
}

fn is_same(one: &Server, other: &Server) -> bool {
    one.id == other.id && one.port == other.port && (one.ip == other.ip || other.ip.is_empty())
}

fn insert(servers: &mut Vec<Server>, added: &[Server], group_id: &str) -> Result<(), ApiError> {
    for server in added {
        if servers.iter().any(|known| is_same(known, server)) {
            return Err(errors::conflict("BackendServer", &server.id, group_id));
        }
        servers.push(server.clone());
    }
    match servers.len() > SERVERS_MAX {
        true => {
            let name = "ServerGroupServersNum";
            Err(errors::resource_quota(
                name,
                group_id,
                servers.len(),
                SERVERS_MAX,
            ))
        }
        false => Ok(()),
    }
}

fn take_out(servers: &mut Vec<Server>, removed: &[Server]) -> Result<(), ApiError> {
    for server in removed {
        let place = servers.iter().position(|known| is_same(known, server));
        match place {
            Some(place) => servers.remove(place),
            None => return Err(errors::not_found("backendServer", &server.id)),
        };
    }
    Ok(())
}

fn read(root: &Node, name: &str) -> Result<Vec<Server>, ApiError> {
    let items = root.items(name);
    if items.is_empty() {
        return Err(errors::missing(name));
    }
    if items.len() > BATCH_MAX {
        return Err(errors::illegal(name));
    }
    items.into_iter().map(server).collect()
}

fn server(node: &Node) -> Result<Server, ApiError> {
    let id = node.required("ServerId")?;
    let kind = node.one_of("ServerType", &KINDS)?;
    let kind = kind.ok_or_else(|| errors::missing("ServerType"))?;
    let port = node.int("Port", 0, 65_535)?;
    let port = port.ok_or_else(|| errors::missing("Port"))?;
    let weight = node.int("Weight", 0, 100)?.unwrap_or(100);
    let ip = node.text("ServerIp").unwrap_or_default();
    if !ip.is_empty() && ip.parse::<std::net::IpAddr>().is_err() {
        return Err(errors::illegal("ServerIp"));
    }
    let prefix = match kind {
        "Ecs" => "i-",
        "Eni" => "eni-",
        _ => "",
    };
    if !id.starts_with(prefix) {
        return Err(errors::not_found("backendServer", id));
    }
    Ok(Server {
        id: id.to_owned(),
        ip: ip.to_owned(),
        kind: kind.to_owned(),
        port: u16::try_from(port).map_err(|_| errors::illegal("Port"))?,
        weight: u32::try_from(weight).map_err(|_| errors::illegal("Weight"))?,
        description: node.text("Description").unwrap_or_default().to_owned(),
    })
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let id = request.params.required("ServerGroupId")?;
    let group = world.nlb.server_group(id)?;
    let ids = pages::wanted(request, "ServerIds", 40)?;
    let servers = group.servers.iter();
    let servers = servers.filter(|server| among(&ids, &server.id));
    let views = servers.map(|server| {
        json!({
            "ServerGroupId": id,
            "ServerId": server.id,
            "ServerIp": server.ip,
            "ServerType": server.kind,
            "Port": server.port,
            "Weight": server.weight,
            "Description": server.description,
            "Status": "Available",
        })
    });
    pages::page(request, "Servers", views.collect())
}
