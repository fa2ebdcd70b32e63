//! The real cloud controller manager, for recordings.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use serde_json::json;

use crate::common;
use crate::stage::{CLUSTER, Stage};

/// It runs until it is stopped.
pub struct Real {
    process: Child,
    /// Its configuration and its log.
    folder: tempfile::TempDir,
}

impl Real {
    pub fn start(binary: &Path, stage: &Stage) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (vpc, zone, vswitch) = stage.network();
        let secret = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let config = json!({"Global": {
            "clusterID": CLUSTER,
            "region": common::REGION,
            "vpcid": vpc,
            "zoneid": zone,
            "vswitchid": format!("{zone}:{vswitch}"),
            "accessKeyID": secret(common::KEY),
            "accessKeySecret": secret(common::SECRET),
            "serviceBackendType": "eni",
        }});
        let config_file = folder.path().join("cloud-config.json");
        std::fs::write(&config_file, config.to_string()).expect("written");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let mut command = Command::new(binary);
        command
            .arg(format!("--cloud-config={}", config_file.display()))
            .arg(format!(
                "--kubeconfig={}",
                stage.control_plane.kubeconfig().path().display()
            ))
            .args([
                "--controllers=service,nlb",
                "--configure-cloud-routes=false",
                "--leader-elect=false",
                "--metrics-bind-addr=0",
                "--health-probe-bind-addr=0",
                "--pprof-bind-addr=0",
            ])
            .env("ALICLOUD_CLIENT_SCHEME", "HTTP")
            .env("NO_PROXY", "*")
            .stdout(Stdio::null())
            .stderr(log);
        for product in ["SLB", "NLB", "VPC", "ECS"] {
            command.env(format!("{product}_ENDPOINT"), &stage.proxy.url);
        }
        let process = command.spawn().expect("it starts");
        // Its first look at nodes makes it look at all Services, so none may be there yet.
        std::thread::sleep(Duration::from_secs(15));
        Self { process, folder }
    }

    pub fn stop(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("gone");
        if let Some(kept) = std::env::var_os("RECORD_CCM_LOG") {
            std::fs::copy(self.folder.path().join("log"), kept).expect("copied");
        }
    }
}
