//! Apps as consumers.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{ApiAuth, Consumer, ConsumerId};
use serde_json::{Value, json};

use super::label::Labels;
use super::{Exposure, Manifest, Seen};

/// Apps that may call, by their ids.
pub(super) struct Callers<'a>(BTreeMap<&'a ConsumerId, Caller<'a>>);

struct Caller<'a> {
    app: &'a Consumer,
    name: String,
    /// Of the bindings that let it in. It lives in the first.
    namespaces: BTreeSet<&'a str>,
}

impl<'a> Callers<'a> {
    /// Those whom some binding lets in. Permissions that no binding can have go into `left`.
    pub(super) fn of(seen: &Seen<'a>, exposures: &[Exposure<'a>], left: &mut Vec<String>) -> Self {
        let mut callers: BTreeMap<&ConsumerId, Caller<'a>> = BTreeMap::new();
        let mut names = Labels::default();
        for exposure in exposures {
            let permitted = exposure.parts.first().into_iter();
            for id in permitted.flat_map(|part| part.permissions.keys()) {
                let Some(app) = seen.inventory.consumers.get(*id) else {
                    continue;
                };
                let caller = callers.entry(&app.id).or_insert_with(|| Caller {
                    app,
                    name: names.take(&app.spec.name, 50, "app"),
                    namespaces: BTreeSet::new(),
                });
                caller.namespaces.insert(exposure.namespace);
            }
        }
        let parts = exposures.iter().flat_map(|exposure| &exposure.parts);
        for part in parts {
            let grants = seen.inventory.grants.keys();
            let others: BTreeSet<&ConsumerId> = grants
                .filter(|key| key.api == part.api.id)
                .map(|key| &key.consumer)
                .filter(|id| !part.permissions.contains_key(id))
                .collect();
            for id in others {
                left.push(format!(
                    "The permission of app {id} for API \"{}\" ({}): the app is an operator's or has no credential, or the API lets everybody in.",
                    part.api.name, part.api.id
                ));
            }
        }
        Self(callers)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Name of the entry of an app in `allow`.
    pub(super) fn entry(&self, id: &ConsumerId) -> Option<&str> {
        self.0.get(id).map(|caller| caller.name.as_str())
    }

    /// The block `auth`.
    pub(super) fn auth(&self, exposure: &Exposure<'_>, notes: &mut Vec<String>) -> Value {
        let Some(part) = exposure.parts.first() else {
            return Value::Null;
        };
        let ApiAuth::Consumer { api_key, signature } = &part.spec.auth else {
            notes.push("Everybody may call, without a credential.".to_owned());
            return json!({"anonymous": {}});
        };
        let allow: Vec<Value> = part
            .permissions
            .iter()
            .filter_map(|(id, until)| {
                let caller = self.0.get(id)?;
                let mut entry = json!({"name": caller.name});
                let home = caller.namespaces.first()?;
                if *home != exposure.namespace {
                    entry["consumerRef"] = json!({"namespace": home, "name": caller.name});
                }
                if let Some(until) = until {
                    entry["until"] = json!(until);
                }
                Some(entry)
            })
            .collect();
        let mut consumer = json!({ "allow": allow });
        if !api_key.is_empty() {
            consumer["apiKey"] = json!({ "in": api_key });
        }
        if *signature {
            consumer["signature"] = json!({});
        }
        json!({ "consumer": consumer })
    }

    /// The consumers.
    pub(super) fn manifests(&self, seen: &Seen<'_>) -> Vec<Manifest> {
        let callers = self.0.values();
        let manifests = callers.filter_map(|caller| caller.manifest(seen));
        manifests.collect()
    }
}

impl Caller<'_> {
    fn manifest(&self, seen: &Seen<'_>) -> Option<Manifest> {
        let home = self.namespaces.first()?;
        let has = seen.credentials.get(&self.app.id)?;
        let title = format!("app \"{}\" ({})", self.app.spec.name, self.app.id);
        let mut notes = vec![format!(
            "The operator takes the credentials of {title} from the cloud and writes them into Secret {home}/{}, which must not exist before. Callers keep what they have.",
            self.name
        )];
        for (kind, number) in has.iter().filter(|(_, number)| **number > 1) {
            notes.push(format!(
                "The app has {number} credentials of kind {kind:?}; one is managed from now on, and the others stay valid."
            ));
        }
        if self.app.spec.disabled {
            notes.push("The app is disabled, and stays so.".to_owned());
        }
        let mut spec = json!({
            "credentials": [{
                "name": "imported",
                "type": "Generated",
                "kinds": has.keys().collect::<Vec<_>>(),
                "secretRef": {"name": self.name},
            }],
            "existing": [{
                "accountId": seen.account,
                "regionId": seen.region,
                "id": self.app.id,
            }],
        });
        if self.namespaces.len() > 1 {
            spec["allowedNamespaces"] = json!({"from": "Selector", "selector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "In", "values": self.namespaces},
            ]}});
        }
        let object = json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1",
            "kind": "GatewayConsumer",
            "metadata": {"name": self.name, "namespace": home},
            "spec": spec,
        });
        Some(Manifest { notes, object })
    }
}
