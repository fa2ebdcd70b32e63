//! The admission policies of the chart: who may part objects from what was made for them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use control_plane::ControlPlane;
use e2e::chart::{self, Helm};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{PATIENCE, charts_installed::kubectl};

const POLL: Duration = Duration::from_millis(200);
/// Somebody who may edit bindings and Services, and write statuses, in these namespaces.
const NAMESPACES: [&str; 2] = ["shop", "doomed"];
const OBJECTS: &str = r#"
{apiVersion: v1, kind: ServiceAccount, metadata: {name: jane, namespace: shop}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: editor}
rules:
- {apiGroups: [""], resources: [services], verbs: ["*"]}
- {apiGroups: [gatewaybinding.dev], resources: [gatewaybindings/status], verbs: [get, patch]}
- {apiGroups: [gatewaybinding.dev], resources: [gatewaybindings], verbs: [get]}
---
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBinding
metadata: {name: cart, namespace: shop, finalizers: [gatewaybinding.dev/cleanup]}
spec: {serviceRef: {kind: KnativeService, name: cart}}
"#;

/// A Service as the operator marks those it makes.
fn service(namespace: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "gateway", "namespace": namespace,
            "labels": {"gatewaybinding.dev/managed-by": "gatewaybinding-operator", "gatewaybinding.dev/class": "production"},
            "annotations": {"gatewaybinding.dev/cluster-id": "c1f0", "gatewaybinding.dev/created-for": "GatewayBindingClass/production"},
        },
        "spec": {"ports": [{"port": 80}]},
    })
    .to_string()
}

/// Gives jane a ClusterRole in a namespace, or everywhere.
fn binding_of(role: &str, namespace: Option<&str>) -> String {
    let kind = match namespace {
        Some(_) => "RoleBinding",
        None => "ClusterRoleBinding",
    };
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": {"name": role, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "jane", "namespace": "shop"}],
    })
    .to_string()
}

/// A cluster with the charts, and jane.
struct Cluster {
    control_plane: ControlPlane,
    jane: PathBuf,
}

impl Cluster {
    async fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        // Without controllers a namespace that is deleted stays as it is.
        let control_plane = ControlPlane::builder().controller_manager(false);
        let control_plane = control_plane.start().await.unwrap();
        let mut cluster = Self {
            control_plane,
            jane: PathBuf::new(),
        };
        for namespace in NAMESPACES.iter().chain(&[chart::NAMESPACE]) {
            cluster
                .apply(&format!(
                    "{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}"
                ))
                .await;
        }
        let helm = Helm::new(Some(cluster.control_plane.kubeconfig()))
            .await
            .unwrap();
        for chart in [chart::CRDS, chart::OPERATOR] {
            let folder = chart::folder(chart).display().to_string();
            helm.run(["install", chart, folder.as_str()]).await.unwrap();
        }
        cluster.apply(OBJECTS).await;
        for namespace in NAMESPACES {
            cluster.apply(&service(namespace)).await;
            for role in ["editor", "gatewaybinding-operator-edit"] {
                cluster.apply(&binding_of(role, Some(namespace))).await;
            }
        }
        let jane = cluster
            .control_plane
            .kubeconfig_for_service_account("shop", "jane");
        cluster.jane = jane.await.unwrap().path().to_owned();
        cluster
    }

    async fn apply(&self, yaml: &str) {
        let admin = self.control_plane.kubeconfig().path();
        let args = ["apply", "--server-side", "-f-"];
        // A definition may take a moment to be served.
        let applied = self
            .until(admin, &args, yaml, |result| result.is_ok())
            .await;
        applied.unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    }

    /// Repeats a command that changes nothing until it ends as wanted: policies and rights are in
    /// force a moment after they are written.
    async fn until(
        &self,
        who: &Path,
        args: &[&str],
        input: &str,
        wanted: impl Fn(&Result<String, String>) -> bool,
    ) -> Result<String, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let result = kubectl(&self.control_plane, who, args, input).await;
            if wanted(&result) || Instant::now() >= deadline {
                return result;
            }
            sleep(POLL).await;
        }
    }

    async fn jane_may(&self, command: &str) {
        let (args, patch) = parse(command);
        let args: Vec<&str> = args.iter().copied().chain(patch).collect();
        let done = self
            .until(&self.jane, &args, "", |result| result.is_ok())
            .await;
        done.unwrap_or_else(|error| panic!("{command}: {error}"));
    }

    async fn jane_may_not(&self, command: &str, words: &[&str]) {
        let (args, patch) = parse(command);
        let args: Vec<&str> = args.iter().copied().chain(patch).collect();
        let refused = |result: &Result<String, String>| {
            let policy = |error: &String| error.contains("ValidatingAdmissionPolicy");
            result.as_ref().is_err_and(policy)
        };
        let refused = self.until(&self.jane, &args, "", refused).await;
        let message = refused.expect_err(command);
        for word in words {
            assert!(
                message.contains(word),
                "{command}: no {word:?} in\n{message}"
            );
        }
    }
}

/// The words of a command, none of which is carried out; a patch is one word.
fn parse(command: &str) -> (Vec<&str>, Vec<&str>) {
    let (command, patch) = command.split_once(" -p ").unwrap_or((command, ""));
    let patch = if patch.is_empty() {
        vec![]
    } else {
        vec!["-p", patch]
    };
    let words = command.split_whitespace().chain(["--dry-run=server"]);
    (words.collect(), patch)
}

const DETACH: &str = "annotate gwb cart -n shop gatewaybinding.dev/detach=true";
const LET_GO: &str = "patch gwb cart -n shop --type=merge -p {\"metadata\":{\"finalizers\":null}}";
const LEDGER: &str = "patch gwb cart -n shop --subresource=status --type=merge -p \
    {\"status\":{\"ledger\":[{\"key\":\"classic/Group/knative\",\"kind\":\"Group\"}]}}";
const GATEWAY: &str = "delete service gateway -n shop";
const MARK: &str =
    "annotate service gateway -n shop --overwrite gatewaybinding.dev/cluster-id=other";

#[tokio::test]
async fn who_lacks_the_verb_detach_cannot_part_objects_from_what_was_made_for_them() {
    let cluster = Cluster::start().await;
    let role = "gatewaybinding-operator-detach";
    let verb = ["verb detach on gatewaybindings", role];
    cluster.jane_may_not(DETACH, &verb).await;
    cluster.jane_may_not(LET_GO, &verb).await;
    cluster
        .jane_may_not(LEDGER, &["status.ledger", "verb detach on gatewaybindings"])
        .await;
    let classes = "verb detach on gatewaybindingclasses";
    cluster
        .jane_may_not(GATEWAY, &["load balancer", classes])
        .await;
    cluster
        .jane_may_not(MARK, &["gatewaybinding.dev/cluster-id", classes])
        .await;

    // All else that her roles allow.
    cluster
        .jane_may("annotate gwb cart -n shop gatewaybinding.dev/reconcile-at=1")
        .await;
    cluster.jane_may("delete gwb cart -n shop").await;
    cluster
        .jane_may("annotate service gateway -n shop example.com/note=1")
        .await;
    cluster.jane_may("patch gwb cart -n shop --subresource=status --type=merge -p {\"status\":{\"observedGeneration\":1}}").await;
    // What a namespace takes with it is not held up.
    let admin = cluster.control_plane.kubeconfig().path();
    let delete = ["delete", "namespace", "doomed", "--wait=false"];
    kubectl(&cluster.control_plane, admin, &delete, "")
        .await
        .unwrap();
    cluster.jane_may("delete service gateway -n doomed").await;

    // With the verb in her namespace, what is in it; a gateway's Service is the class's.
    cluster.apply(&binding_of(role, Some("shop"))).await;
    for command in [DETACH, LET_GO, LEDGER] {
        cluster.jane_may(command).await;
    }
    cluster.jane_may_not(GATEWAY, &[classes]).await;
    cluster.apply(&binding_of(role, None)).await;
    for command in [GATEWAY, MARK] {
        cluster.jane_may(command).await;
    }
}
