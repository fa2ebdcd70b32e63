//! Worlds in which helm installed the charts, and kubectl for people with few rights.

use std::{path::Path, process::Stdio};

use control_plane::ControlPlane;
use e2e::{
    binaries,
    chart::{self, Container, Helm},
    world::{World, WorldOptions},
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::PATIENCE;

/// The Secret with the access key.
const KEY: &str = "alibaba-cloud";

/// A world with both charts. The operator does not run until [`Installed::start`].
pub(super) struct Installed {
    pub(super) world: World,
    pub(super) helm: Helm,
}

impl Installed {
    /// A world with everything but the charts, and helm for it.
    pub(super) async fn prepare(options: WorldOptions) -> Self {
        let options = WorldOptions {
            definitions: false,
            ..options.without_operator()
        };
        let world = World::start(options).await.unwrap();
        let kubeconfig = world.control_plane.kubeconfig();
        let helm = Helm::new(Some(kubeconfig)).await.unwrap();
        let keys = &world.options().operator_keys;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": KEY, "namespace": chart::NAMESPACE},
            "stringData": {"accessKeyId": keys.id, "accessKeySecret": keys.secret},
        });
        world.apply(&secret.to_string()).await.unwrap();
        Self { world, helm }
    }

    /// Installs or upgrades a release; the chart is a folder or an archive.
    pub(super) async fn release(&self, name: &str, chart: &Path, values: &Value) {
        let values = self.helm.values("values.json", &values.to_string());
        let (chart, values) = (chart.display().to_string(), values.unwrap());
        let values = values.display().to_string();
        let args = ["upgrade", "--install", name, &chart, "--values", &values];
        self.helm.run(args).await.unwrap();
    }

    /// Both charts of this repository, with further values of the operator.
    pub(super) async fn install(&self, more: &Value) {
        let crds = chart::folder(chart::CRDS);
        self.release(chart::CRDS, &crds, &json!({})).await;
        let operator = chart::folder(chart::OPERATOR);
        let values = self.values(more);
        self.release(chart::OPERATOR, &operator, &values).await;
    }

    /// Values by which the operator reaches this world's cloud and is reached on a free port.
    pub(super) fn values(&self, more: &Value) -> Value {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let endpoint = format!("--cloud-endpoint={}", self.world.cloud.url());
        let mut values = json!({
            "cloudSecret": {"name": KEY},
            "metrics": {"port": port},
            "extraArgs": [endpoint],
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            values[name] = value.clone();
        }
        values
    }

    /// The container of the Deployment that is always there.
    pub(super) async fn container(&self) -> Container {
        let built = binaries::ensure(|_| {}).await.unwrap();
        let container = Container::of(&self.world, chart::OPERATOR, built.operator.clone());
        container.await.unwrap()
    }

    /// Starts the operator with a new token of its ServiceAccount, and waits until it is ready.
    pub(super) async fn start(&mut self) {
        let mut operator = self.container().await.start(&self.world).unwrap();
        operator.wait_until_ready(PATIENCE).await.unwrap();
        self.world.operator = Some(operator);
    }

    /// Stops it in order, as a kubelet does.
    pub(super) async fn stop(&mut self) {
        let operator = self.world.operator.take().unwrap();
        let status = operator.terminate(PATIENCE).await.unwrap();
        assert!(status.success(), "{status}");
    }
}

/// kubectl with a kubeconfig and YAML as standard input: what it printed, as an error if it failed.
pub(super) async fn kubectl(
    control_plane: &ControlPlane,
    kubeconfig: &Path,
    args: &[&str],
    input: &str,
) -> Result<String, String> {
    let mut child = tokio::process::Command::new(control_plane.kubectl().await.unwrap())
        .args(args)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        Err(text)
    }
}
