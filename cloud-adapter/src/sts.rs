//! Who the credentials belong to (Sts 2015-04-01).

use serde::Deserialize;

use crate::call::RpcCall;
use crate::client::Client;
use crate::error::CloudError;
use crate::operations::GET_CALLER_IDENTITY;

/// The identity behind the credentials.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallerIdentity {
    /// 16 digits.
    pub account_id: String,
    /// `acs:ram::<account>:user/…` or `…:assumed-role/…`.
    pub arn: String,
    /// `Account`, `RAMUser` or `AssumedRoleUser`.
    #[serde(default)]
    pub identity_type: String,
}

/// Asks the cloud; needs no permission.
///
/// # Errors
/// As [`Client::call`].
pub async fn caller_identity(client: &Client) -> Result<CallerIdentity, CloudError> {
    client.call_as(RpcCall::new(GET_CALLER_IDENTITY)).await
}
