//! A class switches Knative over to Higress, in either way, and everything is given back: told by the
//! objects of Knative, which others write as well. The operator has the rights that the chart grants.

use std::collections::{BTreeMap, BTreeSet};

use e2e::{
    chart,
    world::{Expect, Target, World, WorldOptions},
};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::ConfigMap,
    rbac::v1::{ClusterRole, PolicyRule, Role},
};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};

use super::{charts_installed::Installed, charts_rights::right, mass_changes::LONG};

const KNATIVE: &str = "knative-serving";
const ISTIO: &str = "istio.ingress.networking.knative.dev";
const SERVICE: &str = "higress-gateway.higress-system.svc.cluster.local";

/// A definition without a schema.
fn definition(group: &str, version: &str, kind: &str) -> String {
    let singular = kind.to_lowercase();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{singular}s.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": format!("{singular}s"), "singular": singular},
            "versions": [{
                "name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
    .to_string()
}

fn gateway(name: &str) -> Target {
    let kind = GroupVersionKind::gvk("networking.istio.io", "v1beta1", "Gateway");
    let object = DynamicObject::new(name, &ApiResource::from_gvk_with_plural(&kind, "gateways"))
        .within(KNATIVE);
    Target::for_object(
        ApiResource::from_gvk_with_plural(&kind, "gateways"),
        &object,
    )
}

fn config_map(name: &str) -> Target {
    Target::of::<ConfigMap>(Some(KNATIVE), name)
}

fn class(name: &str) -> Target {
    Target::of::<crds::GatewayBindingClass>(None, name)
}

/// Knative as it is installed, and a part of Higress.
async fn cluster(world: &World) {
    let objects = "
apiVersion: v1
kind: Namespace
metadata: {name: higress-system}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config-network, namespace: knative-serving}
data: {autocreate-cluster-domain-claims: \"true\"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config-domain, namespace: knative-serving}
data: {svc.example.org: \"\"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config-istio, namespace: knative-serving}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: higress-controller, namespace: higress-system}
spec:
  replicas: 0
  selector: {matchLabels: {app: higress-controller}}
  template:
    metadata: {labels: {app: higress-controller}}
    spec: {serviceAccountName: higress, containers: [{name: discovery, image: higress/pilot}]}
";
    world.apply(objects).await.unwrap();
}

/// What comes with Istio and net-istio.
async fn istio(world: &World) {
    for (group, version, kind) in [
        ("networking.istio.io", "v1beta1", "Gateway"),
        ("networking.istio.io", "v1beta1", "VirtualService"),
    ] {
        world
            .apply(&definition(group, version, kind))
            .await
            .unwrap();
    }
    let objects = "
apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata: {name: knative-ingress-gateway, namespace: knative-serving}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [\"*\"]}]}
---
apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata: {name: knative-local-gateway, namespace: knative-serving}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 8081, name: http, protocol: HTTP}, hosts: [\"*\"]}]}
";
    world.apply(objects).await.unwrap();
}

/// The rest of Higress but for its rights.
async fn higress(world: &World) {
    let plugin = definition("extensions.higress.io", "v1alpha1", "WasmPlugin");
    let service = "{apiVersion: v1, kind: Service, metadata: {name: higress-gateway, namespace: higress-system}, spec: {ports: [{port: 80}]}}";
    world
        .apply(&format!("{plugin}\n---\n{service}"))
        .await
        .unwrap();
}

const RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: higress-controller-higress-system}
rules:
- {apiGroups: [networking.internal.knative.dev], resources: [ingresses], verbs: [get, list, watch]}
- {apiGroups: [networking.internal.knative.dev], resources: [ingresses/status], verbs: [get, patch, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: higress-controller-higress-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: higress-controller-higress-system}
subjects: [{kind: ServiceAccount, name: higress, namespace: higress-system}]
";

async fn apply_class(world: &World, name: &str, adapter: &str, knative: &Value) {
    let class = json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
        "metadata": {"name": name},
        "spec": {
            "knative": knative,
            "gateways": [{"name": "higress", "higress": {"namespace": "higress-system", "adapter": adapter}}],
        },
    });
    world.apply(&class.to_string()).await.unwrap();
}

/// Waits until a class says so; it is made to look until then, since nothing watches Knative's objects.
async fn says(world: &World, name: &str, status: &str, reason: &str, words: &[&str]) {
    let target = class(name);
    let mut looks = 0_u32;
    let look = async || {
        looks += 1;
        let nudge = json!({"metadata": {"annotations": {"gatewaybinding.dev/reconcile-at": looks.to_string()}}});
        let found = world.patch(&target, &nudge).await;
        let found = found.map_err(|error| error.to_string())?;
        let observed = found.data["status"]["observedGeneration"].as_i64();
        let conditions = found.data["status"]["conditions"].as_array().cloned();
        let mut conditions = conditions.into_iter().flatten();
        let ready = conditions.find(|one| one["type"] == "Ready");
        let ready = ready.ok_or("no condition")?;
        let message = ready["message"].as_str().unwrap_or_default();
        if observed == found.metadata.generation
            && ready["status"] == status
            && ready["reason"] == reason
            && words.iter().all(|word| message.contains(word))
        {
            Ok(())
        } else {
            Err(format!("{observed:?}: {ready}"))
        }
    };
    let expected = format!("Ready={status} {reason} {words:?}");
    let waited = world.wait_until(name, &expected, LONG, look).await;
    waited.unwrap();
}

async fn data(world: &World, name: &str) -> BTreeMap<String, String> {
    let api = Api::<ConfigMap>::namespaced(world.client(), KNATIVE);
    api.get(name).await.unwrap().data.unwrap_or_default()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

async fn selector(world: &World, name: &str) -> Value {
    let api = gateway(name).api(world.client());
    let found = api.get(name).await.unwrap();
    assert_eq!(found.data["spec"]["servers"].as_array().unwrap().len(), 1);
    found.data["spec"]["selector"].clone()
}

#[tokio::test]
async fn knative_is_switched_over_to_higress_in_either_way_and_gets_everything_back() {
    let options = WorldOptions {
        audited: true,
        knative: false,
        ccm: false,
        ..WorldOptions::default()
    };
    let mut installed = Installed::prepare(options).await;
    let world = &installed.world;
    super::namespace(world, KNATIVE).await;
    cluster(world).await;
    let rights = json!({"rbac": {
        "knative": true, "higress": true, "higressNamespaces": ["higress-system"],
    }});
    installed.install(&rights).await;
    installed.start().await;
    let world = &installed.world;

    way_one(world).await;
    way_two(world).await;
    others_write_too(world).await;
    the_next_class(world).await;
    current_spelling(world).await;

    installed.stop().await;
    rights_are_enough_and_least(&installed.world).await;
    installed.world.stop().await.unwrap();
}

/// What is missing is told one after the other, and then the keys are there beside those of others.
async fn way_one(world: &World) {
    let knative = json!({"gateway": "higress", "domains": [{"name": "example.com"}]});
    apply_class(world, "first", "KIngress", &knative).await;
    let missing = ["higress-system/higress-gateway", "helm install higress"];
    says(world, "first", "False", "HigressNotFound", &missing).await;
    higress(world).await;
    let command = ["kubectl patch clusterrole higress-controller-higress-system"];
    says(world, "first", "False", "HigressNotPermitted", &command).await;
    let untouched = pairs(&[("autocreate-cluster-domain-claims", "true")]);
    assert_eq!(data(world, "config-network").await, untouched);
    world.apply(RIGHTS).await.unwrap();
    says(world, "first", "True", "Ready", &[]).await;
    let network = pairs(&[
        ("autocreate-cluster-domain-claims", "true"),
        ("ingress-class", "higress"),
    ]);
    assert_eq!(data(world, "config-network").await, network);
    let domains = pairs(&[("example.com", ""), ("svc.example.org", "")]);
    assert_eq!(data(world, "config-domain").await, domains);
}

/// Gateways that are pointed elsewhere are left until the class may take them over; until then nothing is
/// half switched over.
async fn way_two(world: &World) {
    let mut knative = json!({"gateway": "higress"});
    apply_class(world, "first", "IstioCRDs", &knative).await;
    let command = ["helm install istio-base"];
    says(world, "first", "False", "IstioAPIDisabled", &command).await;
    istio(world).await;
    let command = ["global.enableIstioAPI=true"];
    says(world, "first", "False", "IstioAPIDisabled", &command).await;
    let enabled = json!({"spec": {"template": {"spec": {"containers": [{
        "name": "discovery", "image": "higress/pilot", "env": [{"name": "HIGRESS_ENABLE_ISTIO_API", "value": "true"}],
    }]}}}});
    let controller = Target::of::<Deployment>(Some("higress-system"), "higress-controller");
    world.patch(&controller, &enabled).await.unwrap();
    let left = [
        "selector in Gateway knative-serving/knative-ingress-gateway",
        "knative-serving/knative-local-gateway",
        "Takeover",
    ];
    says(world, "first", "False", "ForeignField", &left).await;
    assert_eq!(
        data(world, "config-network").await["ingress-class"],
        "higress"
    );
    assert_eq!(data(world, "config-istio").await, BTreeMap::new());
    // It no longer asks for a domain.
    assert_eq!(
        data(world, "config-domain").await,
        pairs(&[("svc.example.org", "")])
    );

    knative["foreignFields"] = json!("Takeover");
    apply_class(world, "first", "IstioCRDs", &knative).await;
    says(world, "first", "True", "Ready", &[]).await;
    assert_eq!(data(world, "config-network").await["ingress-class"], ISTIO);
    let istio = pairs(&[
        ("gateway.knative-serving.knative-ingress-gateway", SERVICE),
        (
            "local-gateway.knative-serving.knative-local-gateway",
            SERVICE,
        ),
    ]);
    assert_eq!(data(world, "config-istio").await, istio);
    let pods = json!({"app": "higress-gateway", "higress": "higress-system-higress-gateway"});
    for name in ["knative-ingress-gateway", "knative-local-gateway"] {
        assert_eq!(selector(world, name).await, pods, "{name}");
    }
    // What somebody sets back is taken over again, and is what they get back later.
    let back = json!({"data": {"ingress-class": "kourier"}});
    world
        .patch(&config_map("config-network"), &back)
        .await
        .unwrap();
    let kept = async || {
        says(world, "first", "True", "Ready", &[]).await;
        match data(world, "config-network").await["ingress-class"].as_str() {
            ISTIO => Ok(()),
            other => Err(other.to_owned()),
        }
    };
    let waited = world
        .wait_until("ingress-class", "written again", LONG, kept)
        .await;
    waited.unwrap();
}

/// Others change other keys, and one of ours, which then is theirs.
async fn others_write_too(world: &World) {
    let more = json!({"data": {"http-protocol": "Redirected"}});
    world
        .patch(&config_map("config-network"), &more)
        .await
        .unwrap();
    let knative = json!({"gateway": "higress"});
    apply_class(world, "first", "IstioCRDs", &knative).await;
    says(world, "first", "True", "Ready", &[]).await;
    let theirs = json!({"spec": {"selector": {"app": "theirs", "higress": null}}});
    let local = gateway("knative-local-gateway");
    world.patch(&local, &theirs).await.unwrap();
    let left = [
        "selector in Gateway knative-serving/knative-local-gateway is",
        "theirs",
    ];
    says(world, "first", "False", "ForeignField", &left).await;
}

/// A younger class waits for its turn, and has it once the first is deleted and gave everything back.
async fn the_next_class(world: &World) {
    let knative = json!({"gateway": "higress", "foreignFields": "Takeover"});
    apply_class(world, "second", "KIngress", &knative).await;
    says(world, "second", "False", "Conflict", &["\"first\""]).await;
    let first = class("first");
    world.delete(&first).await.unwrap();
    world.wait_for(&first, &Expect::gone(), LONG).await.unwrap();
    says(world, "second", "True", "Ready", &[]).await;
    assert_eq!(
        data(world, "config-network").await["ingress-class"],
        "higress"
    );
    assert_eq!(data(world, "config-istio").await, BTreeMap::new());
    let istio = json!({"istio": "ingressgateway"});
    assert_eq!(selector(world, "knative-ingress-gateway").await, istio);
    let theirs = json!({"app": "theirs"});
    assert_eq!(selector(world, "knative-local-gateway").await, theirs);

    given_back(world).await;
}

/// Without the block in the class, everything is as it was, with what others changed.
async fn given_back(world: &World) {
    let second = class("second");
    let without = json!({"spec": {"knative": null}});
    world.patch(&second, &without).await.unwrap();
    let clean = Expect::that("with nothing noted and not held", |class| {
        let noted = &class.data["status"]["knative"];
        if noted.is_null() && class.finalizers().is_empty() {
            Ok(())
        } else {
            Err(format!("{noted} {:?}", class.finalizers()))
        }
    });
    world.wait_for(&second, &clean, LONG).await.unwrap();
    let network = pairs(&[
        ("autocreate-cluster-domain-claims", "true"),
        ("http-protocol", "Redirected"),
        ("ingress-class", "kourier"),
    ]);
    assert_eq!(data(world, "config-network").await, network);
    let domains = pairs(&[("svc.example.org", "")]);
    assert_eq!(data(world, "config-domain").await, domains);
}

/// Where somebody uses the current keys of `config-istio`, these are written.
async fn current_spelling(world: &World) {
    let list =
        "- {name: mine, namespace: istio-system, service: mine.istio-system.svc.cluster.local}\n";
    let lists = json!({"data": {"external-gateways": list, "local-gateways": list}});
    world
        .patch(&config_map("config-istio"), &lists)
        .await
        .unwrap();
    let before = data(world, "config-istio").await;
    let knative = json!({"gateway": "higress", "foreignFields": "Takeover"});
    apply_class(world, "second", "IstioCRDs", &knative).await;
    says(world, "second", "True", "Ready", &[]).await;
    let istio = data(world, "config-istio").await;
    assert!(istio.keys().eq(before.keys()), "{istio:?}");
    assert!(
        istio.values().all(|list| list.contains(SERVICE)),
        "{istio:?}"
    );
    given_back(world).await;
    assert_eq!(data(world, "config-istio").await, before);
}

async fn rights_are_enough_and_least(world: &World) {
    let asked = world.asked().unwrap();
    let refused = asked.iter().filter(|asked| !asked.allowed).map(right);
    assert_eq!(
        refused.collect::<BTreeSet<_>>(),
        BTreeSet::new(),
        "rights that are missing"
    );
    let name = format!("{}-knative", chart::OPERATOR);
    let cluster = Api::<ClusterRole>::all(world.client());
    let cluster = cluster.get(&name).await.unwrap().rules.unwrap();
    let role = Api::<Role>::namespaced(world.client(), KNATIVE);
    let role = role.get(&name).await.unwrap().rules.unwrap();
    let granted: BTreeSet<(String, String)> =
        cluster.iter().chain(&role).flat_map(pairs_of).collect();
    let used = asked.iter().map(right);
    let used: BTreeSet<(String, String)> = used
        .filter(|right| right.role.contains(&format!("\"{name}")))
        .map(|right| (right.resource, right.verb))
        .collect();
    assert_eq!(granted, used, "granted and used");
}

fn pairs_of(rule: &PolicyRule) -> Vec<(String, String)> {
    let resources = rule.resources.iter().flatten();
    let pairs = resources.flat_map(|resource| {
        let verbs = rule.verbs.iter();
        verbs.map(move |verb| (resource.clone(), verb.clone()))
    });
    pairs.collect()
}
