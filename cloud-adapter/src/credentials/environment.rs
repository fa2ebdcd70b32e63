//! Keys from environment variables.

use super::{Credentials, EnvLookup, failed};
use crate::error::CloudError;

const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

pub(super) fn read(lookup: &EnvLookup) -> Result<Credentials, CloudError> {
    let required = |name: &str| {
        lookup(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| {
                failed(
                    "environment",
                    "Missing",
                    &format!("the environment variable {name} is not set"),
                    "set it on the operator, or name another credentials source",
                )
            })
    };
    Ok(Credentials {
        access_key_id: required(ID)?,
        secret: required(SECRET)?.into(),
        security_token: lookup(TOKEN)
            .filter(|token| !token.is_empty())
            .map(Into::into),
        expires: None,
    })
}
