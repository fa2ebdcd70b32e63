//! Callers, what they prove themselves with, and what they may call.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{ApiId, ConsumerId, Environment, Marker};

/// A caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerSpec {
    /// Unique in the account.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Refused everywhere.
    pub disabled: bool,
}

/// A caller as it is. Its credentials are not part of it: see `ApiGateway::credentials`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Consumer {
    /// Made by the cloud.
    pub id: ConsumerId,
    /// What it says.
    pub spec: ConsumerSpec,
    /// Whose it is; none: somebody else's.
    pub marker: Option<Marker>,
}

/// Something a caller proves itself with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// One secret string (the classic product's AppCode).
    ApiKey(SecretString),
    /// An id and a secret to sign requests with (the classic product's AppKey and AppSecret).
    KeyPair {
        /// Sent with each request.
        id: String,
        /// Never sent.
        secret: SecretString,
    },
}

/// What a grant connects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GrantKey {
    /// The API.
    pub api: ApiId,
    /// Where.
    pub environment: Environment,
    /// Who.
    pub consumer: ConsumerId,
}

impl GrantKey {
    /// As one text.
    pub fn id(&self) -> String {
        let Self {
            api,
            environment,
            consumer,
        } = self;
        format!("{consumer}/{api}/{environment:?}")
    }
}

/// Permission of a consumer to call an API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What it connects.
    pub key: GrantKey,
    /// When it ends, to the second; none: never.
    pub until: Option<Timestamp>,
    /// Whether the provider made it, and so may revoke it. A caller of another account who bought
    /// the API has one that cannot be revoked.
    pub revocable: bool,
}
