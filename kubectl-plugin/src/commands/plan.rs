//! `plan`: the plan in a binding's status.

use super::{Outcome, outcome, print};
use crate::args::{Check, Format};
use crate::cluster::Cluster;
use crate::error::PluginError;
use crate::reference::Reference;
use crate::render::machine;
use crate::render::plan::{Planned, text};

pub(super) async fn plan(
    cluster: &Cluster,
    name: String,
    format: Format,
    check: Check,
) -> Result<Outcome, PluginError> {
    let binding = cluster.binding(&Reference::binding(name)).await?;
    let planned = Planned::of(&binding).map_err(PluginError::Usage)?;
    let shown = match format.output {
        Some(format) => machine("BindingPlan", &planned, format)?,
        None => text(&planned),
    };
    print(&shown)?;
    Ok(outcome(planned.has_steps(), check))
}
