//! Server groups: creating them, and keeping their settings and servers in line.

use serde_json::Value;

use super::super::attributes::{CLUSTER_TAG_KEY, TAG_KEY};
use super::super::backends::Server;
use super::super::cloud::{Args, Cloud, text};
use super::super::error::{SyncError, Within, all};
use super::super::model::Names;
use super::model::{Settings, WantedGroup, with};
use super::wait;

/// Servers in one call.
const BATCH: usize = 40;

/// A group with the Service's tags.
pub(super) struct RemoteGroup {
    pub(super) id: String,
    name: String,
    settings: Settings,
    tags: Vec<(String, String)>,
    /// Whether its name or a server in it is not the Service's own.
    is_foreign: bool,
    servers: Vec<(Server, bool)>,
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

/// The groups of the Service.
pub(super) async fn describe(cloud: &Cloud, names: &Names) -> Result<Vec<RemoteGroup>, SyncError> {
    let args = tagged(names).with("MaxResults", 100);
    let answer = cloud.nlb("ListServerGroups", args).await?;
    let mut groups = Vec::new();
    for group in list(&answer, "ServerGroups") {
        let count = group.get("ServerCount").and_then(Value::as_i64);
        let id = text(group, "ServerGroupId");
        let servers = match count.unwrap_or_default() {
            0 => Vec::new(),
            _ => servers(cloud, id, names).await?,
        };
        let name = text(group, "ServerGroupName");
        let tags = list(group, "Tags").iter();
        let tags = tags.map(|tag| (text(tag, "Key").to_owned(), text(tag, "Value").to_owned()));
        groups.push(RemoteGroup {
            id: id.to_owned(),
            name: name.to_owned(),
            settings: settings(group),
            tags: tags.collect(),
            is_foreign: !names.owns_network(name) || servers.iter().any(|(_, foreign)| *foreign),
            servers,
        });
    }
    Ok(groups)
}

/// The settings of a group as an update sends them.
fn settings(group: &Value) -> Settings {
    let mut settings = Settings::new();
    let said = |value: &Value| match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()).filter(|number| number != "0"),
        _ => None,
    };
    let names = [
        "Scheduler",
        "ConnectionDrainEnabled",
        "ConnectionDrainTimeout",
        "PreserveClientIpEnabled",
        "IpVersionAffinityMode",
    ];
    for name in names {
        let value = group.get(name).and_then(said);
        settings.extend(value.map(|value| (name.to_owned(), value)));
    }
    let checks = group.get("HealthCheck").and_then(Value::as_object);
    for (name, value) in checks.into_iter().flatten() {
        const READ: [&str; 10] = [
            "HealthCheckEnabled",
            "HealthCheckType",
            "HealthCheckConnectPort",
            "HealthyThreshold",
            "UnhealthyThreshold",
            "HealthCheckConnectTimeout",
            "HealthCheckInterval",
            "HealthCheckDomain",
            "HealthCheckUrl",
            "HttpCheckMethod",
        ];
        if let Some(value) = said(value).filter(|_| READ.contains(&name.as_str())) {
            settings.insert(format!("HealthCheckConfig.{name}"), value);
        }
        if name == "HealthCheckHttpCode" {
            let codes = value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            for (code, number) in codes.zip(1..) {
                settings.insert(
                    format!("HealthCheckConfig.{name}.{number}"),
                    code.to_owned(),
                );
            }
        }
    }
    settings
}

async fn servers(cloud: &Cloud, id: &str, names: &Names) -> Result<Vec<(Server, bool)>, SyncError> {
    let mut all = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let args = Args::default()
            .with("ServerGroupId", id)
            .with("MaxResults", 100)
            .with_some("NextToken", next.as_ref());
        let answer = cloud.nlb("ListServerGroupServers", args).await?;
        all.extend(list(&answer, "Servers").iter().map(|server| {
            let number = |name: &str| server.get(name).and_then(Value::as_i64).unwrap_or_default();
            let description = text(server, "Description");
            let known = Server {
                id: text(server, "ServerId").to_owned(),
                ip: text(server, "ServerIp").to_owned(),
                port: i32::try_from(number("Port")).unwrap_or_default(),
                weight: number("Weight"),
                kind: text(server, "ServerType").to_owned(),
                description: description.to_owned(),
                node: None,
                pod: None,
            };
            (known, !names.owns_network(description))
        }));
        match text(&answer, "NextToken") {
            "" => return Ok(all),
            token => next = Some(token.to_owned()),
        }
    }
}

/// Whether two are the same, whatever their port.
fn is(one: &Server, other: &Server) -> bool {
    one.kind == other.kind && one.id == other.id && (one.kind == "Ecs" || one.ip == other.ip)
}

/// Which of the wanted groups are to be made; the others have their ids afterwards.
pub(super) fn missing(wanted: &mut [WantedGroup], remote: &[RemoteGroup]) -> Vec<usize> {
    let mut missing = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (index, group) in wanted.iter_mut().enumerate() {
        let found = remote.iter().find(|remote| remote.name == group.name);
        group.id = found.map(|found| found.id.clone());
        if found.is_none() && !seen.contains(&group.name) {
            missing.push(index);
        }
        seen.push(group.name.clone());
    }
    missing
}

/// Creates a group. What is to be done with its servers comes later.
pub(super) async fn create(
    cloud: &Cloud,
    names: &Names,
    vpc: &str,
    group: &mut WantedGroup,
) -> Result<(), SyncError> {
    let mut settings = group.settings.clone();
    // The one is sent only with the other.
    match settings.get("ConnectionDrainEnabled") {
        Some(_) => {
            let timeout = settings.entry("ConnectionDrainTimeout".to_owned());
            timeout.or_insert_with(|| "0".to_owned());
        }
        None => {
            settings.remove("ConnectionDrainTimeout");
        }
    }
    let args = tagged(names)
        .with("ServerGroupName", &group.name)
        .with("VpcId", vpc)
        .with("Protocol", &group.protocol)
        .with("AnyPortEnabled", group.any_port);
    let made = cloud.nlb("CreateServerGroup", with(args, &settings)).await;
    let made = made.within("EnsureServerGroupCreated error")?;
    group.id = Some(text(&made, "ServerGroupId").to_owned());
    wait(cloud, &made)
        .await
        .within("EnsureServerGroupCreated error")
}

/// Puts the servers in a group that was made.
pub(super) async fn fill(cloud: &Cloud, group: &WantedGroup) -> Result<(), SyncError> {
    let id = group.id.as_deref().unwrap_or_default();
    let sent = send(cloud, "AddServersToServerGroup", id, &group.servers).await;
    sent.within("BatchAddServers error")
}

/// Brings a group in line that is there.
pub(super) async fn update(
    cloud: &Cloud,
    wanted: &WantedGroup,
    remote: &[RemoteGroup],
) -> Result<(), SyncError> {
    let found = remote
        .iter()
        .find(|remote| wanted.id.as_ref() == Some(&remote.id));
    let Some(remote) = found else {
        return Ok(());
    };
    let mut errors = Vec::new();
    if let Some(settings) = changed(&wanted.settings, &remote.settings) {
        let args = Args::default()
            .with("ServerGroupId", &remote.id)
            .with("ServerGroupName", &wanted.name);
        let updated = cloud.nlb("UpdateServerGroupAttribute", with(args, &settings));
        let updated = updated.await.within("UpdateNLBServerGroup error");
        errors.extend(updated.err());
    }
    let (mut added, mut changed) = (Vec::new(), Vec::new());
    for server in &wanted.servers {
        let found = remote.servers.iter().find(|(other, _)| is(server, other));
        match found {
            None => added.push(server.clone()),
            Some((other, _)) => {
                let weight = !wanted.ignore_weights && other.weight != server.weight;
                let differs = other.port != server.port || other.description != server.description;
                if weight || differs {
                    changed.push(server.clone());
                }
            }
        }
    }
    let own = remote.servers.iter().filter(|(_, foreign)| !foreign);
    let gone = own.filter(|(other, _)| !wanted.servers.iter().any(|server| is(server, other)));
    let gone: Vec<Server> = gone.map(|(server, _)| server.clone()).collect();
    let id = &remote.id;
    for (action, servers) in [
        ("AddServersToServerGroup", &added),
        ("RemoveServersFromServerGroup", &gone),
        ("UpdateServerGroupServersAttribute", &changed),
    ] {
        errors.extend(send(cloud, action, id, servers).await.err());
    }
    all(errors)
}

/// All that a group has, with what differs over it; none if nothing differs.
fn changed(wanted: &Settings, remote: &Settings) -> Option<Settings> {
    const CODES: &str = "HealthCheckConfig.HealthCheckHttpCode.";
    let mut settings = remote.clone();
    let mut differs = false;
    let codes = |settings: &Settings| -> Vec<String> {
        let codes = settings.iter().filter(|(name, _)| name.starts_with(CODES));
        let mut codes: Vec<String> = codes.map(|(_, code)| code.to_lowercase()).collect();
        codes.sort();
        codes
    };
    if !codes(wanted).is_empty() && codes(wanted) != codes(remote) {
        differs = true;
        settings.retain(|name, _| !name.starts_with(CODES));
        let said = wanted.iter().filter(|(name, _)| name.starts_with(CODES));
        settings.extend(said.map(|(name, code)| (name.clone(), code.clone())));
    }
    let single = wanted
        .iter()
        .filter(|(name, _)| !name.starts_with(CODES) && *name != "ResourceGroupId");
    for (name, said) in single {
        let is = remote.get(name).map_or("", String::as_str);
        let is = if is.is_empty() && said == "false" {
            "false"
        } else {
            is
        };
        if !is.eq_ignore_ascii_case(said) {
            differs = true;
            settings.insert(name.clone(), said.clone());
        }
    }
    differs.then_some(settings)
}

async fn send(cloud: &Cloud, action: &str, id: &str, servers: &[Server]) -> Result<(), SyncError> {
    let mut errors = Vec::new();
    for batch in servers.chunks(BATCH) {
        let mut args = Args::default().with("ServerGroupId", id);
        for (server, number) in batch.iter().zip(1..) {
            let name = |member: &str| format!("Servers.{number}.{member}");
            let ip = Some(&server.ip).filter(|ip| !ip.is_empty());
            args = args
                .with(&name("ServerId"), &server.id)
                .with(&name("ServerType"), &server.kind)
                .with(&name("Port"), server.port)
                .with_some(&name("ServerIp"), ip);
            if action != "RemoveServersFromServerGroup" {
                args = args
                    .with(&name("Weight"), server.weight)
                    .with(&name("Description"), &server.description);
            }
        }
        let sent = match cloud.nlb(action, args).await {
            Ok(answer) => wait(cloud, &answer).await,
            Err(error) => Err(error),
        };
        errors.extend(sent.err());
    }
    all(errors)
}

/// Deletes groups that no port has any more; those of a load balancer that is preserved lose their tags
/// instead.
pub(super) async fn clean_up(
    cloud: &Cloud,
    wanted: &[WantedGroup],
    remote: &[RemoteGroup],
    names: &Names,
    preserved: bool,
) -> Result<(), SyncError> {
    let is_wanted =
        |group: &&RemoteGroup| wanted.iter().any(|one| one.id.as_ref() == Some(&group.id));
    let (mut unused, mut errors) = (Vec::new(), Vec::new());
    for group in remote.iter().filter(|group| !is_wanted(group)) {
        if preserved {
            untag(cloud, group, names).await?;
        } else if group.is_foreign {
            let own = group.servers.iter().filter(|(_, foreign)| !foreign);
            let own: Vec<Server> = own.map(|(server, _)| server.clone()).collect();
            send(cloud, "RemoveServersFromServerGroup", &group.id, &own).await?;
        } else {
            unused.push(&group.id);
        }
    }
    for id in unused {
        let args = Args::default().with("ServerGroupId", id);
        errors.extend(cloud.nlb("DeleteServerGroup", args).await.err());
    }
    all(errors)
}

async fn untag(cloud: &Cloud, group: &RemoteGroup, names: &Names) -> Result<(), SyncError> {
    let name = names.load_balancer();
    let defaults = [
        (TAG_KEY, name.as_str()),
        (CLUSTER_TAG_KEY, names.cluster_id()),
    ];
    let own = group
        .tags
        .iter()
        .filter(|(key, value)| defaults.contains(&(key.as_str(), value.as_str())));
    let mut args = Args::default()
        .with("ResourceType", "servergroup")
        .with("ResourceId.1", &group.id);
    let mut any = false;
    for ((key, _), number) in own.zip(1..) {
        any = true;
        args = args.with(&format!("TagKey.{number}"), key);
    }
    match any {
        true => cloud.nlb("UntagResources", args).await.map(drop),
        false => Ok(()),
    }
}
