//! VServer groups: creating them, and keeping their servers in line.

use serde_json::Value;

use super::annotations::Annotations;
use super::backends::Server;
use super::cloud::{Args, Cloud, items, of_balancer, text};
use super::error::{SyncError, all};
use super::model::{Names, chosen_groups};

/// Servers in one call.
const BATCH: usize = 40;

/// A group that a port of the Service asks for.
#[derive(Debug, Clone)]
pub(super) struct WantedGroup {
    pub(super) name: String,
    /// The id, once it is known; that of one that others made from the start.
    pub(super) id: Option<String>,
    pub(super) servers: Vec<Server>,
    pub(super) ignore_weights: bool,
}

/// A group of the load balancer.
pub(super) struct RemoteGroup {
    pub(super) id: String,
    pub(super) name: String,
    /// Whether it, or a server in it, is not the Service's own.
    pub(super) is_foreign: bool,
    /// Its servers, if it is the Service's or is named, and which are not the Service's own.
    servers: Vec<(Server, bool)>,
}

/// Whether a name is one that a cloud controller manager gives.
fn is_named_by_ccm(name: &str) -> bool {
    matches!(
        name.split('/').collect::<Vec<_>>().as_slice(),
        ["k8s", _, _, _, _]
    )
}

/// All groups of a load balancer, without their servers.
pub(super) async fn list(
    cloud: &Cloud,
    balancer: &str,
) -> Result<Vec<(String, String)>, SyncError> {
    let answer = cloud
        .slb("DescribeVServerGroups", of_balancer(balancer))
        .await?;
    let groups = items(&answer, "VServerGroups", "VServerGroup").iter();
    let member = |group: &Value, name: &str| text(group, name).to_owned();
    Ok(groups
        .map(|group| {
            (
                member(group, "VServerGroupId"),
                member(group, "VServerGroupName"),
            )
        })
        .collect())
}

/// Whether a group that is named can be used: it is there, and no cloud controller manager made it.
pub(super) async fn check_named(cloud: &Cloud, balancer: &str, id: &str) -> Result<(), SyncError> {
    let all = list(cloud, balancer).await?;
    match all.iter().find(|(known, _)| known == id) {
        Some((_, name)) if !is_named_by_ccm(name) => Ok(()),
        Some(_) => Err(SyncError::said(format!(
            "cannot reuse a ccm created vgroup {id} for slb {balancer}"
        ))),
        None => Err(SyncError::said(format!(
            "can not find vgroupId {id} in lb {balancer}"
        ))),
    }
}

/// All groups of a load balancer; the servers of those that are the Service's, or are named.
pub(super) async fn describe(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    names: &Names,
    balancer: &str,
) -> Result<Vec<RemoteGroup>, SyncError> {
    let listed = list(cloud, balancer).await?;
    let named = chosen_groups(annotations)?;
    let mut groups = Vec::new();
    for (id, name) in listed {
        let mut group = RemoteGroup {
            is_foreign: !names.owns(&name),
            servers: Vec::new(),
            id,
            name,
        };
        if !group.is_foreign || named.contains(&group.id) {
            group.servers = servers(cloud, &group.id, names).await?;
            group.is_foreign |= group.servers.iter().any(|(_, foreign)| *foreign);
        }
        groups.push(group);
    }
    Ok(groups)
}

async fn servers(cloud: &Cloud, id: &str, names: &Names) -> Result<Vec<(Server, bool)>, SyncError> {
    let args = Args::default().with("VServerGroupId", id);
    let answer = cloud.slb("DescribeVServerGroupAttribute", args).await?;
    let servers = items(&answer, "BackendServers", "BackendServer").iter();
    let number = |server: &Value, name: &str| server.get(name).and_then(Value::as_i64);
    Ok(servers
        .map(|server| {
            let description = text(server, "Description");
            let known = Server {
                id: text(server, "ServerId").to_owned(),
                ip: text(server, "ServerIp").to_owned(),
                port: number(server, "Port")
                    .and_then(|port| i32::try_from(port).ok())
                    .unwrap_or_default(),
                weight: number(server, "Weight").unwrap_or_default(),
                kind: text(server, "Type").to_owned(),
                description: description.to_owned(),
                node: None,
                pod: None,
            };
            (known, !names.owns(description))
        })
        .collect())
}

/// What is to be done with a group.
enum Step {
    Create(usize),
    Update {
        id: String,
        added: Vec<Server>,
        gone: Vec<Server>,
        changed: Vec<Server>,
    },
}

/// What is to be done with all of them.
pub(super) struct Plan(Vec<Step>);

/// Compares groups by id where one is named, else by name, and tells the wanted ones their ids.
pub(super) fn plan(wanted: &mut [WantedGroup], remote: &[RemoteGroup]) -> Plan {
    let mut done: Vec<String> = Vec::new();
    let mut steps = Vec::new();
    for (index, group) in wanted.iter_mut().enumerate() {
        let key = group.id.clone().unwrap_or_else(|| group.name.clone());
        let found = remote.iter().find(|remote| match &group.id {
            Some(id) => *id == remote.id,
            None => group.name == remote.name,
        });
        if let Some(found) = found {
            group.id = Some(found.id.clone());
        }
        if done.contains(&key) {
            continue;
        }
        let step = match found {
            Some(found) => match compare(group, found) {
                Some(step) => step,
                None => continue,
            },
            None => Step::Create(index),
        };
        steps.push(step);
        done.push(key);
    }
    Plan(steps)
}

fn compare(wanted: &WantedGroup, remote: &RemoteGroup) -> Option<Step> {
    let servers = &wanted.servers;
    let gone: Vec<Server> = remote
        .servers
        .iter()
        .filter(|(old, foreign)| !foreign && !servers.iter().any(|new| new.is_at(old)))
        .map(|(old, _)| old.clone())
        .collect();
    let is_there = |new: &&Server| remote.servers.iter().any(|(old, _)| new.is_at(old));
    let added: Vec<Server> = servers
        .iter()
        .filter(|new| !is_there(new))
        .cloned()
        .collect();
    let differs = |new: &Server, old: &Server| {
        let weight = !wanted.ignore_weights && new.weight != old.weight;
        new.is_of(old) && (new.port != old.port || weight || new.description != old.description)
    };
    let is_other = |new: &&Server| remote.servers.iter().any(|(old, _)| differs(new, old));
    let changed: Vec<Server> = servers.iter().filter(is_other).cloned().collect();
    if added.is_empty() && gone.is_empty() && changed.is_empty() {
        return None;
    }
    Some(Step::Update {
        id: remote.id.clone(),
        added,
        gone,
        changed,
    })
}

/// Does what is planned. The names of the groups that were made come first in the answer, then what
/// went wrong.
pub(super) async fn apply(
    cloud: &Cloud,
    balancer: &str,
    plan: Plan,
    wanted: &mut [WantedGroup],
) -> (Vec<String>, Vec<SyncError>) {
    let (mut made, mut errors) = (Vec::new(), Vec::new());
    for step in plan.0 {
        let outcome = match step {
            Step::Create(index) => match wanted.get_mut(index) {
                Some(group) => {
                    let outcome = create(cloud, balancer, group).await;
                    made.extend(outcome.is_ok().then(|| group.name.clone()));
                    outcome
                }
                None => Ok(()),
            },
            Step::Update {
                id,
                added,
                gone,
                changed,
            } => update(cloud, &id, &added, &gone, &changed).await,
        };
        errors.extend(outcome.err());
    }
    (made, errors)
}

async fn create(cloud: &Cloud, balancer: &str, group: &mut WantedGroup) -> Result<(), SyncError> {
    let args = of_balancer(balancer).with("VServerGroupName", &group.name);
    let answer = cloud.slb("CreateVServerGroup", args).await?;
    let id = text(&answer, "VServerGroupId").to_owned();
    group.id = Some(id.clone());
    send(cloud, "AddVServerGroupBackendServers", &id, &group.servers).await
}

async fn update(
    cloud: &Cloud,
    id: &str,
    added: &[Server],
    gone: &[Server],
    changed: &[Server],
) -> Result<(), SyncError> {
    const FULL: &str = "InstanceBackendServerNumberOverLimit";
    const ADD: &str = "AddVServerGroupBackendServers";
    let mut outcomes = Vec::new();
    let first = send(cloud, ADD, id, added).await;
    // There may be room once others are gone.
    let again = matches!(&first, Err(error) if error.to_string().contains(FULL));
    if !again {
        outcomes.push(first);
    }
    outcomes.push(send(cloud, "RemoveVServerGroupBackendServers", id, gone).await);
    outcomes.push(send(cloud, "SetVServerGroupAttribute", id, changed).await);
    if again {
        outcomes.push(send(cloud, ADD, id, added).await);
    }
    all(outcomes.into_iter().filter_map(Result::err).collect())
}

async fn send(cloud: &Cloud, action: &str, id: &str, servers: &[Server]) -> Result<(), SyncError> {
    let mut errors = Vec::new();
    for batch in servers.chunks(BATCH) {
        let list: Vec<Value> = batch.iter().map(Server::to_json).collect();
        let args = Args::default()
            .with("VServerGroupId", id)
            .with("BackendServers", Value::from(list));
        errors.extend(cloud.slb(action, args).await.err());
    }
    all(errors)
}

/// Deletes groups that no port has any more; takes the Service's servers out of those that others
/// made.
pub(super) async fn clean_up(
    cloud: &Cloud,
    wanted: &[WantedGroup],
    remote: &[RemoteGroup],
    names: &Names,
) -> Result<(), SyncError> {
    let is_wanted =
        |group: &&RemoteGroup| wanted.iter().any(|one| one.id.as_ref() == Some(&group.id));
    let (mut unused, mut errors) = (Vec::new(), Vec::new());
    for group in remote.iter().filter(|group| !is_wanted(group)) {
        if !group.is_foreign && names.owns(&group.name) {
            unused.push(&group.id);
            continue;
        }
        let own = group.servers.iter().filter(|(_, foreign)| !foreign);
        let own: Vec<Server> = own.map(|(server, _)| server.clone()).collect();
        send(cloud, "RemoveVServerGroupBackendServers", &group.id, &own).await?;
    }
    for id in unused {
        let args = Args::default().with("VServerGroupId", id);
        errors.extend(cloud.slb("DeleteVServerGroup", args).await.err());
    }
    all(errors)
}
