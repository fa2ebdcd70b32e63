//! Where a class's credentials come from.

use std::path::PathBuf;

use cloud_adapter::credentials::{
    Credentials, CredentialsSource, ECS_METADATA_URL, OidcSource, process_environment,
};
use cloud_adapter::operations::Product;
use crds::keys::cloud_secret;
use crds::v1alpha1::{Cloud, CredentialsType, Reason};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;

use super::{Clouds, Trouble, refusal};
use crate::core::problem::Problem;

impl Clouds {
    /// Where a class's credentials come from, and the version of the Secret they are in.
    pub(super) async fn source(
        &self,
        cloud: &Cloud,
    ) -> Result<(CredentialsSource, String), Trouble> {
        let credentials = &cloud.credentials;
        let source = match credentials.type_ {
            CredentialsType::Environment => CredentialsSource::Environment(process_environment()),
            CredentialsType::ECSRAMRole => CredentialsSource::EcsRamRole {
                role: credentials
                    .ecs_ram_role
                    .as_ref()
                    .and_then(|role| role.role_name.clone()),
                base_url: ECS_METADATA_URL.to_owned(),
            },
            CredentialsType::CredentialsURI => {
                let uri = credentials.credentials_uri.as_ref();
                CredentialsSource::Uri(uri.map(|uri| uri.uri.clone()).unwrap_or_default())
            }
            CredentialsType::RRSA => CredentialsSource::Oidc(self.oidc(cloud)),
            CredentialsType::Secret => return self.secret(cloud).await,
        };
        Ok((source, String::new()))
    }

    fn oidc(&self, cloud: &Cloud) -> OidcSource {
        let rrsa = cloud.credentials.rrsa.as_ref();
        let token_file = rrsa.and_then(|rrsa| rrsa.token_file.clone());
        let mounted = || std::env::var("ALIBABA_CLOUD_OIDC_TOKEN_FILE").ok();
        let usual = "/var/run/secrets/ack.alibabacloud.com/rrsa-tokens/token";
        OidcSource {
            role_arn: rrsa.map(|rrsa| rrsa.role_arn.clone()).unwrap_or_default(),
            provider_arn: rrsa
                .map(|rrsa| rrsa.oidc_provider_arn.clone())
                .unwrap_or_default(),
            token_file: PathBuf::from(
                token_file
                    .or_else(mounted)
                    .unwrap_or_else(|| usual.to_owned()),
            ),
            session_name: rrsa
                .and_then(|rrsa| rrsa.session_name.clone())
                .unwrap_or_else(|| "gatewaybinding-operator".to_owned()),
            sts_url: self.endpoints(cloud).url(Product::Sts, &cloud.region_id),
        }
    }

    async fn secret(&self, cloud: &Cloud) -> Result<(CredentialsSource, String), Trouble> {
        let Some(place) = &cloud.credentials.secret else {
            return Err(Trouble::from(Problem::blocked(
                Reason::InvalidSpec,
                "cloud.credentials.secret is not set.",
            )));
        };
        let api: Api<Secret> = Api::namespaced(self.runtime.client.clone(), &place.namespace);
        let secret = api.get_opt(&place.name).await.map_err(|error| {
            let refusal = refusal(&error, "it to rbac.credentialSecrets");
            let problem = format!("Secret {place} cannot be read: {}", refusal.message);
            Trouble::from(Problem::retry(refusal.reason, problem))
        })?;
        let Some(secret) = secret else {
            return Err(Trouble::from(Problem::unresolved(
                Reason::SecretNotFound,
                format!(
                    "cloud.credentials.secret: there is no Secret {place}. Create it with the entries accessKeyId and accessKeySecret."
                ),
            )));
        };
        let entry = |key: &str| {
            let data = secret.data.as_ref()?.get(key)?;
            String::from_utf8(data.0.clone())
                .ok()
                .map(|text| text.trim().to_owned())
        };
        let required = |key: &str| {
            entry(key).filter(|value| !value.is_empty()).ok_or_else(|| {
                Trouble::from(Problem::unresolved(
                    Reason::SecretInvalid,
                    format!(
                        "cloud.credentials.secret: Secret {place} has no entry \"{key}\". Add it."
                    ),
                ))
            })
        };
        let credentials = Credentials {
            access_key_id: required(cloud_secret::ACCESS_KEY_ID)?,
            secret: SecretString::from(required(cloud_secret::ACCESS_KEY_SECRET)?),
            security_token: entry(cloud_secret::SECURITY_TOKEN).map(SecretString::from),
            expires: None,
        };
        Ok((
            CredentialsSource::Static(credentials),
            secret.resource_version().unwrap_or_default(),
        ))
    }
}
