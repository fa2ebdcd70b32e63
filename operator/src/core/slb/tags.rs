//! Tags of a load balancer: whose they are.

use std::collections::BTreeMap;

/// Tags that the cloud controller manager gives, and never takes away.
const OWN: [&str; 3] = [
    "kubernetes.do.not.delete",
    "ack.aliyun.com",
    "kubernetes.reused.by.user",
];

/// The keys of tags that neither the cloud controller manager nor the cloud itself gave.
fn of_others(tags: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    let keys = tags.keys().map(String::as_str);
    keys.filter(|key| !OWN.contains(key) && !key.starts_with("acs:"))
}

/// The keys of tags that somebody else gave and that go once `wanted` is set: the cloud controller
/// manager then removes every other one.
pub(in crate::core) fn lost(
    wanted: &BTreeMap<String, String>,
    there: &BTreeMap<String, String>,
) -> Option<String> {
    let lost: Vec<&str> = of_others(there)
        .filter(|key| !wanted.contains_key(*key))
        .collect();
    (!lost.is_empty()).then(|| lost.join(", "))
}
