//! The control plane as its users see it. A first run builds the programs, which takes minutes.
#![allow(
    clippy::unwrap_used,
    reason = "the lint's exemption of tests leaves out their helpers"
)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use control_plane::{ControlPlane, apply_yaml, install_crds, knative};
use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace, ServiceAccount},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams},
};

const LIMIT: Duration = Duration::from_secs(60);

/// The processes whose command line names the folder: `pid command`.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let command_line = |pid: &str| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (pid.parse::<u32>().ok()? != std::process::id() && line.contains(folder))
            .then(|| format!("{pid} {line}"))
    };
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| command_line(entry.file_name().to_str()?))
        .collect()
}

fn names(processes: &[String]) -> String {
    processes
        .iter()
        .map(|line| line.chars().take(160).collect::<String>())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Waits until `probe` gives `None`, and says at the deadline what it still named as missing.
async fn until_nothing_is_missing(probe: impl AsyncFn() -> Option<String>) {
    let deadline = Instant::now() + LIMIT;
    while let Some(missing) = probe().await {
        assert!(Instant::now() < deadline, "after {LIMIT:?}: {missing}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn namespaces(client: Client) -> Vec<String> {
    let list = Api::<Namespace>::all(client)
        .list(&ListParams::default())
        .await
        .unwrap();
    list.items
        .into_iter()
        .filter_map(|namespace| namespace.metadata.name)
        .collect()
}

#[tokio::test]
async fn serves_knative_definitions_controllers_and_kubectl_and_stops_without_a_trace() {
    let control_plane = ControlPlane::builder().start().await.unwrap();
    let client = control_plane.client();

    let files = knative::crds().await.unwrap();
    install_crds(client.clone(), &files).await.unwrap();
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    for name in [
        "services.serving.knative.dev",
        "routes.serving.knative.dev",
        "configurations.serving.knative.dev",
        "revisions.serving.knative.dev",
        "domainmappings.serving.knative.dev",
        "ingresses.networking.internal.knative.dev",
        "serverlessservices.networking.internal.knative.dev",
        "certificates.networking.internal.knative.dev",
        "podautoscalers.autoscaling.internal.knative.dev",
    ] {
        let status = definitions.get(name).await.unwrap().status.unwrap();
        let conditions = status.conditions.unwrap();
        let established = conditions
            .iter()
            .find(|condition| condition.type_ == "Established")
            .unwrap();
        assert_eq!(established.status, "True", "{name}");
    }

    // An object of a definition, in a namespace of the same text, given in the wrong order.
    let applied = apply_yaml(
        client.clone(),
        "
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: helloworld, namespace: shop}
spec: {template: {spec: {containers: [{image: registry.example.com/helloworld}]}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
",
    )
    .await
    .unwrap();
    assert_eq!(applied.len(), 2);

    let kubectl = control_plane.kubectl().await.unwrap();
    let output = Command::new(kubectl)
        .env("KUBECONFIG", control_plane.kubeconfig().path())
        .args(["get", "ksvc", "-n", "shop", "-o", "name"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "service.serving.knative.dev/helloworld\n",
        "{output:?}"
    );

    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "shop");
    until_nothing_is_missing(async || match accounts.get_opt("default").await {
        Ok(Some(_)) => None,
        other => Some(format!("the namespace's ServiceAccount: {other:?}")),
    })
    .await;
    let all = Api::<Namespace>::all(client.clone());
    all.delete("shop", &DeleteParams::default()).await.unwrap();
    until_nothing_is_missing(async || {
        all.get_opt("shop")
            .await
            .unwrap()
            .map(|namespace| format!("still there: {:?}", namespace.status))
    })
    .await;

    let folder = control_plane.folder().to_path_buf();
    let before = processes_of(&folder);
    for program in ["etcd", "kube-apiserver", "kube-controller-manager"] {
        assert!(
            before.iter().any(|line| line.contains(program)),
            "{program} is not among {}",
            names(&before)
        );
    }
    control_plane.stop().await.unwrap();
    let after = processes_of(&folder);
    assert!(after.is_empty(), "still running: {}", names(&after));
    assert!(!folder.exists(), "{} was left behind", folder.display());
}

#[tokio::test]
async fn two_at_once_know_nothing_of_each_other() {
    let builder = ControlPlane::builder().controller_manager(false);
    let (first, second) = tokio::join!(builder.clone().start(), builder.start());
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.url(), second.url());
    apply_yaml(
        first.client(),
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: only-here}",
    )
    .await
    .unwrap();
    assert!(
        namespaces(first.client())
            .await
            .contains(&"only-here".to_owned())
    );
    assert!(
        !namespaces(second.client())
            .await
            .contains(&"only-here".to_owned())
    );

    // Certificates of one are worth nothing at the other.
    let mut stranger = first.client_config().await.unwrap();
    stranger.cluster_url = second.url().parse().unwrap();
    let refusal = Client::try_from(stranger)
        .unwrap()
        .apiserver_version()
        .await;
    assert!(refusal.is_err(), "{refusal:?}");
}

#[tokio::test]
async fn a_service_account_may_do_only_what_it_is_granted() {
    let control_plane = ControlPlane::builder()
        .controller_manager(false)
        .start()
        .await
        .unwrap();
    let manifest = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: default}
";
    apply_yaml(control_plane.client(), manifest).await.unwrap();
    let kubeconfig = control_plane
        .kubeconfig_for_service_account("default", "reader")
        .await
        .unwrap();
    let maps = Api::<ConfigMap>::namespaced(kubeconfig.client().await.unwrap(), "default");
    let denied = maps.list(&ListParams::default()).await.unwrap_err();
    let kube::Error::Api(status) = &denied else {
        panic!("{denied}")
    };
    assert_eq!(status.code, 403, "{denied}");
    assert!(
        status
            .message
            .contains("system:serviceaccount:default:reader"),
        "{denied}"
    );

    let grant = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: default}]
";
    apply_yaml(control_plane.client(), grant).await.unwrap();
    until_nothing_is_missing(async || {
        maps.list(&ListParams::default())
            .await
            .err()
            .map(|error| format!("the grant: {error}"))
    })
    .await;

    let error = control_plane
        .kubeconfig_for_service_account("default", "nobody")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("\"nobody\" not found"),
        "{error}"
    );
}

#[tokio::test]
async fn a_kept_folder_is_taken_up_again() {
    let data = tempfile::tempdir().unwrap();
    let builder = ControlPlane::builder()
        .controller_manager(false)
        .data_dir(data.path());
    let first = builder.clone().start().await.unwrap();
    apply_yaml(
        first.client(),
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: kept}",
    )
    .await
    .unwrap();
    let in_use = builder.clone().start().await.unwrap_err();
    assert!(
        in_use
            .to_string()
            .contains("another control plane runs on the data folder"),
        "{in_use}"
    );
    drop(first);
    let left = processes_of(data.path());
    assert!(
        left.is_empty(),
        "still running after the drop: {}",
        names(&left)
    );

    let second = builder.start().await.unwrap();
    assert!(
        namespaces(second.client())
            .await
            .contains(&"kept".to_owned())
    );
}

#[tokio::test]
async fn a_start_that_fails_shows_the_log_of_the_process_at_fault() {
    let data = tempfile::tempdir().unwrap();
    // Not a data folder that etcd could use.
    fs::write(data.path().join("etcd"), "a file").unwrap();
    let error = ControlPlane::builder()
        .data_dir(data.path())
        .start()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("etcd ended (exit status: 1)"), "{error}");
    assert!(error.contains("not a directory"), "{error}");
}

#[tokio::test]
async fn nothing_outlives_a_killed_parent() {
    let data = tempfile::tempdir().unwrap();
    let mut parent = Command::new(env!("CARGO_BIN_EXE_control-plane"))
        .args(["run", "--data-dir"])
        .arg(data.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It prints the path of its kubeconfig when everything runs.
    let mut line = String::new();
    let mut output = std::io::BufReader::new(parent.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    assert_eq!(
        Path::new(line.trim()),
        data.path().canonicalize().unwrap().join("admin.kubeconfig")
    );

    let own_pid = parent.id().to_string();
    let children = || {
        let mut processes = processes_of(data.path());
        processes.retain(|line| line.split_whitespace().next() != Some(own_pid.as_str()));
        processes
    };
    let before = children();
    for program in ["etcd", "kube-apiserver", "kube-controller-manager"] {
        assert!(
            before.iter().any(|line| line.contains(program)),
            "{program} is not among {}",
            names(&before)
        );
    }
    // SIGKILL: the parent gets no chance to clean up.
    parent.kill().unwrap();
    parent.wait().unwrap();
    until_nothing_is_missing(async || {
        let left = children();
        (!left.is_empty()).then(|| format!("still running: {}", names(&left)))
    })
    .await;
}
