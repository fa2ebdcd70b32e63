//! Shows how bindings come to be Ready.

use std::{collections::BTreeMap, time::Duration};

use crds::{GatewayBinding, GatewayBindingClass, GatewayConsumer};
use futures::{StreamExt as _, stream};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ApiResource, DynamicObject},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::Value;

use super::terminal::Terminal;
use crate::world::{Expect, Target, World};

/// Prints each change of a condition until all bindings are Ready.
///
/// # Errors
/// At the deadline: what is not Ready, and why.
pub(super) async fn until_ready(
    world: &World,
    bindings: &[Target],
    patience: Duration,
    terminal: &Terminal,
) -> Result<(), String> {
    let client = world.client();
    let mut events = stream::select_all([
        events::<GatewayBindingClass>(&client),
        events::<GatewayConsumer>(&client),
        events::<GatewayBinding>(&client),
    ]);
    let mut conditions = BTreeMap::new();
    let ready = Expect::condition("Ready", "True");
    let all_ready = async {
        while let Some(event) = events.next().await {
            match event {
                Ok(object) => show(&object, &mut conditions, terminal),
                Err(error) => terminal.detail(&format!("watching: {error}")),
            }
            if missing(world, bindings, &ready).await.is_empty() {
                return;
            }
        }
    };
    if tokio::time::timeout(patience, all_ready).await.is_ok() {
        return Ok(());
    }
    let missing = missing(world, bindings, &ready).await;
    if missing.is_empty() {
        Ok(())
    } else {
        Err(missing.join("\n"))
    }
}

type Events = stream::BoxStream<'static, Result<DynamicObject, watcher::Error>>;

fn events<K: Resource<DynamicType = ()>>(client: &Client) -> Events {
    let resource = ApiResource::erase::<K>(&());
    let kind = resource.kind.clone();
    let api = Api::<DynamicObject>::all_with(client.clone(), &resource);
    watcher(api, watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .map(move |event| {
            event.map(|mut object| {
                object.types.get_or_insert_default().kind.clone_from(&kind);
                object
            })
        })
        .boxed()
}

/// What is missing of each binding.
async fn missing(world: &World, bindings: &[Target], ready: &Expect) -> Vec<String> {
    let mut missing = Vec::new();
    for binding in bindings {
        let problem = match binding.api(world.client()).get_opt(binding.name()).await {
            Ok(object) => ready.check(object.as_ref()).err(),
            Err(error) => Some(error.to_string()),
        };
        missing.extend(problem.map(|problem| format!("  {binding}: {problem}")));
    }
    missing
}

/// Status and reason of each condition that was shown.
type Shown = BTreeMap<(String, String), (String, String)>;

fn show(object: &DynamicObject, shown: &mut Shown, terminal: &Terminal) {
    let kind = object
        .types
        .as_ref()
        .map_or("", |types| types.kind.as_str());
    let name = match object.namespace() {
        Some(namespace) => format!("{kind} {namespace}/{}", object.name_any()),
        None => format!("{kind} {}", object.name_any()),
    };
    for condition in object
        .data
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |field: &str| {
            condition
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (type_, state) = (text("type"), (text("status"), text("reason")));
        let key = (name.clone(), type_.clone());
        if shown.get(&key) != Some(&state) {
            terminal.step(&format!(
                "{name}  {type_}={} {}  {}",
                state.0,
                state.1,
                text("message")
            ));
            shown.insert(key, state);
        }
    }
}
