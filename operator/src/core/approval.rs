//! The approval of exactly one plan. A plan has a hash over all that it would do and all that this
//! rests on; while `spec.approvedPlan` has that hash, the plan may be carried out.
//!
//! What is left of a plan that was carried out in part has another hash, so what was approved is
//! recorded before its first step: the hash, and for each step what it comes to. From then on each
//! step that is left has to come to the same as an approved one, or nothing is done.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{BackendSpec, PolicyRules, PolicySpec};
use crds::v1alpha1::{ApprovedPlan, PlanStatus, Reason};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::foresee::{LATER, is_later, known_later};
use super::key::{ApiKey, ObjectKey};
use super::ledger::Place;
use super::plan::{Action, Operation, Step};
use super::problem::Problem;

/// Moves when the same plan is to have another hash than with an older version of the operator.
const FORMAT: u32 = 1;

/// Hexadecimal digits of a step's digest.
const DIGEST: usize = 32;

/// What a plan rests on beside its steps.
#[derive(Clone, Debug, Default)]
pub struct Basis<'a> {
    /// Cluster id in the marks of ownership.
    pub cluster: &'a str,
    /// Account and region.
    pub place: Place,
    /// Hash of the approved plan that was carried out last: an approval counts once.
    pub after: Option<&'a str>,
    /// Whether the plan is what deleting the binding comes to.
    pub deletion: bool,
}

/// An object of the cloud as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The cloud's mark of its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The hash of a plan; `found` says what was found of the object of each step. It does not depend
/// on the order of the steps, nor on ids that are not known yet.
pub fn hash(steps: &[Step], found: impl Fn(&ObjectKey) -> Found, basis: &Basis<'_>) -> String {
    let mut steps: Vec<String> = steps
        .iter()
        .map(|step| {
            let action = step.operation.action();
            let target = target(step, Ids::AsTheyAre);
            json!([
                step.key.to_string(),
                action.as_str(),
                target,
                step.changes,
                found(&step.key)
            ])
            .to_string()
        })
        .collect();
    steps.sort();
    let Place { account, region } = &basis.place;
    let whole = json!([
        FORMAT,
        basis.cluster,
        account,
        region,
        basis.after,
        basis.deletion,
        steps
    ]);
    format!("sha256:{}", sha256(&whole))
}

fn sha256(value: &Value) -> String {
    hex::encode(Sha256::digest(value.to_string().as_bytes()))
}

/// How ids of load balancers stand in what a step comes to.
#[derive(Clone, Copy)]
enum Ids {
    /// As they are; those that are not known yet are all the same.
    AsTheyAre,
    /// As if they were not known yet: the step may have been approved before they were.
    Unknown,
}

/// What a step comes to, whatever was there before: whether something is created or brought to the
/// same by a change makes no difference. Consumers stand there by name, not by id.
fn target(step: &Step, ids: Ids) -> Value {
    match &step.operation {
        Operation::CreateService { shape, annotations }
        | Operation::ApplyService {
            shape: Some(shape),
            annotations,
            ..
        } => json!([annotations, shape]),
        Operation::ApplyService {
            shape: None,
            annotations,
            takeover,
        } => json!([annotations, takeover]),
        Operation::ReleaseService { annotations } => json!(annotations),
        Operation::DeleteService { uid } => json!(uid),
        Operation::CreateGroup(spec) | Operation::UpdateGroup(spec) => json!(spec),
        Operation::CreateBackend(spec) | Operation::UpdateBackend(spec) => {
            json!(masked(spec, ids))
        }
        Operation::CreateApi(spec) | Operation::UpdateApi(spec) | Operation::AmendApi(spec) => {
            json!(spec)
        }
        Operation::Deploy { note } | Operation::Redeploy { note } => json!(note),
        Operation::UpdatePolicy(spec) if step.key.adopted_id().is_some() => {
            json!(limits(spec, ids))
        }
        Operation::CreatePolicy(spec) | Operation::UpdatePolicy(spec) => json!(by_name(spec)),
        Operation::Attach { policy } => json!(policy),
        Operation::Detach { policy } => json!(policy),
        Operation::Grant { until, .. } | Operation::Regrant { until, .. } => json!(until),
        Operation::Revoke { consumer } => json!(consumer),
        Operation::DeleteGroup
        | Operation::DeleteBackend(_)
        | Operation::DeleteApi
        | Operation::Undeploy
        | Operation::DeletePolicy => Value::Null,
    }
}

fn masked(spec: &BackendSpec, ids: Ids) -> BackendSpec {
    let mask = |id: &String| match ids {
        Ids::AsTheyAre if !is_later(id) => id.clone(),
        _ => LATER.to_owned(),
    };
    BackendSpec {
        vpc_id: mask(&spec.vpc_id),
        load_balancer_id: mask(&spec.load_balancer_id),
        ..spec.clone()
    }
}

/// Limits of single consumers are in the policy's name, by the consumers' names.
fn by_name(spec: &PolicySpec) -> PolicySpec {
    let mut spec = spec.clone();
    if let PolicyRules::Throttling(limits) = &mut spec.rules {
        limits.consumers.clear();
    }
    spec
}

/// The name of an adopted policy says nothing: there the consumers count.
fn limits(spec: &PolicySpec, ids: Ids) -> Value {
    let PolicyRules::Throttling(limits) = &spec.rules else {
        return json!(spec);
    };
    let consumers = limits.consumers.iter();
    let mut consumers: Vec<(&str, u64)> = consumers
        .map(|(consumer, requests)| match ids {
            Ids::AsTheyAre => (known_later(consumer.as_str()), *requests),
            Ids::Unknown => (LATER, *requests),
        })
        .collect();
    consumers.sort_unstable();
    json!([by_name(spec), consumers])
}

fn digest(step: &Step, ids: Ids) -> String {
    let removes = step.operation.action() == Action::Delete;
    let whole = json!([step.key.to_string(), removes, target(step, ids)]);
    sha256(&whole).chars().take(DIGEST).collect()
}

/// The same removals as they are called once an API that the plan renames has its new name.
fn renamed(steps: &[Step]) -> Vec<Step> {
    let names: BTreeMap<ApiKey, &ApiKey> = steps
        .iter()
        .filter_map(|step| {
            let ObjectKey::Api(api) = &step.key else {
                return None;
            };
            let name = step.changes.iter().find(|change| change.path == "name")?;
            let before = ApiKey {
                group: api.group.clone(),
                name: name.from.as_ref()?.as_str()?.to_owned(),
            };
            Some((before, api))
        })
        .collect();
    let removals = steps
        .iter()
        .filter(|step| step.operation.action() == Action::Delete);
    removals
        .filter_map(|step| {
            let mut step = step.clone();
            let (ObjectKey::Deployment { api, .. }
            | ObjectKey::Attachment { api, .. }
            | ObjectKey::Grant { api, .. }) = &mut step.key
            else {
                return None;
            };
            *api = (*names.get(api)?).clone();
            Some(step)
        })
        .collect()
}

/// An approved plan that may be carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approval {
    hash: String,
    steps: BTreeSet<String>,
}

impl Approval {
    /// The approval of these steps.
    pub fn of(hash: &str, steps: &[Step]) -> Self {
        Self {
            hash: hash.to_owned(),
            steps: steps
                .iter()
                .chain(&renamed(steps))
                .map(|step| digest(step, Ids::AsTheyAre))
                .collect(),
        }
    }

    /// The approval under way, as status records it.
    pub fn recorded(plan: &PlanStatus) -> Option<Self> {
        let approved = plan.approved.as_ref()?;
        Some(Self {
            hash: approved.hash.clone(),
            steps: approved.steps.iter().cloned().collect(),
        })
    }

    /// As status records it.
    pub fn record(&self) -> ApprovedPlan {
        ApprovedPlan {
            hash: self.hash.clone(),
            steps: self.steps.iter().cloned().collect(),
        }
    }

    /// Whether it covers nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Hash of the plan.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether each of these steps comes to the same as an approved one.
    pub fn covers(&self, steps: &[Step]) -> bool {
        steps.iter().all(|step| {
            let ids = [Ids::AsTheyAre, Ids::Unknown];
            ids.into_iter()
                .any(|ids| self.steps.contains(&digest(step, ids)))
        })
    }

    /// Nothing if these steps may be done, else why not.
    ///
    /// # Errors
    ///
    /// [`Reason::ApprovalStale`] if one of them is not among the approved ones.
    pub fn check(&self, steps: &[Step]) -> Result<(), Problem> {
        if self.covers(steps) {
            Ok(())
        } else {
            Err(stale(&self.hash))
        }
    }
}

/// What may be done about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was not approved.
    Unapproved,
    /// Another plan was approved.
    Stale,
    /// It may be carried out.
    Approved(Approval),
}

/// Judges what is planned now: `wanted` is `spec.approvedPlan`, `status` the plan published so far.
pub fn judge(
    wanted: Option<&str>,
    status: Option<&PlanStatus>,
    steps: &[Step],
    hash: Option<&str>,
) -> Verdict {
    let Some(wanted) = wanted else {
        return Verdict::Unapproved;
    };
    let under_way = status
        .and_then(Approval::recorded)
        .filter(|approval| approval.hash == wanted);
    if let Some(approval) = under_way {
        return if approval.covers(steps) {
            Verdict::Approved(approval)
        } else {
            Verdict::Stale
        };
    }
    let completed = status.and_then(|status| status.completed.as_deref()) == Some(wanted);
    if hash == Some(wanted) && !completed && steps.len() <= PlanStatus::MAX_APPROVED {
        Verdict::Approved(Approval::of(wanted, steps))
    } else if completed || steps.is_empty() {
        Verdict::Unapproved
    } else {
        Verdict::Stale
    }
}

/// Another plan was approved than there is now.
pub fn stale(approved: &str) -> Problem {
    Problem::blocked(
        Reason::ApprovalStale,
        format!(
            "spec.approvedPlan {approved} is not the plan there is now: the spec, the cluster or the cloud have moved since it was approved. Nothing is written. Read status.plan, and set spec.approvedPlan to its hash if you agree."
        ),
    )
    .waiting_for_a_person()
}

/// A plan waits for its approval.
pub fn unapproved(steps: usize, hash: Option<&str>) -> Problem {
    let planned = match steps {
        1 => "1 step is planned".to_owned(),
        steps => format!("{steps} steps are planned"),
    };
    let remedy = match hash {
        Some(hash) => format!(
            "Set spec.approvedPlan: {hash} to have exactly that done, or mode: Apply for all there is and will be."
        ),
        None => "It cannot be approved before all it depends on can be read.".to_owned(),
    };
    Problem::blocked(
        Reason::PlanOnly,
        format!("spec.mode is Plan: {planned}, see status.plan. Nothing is written. {remedy}"),
    )
    .waiting_for_a_person()
}
