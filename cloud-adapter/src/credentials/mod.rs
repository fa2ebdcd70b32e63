//! Who we are to the cloud. One configured source, no fall-through: a source that fails is an
//! error, never a reason to act under another, perhaps wider, identity.

mod ecs;
mod environment;
mod oidc;
mod provider;
mod uri;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

pub use oidc::OidcSource;
pub use provider::CredentialsProvider;

use crate::error::{CloudError, Effect, ErrorClass};

/// Base URL of the ECS instance metadata service.
pub const ECS_METADATA_URL: &str = "http://100.100.100.200";

/// Looks up an environment variable. Taken as a value so that tests need not change the process.
pub type EnvLookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The process's own environment.
pub fn process_environment() -> EnvLookup {
    Arc::new(|name| std::env::var(name).ok())
}

/// A key, and for temporary ones its token and end.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Sent in clear.
    pub access_key_id: String,
    /// Signs.
    pub secret: SecretString,
    /// Goes with temporary keys.
    pub security_token: Option<SecretString>,
    /// When they stop working; none: never.
    pub expires: Option<Timestamp>,
}

/// Where credentials come from.
#[derive(Clone)]
pub enum CredentialsSource {
    /// `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and, for temporary keys,
    /// `ALIBABA_CLOUD_SECURITY_TOKEN`.
    Environment(EnvLookup),
    /// A Kubernetes service account token exchanged for a role (RRSA; STS `AssumeRoleWithOIDC`).
    Oidc(OidcSource),
    /// The RAM role of the node, from its metadata service (version 2).
    EcsRamRole {
        /// The role; none: the one that the instance has.
        role: Option<String>,
        /// Usually [`ECS_METADATA_URL`].
        base_url: String,
    },
    /// An HTTP address that answers with temporary keys (`ALIBABA_CLOUD_CREDENTIALS_URI`).
    Uri(String),
    /// Given, for example from a Kubernetes Secret.
    Static(Credentials),
}

impl CredentialsSource {
    /// What the source is called in messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Environment(_) => "environment",
            Self::Oidc(_) => "OIDC",
            Self::EcsRamRole { .. } => "ECS RAM role",
            Self::Uri(_) => "credentials URI",
            Self::Static(_) => "Secret",
        }
    }
}

impl fmt::Debug for CredentialsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error of a source: `message` says what is wrong, `advice` what to do.
pub(crate) fn failed(source: &str, code: &str, message: &str, advice: &str) -> CloudError {
    CloudError {
        class: ErrorClass::Credentials,
        operation: format!("credentials from {source}"),
        code: code.to_owned(),
        message: format!("{message}; {advice}"),
        request_id: None,
        retry_after: None,
        effect: Effect::None,
    }
}

/// Temporary keys as the metadata service, a credentials URI and STS write them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct TemporaryKeys {
    code: String,
    access_key_id: String,
    access_key_secret: SecretString,
    security_token: SecretString,
    expiration: Option<Timestamp>,
}

impl TemporaryKeys {
    fn into_credentials(self, source: &str, advice: &str) -> Result<Credentials, CloudError> {
        use secrecy::ExposeSecret;
        if !(self.code.is_empty() || self.code == "Success") {
            let message = format!("the answer has Code {:?} instead of \"Success\"", self.code);
            return Err(failed(source, "Refused", &message, advice));
        }
        let incomplete = self.access_key_id.is_empty()
            || self.access_key_secret.expose_secret().is_empty()
            || self.security_token.expose_secret().is_empty();
        let Some(expires) = self.expiration.filter(|_| !incomplete) else {
            return Err(failed(
                source,
                "IncompleteAnswer",
                "the answer lacks one of AccessKeyId, AccessKeySecret, SecurityToken, Expiration",
                advice,
            ));
        };
        Ok(Credentials {
            access_key_id: self.access_key_id,
            secret: self.access_key_secret,
            security_token: Some(self.security_token),
            expires: Some(expires),
        })
    }
}
