//! The guard against mass changes: what a class lets go in one go, and what it holds.

// As in `policy`: the schema of an optional enum would otherwise lose the description of its field.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much may be deleted in one go, alone or to be made anew. Services, groups, backends, policies
/// and APIs that bindings of the class claim are counted, and consumers in its account.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MassChangeGuard {
    /// Enabled holds what goes beyond the limits until a person confirms it, Disabled holds nothing.
    /// Default: Enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "MassChangeGuardState")]
    pub state: Option<MassChangeGuardState>,

    /// The most objects that may go in one go, which is within ten minutes. 0: each removal asks for
    /// a confirmation. Default: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 100_000))]
    pub max_objects: Option<i32>,

    /// The most of all objects of the class that may go in one go, in percent. It counts once there
    /// are more than ten objects to go, so that small fleets are not held up by it. Default: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 100))]
    pub max_percent: Option<i32>,

    /// The token of status.massChange.held: exactly what it stands for may go. For anything else it
    /// means nothing, so it may stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 16), regex(pattern = r"^[0-9a-f]{16}$"))]
    pub confirmed: Option<String>,
}

/// Whether mass changes are held.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MassChangeGuardState {
    /// They are held until a person confirms them.
    #[default]
    Enabled,
    /// They are not.
    Disabled,
}

impl MassChangeGuard {
    /// So many objects may go whatever their share is.
    pub const SHARE_COUNTS_ABOVE: usize = 10;

    /// Whether mass changes are held.
    #[must_use]
    pub fn state(&self) -> MassChangeGuardState {
        self.state.unwrap_or_default()
    }

    /// The most objects that may go in one go.
    #[must_use]
    pub fn max_objects(&self) -> i32 {
        self.max_objects.unwrap_or(50)
    }

    /// The most of all objects that may go in one go, in percent.
    #[must_use]
    pub fn max_percent(&self) -> i32 {
        self.max_percent.unwrap_or(30)
    }
}

/// What the guard against mass changes does. It is there only while the guard does something.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MassChangeStatus {
    /// What is held until a person confirms it, or until what asks for it is undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldChange>,

    /// What a person confirmed and is not yet done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<ConfirmedChange>,
}

/// A mass change that is held.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HeldChange {
    /// Stands for exactly these objects. To let them go, set spec.massChangeGuard.confirmed to it.
    #[schemars(length(max = 16))]
    pub token: String,

    /// How many objects would be deleted.
    #[schemars(range(min = 0))]
    pub objects: i32,

    /// How many objects the class has in all.
    #[schemars(range(min = 0))]
    pub total: i32,

    /// How many went within the ten minutes before; they count as well.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub gone_before: i32,

    /// Some of the objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub examples: Vec<String>,
}

impl HeldChange {
    /// The most objects that are named.
    pub const MAX_EXAMPLES: usize = 8;
}

/// A mass change that a person confirmed.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmedChange {
    /// The token that was confirmed last.
    #[schemars(length(max = 16))]
    pub token: String,

    /// The objects that are still to go, each as a short digest, so that nothing else can go with
    /// them, also after a restart of the operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000), inner(length(max = 16)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub digests: Vec<String>,
}

impl ConfirmedChange {
    /// The most objects of one confirmation. What is beyond it waits for one of its own.
    pub const MAX_OBJECTS: usize = 10_000;
}

// serde asks for a reference.
#[expect(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &i32) -> bool {
    *number == 0
}
