//! A service account token exchanged for a role: STS `AssumeRoleWithOIDC`, an unsigned call.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Credentials, EnvLookup, TemporaryKeys, failed};
use crate::error::CloudError;
use crate::operations::ASSUME_ROLE_WITH_OIDC;
use crate::sign;

const SOURCE: &str = "OIDC";
const ADVICE: &str = "check that RRSA is enabled, that the role trusts this service account, and \
                      the annotations of the service account and its namespace";
const TIMEOUT: Duration = Duration::from_secs(10);

/// What `AssumeRoleWithOIDC` needs. On ACK the pod identity webhook sets it all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcSource {
    /// `ALIBABA_CLOUD_ROLE_ARN`.
    pub role_arn: String,
    /// `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`.
    pub provider_arn: String,
    /// `ALIBABA_CLOUD_OIDC_TOKEN_FILE`; read again each time, since kubelet rotates it.
    pub token_file: PathBuf,
    /// `ALIBABA_CLOUD_ROLE_SESSION_NAME`; shown in audit logs.
    pub session_name: String,
    /// Base URL of STS.
    pub sts_url: String,
}

impl OidcSource {
    /// From the variables that the pod identity webhook of ACK sets.
    pub fn from_env(lookup: &EnvLookup, sts_url: &str) -> Result<Self, CloudError> {
        let required = |name: &str| {
            lookup(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| {
                    let message = format!("the environment variable {name} is not set");
                    failed(SOURCE, "Missing", &message, ADVICE)
                })
        };
        Ok(Self {
            role_arn: required("ALIBABA_CLOUD_ROLE_ARN")?,
            provider_arn: required("ALIBABA_CLOUD_OIDC_PROVIDER_ARN")?,
            token_file: required("ALIBABA_CLOUD_OIDC_TOKEN_FILE")?.into(),
            session_name: lookup("ALIBABA_CLOUD_ROLE_SESSION_NAME")
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "gatewaybinding-operator".to_owned()),
            sts_url: sts_url.trim_end_matches('/').to_owned(),
        })
    }

    pub(super) async fn fetch(
        &self,
        http: &reqwest::Client,
        now: Timestamp,
    ) -> Result<Credentials, CloudError> {
        let token = tokio::fs::read_to_string(&self.token_file).await;
        let token = token.map_err(|error| {
            let message = format!(
                "the token file {} cannot be read: {error}",
                self.token_file.display()
            );
            failed(SOURCE, "TokenFile", &message, ADVICE)
        })?;
        let (query, form) = self.parameters(token.trim(), now);
        let url = format!("{}/?{query}", self.sts_url.trim_end_matches('/'));
        let unreachable = |error: reqwest::Error| {
            let message = format!("STS did not answer: {}", error.without_url());
            failed(SOURCE, "Transport", &message, "check the way to STS")
        };
        let answer = http
            .post(url)
            .header("content-type", sign::FORM_CONTENT_TYPE)
            .timeout(TIMEOUT)
            .body(form)
            .send()
            .await
            .map_err(unreachable)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(unreachable)?;
        read_answer(status.as_u16(), &body)
    }

    /// The token goes into the form, which access logs do not keep.
    fn parameters(&self, token: &str, now: Timestamp) -> (String, String) {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let query = map(&[
            ("Action", ASSUME_ROLE_WITH_OIDC.action()),
            ("Version", ASSUME_ROLE_WITH_OIDC.product().version()),
            ("Format", "JSON"),
            ("Timestamp", &now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ("SignatureNonce", &crate::transport::nonce()),
        ]);
        let form = map(&[
            ("RoleArn", &self.role_arn),
            ("OIDCProviderArn", &self.provider_arn),
            ("OIDCToken", token),
            ("RoleSessionName", &self.session_name),
            ("DurationSeconds", "3600"),
        ]);
        (sign::encode(&query), sign::encode(&form))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    credentials: Option<TemporaryKeys>,
    code: Option<String>,
    message: Option<String>,
}

fn read_answer(status: u16, body: &[u8]) -> Result<Credentials, CloudError> {
    let unreadable = || {
        let message = format!("the answer of STS (status {status}) cannot be read");
        failed(SOURCE, "UnreadableAnswer", &message, "check the way to STS")
    };
    let answer: Answer = serde_json::from_slice(body).map_err(|_| unreadable())?;
    match answer.credentials {
        Some(keys) if status < 300 => keys.into_credentials(SOURCE, ADVICE),
        _ => {
            let code = answer.code.ok_or_else(unreadable)?;
            let message = answer.message.unwrap_or_default();
            let message = format!("STS refuses to assume the role: {message}");
            Err(failed(SOURCE, &code, &message, ADVICE))
        }
    }
}
