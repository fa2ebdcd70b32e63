//! `suspend` and `resume`.

use crds::Mode;
use serde_json::{Value, json};

use super::print;
use crate::cluster::Cluster;
use crate::error::PluginError;
use crate::reference::Reference;

pub(super) async fn suspend(cluster: &Cluster, names: Vec<String>) -> Result<(), PluginError> {
    let patch = json!({"spec": {"mode": "Suspend"}});
    for binding in bindings(cluster, names).await? {
        let Named {
            reference, title, ..
        } = &binding;
        match binding.mode {
            Mode::Suspend => print(&format!("{title}: suspended already\n"))?,
            // Resume could not tell that it has to go back to Plan.
            Mode::Plan => {
                return Err(PluginError::Usage(format!(
                    "{title} has mode Plan, with which nothing is done but what was approved. To take an \
                     approval back, remove spec.approvedPlan; to suspend it all the same, set spec.mode \
                     yourself"
                )));
            }
            Mode::Apply => {
                cluster.patch(reference, &patch).await?;
                print(&format!("{title}: suspended\n"))?;
            }
        }
    }
    Ok(())
}

pub(super) async fn resume(cluster: &Cluster, names: Vec<String>) -> Result<(), PluginError> {
    // Without a mode it is Apply.
    let patch = json!({"spec": {"mode": Value::Null}});
    for binding in bindings(cluster, names).await? {
        let Named {
            reference, title, ..
        } = &binding;
        if binding.mode == Mode::Suspend {
            cluster.patch(reference, &patch).await?;
            print(&format!("{title}: resumed\n"))?;
        } else {
            print(&format!(
                "{title}: not suspended; its mode is {:?}\n",
                binding.mode
            ))?;
        }
    }
    Ok(())
}

struct Named {
    reference: Reference,
    title: String,
    mode: Mode,
}

/// All of them, before the first is changed.
async fn bindings(cluster: &Cluster, names: Vec<String>) -> Result<Vec<Named>, PluginError> {
    let mut all = Vec::new();
    for name in names {
        let reference = Reference::binding(name);
        let binding = cluster.binding(&reference).await?;
        let namespace = binding.metadata.namespace.as_deref().unwrap_or_default();
        all.push(Named {
            title: format!("GatewayBinding {namespace}/{}", reference.name),
            mode: binding.spec.mode(),
            reference,
        });
    }
    Ok(all)
}
