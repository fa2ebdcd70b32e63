//! The log of all API calls.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alb::RuleWrite;
use crate::api::{Params, Product};

/// Entries kept; older ones go first.
const LIMIT: usize = 500_000;

/// One call, without any secret in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// When it came.
    pub time: Timestamp,
    /// The product; absent when the version named none.
    pub product: Option<Product>,
    /// The action as sent.
    pub action: String,
    /// `ok`, or the code of the refusal.
    pub outcome: String,
    /// Whether the action changes something.
    pub mutating: bool,
    /// Whether the caller got the answer; false where a fault swallowed it.
    pub answered: bool,
    /// The id in the answer.
    pub request_id: String,
    /// The key that signed.
    pub access_key_id: String,
    /// Ids and names in the request and the answer, by parameter name.
    pub ids: BTreeMap<String, String>,
    /// Parameters that were sent although the action has no such parameter; the cloud ignores them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_parameters: Vec<String>,
    /// What it did to forwarding rules of application load balancers: which are new or gone, which
    /// changed, and which were written as they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleWrite>,
}

/// All calls since the start or the last clearing.
#[derive(Debug, Default)]
pub struct CallLog {
    calls: std::collections::VecDeque<Call>,
}

impl CallLog {
    /// Adds a call.
    pub fn push(&mut self, call: Call) {
        if self.calls.len() >= LIMIT {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    /// Forgets all calls.
    pub fn clear(&mut self) {
        self.calls.clear();
    }

    /// All calls, oldest first.
    pub fn to_vec(&self) -> Vec<Call> {
        self.calls.iter().cloned().collect()
    }
}

/// Whether an action changes something in the cloud.
pub fn is_mutating(action: &str) -> bool {
    const READS: [&str; 10] = [
        "Describe",
        "List",
        "Get",
        "Query",
        "Export",
        "DryRun",
        "Validate",
        "AssumeRole",
        "SdkGenerate",
        "Inquiry",
    ];
    !READS.iter().any(|prefix| action.starts_with(prefix))
}

/// The ids and names of a call that help to tell what it was about.
pub(crate) fn main_ids(
    params: Option<&Params>,
    answer: Option<&Value>,
) -> BTreeMap<String, String> {
    let telling = |name: &str| {
        name == "ListenerPort"
            || name.ends_with("Name")
            || (["Id", "Ids"].iter().any(|end| name.ends_with(end))
                && !["AccessKeyId", "RegionId", "RequestId"].contains(&name))
    };
    let sent = params
        .into_iter()
        .flat_map(Params::iter)
        .filter(|(name, value)| telling(name) && !value.is_empty());
    let mut ids: BTreeMap<String, String> = sent
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for (name, value) in answer.and_then(Value::as_object).into_iter().flatten() {
        match value {
            Value::String(text) if telling(name) && !text.is_empty() => {
                ids.insert(name.clone(), text.clone());
            }
            Value::Number(number) if telling(name) => {
                ids.insert(name.clone(), number.to_string());
            }
            _ => {}
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_told_from_writes() {
        assert!(!is_mutating("DescribeApis"));
        assert!(!is_mutating("ListTagResources"));
        assert!(!is_mutating("AssumeRoleWithOIDC"));
        assert!(is_mutating("DeployApi"));
        assert!(is_mutating("TagResources"));
    }

    #[test]
    fn ids_of_request_and_answer_are_kept_and_secrets_are_not() {
        let sent = [
            ("GroupId", "g"),
            ("AccessKeyId", "k"),
            ("AppCode", "secret"),
            ("ApiName", "n"),
        ];
        let params = Params::new(
            Product::CloudApi,
            sent.map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let answer = serde_json::json!({"ApiId": "a", "AppId": 7, "Secret": "s"});
        let ids = main_ids(Some(&params), Some(&answer));
        let ids: Vec<_> = ids
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            ids,
            [
                ("ApiId", "a"),
                ("ApiName", "n"),
                ("AppId", "7"),
                ("GroupId", "g")
            ]
        );
    }
}
