//! Applying the same again leaves nothing to do, whoever applies it and how: kubectl and Argo CD see no
//! difference, and nothing moves.

use std::fs;

use e2e::{
    gitops::{Gitops, Pair},
    world::{Target, World, WorldOptions},
};
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::{
    argocd::deploy,
    exposed::{binding, class, consumer, helloworld, now, ready},
};

/// A gateway's Service in Git, and what uses it.
const OWN_SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: lan, namespace: istio-system, annotations: {team: platform,
  service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type: intranet}}
spec:
  type: LoadBalancer
  selector: {app: istio-ingressgateway}
  ports: [{name: http2, port: 80, targetPort: 80, protocol: TCP}]
---
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {name: lan}
spec:
  cloud: {regionId: cn-beijing, clusterId: c1f0, credentials: {type: Environment}}
  gateways:
  - name: lan
    slb:
      service: {namespace: istio-system, name: lan}
      settings: {addressType: Intranet, name: wanted}
---
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBinding
metadata: {name: lan, namespace: default}
spec:
  className: lan
  gateway: lan
  serviceRef: {kind: KnativeService, name: helloworld}
";

/// All manifests, as they stand in Git.
fn manifests() -> String {
    let folder = deploy("example/gateway");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut texts: Vec<_> = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    texts.push(OWN_SERVICE.to_owned());
    texts.join("\n---\n")
}

/// The gateway's own Service, the three kinds, and the Service of another class.
fn watched() -> Vec<Target> {
    vec![
        helloworld(),
        class("production"),
        consumer("default", "knative"),
        binding("default", "lan"),
        class("lan"),
        Target::of::<Service>(Some("istio-system"), "lan"),
    ]
}

/// Each as it is, its version included.
async fn objects(world: &World) -> Vec<Value> {
    let mut objects = Vec::new();
    for target in watched() {
        let mut object = now(world, &target).await;
        object.metadata.managed_fields = None;
        objects.push(serde_json::to_value(object).unwrap());
    }
    objects
}

async fn all_ready(world: &World) {
    for target in [
        helloworld(),
        binding("default", "lan"),
        consumer("default", "knative"),
        class("lan"),
    ] {
        ready(world, &target).await;
    }
}

/// What is applied, in a file for kubectl.
async fn start() -> (World, String) {
    let world = World::start(WorldOptions::default()).await.unwrap();
    let file = world.folder().join("git.yaml");
    fs::write(&file, manifests()).unwrap();
    (world, file.to_str().unwrap().to_owned())
}

/// kubectl sees no difference, and says of every object that it is as it was.
async fn nothing_left(world: &World, file: &str, flags: &[&str]) {
    let before = objects(world).await;
    let run = async |words: &[&str]| {
        let words = [words, &["-f", file], flags].concat();
        world.kubectl(&words).await.unwrap()
    };
    assert_eq!(run(&["diff"]).await, "", "a difference with {flags:?}");
    let said = run(&["apply"]).await;
    if flags.is_empty() {
        for line in said.lines() {
            assert!(line.ends_with(" unchanged"), "{said}");
        }
    }
    assert_eq!(objects(world).await, before, "something moved: {said}");
}

#[tokio::test]
async fn kubectl_finds_nothing_to_do_the_second_time() {
    let (world, file) = start().await;
    world.kubectl(&["apply", "-f", &file]).await.unwrap();
    all_ready(&world).await;
    nothing_left(&world, &file, &[]).await;
    argocd_agrees(&world, &file).await;
    // Somebody turns to server-side apply: no conflict with what the operator writes.
    let server_side = ["--server-side"];
    let turned = ["apply", "--server-side", "-f", &file];
    world.kubectl(&turned).await.unwrap();
    all_ready(&world).await;
    nothing_left(&world, &file, &server_side).await;
}

#[tokio::test]
async fn server_side_apply_meets_no_conflict_and_no_difference() {
    let (world, file) = start().await;
    let as_argocd = ["--server-side", "--field-manager=argocd-controller"];
    let apply = ["apply", "-f", &file, as_argocd[0], as_argocd[1]];
    world.kubectl(&apply).await.unwrap();
    all_ready(&world).await;
    nothing_left(&world, &file, &as_argocd).await;
    argocd_agrees(&world, &file).await;
    // Somebody else applies the same: both own it then, and neither is in the way of the other.
    let apply = ["apply", "--server-side", "-f", &file];
    world.kubectl(&apply).await.unwrap();
    nothing_left(&world, &file, &["--server-side"]).await;
}

/// Argo CD's own comparison, its way and the server's.
async fn argocd_agrees(world: &World, file: &str) {
    let gitops = Gitops::new().await.unwrap();
    let dry = [
        "apply",
        "-f",
        file,
        "--server-side",
        "--dry-run=server",
        "--force-conflicts",
        "--field-manager=argocd-controller",
        "-o",
        "json",
    ];
    let predicted: Value = serde_json::from_str(&world.kubectl(&dry).await.unwrap()).unwrap();
    let predicted = predicted["items"].as_array().unwrap();
    let configs: Vec<Value> = serde_saphyr::from_multiple(&manifests()).unwrap();
    assert_eq!(configs.len(), predicted.len());
    let targets = world.targets(&manifests()).await.unwrap();
    let mut pairs = Vec::new();
    for ((config, target), predicted) in configs.iter().zip(&targets).zip(predicted) {
        let live = serde_json::to_value(now(world, target).await).unwrap();
        for predicted in [None, Some(predicted.clone())] {
            let (config, live) = (config.clone(), live.clone());
            pairs.push(Pair {
                config,
                live,
                predicted,
            });
        }
    }
    let differ = gitops.differ(&pairs).await.unwrap();
    let different: Vec<_> = pairs
        .iter()
        .zip(differ)
        .filter(|(_, differs)| *differs)
        .map(|(pair, _)| format!("{:#}", json!({"config": pair.config, "live": pair.live})))
        .collect();
    assert!(different.is_empty(), "{different:#?}");

    // It would tell.
    let mut changed = pairs[0].clone();
    changed.config["metadata"]["annotations"]["team"] = json!("another");
    changed.predicted = None;
    assert_eq!(gitops.differ(&[changed]).await.unwrap(), [true]);
}

#[tokio::test]
async fn the_application_is_one_that_argo_cd_understands() {
    let text = fs::read_to_string(deploy("example/application.yaml")).unwrap();
    let mut application: Value = serde_saphyr::from_str(&text).unwrap();
    let gitops = Gitops::new().await.unwrap();
    gitops.application(&application).await.unwrap();
    application["spec"]["syncPolicy"]["automatic"] = json!({});
    assert!(
        gitops.application(&application).await.is_err(),
        "it would tell"
    );
}

/// The manifests of the Application are those of the example, with waves.
#[test]
fn the_waves_put_first_what_others_need() {
    let example = super::exposed::example();
    let example: Vec<Value> = serde_saphyr::from_multiple(&example).unwrap();
    let mut waves = Vec::new();
    for name in ["binding", "class", "consumer", "knative-service"] {
        let text = fs::read_to_string(deploy(&format!("example/gateway/{name}.yaml"))).unwrap();
        let mut manifest: Value = serde_saphyr::from_str(&text).unwrap();
        let meta = manifest["metadata"].as_object_mut().unwrap();
        let annotations = meta["annotations"].as_object_mut().unwrap();
        let wave = annotations.remove("argocd.argoproj.io/sync-wave").unwrap();
        waves.push((name, wave.as_str().unwrap().parse::<i32>().unwrap()));
        if annotations.is_empty() {
            meta.remove("annotations");
        }
        assert!(
            example.contains(&manifest),
            "{name} differs from the example"
        );
    }
    waves.sort_by_key(|(_, wave)| *wave);
    let order: Vec<_> = waves.iter().map(|(name, _)| *name).collect();
    assert_eq!(order, ["class", "consumer", "knative-service", "binding"]);
}
