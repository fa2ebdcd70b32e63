//! VServer groups.

use serde_json::{Value, json};

use super::backends::{self, same_place};
use super::find;
use super::tags::{matches_tags, tag_view, tags_of};
use crate::api::{Answer, ApiError, Request};
use crate::slb::{Backend, VServerGroup};
use crate::sts::wire_time;
use crate::world::World;

/// Backend servers of all groups of one load balancer together.
const BACKENDS_MAX: usize = 200;

pub(super) fn create(world: &mut World, request: &Request) -> Answer {
    let load_balancer_id = find::load_balancer(world, request)?.id.clone();
    let backends = backends::parse(request, "BackendServers")?;
    check_room(world, &load_balancer_id, backends.len())?;
    let group = VServerGroup {
        id: world.ids.resource(&format!("rsp-{}", world.region_mark())),
        name: request
            .params
            .filled("VServerGroupName")
            .unwrap_or("auto_named_vservergroup")
            .to_owned(),
        load_balancer_id,
        backends,
        tags: tags_of(request)?,
        created: request.now,
    };
    let answer = short_view(&group);
    world.slb.server_groups.insert(group.id.clone(), group);
    Ok(answer)
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let group = find::group(world, request)?;
    let (id, balancer) = (group.id.clone(), group.load_balancer_id.clone());
    if !listeners_of(world, &id, &balancer).is_empty() {
        return Err(ApiError::bad_request(
            "RspoolVipExist",
            "there are vips associating with this vServer group.",
        ));
    }
    world.slb.server_groups.remove(&id);
    Ok(json!({}))
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let balancer = find::seen_load_balancer(world, request)?;
    let with_listeners = request.params.bool("IncludeListener")? == Some(true);
    let groups: Vec<Value> = world
        .slb
        .server_groups
        .values()
        .filter(|group| group.load_balancer_id == balancer.id && matches_tags(request, &group.tags))
        .map(|group| list_view(world, group, with_listeners))
        .collect();
    Ok(json!({"VServerGroups": {"VServerGroup": groups}}))
}

fn list_view(world: &World, group: &VServerGroup, with_listeners: bool) -> Value {
    let listeners = match with_listeners {
        true => listeners_of(world, &group.id, &group.load_balancer_id),
        false => Vec::new(),
    };
    json!({
        "VServerGroupId": group.id,
        "VServerGroupName": group.name,
        "ServerCount": group.backends.len(),
        "CreateTime": wire_time(group.created),
        "AssociatedObjects": {"Listeners": {"Listener": listeners}, "Rules": {"Rule": []}},
        "Tags": {"Tag": tag_view(&group.tags)},
    })
}

pub(super) fn attribute(world: &mut World, request: &Request) -> Answer {
    let group = find::group(world, request)?;
    let mut view = short_view(group);
    view["VServerGroupName"] = json!(group.name);
    view["LoadBalancerId"] = json!(group.load_balancer_id);
    view["CreateTime"] = json!(wire_time(group.created));
    view["Tags"] = json!({"Tag": tag_view(&group.tags)});
    Ok(view)
}

/// Name, and weight and description of servers the group has already.
pub(super) fn set(world: &mut World, request: &Request) -> Answer {
    let changes = backends::parse(request, "BackendServers")?;
    let name = request.params.filled("VServerGroupName").map(str::to_owned);
    let group = find::group(world, request)?;
    for change in &changes {
        let known = group
            .backends
            .iter_mut()
            .find(|backend| same_place(backend, change));
        *known.ok_or_else(no_backend)? = change.clone();
    }
    if let Some(name) = name {
        group.name = name;
    }
    let mut view = short_view(group);
    view["VServerGroupName"] = json!(group.name);
    Ok(view)
}

/// Servers that are in the group already stay as they are.
pub(super) fn add(world: &mut World, request: &Request) -> Answer {
    let added = backends::parse(request, "BackendServers")?;
    let group = find::group(world, request)?;
    let new: Vec<Backend> = added
        .into_iter()
        .filter(|new| {
            !group
                .backends
                .iter()
                .any(|backend| same_place(backend, new))
        })
        .collect();
    let balancer = group.load_balancer_id.clone();
    check_room(world, &balancer, new.len())?;
    let group = find::group(world, request)?;
    group.backends.extend(new);
    Ok(short_view(group))
}

/// Servers that are not in the group are passed over.
pub(super) fn remove(world: &mut World, request: &Request) -> Answer {
    let gone = backends::parse(request, "BackendServers")?;
    let group = find::group(world, request)?;
    group
        .backends
        .retain(|backend| !gone.iter().any(|one| same_place(one, backend)));
    Ok(short_view(group))
}

pub(super) fn modify(world: &mut World, request: &Request) -> Answer {
    let old = backends::parse(request, "OldBackendServers")?;
    let new = backends::parse(request, "NewBackendServers")?;
    let group = find::group(world, request)?;
    if old.iter().any(|one| {
        !group
            .backends
            .iter()
            .any(|backend| same_place(one, backend))
    }) {
        return Err(no_backend());
    }
    group
        .backends
        .retain(|backend| !old.iter().any(|one| same_place(one, backend)));
    group.backends.extend(new);
    Ok(short_view(group))
}

fn no_backend() -> ApiError {
    ApiError::bad_request(
        "InvalidParameter",
        "The specified BackendServers are not in the specified VServerGroupId.",
    )
}

fn check_room(world: &World, load_balancer_id: &str, more: usize) -> Result<(), ApiError> {
    let groups = world
        .slb
        .server_groups
        .values()
        .filter(|group| group.load_balancer_id == load_balancer_id);
    if groups.map(|group| group.backends.len()).sum::<usize>() + more > BACKENDS_MAX {
        return Err(ApiError::bad_request(
            "InstanceBackendServerNumberOverLimit",
            "The backend server number has reached to the quota limit of this load balancers",
        ));
    }
    Ok(())
}

/// The listeners that send to a group. One that forwards to another listener sends to none.
fn listeners_of(world: &World, group_id: &str, load_balancer_id: &str) -> Vec<Value> {
    let balancer = world.slb.load_balancers.get(load_balancer_id);
    balancer
        .into_iter()
        .flat_map(|balancer| &balancer.value.listeners)
        .filter(|listener| listener.server_group_id.as_deref() == Some(group_id))
        .filter(|listener| !listener.forwards())
        .map(|listener| json!({"Port": listener.port, "Protocol": listener.protocol.name()}))
        .collect()
}

fn short_view(group: &VServerGroup) -> Value {
    json!({"VServerGroupId": group.id, "BackendServers": backends::view(&group.backends)})
}
