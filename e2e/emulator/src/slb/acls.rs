//! Access control lists of listeners.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Answer, ApiError, Request};
use crate::slb::AccessControlList;
use crate::sts::wire_time;
use crate::world::World;

/// Entries in one call.
const ENTRIES_MAX: usize = 50;

pub(super) fn no_acl() -> ApiError {
    ApiError::bad_request("AclNotExist", "The specified Acl does not exist.")
}

#[derive(Deserialize)]
struct Entry {
    entry: String,
    #[serde(default)]
    comment: String,
}

pub(super) fn create(world: &mut World, request: &Request) -> Answer {
    let name = request.params.required("AclName")?.to_owned();
    let ip_version = request
        .params
        .one_of("AddressIPVersion", &["ipv4", "ipv6"])?
        .unwrap_or("ipv4")
        .to_owned();
    let id = world.ids.resource(&format!("acl-{}", world.region_mark()));
    let list = AccessControlList {
        id: id.clone(),
        name,
        ip_version,
        entries: BTreeMap::new(),
        created: request.now,
    };
    world.slb.access_control_lists.insert(id.clone(), list);
    Ok(json!({"AclId": id}))
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let id = find(world, request)?.id.clone();
    if !users(world, &id).is_empty() {
        return Err(ApiError::bad_request(
            "AclInUsed",
            "The specified Acl is in use.",
        ));
    }
    world.slb.access_control_lists.remove(&id);
    Ok(json!({}))
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let paging = request.params.paging(10, 50)?;
    let hits: Vec<Value> = world
        .slb
        .access_control_lists
        .values()
        .filter(|list| {
            request
                .params
                .filled("AclName")
                .is_none_or(|name| list.name.contains(name))
        })
        .map(view)
        .collect();
    let page = paging.slice(&hits);
    Ok(json!({
        "Count": page.len(),
        "Acls": {"Acl": page},
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": hits.len(),
    }))
}

pub(super) fn attribute(world: &mut World, request: &Request) -> Answer {
    let list = find(world, request)?;
    let (id, mut answer) = (list.id.clone(), view(list));
    let entries: Vec<Value> = list
        .entries
        .iter()
        .map(|(range, comment)| json!({"AclEntryIP": range, "AclEntryComment": comment}))
        .collect();
    answer["TotalAclEntry"] = json!(entries.len());
    answer["AclEntrys"] = json!({"AclEntry": entries});
    answer["RelatedListeners"] = json!({"RelatedListener": users(world, &id)});
    Ok(answer)
}

pub(super) fn add_entries(world: &mut World, request: &Request) -> Answer {
    let entries = entries(request)?;
    let list = find(world, request)?;
    list.entries.extend(
        entries
            .into_iter()
            .map(|entry| (entry.entry, entry.comment)),
    );
    Ok(json!({}))
}

pub(super) fn remove_entries(world: &mut World, request: &Request) -> Answer {
    let entries = entries(request)?;
    let list = find(world, request)?;
    list.entries
        .retain(|range, _| !entries.iter().any(|entry| entry.entry == *range));
    Ok(json!({}))
}

/// `AclEntrys` is a JSON list of `{"entry","comment"}`.
fn entries(request: &Request) -> Result<Vec<Entry>, ApiError> {
    let text = request.params.required("AclEntrys")?;
    let entries: Vec<Entry> =
        serde_json::from_str(text).map_err(|_| request.params.invalid("AclEntrys"))?;
    let is_range = |text: &str| {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        address.parse::<std::net::IpAddr>().is_ok()
            && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= 128)
    };
    if entries.is_empty()
        || entries.len() > ENTRIES_MAX
        || !entries.iter().all(|entry| is_range(&entry.entry))
    {
        return Err(request.params.invalid("AclEntrys"));
    }
    Ok(entries)
}

fn find<'a>(
    world: &'a mut World,
    request: &Request,
) -> Result<&'a mut AccessControlList, ApiError> {
    let id = request.params.required("AclId")?;
    world
        .slb
        .access_control_lists
        .get_mut(id)
        .ok_or_else(no_acl)
}

fn users(world: &World, id: &str) -> Vec<Value> {
    let balancers = world
        .slb
        .load_balancers
        .values()
        .map(|balancer| &balancer.value);
    balancers
        .flat_map(|balancer| {
            balancer
                .listeners
                .iter()
                .map(move |listener| (balancer, listener))
        })
        .filter(|(_, listener)| {
            let settings = &listener.settings;
            settings
                .get("AclStatus")
                .is_some_and(|status| status == "on")
                && settings
                    .get("AclId")
                    .is_some_and(|ids| ids.split(',').any(|one| one.trim() == id))
        })
        .map(|(balancer, listener)| {
            json!({
                "LoadBalancerId": balancer.id,
                "ListenerPort": listener.port,
                "Protocol": listener.protocol.name(),
                "AclType": listener.settings.get("AclType"),
            })
        })
        .collect()
}

fn view(list: &AccessControlList) -> Value {
    json!({
        "AclId": list.id,
        "AclName": list.name,
        "AddressIPVersion": list.ip_version,
        "ResourceGroupId": "rg-default",
        "CreateTime": wire_time(list.created),
    })
}
