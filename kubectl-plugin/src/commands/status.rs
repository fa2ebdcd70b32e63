//! `status`: where objects stand.

use jiff::Timestamp;

use super::{Outcome, outcome, print};
use crate::args::{Check, Format};
use crate::cluster::Cluster;
use crate::error::PluginError;
use crate::object::Object;
use crate::reference::{Kind, Selection};
use crate::render::{self, Items};

pub(super) async fn status(
    cluster: &Cluster,
    selection: &[Selection],
    format: Format,
    check: Check,
) -> Result<Outcome, PluginError> {
    let bindings = [Selection::Kind(Kind::Binding)];
    let selection = if selection.is_empty() {
        &bindings
    } else {
        selection
    };
    let mut objects: Vec<Object> = Vec::new();
    for selected in selection {
        match selected {
            Selection::One(reference) => objects.push(cluster.get(reference).await?),
            Selection::Kind(kind) => objects.extend(cluster.list(*kind, cluster.scope()).await?),
            Selection::All => objects.extend(all(cluster).await?),
        }
    }
    let rows = render::status::rows(&objects);
    match format.output {
        Some(machine) => {
            let list = Items { items: &rows };
            print(&render::machine("StatusList", &list, machine)?)?;
        }
        None if rows.is_empty() => match cluster.scope() {
            Some(namespace) => eprintln!("Nothing in namespace {namespace}; -A looks in all."),
            None => eprintln!("Nothing in any namespace."),
        },
        None => {
            let text = render::status::text(&rows, cluster.scope().is_none(), Timestamp::now());
            print(&text)?;
        }
    }
    let unready = rows.iter().any(|row| row.ready != "True");
    Ok(outcome(unready, check))
}

/// All kinds. Not everybody may see classes: who may not is told so, and sees the rest.
async fn all(cluster: &Cluster) -> Result<Vec<Object>, PluginError> {
    let mut objects = Vec::new();
    for kind in Kind::ALL {
        match cluster.list(kind, cluster.scope()).await {
            Ok(listed) => objects.extend(listed),
            Err(error @ PluginError::Forbidden { .. }) => eprintln!("{error}."),
            Err(error) => return Err(error),
        }
    }
    Ok(objects)
}
