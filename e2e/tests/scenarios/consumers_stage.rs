//! Where GatewayConsumers live in these tests: a class, a binding that names the consumer acme, and what
//! the cloud holds of it.

use std::{collections::BTreeSet, time::Duration};

use alicloud_emulator::api::Product::CloudApi;
use crds::GatewayConsumer;
use e2e::world::{Expect, Target, World, WorldOptions};
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::PATIENCE;

pub(super) const POLL: Duration = Duration::from_millis(50);

pub(super) const CLASS: &str = r#"
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {name: production, annotations: {gatewaybinding.dev/is-default-class: "true"}}
spec:
  cloud: {accountId: "1234567890123456", regionId: cn-beijing, clusterId: c1f0, credentials: {type: Environment}}
  defaults: {gateway: intranet, apiGateway: {gateway: main, group: knative}}
  gateways:
  - name: intranet
    slb:
      service: {namespace: istio-system, name: istio-ingressgateway-intranet, createFrom: {name: istio-ingressgateway}}
      settings: {addressType: Intranet}
  apiGateways:
  - {name: main, type: Classic, groups: [{name: knative, testDomain: Enabled}]}
"#;

/// A binding that names the consumer acme; what it exposes need not be there.
pub(super) const BINDING: &str = r#"
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBinding
metadata: {name: shop, namespace: default}
spec:
  serviceRef: {kind: KnativeService, name: shop}
  apiGateway: {auth: {consumer: {apiKey: {in: [Header]}, signature: {}, allow: [{name: acme}]}}}
"#;

/// A world with the class, and with the binding if it is to have one.
pub(super) async fn start(with_binding: bool) -> World {
    let world = World::start(WorldOptions::default()).await.unwrap();
    world.apply(CLASS).await.unwrap();
    if with_binding {
        world.apply(BINDING).await.unwrap();
    }
    world
}

pub(super) fn acme() -> Target {
    Target::of::<GatewayConsumer>(Some("default"), "acme")
}

pub(super) fn secret(name: &str) -> Target {
    Target::of::<Secret>(Some("default"), name)
}

/// Applies the consumer acme.
pub(super) async fn apply(world: &World, state: &str, credentials: &str) {
    let yaml = format!(
        "{{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayConsumer, \
         metadata: {{name: acme, namespace: default}}, \
         spec: {{state: {state}, credentials: [{credentials}]}}}}"
    );
    world.apply(&yaml).await.unwrap();
}

pub(super) fn generated(name: &str, kinds: &str) -> String {
    format!("{{name: {name}, type: Generated, kinds: [{kinds}], secretRef: {{name: acme-{name}}}}}")
}

pub(super) async fn wait(
    world: &World,
    target: &Target,
    expect: &Expect,
) -> kube::api::DynamicObject {
    world.wait_for(target, expect, PATIENCE).await.unwrap()
}

pub(super) async fn ready(world: &World) -> Value {
    let expect = Expect::condition("Ready", "True");
    wait(world, &acme(), &expect).await.data
}

/// Ready, and made in one account.
pub(super) async fn made(world: &World) -> Value {
    let expect = Expect::that("Ready in one account", |object| {
        Expect::condition("Ready", "True").check(Some(object))?;
        let accounts = &object.data["status"]["accounts"];
        match accounts.as_array().map(Vec::len) {
            Some(1) => Ok(()),
            _ => Err(format!("status.accounts is {accounts}")),
        }
    });
    wait(world, &acme(), &expect).await.data
}

pub(super) async fn console(world: &World, action: &str, params: &[(&str, &str)]) -> Value {
    let keys = &world.options().console_keys;
    world
        .cloud
        .call(keys, CloudApi, action, params)
        .await
        .unwrap()
}

/// The apps in the cloud.
pub(super) async fn apps(world: &World) -> Vec<Value> {
    let answer = console(world, "DescribeAppAttributes", &[]).await;
    answer["Apps"]["AppAttribute"].as_array().unwrap().clone()
}

/// The codes and keys of the only app.
pub(super) async fn credentials(world: &World) -> (BTreeSet<String>, BTreeSet<(String, String)>) {
    let apps = apps(world).await;
    assert_eq!(apps.len(), 1, "{apps:?}");
    let id = apps[0]["AppId"].to_string();
    let answer = console(world, "DescribeAppSecurities", &[("AppId", &id)]).await;
    let all = answer["AppSecuritys"]["AppSecurity"].as_array().unwrap();
    let text = |security: &Value, field: &str| security[field].as_str().unwrap_or("").to_owned();
    let codes = all.iter().map(|security| text(security, "AppCode"));
    let pairs = all
        .iter()
        .map(|security| (text(security, "AppKey"), text(security, "AppSecret")));
    (
        codes.filter(|code| !code.is_empty()).collect(),
        pairs.filter(|(key, _)| !key.is_empty()).collect(),
    )
}

pub(super) async fn entry(world: &World, name: &str, key: &str) -> String {
    world.secret("default", name, key).await.unwrap()
}

/// Waits until the codes of the only app are these.
pub(super) async fn codes_become(world: &World, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|code| (*code).to_owned()).collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (codes, _) = credentials(world).await;
        if codes == wanted {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "the app's codes are {codes:?}, not {wanted:?}"
        );
        sleep(POLL).await;
    }
}

/// Mutating calls of the operator.
pub(super) async fn mutating(world: &World) -> Vec<String> {
    let operator = &world.options().operator_keys.id;
    let calls = world.cloud.calls().await.unwrap();
    let ours = calls
        .into_iter()
        .filter(|call| call.mutating && call.access_key_id == *operator);
    ours.map(|call| call.action).collect()
}
