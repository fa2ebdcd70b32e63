//! The servers of a group.

use serde_json::json;

use super::errors;
use super::model::Server;
use super::node::Node;
use super::pages::{self, among};
use super::server_groups::{changeable, keep};
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

/// Servers of a group.
const SERVERS_MAX: usize = 1_000;

/// What the products whose groups have servers differ in.
pub(crate) struct Limits {
    /// Servers that one call may name.
    pub(crate) batch: usize,
    pub(crate) kinds: &'static [&'static str],
    pub(crate) least_port: i64,
    /// The word for a server in an error.
    pub(crate) word: &'static str,
}

const LIMITS: Limits = Limits {
    batch: 40,
    kinds: &["Ecs", "Eni", "Eci", "Ip", "Fc"],
    least_port: 1,
    word: "BackendServer",
};

pub(super) fn add(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let mut group = changeable(world, request)?;
    insert(
        &mut group.servers,
        &LIMITS.read(&root, "Servers")?,
        &group.id,
    )?;
    keep(world, request, group)
}

pub(super) fn remove(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let mut group = changeable(world, request)?;
    LIMITS.take_out(&mut group.servers, &LIMITS.read(&root, "Servers")?)?;
    keep(world, request, group)
}

pub(super) fn replace(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let mut group = changeable(world, request)?;
    let added = LIMITS.read(&root, "AddedServers")?;
    LIMITS.take_out(&mut group.servers, &LIMITS.read(&root, "RemovedServers")?)?;
    insert(&mut group.servers, &added, &group.id)?;
    keep(world, request, group)
}

pub(super) fn update(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let mut group = changeable(world, request)?;
    LIMITS.change(&mut group.servers, LIMITS.read(&root, "Servers")?)?;
    keep(world, request, group)
}

fn is_same(one: &Server, other: &Server) -> bool {
    one.id == other.id && one.port == other.port && (one.ip == other.ip || other.ip.is_empty())
}

/// Adds servers to a group.
pub(crate) fn insert(
    servers: &mut Vec<Server>,
    added: &[Server],
    group_id: &str,
) -> Result<(), ApiError> {
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

impl Limits {
    /// Takes servers out of a group.
    pub(crate) fn take_out(
        &self,
        servers: &mut Vec<Server>,
        removed: &[Server],
    ) -> Result<(), ApiError> {
        for server in removed {
            let place = servers.iter().position(|known| is_same(known, server));
            match place {
                Some(place) => servers.remove(place),
                None => return Err(errors::not_found(self.word, &server.id)),
            };
        }
        Ok(())
    }

    /// Gives servers of a group other weights and descriptions.
    pub(crate) fn change(
        &self,
        servers: &mut [Server],
        changed: Vec<Server>,
    ) -> Result<(), ApiError> {
        for wanted in changed {
            let found = servers.iter_mut().find(|server| is_same(server, &wanted));
            let server = found.ok_or_else(|| errors::not_found(self.word, &wanted.id))?;
            server.weight = wanted.weight;
            server.description = wanted.description;
        }
        Ok(())
    }

    /// The servers that a request names.
    pub(crate) fn read(&self, root: &Node, name: &str) -> Result<Vec<Server>, ApiError> {
        let items = root.items(name);
        if items.is_empty() {
            return Err(errors::missing(name));
        }
        if items.len() > self.batch {
            return Err(errors::illegal(name));
        }
        items.into_iter().map(|node| self.server(node)).collect()
    }

    fn server(&self, node: &Node) -> Result<Server, ApiError> {
        let id = node.required("ServerId")?;
        let kind = node.one_of_any_case("ServerType", self.kinds)?;
        let kind = kind.ok_or_else(|| errors::missing("ServerType"))?;
        let port = node.int("Port", self.least_port, 65_535)?;
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
            return Err(errors::not_found(self.word, id));
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
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let id = request.params.required("ServerGroupId")?;
    let group = world.alb.server_group(id)?;
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
            "RemoteIpEnabled": false,
            "Status": "Available",
        })
    });
    pages::page(request, "Servers", views.collect())
}
