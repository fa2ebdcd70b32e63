//! All that stands around the operator: the API server with its audit log, and the emulated cloud
//! with strict quotas.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use alicloud_emulator::calls::Call;
use anyhow::{Context as _, bail};
use control_plane::ControlPlane;
use kube::Client;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    audit::{self, AuditLog},
    manifests::{ACCOUNT, CLUSTER, REGION, Scale},
    usage::Usage,
};
use crate::process::{Process, ProcessSpec};

/// How long each part may take to serve.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// Key id and secret that the operator uses in the cloud.
pub(super) const KEY: (&str, &str) = ("LTAI5tOperatorOfBench", "operator-secret-of-the-bench01");
/// Those of the stand-in of the cloud controller manager.
const CCM_KEY: (&str, &str) = ("LTAI5tCcmOfTheBench00", "ccm-secret-of-the-bench-000001");

/// A control plane and a cloud; they end when this is dropped.
pub(super) struct Stage {
    cloud: String,
    http: reqwest::Client,
    /// Requests of the operator.
    pub audit: AuditLog,
    folder: PathBuf,
    _emulator: Process,
    /// etcd, the API server and the controllers.
    pub control_plane: ControlPlane,
}

impl Stage {
    /// Starts everything and applies what has to be there before the first binding.
    pub(super) async fn start(
        scale: Scale,
        emulator: &Path,
        quota: u32,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let audit = AuditLog::new(folder).context("cannot write the audit policy")?;
        let control_plane = ControlPlane::builder()
            .data_dir(folder.join("control-plane"))
            .start_timeout(PATIENCE)
            .apiserver_flags(audit.flags())
            .start()
            .await?;
        let client = control_plane.client();
        let knative = control_plane::knative::crds().await?;
        control_plane::install_crds(client.clone(), &knative).await?;
        control_plane::apply_yaml(client.clone(), &crds::generate::yaml()?).await?;
        let (process, cloud) = start_emulator(emulator, &control_plane, folder)?;
        let stage = Self {
            cloud,
            http: reqwest::Client::builder().no_proxy().build()?,
            audit,
            folder: folder.to_owned(),
            _emulator: process,
            control_plane,
        };
        stage.serving().await?;
        let plan = json!({"quota": {"requestsPerSecond": quota}, "rules": []});
        let faults = stage
            .http
            .post(stage.control("faults"))
            .json(&plan)
            .send()
            .await?;
        faults.error_for_status().context("the quota was refused")?;
        control_plane::apply_yaml(client, &scale.surroundings()).await?;
        Ok(stage)
    }

    /// A client with all rights.
    pub(super) fn client(&self) -> Client {
        self.control_plane.client()
    }

    /// Where all products of the cloud are served.
    pub(super) fn cloud(&self) -> &str {
        &self.cloud
    }

    /// A kubeconfig of the operator's ServiceAccount.
    pub(super) async fn operator_kubeconfig(&self) -> anyhow::Result<PathBuf> {
        let kubeconfig = self
            .control_plane
            .kubeconfig_for_service_account(audit::NAMESPACE, audit::ACCOUNT)
            .await?;
        Ok(kubeconfig.path().to_owned())
    }

    /// The operator's calls since the last [`Stage::forget_calls`], oldest first.
    pub(super) async fn calls(&self) -> anyhow::Result<Vec<Call>> {
        let response = self.http.get(self.control("calls")).send().await?;
        let text = response.error_for_status()?.text().await?;
        let calls = text
            .lines()
            .filter(|line| !line.is_empty())
            .map(serde_json::from_str::<Call>);
        let calls = calls
            .collect::<Result<Vec<_>, _>>()
            .context("the emulator's call log has a line that is no call")?;
        Ok(calls
            .into_iter()
            .filter(|call| call.access_key_id == KEY.0)
            .collect())
    }

    /// Begins a new call log.
    pub(super) async fn forget_calls(&self) -> anyhow::Result<()> {
        let response = self.http.delete(self.control("calls")).send().await?;
        response.error_for_status()?;
        Ok(())
    }

    /// What the emulator itself has used.
    pub(super) fn emulator_usage(&self) -> anyhow::Result<Usage> {
        Ok(Usage::of(&self.folder.join("emulator.pid"))?)
    }

    fn control(&self, path: &str) -> String {
        format!("{}/_emulator/{path}", self.cloud)
    }

    async fn serving(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.http.get(self.control("health")).send().await;
            match answer.and_then(reqwest::Response::error_for_status) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => {
                    let log = self._emulator.log_tail(20);
                    bail!("the emulator does not serve: {error}; its log ends with:\n{log}");
                }
                Err(_) => sleep(POLL).await,
            }
        }
    }
}

/// Starts the emulator's program, without a state file: saving a large state again and again would
/// take the time that is to be measured.
fn start_emulator(
    program: &Path,
    control_plane: &ControlPlane,
    folder: &Path,
) -> anyhow::Result<(Process, String)> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let key = |(id, secret): (&str, &str)| format!("{id}:{secret}").into();
    let args = vec![
        "--listen".into(),
        address.clone().into(),
        "--region".into(),
        REGION.into(),
        "--account-id".into(),
        ACCOUNT.into(),
        "--access-key".into(),
        key(CCM_KEY),
        "--access-key".into(),
        key(KEY),
        "--ccm-kubeconfig".into(),
        control_plane.kubeconfig().path().into(),
        "--ccm-cluster-id".into(),
        CLUSTER.into(),
        "--ccm-access-key".into(),
        CCM_KEY.0.into(),
    ];
    let spec = ProcessSpec {
        name: "emulator".to_owned(),
        program: program.to_owned(),
        args,
        env: vec![("RUST_LOG".to_owned(), "warn".to_owned())],
    };
    Ok((Process::spawn(&spec, folder)?, format!("http://{address}")))
}

/// A loopback port that was free a moment ago.
pub(super) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
