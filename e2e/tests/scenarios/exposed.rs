//! What most scenarios start from: a Knative Service exposed by a binding.

use std::{collections::BTreeMap, fs, path::Path};

use crds::{GatewayBinding, GatewayBindingClass, GatewayConsumer, keys::consumer_secret};
use e2e::world::{Answer, Expect, Target, World, WorldError, WorldOptions};
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::PATIENCE;

/// The manifests of `examples/api-gateway-intranet-slb`, in the order of their names.
pub(super) fn example() -> String {
    super::example("api-gateway-intranet-slb")
}

/// One file of the example.
pub(super) fn example_file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/api-gateway-intranet-slb");
    fs::read_to_string(folder.join(name)).unwrap()
}

pub(super) fn binding(namespace: &str, name: &str) -> Target {
    Target::of::<GatewayBinding>(Some(namespace), name)
}

pub(super) fn consumer(namespace: &str, name: &str) -> Target {
    Target::of::<GatewayConsumer>(Some(namespace), name)
}

pub(super) fn class(name: &str) -> Target {
    Target::of::<GatewayBindingClass>(None, name)
}

pub(super) fn secret(namespace: &str, name: &str) -> Target {
    Target::of::<Secret>(Some(namespace), name)
}

/// The binding of the example.
pub(super) fn helloworld() -> Target {
    binding("default", "helloworld")
}

/// The Service that the example has made.
pub(super) fn intranet_service() -> Target {
    Target::of::<Service>(Some("istio-system"), "istio-ingressgateway-intranet")
}

/// Starts a world and applies the example, and waits until its binding is Ready.
pub(super) async fn exposed() -> World {
    exposed_with(WorldOptions::default()).await
}

/// As [`exposed`], in a world with these options.
pub(super) async fn exposed_with(options: WorldOptions) -> World {
    let world = World::start(options).await.unwrap();
    world.apply(&example()).await.unwrap();
    ready(&world, &helloworld()).await;
    world
}

/// As [`exposed`], without the example's limits: for scenarios that make many requests.
pub(super) async fn exposed_without_limits() -> World {
    let world = exposed().await;
    let unlimited = json!({"spec": {"apiGateway": {"throttling": null}}});
    world.patch(&helloworld(), &unlimited).await.unwrap();
    ready(&world, &helloworld()).await;
    world
}

/// Waits until an object is Ready in its current generation.
pub(super) async fn ready(world: &World, target: &Target) -> DynamicObject {
    world
        .wait_for(target, &Expect::condition("Ready", "True"), PATIENCE)
        .await
        .unwrap()
}

/// Waits until an object is gone.
pub(super) async fn gone(world: &World, target: &Target) {
    world
        .wait_for(target, &Expect::gone(), PATIENCE)
        .await
        .unwrap();
}

/// The object as it is now.
pub(super) async fn now(world: &World, target: &Target) -> DynamicObject {
    let api = target.api(world.client());
    api.get(target.name()).await.unwrap()
}

/// The public host of the group, from the first of a binding's URLs.
pub(super) fn host(binding: &DynamicObject) -> String {
    let urls = &binding.data["status"]["urls"];
    let url = urls[0]
        .as_str()
        .unwrap_or_else(|| panic!("status.urls is {urls}"));
    let (_, rest) = url.split_once("://").unwrap();
    rest.split('/').next().unwrap().to_owned()
}

/// The API key in a consumer's Secret.
pub(super) async fn api_key(world: &World, namespace: &str, secret: &str) -> String {
    world
        .secret(namespace, secret, consumer_secret::API_KEY)
        .await
        .unwrap()
}

/// Requests of the example's caller through the API gateway.
pub(super) struct Caller<'a> {
    world: &'a World,
    host: String,
    key: String,
}

impl<'a> Caller<'a> {
    /// The caller `default/knative`, calling the group of this binding.
    pub(super) async fn of(world: &'a World, target: &Target) -> Self {
        Self {
            host: host(&now(world, target).await),
            key: api_key(world, "default", "knative-caller").await,
            world,
        }
    }

    /// The same with another API key.
    pub(super) fn with_key(&self, key: String) -> Self {
        Self {
            host: self.host.clone(),
            world: self.world,
            key,
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// A request with the API key in the header.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, WorldError> {
        let authorization = format!("APPCODE {}", self.key);
        let headers = [("authorization", authorization.as_str())];
        self.world.cloud.curl(&self.host, path, &headers).await
    }

    /// A request with the API key in the query.
    pub(super) async fn get_by_query(&self, path: &str) -> Result<Answer, WorldError> {
        let path = format!("{path}?AppCode={}", self.key);
        self.world.cloud.curl(&self.host, &path, &[]).await
    }

    /// Repeats a request until it is answered with this status.
    pub(super) async fn get_until(&self, path: &str, status: u16) -> Answer {
        let expected = format!("{status} for {path}");
        let get = || self.get(path);
        self.world
            .wait_for_answer(&expected, PATIENCE, get, |answer| answer.status == status)
            .await
            .unwrap()
    }
}

/// The code by which the API gateway says why it refuses.
pub(super) fn error_code(answer: &Answer) -> &str {
    let code = answer.headers.get("x-ca-error-code");
    code.map_or("", String::as_str)
}

/// The actions of the operator that changed something in the cloud, oldest first.
pub(super) async fn mutations(world: &World) -> Vec<String> {
    let operator = &world.options().operator_keys.id;
    let calls = world.cloud.calls().await.unwrap();
    calls
        .into_iter()
        .filter(|call| call.mutating && call.access_key_id == *operator)
        .map(|call| call.action)
        .collect()
}

/// Changes of the operator that the cloud carried out. One that still goes by what was there before
/// somebody else changed it may be refused, and costs nothing.
pub(super) async fn carried_out(world: &World) -> Vec<String> {
    let operator = &world.options().operator_keys.id;
    let calls = world.cloud.calls().await.unwrap();
    let done = calls
        .into_iter()
        .filter(|call| call.mutating && call.access_key_id == *operator && call.outcome == "ok");
    done.map(|call| call.action).collect()
}

/// Waits until the cloud has these objects again, and no others.
pub(super) async fn cloud_is(world: &World, before: &BTreeMap<String, Value>) {
    let look = async || {
        let now = world.cloud_objects().await.map_err(|e| e.to_string())?;
        same_names(before, &now)
    };
    let waited = world.wait_until("the cloud", "as it was before", PATIENCE, look);
    waited.await.unwrap();
}

/// Waits until the cluster has these objects again, and no others. Addresses and endpoints of
/// Services come and go with these, in the time of others.
pub(super) async fn cluster_is(world: &World, before: &BTreeMap<String, String>) {
    let lasting = |mut objects: BTreeMap<String, String>| {
        objects.retain(|name, _| !name.starts_with("Endpoint") && !name.starts_with("IPAddress"));
        objects
    };
    let before = lasting(before.clone());
    let look = async || {
        let now = world.objects().await.map_err(|e| e.to_string())?;
        same_names(&before, &lasting(now))
    };
    let waited = world.wait_until("the cluster", "as it was before", PATIENCE, look);
    waited.await.unwrap();
}

fn same_names<V>(before: &BTreeMap<String, V>, now: &BTreeMap<String, V>) -> Result<(), String> {
    let only = |these: &BTreeMap<String, V>, others: &BTreeMap<String, V>| -> Vec<String> {
        let names = these.keys().filter(|name| !others.contains_key(*name));
        names.cloned().collect()
    };
    match (only(now, before), only(before, now)) {
        (more, fewer) if more.is_empty() && fewer.is_empty() => Ok(()),
        (more, fewer) => Err(format!("there is also {more:#?}, and no longer {fewer:#?}")),
    }
}

/// A condition of an object: status, reason and message.
pub(super) fn condition(object: &DynamicObject, type_: &str) -> Option<(String, String, String)> {
    let conditions = object.data.pointer("/status/conditions")?.as_array()?;
    let condition = conditions
        .iter()
        .find(|condition| condition["type"] == type_)?;
    let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason"), text("message")))
}
