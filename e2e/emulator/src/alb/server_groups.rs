//! Creating, changing, deleting and listing server groups.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::errors;
use super::jobs;
use super::model::ServerGroup;
use super::node::Node;
use super::pages::{self, among};
use super::tags;
use super::texts;
use crate::api::{Answer, ApiError, Request};
use crate::sts::wire_time;
use crate::world::{Visible, World};

/// Server groups in a region.
const GROUPS_MAX: usize = 2_000;

pub(super) fn create(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let mut group = described(&root, request)?;
    if group.kind != "Fc" && !world.vpc.vpcs.contains_key(&group.vpc_id) {
        return Err(errors::not_found("Vpc", &group.vpc_id));
    }
    let count = world.alb.server_groups.len() + 1;
    if count > GROUPS_MAX {
        return Err(errors::quota("ServerGroupsNum", count, GROUPS_MAX));
    }
    group.id = world.ids.resource("sgp-");
    group.settled = request.now + world.alb.settling;
    let id = group.id.clone();
    let visible = Visible::new(group, request.visible_from);
    world.alb.server_groups.insert(id.clone(), visible);
    let job = jobs::start(world, request, "servergroup", &id);
    Ok(json!({"JobId": job, "ServerGroupId": id}))
}

fn described(root: &Node, request: &Request) -> Result<ServerGroup, ApiError> {
    let kind = root.one_of_any_case("ServerGroupType", &["Instance", "Ip", "Fc"])?;
    let kind = kind.unwrap_or("Instance");
    let protocol = root.one_of("Protocol", &["HTTP", "HTTPS", "gRPC"])?;
    root.required("ServerGroupName")?;
    root.get("HealthCheckConfig")
        .ok_or_else(|| errors::missing("HealthCheckConfig"))?;
    let vpc_id = match kind {
        "Fc" => "",
        _ => root.required("VpcId")?,
    };
    let mut group = ServerGroup {
        id: String::new(),
        name: String::new(),
        service_name: String::new(),
        kind: kind.to_owned(),
        protocol: protocol.unwrap_or("HTTP").to_owned(),
        scheduler: "Wrr".to_owned(),
        vpc_id: vpc_id.to_owned(),
        resource_group_id: root
            .text("ResourceGroupId")
            .unwrap_or("rg-default")
            .to_owned(),
        upstream_keepalive: false,
        more: BTreeMap::new(),
        servers: Vec::new(),
        tags: tags::of_node(root)?,
        created: request.now,
        settled: request.now,
    };
    set(&mut group, root)?;
    Ok(group)
}

/// Takes over what was sent.
fn set(group: &mut ServerGroup, root: &Node) -> Result<(), ApiError> {
    if let Some(name) = root.text("ServerGroupName") {
        if !texts::is_name(name) {
            return Err(errors::illegal("ServerGroupName"));
        }
        name.clone_into(&mut group.name);
    }
    if let Some(name) = root.text("ServiceName") {
        name.clone_into(&mut group.service_name);
    }
    if let Some(scheduler) = root.one_of("Scheduler", &["Wrr", "Wlc", "Sch", "Uch"])? {
        scheduler.clone_into(&mut group.scheduler);
    }
    if group.scheduler == "Uch" && !group.more.contains_key("UchConfig") && !root.has("UchConfig") {
        return Err(errors::missing("UchConfig"));
    }
    if let Some(on) = root.bool("UpstreamKeepaliveEnabled")? {
        group.upstream_keepalive = on;
    }
    if let Some(config) = root.get("HealthCheckConfig") {
        let config = health_check(config)?;
        group.more.insert("HealthCheckConfig".to_owned(), config);
    }
    if let Some(config) = root.get("StickySessionConfig") {
        let config = sticky_session(config)?;
        group.more.insert("StickySessionConfig".to_owned(), config);
    }
    if let Some(config) = root.get("UchConfig") {
        let config = json!({
            "Type": config.one_of("Type", &["QueryString"])?.unwrap_or("QueryString"),
            "Value": config.required("Value")?,
        });
        group.more.insert("UchConfig".to_owned(), config);
    }
    Ok(())
}

fn health_check(config: &Node) -> Result<Value, ApiError> {
    let enabled = config.bool("HealthCheckEnabled")?;
    let enabled = enabled.ok_or_else(|| errors::missing("HealthCheckEnabled"))?;
    let mut view = Map::new();
    view.insert("HealthCheckEnabled".to_owned(), json!(enabled));
    if !enabled {
        return Ok(Value::Object(view));
    }
    let numbers = [
        ("HealthCheckConnectPort", 0, 65_535, 0),
        ("HealthCheckInterval", 1, 50, 2),
        ("HealthCheckTimeout", 1, 300, 5),
        ("HealthyThreshold", 2, 10, 3),
        ("UnhealthyThreshold", 2, 10, 3),
    ];
    for (name, low, high, default) in numbers {
        let number = config.int(name, low, high)?.unwrap_or(default);
        view.insert(name.to_owned(), json!(number));
    }
    let sets: [(&str, &[&str]); 3] = [
        ("HealthCheckHttpVersion", &["HTTP1.1", "HTTP1.0"]),
        ("HealthCheckMethod", &["HEAD", "GET", "POST"]),
        ("HealthCheckProtocol", &["HTTP", "HTTPS", "TCP", "gRPC"]),
    ];
    for (name, allowed) in sets {
        let picked = config.one_of(name, allowed)?.or(allowed.first().copied());
        view.insert(name.to_owned(), json!(picked));
    }
    for (name, default) in [("HealthCheckHost", "$SERVER_IP"), ("HealthCheckPath", "/")] {
        let text = config.text(name).unwrap_or(default);
        view.insert(name.to_owned(), json!(text));
    }
    let codes = config.texts("HealthCheckCodes");
    view.insert("HealthCheckCodes".to_owned(), json!(codes));
    Ok(Value::Object(view))
}

fn sticky_session(config: &Node) -> Result<Value, ApiError> {
    let enabled = config.bool("StickySessionEnabled")? == Some(true);
    if !enabled {
        return Ok(json!({"StickySessionEnabled": false}));
    }
    let kind = config.one_of("StickySessionType", &["Insert", "Server"])?;
    let mut view = json!({
        "StickySessionEnabled": true,
        "StickySessionType": kind.unwrap_or("Insert"),
        "CookieTimeout": config.int("CookieTimeout", 1, 86_400)?.unwrap_or(1_000),
    });
    if kind == Some("Server") {
        view["Cookie"] = json!(config.required("Cookie")?);
    }
    Ok(view)
}

/// The server group of `ServerGroupId`, to be changed. One that is being changed is not.
pub(super) fn changeable(world: &World, request: &Request) -> Result<ServerGroup, ApiError> {
    let id = request.params.required("ServerGroupId")?;
    let group = world.alb.server_group(id)?.clone();
    match group.status(request.now, world.alb.settling) {
        "Available" => Ok(group),
        _ => Err(errors::incorrect_status("ServerGroup", id)),
    }
}

pub(super) fn keep(world: &mut World, request: &Request, mut group: ServerGroup) -> Answer {
    group.settled = request.now + world.alb.settling;
    let id = group.id.clone();
    if let Some(kept) = world.alb.server_groups.get_mut(&id) {
        kept.value = group;
    }
    let job = jobs::start(world, request, "servergroup", &id);
    Ok(json!({ "JobId": job }))
}

pub(super) fn update(world: &mut World, request: &Request) -> Answer {
    let mut group = changeable(world, request)?;
    set(&mut group, &Node::of(&request.params))?;
    keep(world, request, group)
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let group = changeable(world, request)?;
    if !world.alb.users_of(&group.id).is_empty() {
        return Err(errors::in_use("ServerGroup", &group.id));
    }
    world.alb.server_groups.remove(&group.id);
    let job = jobs::start(world, request, "servergroup", &group.id);
    Ok(json!({ "JobId": job }))
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let ids = pages::wanted(request, "ServerGroupIds", 20)?;
    let names = pages::wanted(request, "ServerGroupNames", 10)?;
    let equals = |name: &str, value: &str| params.filled(name).is_none_or(|one| one == value);
    let seen = world.alb.server_groups.values();
    let seen = seen.filter_map(|group| group.seen(request.now));
    let views = seen
        .filter(|group| {
            among(&ids, &group.id)
                && among(&names, &group.name)
                && equals("ServerGroupType", &group.kind)
                && equals("VpcId", &group.vpc_id)
                && equals("ResourceGroupId", &group.resource_group_id)
                && tags::matches(request, &group.tags)
        })
        .map(|group| view(world, request, group));
    pages::page(request, "ServerGroups", views.collect())
}

fn view(world: &World, request: &Request, group: &ServerGroup) -> Value {
    let mut view = json!({
        "ServerGroupId": group.id,
        "ServerGroupName": group.name,
        "ServerGroupStatus": group.status(request.now, world.alb.settling),
        "ServerGroupType": group.kind,
        "ServiceName": group.service_name,
        "Protocol": group.protocol,
        "Scheduler": group.scheduler,
        "VpcId": group.vpc_id,
        "ResourceGroupId": group.resource_group_id,
        "UpstreamKeepaliveEnabled": group.upstream_keepalive,
        "ConfigManagedEnabled": false,
        "CrossZoneEnabled": true,
        "Ipv6Enabled": false,
        "ServerCount": group.servers.len(),
        "RelatedLoadBalancerIds": world.alb.users_of(&group.id),
        "CreateTime": wire_time(group.created),
        "Tags": tags::view(&group.tags),
    });
    for name in ["HealthCheckConfig", "StickySessionConfig", "UchConfig"] {
        let config = group.more.get(name).cloned();
        view[name] = config.unwrap_or_else(|| json!({}));
    }
    view
}
