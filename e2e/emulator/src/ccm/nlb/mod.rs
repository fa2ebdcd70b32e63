//! Network load balancers: what CCM's `pkg/controller/service/nlbv2` does. A security group of its own
//! for `loadBalancerSourceRanges`, and `vgroup-port`, are not played.

mod balancer;
mod groups;
mod listeners;
mod model;

use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::annotations::Annotations;
use super::attributes::{CLUSTER_TAG_KEY, TAG_KEY, Tags};
use super::cloud::{Args, Cloud, text};
use super::ensure::{Pass, Synced};
use super::error::{SyncError, Within, all};
use super::hash::service_hash;
use super::model::Names;
use super::reuse;
use super::service::{HASH_LABEL, first_ingress_ip, label};
use groups::RemoteGroup;
use listeners::{RemoteListener, Step};
use model::{Local, WantedGroup};

/// Brings the load balancer in line with the Service, which has the finalizer already.
pub(super) async fn ensure(pass: &Pass<'_>, service: &Service, names: &Names) -> Synced<()> {
    let local = match model::build(pass, service, names).await {
        Ok(local) => local,
        Err(error) => {
            return (
                String::new(),
                Err(error.within("build lb local model error")),
            );
        }
    };
    let mut remote = Remote::default();
    let applied = apply(pass, service, names, local, &mut remote).await;
    let id = remote.id().to_owned();
    let outcome = match applied {
        Ok(()) => write(pass, service, &remote.balancer).await,
        Err(error) => Err(error.within("apply model error")),
    };
    (id, outcome)
}

async fn write(pass: &Pass<'_>, service: &Service, balancer: &Value) -> Result<(), SyncError> {
    let (hash, id) = (service_hash(service), text(balancer, "LoadBalancerId"));
    pass.writer.write_labels(service, &hash, id).await?;
    let ingress = json!([{"hostname": text(balancer, "DNSName")}]);
    pass.writer.write_ingress(service, &ingress).await
}

/// Deletes the load balancer of a Service that goes, preserves it, or leaves one that others made.
pub(super) async fn take_down(pass: &Pass<'_>, service: &Service, names: &Names) -> Synced<()> {
    let mut remote = Remote::default();
    let applied = apply(pass, service, names, model::going(service), &mut remote).await;
    (remote.id().to_owned(), applied.within("apply model error"))
}

/// All there is in the cloud.
#[derive(Default)]
struct Remote {
    balancer: Value,
    tags: Tags,
    groups: Vec<RemoteGroup>,
    listeners: Vec<RemoteListener>,
}

impl Remote {
    fn id(&self) -> &str {
        text(&self.balancer, "LoadBalancerId")
    }
}

async fn apply(
    pass: &Pass<'_>,
    service: &Service,
    names: &Names,
    mut local: Local<'_>,
    remote: &mut Remote,
) -> Result<(), SyncError> {
    let (cloud, annotations) = (pass.cloud, Annotations::of(service));
    let hash = service_hash(service);
    let moved = label(service, HASH_LABEL) != Some(hash.as_str());
    let has_listeners = !annotations.names_balancer() || reuse::overrides_listeners(annotations);
    read(cloud, annotations, names, moved && has_listeners, remote).await?;
    if local.preserved && !remote.id().is_empty() {
        let id = remote.id();
        let note = format!("The lb [{id}] will be preserved after the service is deleted.");
        let told = pass
            .events
            .told(service, "Warning", "PreservedOnDelete", note);
        told.await;
    }
    if moved {
        let prepared = prepare(cloud, service, names, &local, remote).await;
        prepared.within("update nlb attribute error")?;
    }
    if remote.id().is_empty() && !local.is_going {
        let name = names.load_balancer();
        return Err(SyncError::said(format!(
            "alicloud: can not find loadbalancer by tag [{TAG_KEY}:{name}]"
        )));
    }
    let with_listeners = moved && has_listeners && !remote.id().is_empty();
    bring_in_line(cloud, names, &mut local, remote, moved, with_listeners).await?;
    if moved {
        let preserved = local.preserved;
        groups::clean_up(cloud, &local.groups, &remote.groups, names, preserved).await?;
    }
    Ok(())
}

async fn read(
    cloud: &Cloud,
    annotations: Annotations<'_>,
    names: &Names,
    with_listeners: bool,
    remote: &mut Remote,
) -> Result<(), SyncError> {
    if let Some(id) = reuse::named(annotations) {
        // CCM knows the id of what it does not find.
        remote.balancer = json!({"LoadBalancerId": id});
    }
    let found = balancer::find(cloud, annotations, names).await;
    let Some(found) = found.within("get nlb attribute from cloud error")? else {
        return Ok(());
    };
    remote.balancer = found;
    let id = remote.id().to_owned();
    let mut errors = Vec::new();
    match balancer::tags(cloud, &id)
        .await
        .within("ListNLBTagResources")
    {
        Ok(tags) => remote.tags = tags,
        Err(error) => errors.push(error),
    }
    let described = groups::describe(cloud, names).await;
    match described.within("get lb backend from remote error: DescribeVServerGroups error") {
        Ok(groups) => remote.groups = groups,
        Err(error) => errors.push(error),
    }
    if with_listeners {
        let with_certificates = annotations.present("additional-cert-ids").is_some();
        let described = listeners::describe(cloud, &id, with_certificates).await;
        match described.within("get lb listeners from cloud, error: DescribeNLBListeners error") {
            Ok(listeners) => remote.listeners = listeners,
            Err(error) => errors.push(error),
        }
    }
    all(errors)
}

async fn prepare(
    cloud: &Cloud,
    service: &Service,
    names: &Names,
    local: &Local<'_>,
    remote: &mut Remote,
) -> Result<(), SyncError> {
    let reused = Annotations::of(service).names_balancer();
    if local.is_going {
        return match reused {
            true => Ok(()),
            false => take_away(cloud, names, local, remote).await,
        };
    }
    if remote.id().is_empty() {
        if let Some(ip) = first_ingress_ip(service) {
            return Err(SyncError::said(format!(
                "alicloud: can not find loadbalancer, but it's defined in service [{ip}] \
                 this may happen when you delete the loadbalancer"
            )));
        }
        let made = balancer::create(cloud, &local.wish, names).await;
        remote.balancer = made.within("create nlb error")?;
        remote.tags = balancer::tags_of(&remote.balancer);
        if local.wish.has_more() {
            local
                .wish
                .apply(cloud, &remote.balancer, &remote.tags)
                .await?;
        }
    }
    let id = remote.id();
    let host = text(&remote.balancer, "DNSName");
    match refusal(service, &remote.tags, host).filter(|_| reused) {
        Some(why) => Err(SyncError::said(format!(
            "the loadbalancer {id} can not be reused, {why}"
        ))),
        None => Ok(()),
    }
}

async fn take_away(
    cloud: &Cloud,
    names: &Names,
    local: &Local<'_>,
    remote: &mut Remote,
) -> Result<(), SyncError> {
    let described = groups::describe(cloud, names).await;
    remote.groups = described
        .within("DescribeVServerGroups error")
        .within("build remote server group model error")?;
    if remote.id().is_empty() {
        return Ok(());
    }
    let id = remote.id().to_owned();
    if local.preserved {
        let released = balancer::release(cloud, names, &id, &remote.tags).await;
        return released;
    }
    let deleted = balancer::delete(cloud, &id).await;
    deleted.within(&format!("delete nlb [{id}] error"))?;
    remote.balancer = Value::Null;
    Ok(())
}

/// Attributes, groups and listeners, which do not wait for each other: what goes wrong with one does not
/// keep the others from being done.
async fn bring_in_line(
    cloud: &Cloud,
    names: &Names,
    local: &mut Local<'_>,
    remote: &Remote,
    moved: bool,
    with_listeners: bool,
) -> Result<(), SyncError> {
    let missing = groups::missing(&mut local.groups, &remote.groups);
    for listener in &mut local.listeners {
        let group = local
            .groups
            .iter()
            .find(|group| group.name == listener.group);
        listener.group_id = group.and_then(|group| group.id.clone());
    }
    let mut errors = Vec::new();
    if moved && !local.is_going {
        let applied = local
            .wish
            .apply(cloud, &remote.balancer, &remote.tags)
            .await;
        errors.extend(applied.within("update nlb attribute error").err());
    }
    let wanted = std::mem::take(&mut local.listeners);
    let reused = local.wish.is_reused();
    let mut plan = match with_listeners {
        true => listeners::plan(names, wanted, &remote.listeners, reused),
        false => listeners::Plan::default(),
    };
    let id = remote.id();
    errors.extend(listeners::take(cloud, id, &plan.before).await);
    let mut seen: Vec<&str> = Vec::new();
    for group in local.groups.iter().filter(|group| group.id.is_some()) {
        if !seen.contains(&group.name.as_str()) {
            seen.push(&group.name);
            errors.extend(groups::update(cloud, group, &remote.groups).await.err());
        }
    }
    let vpc = text(&remote.balancer, "VpcId");
    for index in missing {
        let Some(group) = local.groups.get_mut(index) else {
            continue;
        };
        if let Err(error) = groups::create(cloud, names, vpc, group).await {
            errors.push(error);
            continue;
        }
        errors.extend(groups::fill(cloud, group).await.err());
        let mut steps = with_group(&mut plan.with_group, group);
        errors.extend(listeners::take(cloud, id, &steps).await);
        steps.clear();
    }
    if !plan.with_group.is_empty() {
        let note = "there are unprocessed listeners in reconcile";
        errors.push(SyncError::said(note));
    }
    all(errors)
}

/// Takes out the steps that waited for a group.
fn with_group<'a>(waiting: &mut Vec<Step<'a>>, group: &WantedGroup) -> Vec<Step<'a>> {
    let (mut now, mut later) = (Vec::new(), Vec::new());
    for mut step in waiting.drain(..) {
        let ready = match &mut step {
            Step::Create(wanted) | Step::Update(wanted, _) if wanted.group == group.name => {
                wanted.group_id.clone_from(&group.id);
                true
            }
            _ => false,
        };
        match ready {
            true => now.push(step),
            false => later.push(step),
        }
    }
    *waiting = later;
    now
}

/// Why a load balancer cannot be taken: a cloud controller manager made it, or it has another host name
/// than the Service has published.
fn refusal(service: &Service, tags: &Tags, host: &str) -> Option<String> {
    if tags
        .iter()
        .any(|(key, _)| [TAG_KEY, CLUSTER_TAG_KEY].contains(&key.as_str()))
    {
        return Some("can not reuse loadbalancer created by kubernetes.".to_owned());
    }
    let status = service.status.as_ref()?.load_balancer.as_ref()?;
    let ingress = status.ingress.as_ref()?;
    let first = ingress.first()?.hostname.as_deref().unwrap_or_default();
    let fits = ingress
        .iter()
        .any(|one| one.hostname.as_deref().unwrap_or_default() == host);
    (!fits).then(|| {
        format!(
            "service has been associated with dnsname [{first}], cannot be bound to dnsname [{host}]"
        )
    })
}

/// About as long as CCM waits.
const ATTEMPTS: usize = 1_800;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Waits until the job of an answer is through; CCM goes on in the end even if it is not.
async fn wait(cloud: &Cloud, answer: &Value) -> Result<(), SyncError> {
    let job = text(answer, "JobId");
    for _ in 0..ATTEMPTS {
        let args = Args::default().with("JobId", job);
        let answer = cloud.nlb("GetJobStatus", args).await?;
        if text(&answer, "Status") == "Succeeded" {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Waits until several jobs are through.
async fn jobs(cloud: &Cloud, jobs: &[String]) -> Result<(), SyncError> {
    let mut open = jobs.to_vec();
    for _ in 0..ATTEMPTS {
        if open.is_empty() {
            return Ok(());
        }
        let mut args = Args::default();
        for (job, number) in open.iter().zip(1..) {
            args = args.with(&format!("JobIds.{number}"), job);
        }
        let answer = cloud.nlb("ListAsynJobs", args).await?;
        let found = answer.get("Jobs").and_then(Value::as_array);
        let unfinished = found
            .into_iter()
            .flatten()
            .filter(|job| text(job, "Status") != "Succeeded");
        open = unfinished.map(|job| text(job, "Id").to_owned()).collect();
        if !open.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Err(SyncError::said("context deadline exceeded"))
}
