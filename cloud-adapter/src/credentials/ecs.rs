//! The RAM role of an ECS instance, from its metadata service, version 2 (with a session token).

use std::time::Duration;

use super::{Credentials, TemporaryKeys, failed};
use crate::error::CloudError;

const SOURCE: &str = "ECS RAM role";
const ADVICE: &str = "check that the node has a RAM role and that pods may reach its metadata \
                      service, or name another credentials source";
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn fetch(
    http: &reqwest::Client,
    role: Option<&str>,
    base_url: &str,
) -> Result<Credentials, CloudError> {
    let base = base_url.trim_end_matches('/');
    let token = text(
        http.put(format!("{base}/latest/api/token"))
            .header("X-aliyun-ecs-metadata-token-ttl-seconds", "60"),
    )
    .await?;
    let get = |path: &str| {
        http.get(format!("{base}/latest/meta-data/{path}"))
            .header("X-aliyun-ecs-metadata-token", token.trim())
    };
    let role = match role {
        Some(role) => role.to_owned(),
        None => text(get("ram/security-credentials/"))
            .await?
            .trim()
            .to_owned(),
    };
    let keys = text(get(&format!("ram/security-credentials/{role}"))).await?;
    let keys: TemporaryKeys = serde_json::from_str(&keys).map_err(|_| {
        let message = format!("the metadata service's answer for role {role:?} cannot be read");
        failed(SOURCE, "UnreadableAnswer", &message, ADVICE)
    })?;
    keys.into_credentials(SOURCE, ADVICE)
}

async fn text(request: reqwest::RequestBuilder) -> Result<String, CloudError> {
    let unreachable = |error: reqwest::Error| {
        let message = format!(
            "the metadata service did not answer: {}",
            error.without_url()
        );
        failed(SOURCE, "Transport", &message, ADVICE)
    };
    let answer = request.timeout(TIMEOUT).send().await.map_err(unreachable)?;
    let status = answer.status();
    if !status.is_success() {
        let message = format!("the metadata service answered {status}");
        return Err(failed(SOURCE, "Refused", &message, ADVICE));
    }
    answer.text().await.map_err(unreachable)
}
