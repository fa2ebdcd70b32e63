//! What makes Knative Ingresses Ready whose layer leaves that to others.

use std::time::Duration;

use anyhow::bail;
use futures::StreamExt as _;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    layer::Layer,
    stage::{Ingresses, NAMESPACE},
    surroundings::Account,
};
use crate::{
    bench::stage::free_port,
    binaries::Binaries,
    process::{Process, ProcessSpec},
};

/// How long the emulator may take to serve.
const PATIENCE: Duration = Duration::from_secs(60);
/// Rules that a load balancer of a new account may have.
const RULES: usize = 100;
/// Knative Ingresses that a new account has room for: each takes two of its 2000 server groups, and a rule
/// on a public and on a private load balancer.
pub(super) const ROOM: usize = 1000;
/// Routes written at once.
const PARALLEL: usize = 8;
/// Key id and secret of the stand-in of the ALB Ingress controller.
const KEY: &str = "LTAI5tAlbOfTheBench00";
const SECRET: &str = "alb-secret-of-the-bench-000001";

/// What is behind a layer; ends when dropped.
pub(super) enum Behind {
    /// The emulated cloud, with the stand-in of the ALB Ingress controller.
    Alb { _emulator: Process },
    /// Something that accepts routes, as an implementation of the Gateway API does.
    Accepting(JoinHandle<()>),
    /// Nothing.
    Nothing,
}

impl Drop for Behind {
    fn drop(&mut self) {
        if let Self::Accepting(task) = self {
            task.abort();
        }
    }
}

impl Behind {
    /// Starts it, and tells of the account there is.
    pub(super) async fn start(
        layer: Layer,
        stage: &Ingresses,
        programs: &Binaries,
    ) -> anyhow::Result<(Self, Account)> {
        let (_, client) = stage.admin();
        let behind = match layer {
            Layer::Alb => return emulator(stage, programs).await,
            Layer::NetGatewayApi => Self::Accepting(tokio::spawn(accept(client))),
            Layer::NetIstio | Layer::NetKourier => Self::Nothing,
        };
        Ok((behind, Account::imagined()))
    }
}

async fn emulator(stage: &Ingresses, programs: &Binaries) -> anyhow::Result<(Behind, Account)> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let (kubeconfig, _) = stage.admin();
    let spec = ProcessSpec {
        name: "emulator".to_owned(),
        program: programs.emulator.clone(),
        args: vec![
            "--listen".into(),
            address.clone().into(),
            "--region".into(),
            "cn-beijing".into(),
            "--account-id".into(),
            "1234567890123456".into(),
            "--access-key".into(),
            format!("{KEY}:{SECRET}").into(),
            "--ccm-kubeconfig".into(),
            kubeconfig.into(),
            "--ccm-cluster-id".into(),
            "c1f0".into(),
            "--ccm-access-key".into(),
            KEY.into(),
        ],
        env: vec![("RUST_LOG".to_owned(), "warn".to_owned())],
    };
    let process = Process::spawn(&spec, stage.folder())?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let deadline = Instant::now() + PATIENCE;
    let state = loop {
        let answer = http.get(format!("http://{address}/_emulator/state")).send();
        match answer.await.and_then(reqwest::Response::error_for_status) {
            Ok(answer) => break answer.json::<Value>().await?,
            Err(error) if Instant::now() >= deadline => {
                bail!(
                    "the emulator does not serve: {error}\n{}",
                    process.log_tail(20)
                );
            }
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    };
    let vswitches = state["vpc"]["vswitches"].as_object();
    let mut ids = vswitches.into_iter().flat_map(|all| all.keys().cloned());
    let two = (ids.next(), ids.next());
    let (Some(first), Some(second)) = two else {
        bail!("the emulated account has no two vswitches");
    };
    let account = Account {
        vswitches: [first, second],
        max_rules: RULES,
    };
    Ok((Behind::Alb { _emulator: process }, account))
}

/// Accepts each route of the Gateway API, for ever.
async fn accept(client: Client) {
    let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
    let resource = ApiResource::from_gvk_with_plural(&kind, "httproutes");
    let api: Api<DynamicObject> = Api::namespaced_with(client, NAMESPACE, &resource);
    let routes = watcher(api.clone(), watcher::Config::default());
    let routes = routes.default_backoff().applied_objects();
    // An interrupted watch begins again by itself.
    let routes = routes.filter_map(|route| std::future::ready(route.ok()));
    let written = routes.for_each_concurrent(PARALLEL, |route| {
        let api = api.clone();
        async move {
            if let Some(status) = accepted(&route) {
                // Gone or changed meanwhile: the watch tells.
                let name = route.name_any();
                let _ = api
                    .patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
                    .await;
            }
        }
    });
    written.await;
}

/// The status of an accepted route, unless it has it.
fn accepted(route: &DynamicObject) -> Option<Value> {
    let generation = route.metadata.generation;
    let known = route.data["status"]["parents"].as_array();
    let observed = |parent: &Value| {
        let conditions = parent["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|condition| condition["observedGeneration"].as_i64() == generation)
    };
    if known.is_some_and(|parents| !parents.is_empty() && parents.iter().all(observed)) {
        return None;
    }
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": kind, "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": generation,
        })
    };
    let parents = route.data["spec"]["parentRefs"].as_array()?.iter();
    let parents = parents.map(|parent| {
        json!({
            "parentRef": parent, "controllerName": "gatewaybinding.dev/bench",
            "conditions": [condition("Accepted"), condition("ResolvedRefs")],
        })
    });
    Some(json!({"status": {"parents": parents.collect::<Vec<_>>()}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_accepted_once_for_each_generation() {
        let route = |generation: i64, status: &Value| -> DynamicObject {
            serde_json::from_value(json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
                "metadata": {"name": "hello", "generation": generation},
                "spec": {"parentRefs": [{"name": "external", "namespace": "gateways"}]},
                "status": status,
            }))
            .unwrap()
        };
        let first = accepted(&route(1, &Value::Null)).unwrap();
        let parent = &first["status"]["parents"][0];
        assert_eq!(parent["parentRef"]["name"], "external");
        assert_eq!(parent["conditions"][0]["type"], "Accepted");
        assert_eq!(accepted(&route(1, &first["status"])), None);
        assert!(accepted(&route(2, &first["status"])).is_some());
    }
}
