//! Objects without what may hold a secret.

use serde_json::{Map, Value};

const REDACTED: &str = "<left out>";

/// Annotations whose values are known to be harmless, by their prefix.
const KNOWN: [&str; 9] = [
    "argocd.argoproj.io/",
    "autoscaling.knative.dev/",
    "client.knative.dev/",
    "deployment.kubernetes.io/",
    "gatewaybinding.dev/",
    "networking.internal.knative.dev/",
    "networking.knative.dev/",
    "service.beta.kubernetes.io/",
    "serving.knative.dev/",
];

/// The object without what may hold a secret: see the README of the bundle.
pub(crate) fn redacted(mut object: Value) -> Value {
    walk(&mut object);
    object
}

fn walk(value: &mut Value) {
    match value {
        Value::Object(map) => {
            one(map);
            map.values_mut().for_each(walk);
        }
        Value::Array(items) => items.iter_mut().for_each(walk),
        _ => {}
    }
}

/// What is left out of one level.
fn one(map: &mut Map<String, Value>) {
    map.remove("managedFields");
    if let Some(Value::Object(annotations)) = map.get_mut("annotations") {
        for (key, value) in annotations {
            let known = KNOWN.iter().any(|prefix| key.starts_with(prefix));
            if !known {
                *value = REDACTED.into();
            }
        }
    }
    // Containers, wherever they stand.
    if let Some(Value::Array(variables)) = map.get_mut("env") {
        for variable in variables {
            if let Some(value) = variable.get_mut("value") {
                *value = REDACTED.into();
            }
        }
    }
    for name in ["args", "command"] {
        if let Some(words @ Value::Array(_)) = map.get_mut(name) {
            *words = Value::Array(vec![REDACTED.into()]);
        }
    }
    if let Some(uri) = map
        .get_mut("credentialsURI")
        .and_then(|it| it.get_mut("uri"))
    {
        *uri = REDACTED.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_hold_a_secret_is_left_out() {
        let object = json!({
            "metadata": {
                "name": "cart",
                "managedFields": [{"manager": "kubectl"}],
                "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": "{\"password\": \"x\"}",
                    "example.com/token": "x",
                    "gatewaybinding.dev/reconcile-at": "now",
                },
            },
            "spec": {
                "template": {"spec": {"containers": [{
                    "image": "web",
                    "args": ["--password=x"],
                    "command": ["sh", "-c", "x"],
                    "env": [{"name": "A", "value": "x"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s"}}}],
                }]}},
                "cloud": {"credentials": {"type": "CredentialsURI", "credentialsURI": {"uri": "http://x"}}},
            },
        });
        let expected = json!({
            "metadata": {
                "name": "cart",
                "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": REDACTED,
                    "example.com/token": REDACTED,
                    "gatewaybinding.dev/reconcile-at": "now",
                },
            },
            "spec": {
                "template": {"spec": {"containers": [{
                    "image": "web",
                    "args": [REDACTED],
                    "command": [REDACTED],
                    "env": [{"name": "A", "value": REDACTED}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s"}}}],
                }]}},
                "cloud": {"credentials": {"type": "CredentialsURI", "credentialsURI": {"uri": REDACTED}}},
            },
        });
        assert_eq!(redacted(object), expected);
    }
}
