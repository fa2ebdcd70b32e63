//! VServer groups: creating them, and keeping their servers in line.

use std::collections::BTreeMap;

use serde_json::Value;

use super::backends::Server;
use super::cloud::{Args, Cloud, items, of_balancer, text};
use super::error::SyncError;
use super::model::Names;

/// Servers in one call.
const BATCH: usize = 40;

/// The servers wanted in each group, by its name.
pub(super) type Wanted = BTreeMap<String, Vec<Server>>;

/// The Service's own groups on a load balancer: name to id.
pub(super) async fn own(
    cloud: &Cloud,
    names: &Names,
    balancer: &str,
) -> Result<BTreeMap<String, String>, SyncError> {
    let answer = cloud
        .slb("DescribeVServerGroups", of_balancer(balancer))
        .await?;
    let groups = items(&answer, "VServerGroups", "VServerGroup").iter();
    Ok(groups
        .map(|group| {
            (
                text(group, "VServerGroupName").to_owned(),
                text(group, "VServerGroupId").to_owned(),
            )
        })
        .filter(|(name, _)| names.owns(name))
        .collect())
}

/// Creates missing groups and brings the servers of all in line, their weights unless those are
/// ignored; gives ids by name.
pub(super) async fn apply(
    cloud: &Cloud,
    balancer: &str,
    wanted: &Wanted,
    known: &BTreeMap<String, String>,
    ignore_weights: bool,
) -> Result<BTreeMap<String, String>, SyncError> {
    let mut ids = known.clone();
    for (name, servers) in wanted {
        match known.get(name) {
            Some(id) => sync_servers(cloud, name, id, servers, ignore_weights).await?,
            None => {
                let answer = cloud
                    .slb(
                        "CreateVServerGroup",
                        of_balancer(balancer).with("VServerGroupName", name),
                    )
                    .await?;
                let id = text(&answer, "VServerGroupId").to_owned();
                send(cloud, "AddVServerGroupBackendServers", &id, name, servers).await?;
                ids.insert(name.clone(), id);
            }
        }
    }
    Ok(ids)
}

/// Deletes groups that no port has any more.
pub(super) async fn delete_unused(
    cloud: &Cloud,
    wanted: &Wanted,
    known: &BTreeMap<String, String>,
) -> Result<(), SyncError> {
    for (_, id) in known.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
        cloud
            .slb(
                "DeleteVServerGroup",
                Args::default().with("VServerGroupId", id),
            )
            .await?;
    }
    Ok(())
}

async fn sync_servers(
    cloud: &Cloud,
    name: &str,
    id: &str,
    wanted: &[Server],
    ignore_weights: bool,
) -> Result<(), SyncError> {
    let answer = cloud
        .slb(
            "DescribeVServerGroupAttribute",
            Args::default().with("VServerGroupId", id),
        )
        .await?;
    let remote = items(&answer, "BackendServers", "BackendServer");
    let is = |server: &Server, other: &Value| {
        text(other, "ServerId") == server.id
            && text(other, "ServerIp") == server.ip
            && other.get("Port").and_then(Value::as_i64) == Some(i64::from(server.port))
    };
    let weighs = |other: &Value| other.get("Weight").and_then(Value::as_i64);
    let (mut added, mut changed) = (Vec::new(), Vec::new());
    for server in wanted {
        match remote.iter().find(|other| is(server, other)) {
            None => added.push(server.clone()),
            Some(other) if !ignore_weights && weighs(other) != Some(server.weight) => {
                changed.push(server.clone());
            }
            Some(_) => {}
        }
    }
    let gone: Vec<Value> = remote
        .iter()
        .filter(|other| !wanted.iter().any(|server| is(server, other)))
        .map(removal)
        .collect();
    send(cloud, "AddVServerGroupBackendServers", id, name, &added).await?;
    for batch in gone.chunks(BATCH) {
        let args = Args::default().with("VServerGroupId", id);
        let args = args.with("BackendServers", Value::from(batch.to_vec()));
        cloud.slb("RemoveVServerGroupBackendServers", args).await?;
    }
    send(cloud, "SetVServerGroupAttribute", id, name, &changed).await
}

fn removal(remote: &Value) -> Value {
    serde_json::json!({
        "serverId": remote.get("ServerId"),
        "serverIp": remote.get("ServerIp"),
        "port": remote.get("Port"),
        "type": remote.get("Type"),
    })
}

async fn send(
    cloud: &Cloud,
    action: &str,
    id: &str,
    name: &str,
    servers: &[Server],
) -> Result<(), SyncError> {
    for batch in servers.chunks(BATCH) {
        let list: Vec<Value> = batch.iter().map(|server| server.to_json(name)).collect();
        let args = Args::default()
            .with("VServerGroupId", id)
            .with("BackendServers", Value::from(list));
        cloud.slb(action, args).await?;
    }
    Ok(())
}
