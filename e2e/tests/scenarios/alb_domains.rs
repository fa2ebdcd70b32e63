//! More of Knative Serving itself on application load balancers: DomainMappings, certificates, gradual
//! roll-outs, and an operator that is started again. They share the world of `alb_knative`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
};

use crds::keys::FIELD_MANAGER;
use e2e::world::{Answer, Expect, Target, World};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::{alb_layer::alb_config, alb_stage::target, mass_changes::LONG};

const MAPPED: &str = "shop.example.org";
const SECURE: &str = "secure.example.org";

fn mapping(name: &str) -> Target {
    let kind = GroupVersionKind::gvk("serving.knative.dev", "v1beta1", "DomainMapping");
    let object = DynamicObject::new(name, &ApiResource::from_gvk(&kind)).within("default");
    Target::for_object(ApiResource::from_gvk(&kind), &object)
}

fn manifest(host: &str, more: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "serving.knative.dev/v1beta1", "kind": "DomainMapping",
        "metadata": {"name": host, "namespace": "default"},
        "spec": {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "hello"}},
    });
    for (key, value) in more.as_object().unwrap() {
        object[key] = value.clone();
        if key == "metadata" {
            object[key]["name"] = json!(host);
            object[key]["namespace"] = json!("default");
        }
    }
    if let Some(tls) = more.get("tls") {
        object["spec"]["tls"] = tls.clone();
        object.as_object_mut().unwrap().remove("tls");
    }
    object
}

async fn ask(world: &World, alb: &str, host: &str) -> Answer {
    let headers = [("x-emulated-alb", alb)];
    world.cloud.curl(host, "/", &headers).await.unwrap()
}

/// DomainMappings are served by what serves their Knative Service; one with a certificate, and
/// redirected.
pub(super) async fn mapped_domains_are_served(world: &World, alb: &str, revision: &str) {
    let claim = |host: &str| {
        format!(
            "{{apiVersion: networking.internal.knative.dev/v1alpha1, kind: ClusterDomainClaim, metadata: {{name: {host}}}, spec: {{namespace: default}}}}"
        )
    };
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: shop, namespace: default}, type: kubernetes.io/tls, \
        stringData: {tls.crt: crt-of-the-shop-7f3a, tls.key: key-of-the-shop-7f3a}}";
    world.apply(secret).await.unwrap();
    for host in [MAPPED, SECURE] {
        world.apply(&claim(host)).await.unwrap();
    }
    world
        .apply(&manifest(MAPPED, &json!({})).to_string())
        .await
        .unwrap();
    let secure = json!({
        "metadata": {"annotations": {"networking.knative.dev/http-protocol": "redirected"}},
        "tls": {"secretName": "shop"},
    });
    world
        .apply(&manifest(SECURE, &secure).to_string())
        .await
        .unwrap();
    for host in [MAPPED, SECURE] {
        let ready = Expect::condition("Ready", "True");
        world
            .wait_for(&mapping(host), &ready, LONG * 2)
            .await
            .unwrap();
    }
    let answer = ask(world, alb, MAPPED).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains(revision), "{answer:?}");

    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .danger_accept_invalid_certs(true)
        .build()
        .unwrap();
    let plain = world.cloud.url();
    let asked = async |url: &str| {
        let request = http
            .get(url)
            .header("host", SECURE)
            .header("x-emulated-alb", alb);
        request.send().await.unwrap()
    };
    let redirected = asked(plain).await;
    assert_eq!(redirected.status(), 308);
    assert_eq!(
        redirected.headers()["location"],
        format!("https://{SECURE}/")
    );
    let over_tls = asked(&plain.replacen("http:", "https:", 1)).await;
    assert_eq!(over_tls.status(), 200);
    assert!(over_tls.text().await.unwrap().contains(revision));

    for host in [MAPPED, SECURE] {
        world.delete(&mapping(host)).await.unwrap();
        let gone = Expect::gone();
        world.wait_for(&mapping(host), &gone, LONG).await.unwrap();
        world
            .wait_for(&target("default", host), &gone, LONG)
            .await
            .unwrap();
    }
    let refused = || ask_later(world, alb, MAPPED);
    let no_longer = |answer: &Answer| answer.status == 503;
    world
        .wait_for_answer("503", LONG, refused, no_longer)
        .await
        .unwrap();
}

async fn ask_later(world: &World, alb: &str, host: &str) -> Result<Answer, e2e::world::WorldError> {
    world
        .cloud
        .curl(host, "/", &[("x-emulated-alb", alb)])
        .await
}

/// Rolls out gradually, with requests all the time: none fails, both revisions answer on the way, and
/// the new one alone at the end. `roll_out` resolves once the Knative Service is Ready as it is to be.
pub(super) async fn a_gradual_roll_out_fails_no_request(
    world: &World,
    alb: &str,
    host: &str,
    roll_out: impl Future<Output = ()>,
    [from, to]: [&str; 2],
) {
    let stop = AtomicBool::new(false);
    let asking = async {
        let mut answered: BTreeMap<String, usize> = BTreeMap::new();
        while !stop.load(Ordering::Relaxed) {
            let answer = ask(world, alb, host).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let said: Value = serde_json::from_str(&answer.body).unwrap();
            let revision = said["revision"].as_str().unwrap().to_owned();
            *answered.entry(revision).or_default() += 1;
            tokio::task::yield_now().await;
        }
        answered
    };
    let watching = async {
        let shares = shares_until(world, to).await;
        roll_out.await;
        stop.store(true, Ordering::Relaxed);
        shares
    };
    let (answered, shares) = tokio::join!(asking, watching);
    let revisions: BTreeSet<&str> = answered.keys().map(String::as_str).collect();
    assert_eq!(revisions, [from, to].into(), "{answered:?}");
    assert!(
        shares.iter().any(|share| (1..100).contains(share)),
        "{shares:?}"
    );
}

/// The shares that a revision has in the Knative Ingress, until it has all.
async fn shares_until(world: &World, revision: &str) -> BTreeSet<i64> {
    let mut seen = BTreeSet::new();
    let whole = |object: &Value| {
        let splits = &object["spec"]["rules"][0]["http"]["paths"][0]["splits"];
        let splits = splits.as_array().cloned().unwrap_or_default();
        let mut splits = splits.into_iter();
        let own = splits.find(|split| split["serviceName"] == revision);
        own.and_then(|split| split["percent"].as_i64())
            .unwrap_or_default()
    };
    let look = async || {
        let ingresses = target("default", "hello").api(world.client());
        let found = ingresses.get("hello").await;
        let found = found.map_err(|error| error.to_string())?;
        let share = whole(&serde_json::to_value(found).map_err(|error| error.to_string())?);
        seen.insert(share);
        if share == 100 {
            Ok(())
        } else {
            Err(format!("{share} %"))
        }
    };
    let waited = world.wait_until("the new revision", "100 %", LONG * 2, look);
    waited.await.unwrap();
    seen
}

/// What the operator writes is as it was after it was started again.
pub(super) async fn a_restart_with_nothing_changed_writes_nothing(world: &mut World) {
    let before = written(world).await;
    assert!(
        before
            .keys()
            .any(|name| name.starts_with("Ingress.networking.k8s.io")),
        "{before:?}"
    );
    let options = world.options().operator.clone().unwrap();
    world.operator.take().unwrap().kill().await.unwrap();
    world.start_operator(&options).await.unwrap();
    super::alb_layer::passes(world, 1).await;
    assert_eq!(written(world).await, before);
}

/// The objects that the layer writes, with their versions.
async fn written(world: &World) -> BTreeMap<String, String> {
    let ours = [
        "Ingress.",
        "AlbConfig.",
        "IngressClass.",
        "GatewayBinding",
        "Service.serving.knative.dev",
    ];
    let mut objects = world.objects().await.unwrap();
    objects.retain(|name, _| ours.iter().any(|kind| name.starts_with(kind)));
    // Into these the ALB Ingress controller writes in its own time, so only what is ours counts.
    for (name, version) in &mut objects {
        if let Some(name) = name.strip_prefix("AlbConfig.alibabacloud.com /") {
            *version = our_fields(&alb_config(world, name).await);
        }
    }
    objects
}

/// What the operator has written of an object, and when.
fn our_fields(object: &DynamicObject) -> String {
    let entries = object.metadata.managed_fields.iter().flatten();
    let ours = entries.filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let ours: Vec<_> = ours.collect();
    assert!(!ours.is_empty(), "the operator wrote nothing: {object:?}");
    serde_json::to_string(&ours).unwrap()
}
