//! The tags by which the controller finds what it made, and waiting for it.

use std::time::Duration;

use serde_json::Value;

use super::failure::Failure;
use super::names::{self, tag_value};
use crate::ccm::{Args, Cloud, SyncError};

/// One AlbConfig at work.
pub(super) struct Stack<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) cluster_id: &'a str,
    pub(super) albconfig: &'a str,
    pub(super) second: Duration,
}

impl Stack<'_> {
    /// What all resources of the AlbConfig carry.
    pub(super) fn tags(&self) -> Vec<(&'static str, String)> {
        let id = format!("{}/{}", names::GROUP_NAMESPACE, self.albconfig);
        vec![
            (names::ALBCONFIG_TAG, tag_value(&id)),
            (names::CLUSTER_TAG, self.cluster_id.to_owned()),
        ]
    }

    /// Waits as long as the real controller would wait so many seconds.
    pub(super) async fn wait(&self, seconds: u32) {
        tokio::time::sleep(self.second.saturating_mul(seconds)).await;
    }

    /// Calls until the object may be changed, as often as the controller does: every two seconds
    /// for twenty.
    pub(super) async fn retried(
        &self,
        action: &str,
        args: Args,
        codes: &[&str],
    ) -> Result<Value, SyncError> {
        let mut tries = 0;
        loop {
            match self.cloud.alb(action, args.clone()).await {
                Err(SyncError::Cloud { code, .. })
                    if codes.contains(&code.as_str()) && tries < 10 =>
                {
                    tries += 1;
                    self.wait(2).await;
                }
                other => return other,
            }
        }
    }

    /// All items of a list.
    pub(super) async fn list(
        &self,
        action: &str,
        args: Args,
        name: &str,
    ) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut token = String::new();
        loop {
            let args = match token.as_str() {
                "" => args.clone(),
                token => args.clone().with("NextToken", token),
            };
            let answer = self.cloud.alb(action, args).await?;
            let items = answer.get(name).and_then(Value::as_array);
            all.extend(items.into_iter().flatten().cloned());
            crate::ccm::text(&answer, "NextToken").clone_into(&mut token);
            if token.is_empty() {
                return Ok(all);
            }
        }
    }
}

/// Tags as parameters.
pub(super) fn tag_args<'a>(tags: impl IntoIterator<Item = (&'a str, String)>) -> Args {
    tags.into_iter()
        .zip(1..)
        .fold(Args::default(), |args, ((key, value), number)| {
            args.with(&format!("Tag.{number}.Key"), key)
                .with(&format!("Tag.{number}.Value"), value)
        })
}

/// The value of a tag of something that was listed.
pub(super) fn tag<'a>(object: &'a Value, key: &str) -> &'a str {
    let tags = object.get("Tags").and_then(Value::as_array);
    let mut tags = tags.into_iter().flatten();
    tags.find(|tag| tag["Key"] == key)
        .map_or("", |tag| crate::ccm::text(tag, "Value"))
}
