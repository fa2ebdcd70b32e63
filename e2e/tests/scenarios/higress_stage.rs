//! Higress as far as the operator sees it: its namespace, the Service of its gateway and the definition
//! of its plugins; and its gateway as a model that answers requests from the objects of the API server.

use std::{collections::BTreeMap, time::Duration};

use e2e::{
    higress::{Higress, Request},
    knative::types::KIngress,
    world::{OperatorOptions, World, WorldOptions},
};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use serde_json::Value;

use super::mass_changes::LONG;

pub(super) const SYSTEM: &str = "higress-system";

/// The definition of plugins, field by field as Higress publishes it.
const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: wasmplugins.extensions.higress.io}
spec:
  group: extensions.higress.io
  scope: Namespaced
  names: {kind: WasmPlugin, listKind: WasmPluginList, plural: wasmplugins, singular: wasmplugin}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              url: {type: string}
              sha256: {type: string}
              verificationKey: {type: string}
              imagePullSecret: {type: string}
              imagePullPolicy: {type: string, enum: [UNSPECIFIED_POLICY, IfNotPresent, Always]}
              pluginName: {type: string}
              phase: {type: string, enum: [UNSPECIFIED_PHASE, AUTHN, AUTHZ, STATS]}
              priority: {type: integer, nullable: true}
              failStrategy: {type: string, enum: [FAIL_CLOSE, FAIL_OPEN]}
              pluginConfig: {type: object, x-kubernetes-preserve-unknown-fields: true}
              defaultConfig: {type: object, x-kubernetes-preserve-unknown-fields: true}
              defaultConfigDisable: {type: boolean}
              matchRules:
                type: array
                items:
                  type: object
                  properties:
                    ingress: {type: array, items: {type: string}}
                    domain: {type: array, items: {type: string}}
                    service: {type: array, items: {type: string}}
                    config: {type: object, x-kubernetes-preserve-unknown-fields: true}
                    configDisable: {type: boolean}
              vmConfig:
                type: object
                properties:
                  env:
                    type: array
                    items:
                      type: object
                      properties:
                        name: {type: string}
                        value: {type: string}
                        valueFrom: {type: string, enum: [INLINE, HOST]}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

const INSTALLED: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: higress-system}}
---
apiVersion: v1
kind: Service
metadata: {name: higress-gateway, namespace: higress-system}
spec: {type: LoadBalancer, ports: [{name: http2, port: 80, targetPort: 80}]}
";

/// A plugin of somebody else, for another host.
const FOREIGN: &str = "
apiVersion: extensions.higress.io/v1alpha1
kind: WasmPlugin
metadata: {name: request-block, namespace: higress-system}
spec:
  url: oci://registry.example.com/plugins/request-block:1.0.0
  matchRules: [{domain: [other.example.com], config: {block_urls: [swagger]}}]
";

/// Installs Higress, beside a plugin of somebody else.
pub(super) async fn install(world: &World) {
    world.apply(DEFINITION).await.unwrap();
    world.apply(INSTALLED).await.unwrap();
    world.apply(FOREIGN).await.unwrap();
}

/// A world without Higress; `knative` says whether Knative's stand-in is there.
pub(super) async fn world(knative: bool) -> World {
    let operator = OperatorOptions {
        args: vec!["--drift-interval".to_owned(), "2s".to_owned()],
        ..OperatorOptions::default()
    };
    let world = World::start(WorldOptions {
        operator: Some(operator),
        knative,
        ccm: false,
        ..WorldOptions::default()
    });
    world.await.unwrap()
}

/// A manifest of `examples/higress-plugins`.
pub(super) fn example(file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/higress-plugins");
    std::fs::read_to_string(format!("{folder}/{file}.yaml")).unwrap()
}

/// All plugins, by name.
pub(super) async fn plugins(world: &World) -> BTreeMap<String, DynamicObject> {
    let kind = GroupVersionKind::gvk("extensions.higress.io", "v1alpha1", "WasmPlugin");
    let kind = ApiResource::from_gvk_with_plural(&kind, "wasmplugins");
    let api: Api<DynamicObject> = Api::namespaced_with(world.client(), SYSTEM, &kind);
    let found = api.list(&ListParams::default()).await.unwrap().items;
    found.into_iter().map(|one| (one.name_any(), one)).collect()
}

/// Those that the operator made, by name.
pub(super) async fn ours(world: &World) -> BTreeMap<String, DynamicObject> {
    let mut found = plugins(world).await;
    found.retain(|_, one| one.labels().contains_key(crds::keys::MANAGED_BY));
    found
}

/// The gateway, with what the API server has now. No plugin may be given what it does not understand.
pub(super) async fn gateway(world: &World) -> Higress {
    let ingresses = Api::<KIngress>::all(world.client());
    let ingresses = ingresses.list(&ListParams::default()).await.unwrap().items;
    let ingresses: Vec<DynamicObject> = ingresses
        .into_iter()
        .map(|one| serde_json::from_value(serde_json::to_value(one).unwrap()).unwrap())
        .collect();
    let plugins: Vec<DynamicObject> = plugins(world).await.into_values().collect();
    let mut higress = Higress::default();
    higress.read(SYSTEM, &ingresses, &plugins);
    assert_eq!(higress.faults(), []);
    higress
}

/// A request for the service `hello`, at a second of the test's own clock.
pub(super) fn request(path: &str, header: Option<(&str, &str)>, at: u64) -> Request {
    let headers = header.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Request {
        host: "hello.default.example.com".to_owned(),
        path: path.to_owned(),
        headers: headers.into_iter().collect(),
        peer: "192.0.2.1".parse().unwrap(),
        at: Duration::from_secs(at),
    }
}

/// Waits until a request gets this status.
pub(super) async fn answers(world: &World, path: &str, status: u16) {
    let look = async || {
        let found = gateway(world).await.ask(&request(path, None, 0)).status();
        if found == status {
            Ok(())
        } else {
            Err(found.to_string())
        }
    };
    let expected = status.to_string();
    let waited = world.wait_until(path, &expected, LONG, look);
    waited.await.unwrap();
}

/// Waits until the plugins are as they should be.
pub(super) async fn ours_are(
    world: &World,
    expected: &str,
    check: impl Fn(&BTreeMap<String, DynamicObject>) -> bool,
) -> BTreeMap<String, DynamicObject> {
    let look = async || {
        let found = ours(world).await;
        if check(&found) {
            Ok(found)
        } else {
            Err(format!("{:?}", found.keys()))
        }
    };
    let waited = world.wait_until("the operator's plugins", expected, LONG, look);
    waited.await.unwrap()
}

/// The rules of a plugin.
pub(super) fn rules(plugin: &DynamicObject) -> &Vec<Value> {
    plugin.data["spec"]["matchRules"].as_array().unwrap()
}
