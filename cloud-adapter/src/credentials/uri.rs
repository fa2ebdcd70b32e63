//! Temporary keys from an HTTP address.

use std::time::Duration;

use super::{Credentials, TemporaryKeys, failed};
use crate::error::CloudError;

const SOURCE: &str = "credentials URI";
const ADVICE: &str = "check ALIBABA_CLOUD_CREDENTIALS_URI and the service behind it";
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn fetch(http: &reqwest::Client, uri: &str) -> Result<Credentials, CloudError> {
    // The address may carry a token, so it is not repeated in messages.
    let unreachable = |error: reqwest::Error| {
        let message = format!("the address did not answer: {}", error.without_url());
        failed(SOURCE, "Transport", &message, ADVICE)
    };
    let answer = http
        .get(uri)
        .timeout(TIMEOUT)
        .send()
        .await
        .map_err(unreachable)?;
    let status = answer.status();
    if !status.is_success() {
        let message = format!("the address answered {status}");
        return Err(failed(SOURCE, "Refused", &message, ADVICE));
    }
    let body = answer.bytes().await.map_err(unreachable)?;
    let keys: TemporaryKeys = serde_json::from_slice(&body).map_err(|_| {
        failed(
            SOURCE,
            "UnreadableAnswer",
            "the answer is not the documented JSON",
            ADVICE,
        )
    })?;
    keys.into_credentials(SOURCE, ADVICE)
}
