//! Kourier, a networking layer of Knative that works within the cluster: its published controller, which
//! programs a real Envoy, installed from its own manifests and run as Pods of the local node.

use std::{collections::BTreeMap, path::PathBuf};

use control_plane::{ControlPlane, apply_yaml, envoy, kourier, tools, tools::Tool};

use crate::serving::{self, ServingError};

/// Where its gateway, Envoy, lives.
pub const NAMESPACE: &str = "kourier-system";
const CONTROLLER: &str = "ko://knative.dev/net-kourier/cmd/kourier";
const GATEWAY: &str = "docker.io/envoyproxy/envoy:v1.36-latest";

/// Its images.
pub(crate) async fn images() -> Result<BTreeMap<String, PathBuf>, ServingError> {
    Ok(BTreeMap::from([
        (
            CONTROLLER.to_owned(),
            tools::ensure(Tool::NetKourier).await?,
        ),
        (GATEWAY.to_owned(), envoy::ensure().await?),
    ]))
}

/// Installs it where Knative Serving runs, and waits until it is available. It is not reached from outside.
pub(crate) async fn install(control_plane: &ControlPlane) -> Result<(), ServingError> {
    for file in kourier::manifests().await? {
        let text = serving::read(&file)?;
        let text = text.replace("type: LoadBalancer", "type: ClusterIP");
        apply_yaml(control_plane.client(), &text).await?;
        if text.contains(CONTROLLER) {
            // Envoy looks it up by name, and not again for a while if it is not there.
            serving::available(control_plane, serving::NAMESPACE, "net-kourier-controller").await?;
        }
    }
    serving::available(control_plane, NAMESPACE, "3scale-kourier-gateway").await
}
