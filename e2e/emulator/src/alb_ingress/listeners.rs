//! Listeners of a load balancer.

use serde_json::Value;

use super::balancer::{Balancer, Config};
use super::compare::Ids;
use super::failure::Failure;
use super::model::WantedListener;
use super::tracking::Stack;
use crate::ccm::{Args, SyncError, text};

const BUSY: [&str; 2] = ["IncorrectStatus.Listener", "IncorrectStatus.LoadBalancer"];

/// What a description begins with that the controller wrote.
const OWN: &str = "ingress-auto-listener";

/// Brings the listeners in line; the ids of those that are wanted, in the order of the model. A
/// listener that fails does not keep the others back.
pub(super) async fn apply(
    stack: &Stack<'_>,
    config: &Config<'_>,
    balancer: &Balancer,
    wanted: &[WantedListener],
    groups: &Ids,
) -> Result<Vec<Result<String, Failure>>, Failure> {
    let args = Args::default().with("LoadBalancerIds.1", &balancer.id);
    let mut listed = stack.list("ListListeners", args, "Listeners").await?;
    if config.leaves_listeners_alone() {
        listed.retain(|shown| text(shown, "ListenerDescription").starts_with(OWN));
    }
    let mut ids = Vec::new();
    for wanted in wanted {
        let place = listed.iter().position(|shown| is_it(shown, wanted));
        let id = match place.map(|place| listed.remove(place)) {
            Some(shown) => update(stack, wanted, &shown, groups).await,
            None => create(stack, balancer, wanted, groups).await,
        };
        if let Err(Failure::Apply(message)) = &id
            && message.contains("ResourceAlreadyExist.Listener")
        {
            let words = "listener already in use, please set forceOverride=true and reconcile";
            return Err(Failure::Apply(words.to_owned()));
        }
        ids.push(id);
    }
    for surplus in listed {
        let args = Args::default().with("ListenerId", text(&surplus, "ListenerId"));
        stack.retried("DeleteListener", args, &BUSY).await?;
    }
    Ok(ids)
}

fn is_it(shown: &Value, wanted: &WantedListener) -> bool {
    shown["ListenerPort"] == wanted.port && text(shown, "ListenerProtocol") == wanted.protocol
}

fn default_action(wanted: &WantedListener, groups: &Ids) -> [(String, String); 2] {
    let prefix = "DefaultActions.1";
    let group = groups.get(&wanted.default_group).cloned();
    [
        (format!("{prefix}.Type"), "ForwardGroup".to_owned()),
        (
            format!("{prefix}.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId"),
            group.unwrap_or_default(),
        ),
    ]
}

async fn create(
    stack: &Stack<'_>,
    balancer: &Balancer,
    wanted: &WantedListener,
    groups: &Ids,
) -> Result<String, Failure> {
    if wanted.protocol != "HTTP" && wanted.certificates.is_empty() {
        return Err(Failure::Apply(
            "empty https listener default certs ".to_owned(),
        ));
    }
    let mut args = Args::default()
        .with("LoadBalancerId", &balancer.id)
        .with("ListenerPort", wanted.port)
        .with("ListenerProtocol", &wanted.protocol)
        .and(wanted.settings.clone())
        .and(default_action(wanted, groups));
    if let Some(default) = wanted.certificates.first() {
        args = args.with("Certificates.1.CertificateId", default);
    }
    let busy = ["IncorrectStatus.LoadBalancer"];
    let made = stack.retried("CreateListener", args, &busy).await?;
    let id = text(&made, "ListenerId").to_owned();
    until_running(stack, &id).await?;
    let extra = wanted.certificates.get(1..).unwrap_or_default();
    further(stack, ASSOCIATE, &id, extra).await?;
    Ok(id)
}

/// Looks until a listener runs, and every second from then on.
pub(super) async fn until_running(stack: &Stack<'_>, id: &str) -> Result<(), Failure> {
    for _ in 0..15 {
        let args = Args::default().with("ListenerId", id);
        let shown = stack.cloud.alb("GetListenerAttribute", args).await?;
        if text(&shown, "ListenerStatus") == "Running" {
            return Ok(());
        }
        stack.wait(1).await;
    }
    Err(Failure::Apply(format!("ListenerID: {id} not running")))
}

const ASSOCIATE: &str = "AssociateAdditionalCertificatesWithListener";
const DISSOCIATE: &str = "DissociateAdditionalCertificatesFromListener";

/// Adds certificates beside the default one, or takes them off.
async fn further(
    stack: &Stack<'_>,
    action: &str,
    id: &str,
    certificates: &[String],
) -> Result<(), SyncError> {
    if certificates.is_empty() {
        return Ok(());
    }
    let args = Args::default().with("ListenerId", id);
    let args = certificates
        .iter()
        .zip(1..)
        .fold(args, |args, (id, number)| {
            args.with(&format!("Certificates.{number}.CertificateId"), id)
        });
    stack.retried(action, args, &BUSY).await?;
    Ok(())
}

async fn update(
    stack: &Stack<'_>,
    wanted: &WantedListener,
    shown: &Value,
    groups: &Ids,
) -> Result<String, Failure> {
    let id = text(shown, "ListenerId").to_owned();
    let mut changes = changes(wanted, shown);
    let default = groups
        .get(&wanted.default_group)
        .cloned()
        .unwrap_or_default();
    let path = "/DefaultActions/0/ForwardGroupConfig/ServerGroupTuples/0/ServerGroupId";
    if shown.pointer(path).and_then(Value::as_str) != Some(default.as_str()) {
        changes.extend(default_action(wanted, groups));
    }
    if wanted.protocol != "HTTP" {
        changes.extend(certificates(stack, wanted, &id).await?);
    }
    if !changes.is_empty() {
        let args = Args::default().with("ListenerId", &id).and(changes);
        stack
            .retried("UpdateListenerAttribute", args, &BUSY)
            .await?;
    }
    until_running(stack, &id).await?;
    Ok(id)
}

/// The settings that are not as they should be; of a structure all members.
fn changes(wanted: &WantedListener, shown: &Value) -> Vec<(String, String)> {
    let differs = |name: &str, value: &str| {
        let shown = shown.pointer(&format!("/{}", name.replace('.', "/")));
        let shown = shown.map(|shown| {
            let text = shown.as_str().map(str::to_owned);
            text.unwrap_or_else(|| shown.to_string())
        });
        shown.as_deref().unwrap_or("false") != value
    };
    let structure = |name: &str| {
        name.split_once('.')
            .map(|(structure, _)| structure.to_owned())
    };
    let settings = || wanted.settings.iter();
    let different: Vec<Option<String>> = settings()
        .filter(|(name, value)| differs(name, value))
        .map(|(name, _)| structure(name))
        .collect();
    let chosen = settings().filter(|(name, value)| match structure(name) {
        None => differs(name, value),
        inside => different.contains(&inside),
    });
    chosen
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Brings the further certificates in line; what is to change about the default one is returned. That
/// one stays while it is wanted, in whatever place, and also where no certificate is wanted any more.
async fn certificates(
    stack: &Stack<'_>,
    wanted: &WantedListener,
    id: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let args = Args::default().with("ListenerId", id);
    let listed = stack
        .list("ListListenerCertificates", args, "Certificates")
        .await?;
    let ids = |default: bool| -> Vec<String> {
        let some = listed.iter().filter(|shown| shown["IsDefault"] == default);
        some.map(|shown| text(shown, "CertificateId").to_owned())
            .collect()
    };
    let (default, extra) = (ids(true), ids(false));
    let all = &wanted.certificates;
    let stays = default.iter().any(|id| all.contains(id));
    let new = all.first().filter(|_| !stays);
    let missing = all.iter().filter(|id| {
        let there = extra.contains(id) || default.contains(id);
        !there && Some(*id) != new
    });
    let missing: Vec<String> = missing.cloned().collect();
    further(stack, ASSOCIATE, id, &missing).await?;
    let surplus = extra.iter().filter(|id| !all.contains(id));
    let surplus: Vec<String> = surplus.cloned().collect();
    further(stack, DISSOCIATE, id, &surplus).await?;
    let change = |id: &String| ("Certificates.1.CertificateId".to_owned(), id.clone());
    Ok(new.map(change).into_iter().collect())
}
