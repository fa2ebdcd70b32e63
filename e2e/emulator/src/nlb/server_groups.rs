//! Creating, changing, deleting and listing server groups.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::model::ServerGroup;
use super::{jobs, not_found};
use crate::alb::node::Node;
use crate::alb::pages::{self, among};
use crate::alb::{errors, tags, texts};
use crate::api::{Answer, ApiError, Request};
use crate::world::{Visible, World};

pub(super) fn create(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let mut group = described(&root, request)?;
    if !world.vpc.vpcs.contains_key(&group.vpc_id) {
        return Err(not_found("vpc", &group.vpc_id));
    }
    group.id = world.ids.resource("sgp-");
    group.settled = request.now + world.nlb.settling;
    let id = group.id.clone();
    let visible = Visible::new(group, request.visible_from);
    world.nlb.server_groups.insert(id.clone(), visible);
    let job = jobs::start(world, request);
    Ok(json!({"ServerGroupId": id, "JobId": job}))
}

fn described(root: &Node, request: &Request) -> Result<ServerGroup, ApiError> {
    let kind = root.one_of("ServerGroupType", &["Instance", "Ip"])?;
    let protocol = root.one_of("Protocol", &["TCP", "UDP", "TCPSSL", "TCP_UDP"])?;
    root.required("ServerGroupName")?;
    let more = [
        ("Scheduler", json!("Wrr")),
        ("ConnectionDrainEnabled", json!(false)),
        ("ConnectionDrainTimeout", json!(0)),
        ("PreserveClientIpEnabled", json!(true)),
        (
            "AnyPortEnabled",
            json!(root.bool("AnyPortEnabled")?.unwrap_or_default()),
        ),
    ];
    let more = more.map(|(name, value)| (name.to_owned(), value));
    let mut group = ServerGroup {
        id: String::new(),
        name: String::new(),
        kind: kind.unwrap_or("Instance").to_owned(),
        protocol: protocol.unwrap_or("TCP").to_owned(),
        vpc_id: root.required("VpcId")?.to_owned(),
        resource_group_id: root
            .text("ResourceGroupId")
            .unwrap_or("rg-default")
            .to_owned(),
        more: BTreeMap::from(more),
        servers: Vec::new(),
        tags: tags::of_node(root)?,
        settled: request.now,
    };
    group.more.insert("HealthCheck".to_owned(), json!(unsaid()));
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
    const SCHEDULERS: [&str; 6] = ["wrr", "wlc", "rr", "sch", "tch", "qch"];
    if let Some(scheduler) = root.text("Scheduler") {
        let lower = scheduler.to_lowercase();
        let quic = lower == "qch" && group.protocol != "UDP";
        if quic || !SCHEDULERS.contains(&lower.as_str()) {
            return Err(errors::illegal("Scheduler"));
        }
        group.more.insert("Scheduler".to_owned(), json!(scheduler));
    }
    for name in ["ConnectionDrainEnabled", "PreserveClientIpEnabled"] {
        if let Some(on) = root.bool(name)? {
            group.more.insert(name.to_owned(), json!(on));
        }
    }
    if let Some(seconds) = root.int("ConnectionDrainTimeout", 0, 900)? {
        let name = "ConnectionDrainTimeout".to_owned();
        group.more.insert(name, json!(seconds));
    }
    if let Some(config) = root.get("HealthCheckConfig") {
        let check = group.more.get("HealthCheck").unwrap_or(&Value::Null);
        let check = health_check(check, config)?;
        group.more.insert("HealthCheck".to_owned(), check);
    }
    Ok(())
}

/// What a group is checked by that nobody has said anything of.
fn unsaid() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("HealthCheckEnabled", json!(true)),
        ("HealthCheckType", json!("TCP")),
        ("HealthCheckConnectPort", json!(0)),
        ("HealthCheckInterval", json!(5)),
        ("HealthCheckConnectTimeout", json!(5)),
        ("HealthyThreshold", json!(2)),
        ("UnhealthyThreshold", json!(2)),
        ("HttpCheckMethod", json!("GET")),
        ("HealthCheckDomain", json!("$SERVER_IP")),
        ("HealthCheckUrl", json!("/")),
        ("HealthCheckHttpCode", json!(["http_2xx"])),
    ])
}

/// The check of a group with what was sent of it; the rest stays.
fn health_check(is: &Value, config: &Node) -> Result<Value, ApiError> {
    let mut view = is.clone();
    if let Some(enabled) = config.bool("HealthCheckEnabled")? {
        view["HealthCheckEnabled"] = json!(enabled);
    }
    for (name, known) in [
        ("HealthCheckType", &["TCP", "HTTP", "UDP"][..]),
        ("HttpCheckMethod", &["GET", "HEAD"]),
    ] {
        if let Some(word) = config.one_in_any_case(name, known)? {
            view[name] = json!(word);
        }
    }
    let numbers = [
        ("HealthCheckConnectPort", 0, 65_535),
        ("HealthCheckInterval", 1, 50),
        ("HealthCheckConnectTimeout", 1, 300),
        ("HealthyThreshold", 2, 10),
        ("UnhealthyThreshold", 2, 10),
    ];
    for (name, low, high) in numbers {
        if let Some(number) = config.int(name, low, high)? {
            view[name] = json!(number);
        }
    }
    for name in ["HealthCheckDomain", "HealthCheckUrl"] {
        if let Some(text) = config.text(name) {
            view[name] = json!(text);
        }
    }
    let codes = config.texts("HealthCheckHttpCode");
    let known = ["http_2xx", "http_3xx", "http_4xx", "http_5xx"];
    if codes.iter().any(|code| !known.contains(&code.as_str())) {
        return Err(errors::illegal("HealthCheckHttpCode"));
    }
    if !codes.is_empty() {
        view["HealthCheckHttpCode"] = json!(codes);
    }
    Ok(view)
}

/// The server group of `ServerGroupId`, to be changed. One that is being changed is not.
pub(super) fn changeable(world: &World, request: &Request) -> Result<ServerGroup, ApiError> {
    let id = request.params.required("ServerGroupId")?;
    let group = world.nlb.server_group(id)?.clone();
    match request.now >= group.settled {
        true => Ok(group),
        false => Err(errors::incorrect_status("serverGroup", id)),
    }
}

pub(super) fn keep(world: &mut World, request: &Request, mut group: ServerGroup) -> Answer {
    group.settled = request.now + world.nlb.settling;
    let id = group.id.clone();
    if let Some(kept) = world.nlb.server_groups.get_mut(&id) {
        kept.value = group;
    }
    let job = jobs::start(world, request);
    Ok(json!({"JobId": job, "ServerGroupId": id}))
}

pub(super) fn update(world: &mut World, request: &Request) -> Answer {
    let mut group = changeable(world, request)?;
    set(&mut group, &Node::of(&request.params))?;
    keep(world, request, group)
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let group = changeable(world, request)?;
    if !world.nlb.users_of(&group.id).1.is_empty() {
        return Err(errors::in_use("serverGroup", &group.id));
    }
    world.nlb.server_groups.remove(&group.id);
    let job = jobs::start(world, request);
    Ok(json!({"JobId": job, "ServerGroupId": group.id}))
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let ids = pages::wanted(request, "ServerGroupIds", 20)?;
    let names = pages::wanted(request, "ServerGroupNames", 20)?;
    let equals = |name: &str, value: &str| params.filled(name).is_none_or(|one| one == value);
    let seen = world.nlb.server_groups.values();
    let seen = seen.filter_map(|group| group.seen(request.now));
    let views = seen
        .filter(|group| {
            among(&ids, &group.id)
                && among(&names, &group.name)
                && equals("ServerGroupType", &group.kind)
                && equals("VpcId", &group.vpc_id)
                && tags::matches(request, &group.tags)
        })
        .map(|group| view(world, request, group));
    pages::page(request, "ServerGroups", views.collect())
}

fn view(world: &World, request: &Request, group: &ServerGroup) -> Value {
    let (balancers, listeners) = world.nlb.users_of(&group.id);
    let settled = request.now >= group.settled;
    let mut view = json!({
        "ServerGroupId": group.id,
        "ServerGroupName": group.name,
        "ServerGroupStatus": if settled { "Available" } else { "Configuring" },
        "ServerGroupType": group.kind,
        "Protocol": group.protocol,
        "VpcId": group.vpc_id,
        "ResourceGroupId": group.resource_group_id,
        "AddressIPVersion": "ipv4",
        // Without it the cloud controller manager adds the servers again each time.
        "ServerCount": group.servers.len(),
        "RelatedLoadBalancerIds": balancers,
        "RelatedListenerIds": listeners,
        "Tags": tags::view(&group.tags),
    });
    for (name, value) in &group.more {
        view[name] = value.clone();
    }
    view
}
