//! Bringing a classic load balancer in line with what a Service asks for, or with that it goes.

use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::annotations::Annotations;
use super::attributes::{self, Comparison, TAG_KEY, Tags, of_instance};
use super::cloud::{items, of_balancer, text};
use super::ensure::Pass;
use super::error::{SyncError, Within, all};
use super::groups::{self, RemoteGroup, WantedGroup};
use super::listeners::{self, RemoteListener, Step, Writes};
use super::model::{Names, WantedListener};
use super::service::first_ingress_ip;
use super::{cleanup, create, reuse};

/// What a Service asks for; nothing, once it goes.
#[derive(Default)]
pub(super) struct Local {
    pub(super) bandwidth: i64,
    pub(super) groups: Vec<WantedGroup>,
    pub(super) listeners: Vec<WantedListener>,
    pub(super) preserved: bool,
    pub(super) is_going: bool,
}

/// What came of it, and the load balancer as it was found or made.
pub(super) struct Outcome {
    pub(super) remote: Value,
    pub(super) result: Result<(), SyncError>,
}

impl Outcome {
    /// The id of the load balancer; empty without one.
    pub(super) fn id(&self) -> String {
        text(&self.remote, "LoadBalancerId").to_owned()
    }
}

/// Whose load balancer it is about.
pub(super) struct Apply<'a> {
    pub(super) pass: &'a Pass<'a>,
    pub(super) service: &'a Service,
    pub(super) names: &'a Names,
    pub(super) annotations: Annotations<'a>,
    /// Whether the Service is another than at the last success. Otherwise only servers are looked at.
    pub(super) moved: bool,
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

impl Apply<'_> {
    pub(super) async fn run(&self, local: Local) -> Outcome {
        let mut remote = Remote::default();
        let result = self.apply(local, &mut remote).await;
        Outcome {
            remote: remote.balancer,
            result,
        }
    }

    /// Whether its listeners are CCM's affair.
    fn has_listeners(&self) -> bool {
        !self.annotations.names_balancer() || reuse::overrides_listeners(self.annotations)
    }

    async fn apply(&self, mut local: Local, remote: &mut Remote) -> Result<(), SyncError> {
        let read = self.read(remote).await;
        read?;
        if local.preserved && !remote.id().is_empty() {
            let id = remote.id();
            let note = format!("The lb [{id}] will be preserved after the service is deleted.");
            let events = self.pass.events;
            let told = events.told(self.service, "Warning", "PreservedOnDelete", note);
            told.await;
        }
        if self.moved {
            let exists = self.make_or_take_down(&local, remote).await;
            exists.within("update lb attribute error")?;
        }
        if remote.id().is_empty() {
            let name = self.names.load_balancer();
            return match local.is_going {
                true => Ok(()),
                false => Err(SyncError::said(format!(
                    "alicloud: can not find loadbalancer by tag [{TAG_KEY}:{name}]"
                ))),
            };
        }
        self.bring_in_line(&mut local, remote).await?;
        if self.moved {
            let cloud = self.pass.cloud;
            let cleaned = groups::clean_up(cloud, &local.groups, &remote.groups, self.names).await;
            cleaned.within("cleanup lb error")?;
        }
        Ok(())
    }

    async fn read(&self, remote: &mut Remote) -> Result<(), SyncError> {
        let (cloud, annotations, names) = (self.pass.cloud, self.annotations, self.names);
        let found = match reuse::named(annotations) {
            Some(id) => {
                let found = cloud
                    .slb("DescribeLoadBalancerAttribute", of_balancer(id))
                    .await;
                // CCM knows the id of what it did not find.
                remote.balancer = json!({"LoadBalancerId": id});
                found.map(Some)
            }
            None => attributes::find(cloud, names).await,
        };
        let found = found.within("get load balancer attribute from cloud, error")?;
        let Some(balancer) = found else {
            return Ok(());
        };
        remote.balancer = balancer;
        let id = remote.id().to_owned();
        let mut errors = Vec::new();
        let answer = cloud.slb("ListTagResources", of_instance(&id)).await;
        match answer.within("DescribeTags") {
            Ok(answer) => remote.tags = tags(&answer),
            Err(error) => errors.push(error),
        }
        let groups = groups::describe(cloud, annotations, names, &id).await;
        match groups.within("get lb backend from remote error: DescribeVServerGroups error") {
            Ok(groups) => remote.groups = groups,
            Err(error) => errors.push(error),
        }
        if self.moved && self.has_listeners() {
            let listeners = listeners::describe(cloud, annotations, &id).await;
            let what = "get lb listeners from cloud, error: DescribeLoadBalancerListeners error";
            match listeners.within(what) {
                Ok(listeners) => remote.listeners = listeners,
                Err(error) => errors.push(error),
            }
        }
        all(errors)
    }

    async fn make_or_take_down(&self, local: &Local, remote: &mut Remote) -> Result<(), SyncError> {
        let (cloud, names) = (self.pass.cloud, self.names);
        let id = remote.id().to_owned();
        let reused = self.annotations.names_balancer();
        if local.is_going {
            if reused || id.is_empty() {
                return Ok(());
            }
            if local.preserved {
                return cleanup::release(cloud, names, &remote.balancer, &remote.tags).await;
            }
            let deleted = cleanup::delete(cloud, names, &remote.balancer).await;
            deleted.within(&format!("delete loadbalancer [{id}] error"))?;
            remote.balancer = Value::Null;
            return Ok(());
        }
        if id.is_empty() {
            if let Some(ip) = first_ingress_ip(self.service) {
                return Err(SyncError::said(format!(
                    "alicloud: can not find loadbalancer, but it's defined in service [{ip}] \
                     this may happen when you delete the loadbalancer"
                )));
            }
            let made = create::create(cloud, names, self.annotations, local.bandwidth).await?;
            remote.tags = items(&made, "Tags", "Tag").iter().map(tag).collect();
            remote.balancer = made;
        }
        let address = text(&remote.balancer, "Address");
        let refusal = reuse::refusal(self.service, &remote.tags, address).filter(|_| reused);
        match refusal {
            Some(why) => Err(SyncError::said(format!(
                "alicloud: the loadbalancer {} can not be reused, {why}",
                remote.id()
            ))),
            None => Ok(()),
        }
    }

    /// Attributes, groups and listeners, which do not wait for each other: what goes wrong with one
    /// does not keep the others from being done.
    async fn bring_in_line(&self, local: &mut Local, remote: &Remote) -> Result<(), SyncError> {
        let cloud = self.pass.cloud;
        let plan_of_groups = groups::plan(&mut local.groups, &remote.groups);
        let with_listeners = self.moved && self.has_listeners();
        if with_listeners {
            for listener in local
                .listeners
                .iter_mut()
                .filter(|one| one.group_id.is_none())
            {
                let group = local
                    .groups
                    .iter()
                    .find(|group| group.name == listener.group);
                let group = group.ok_or_else(|| {
                    let name = &listener.group;
                    SyncError::said(format!("can not find vgroup by name {name}"))
                        .within("merge listener: find vservergroup error")
                })?;
                listener.group_id.clone_from(&group.id);
            }
        }
        let mut errors = Vec::new();
        if self.moved {
            let comparison = Comparison {
                cloud,
                names: self.names,
                annotations: self.annotations,
                bandwidth: local.bandwidth,
                remote: &remote.balancer,
                tags: &remote.tags,
                is_going: local.is_going,
            };
            let applied = comparison.apply().await;
            errors.extend(applied.within("update lb attribute error").err());
        }
        let wanted = std::mem::take(&mut local.listeners);
        let mut plan = match with_listeners {
            true => listeners::plan(self.names, wanted, &remote.listeners),
            false => listeners::Plan::default(),
        };
        let writes = Writes {
            cloud,
            annotations: self.annotations,
            balancer: remote.id(),
        };
        let before = listeners::take(&writes, &plan.before).await;
        let groups = &mut local.groups;
        let (made, of_groups) = groups::apply(cloud, remote.id(), plan_of_groups, groups).await;
        errors.extend(of_groups);
        errors.extend(before);
        errors.extend(with_groups(&writes, &mut plan.with_group, &made, groups).await);
        errors.extend(listeners::take(&writes, &plan.after).await);
        all(errors)
    }
}

/// Those whose group was made; the others stay undone.
async fn with_groups(
    writes: &Writes<'_>,
    steps: &mut [Step<'_>],
    made: &[String],
    groups: &[WantedGroup],
) -> Vec<SyncError> {
    let mut errors = Vec::new();
    let mut undone = false;
    for step in steps {
        let (Step::Create(wanted) | Step::Update(wanted, _)) = &mut *step else {
            continue;
        };
        if !made.contains(&wanted.group) {
            undone = true;
            continue;
        }
        let group = groups.iter().find(|group| group.name == wanted.group);
        wanted.group_id = group.and_then(|group| group.id.clone());
        errors.extend(writes.take(step).await.err());
    }
    let note = "there are unprocessed listeners in reconcile";
    errors.extend(undone.then(|| SyncError::said(note)));
    errors
}

fn tag(tag: &Value) -> (String, String) {
    (
        text(tag, "TagKey").to_owned(),
        text(tag, "TagValue").to_owned(),
    )
}

fn tags(answer: &Value) -> Tags {
    let found = items(answer, "TagResources", "TagResource").iter();
    found.map(tag).collect()
}
