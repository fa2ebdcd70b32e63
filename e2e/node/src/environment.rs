//! The environment variables of a container.

use std::{collections::BTreeMap, net::Ipv4Addr};

use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, EnvVarSource, Pod, Secret};
use kube::{Api, Client, ResourceExt as _};

use crate::pod::PodError;

/// The port at which the API server is reached from Pods, by the name of its Service.
pub(crate) const API_PORT: u16 = 6443;
const API_NAME: &str = "kubernetes.default.svc";

/// The variables of a container: those of every Pod, then its own, of which later ones can name
/// earlier ones as `$(NAME)`.
pub(crate) async fn of(
    client: &Client,
    pod: &Pod,
    container: &Container,
    address: Ipv4Addr,
    gateway: Ipv4Addr,
) -> Result<BTreeMap<String, String>, PodError> {
    if container
        .env_from
        .as_ref()
        .is_some_and(|from| !from.is_empty())
    {
        return Err(unknown(container, "envFrom"));
    }
    let mut variables = BTreeMap::from([
        ("KUBERNETES_SERVICE_HOST".to_owned(), API_NAME.to_owned()),
        ("KUBERNETES_SERVICE_PORT".to_owned(), API_PORT.to_string()),
        ("HOSTNAME".to_owned(), pod.name_any()),
        ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
    ]);
    for variable in container.env.iter().flatten() {
        let value = match &variable.value_from {
            None => Some(expand(
                variable.value.as_deref().unwrap_or_default(),
                &variables,
            )),
            Some(source) => match field(pod, source, address, gateway) {
                Some(value) => Some(value),
                None => object(client, pod, container, variable, source).await?,
            },
        };
        variables.extend(value.map(|value| (variable.name.clone(), value)));
    }
    Ok(variables)
}

fn unknown(container: &Container, what: &str) -> PodError {
    PodError::Unsupported(format!("{what} of container {}", container.name))
}

/// What a field of the Pod says; none for other sources.
fn field(pod: &Pod, source: &EnvVarSource, address: Ipv4Addr, gateway: Ipv4Addr) -> Option<String> {
    let path = source.field_ref.as_ref()?.field_path.as_str();
    let spec = pod.spec.as_ref();
    Some(match path {
        "metadata.name" => pod.name_any(),
        "metadata.namespace" => pod.namespace().unwrap_or_default(),
        "metadata.uid" => pod.uid().unwrap_or_default(),
        "status.podIP" | "status.podIPs" => address.to_string(),
        "status.hostIP" | "status.hostIPs" => gateway.to_string(),
        "spec.nodeName" => spec?.node_name.clone()?,
        "spec.serviceAccountName" => spec?.service_account_name.clone()?,
        _ => {
            let key = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']");
            let label = key("metadata.labels['").and_then(|key| pod.labels().get(key));
            let annotation = || pod.annotations().get(key("metadata.annotations['")?);
            label.or_else(annotation).cloned().unwrap_or_default()
        }
    })
}

/// What a key of a ConfigMap or Secret says; none if it is optional and not there.
async fn object(
    client: &Client,
    pod: &Pod,
    container: &Container,
    variable: &EnvVar,
    source: &EnvVarSource,
) -> Result<Option<String>, PodError> {
    let namespace = pod.namespace().unwrap_or_default();
    let (value, optional) = if let Some(key) = &source.config_map_key_ref {
        let maps = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
        let map = maps.get_opt(&key.name).await?;
        let value = map.and_then(|map| map.data?.remove(&key.key));
        (value, key.optional)
    } else if let Some(key) = &source.secret_key_ref {
        let secrets = Api::<Secret>::namespaced(client.clone(), &namespace);
        let secret = secrets.get_opt(&key.name).await?;
        let value = secret.and_then(|secret| secret.data?.remove(&key.key));
        let text = value.map(|value| String::from_utf8_lossy(&value.0).into_owned());
        (text, key.optional)
    } else {
        return Err(unknown(
            container,
            &format!("the source of {}", variable.name),
        ));
    };
    if value.is_none() && optional != Some(true) {
        return Err(PodError::NoValue(variable.name.clone()));
    }
    Ok(value)
}

/// Replaces `$(NAME)` by the value of NAME where there is one.
pub(crate) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("$(") {
        expanded.push_str(before);
        let named = after.split_once(')');
        match named.and_then(|(name, after)| Some((variables.get(name)?, after))) {
            Some((value, after)) => {
                expanded.push_str(value);
                rest = after;
            }
            None => {
                expanded.push_str("$(");
                rest = after;
            }
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_variables_are_named_by_later_ones() {
        let known = BTreeMap::from([("HOST".to_owned(), "a".to_owned())]);
        let expanded = expand("http://$(HOST):80/$(NONE)/$(", &known);
        assert_eq!(expanded, "http://a:80/$(NONE)/$(");
    }
}
