//! `approve`: one plan, by its hash.

use serde_json::json;

use super::print;
use crate::cluster::Cluster;
use crate::error::PluginError;
use crate::reference::Reference;
use crate::render::plan::Planned;

pub(super) async fn approve(
    cluster: &Cluster,
    name: String,
    hash: &str,
) -> Result<(), PluginError> {
    let reference = Reference::binding(name);
    let binding = cluster.binding(&reference).await?;
    let planned = Planned::of(&binding).map_err(PluginError::Usage)?;
    let Planned {
        namespace, name, ..
    } = &planned;
    let title = format!("GatewayBinding {namespace}/{name}");
    match planned.plan.hash.as_deref() {
        Some(current) if current == hash => {}
        Some(current) => {
            return Err(PluginError::Usage(format!(
                "{hash} is not the plan of {title}, which is {current} now. Read it again with \
                 `kubectl gatewaybinding plan -n {namespace} {name}`"
            )));
        }
        None => {
            return Err(PluginError::Usage(format!(
                "{title} has nothing to approve; see `kubectl gatewaybinding plan -n {namespace} {name}`"
            )));
        }
    }
    let patch = json!({"spec": {"approvedPlan": hash}});
    cluster.patch(&reference, &patch).await?;
    print(&format!("{title}: plan {hash} approved\n"))
}
