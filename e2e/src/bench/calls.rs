//! The operator's calls of the cloud, counted.

use std::collections::BTreeMap;

use alicloud_emulator::calls::Call;
use serde::Serialize;

/// Reads that answer with a page of many objects; every other read is about one object.
const LISTS: [&str; 8] = [
    "DescribeApiGroups",
    "DescribeApis",
    "DescribeAppAttributes",
    "DescribeAuthorizedApis",
    "DescribeLoadBalancers",
    "DescribePluginApis",
    "DescribePlugins",
    "DescribeVpcAccesses",
];

/// How often each action was sent.
pub(super) type ByAction = BTreeMap<String, u64>;

/// Calls by what they are. Repeated sends count each time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Calls {
    /// Calls that change something.
    pub mutating: ByAction,
    /// Pages of lists.
    pub lists: ByAction,
    /// Reads of one object.
    pub details: ByAction,
    /// Calls refused for the quota, which are counted above as well.
    pub throttled: ByAction,
    /// Calls refused otherwise, with the code, which are counted above as well.
    pub refused: ByAction,
}

impl Calls {
    pub(super) fn of(calls: &[Call]) -> Self {
        let mut counted = Self::default();
        let add = |to: &mut ByAction, key: &str| *to.entry(key.to_owned()).or_default() += 1;
        for call in calls {
            let action = call.action.as_str();
            let kind = if call.mutating {
                &mut counted.mutating
            } else if LISTS.contains(&action) {
                &mut counted.lists
            } else {
                &mut counted.details
            };
            add(kind, action);
            if call.outcome.starts_with("Throttling") {
                add(&mut counted.throttled, action);
            } else if call.outcome != "ok" {
                add(&mut counted.refused, &format!("{action}: {}", call.outcome));
            }
        }
        counted
    }
}

/// The sum over all actions.
pub(super) fn total(by_action: &ByAction) -> u64 {
    by_action.values().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(action: &str, outcome: &str) -> Call {
        serde_json::from_value(serde_json::json!({
            "time": "2026-01-01T00:00:00Z", "product": null, "action": action, "outcome": outcome,
            "mutating": alicloud_emulator::calls::is_mutating(action), "answered": true,
            "requestId": "", "accessKeyId": "", "ids": {},
        }))
        .unwrap()
    }

    #[test]
    fn calls_are_sorted_by_what_they_do_and_how_they_ended() {
        let calls = [
            call("CreateApi", "Throttling.User"),
            call("CreateApi", "ok"),
            call("DescribeApis", "ok"),
            call("DescribeApi", "NotFoundApi"),
        ];
        let calls = Calls::of(&calls);
        assert_eq!(calls.mutating["CreateApi"], 2);
        assert_eq!(calls.lists["DescribeApis"], 1);
        assert_eq!(calls.details["DescribeApi"], 1);
        assert_eq!(calls.throttled["CreateApi"], 1);
        assert_eq!(calls.refused["DescribeApi: NotFoundApi"], 1);
        assert_eq!(total(&calls.mutating), 2);
    }

    #[test]
    fn every_list_is_an_action_that_the_adapter_sends() {
        for action in LISTS {
            let known = cloud_adapter::operations::ALL
                .iter()
                .any(|operation| operation.action() == action);
            assert!(known, "{action}");
        }
    }
}
