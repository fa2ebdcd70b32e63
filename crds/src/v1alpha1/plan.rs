//! What `mode: Plan` publishes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What would be done.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
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

/// A step of a plan.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PlanStep {
    /// What the step does: Create, Update or Delete.
    pub action: PlanAction,

    /// What it does it to. Example: API/knative/default-helloworld-all.
    #[schemars(length(min = 1, max = 512))]
    pub object: String,

    /// The fields that change, as paths. Never with a value that is secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub fields: Vec<String>,

    /// What the step may do to traffic, in words; left out where it is harmless.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub risk: Option<String>,
}
