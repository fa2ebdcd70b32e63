//! What a plan takes of the product's quotas, as far as an inventory tells what is used.
//!
//! The limits are the documented defaults of API Gateway ("Limits" of the product's documentation).
//! An account may have others, so nothing is refused for them: they are told to whoever reads a plan.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::Inventory;
use serde::Serialize;

use super::key::ObjectKey;
use super::observed::Lookup;
use super::plan::{Action, Step};

/// API groups of an account in a region.
const GROUPS: usize = 200;
/// APIs of a group.
const APIS: usize = 1000;
/// Plugins of an account in a region: each throttling policy is one.
const POLICIES: usize = 1000;

/// What is used of a quota, and what a plan changes about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    /// What is counted.
    pub quota: Counted,
    /// Where it is counted: the name of the group; absent: in the account and region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The documented default.
    pub limit: usize,
    /// How many there are.
    pub used: usize,
    /// How many there will be.
    pub after: usize,
}

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Counted {
    /// API groups of an account in a region.
    GroupsPerRegion,
    /// APIs of a group.
    #[serde(rename = "APIsPerGroup")]
    ApisPerGroup,
    /// Plugins of an account in a region.
    PluginsPerRegion,
}

impl Quota {
    /// How many more there may be after the plan; none: the plan goes beyond the limit.
    pub fn left(&self) -> Option<usize> {
        self.limit.checked_sub(self.after)
    }
}

/// The quotas that these steps change something about. What several of them would create, or remove,
/// because bindings share it counts once.
pub fn quotas(steps: &[Step], inventory: &Inventory) -> Vec<Quota> {
    let mut changes: BTreeMap<(Counted, Option<&str>), (usize, usize)> = BTreeMap::new();
    let mut counted = BTreeSet::new();
    for step in steps.iter().filter(|step| counted.insert(&step.key)) {
        let place = match &step.key {
            ObjectKey::Group { .. } => (Counted::GroupsPerRegion, None),
            ObjectKey::Api(api) => (Counted::ApisPerGroup, Some(api.group.as_str())),
            ObjectKey::Policy { .. } => (Counted::PluginsPerRegion, None),
            _ => continue,
        };
        let (more, fewer) = match step.operation.action() {
            Action::Create => (1, 0),
            Action::Update => continue,
            Action::Delete => (0, 1),
        };
        let change = changes.entry(place).or_default();
        change.0 += more;
        change.1 += fewer;
    }
    changes
        .into_iter()
        .map(|((quota, group), (more, fewer))| {
            let (limit, used) = match quota {
                Counted::GroupsPerRegion => (GROUPS, inventory.groups.len()),
                Counted::ApisPerGroup => (APIS, apis(group.unwrap_or_default(), inventory)),
                Counted::PluginsPerRegion => (POLICIES, inventory.policies.len()),
            };
            Quota {
                quota,
                group: group.map(str::to_owned),
                limit,
                used,
                after: (used + more).saturating_sub(fewer),
            }
        })
        .collect()
}

fn apis(group: &str, inventory: &Inventory) -> usize {
    inventory.group(group).map_or(0, |group| {
        let apis = inventory.apis.values();
        apis.filter(|api| api.group == group.id).count()
    })
}
