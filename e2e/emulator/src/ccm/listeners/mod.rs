//! Listeners: which there are, and which are to be made, changed and deleted.

mod settings;
#[cfg(test)]
mod tests;
mod writes;

use serde_json::Value;

use super::annotations::Annotations;
use super::certificates;
use super::cloud::{Args, Cloud, text};
use super::error::SyncError;
use super::model::{Names, WantedListener};
pub(super) use settings::texts;
pub(super) use writes::{Writes, take};

/// A listener as it is, and its domains where they were asked for.
pub(super) struct RemoteListener {
    pub(super) value: Value,
    domains: Vec<Value>,
}

impl RemoteListener {
    fn port(&self) -> i64 {
        let port = self.value.get("ListenerPort").and_then(Value::as_i64);
        port.unwrap_or_default()
    }

    fn protocol(&self) -> &str {
        text(&self.value, "ListenerProtocol")
    }

    /// A setting by its parameter name; none is empty or 0, but for the one that may be 0.
    fn setting(&self, parameter: &str) -> Option<String> {
        let part = format!("{}ListenerConfig", self.protocol().to_uppercase());
        let inside = |name: &str| {
            self.value
                .get(name)
                .or_else(|| self.value.get(&part)?.get(name))
        };
        let said = match inside(parameter)? {
            Value::String(text) => text.clone(),
            Value::Null => return None,
            other => other.to_string(),
        };
        let is_said = !said.is_empty() && (said != "0" || parameter == "PersistenceTimeout");
        is_said.then_some(said)
    }
}

/// All listeners of a load balancer, page by page.
pub(super) async fn describe(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    balancer: &str,
) -> Result<Vec<RemoteListener>, SyncError> {
    let mut all = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let args = Args::default()
            .with("LoadBalancerId.1", balancer)
            .with("MaxResults", 50)
            .with_some("NextToken", next.as_ref());
        let answer = cloud.slb("DescribeLoadBalancerListeners", args).await?;
        let page = answer.get("Listeners").and_then(Value::as_array);
        all.extend(page.into_iter().flatten().map(|value| RemoteListener {
            value: value.clone(),
            domains: Vec::new(),
        }));
        match text(&answer, "NextToken") {
            "" => break,
            token => next = Some(token.to_owned()),
        }
    }
    if annotations.get("domain-extensions").is_some() {
        let secure = all.iter_mut().filter(|one| one.protocol() == "https");
        for listener in secure {
            let port = listener.port();
            listener.domains = certificates::describe(cloud, balancer, port).await?;
        }
    }
    Ok(all)
}

/// What is to be done with a listener.
pub(super) enum Step<'a> {
    Create(WantedListener),
    Update(WantedListener, &'a RemoteListener),
    Delete(&'a RemoteListener),
}

/// What is to be done, in CCM's order: at once, once the group is there that it needs, and last.
#[derive(Default)]
pub(super) struct Plan<'a> {
    pub(super) before: Vec<Step<'a>>,
    pub(super) with_group: Vec<Step<'a>>,
    pub(super) after: Vec<Step<'a>>,
}

/// Compares listeners by port and protocol. `wanted` know the ids of the groups that are there.
pub(super) fn plan<'a>(
    names: &Names,
    wanted: Vec<WantedListener>,
    remote: &'a [RemoteListener],
) -> Plan<'a> {
    let is_same = |wanted: &WantedListener, remote: &RemoteListener| {
        remote.port() == i64::from(wanted.port) && remote.protocol() == wanted.protocol
    };
    let gone: Vec<&RemoteListener> = remote
        .iter()
        .filter(|one| !wanted.iter().any(|wanted| is_same(wanted, one)))
        .filter(|one| names.owns_listener(text(&one.value, "Description")))
        .collect();
    let mut plan = Plan::default();
    for one in &gone {
        let forwards_to = |other: &&RemoteListener| {
            other.setting("ListenerForward").as_deref() == Some("on")
                && other.setting("ForwardPort") == Some(one.port().to_string())
        };
        match gone.iter().any(forwards_to) {
            true => plan.after.push(Step::Delete(one)),
            false => plan.before.push(Step::Delete(one)),
        }
    }
    for listener in wanted {
        let known = listener.group_id.is_some();
        let old = remote.iter().find(|remote| is_same(&listener, remote));
        let frees = gone
            .iter()
            .any(|one| one.port() == i64::from(listener.port));
        let part = match old {
            Some(_) if known => &mut plan.before,
            Some(_) => &mut plan.with_group,
            None if listener.forward.is_some() || (frees && known) => &mut plan.after,
            None if known => &mut plan.before,
            None => &mut plan.with_group,
        };
        part.push(match old {
            Some(old) => Step::Update(listener, old),
            None => Step::Create(listener),
        });
    }
    plan
}
