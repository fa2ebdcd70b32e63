//! Objects of Knative's, read and written key by key.

use std::collections::{BTreeMap, BTreeSet};

use crds::keys;
use crds::v1alpha1::{KnativeObject, Reason};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Map, Value, json};

use super::Halt;
use crate::controller::cloud::{Trouble, refusal};
use crate::controller::context::Context;
use crate::core::knative::config::Data;
use crate::core::knative::switch::{Change, NAMESPACE, describe};
use crate::core::problem::Problem;

/// The one key that counts of a Gateway.
const SELECTOR: &str = "selector";

/// An object as it was read.
pub(super) struct Found {
    version: Option<String>,
    /// The data of a ConfigMap, or the selector of a Gateway as JSON.
    pub values: Data,
}

/// Reads objects; those that are not there are left out.
pub(super) async fn read(
    objects: &BTreeSet<KnativeObject>,
    context: &Context,
) -> Result<BTreeMap<KnativeObject, Found>, Trouble> {
    let mut all = BTreeMap::new();
    for object in objects {
        let found = if object.is_gateway() {
            let found = gateways(context).get(object.name()).await;
            found.map(|found| gateway(&found))
        } else {
            let found = config_maps(context).get(object.name()).await;
            found.map(config_map)
        };
        match found {
            Ok(found) => drop(all.insert(*object, found)),
            // Also where its kind is missing.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(failed(*object, &error)),
        }
    }
    Ok(all)
}

/// Writes keys of one object, and nothing if somebody wrote to it since it was read.
pub(super) async fn write(
    object: KnativeObject,
    found: &Found,
    changes: &[&Change],
    context: &Context,
) -> Result<(), Halt> {
    if let Err(error) = context.runtime.leadership.ensure_leading() {
        return Err(Problem::retry(Reason::InternalError, error.to_string()).into());
    }
    let params = PatchParams {
        field_manager: Some(keys::FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let metadata = json!({"resourceVersion": found.version});
    let name = object.name();
    let written = if object.is_gateway() {
        let patch =
            Patch::Merge(json!({"metadata": metadata, "spec": {SELECTOR: new_selector(changes)}}));
        let api = gateways(context);
        api.patch(name, &params, &patch).await.map(drop)
    } else {
        let data = changes
            .iter()
            .map(|change| (change.slot.key.clone(), json!(change.to)));
        let data: Map<String, Value> = data.collect();
        let patch = Patch::Merge(json!({"metadata": metadata, "data": data}));
        let api = config_maps(context);
        api.patch(name, &params, &patch).await.map(drop)
    };
    match written {
        Ok(()) => {
            tracing::info!(object = describe(object), keys = changes.len(), "written");
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {
            Err(Halt::Again)
        }
        Err(error) => Err(failed(object, &error).into()),
    }
}

/// A merge patch of the selector: labels that are no longer in it are null.
fn new_selector(changes: &[&Change]) -> Value {
    let labels =
        |text: Option<&String>| -> Option<Map<String, Value>> { serde_json::from_str(text?).ok() };
    let Some(change) = changes.first() else {
        return json!({});
    };
    let Some(new) = labels(change.to.as_ref()) else {
        return Value::Null;
    };
    let old = labels(change.from.as_ref()).unwrap_or_default();
    let mut patch: Map<String, Value> =
        old.into_iter().map(|(key, _)| (key, Value::Null)).collect();
    patch.extend(new);
    Value::Object(patch)
}

fn config_map(found: ConfigMap) -> Found {
    Found {
        version: found.resource_version(),
        values: found.data.unwrap_or_default(),
    }
}

fn gateway(found: &DynamicObject) -> Found {
    // Sorted, so that it can be compared as text.
    let selector: Option<BTreeMap<String, String>> = found
        .data
        .pointer("/spec/selector")
        .and_then(|selector| serde_json::from_value(selector.clone()).ok());
    let selector = selector.map(|selector| (SELECTOR.to_owned(), json!(selector).to_string()));
    Found {
        version: found.resource_version(),
        values: selector.into_iter().collect(),
    }
}

fn config_maps(context: &Context) -> Api<ConfigMap> {
    Api::namespaced(context.runtime.client.clone(), NAMESPACE)
}

fn gateways(context: &Context) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("networking.istio.io", "v1beta1", "Gateway");
    let kind = ApiResource::from_gvk_with_plural(&kind, "gateways");
    Api::namespaced_with(context.runtime.client.clone(), NAMESPACE, &kind)
}

fn failed(object: KnativeObject, error: &kube::Error) -> Trouble {
    let chart = match object {
        KnativeObject::ConfigNetwork | KnativeObject::ConfigDomain => "`rbac.knative: true`",
        _ => "`rbac.knative: true` and `rbac.higress: true`",
    };
    let refusal = refusal(error, chart);
    let message = format!("{}: {}", describe(object), refusal.message);
    Problem::retry(refusal.reason, message).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::knative::switch::Slot;

    fn patch(from: Option<&str>, to: Option<&str>) -> Value {
        let change = Change {
            slot: Slot {
                object: KnativeObject::KnativeLocalGateway,
                key: SELECTOR.to_owned(),
            },
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        new_selector(&[&change])
    }

    #[test]
    fn a_selector_is_replaced_as_a_whole() {
        let (istio, higress) = (
            r#"{"istio":"ingressgateway"}"#,
            r#"{"app":"higress-gateway"}"#,
        );
        let expected = json!({"istio": null, "app": "higress-gateway"});
        assert_eq!(patch(Some(istio), Some(higress)), expected);
        assert_eq!(
            patch(None, Some(higress)),
            json!({"app": "higress-gateway"})
        );
        assert_eq!(patch(Some(higress), None), Value::Null);
        let same = r#"{"app":"other"}"#;
        assert_eq!(patch(Some(higress), Some(same)), json!({"app": "other"}));
    }

    #[test]
    fn selectors_are_compared_whatever_their_order() {
        let read = |labels: &str| {
            let text = format!(
                r#"{{"apiVersion": "networking.istio.io/v1beta1", "kind": "Gateway", "metadata": {{"resourceVersion": "7"}}, "spec": {labels}}}"#
            );
            gateway(&serde_json::from_str(&text).unwrap()).values
        };
        let one = read(r#"{"selector": {"b": "2", "a": "1"}}"#);
        assert_eq!(one[SELECTOR], r#"{"a":"1","b":"2"}"#);
        assert_eq!(read("{}"), Data::new());
    }
}
