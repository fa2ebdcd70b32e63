//! Knative Ingresses for the layer on ALB, and the ALB Ingress controller played by hand: its label and
//! its address, when the test says so.

use alicloud_emulator::alb_ingress;
use e2e::{
    knative::types::KIngress,
    world::{Expect, OperatorOptions, Target, World, WorldOptions},
};
use k8s_openapi::{api::networking::v1::Ingress, jiff::Timestamp};
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::mass_changes::LONG;

/// A class whose one gateway is an ALB.
pub(super) const CLASS: &str = "
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {name: alb, annotations: {gatewaybinding.dev/is-default-class: \"true\"}}
spec:
  cloud: {accountId: \"1234567890123456\", regionId: cn-beijing, clusterId: c1f0, credentials: {type: Environment}}
  defaults: {gateway: alb}
  gateways:
  - name: alb
    alb:
      settings: {zoneMappings: [{vswitchId: vsw-2zeqgkyib34gw1fxxx}, {vswitchId: vsw-2zefv5qwao4prxxx}]}
";

/// Registers the kind `AlbConfig`, as the ALB Ingress controller does by itself.
pub(super) async fn alb_configs(world: &World) {
    world.apply(alb_ingress::DEFINITION).await.unwrap();
}

/// Puts vswitches that there are in place of those of a manifest.
pub(super) fn with_vswitches(yaml: &str, vswitches: &[String]) -> String {
    let [first, second, ..] = vswitches else {
        panic!("{vswitches:?}");
    };
    yaml.replace("vsw-2zeqgkyib34gw1fxxx", first)
        .replace("vsw-2zefv5qwao4prxxx", second)
}

/// The vswitches of the emulated account, in zones of their own.
pub(super) async fn vswitches(world: &World) -> Vec<String> {
    let objects = world.cloud_objects().await.unwrap();
    let ids = objects.into_keys().filter_map(|place| {
        let id = place.rsplit(['/', ' ', '.']).next()?.to_owned();
        id.starts_with("vsw-").then_some(id)
    });
    ids.collect()
}

/// A world with the kind `AlbConfig`; `knative` says whether Knative's stand-in is there.
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
    let world = world.await.unwrap();
    alb_configs(&world).await;
    world
}

/// Services of two revisions.
pub(super) fn services(namespace: &str, name: &str) -> String {
    let service = |revision: &str| {
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: {name}-{revision}, namespace: {namespace}}}, \
             spec: {{ports: [{{name: http, port: 80, targetPort: 8012}}]}}}}\n---\n\
             {{apiVersion: v1, kind: Endpoints, metadata: {{name: {name}-{revision}, namespace: {namespace}}}}}"
        )
    };
    format!("{}\n---\n{}", service("00001"), service("00002"))
}

/// The Knative Ingress that Serving makes for a Knative Service with a split.
pub(super) fn kingress(namespace: &str, name: &str, first: i64) -> Value {
    let split = |revision: &str, percent: i64| {
        let revision = format!("{name}-{revision}");
        json!({
            "serviceNamespace": namespace, "serviceName": revision, "servicePort": 80, "percent": percent,
            "appendHeaders": {"Knative-Serving-Revision": revision, "Knative-Serving-Namespace": namespace},
        })
    };
    let mut splits = vec![split("00001", first)];
    if first < 100 {
        splits.push(split("00002", 100 - first));
    }
    let rule = |hosts: Vec<String>, visibility: &str| json!({"hosts": hosts, "visibility": visibility, "http": {"paths": [{"splits": splits}]}});
    let local = ["", ".svc", ".svc.cluster.local"];
    let local = local
        .map(|suffix| format!("{name}.{namespace}{suffix}"))
        .to_vec();
    json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "Ingress",
        "metadata": {
            "name": name, "namespace": namespace,
            "annotations": {"networking.knative.dev/ingress.class": "alb.ingress.networking.knative.dev"},
        },
        "spec": {"httpOption": "Enabled", "rules": [
            rule(local, "ClusterLocal"),
            rule(vec![format!("{name}.{namespace}.example.com")], "ExternalIP"),
        ]},
    })
}

/// A Knative Ingress.
pub(super) fn target(namespace: &str, name: &str) -> Target {
    Target::of::<KIngress>(Some(namespace), name)
}

/// The Ingresses of a namespace: of the public and of the private load balancer, as far as they are there.
pub(super) async fn children(world: &World, namespace: &str) -> (Option<Ingress>, Option<Ingress>) {
    let all = Api::<Ingress>::namespaced(world.client(), namespace)
        .list(&Default::default())
        .await
        .unwrap()
        .items;
    let of = |class: &str| {
        let found = all.iter().find(|ingress| {
            let spec = ingress.spec.as_ref().unwrap();
            spec.ingress_class_name.as_deref() == Some(class)
        });
        found.cloned()
    };
    (
        of("knative-alb-ingress-internet"),
        of("knative-alb-ingress-intranet"),
    )
}

/// Waits until the Ingresses of a namespace are as they should be.
pub(super) async fn children_are(
    world: &World,
    namespace: &str,
    expected: &str,
    check: impl Fn(&(Option<Ingress>, Option<Ingress>)) -> bool,
) -> (Option<Ingress>, Option<Ingress>) {
    let look = async || {
        let found = children(world, namespace).await;
        if check(&found) {
            Ok(found)
        } else {
            Err(format!("{found:?}"))
        }
    };
    let waited = world.wait_until("the Ingresses", expected, LONG, look);
    waited.await.unwrap()
}

/// Weights of the last rule of an Ingress.
pub(super) fn weights(ingress: &Ingress) -> Vec<i64> {
    let actions = ingress
        .annotations()
        .iter()
        .filter(|(key, _)| key.contains("/actions."));
    let Some((_, actions)) = actions.max() else {
        return Vec::new();
    };
    let actions: Value = serde_json::from_str(actions).unwrap();
    let forward = actions.as_array().unwrap().last().unwrap().clone();
    let groups = forward["forwardConfig"]["serverGroups"]
        .as_array()
        .unwrap()
        .clone();
    groups
        .iter()
        .map(|group| group["weight"].as_i64().unwrap())
        .collect()
}

/// What the ALB Ingress controller does: it gives an Ingress an address and labels it; and labels it once
/// more as soon as the operator has noted that.
pub(super) async fn serve(world: &World, ingress: &Ingress, hash: &str, address: &str) {
    let api = Api::<Ingress>::namespaced(world.client(), &ingress.namespace().unwrap());
    let name = ingress.name_any();
    let params = PatchParams::default();
    let status = json!({"status": {"loadBalancer": {"ingress": [{"hostname": address}]}}});
    api.patch_status(&name, &params, &Patch::Merge(status))
        .await
        .unwrap();
    let label = async |hash: &str| {
        let label = json!({"metadata": {"labels": {"alb.ingress.kubernetes.io/hash": hash}}});
        let patched = api.patch(&name, &params, &Patch::Merge(label)).await;
        patched.unwrap();
    };
    label(hash).await;
    let noted = async || {
        let found = api.get(&name).await.map_err(|error| error.to_string())?;
        let noted = found
            .annotations()
            .get("gatewaybinding.dev/alb-hash-before");
        match noted {
            Some(noted) if noted == hash => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    let waited = world.wait_until("the label", "noted by the operator", LONG, noted);
    waited.await.unwrap();
    label(&format!("{hash}-again")).await;
}

/// What the ALB Ingress controller does where it cannot bring a load balancer up to date.
pub(super) async fn complain(world: &World, ingress: &Ingress, message: &str) {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "FailedBuildModel", "message": message,
        "metadata": {"name": format!("{}.complaint", ingress.name_any()), "namespace": ingress.namespace()},
        "involvedObject": ingress.object_ref(&()), "source": {"component": "ingress"},
        "firstTimestamp": now, "lastTimestamp": now, "count": 1,
    });
    world.apply(&event.to_string()).await.unwrap();
}

/// Expects what a Knative Ingress says of the generation that it has now.
pub(super) fn says(type_: &'static str, status: &'static str, reason: &'static str) -> Expect {
    let what = format!("{type_}={status} {reason} for its generation");
    Expect::that(what, move |object: &DynamicObject| {
        let found = &object.data["status"];
        if found["observedGeneration"].as_i64() != object.metadata.generation {
            return Err("not looked at".to_owned());
        }
        let conditions = found["conditions"].as_array().cloned().unwrap_or_default();
        let one = conditions.iter().find(|one| one["type"] == type_);
        let one = one.ok_or("no such condition")?;
        let said = one["reason"].as_str().unwrap_or_default();
        if one["status"] == status && said == reason {
            Ok(())
        } else {
            Err(one.to_string())
        }
    })
}

/// What the operator sees of Kourier: the addresses of its gateway.
pub(super) const KOURIER: &str = "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kourier-internal-1, namespace: kourier-system, labels: {kubernetes.io/service-name: kourier-internal}}
addressType: IPv4
endpoints: [{addresses: [10.9.0.1], conditions: {ready: true}}]
ports: [{name: http2, port: 8081, protocol: TCP}]
";

/// What says of the first revision of a Knative Service that it may be scaled to zero.
pub(super) fn may_be_idle(namespace: &str, name: &str) -> String {
    let revision = format!("{name}-00001");
    format!(
        "{{apiVersion: networking.internal.knative.dev/v1alpha1, kind: ServerlessService, \
         metadata: {{name: {revision}, namespace: {namespace}}}, spec: {{mode: Proxy, protocolType: http1, \
         objectRef: {{apiVersion: apps/v1, kind: Deployment, name: {revision}}}}}}}"
    )
}

/// Waits for the companion on Kourier of a Knative Ingress, and tells its name.
pub(super) async fn companion(world: &World, namespace: &str, owner: &str) -> String {
    let ingresses = Api::<KIngress>::namespaced(world.client(), namespace);
    let look = async || {
        let found = ingresses.list(&Default::default()).await;
        let found = found.map_err(|error| error.to_string())?;
        let mut names = found.items.iter().map(|ingress| ingress.name_any());
        let name = names.find(|name| name.starts_with(&format!("hop-{owner}-")));
        name.ok_or_else(|| "there is none".to_owned())
    };
    let waited = world.wait_until("the companion", "there", LONG, look);
    waited.await.unwrap()
}

/// What Kourier does: it says that it serves a Knative Ingress as it now is.
pub(super) async fn kourier_serves(world: &World, namespace: &str, name: &str) {
    let ingresses = Api::<KIngress>::namespaced(world.client(), namespace);
    let found = ingresses.get(name).await.unwrap();
    let status = json!({"status": {
        "observedGeneration": found.metadata.generation,
        "conditions": [{"type": "Ready", "status": "True"}],
    }});
    let params = PatchParams::default();
    ingresses
        .patch_status(name, &params, &Patch::Merge(status))
        .await
        .unwrap();
}
