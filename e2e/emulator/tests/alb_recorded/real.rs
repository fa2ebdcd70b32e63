//! The real controller, run as any user would, but with the relay for its HTTP proxy: the hosts of the
//! cloud's APIs are then wherever the relay says.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::common::{KEY, REGION, SECRET};

/// The real controller; ends when dropped.
pub(super) struct Controller(Child);

impl Controller {
    /// Starts the program; its configuration goes to `folder`.
    pub(super) fn start(
        program: &Path,
        folder: &Path,
        kubeconfig: &Path,
        relay: std::net::SocketAddr,
        (vpc, vswitch): (&str, &str),
    ) -> Self {
        let config = format!(
            "Global:\n  accessKeyID: {}\n  accessKeySecret: {}\n  clusterID: c1\n  region: {REGION}\n  \
             vpcid: {vpc}\n  vswitchid: {vswitch}\n  serviceBackendType: eni\n",
            STANDARD.encode(KEY),
            STANDARD.encode(SECRET),
        );
        let path = folder.join("cloud-config.yaml");
        std::fs::write(&path, config).expect("the configuration is written");
        let log = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("alb-controller-{}.log", relay.port()));
        eprintln!("the controller's log is {}", log.display());
        let log = File::create(log).expect("a log");
        let child = Command::new(program)
            .arg(format!("--cloud-config={}", path.display()))
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .args(["--controllers=ingress", "--configure-cloud-routes=false"])
            .args([
                "--leader-elect=false",
                "--leader-elect-resource-lock=leases",
            ])
            .args([
                "--metrics-bind-addr=127.0.0.1:0",
                "--health-probe-bind-addr=0",
            ])
            .env("ALICLOUD_CLIENT_SCHEME", "HTTP")
            .env("HTTP_PROXY", format!("http://{relay}"))
            .env("http_proxy", format!("http://{relay}"))
            .env("NO_PROXY", "127.0.0.1,localhost")
            .stdout(Stdio::from(log.try_clone().expect("a second handle")))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("the controller starts");
        Self(child)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
