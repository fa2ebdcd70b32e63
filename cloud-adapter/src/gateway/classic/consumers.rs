//! Consumers are apps: an AppCode is an API key, AppKey and AppSecret are a key pair.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::tags::{Tags, mark};
use super::{Listed, check, gone_is_fine, pages};
use crate::call::RpcCall;
use crate::client::Client;
use crate::error::{CloudError, Effect};
use crate::gateway::model::{Consumer, ConsumerId, ConsumerSpec, Credential, Marker};
use crate::operations::*;
use crate::pages::incomplete;

const PAGE: usize = 100;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct App {
    app_id: u64,
    app_name: String,
    description: String,
    disabled: bool,
    tags: Tags,
}

/// `DescribeAppAttributes`, since `DescribeApps` is limited to 200 calls a day.
pub(super) async fn list(client: &Client) -> Result<Listed<Consumer>, CloudError> {
    let call = RpcCall::new(DESCRIBE_APP_ATTRIBUTES);
    let items = ("Apps", "AppAttribute");
    let listed = pages::all(client, call, PAGE, items, &["AppId"]).await?;
    Ok(listed.map(consumer))
}

fn consumer(app: App) -> Consumer {
    Consumer {
        id: ConsumerId(app.app_id.to_string()),
        marker: app.tags.marker(),
        spec: ConsumerSpec {
            name: app.app_name,
            description: app.description,
            disabled: app.disabled,
        },
    }
}

pub(super) async fn create(
    client: &Client,
    spec: &ConsumerSpec,
    credentials: &[Credential],
    marker: &Marker,
) -> Result<ConsumerId, CloudError> {
    check::consumer(spec)?;
    check::check_marker(marker)?;
    check::first_credentials(credentials)?;
    let call = RpcCall::new(CREATE_APP)
        .query("AppName", &spec.name)
        .query("Description", &spec.description);
    let call = credentials.iter().fold(mark(call, marker), secrets);
    let made: App = client.call_as(call).await?;
    let id = ConsumerId(super::made(CREATE_APP, made.app_id.to_string())?);
    if spec.disabled {
        // The app exists whatever happened here: the caller has to look.
        let unknown = |error| CloudError {
            effect: Effect::Unknown,
            ..error
        };
        update(client, &id, spec).await.map_err(unknown)?;
    }
    Ok(id)
}

/// Secrets travel in the form, which access logs do not keep.
fn secrets(call: RpcCall, credential: &Credential) -> RpcCall {
    match credential {
        Credential::ApiKey(key) => call.form("AppCode", key.expose_secret()),
        Credential::KeyPair { id, secret } => call
            .form("AppKey", id)
            .form("AppSecret", secret.expose_secret()),
    }
}

pub(super) async fn update(
    client: &Client,
    id: &ConsumerId,
    spec: &ConsumerSpec,
) -> Result<(), CloudError> {
    check::consumer(spec)?;
    let call = RpcCall::new(MODIFY_APP)
        .query("AppId", id)
        .query("AppName", &spec.name)
        .query("Description", &spec.description)
        .query("Disabled", spec.disabled);
    client.call(call).await.map(drop)
}

pub(super) async fn delete(client: &Client, id: &ConsumerId) -> Result<(), CloudError> {
    gone_is_fine(
        client
            .call(RpcCall::new(DELETE_APP).query("AppId", id))
            .await,
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Security {
    app_code: SecretString,
    app_key: String,
    app_secret: SecretString,
}

/// `DescribeAppSecurities` gives all; where the region does not have it yet, `DescribeAppSecurity`
/// gives the first. That there is none at all is believed only if both say so.
pub(super) async fn credentials(
    client: &Client,
    id: &ConsumerId,
) -> Result<Vec<Credential>, CloudError> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Answer {
        app_securitys: Securities,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Securities {
        app_security: Vec<Security>,
    }
    let call = RpcCall::new(DESCRIBE_APP_SECURITIES).query("AppId", id);
    let all = match client.call_as::<Answer>(call).await {
        Ok(answer) => answer.app_securitys.app_security,
        Err(error) if no_such_action(&error) => return first(client, id).await,
        Err(error) => return Err(error),
    };
    let all = distinct(all);
    if all.is_empty() && !first(client, id).await?.is_empty() {
        let message = format!("it has no credential of app {id}, of which there is one");
        return Err(incomplete(DESCRIBE_APP_SECURITIES, message));
    }
    Ok(all)
}

async fn first(client: &Client, id: &ConsumerId) -> Result<Vec<Credential>, CloudError> {
    let call = RpcCall::new(DESCRIBE_APP_SECURITY).query("AppId", id);
    let security: Security = client.call_as(call).await?;
    Ok(distinct(vec![security]))
}

fn no_such_action(error: &CloudError) -> bool {
    [
        "InvalidAction.NotFound",
        "InvalidApi.NotFound",
        "InvalidAction",
    ]
    .contains(&error.code.as_str())
}

/// An entry may hold a code, a key pair, or both; the same one may stand in several entries.
fn distinct(securities: Vec<Security>) -> Vec<Credential> {
    let mut codes: Vec<SecretString> = Vec::new();
    let mut pairs: Vec<(String, SecretString)> = Vec::new();
    for security in securities {
        let code = security.app_code.expose_secret();
        if !code.is_empty() && codes.iter().all(|known| known.expose_secret() != code) {
            codes.push(security.app_code.clone());
        }
        let key = &security.app_key;
        if !key.is_empty() && pairs.iter().all(|(known, _)| known != key) {
            pairs.push((security.app_key, security.app_secret));
        }
    }
    let pairs = pairs
        .into_iter()
        .map(|(id, secret)| Credential::KeyPair { id, secret });
    codes
        .into_iter()
        .map(Credential::ApiKey)
        .chain(pairs)
        .collect()
}

pub(super) async fn add_credential(
    client: &Client,
    id: &ConsumerId,
    credential: &Credential,
) -> Result<(), CloudError> {
    let operation = match credential {
        Credential::ApiKey(_) => CREATE_APP_CODE,
        Credential::KeyPair { .. } => CREATE_APP_KEY,
    };
    let call = RpcCall::new(operation).query("AppId", id);
    client.call(secrets(call, credential)).await.map(drop)
}

pub(super) async fn remove_credential(
    client: &Client,
    id: &ConsumerId,
    credential: &Credential,
) -> Result<(), CloudError> {
    let call = match credential {
        Credential::ApiKey(key) => {
            RpcCall::new(DELETE_APP_CODE).form("AppCode", key.expose_secret())
        }
        Credential::KeyPair { id, .. } => RpcCall::new(DELETE_APP_KEY).query("AppKey", id),
    };
    gone_is_fine(client.call(call.query("AppId", id)).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_apart_whatever_entries_they_stand_in() {
        let entry = |code: &str, key: &str| Security {
            app_code: code.into(),
            app_key: key.to_owned(),
            app_secret: "s".into(),
        };
        let found = distinct(vec![entry("c1", "k1"), entry("c2", "k1"), entry("", "k2")]);
        let shown: Vec<String> = found
            .iter()
            .map(|credential| match credential {
                Credential::ApiKey(code) => format!("code {}", code.expose_secret()),
                Credential::KeyPair { id, .. } => format!("pair {id}"),
            })
            .collect();
        assert_eq!(shown, ["code c1", "code c2", "pair k1", "pair k2"]);
        assert!(!format!("{found:?}").contains("c1"), "{found:?}");
    }
}
