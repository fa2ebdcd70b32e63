//! The servers of a group.

use serde_json::json;

use super::server_groups::{changeable, keep};
use crate::alb::node::Node;
use crate::alb::pages::{self, among};
use crate::alb::servers::{Limits, insert};
use crate::api::{Answer, Request};
use crate::world::World;

const LIMITS: Limits = Limits {
    batch: 200,
    kinds: &["Ecs", "Eni", "Eci", "Ip"],
    least_port: 0,
    word: "backendServer",
};

pub(super) fn add(world: &mut World, request: &Request) -> Answer {
    let mut group = changeable(world, request)?;
    let added = LIMITS.read(&Node::of(&request.params), "Servers")?;
    insert(&mut group.servers, &added, &group.id)?;
    keep(world, request, group)
}

pub(super) fn remove(world: &mut World, request: &Request) -> Answer {
    let mut group = changeable(world, request)?;
    let removed = LIMITS.read(&Node::of(&request.params), "Servers")?;
    LIMITS.take_out(&mut group.servers, &removed)?;
    keep(world, request, group)
}

pub(super) fn update(world: &mut World, request: &Request) -> Answer {
    let mut group = changeable(world, request)?;
    let changed = LIMITS.read(&Node::of(&request.params), "Servers")?;
    LIMITS.change(&mut group.servers, changed)?;
    keep(world, request, group)
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
