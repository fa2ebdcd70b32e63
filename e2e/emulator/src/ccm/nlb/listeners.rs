//! Listeners: which are to be made, changed and deleted, and the calls for that.

use serde_json::Value;

use super::super::cloud::{Args, Cloud, text};
use super::super::error::{SyncError, Within, all};
use super::super::model::Names;
use super::model::{Settings, WantedListener, with};
use super::{jobs, wait};

/// Certificates in one call.
const CERTIFICATES: usize = 15;

/// A listener of the load balancer.
pub(super) struct RemoteListener {
    value: Value,
    additional_certificates: Vec<String>,
}

impl RemoteListener {
    fn id(&self) -> &str {
        text(&self.value, "ListenerId")
    }

    fn number(&self, name: &str) -> i64 {
        match self.value.get(name) {
            Some(Value::String(text)) => text.parse().unwrap_or_default(),
            other => other.and_then(Value::as_i64).unwrap_or_default(),
        }
    }

    fn is(&self, wanted: &WantedListener) -> bool {
        let ports = match wanted.range {
            None => self.number("ListenerPort") == i64::from(wanted.port),
            Some((first, last)) => {
                self.number("StartPort") == i64::from(first)
                    && self.number("EndPort") == i64::from(last)
            }
        };
        ports && text(&self.value, "ListenerProtocol") == wanted.protocol
    }

    /// Its settings as an update sends them.
    fn settings(&self) -> Settings {
        let mut settings = Settings::new();
        let mut set = |name: String, value: &Value| {
            let said = match value {
                Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
                Value::Bool(flag) => Some(flag.to_string()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            settings.extend(said.map(|said| (name, said)));
        };
        for name in [
            "Cps",
            "ProxyProtocolEnabled",
            "CaEnabled",
            "AlpnEnabled",
            "SecurityPolicyId",
        ] {
            if let Some(value) = self.value.get(name) {
                set(name.to_owned(), value);
            }
        }
        if self.number("IdleTimeout") != 0 {
            set(
                "IdleTimeout".to_owned(),
                &Value::from(self.number("IdleTimeout")),
            );
        }
        if self.value.get("AlpnEnabled").and_then(Value::as_bool) == Some(true) {
            set(
                "AlpnPolicy".to_owned(),
                &Value::from(text(&self.value, "AlpnPolicy")),
            );
        }
        let extra = self
            .value
            .get("ProxyProtocolV2Config")
            .and_then(Value::as_object);
        for (name, value) in extra.into_iter().flatten() {
            set(format!("ProxyProtocolV2Config.{name}"), value);
        }
        for name in ["CertificateIds", "CaCertificateIds"] {
            let ids = self.value.get(name).and_then(Value::as_array);
            for (id, number) in ids.into_iter().flatten().zip(1..) {
                set(format!("{name}.{number}"), id);
            }
        }
        settings
    }
}

/// Those of a load balancer; with their certificates where these are said.
pub(super) async fn describe(
    cloud: &Cloud,
    balancer: &str,
    with_certificates: bool,
) -> Result<Vec<RemoteListener>, SyncError> {
    let args = Args::default()
        .with("LoadBalancerIds.1", balancer)
        .with("MaxResults", 100);
    let answer = cloud.nlb("ListListeners", args).await?;
    let found = answer.get("Listeners").and_then(Value::as_array);
    let mut listeners = Vec::new();
    for value in found.into_iter().flatten() {
        listeners.push(RemoteListener {
            value: value.clone(),
            additional_certificates: Vec::new(),
        });
    }
    // CCM looks at them twice.
    for _ in 0..if with_certificates { 2 } else { 0 } {
        for listener in &mut listeners {
            if text(&listener.value, "ListenerProtocol") == "TCPSSL" {
                listener.additional_certificates = certificates(cloud, listener.id()).await?;
            }
        }
    }
    Ok(listeners)
}

async fn certificates(cloud: &Cloud, listener: &str) -> Result<Vec<String>, SyncError> {
    let args = Args::default()
        .with("ListenerId", listener)
        .with("MaxResults", 50);
    let answer = cloud.nlb("ListListenerCertificates", args).await?;
    let found = answer.get("Certificates").and_then(Value::as_array);
    let others = found
        .into_iter()
        .flatten()
        .filter(|one| one.get("IsDefault").and_then(Value::as_bool) != Some(true));
    Ok(others
        .map(|one| text(one, "CertificateId").to_owned())
        .collect())
}

/// What is to be done with a listener.
pub(super) enum Step<'a> {
    Create(WantedListener),
    Update(WantedListener, &'a RemoteListener),
    Delete(&'a RemoteListener),
}

/// What is to be done at once, and what once the group is there that it needs.
#[derive(Default)]
pub(super) struct Plan<'a> {
    pub(super) before: Vec<Step<'a>>,
    pub(super) with_group: Vec<Step<'a>>,
}

/// Compares listeners by port and protocol. Of a load balancer that others made, only the Service's own
/// are deleted.
pub(super) fn plan<'a>(
    names: &Names,
    wanted: Vec<WantedListener>,
    remote: &'a [RemoteListener],
    reused: bool,
) -> Plan<'a> {
    let mut plan = Plan::default();
    for one in remote {
        let own = names.owns_network(text(&one.value, "ListenerDescription"));
        if !wanted.iter().any(|wanted| one.is(wanted)) && (own || !reused) {
            plan.before.push(Step::Delete(one));
        }
    }
    for listener in wanted {
        let part = match listener.group_id {
            Some(_) => &mut plan.before,
            None => &mut plan.with_group,
        };
        part.push(match remote.iter().find(|one| one.is(&listener)) {
            Some(old) => Step::Update(listener, old),
            None => Step::Create(listener),
        });
    }
    plan
}

/// Does steps, and waits for all that they began.
pub(super) async fn take(cloud: &Cloud, balancer: &str, steps: &[Step<'_>]) -> Vec<SyncError> {
    let (mut begun, mut errors) = (Vec::new(), Vec::new());
    for step in steps {
        let outcome = match step {
            Step::Create(wanted) => {
                let created = create(cloud, balancer, wanted).await;
                created.within("EnsureListenerUpdated error")
            }
            Step::Update(wanted, remote) => {
                let updated = update(cloud, wanted, remote).await;
                updated.within("EnsureListenerCreated error")
            }
            Step::Delete(remote) => {
                let args = Args::default().with("ListenerId", remote.id());
                let deleted = cloud.nlb("DeleteListener", args).await;
                let job = deleted.map(|answer| Some(text(&answer, "JobId").to_owned()));
                job.within("EnsureListenerDeleted error")
            }
        };
        match outcome {
            Ok(job) => begun.extend(job),
            Err(error) => errors.push(error),
        }
    }
    errors.extend(jobs(cloud, &begun).await.within("wait jobs error").err());
    errors
}

/// Gives the job that makes it, unless it was waited for.
async fn create(
    cloud: &Cloud,
    balancer: &str,
    wanted: &WantedListener,
) -> Result<Option<String>, SyncError> {
    let mut args = Args::default()
        .with("LoadBalancerId", balancer)
        .with("ListenerProtocol", &wanted.protocol)
        .with("ListenerPort", wanted.port)
        .with("ListenerDescription", &wanted.description)
        .with_some("ServerGroupId", wanted.group_id.as_ref());
    if let Some((first, last)) = wanted.range {
        args = args.with("StartPort", first).with("EndPort", last);
    }
    let made = cloud
        .nlb("CreateListener", with(args, &wanted.settings))
        .await?;
    let additional = wanted
        .additional_certificates
        .as_deref()
        .unwrap_or_default();
    if additional.is_empty() {
        return Ok(Some(text(&made, "JobId").to_owned()));
    }
    wait(cloud, &made).await?;
    let id = text(&made, "ListenerId");
    send_certificates(
        cloud,
        "AssociateAdditionalCertificatesWithListener",
        id,
        additional,
    )
    .await?;
    Ok(None)
}

async fn send_certificates(
    cloud: &Cloud,
    action: &str,
    listener: &str,
    ids: &[String],
) -> Result<(), SyncError> {
    let mut errors = Vec::new();
    for batch in ids.chunks(CERTIFICATES) {
        let mut args = Args::default().with("ListenerId", listener);
        for (id, number) in batch.iter().zip(1..) {
            args = args.with(&format!("AdditionalCertificateIds.{number}"), id);
        }
        let sent = match cloud.nlb(action, args).await {
            Ok(answer) => wait(cloud, &answer).await,
            Err(error) => Err(error),
        };
        errors.extend(sent.err());
    }
    all(errors)
}

async fn update(
    cloud: &Cloud,
    wanted: &WantedListener,
    remote: &RemoteListener,
) -> Result<Option<String>, SyncError> {
    let id = remote.id();
    if text(&remote.value, "ListenerStatus") == "Stopped" {
        let started = cloud.nlb("StartListener", Args::default().with("ListenerId", id));
        started
            .await
            .within(&format!("start listener {id} error"))?;
    }
    let mut errors = Vec::new();
    if let Some(said) = wanted
        .additional_certificates
        .as_deref()
        .filter(|_| wanted.protocol == "TCPSSL")
    {
        let is = &remote.additional_certificates;
        let without = |all: &[String], others: &[String]| -> Vec<String> {
            all.iter()
                .filter(|id| !others.contains(id))
                .cloned()
                .collect()
        };
        for (action, ids, what) in [
            (
                "AssociateAdditionalCertificatesWithListener",
                without(said, is),
                "error associate additional certs",
            ),
            (
                "DisassociateAdditionalCertificatesWithListener",
                without(is, said),
                "error disassociate additional certs",
            ),
        ] {
            errors.extend(
                send_certificates(cloud, action, id, &ids)
                    .await
                    .within(what)
                    .err(),
            );
        }
    }
    let mut job = None;
    if let Some(settings) = changed(wanted, remote) {
        let args = Args::default()
            .with("ListenerId", id)
            .with("ListenerDescription", &wanted.description)
            .with_some("ServerGroupId", wanted.group_id.as_ref());
        match cloud
            .nlb("UpdateListenerAttribute", with(args, &settings))
            .await
        {
            Ok(answer) => job = Some(text(&answer, "JobId").to_owned()),
            Err(error) => errors.push(error),
        }
    }
    all(errors).map(|()| job)
}

/// All that the listener has, with what differs over it; none if nothing differs.
fn changed(wanted: &WantedListener, remote: &RemoteListener) -> Option<Settings> {
    const SECURE: [&str; 4] = ["CaEnabled", "SecurityPolicyId", "AlpnEnabled", "AlpnPolicy"];
    const LISTS: [&str; 2] = ["CertificateIds", "CaCertificateIds"];
    let mut settings = remote.settings();
    let group = wanted.group_id.as_deref().unwrap_or_default();
    let mut differs = text(&remote.value, "ListenerDescription") != wanted.description
        || text(&remote.value, "ServerGroupId") != group;
    let is_secure = wanted.protocol == "TCPSSL";
    let list = |settings: &Settings, name: &str| -> Vec<String> {
        let prefix = format!("{name}.");
        let items = settings.iter().filter(|(key, _)| key.starts_with(&prefix));
        items.map(|(_, item)| item.to_lowercase()).collect()
    };
    for name in LISTS.iter().filter(|_| is_secure) {
        let (said, is) = (list(&wanted.settings, name), list(&settings, name));
        let same = said.len() == is.len() && said.iter().all(|one| is.contains(one));
        if !said.is_empty() && !same {
            differs = true;
            let prefix = format!("{name}.");
            settings.retain(|key, _| !key.starts_with(&prefix));
            let own = wanted
                .settings
                .iter()
                .filter(|(key, _)| key.starts_with(&prefix));
            settings.extend(own.map(|(key, value)| (key.clone(), value.clone())));
        }
    }
    let single = wanted.settings.iter().filter(|(name, _)| {
        let is_list = LISTS
            .iter()
            .any(|list| name.starts_with(&format!("{list}.")));
        !is_list && (is_secure || !SECURE.contains(&name.as_str()))
    });
    for (name, said) in single {
        let is = settings.get(name).map_or("", String::as_str);
        let unset = match name.as_str() {
            "Cps" => "0",
            "ProxyProtocolEnabled" | "CaEnabled" | "AlpnEnabled" => "false",
            _ => "",
        };
        if is != said && !(is.is_empty() && said == unset) {
            differs = true;
            settings.insert(name.clone(), said.clone());
        }
    }
    differs.then_some(settings)
}
