//! What the charts render, whatever the values: objects that the API server takes, pods that may run
//! anywhere, and clear words for values that are wrong.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clap::Parser as _;
use control_plane::ControlPlane;
use e2e::chart::{self, Helm, HelmError};
use gatewaybinding_operator::args::{Cli, Command};
use serde_json::{Value, json};

use super::charts_installed;

const OPERATOR: &str = "gatewaybinding-operator";

/// The sets of values that the chart is tried with, by name.
fn value_sets() -> BTreeMap<String, PathBuf> {
    let folder = chart::folder(chart::OPERATOR).join("ci");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            let name = name.strip_suffix("-values.yaml").unwrap().to_owned();
            (name, file.path())
        })
        .collect()
}

async fn render(helm: &Helm, chart: &str, values: &[&Path]) -> Result<String, HelmError> {
    let folder = chart::folder(chart).display().to_string();
    let mut args = vec!["template".to_owned(), OPERATOR.to_owned(), folder];
    for file in values {
        args.extend(["--values".to_owned(), file.display().to_string()]);
    }
    helm.run(args).await
}

fn objects(yaml: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    all.into_iter().filter(|object| !object.is_null()).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// kubectl of the administrator with YAML as standard input.
async fn kubectl(
    control_plane: &ControlPlane,
    args: &[&str],
    input: &str,
) -> Result<String, String> {
    let admin = control_plane.kubeconfig().path();
    charts_installed::kubectl(control_plane, admin, args, input).await
}

/// A control plane with all definitions that the charts' objects need, and their namespaces.
async fn cluster(helm: &Helm) -> ControlPlane {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let control_plane = ControlPlane::builder().controller_manager(false);
    let control_plane = control_plane.start().await.unwrap();
    let monitoring = control_plane::monitoring::crds().await.unwrap();
    let client = control_plane.client();
    control_plane::install_crds(client.clone(), &monitoring)
        .await
        .unwrap();
    let mut yaml = render(helm, chart::CRDS, &[]).await.unwrap();
    for namespace in [
        chart::NAMESPACE,
        "istio-system",
        "higress-system",
        "knative-serving",
        "shop",
        "restricted",
    ] {
        let level = match namespace {
            "restricted" => "restricted",
            _ => "privileged",
        };
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"pod-security.kubernetes.io/enforce": level}},
        });
        yaml.push_str(&format!("\n---\n{namespace}\n"));
    }
    // No controller makes it here, and a pod needs one.
    yaml.push_str("\n---\n{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: restricted}}\n");
    control_plane::apply_yaml(client, &yaml).await.unwrap();
    control_plane
}

#[tokio::test]
async fn whatever_the_values_the_api_server_takes_every_object() {
    let helm = Helm::new(None).await.unwrap();
    let control_plane = cluster(&helm).await;
    let sets = value_sets();
    assert!(sets.len() >= 10, "{:?}", sets.keys());
    for (name, values) in &sets {
        let rendered = render(&helm, chart::OPERATOR, &[values]).await.unwrap();
        let apply = [
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            "-f-",
        ];
        let applied = kubectl(&control_plane, &apply, &rendered).await;
        let applied = applied.unwrap_or_else(|error| panic!("{name}: {error}"));
        let objects = objects(&rendered);
        assert_eq!(applied.lines().count(), objects.len(), "{name}: {applied}");

        for deployment in of_kind(&objects, "Deployment") {
            parsed_by_the_operator(name, deployment);
            let pod = restricted_pod(&objects, deployment);
            let create = ["create", "--dry-run=server", "--validate=strict", "-f-"];
            let created = kubectl(&control_plane, &create, &pod).await;
            created.unwrap_or_else(|error| panic!("{name}: {error}\n{pod}"));
        }
    }
}

/// The arguments of a container are flags of the operator that is built here.
fn parsed_by_the_operator(name: &str, deployment: &Value) {
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let args = container["args"].as_array().unwrap();
    let args = args.iter().map(|arg| arg.as_str().unwrap());
    let parsed = Cli::try_parse_from([OPERATOR].into_iter().chain(args));
    let Command::Run(args) = parsed
        .unwrap_or_else(|error| panic!("{name}: {error}"))
        .command
    else {
        panic!("{name}: not the command run");
    };
    let shard = &deployment["metadata"]["labels"]["gatewaybinding.dev/shard"];
    assert_eq!(*shard, args.shard.as_str(), "{name}");
    let port = &container["ports"][0]["containerPort"];
    assert_eq!(*port, args.metrics_listen.port(), "{name}");
    for (probe, path) in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        assert_eq!(container[probe]["httpGet"]["path"], path, "{name}");
    }
}

/// A pod of a Deployment, for a namespace that enforces the strictest Pod Security Standard. That
/// standard does not ask for a read-only root, so we do.
fn restricted_pod(objects: &[Value], deployment: &Value) -> String {
    let mut pod = deployment["spec"]["template"].clone();
    let context = &pod["spec"]["containers"][0]["securityContext"];
    assert_eq!(context["readOnlyRootFilesystem"], true);
    let account = &pod["spec"]["serviceAccountName"];
    let made = of_kind(objects, "ServiceAccount").map(|made| &made["metadata"]["name"]);
    assert!(made.into_iter().all(|made| made == account));
    // That account is in the namespace of the release.
    let spec = pod["spec"].as_object_mut().unwrap();
    spec.remove("serviceAccountName");
    spec.insert("automountServiceAccountToken".into(), json!(false));
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["namespace"] = json!("restricted");
    pod["metadata"]["name"] = json!("pod");
    pod.to_string()
}

#[tokio::test]
async fn nothing_is_granted_that_was_not_asked_for() {
    let helm = Helm::new(None).await.unwrap();
    for (name, values) in value_sets() {
        let objects = objects(&render(&helm, chart::OPERATOR, &[&values]).await.unwrap());
        let everywhere = name == "everywhere";
        for role in of_kind(&objects, "ClusterRole") {
            for rule in role["rules"].as_array().unwrap() {
                let text = rule.to_string();
                assert!(!text.contains('*'), "{name}: {text}");
                let secrets = text.contains("\"secrets\"");
                let services = text.contains("\"services\"") && text.contains("\"create\"");
                // Those through which ALB reaches Kourier: they stand beside Knative Services.
                let hop = name == "alb" && rule["verbs"] == json!(["create", "patch"]);
                let services = services && !hop;
                assert!(everywhere || !(secrets || services), "{name}: {text}");
            }
        }
        let roles = of_kind(&objects, "Role").map(|role| {
            let metadata = &role["metadata"];
            let text = |field: &str| metadata[field].as_str().unwrap().to_owned();
            let name = text("name");
            let what = name.rsplit('-').next().unwrap().to_owned();
            format!("{what} in {}", text("namespace"))
        });
        let mut roles: Vec<String> = roles.collect();
        roles.sort();
        let expected: &[&str] = match name.as_str() {
            "access-key" => &[
                "gateways in istio-system",
                "leases in gatewaybinding-system",
                "secrets in default",
                "secrets in shop",
            ],
            "default-class" => &[
                "credentials in gatewaybinding-system",
                "gateways in istio-system",
                "leases in gatewaybinding-system",
                "secrets in default",
            ],
            "rrsa" => &[
                "gateways in istio-system",
                "leases in gatewaybinding-system",
            ],
            "higress" => &[
                "higress in higress-system",
                "leases in gatewaybinding-system",
                "secrets in default",
            ],
            "knative" => &[
                "knative in knative-serving",
                "leases in gatewaybinding-system",
            ],
            "own-account" => &[],
            _ => &["leases in gatewaybinding-system"],
        };
        assert_eq!(roles, expected, "{name}");
    }
}

#[tokio::test]
async fn wrong_values_are_refused_with_the_value_and_the_rule() {
    let helm = Helm::new(None).await.unwrap();
    for (values, words) in [
        ("replica: 2", ["replica", "not allowed"]),
        ("replicas: two", ["/replicas", "want integer"]),
        ("replicas: -1", ["/replicas", "minimum"]),
        ("image: {tags: v1}", ["/image", "'tags' not allowed"]),
        ("image: {digest: latest}", ["/image/digest", "sha256"]),
        (
            "image: {pullPolicy: Sometimes}",
            ["/image/pullPolicy", "'IfNotPresent'"],
        ),
        ("driftInterval: 10", ["/driftInterval", "want string"]),
        ("driftInterval: soon", ["/driftInterval", "ms|s|m|h"]),
        ("log: {format: xml}", ["/log/format", "'json', 'text'"]),
        ("shards: [EU]", ["/shards/0", "'EU' does not match"]),
        ("shards: [a, a]", ["/shards", "equal"]),
        (
            "rbac: {secretNamespaces: default}",
            ["/rbac/secretNamespaces", "want array"],
        ),
        (
            "rbac: {secretNamespaces: [\"*\", shop]}",
            ["rbac.secretNamespaces", "stand alone"],
        ),
        (
            "rbac: {credentialSecrets: [{name: a}]}",
            ["/rbac/credentialSecrets/0", "namespace"],
        ),
        (
            "rbac: {create: false, gatewayNamespaces: [a]}",
            ["rbac.gatewayNamespaces", "need rbac.create"],
        ),
        (
            "rbac: {higress: true}",
            ["rbac.higress", "needs rbac.knative"],
        ),
        ("extraArgs: [run]", ["/extraArgs/0", "'run' does not match"]),
        ("metrics: {port: 0}", ["/metrics/port", "minimum"]),
        (
            "metrics: {service: {enabled: false}, serviceMonitor: {enabled: true}}",
            ["metrics.serviceMonitor.enabled", "metrics.service.enabled"],
        ),
        (
            "defaultClass: {create: true}",
            ["defaultClass.spec", "GatewayBindingClass"],
        ),
        (
            "defaultClass: {create: true, shard: eu, spec: {allowedNamespaces: {from: All}}}",
            ["defaultClass.shard", "not one of shards"],
        ),
        (
            "commonLabels: {stage: 1}",
            ["/commonLabels/stage", "want string"],
        ),
    ] {
        let file = helm.values("wrong.yaml", values).unwrap();
        let refused = render(&helm, chart::OPERATOR, &[&file]).await;
        let message = refused.expect_err(values).to_string();
        for word in words {
            assert!(
                message.contains(word),
                "{values}: no {word:?} in\n{message}"
            );
        }
    }
    let file = helm.values("wrong.yaml", "keep: false").unwrap();
    let refused = render(&helm, chart::CRDS, &[&file]).await.unwrap_err();
    assert!(
        refused.to_string().contains("'keep' not allowed"),
        "{refused}"
    );
}

#[tokio::test]
async fn lint_has_nothing_to_say() {
    let helm = Helm::new(None).await.unwrap();
    for chart in [chart::CRDS, chart::OPERATOR] {
        let folder = chart::folder(chart).display().to_string();
        let linted = helm
            .run(["lint", "--strict", "--quiet", folder.as_str()])
            .await;
        assert_eq!(linted.unwrap().trim(), "", "{chart}");
    }
}
