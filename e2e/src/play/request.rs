//! A request the way a caller makes it, shown and made.

use anyhow::Context as _;
use crds::{GatewayConsumer, keys::consumer_secret};
use kube::{Api, api::DynamicObject};
use serde_json::Value;

use super::terminal::Terminal;
use crate::world::{Target, World};

/// Prints a `curl` through the emulated API gateway, makes that request, and shows the answer.
/// True if it was answered with 200.
pub(super) async fn through_the_front_door(
    world: &World,
    binding: &Target,
    terminal: &Terminal,
) -> anyhow::Result<bool> {
    let object = binding.api(world.client()).get(binding.name()).await?;
    let url = object
        .data
        .pointer("/status/urls/0")
        .and_then(Value::as_str)
        .context("status.urls is empty")?;
    let (_, rest) = url
        .split_once("://")
        .with_context(|| format!("status.urls has {url:?}"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let code = match api_key_of_a_caller(world, &object).await? {
        Some(code) => code,
        None => {
            terminal.say(&format!(
                "\n{binding} allows no caller with an API key of this cluster"
            ));
            return Ok(true);
        }
    };
    let authorization = format!("APPCODE {code}");
    terminal.say(&format!(
        "\n{binding}, through the emulated API gateway:\n\n    \
         curl -i -H 'Host: {host}' -H 'Authorization: {authorization}' {}/{path}\n",
        world.cloud.url()
    ));
    let path = format!("/{path}");
    let answer = world
        .cloud
        .curl(host, &path, &[("authorization", &authorization)])
        .await?;
    terminal.say(&format!("    {} {}", answer.status, answer.body.trim()));
    let refused = world.cloud.curl(host, &path, &[]).await?;
    let why = refused
        .headers
        .get("x-ca-error-message")
        .map_or("", String::as_str);
    terminal.say(&format!(
        "    {} {why}  (the same without the AppCode)",
        refused.status
    ));
    Ok(answer.status == 200)
}

/// The API key of the first allowed consumer that has one.
async fn api_key_of_a_caller(
    world: &World,
    binding: &DynamicObject,
) -> anyhow::Result<Option<String>> {
    let allowed = binding
        .data
        .pointer("/spec/apiGateway/auth/consumer/allow")
        .and_then(Value::as_array);
    let own = binding.metadata.namespace.as_deref().unwrap_or_default();
    for entry in allowed.into_iter().flatten() {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
        let Some(name) = text("/consumerRef/name").or(text("/name")) else {
            continue;
        };
        let namespace = text("/consumerRef/namespace").unwrap_or(own);
        let consumer = Api::<GatewayConsumer>::namespaced(world.client(), namespace)
            .get_opt(name)
            .await?;
        for credential in consumer
            .iter()
            .flat_map(|consumer| &consumer.spec.credentials)
        {
            let entry = credential
                .keys
                .as_ref()
                .and_then(|keys| keys.api_key.as_deref());
            let key = entry.unwrap_or(consumer_secret::API_KEY);
            if let Ok(code) = world
                .secret(namespace, &credential.secret_ref.name, key)
                .await
            {
                return Ok(Some(code));
            }
        }
    }
    Ok(None)
}
