//! The real ALB Ingress controller in a world, in place of its stand-in.

mod proxy;

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{Cloud, WorldError, WorldOptions};
use crate::process::{Process, ProcessSpec};
use proxy::Proxy;

/// The environment variable that names its program.
pub(super) const VARIABLE: &str = "ALB_CONTROLLER";
const NAME: &str = "alb-controller";

/// The program as it runs, and the proxy by which it reaches the emulated cloud. Both end when this is
/// dropped.
#[derive(Debug)]
pub struct AlbController {
    #[expect(dead_code, reason = "held for as long as it is to run")]
    process: Process,
    #[expect(dead_code, reason = "held for as long as it is to run")]
    proxy: Proxy,
}

impl AlbController {
    /// Starts the program as it is; its configuration and its log `alb-controller.log` go to the folder.
    ///
    /// # Errors
    /// If it cannot be run, or there is no port for the proxy.
    pub async fn start(
        program: PathBuf,
        options: &WorldOptions,
        cloud: &Cloud,
        kubeconfig: &Path,
        folder: &Path,
    ) -> Result<Self, WorldError> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |source| WorldError::Io { what, source }
        };
        let proxy = Proxy::start(cloud.url().to_owned(), options.region.clone())
            .await
            .map_err(failed("start the proxy of the ALB Ingress controller"))?;
        let config = folder.join(format!("{NAME}.yaml"));
        std::fs::write(&config, cloud_config(options, cloud).await?)
            .map_err(failed("write the ALB Ingress controller's configuration"))?;
        let args = [
            format!("--cloud-config={}", config.display()),
            format!("--kubeconfig={}", kubeconfig.display()),
            "--controllers=ingress".to_owned(),
            "--configure-cloud-routes=false".to_owned(),
            "--leader-elect=false".to_owned(),
            "--leader-elect-resource-lock=leases".to_owned(),
            "--metrics-bind-addr=127.0.0.1:0".to_owned(),
            "--health-probe-bind-addr=0".to_owned(),
        ];
        let variables = [
            ("ALICLOUD_CLIENT_SCHEME", "HTTP".to_owned()),
            ("HTTP_PROXY", proxy.url()),
            ("http_proxy", proxy.url()),
            ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
        ];
        let spec = ProcessSpec {
            name: NAME.to_owned(),
            program,
            args: args.map(Into::into).to_vec(),
            env: variables
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec(),
        };
        Ok(Self {
            process: Process::spawn(&spec, folder)?,
            proxy,
        })
    }
}

/// Its configuration: where the cluster is in the cloud, and the key by which it gets in.
async fn cloud_config(options: &WorldOptions, cloud: &Cloud) -> Result<String, WorldError> {
    let state = cloud.state().await?;
    let network = |kind: &str| {
        let objects = state["vpc"][kind].as_object();
        objects.and_then(|objects| objects.keys().next().cloned())
    };
    let config = json!({"Global": {
        "accessKeyID": STANDARD.encode(&options.ccm_keys.id),
        "accessKeySecret": STANDARD.encode(&options.ccm_keys.secret),
        "clusterID": options.cluster_id,
        "region": options.region,
        "vpcid": network("vpcs"),
        "vswitchid": network("vswitches"),
        "serviceBackendType": "eni",
    }});
    Ok(config.to_string())
}
