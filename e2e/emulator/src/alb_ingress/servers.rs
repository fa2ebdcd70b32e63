//! The servers of server groups: ready addresses of Endpoints.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Endpoints, Service};
use kube::ResourceExt;
use serde_json::Value;

use super::failure::Failure;
use super::names::{self, tag_value};
use super::tracking::{Stack, tag, tag_args};
use crate::ccm::{Args, Cloud, eni_id, text};

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
    /// Whether there is a Service.
    pub(super) fn has(&self, namespace: &str, service: &str) -> bool {
        let key = (namespace.to_owned(), service.to_owned());
        self.services.contains_key(&key)
    }

    /// The servers behind a port of a Service, in the order of its Endpoints. A Service that is not
    /// there has none; one without the port or without Endpoints is an error.
    pub(super) fn of(
        &self,
        namespace: &str,
        service: &str,
        port: i64,
    ) -> Result<Vec<Server>, Failure> {
        let key = (namespace.to_owned(), service.to_owned());
        let Some(found) = self.services.get(&key) else {
            return Ok(Vec::new());
        };
        let missing = |what: String| Failure::Apply(format!("backend not found: {what}"));
        let mut ports = ports(found);
        let named = ports.find(|(number, _)| *number == port);
        let (_, name) = named.ok_or_else(|| {
            missing(format!(
                "unable to find port {port} on service {namespace}/{service}"
            ))
        })?;
        let endpoints = self.endpoints.get(&key);
        let endpoints =
            endpoints.ok_or_else(|| missing(format!("Endpoints \"{service}\" not found")))?;
        Ok(ready(endpoints, name))
    }

    /// The servers behind all ports of a Service.
    fn of_all(
        &self,
        namespace: &str,
        service: &str,
    ) -> Result<BTreeMap<i64, Vec<Server>>, Failure> {
        let key = (namespace.to_owned(), service.to_owned());
        let mut all = BTreeMap::new();
        for (port, _) in self.services.get(&key).into_iter().flat_map(ports) {
            all.insert(port, self.of(namespace, service, port)?);
        }
        Ok(all)
    }
}

/// Number and name of each port.
fn ports(service: &Service) -> impl Iterator<Item = (i64, &str)> {
    let spec = service.spec.iter();
    let ports = spec.flat_map(|spec| spec.ports.iter().flatten());
    ports.map(|port| {
        let name = port.name.as_deref().unwrap_or_default();
        (i64::from(port.port), name)
    })
}

fn ready(endpoints: &Endpoints, name: &str) -> Vec<Server> {
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
    servers
}

/// Servers as parameters: those that are added by the words of the controller and with a weight,
/// those that are removed as the cloud shows them.
fn args(prefix: &str, servers: &[Server], added: bool) -> Vec<(String, String)> {
    let mut args = Vec::new();
    for ((ip, port), number) in servers.iter().zip(1..) {
        let prefix = format!("{prefix}.{number}");
        args.push((format!("{prefix}.ServerId"), eni_id(ip)));
        args.push((format!("{prefix}.ServerIp"), ip.clone()));
        let kind = if added { "eni" } else { "Eni" };
        args.push((format!("{prefix}.ServerType"), kind.to_owned()));
        args.push((format!("{prefix}.Port"), port.to_string()));
        if added {
            args.push((format!("{prefix}.Weight"), "100".to_owned()));
        }
    }
    args
}

const BUSY: [&str; 1] = ["IncorrectStatus.ServerGroup"];

/// Adds servers to a server group that has none of them.
pub(super) async fn add(stack: &Stack<'_>, id: &str, servers: &[Server]) -> Result<(), Failure> {
    for batch in servers.chunks(BATCH) {
        let args = Args::default()
            .with("ServerGroupId", id)
            .and(args("Servers", batch, true));
        let began = stack
            .retried("AddServersToServerGroup", args, &BUSY)
            .await?;
        until_done(stack, &began).await?;
    }
    Ok(())
}

/// Looks every second, for a minute, whether a job is done.
async fn until_done(stack: &Stack<'_>, began: &Value) -> Result<(), Failure> {
    for _ in 0..60 {
        stack.wait(1).await;
        let args = Args::default().with("JobIds.1", text(began, "JobId"));
        let jobs = stack.cloud.alb("ListAsynJobs", args).await?;
        let job = jobs["Jobs"].get(0).cloned().unwrap_or_default();
        match text(&job, "Status") {
            "Processing" => {}
            "Succeeded" => return Ok(()),
            _ => return Err(Failure::Apply(text(&job, "ErrorMessage").to_owned())),
        }
    }
    Err(Failure::Apply("wait asyncJob status timeout".to_owned()))
}

async fn remove(stack: &Stack<'_>, id: &str, servers: &[Server]) -> Result<(), Failure> {
    for batch in servers.chunks(BATCH) {
        let args = Args::default()
            .with("ServerGroupId", id)
            .and(args("Servers", batch, false));
        let began = stack
            .retried("RemoveServersFromServerGroup", args, &BUSY)
            .await?;
        until_done(stack, &began).await?;
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
    let wanted = backends.of_all(namespace, service).map_err(|failure| {
        Failure::Apply(format!(
            "build service stack model error: build servicePortToServerGroup error: {failure}"
        ))
    })?;
    let groups = stack
        .list("ListServerGroups", tag_args(tags), "ServerGroups")
        .await?;
    for group in groups {
        let port: i64 = tag(&group, names::PORT_TAG).parse().unwrap_or_default();
        let wanted = wanted.get(&port).map(Vec::as_slice).unwrap_or_default();
        sync_group(&stack, text(&group, "ServerGroupId"), wanted).await?;
    }
    Ok(())
}

/// The servers of a group in the cloud.
async fn listed(stack: &Stack<'_>, id: &str) -> Result<Vec<Server>, Failure> {
    let args = Args::default().with("ServerGroupId", id);
    let listed = stack
        .list("ListServerGroupServers", args, "Servers")
        .await?;
    let servers = listed.iter().map(|server| {
        let port = server.get("Port").and_then(Value::as_i64);
        let ip = text(server, "ServerIp").to_owned();
        (ip, port.unwrap_or_default())
    });
    Ok(servers.collect())
}

/// Takes all servers out of the group of a Service that is gone.
pub(super) async fn empty(stack: &Stack<'_>, id: &str) -> Result<(), Failure> {
    let servers = listed(stack, id).await?;
    remove(stack, id, &servers).await?;
    Ok(())
}

async fn sync_group(stack: &Stack<'_>, id: &str, wanted: &[Server]) -> Result<(), Failure> {
    let known = listed(stack, id).await?;
    let minus = |these: &[Server], those: &[Server]| -> Vec<Server> {
        let rest = these.iter().filter(|server| !those.contains(server));
        let mut rest: Vec<Server> = rest.cloned().collect();
        // By what tells them apart: the id of the interface, then address and port.
        rest.sort_by_key(|(ip, port)| format!("{}:{ip}:{port}", eni_id(ip)));
        rest.dedup();
        rest
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
