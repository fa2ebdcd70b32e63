//! `reconcile`: a comparison with the cloud, now.

use crds::{Mode, keys};
use jiff::Timestamp;
use serde_json::json;

use super::print;
use crate::cluster::Cluster;
use crate::error::PluginError;
use crate::object::Object;
use crate::reference::Reference;

pub(super) async fn reconcile(
    cluster: &Cluster,
    references: &[Reference],
) -> Result<(), PluginError> {
    // All of them are there before the first is changed.
    let mut objects = Vec::new();
    for reference in references {
        objects.push(cluster.get(reference).await?);
    }
    let patch =
        json!({"metadata": {"annotations": {keys::RECONCILE_AT: Timestamp::now().to_string()}}});
    for (reference, object) in references.iter().zip(&objects) {
        cluster.patch(reference, &patch).await?;
        print(&format!(
            "{}: asked to be compared with the cloud\n",
            object.title()
        ))?;
        if is_suspended(object) {
            eprintln!("It is suspended, so that waits until `resume`.");
        }
    }
    Ok(())
}

fn is_suspended(object: &Object) -> bool {
    matches!(object, Object::Binding(binding) if binding.spec.mode() == Mode::Suspend)
}
