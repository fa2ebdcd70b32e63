//! The servers of server groups: ready addresses of Endpoints.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Endpoints, Service};
use kube::ResourceExt;
use serde_json::Value;

use super::failure::Failure;
use super::names::{self, tag_value};
use super::tracking::{Stack, tag, tag_args};
use crate::ccm::{Args, Cloud, SyncError, eni_id, text};

/// Servers that one call names.
const BATCH: usize = 30;

/// Below this many on either side, servers are replaced in one call.
const REPLACE_BELOW: usize = 40;

/// Address and port of a pod.
pub(super) type Server = (String, i64);

/// Services and their Endpoints, by namespace and name.
#[derive(Default)]
pub(super) struct Backends {
    pub(super) services: BTreeMap<(String, String), Service>,
    pub(super) endpoints: BTreeMap<(String, String), Endpoints>,
}

impl Backends {
    /// The servers behind a port of a Service; none where there is no such Service or port.
    pub(super) fn of(&self, namespace: &str, service: &str, port: i64) -> Vec<Server> {
        let key = (namespace.to_owned(), service.to_owned());
        let found = self.services.get(&key).zip(self.endpoints.get(&key));
        found.map_or_else(Vec::new, |(service, endpoints)| {
            ready(service, endpoints, port)
        })
    }
}

fn ready(service: &Service, endpoints: &Endpoints, port: i64) -> Vec<Server> {
    let ports = service
        .spec
        .iter()
        .flat_map(|spec| spec.ports.iter().flatten());
    let mut ports = ports.filter(|known| i64::from(known.port) == port);
    let Some(port) = ports.next() else {
        return Vec::new();
    };
    let name = port.name.as_deref().unwrap_or_default();
    let mut servers = Vec::new();
    for subset in endpoints.subsets.iter().flatten() {
        let mut ports = subset.ports.iter().flatten();
        let Some(port) = ports.find(|port| port.name.as_deref().unwrap_or_default() == name) else {
            continue;
        };
        for address in subset.addresses.iter().flatten() {
            let of_pod = address
                .target_ref
                .as_ref()
                .is_none_or(|target| target.kind.as_deref() == Some("Pod"));
            if of_pod {
                servers.push((address.ip.clone(), i64::from(port.port)));
            }
        }
    }
    servers.sort();
    servers.dedup();
    servers
}

fn args(prefix: &str, servers: &[Server], weighted: bool) -> Vec<(String, String)> {
    let mut args = Vec::new();
    for ((ip, port), number) in servers.iter().zip(1..) {
        let prefix = format!("{prefix}.{number}");
        args.push((format!("{prefix}.ServerId"), eni_id(ip)));
        args.push((format!("{prefix}.ServerIp"), ip.clone()));
        args.push((format!("{prefix}.ServerType"), "Eni".to_owned()));
        args.push((format!("{prefix}.Port"), port.to_string()));
        if weighted {
            args.push((format!("{prefix}.Weight"), "100".to_owned()));
        }
    }
    args
}

const BUSY: [&str; 1] = ["IncorrectStatus.ServerGroup"];

/// Adds servers to a server group that has none of them.
pub(super) async fn add(stack: &Stack<'_>, id: &str, servers: &[Server]) -> Result<(), SyncError> {
    for batch in servers.chunks(BATCH) {
        let args = Args::default()
            .with("ServerGroupId", id)
            .and(args("Servers", batch, true));
        stack
            .retried("AddServersToServerGroup", args, &BUSY)
            .await?;
    }
    Ok(())
}

async fn remove(stack: &Stack<'_>, id: &str, servers: &[Server]) -> Result<(), SyncError> {
    for batch in servers.chunks(BATCH) {
        let args = Args::default()
            .with("ServerGroupId", id)
            .and(args("Servers", batch, false));
        stack
            .retried("RemoveServersFromServerGroup", args, &BUSY)
            .await?;
    }
    Ok(())
}

/// Brings all server groups of a Service in line with its Endpoints.
pub(super) async fn sync(
    cloud: &Cloud,
    cluster_id: &str,
    second: std::time::Duration,
    (namespace, service): (&str, &str),
    backends: &Backends,
) -> Result<(), Failure> {
    let stack = Stack {
        cloud,
        cluster_id,
        albconfig: "",
        second,
    };
    let tags = [
        (names::CLUSTER_TAG, cluster_id.to_owned()),
        (names::SERVICE_NAMESPACE_TAG, tag_value(namespace)),
        (names::SERVICE_TAG, tag_value(service)),
    ];
    let groups = stack
        .list("ListServerGroups", tag_args(tags), "ServerGroups")
        .await?;
    for group in groups {
        let port = tag(&group, names::PORT_TAG).parse().unwrap_or_default();
        let wanted = backends.of(namespace, service, port);
        sync_group(&stack, text(&group, "ServerGroupId"), &wanted).await?;
    }
    Ok(())
}

async fn sync_group(stack: &Stack<'_>, id: &str, wanted: &[Server]) -> Result<(), Failure> {
    let args_of_group = Args::default().with("ServerGroupId", id);
    let listed = stack
        .list("ListServerGroupServers", args_of_group, "Servers")
        .await?;
    let known: Vec<Server> = listed
        .iter()
        .map(|server| {
            let port = server.get("Port").and_then(Value::as_i64);
            (
                text(server, "ServerIp").to_owned(),
                port.unwrap_or_default(),
            )
        })
        .collect();
    let minus = |these: &[Server], those: &[Server]| -> Vec<Server> {
        let rest = these.iter().filter(|server| !those.contains(server));
        rest.cloned().collect()
    };
    let (added, removed) = (minus(wanted, &known), minus(&known, wanted));
    let few = |servers: &[Server]| (1..REPLACE_BELOW).contains(&servers.len());
    if few(&added) && few(&removed) {
        let args = Args::default()
            .with("ServerGroupId", id)
            .and(args("AddedServers", &added, true))
            .and(args("RemovedServers", &removed, false));
        stack
            .retried("ReplaceServersInServerGroup", args, &BUSY)
            .await?;
        return Ok(());
    }
    remove(stack, id, &removed).await?;
    add(stack, id, &added).await?;
    Ok(())
}

/// Namespace and name of an object.
pub(super) fn key<K: ResourceExt>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}
