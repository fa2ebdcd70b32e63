//! Server groups: creating them, and keeping their servers in line.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use serde_json::Value;

use super::super::annotations::Annotations;
use super::super::attributes::{CLUSTER_TAG_KEY, TAG_KEY};
use super::super::backends::{self, Server, Weights, weight};
use super::super::cloud::{Args, Cloud, text};
use super::super::ensure::Pass;
use super::super::error::SyncError;
use super::super::model::Names;
use super::model::{Port, with};
use super::wait;

/// Servers in one call.
const BATCH: usize = 40;

/// A group and the servers that it is to have.
pub(super) struct Group<'a> {
    port: &'a Port,
    servers: Vec<Server>,
}

/// The groups of all ports, by name.
pub(super) type Wanted<'a> = BTreeMap<String, Group<'a>>;

pub(super) fn wanted<'a>(
    pass: &Pass<'_>,
    service: &Service,
    ports: &'a [Port],
) -> Result<Wanted<'a>, SyncError> {
    let mut wanted = Wanted::new();
    for port in ports {
        let weights = Weights {
            sum: None,
            each: weight(Annotations::of(service), "default-weight", "default weight")?,
        };
        let name = &port.group_name;
        let (mode, cluster) = (port.mode, &pass.cluster);
        let servers = backends::of_port(service, mode, &port.port, name, cluster, weights)?;
        wanted
            .entry(port.group_name.clone())
            .or_insert(Group { port, servers });
    }
    Ok(wanted)
}

fn tagged(names: &Names) -> Args {
    Args::default()
        .with("Tag.1.Key", TAG_KEY)
        .with("Tag.1.Value", names.load_balancer())
        .with("Tag.2.Key", CLUSTER_TAG_KEY)
        .with("Tag.2.Value", names.cluster_id())
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    let found = answer.get(name).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

/// The Service's own groups, by name.
pub(super) async fn own(
    cloud: &Cloud,
    names: &Names,
) -> Result<BTreeMap<String, Value>, SyncError> {
    let answer = cloud.nlb("ListServerGroups", tagged(names)).await?;
    let groups = list(&answer, "ServerGroups").iter();
    Ok(groups
        .map(|group| (text(group, "ServerGroupName").to_owned(), group.clone()))
        .collect())
}

/// Creates missing groups and brings all in line; gives ids by name.
pub(super) async fn apply(
    cloud: &Cloud,
    names: &Names,
    vpc: &str,
    wanted: &Wanted<'_>,
    known: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, String>, SyncError> {
    let mut ids = BTreeMap::new();
    for (name, group) in wanted {
        let id = match known.get(name) {
            Some(remote) => {
                let id = text(remote, "ServerGroupId");
                update(cloud, id, group, remote).await?;
                sync_servers(cloud, id, name, group).await?;
                id.to_owned()
            }
            None => {
                let args = tagged(names)
                    .with("ServerGroupName", name)
                    .with("VpcId", vpc)
                    .with("Protocol", &group.port.protocol);
                let args = match group.port.range {
                    Some(_) => args.with("AnyPortEnabled", true),
                    None => args,
                };
                let args = with(args, &group.port.group);
                let made = cloud.nlb("CreateServerGroup", args).await?;
                wait(cloud, &made).await?;
                let id = text(&made, "ServerGroupId").to_owned();
                send(cloud, "AddServersToServerGroup", &id, name, &group.servers).await?;
                id
            }
        };
        ids.insert(name.clone(), id);
    }
    Ok(ids)
}

/// One call with all that is said, if any of it differs.
async fn update(
    cloud: &Cloud,
    id: &str,
    group: &Group<'_>,
    remote: &Value,
) -> Result<(), SyncError> {
    let differs = group.port.group.iter().any(|(name, wanted)| {
        let path = name.replace("HealthCheckConfig.", "HealthCheck.");
        let mut is = Some(remote);
        for part in path.split('.') {
            is = is.and_then(|is| match part.parse::<usize>() {
                Ok(number) => is.get(number.saturating_sub(1)),
                Err(_) => is.get(part),
            });
        }
        let is = match is {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        !is.eq_ignore_ascii_case(wanted)
    });
    if !differs {
        return Ok(());
    }
    let args = with(Args::default().with("ServerGroupId", id), &group.port.group);
    wait(cloud, &cloud.nlb("UpdateServerGroupAttribute", args).await?).await
}

async fn sync_servers(
    cloud: &Cloud,
    id: &str,
    name: &str,
    group: &Group<'_>,
) -> Result<(), SyncError> {
    let args = Args::default()
        .with("ServerGroupId", id)
        .with("MaxResults", 100);
    let answer = cloud.nlb("ListServerGroupServers", args).await?;
    let remote = list(&answer, "Servers");
    let is = |server: &Server, other: &Value| {
        text(other, "ServerId") == server.id
            && other.get("Port").and_then(Value::as_i64) == Some(i64::from(server.port))
    };
    let (mut added, mut changed) = (Vec::new(), Vec::new());
    for server in &group.servers {
        let weight = |other: &Value| other.get("Weight").and_then(Value::as_i64);
        match remote.iter().find(|other| is(server, other)) {
            None => added.push(server.clone()),
            Some(other) if !group.port.ignore_weights && weight(other) != Some(server.weight) => {
                changed.push(server.clone());
            }
            Some(_) => {}
        }
    }
    send(cloud, "AddServersToServerGroup", id, name, &added).await?;
    let gone: Vec<Args> = remote
        .iter()
        .filter(|other| !group.servers.iter().any(|server| is(server, other)))
        .map(|other| {
            let port = other
                .get("Port")
                .and_then(Value::as_i64)
                .unwrap_or_default();
            Args::default()
                .with("ServerGroupId", id)
                .with("Servers.1.ServerId", text(other, "ServerId"))
                .with("Servers.1.ServerIp", text(other, "ServerIp"))
                .with("Servers.1.ServerType", text(other, "ServerType"))
                .with("Servers.1.Port", port)
        })
        .collect();
    for args in gone {
        let answer = cloud.nlb("RemoveServersFromServerGroup", args).await?;
        wait(cloud, &answer).await?;
    }
    send(
        cloud,
        "UpdateServerGroupServersAttribute",
        id,
        name,
        &changed,
    )
    .await
}

/// The kind of a server as network load balancers name it.
fn network_kind(server: &Server) -> &'static str {
    match server.kind.as_str() {
        "eni" => "Eni",
        _ => "Ecs",
    }
}

async fn send(
    cloud: &Cloud,
    action: &str,
    id: &str,
    name: &str,
    servers: &[Server],
) -> Result<(), SyncError> {
    for batch in servers.chunks(BATCH) {
        let mut args = Args::default().with("ServerGroupId", id);
        for (server, number) in batch.iter().zip(1..) {
            let prefix = format!("Servers.{number}");
            args = args
                .with(&format!("{prefix}.ServerId"), &server.id)
                .with(&format!("{prefix}.ServerIp"), &server.ip)
                .with(&format!("{prefix}.ServerType"), network_kind(server))
                .with(&format!("{prefix}.Port"), server.port)
                .with(&format!("{prefix}.Weight"), server.weight)
                .with(&format!("{prefix}.Description"), name);
        }
        wait(cloud, &cloud.nlb(action, args).await?).await?;
    }
    Ok(())
}

/// Deletes groups that no port has any more.
pub(super) async fn delete_unused(
    cloud: &Cloud,
    wanted: &Wanted<'_>,
    known: &BTreeMap<String, Value>,
) -> Result<(), SyncError> {
    for (_, group) in known.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
        let args = Args::default().with("ServerGroupId", text(group, "ServerGroupId"));
        wait(cloud, &cloud.nlb("DeleteServerGroup", args).await?).await?;
    }
    Ok(())
}

/// Deletes all groups of a Service that goes.
pub(super) async fn delete_all(cloud: &Cloud, names: &Names) -> Result<(), SyncError> {
    let known = own(cloud, names).await?;
    delete_unused(cloud, &Wanted::new(), &known).await
}
