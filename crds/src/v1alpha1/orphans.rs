//! Orphans: things in cluster or cloud that carry the mark of ownership and belong to nobody.

// As in `policy`: the schema of an optional enum would otherwise lose the description of its field.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::GatewayBindingClassSpec;

/// What happens to things that carry the mark of ownership and belong to nobody.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OrphanPolicy {
    /// Say so in status, with an event and a metric, and leave them.
    #[default]
    Report,
    /// Remove those whose owner was seen to go without cleaning up.
    Collect,
}

/// What happens to things that carry the mark of ownership and belong to nobody: their binding or
/// consumer went without cleaning up, for instance because somebody removed its finalizer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassOrphans {
    /// Report says so in status and leaves them. Collect removes those whose owner the operator saw
    /// go without cleaning up, once nothing depends on them; what was left on purpose, and what
    /// nobody saw lose its owner, is reported only. With Collect, no other cluster may use the same
    /// cloud.clusterId. Default: Report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OrphanPolicy")]
    pub policy: Option<OrphanPolicy>,

    /// Complete looks at cluster and cloud, one drift interval apart, that must find a thing without
    /// an owner before it counts as an orphan. One that finds an owner starts the count again. Default:
    /// 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 3, max = 1000))]
    pub sweeps: Option<i32>,
}

impl ClassOrphans {
    /// Complete looks that must find a thing without an owner, if a class says nothing.
    pub const DEFAULT_SWEEPS: u32 = 3;
}

impl GatewayBindingClassSpec {
    /// What happens to orphans.
    #[must_use]
    pub fn orphan_policy(&self) -> OrphanPolicy {
        let orphans = self.orphans.as_ref();
        orphans
            .and_then(|orphans| orphans.policy)
            .unwrap_or_default()
    }

    /// Complete looks that must find a thing without an owner before it counts as an orphan.
    #[must_use]
    pub fn orphan_sweeps(&self) -> u32 {
        let orphans = self.orphans.as_ref();
        let sweeps = orphans.and_then(|orphans| orphans.sweeps);
        sweeps
            .and_then(|sweeps| u32::try_from(sweeps).ok())
            .unwrap_or_default()
            .max(ClassOrphans::DEFAULT_SWEEPS)
    }
}

/// How a thing lost its owner.
#[derive(
    Serialize,
    Deserialize,
    JsonSchema,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
)]
pub enum OrphanCause {
    /// The operator saw the last object that claimed it go without cleaning up.
    OwnerLost,
    /// The last object that claimed it was to leave it: deletionPolicy Retain, or detached.
    Retained,
    /// Nobody saw it.
    #[default]
    Unknown,
}

impl OrphanCause {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OwnerLost, Self::Retained, Self::Unknown];

    /// As status spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OwnerLost => "OwnerLost",
            Self::Retained => "Retained",
            Self::Unknown => "Unknown",
        }
    }
}

/// Something that carries the mark of ownership and belongs to nobody.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OrphanStatus {
    /// Kind of thing, in the words of ledgers. Examples: API, Group, Backend, Policy, Consumer, Service.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,

    /// Its id in the cloud, or the UID of a Kubernetes object.
    #[schemars(length(min = 1, max = 256))]
    pub id: String,

    /// Its name. Examples: knative/default_helloworld_all_1a2b3c4d, istio-system/intranet.
    #[schemars(length(max = 512))]
    pub name: String,

    /// The owner in its mark. Example: GatewayBinding/default/helloworld.
    #[schemars(length(max = 256))]
    pub owner: String,

    /// How it lost its owner: OwnerLost (the operator saw the last object that claimed it go without
    /// cleaning up), Retained (it was to be left: deletionPolicy Retain, or detached) or Unknown
    /// (nobody saw it). Only OwnerLost is ever collected.
    pub cause: OrphanCause,

    /// Whether it was found without an owner in as many looks in a row as the class asks for. It stays
    /// true until the thing has an owner again or is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirmed: bool,

    /// What depends on it, so that it is not collected; with policy Collect. Example: API
    /// knative/by-hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub needed_by: Option<String>,
}

impl OrphanStatus {
    /// The most orphans that a class's status shows; the rest is counted.
    pub const MAX: usize = 64;
}
