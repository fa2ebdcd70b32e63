//! What `mode: Plan` publishes, and the approval of exactly that.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What would be done.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// Stands for exactly this plan: its steps with all their fields, and what they were compared
    /// with. In spec.approvedPlan it has this plan carried out. Left out where nothing is planned, or
    /// where not everything could be read that the plan depends on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), regex(pattern = crate::schema::SHA256))]
    pub hash: Option<String>,

    /// How many steps of each kind.
    pub summary: PlanSummary,

    /// The steps, in the order in which they would be done. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub steps: Vec<PlanStep>,

    /// How many more steps there are than are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub steps_omitted: Option<i32>,

    /// What stands in the way of the plan. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub blockers: Vec<String>,

    /// The approved plan that is being carried out. What is planned now is what is left of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<ApprovedPlan>,

    /// Hash of the approved plan that was carried out last. Every later plan has another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), regex(pattern = crate::schema::SHA256))]
    pub completed: Option<String>,
}

impl PlanStatus {
    /// The most steps that are shown; the rest is counted in `steps_omitted`.
    pub const MAX_STEPS: usize = 64;
    /// The most steps that an approved plan can have.
    pub const MAX_APPROVED: usize = 1024;
}

/// An approved plan that is being carried out.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ApprovedPlan {
    /// Its hash.
    #[schemars(length(max = 71), regex(pattern = crate::schema::SHA256))]
    pub hash: String,

    /// Digests of what its steps come to, so that after a restart nothing but them is done. At most
    /// 1024.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(max = 32)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub steps: Vec<String>,
}

/// How many steps of each kind a plan has.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// Things to create.
    #[schemars(range(min = 0))]
    pub create: i32,

    /// Things to change.
    #[schemars(range(min = 0))]
    pub update: i32,

    /// Things to delete.
    #[schemars(range(min = 0))]
    pub delete: i32,
}

/// What a step does.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum PlanAction {
    /// Create something.
    Create,
    /// Change something.
    Update,
    /// Delete something.
    Delete,
}

/// A field that a step sets.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PlanField {
    /// Its path. Example: backend.timeoutMs.
    #[schemars(length(min = 1, max = 512))]
    pub path: String,

    /// What is there, cut if it is long; left out where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub from: Option<String>,

    /// What will be there, cut if it is long; left out where nothing will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub to: Option<String>,
}

impl PlanField {
    /// The longest value that is shown whole, in characters.
    pub const MAX_VALUE: usize = 512;
}

/// A step of a plan.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PlanStep {
    /// What the step does: Create, Update or Delete.
    pub action: PlanAction,

    /// What it does it to. Example: API/knative/default-helloworld-all.
    #[schemars(length(min = 1, max = 512))]
    pub object: String,

    /// The fields that change, or all that are set on something new. At most 32. Never with a value
    /// that is secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub fields: Vec<PlanField>,

    /// How many more fields there are than are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub fields_omitted: Option<i32>,

    /// What a person should know before it is done, in words; left out where there is nothing in particular.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub risk: Option<String>,
}

impl PlanStep {
    /// The most fields that are shown; the rest is counted in `fields_omitted`.
    pub const MAX_FIELDS: usize = 32;
}
