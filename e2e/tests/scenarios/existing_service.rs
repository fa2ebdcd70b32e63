//! A gateway whose Service was there before: the operator writes its settings and nothing else,
//! respects other managers, and takes its own writing back when it goes.

use std::collections::BTreeMap;

use e2e::world::{Expect, Target, World, WorldOptions};
use k8s_openapi::api::core::v1::Service;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    PATIENCE,
    exposed::{binding, class, condition, gone, now, ready},
};

const NAME: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-name";
const TYPE: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type";

fn lan() -> Target {
    Target::of::<Service>(Some("istio-system"), "lan")
}

/// Another tool applies the Service, as Argo CD does.
async fn applied_by_argocd(world: &World, annotations: &[(&str, &str)]) {
    let annotations: BTreeMap<_, _> = annotations.iter().copied().collect();
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "lan", "namespace": "istio-system", "annotations": annotations},
        "spec": {"type": "LoadBalancer", "selector": {"app": "istio-ingressgateway"},
            "ports": [{"name": "http2", "port": 80, "targetPort": 80, "protocol": "TCP"}]}});
    let services = Api::<Service>::namespaced(world.client(), "istio-system");
    let params = PatchParams::apply("argocd-controller");
    let service = Patch::Apply(service);
    services.patch("lan", &params, &service).await.unwrap();
}

fn manifests(foreign_fields: &str) -> String {
    format!(
        "apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {{name: lan}}
spec:
  cloud: {{regionId: cn-beijing, clusterId: c1f0, credentials: {{type: Environment}}}}
  gateways:
  - name: lan
    slb:
      service: {{namespace: istio-system, name: lan, foreignFields: {foreign_fields}}}
      settings: {{addressType: Intranet, name: wanted}}
---
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBinding
metadata: {{name: lan, namespace: default}}
spec:
  className: lan
  gateway: lan
  serviceRef: {{kind: KnativeService, name: hello}}
"
    )
}

async fn annotations(world: &World) -> BTreeMap<String, String> {
    let service = now(world, &lan()).await;
    let mut annotations = service.metadata.annotations.unwrap_or_default();
    annotations.retain(|key, _| key.starts_with("service.beta.kubernetes.io/"));
    annotations
}

#[tokio::test]
async fn what_another_tool_owns_is_reported_or_taken_over_as_the_class_says() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    super::helloworld(&world, "default", "hello", "").await;
    applied_by_argocd(&world, &[(TYPE, "intranet"), (NAME, "theirs")]).await;
    world.apply(&manifests("Report")).await.unwrap();
    let target = binding("default", "lan");
    let foreign = Expect::condition_with_reason("Programmed", "False", "ForeignField");
    let told = world.wait_for(&target, &foreign, PATIENCE).await.unwrap();
    let (_, _, message) = condition(&told, "Programmed").unwrap();
    for word in ["istio-system/lan", "argocd-controller", "Takeover"] {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
    assert_eq!(annotations(&world).await[NAME], "theirs");

    world.apply(&manifests("Takeover")).await.unwrap();
    ready(&world, &target).await;
    assert_eq!(annotations(&world).await[NAME], "wanted");

    world.delete(&target).await.unwrap();
    gone(&world, &target).await;
    world.delete(&class("lan")).await.unwrap();
    gone(&world, &class("lan")).await;
    assert!(
        now(&world, &lan())
            .await
            .metadata
            .deletion_timestamp
            .is_none()
    );
    let left = annotations(&world).await;
    assert_eq!(left[NAME], "theirs", "as it was before: {left:?}");
    assert_eq!(left[TYPE], "intranet", "the load balancer has it for life");
}

#[tokio::test]
async fn a_service_that_says_nothing_gets_the_settings_and_gives_them_back() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    super::helloworld(&world, "default", "hello", "").await;
    applied_by_argocd(&world, &[("note", "ours")]).await;
    world.apply(&manifests("Report")).await.unwrap();
    let target = binding("default", "lan");
    // CCM was first, and made a public load balancer: that is for life.
    let immutable = Expect::condition_with_reason("Stalled", "True", "Immutable");
    let ready_or_immutable = Expect::that("Ready, or told that it cannot be", move |binding| {
        let ready = Expect::condition("Ready", "True").check(Some(binding));
        ready.or_else(|_| immutable.check(Some(binding)))
    });
    let told = world.wait_for(&target, &ready_or_immutable, PATIENCE).await;
    let told = told.unwrap();
    let annotated = annotations(&world).await;
    match condition(&told, "Stalled") {
        Some((_, _, message)) => {
            assert!(message.contains("slb.addressType"), "{message}");
            assert_eq!(annotated.get(TYPE), None, "nothing CCM would refuse");
        }
        None => assert_eq!(annotated[TYPE], "intranet"),
    }
    applied_by_argocd(&world, &[("note", "ours")]).await;
    assert_eq!(
        annotations(&world).await,
        annotated,
        "Argo CD fights nobody"
    );

    world.delete(&target).await.unwrap();
    gone(&world, &target).await;
    let service = now(&world, &lan()).await;
    let managers: Vec<_> = service
        .metadata
        .managed_fields
        .iter()
        .flatten()
        .filter_map(|fields| fields.manager.clone())
        .collect();
    assert!(
        managers.contains(&"argocd-controller".to_owned()),
        "{managers:?}"
    );
}
